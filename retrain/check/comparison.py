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
from retrain.check.findings import Finding
from retrain.check.preview import Change, list_changes, list_errors, list_resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.preview import Document

SHOWN_RESOURCES = 3
"""So many resources with the same change are named, and the others are counted."""
STARTS_RUNS = ("-schedule", build_function_name("", "start_on_export"))
"""The ends of the names of the schedule and the event rule that start runs."""


class Comparison(NamedTuple):
    """What Pulumi says about the resources of a deployed pipeline."""

    changes: Sequence[Change]
    resources: int = 0
    """How many resources were compared with AWS."""
    problem: str | None = None
    """Why they were not compared with AWS, or None if they were. Without AWS, the changes have only
    what is not deployed yet."""


def compare(pipeline: ExaminedPipeline) -> Comparison:
    """Compare the resources of a deployed pipeline with AWS and with this checkout."""
    if pipeline.stack is None:
        text = "the ARN of a state machine does not name its stack; name it with --stack"
        return Comparison([], problem=text)
    if pipeline.args is None:
        text = f"this folder has no Pulumi.{pipeline.stack}.yaml; go to the folder of the project"
        return Comparison([], problem=text)

    try:
        document = _preview(pipeline, refresh=True)
        if problem := _problem_of(document):
            return Comparison(_not_deployed(pipeline), problem=problem)
        changes = list_changes(document)
        # During an update, the preview would show the work of the update as damage.
        if changes and _was_deployed_meanwhile(pipeline.stack, document):
            text = "the stack is being deployed just now; ask again when that has ended"
            return Comparison([], problem=text)
    except OperatorError as error:
        return Comparison([], problem=error.text)
    return Comparison(changes, len(list_resources(document)))


def _preview(pipeline: ExaminedPipeline, *, refresh: bool) -> Document:
    variables = pipeline.access.variables()
    return pulumi_cli.preview(str(pipeline.stack), refresh=refresh, variables=variables)


def _problem_of(document: Document) -> str | None:
    errors = list_errors(document)
    if not errors:
        return None
    more = f" ({len(errors) - 1} more errors)" if errors[1:] else ""
    return f"{errors[0]}{more}"


def _not_deployed(pipeline: ExaminedPipeline) -> Sequence[Change]:
    """Return what is not deployed yet, which Pulumi knows without asking AWS."""
    try:
        document = _preview(pipeline, refresh=False)
    except OperatorError:
        return []
    return [] if list_errors(document) else list_changes(document)


def _was_deployed_meanwhile(stack: str, document: Document) -> bool:
    """Return True if the state is not the one that the preview has read, or is being changed."""
    state = pulumi_cli.state_of(stack)
    written = {resource["urn"]: resource.get("modified") for resource in state.get("resources", ())}
    read = list_resources(document)
    is_changing = bool(state.get("pending_operations"))
    return is_changing or read != {urn: written.get(urn) for urn in read}


def explain_comparison(comparison: Comparison, pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Yield what was compared, each fault with the command that mends it."""
    if comparison.problem:
        text = "Pulumi did not compare the stack with AWS, so changes by hand are not named"
        yield Finding("missing", f"{text}: {comparison.problem}")
    elif not comparison.changes:
        resources = format_count(comparison.resources, "resource")
        yield Finding("ok", f"{resources} compared, all are as this program deploys them")
    yield from _findings_about_changes(comparison.changes, pipeline)


def _findings_about_changes(
    changes: Sequence[Change], pipeline: ExaminedPipeline
) -> Iterator[Finding]:
    """Yield the changes, first those that are not deployed, because every remedy deploys them."""
    listed = [change for change in changes if change.kind != "follows"]
    pauses = [change for change in listed if _is_pause(change)]
    not_deployed = [change for change in listed if change.kind == "not deployed"]
    damage = [change for change in listed if change not in (*pauses, *not_deployed)]
    mend = pipeline.deploy_command

    for text in _grouped(not_deployed):
        yield Finding("warn", f"not deployed yet: {text}", mend)
    if not_deployed and (pauses or damage):
        text = "the command that mends also deploys what is not deployed yet; if that must not"
        yield Finding("warn", f"{text} happen now, check out the deployed program and config first")
    for change in pauses:
        # Whether the schedule is on is said in any case, by a check of its own.
        if not change.resource.startswith("Schedule "):
            text = f"turned off by hand, so it starts no run: {change.resource}"
            yield Finding("warn", f"{text}; `{mend}` turns it on too", pipeline.command("resume"))
    for change in damage:
        if change.kind == "deleted":
            yield Finding("missing", f"deleted by hand: {change.resource}", mend)
    for text in _grouped([change for change in damage if change.kind == "by hand"]):
        yield Finding("missing", f"changed by hand: {text}", mend)

    if followers := len(changes) - len(listed):
        verb = "follows" if followers == 1 else "follow"
        yield Finding("ok", f"{format_count(followers, 'more change')} {verb} from these")


def _is_pause(change: Change) -> bool:
    """Return True if somebody has turned off what starts runs, which is no damage.

    The other schedule watches the pipeline, and another rule reports runs that were stopped.
    """
    is_off = change.details == "state: ENABLED -> DISABLED"
    return change.kind == "by hand" and is_off and change.resource.endswith(STARTS_RUNS)


def _grouped(changes: Sequence[Change]) -> Iterator[str]:
    """Yield each change once, with all resources that have it."""
    resources_of: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        resources_of[change.details].append(change.resource)

    for details, resources in resources_of.items():
        rest = len(resources) - SHOWN_RESOURCES
        more = [f"{rest} more"] if rest > 0 else []
        names = format_list([*resources[:SHOWN_RESOURCES], *more])
        yield f"{names}, {details}"
