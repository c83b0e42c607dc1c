"""Parses the JSON output of `pulumi preview --refresh` into changes. All functions are pure.

A preview has up to three versions of a resource: the *state* is what the last `pulumi up` left
behind, the *cloud* is what the refresh has just read from AWS, and the *program* is what this
checkout would deploy. They're spread over two steps:

- The step `refresh` has the state as `oldState`. (Its `newState` is a copy.)
- The *planned step* (create, update, replace or delete) has the cloud as `oldState` and the program
  as `newState`.

If state and cloud differ, somebody changed the resource by hand. If state and program differ, the
change isn't deployed yet. Both may be true.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from components.naming import build_function_name
from retrain.account.errors import join_lines
from retrain.check.findings import shorten_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    PreviewDocument: TypeAlias = Mapping[str, Any]
    """The JSON output of `pulumi preview`."""
    PreviewStep: TypeAlias = Mapping[str, Any]
    """A step of the preview: one operation on one resource."""
    ResourceState: TypeAlias = Mapping[str, Any]
    """The inputs and outputs of a resource in the state, the cloud or the program."""

Kind: TypeAlias = Literal["not deployed", "deleted", "by hand", "paused", "resumed", "follows"]
"""Why Pulumi would change a resource: because the change isn't deployed yet, because somebody
deleted or changed the resource by hand, or because it follows from another change. If a log group
gets a new name, for example, whatever mentions that name changes, too.

If somebody turned off or on what starts runs, it's "paused" or "resumed", because that may be
deliberate. Nobody should turn off any other schedule or rule, because these watch the pipeline and
report stopped runs."""

TRIGGER_SUFFIXES = ("-schedule", build_function_name("", "start_on_export"))
"""The ends of the logical names of the schedule and the event rule that start runs."""
SWITCH_KINDS: Mapping[str, Kind] = {
    "state: ENABLED -> DISABLED": "paused",
    "state: DISABLED -> ENABLED": "resumed",
}
COMPONENT_TYPE = "personalize-retraining:index:RetrainingPipeline"
"""We only report resources of this component, because a stack may also have others."""
UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The engine's placeholder for a value that isn't known before the deployment:
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go"""
UNINFORMATIVE_PROPERTIES = {"tagsAll", "code"}
"""`tagsAll` repeats `tags`. `code` is only the path of a temporary file, while `codeSha256` shows
whether the code has changed."""
ABSENT = "(none)"
MAX_SHOWN_CHARACTERS = 60


class Change(NamedTuple):
    """A change that `pulumi up --refresh` would make to a resource."""

    kind: Kind
    resource: str
    """For example `MetricAlarm retraining-prod-run-failed`."""
    details: str
    """For example `threshold: 1 -> 2`. Empty for a deleted resource."""


def find_error(preview: PreviewDocument) -> str | None:
    """Find the error that prevented the preview, or left it incomplete."""
    errors = [
        diagnostic
        for diagnostic in preview.get("diagnostics", ())
        if diagnostic["severity"] == "error"
    ]
    if not errors:
        return None

    # Prefer an error about a resource, because the engine adds another one that only says that the
    # preview failed.
    error = min(errors, key=lambda error: "urn" not in error)
    text = join_lines(error["message"]).removeprefix("error: ")
    if "urn" in error:
        return f"{_format_resource_name(error['urn'])}: {text}"
    return text


def find_refreshed_states(preview: PreviewDocument) -> dict[str, ResourceState]:
    """Map the URN of each resource that was refreshed to its state before the refresh."""
    return {
        step["urn"]: step["oldState"]
        for step in _list_pipeline_steps(preview)
        if step["op"] == "refresh"
    }


def list_changes(preview: PreviewDocument) -> list[Change]:
    """List the changes that Pulumi would make to the pipeline.

    In a preview without `--refresh`, the state stands in for the cloud, so no change counts as made
    by hand.
    """
    states = find_refreshed_states(preview)
    steps = _list_pipeline_steps(preview)
    # These resources get a new name or ARN, so properties that refer to them change, too.
    renamed_urns = {step["urn"] for step in steps if step["op"] in ("create", "replace")}

    changes: list[Change] = []
    for step in steps:
        changes += _list_resource_changes(step, states.get(step["urn"]), renamed_urns)
    return changes


def _list_pipeline_steps(preview: PreviewDocument) -> list[PreviewStep]:
    """List the steps for our component's resources, whose URNs contain the component's type."""
    return [step for step in preview.get("steps", ()) if f"{COMPONENT_TYPE}$" in step["urn"]]


def _list_resource_changes(
    step: PreviewStep, state: ResourceState | None, renamed_urns: AbstractSet[str]
) -> Iterator[Change]:
    """Yield the changes that a step plans to make to a resource, if any.

    `state` is None if the resource is new, or if the preview didn't refresh it.
    """
    resource = _format_resource_name(step["urn"])

    match step["op"]:
        case "create" if state is None:
            yield Change("not deployed", resource, "a new resource")
        case "create":
            # The state has the resource, but it's no longer in AWS.
            yield Change("deleted", resource, "")
        case "delete":
            yield Change("not deployed", resource, "no longer in the program")
        case "update" | "replace":
            for name in _list_changed_properties(step):
                yield from _list_property_changes(
                    step, name, state or step["oldState"], renamed_urns
                )


def _list_changed_properties(step: PreviewStep) -> list[str]:
    """List the properties for which Pulumi would update or replace a resource."""
    properties = {*step.get("diffReasons", ()), *step.get("replaceReasons", ())}
    return sorted(properties - UNINFORMATIVE_PROPERTIES)


def _list_property_changes(
    step: PreviewStep, name: str, state: ResourceState, renamed_urns: AbstractSet[str]
) -> Iterator[Change]:
    """Yield the changes of one property.

    There are two changes if somebody changed the property by hand, and the program also has a new
    value, which isn't deployed yet.
    """
    resource = _format_resource_name(step["urn"])
    program = step["newState"]
    by_hand = _describe_differences(
        name, _get_current_value(state, name), _get_current_value(step["oldState"], name)
    )
    not_deployed = _describe_differences(name, _get_input(state, name), _get_input(program, name))

    if by_hand:
        yield Change(_classify_change_by_hand(resource, by_hand), resource, by_hand)
    if _is_consequence(name, program, renamed_urns):
        yield Change("follows", resource, name)
    elif not_deployed:
        yield Change("not deployed", resource, not_deployed)
    elif not by_hand:
        # The engine also compares values that its output doesn't contain, such as secrets.
        yield Change("not deployed", resource, f"{name}, whose values are not shown")


def _classify_change_by_hand(resource: str, details: str) -> Kind:
    """Tell a deliberate pause, or its end, from a change that damages the pipeline."""
    if resource.endswith(TRIGGER_SUFFIXES):
        return SWITCH_KINDS.get(details, "by hand")
    return "by hand"


def _is_consequence(name: str, program: ResourceState, renamed_urns: AbstractSet[str]) -> bool:
    """Return True if a property changes only because another resource gets a new name or ARN."""
    is_unknown = UNKNOWN_VALUE in str(program["inputs"].get(name))
    dependencies = program.get("propertyDependencies", {}).get(name, ())
    return is_unknown or not renamed_urns.isdisjoint(dependencies)


def _get_current_value(resource_state: ResourceState, name: str) -> object:
    """Look up a property in the outputs, which also contain defaults, or else in the inputs."""
    return resource_state["outputs"].get(name, _get_input(resource_state, name))


def _get_input(resource_state: ResourceState, name: str) -> object:
    """Look up a property in the inputs, which is what a program sets."""
    return resource_state["inputs"].get(name, ABSENT)


def _describe_differences(name: str, old: object, new: object) -> str:
    """Describe where two values of a property differ. Return "" if they're equal."""
    return "; ".join(shorten_list([*_list_differences(name, old, new)]))


def _list_differences(path: str, old: object, new: object) -> Iterator[str]:
    """Yield a text for each difference, even if it's deep inside a list or a JSON document."""
    old_parts = _split(old)
    new_parts = _split(new)

    if old_parts is not None and new_parts is not None:
        for name in sorted(old_parts.keys() | new_parts.keys()):
            old_part = old_parts.get(name, ABSENT)
            new_part = new_parts.get(name, ABSENT)
            yield from _list_differences(f"{path}{name}", old_part, new_part)
    elif old != new:
        yield f"{path}: {_format_value(old)} -> {_format_value(new)}"


def _split(value: object) -> dict[str, object] | None:
    """Map the end of each part's path to the part, for example `.key` or `[0]`.

    Returns None if the value isn't a list, an object, or a JSON document such as a policy.
    """
    if isinstance(value, str) and value.startswith(("{", "[")):
        with suppress(ValueError):
            value = json.loads(value)

    if isinstance(value, list):
        return {f"[{index}]": item for index, item in enumerate(value)}
    if isinstance(value, dict):
        # `__defaults` is internal to Pulumi.
        return {f".{key}": item for key, item in value.items() if key != "__defaults"}
    return None


def _format_value(value: object) -> str:
    """Return a text as it is, and any other value as JSON, but only the beginning if it's long."""
    text = value
    if not isinstance(text, str):
        text = json.dumps(value)

    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    return f"{text[:MAX_SHOWN_CHARACTERS]}..."


def _format_resource_name(urn: str) -> str:
    """Return a resource's type and name, for example `Role retraining-prod-import`."""
    *_, types, name = urn.split("::")
    return f"{types.rpartition(':')[2]} {name}"
