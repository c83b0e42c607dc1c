"""Reads what Pulumi would change, from the document of `pulumi preview --refresh --json`.

A resource has up to three lives: the *state* is what the last `pulumi up` left, the *cloud* is what
the refresh has just read, and the *program* is what this checkout deploys. Pulumi's document has
them in two steps. The step `refresh` has the state in `oldState`. (Its `newState` is a copy.) The
step of the program has the cloud in `oldState` and the program in `newState`.

So a resource was changed by hand if state and cloud differ, and is not deployed if state and
program differ. All functions are pure.
"""

from __future__ import annotations

import json
import os.path
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from functions.common.formatting import format_count
from retrain.account.errors import one_line
from retrain.check.findings import abridge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    Document: TypeAlias = Mapping[str, Any]
    Step: TypeAlias = Mapping[str, Any]
    """One step of a preview."""

Kind: TypeAlias = Literal["not deployed", "deleted", "by hand", "follows"]

COMPONENT = "personalize-retraining:index:RetrainingPipeline"
"""The type of the component. A stack may have other resources too, which are not ours to judge."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that only the deployment will know
(https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/plugin/rpc.go)."""
UNINFORMATIVE_PROPERTIES = {"tagsAll", "code"}
"""`tagsAll` repeats `tags`. `code` has the path of a temporary file, and `codeSha256` says more."""
ABSENT = "(none)"
SHOWN_CHARACTERS = 60
CONTEXT_CHARACTERS = 12
"""The characters before the first difference of two long texts that are shown."""


class Change(NamedTuple):
    """What Pulumi would change about a resource, and who made that necessary."""

    kind: Kind
    """`follows` is a consequence of another change, for example another name of a log group."""
    resource: str
    """For example `MetricAlarm retraining-prod-run-failed`."""
    details: str


def list_errors(document: Document) -> list[str]:
    """List why there is no preview, or only a part of one."""
    errors = [
        diagnostic
        for diagnostic in document.get("diagnostics", ())
        if diagnostic["severity"] == "error"
    ]

    resource_errors = [
        f"{_format_resource_name(error['urn'])}: {_format_error(error)}"
        for error in errors
        if "urn" in error
    ]
    # After the errors of resources, the engine adds one that only says that the preview failed.
    return resource_errors or [_format_error(error) for error in errors]


def list_resources(document: Document) -> dict[str, str]:
    """List the pipeline's resources, each with the time when its state was last written."""
    states = _find_refreshed_states(document)
    return {urn: state.get("modified", "") for urn, state in states.items()}


def list_changes(document: Document) -> list[Change]:
    """List what Pulumi would change about the pipeline.

    Without `--refresh` Pulumi takes the state for the cloud, so nothing counts as changed by hand.
    """
    states = _find_refreshed_states(document)
    planned_steps = [
        step
        for step in _list_pipeline_steps(document)
        if step["op"] in ("create", "update", "replace", "delete")
    ]
    # Whatever mentions one of these changes with it, because they get another name or ARN.
    renamed_urns = {step["urn"] for step in planned_steps if step["op"] in ("create", "replace")}

    changes: list[Change] = []
    for step in planned_steps:
        changes += _list_resource_changes(step, states.get(step["urn"]), renamed_urns)
    return changes


def _find_refreshed_states(document: Document) -> dict[str, Document]:
    """Return the state of each resource of the pipeline that was refreshed, by its URN."""
    return {
        step["urn"]: step["oldState"]
        for step in _list_pipeline_steps(document)
        if step["op"] == "refresh"
    }


def _list_pipeline_steps(document: Document) -> list[Step]:
    return [step for step in document.get("steps", ()) if f"{COMPONENT}$" in step["urn"]]


def _list_resource_changes(
    step: Step, state: Document | None, renamed_urns: AbstractSet[str]
) -> Iterator[Change]:
    """Yield the changes of a resource. `state` is None if it is new, or was not refreshed."""
    resource = _format_resource_name(step["urn"])

    if step["op"] == "create" and state is not None:
        yield Change("deleted", resource, "")
    elif step["op"] == "create":
        yield Change("not deployed", resource, "a new resource")
    elif step["op"] == "delete":
        yield Change("not deployed", resource, "no longer in the program")
    else:
        properties = {*step.get("diffReasons", ()), *step.get("replaceReasons", ())}
        for name in sorted(properties - UNINFORMATIVE_PROPERTIES):
            yield from _list_property_changes(step, name, state or step["oldState"], renamed_urns)


def _list_property_changes(
    step: Step, name: str, state: Document, renamed_urns: AbstractSet[str]
) -> Iterator[Change]:
    """Yield the changes of one property, which may also be changed by hand and not deployed."""
    resource = _format_resource_name(step["urn"])
    cloud_value = _get_current_value(step["oldState"], name)
    by_hand = _describe_differences(name, _get_current_value(state, name), cloud_value)
    if by_hand:
        yield Change("by hand", resource, by_hand)

    program = step["newState"]
    if _is_consequence(name, program, renamed_urns):
        if not by_hand:
            yield Change("follows", resource, name)
        return

    program_value = program["inputs"].get(name, ABSENT)
    not_deployed = _describe_differences(name, state["inputs"].get(name, ABSENT), program_value)
    if not_deployed:
        yield Change("not deployed", resource, not_deployed)
    elif not by_hand:
        # The engine compares more than its document shows, for example the values of secrets.
        yield Change("not deployed", resource, f"{name}, whose values are not shown")


def _is_consequence(name: str, program: Document, renamed_urns: AbstractSet[str]) -> bool:
    """Return True if a property changes only because another resource gets a new name or ARN."""
    dependencies = program.get("propertyDependencies", {}).get(name, ())
    return UNKNOWN in str(program["inputs"].get(name)) or not renamed_urns.isdisjoint(dependencies)


def _get_current_value(state: Document, name: str) -> object:
    """Return a property of a resource that exists, even if the program doesn't declare it."""
    return state["outputs"].get(name, state["inputs"].get(name, ABSENT))


def _describe_differences(name: str, old: object, new: object) -> str:
    """Describe where two values of a property differ. The text is empty if they are equal."""
    return "; ".join(abridge([*_list_differences(name, old, new)]))


def _list_differences(path: str, old: object, new: object) -> Iterator[str]:
    """Yield a text for each difference, also inside of lists and JSON documents."""
    old = _parse_document(old)
    new = _parse_document(new)

    if isinstance(old, dict) and isinstance(new, dict):
        # Pulumi writes `__defaults` for itself.
        for key in sorted({*old, *new} - {"__defaults"}):
            yield from _list_differences(
                f"{path}.{key}", old.get(key, ABSENT), new.get(key, ABSENT)
            )
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (old_item, new_item) in enumerate(zip(old, new, strict=True)):
            yield from _list_differences(f"{path}[{index}]", old_item, new_item)
    elif old != new:
        yield f"{path}: {_shorten(old, new)} -> {_shorten(new, old)}"


def _parse_document(value: object) -> object:
    """Return the content of a JSON document, for example of a policy, and other values as is."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _shorten(value: object, other: object) -> str:
    """Shorten a value for a line. Of two long texts, the part in which they differ is shown."""
    if isinstance(value, list) and isinstance(other, list):
        # Long lists often begin alike, so a part would say nothing.
        return format_count(len(value), "item")

    text = _format_value(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text

    common_prefix = os.path.commonprefix([text, _format_value(other)])  # noqa: RUF071  # of texts
    start = max(len(common_prefix) - CONTEXT_CHARACTERS, 0)
    end = start + SHOWN_CHARACTERS
    prefix = "..." if start > 0 else ""
    suffix = "..." if end < len(text) else ""
    return f"{prefix}{text[start:end]}{suffix}"


def _format_value(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def _format_resource_name(urn: str) -> str:
    """Return type and name, for example `Role retraining-prod-import`."""
    *_, types, name = urn.split("::")
    return f"{types.rpartition(':')[2]} {name}"


def _format_error(diagnostic: Mapping[str, str]) -> str:
    return one_line(diagnostic["message"]).removeprefix("error: ")
