"""Compares a deployed stack with AWS and with this checkout, and explains the differences.

We leave the comparison to `pulumi preview --refresh`, because Pulumi knows every property of every
resource. But it's all or nothing: if AWS denies a single read, for example, we can't use the plan.
See docs/adr/0050-doctor-compares-with-pulumi.md.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from functions.common.formatting import format_count, format_list
from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.check.findings import Finding, shorten_list
from retrain.check.preview import find_error, find_refreshed_states, list_changes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.preview import Change, Kind, PreviewDocument

BEING_DEPLOYED = "the stack is being deployed just now; ask again when that has ended"
ALSO_DEPLOYS = (
    "the command that mends also deploys what is not deployed yet; if that must not happen now, "
    "check out the deployed program and config first"
)
ALSO_RESUMES = (
    "the pipeline is paused by hand, and the command that mends or deploys also ends the pause; if "
    "it should stay paused, pause it again at once"
)


class Comparison(NamedTuple):
    """The result of comparing a deployed stack with AWS and with this checkout."""

    changes: Sequence[Change]
    resource_count: int = 0
    """The number of resources that were compared with AWS. If it's 0, `changes` contains nothing
    but what isn't deployed yet."""
    problem: str | None = None
    """Why the stack couldn't be compared with AWS."""


def compare(pipeline: ExaminedPipeline) -> Comparison:
    """Compare a deployed stack with AWS and with this checkout.

    There's nothing to compare if the pipeline isn't deployed, or if only its state machine's ARN is
    known, but not its stack.
    """
    if pipeline.target is None or pipeline.stack is None:
        return Comparison([])
    if pipeline.args is None:
        problem = (
            f"this folder has no Pulumi.{pipeline.stack}.yaml; go to the folder of the project"
        )
        return Comparison([], problem=problem)

    try:
        preview = _preview(pipeline, refresh=True)
        changes = list_changes(preview)
        # While an update is running, its own changes would look as if they were made by hand.
        if changes and _was_deployed_meanwhile(pipeline.stack, preview):
            return Comparison([], problem=BEING_DEPLOYED)
    except OperatorError as error:
        return Comparison(_list_undeployed(pipeline), problem=error.text)
    return Comparison(changes, len(find_refreshed_states(preview)))


def _preview(pipeline: ExaminedPipeline, *, refresh: bool) -> PreviewDocument:
    """Run `pulumi preview` with this command's AWS profile and endpoint.

    Raises OperatorError if the CLI returned no plan, or an incomplete one.
    """
    env = pipeline.access.build_env()
    preview = pulumi_cli.preview(str(pipeline.stack), refresh=refresh, env=env)
    error = find_error(preview)
    if error is not None:
        raise OperatorError(error)
    return preview


def _list_undeployed(pipeline: ExaminedPipeline) -> Sequence[Change]:
    """List what isn't deployed yet, or nothing if that fails, too.

    This works without read access to AWS, because Pulumi only compares this checkout with the
    stack's state.
    """
    try:
        return list_changes(_preview(pipeline, refresh=False))
    except OperatorError:
        return []


def _was_deployed_meanwhile(stack: str, preview: PreviewDocument) -> bool:
    """Return True if the stack is being updated, or was updated since the preview began."""
    state = pulumi_cli.read_state(stack)
    if state.get("pending_operations"):
        return True

    current_times = {
        resource["urn"]: resource["modified"] for resource in state.get("resources", ())
    }
    return any(
        resource["modified"] != current_times.get(urn)
        for urn, resource in find_refreshed_states(preview).items()
    )


def explain_comparison(comparison: Comparison, pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Turn a comparison into findings, with commands that undo or deploy the changes."""
    if comparison.problem:
        text = (
            "Pulumi did not compare the stack with AWS, so changes by hand are not named: "
            f"{comparison.problem}"
        )
        yield Finding("missing", text)
    elif comparison.resource_count and not comparison.changes:
        resources = format_count(comparison.resource_count, "resource")
        yield Finding("ok", f"{resources} compared, all are as this program deploys them")

    yield from _explain_changes(comparison.changes, pipeline)


def _explain_changes(changes: Sequence[Change], pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Explain the changes, beginning with those that aren't deployed yet.

    The command that undoes changes made by hand also deploys these, so the operator has to know
    about them first.
    """
    changes_by_kind: dict[Kind, list[Change]] = defaultdict(list)
    for change in changes:
        changes_by_kind[change.kind].append(change)
    # A consequence needs no attention, so we only count them.
    consequences = changes_by_kind.pop("follows", [])

    for text in _group_by_details(changes_by_kind["not deployed"]):
        yield Finding("warn", f"not deployed yet: {text}", pipeline.deploy_command)
    yield from _warn_about_side_effects(changes_by_kind, pipeline)

    yield from _explain_switches(changes_by_kind, pipeline)
    yield from _report_damage(changes_by_kind, pipeline.deploy_command)
    if consequences:
        yield Finding("ok", f"{format_count(len(consequences), 'more change')} because of these")


def _warn_about_side_effects(
    changes_by_kind: Mapping[Kind, Sequence[Change]], pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Warn that the command that undoes one kind of change affects another kind, too."""
    kinds = [kind for kind, changes in changes_by_kind.items() if changes]
    if len(kinds) == 1:
        return

    if "not deployed" in kinds:
        yield Finding("warn", ALSO_DEPLOYS)
    if "paused" in kinds:
        yield Finding("warn", ALSO_RESUMES, pipeline.command("pause"))


def _explain_switches(
    changes_by_kind: Mapping[Kind, Sequence[Change]], pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Warn about what was turned off or on by hand, because a deployment would undo that."""
    for change in changes_by_kind["paused"]:
        # `check_schedule` already reports a schedule that is off.
        if not change.resource.startswith("Schedule "):
            text = (
                f"turned off by hand, so it starts no run: {change.resource}; "
                f"`{pipeline.deploy_command}` turns it on too"
            )
            yield Finding("warn", text, pipeline.command("resume"))

    for change in changes_by_kind["resumed"]:
        text = (
            f"resumed by hand, although the config says paused: {change.resource}; "
            f"`{pipeline.deploy_command}` would pause it again"
        )
        yield Finding("warn", text, pipeline.config_command("set paused false"))


def _report_damage(
    changes_by_kind: Mapping[Kind, Sequence[Change]], deploy_command: str
) -> Iterator[Finding]:
    """Report what was deleted or changed by hand, except for pauses and resumptions."""
    for change in changes_by_kind["deleted"]:
        yield Finding("missing", f"deleted by hand: {change.resource}", deploy_command)
    for text in _group_by_details(changes_by_kind["by hand"]):
        yield Finding("missing", f"changed by hand: {text}", deploy_command)


def _group_by_details(changes: Sequence[Change]) -> Iterator[str]:
    """Describe the changes, with one text for all resources that changed in the same way."""
    resources_by_details: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        resources_by_details[change.details].append(change.resource)

    for details, resources in resources_by_details.items():
        yield f"{format_list(shorten_list(resources))}, {details}"
