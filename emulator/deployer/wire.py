"""Converts between Python values and Pulumi's wire format, which uses protobuf structs.

Values that don't exist in JSON, such as secrets and archives, are represented by structs with a
special key, the *signature*.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from google.protobuf import (  # type: ignore[import-untyped]  # protobuf brings no types
    json_format,
    struct_pb2,
)

from emulator.deployer.errors import DeploymentError

# These three constants come from Pulumi's Go SDK: sdk/go/common/resource/sig/sig.go.
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key whose value says whether a mapping is a secret, an asset or an archive."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # this isn't a password
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value that isn't known in a preview."""

JsonValue = Any
Properties = dict[str, Any]
"""A resource's inputs or outputs, by their names in Pulumi. Each value is a JSON value or UNKNOWN.
An archive is a mapping with a signature, a hash and a path."""


DEFAULTS = "__defaults"
"""The internal input that lists the inputs that the provider filled in, as in Pulumi's providers:
https://github.com/pulumi/pulumi-terraform-bridge/blob/main/pkg/tfbridge/schema.go"""
ALL_TAGS = "tagsAll"
"""The input with the resource's own tags and the provider's default tags."""


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Convert a struct to properties, without null values and with secrets as plain values."""
    properties: Properties = _from_wire(json_format.MessageToDict(struct))
    return properties


def to_struct(properties: Mapping[str, object]) -> struct_pb2.Struct:
    """Convert properties to a struct."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def drop_internal(inputs: Mapping[str, object]) -> Properties:
    """Return the inputs without Pulumi's internal ones, whose names start with two underscores."""
    return {name: value for name, value in inputs.items() if not name.startswith("__")}


def is_archive(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a value is an archive, with or without its content."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == ARCHIVE


def read_zip(archive: Mapping[str, Any], input_path: str) -> bytes:
    """Read the zip file of a FileArchive.

    In the stack's state, an archive has no content because the engine doesn't store it.

    Raises:
        DeploymentError: the archive isn't a zip file. The message starts with `input_path`.
    """
    if archive.keys() == {SIGNATURE, "hash"}:
        return b""

    zip_path = str(archive.get("path", ""))
    if not zip_path.endswith(".zip"):
        raise DeploymentError(f"{input_path}: only a FileArchive of a zip file is supported")
    return Path(zip_path).read_bytes()


def _from_wire(value: JsonValue) -> JsonValue:
    """Clean up a decoded JSON value: unwrap secrets, drop nulls and turn whole floats into ints.

    All numbers in Protobuf structs are floats.
    """
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _from_wire(value["value"])
        return {key: _from_wire(item) for key, item in value.items() if item is not None}

    if isinstance(value, list):
        return [_from_wire(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
