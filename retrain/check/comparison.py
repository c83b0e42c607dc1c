"""Lets Pulumi compare what is deployed with the program, and says what it could not compare.

The stack is compared with AWS and with this checkout by `pulumi preview --refresh`, because Pulumi
knows each resource and each property of it. It compares all or nothing: a single read that is
denied, for example, leaves no plan. See docs/adr/0050-doctor-compares-with-pulumi.md.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from components.naming import build_function_name
from functions.common.formatting import format_count, format_list
from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.check.findings import Finding, abridge
from retrain.check.preview import Change, list_changes, list_errors, list_resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.preview import Document

STARTS_RUNS = ("-schedule", build_function_name("", "start_on_export"))
"""The ends of the names of the schedule and the event rule that start runs."""


class Comparison(NamedTuple):
    """What Pulumi says about the resources of a deployed pipeline."""

    changes: Sequence[Change]
    resource_count: int = 0
    """How many resources were compared with AWS."""
    problem: str | None = None
    """Why they were not compared with AWS, or None if they were. Without AWS, the changes have only
    what is not deployed yet."""


def compare(pipeline: ExaminedPipeline) -> Comparison | None:
    """Compare the resources of a deployed pipeline with AWS and with this checkout.

    It's None if there is nothing to compare: the pipeline is not deployed, or only the ARN of its
    state machine is known, but not its stack.
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
    preview = _preview(pipeline, refresh=True)
    errors = list_errors(preview)
    if errors:
        return Comparison(_list_undeployed(pipeline), problem=_format_errors(errors))

    changes = list_changes(preview)
    # During an update, the preview would show the work of the update as damage.
    if changes and _was_deployed_meanwhile(stack, preview):
        problem = "the stack is being deployed just now; ask again when that has ended"
        return Comparison([], problem=problem)
    return Comparison(changes, len(list_resources(preview)))


def _preview(pipeline: ExaminedPipeline, *, refresh: bool) -> Document:
    variables = pipeline.access.variables()
    return pulumi_cli.preview(str(pipeline.stack), refresh=refresh, variables=variables)


def _format_errors(errors: Sequence[str]) -> str:
    first_error, *more_errors = errors
    if not more_errors:
        return first_error
    return f"{first_error} ({format_count(len(more_errors), 'more error')})"


def _list_undeployed(pipeline: ExaminedPipeline) -> Sequence[Change]:
    """List what isn't deployed yet, which Pulumi knows without asking AWS."""
    try:
        preview = _preview(pipeline, refresh=False)
    except OperatorError:
        return []

    if list_errors(preview):
        return []
    return list_changes(preview)


def _was_deployed_meanwhile(stack: str, preview: Document) -> bool:
    """Return True if the stack's state is being changed, or isn't the one that was compared."""
    state = pulumi_cli.read_state(stack)
    if state.get("pending_operations"):
        return True

    compared = list_resources(preview)
    current = {row["urn"]: row.get("modified") for row in state.get("resources", ())}
    return any(current.get(urn) != modified for urn, modified in compared.items())


def explain_comparison(
    comparison: Comparison | None, pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Explain what was compared, each fault with the command that mends it."""
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
    """Explain the changes, first those not deployed yet, because every remedy deploys them."""
    not_deployed = [change for change in changes if change.kind == "not deployed"]
    by_hand = [change for change in changes if change.kind in ("deleted", "by hand")]

    for text in _group_by_details(not_deployed):
        yield Finding("warn", f"not deployed yet: {text}", pipeline.deploy_command)
    if not_deployed and by_hand:
        text = (
            "the command that mends also deploys what is not deployed yet; if that must not "
            "happen now, check out the deployed program and config first"
        )
        yield Finding("warn", text)

    yield from _explain_pauses(by_hand, pipeline)
    yield from _explain_damage(by_hand, pipeline.deploy_command)
    yield from _count_consequences(len(changes) - len(not_deployed) - len(by_hand))


def _count_consequences(count: int) -> Iterator[Finding]:
    """Count the changes that the same command makes because of the others."""
    if count == 1:
        yield Finding("ok", "1 more change follows from these")
    elif count:
        yield Finding("ok", f"{count} more changes follow from these")


def _explain_pauses(by_hand: Sequence[Change], pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Say what somebody has turned off, and that the deployment would turn it on again."""
    for change in by_hand:
        # Another check says in any case whether the schedule is on.
        if _is_pause(change) and not change.resource.startswith("Schedule "):
            text = (
                f"turned off by hand, so it starts no run: {change.resource}; "
                f"`{pipeline.deploy_command}` turns it on too"
            )
            yield Finding("warn", text, pipeline.command("resume"))


def _explain_damage(by_hand: Sequence[Change], deploy_command: str) -> Iterator[Finding]:
    """Name what was deleted or changed by hand, except what was only turned off."""
    for change in by_hand:
        if change.kind == "deleted":
            yield Finding("missing", f"deleted by hand: {change.resource}", deploy_command)

    damage = [change for change in by_hand if change.kind == "by hand" and not _is_pause(change)]
    for text in _group_by_details(damage):
        yield Finding("missing", f"changed by hand: {text}", deploy_command)


def _is_pause(change: Change) -> bool:
    """Return True if somebody has turned off what starts runs, which is no damage.

    The other schedule watches the pipeline, and another rule reports runs that were stopped.
    """
    is_off = change.details == "state: ENABLED -> DISABLED"
    return change.kind == "by hand" and is_off and change.resource.endswith(STARTS_RUNS)


def _group_by_details(changes: Sequence[Change]) -> Iterator[str]:
    """Describe each change once, with all resources that have it."""
    resources_by_details: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        resources_by_details[change.details].append(change.resource)

    for details, resources in resources_by_details.items():
        yield f"{format_list(abridge(resources))}, {details}"
