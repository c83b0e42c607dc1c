"""Compares a deployed stack with AWS and with this checkout, and explains the differences.

We leave the comparison to `pulumi preview --refresh`, because Pulumi knows every property of every
resource. But it's all or nothing: if AWS denies a single read, for example, we can't use the plan.
See docs/adr/0050-doctor-compares-with-pulumi.md.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from components.naming import build_function_name
from functions.common.formatting import format_count, format_list
from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.check.findings import Finding, shorten_list
from retrain.check.preview import Change, find_modified_times, list_changes, list_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.preview import PreviewDocument

TRIGGER_SUFFIXES = ("-schedule", build_function_name("", "start_on_export"))
"""The ends of the logical names of the schedule and the event rule that start runs."""


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
    """The number of resources that were compared with AWS."""
    problem: str | None = None
    """Why the stack couldn't be compared with AWS, or None if it was. If there's a problem,
    `changes` contains nothing but what isn't deployed yet."""


def compare(pipeline: ExaminedPipeline) -> Comparison | None:
    """Compare a deployed stack with AWS and with this checkout.

    Returns None if there's nothing to compare, because the pipeline isn't deployed, or because only
    its state machine's ARN is known, but not its stack.
    """
    if pipeline.target is None or pipeline.stack is None:
        return None
    if pipeline.args is None:
        problem = (
            f"this folder has no Pulumi.{pipeline.stack}.yaml; go to the folder of the project"
        )
        return Comparison([], problem=problem)

    try:
        return _compare_stack(pipeline, pipeline.stack)
    except OperatorError as error:
        return Comparison([], problem=error.text)


def _compare_stack(pipeline: ExaminedPipeline, stack: str) -> Comparison:
    """Preview the stack, and turn the preview into a comparison.

    If the refresh failed, fall back to a preview that doesn't read AWS.

    Raises:
        OperatorError: the Pulumi CLI returned no preview, or couldn't read the stack's state.
    """
    preview = _run_preview(pipeline, refresh=True)
    errors = list_errors(preview)
    if errors:
        return Comparison(_list_undeployed(pipeline), problem=_format_errors(errors))

    changes = list_changes(preview)
    # While an update is running, its own changes would look as if they were made by hand.
    if changes and _was_deployed_meanwhile(stack, preview):
        problem = "the stack is being deployed just now; ask again when that has ended"
        return Comparison([], problem=problem)
    return Comparison(changes, len(find_modified_times(preview)))


def _run_preview(pipeline: ExaminedPipeline, *, refresh: bool) -> PreviewDocument:
    """Run `pulumi preview` with this command's AWS profile and endpoint, and parse its output."""
    env = pipeline.access.build_env()
    return pulumi_cli.preview(str(pipeline.stack), refresh=refresh, env=env)


def _format_errors(errors: Sequence[str]) -> str:
    """Quote the first error, and only count the others."""
    first_error, *more_errors = errors
    if not more_errors:
        return first_error
    return f"{first_error} ({format_count(len(more_errors), 'more error')})"


def _list_undeployed(pipeline: ExaminedPipeline) -> Sequence[Change]:
    """List what isn't deployed yet, or nothing if that fails, too.

    This works without read access to AWS, because Pulumi only compares this checkout with the
    stack's state.
    """
    try:
        preview = _run_preview(pipeline, refresh=False)
    except OperatorError:
        return []

    if list_errors(preview):
        return []
    return list_changes(preview)


def _was_deployed_meanwhile(stack: str, preview: PreviewDocument) -> bool:
    """Return True if the stack is being updated, or was updated since the preview began."""
    state = pulumi_cli.read_state(stack)
    if state.get("pending_operations"):
        return True

    previewed_times = find_modified_times(preview)
    current_times = {
        resource["urn"]: resource.get("modified") for resource in state.get("resources", ())
    }
    return any(current_times.get(urn) != time for urn, time in previewed_times.items())


def explain_comparison(
    comparison: Comparison | None, pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Turn a comparison into findings, with commands that undo or deploy the changes."""
    if comparison is None:
        return

    if comparison.problem:
        text = (
            "Pulumi did not compare the stack with AWS, so changes by hand are not named: "
            f"{comparison.problem}"
        )
        yield Finding("missing", text)
    elif not comparison.changes:
        resources = format_count(comparison.resource_count, "resource")
        yield Finding("ok", f"{resources} compared, all are as this program deploys them")
    yield from _explain_changes(comparison.changes, pipeline)


def _explain_changes(changes: Sequence[Change], pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Explain the changes, beginning with those that aren't deployed yet.

    The command that undoes changes made by hand also deploys these, so the operator has to know
    about them first.
    """
    not_deployed = [change for change in changes if change.kind == "not deployed"]
    by_hand = [change for change in changes if change.kind in ("deleted", "by hand")]

    for text in _group_by_details(not_deployed):
        yield Finding("warn", f"not deployed yet: {text}", pipeline.deploy_command)
    yield from _warn_about_side_effects(not_deployed, by_hand, pipeline)

    yield from _warn_about_pauses(by_hand, pipeline)
    yield from _warn_about_resumptions(by_hand, pipeline)
    yield from _report_damage(by_hand, pipeline.deploy_command)
    yield from _report_consequences(len(changes) - len(not_deployed) - len(by_hand))


def _warn_about_side_effects(
    not_deployed: Sequence[Change], by_hand: Sequence[Change], pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Warn about what the command that mends does besides mending."""
    if not_deployed and by_hand:
        yield Finding("warn", ALSO_DEPLOYS)

    pauses = [change for change in by_hand if _is_pause(change)]
    if pauses and (not_deployed or len(by_hand) > len(pauses)):
        yield Finding("warn", ALSO_RESUMES, pipeline.command("pause"))


def _report_consequences(consequence_count: int) -> Iterator[Finding]:
    """Report how many changes follow from others. We don't list them, as they need no attention."""
    if consequence_count == 1:
        yield Finding("ok", "1 more change follows from these")
    elif consequence_count:
        yield Finding("ok", f"{consequence_count} more changes follow from these")


def _warn_about_pauses(by_hand: Sequence[Change], pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Warn about an event rule that was turned off by hand, as a deployment would enable it."""
    for change in by_hand:
        # `check_schedule` already reports a schedule that is off.
        if _is_pause(change) and not change.resource.startswith("Schedule "):
            text = (
                f"turned off by hand, so it starts no run: {change.resource}; "
                f"`{pipeline.deploy_command}` turns it on too"
            )
            yield Finding("warn", text, pipeline.command("resume"))


def _warn_about_resumptions(
    by_hand: Sequence[Change], pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Warn about what was turned on by hand, although the config of the stack pauses it."""
    for change in by_hand:
        if _is_resumption(change):
            text = (
                f"resumed by hand, although the config says paused: {change.resource}; "
                f"`{pipeline.deploy_command}` would pause it again"
            )
            yield Finding("warn", text, pipeline.config_command("set paused false"))


def _report_damage(by_hand: Sequence[Change], deploy_command: str) -> Iterator[Finding]:
    """Report what was deleted or changed by hand, except for pauses and resumptions."""
    for change in by_hand:
        if change.kind == "deleted":
            yield Finding("missing", f"deleted by hand: {change.resource}", deploy_command)

    damage = [
        change
        for change in by_hand
        if change.kind == "by hand" and not _is_pause(change) and not _is_resumption(change)
    ]
    for text in _group_by_details(damage):
        yield Finding("missing", f"changed by hand: {text}", deploy_command)


def _is_pause(change: Change) -> bool:
    """Return True if somebody turned off the schedule or the rule that starts runs.

    That may be a deliberate pause. But nobody should turn off any other schedule or rule, because
    these watch the pipeline and report stopped runs.
    """
    is_off = change.details == "state: ENABLED -> DISABLED"
    return change.kind == "by hand" and is_off and change.resource.endswith(TRIGGER_SUFFIXES)


def _is_resumption(change: Change) -> bool:
    """Return True if somebody turned on what starts runs, although the stack is paused."""
    is_on = change.details == "state: DISABLED -> ENABLED"
    return change.kind == "by hand" and is_on and change.resource.endswith(TRIGGER_SUFFIXES)


def _group_by_details(changes: Sequence[Change]) -> Iterator[str]:
    """Describe the changes, with one text for all resources that changed in the same way."""
    resources_by_details: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        resources_by_details[change.details].append(change.resource)

    for details, resources in resources_by_details.items():
        yield f"{format_list(shorten_list(resources))}, {details}"
