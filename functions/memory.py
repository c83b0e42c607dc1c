"""Writes what an item remembers into the document of the run, and reads it there again."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, TypeVar, get_args, get_type_hints

Memory = TypeVar("Memory")


def to_document(value: Any) -> Any:  # noqa: ANN401 - any value of JSON, a time or a dataclass
    """Return a value as JSON: a dataclass as an object, and a time in ISO 8601."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [to_document(item) for item in value]
    if is_dataclass(value):
        return {field.name: to_document(getattr(value, field.name)) for field in fields(value)}
    return value


def from_document(kind: type[Memory], document: dict[str, Any]) -> Memory:
    """Return the dataclass of which `to_document` has written this object.

    A field is a value of JSON, a time, a dataclass of such fields, or one of these or None.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], value) for name, value in document.items()})


def _read(hint: Any, value: Any) -> Any:  # noqa: ANN401 - see `to_document`
    """Return the value of a field with this type."""
    kind = next((kind for kind in get_args(hint) if kind is not type(None)), hint)
    if value is None or isinstance(value, list):
        return value
    if kind is datetime:
        return datetime.fromisoformat(value)
    is_object = isinstance(kind, type) and is_dataclass(kind)
    return from_document(kind, value) if is_object else value
