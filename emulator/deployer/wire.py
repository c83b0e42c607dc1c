"""Converts between Python values and Pulumi's wire format, which uses protobuf structs.

Values that don't exist in JSON, such as secrets and archives, are represented by structs with a
special key, the *signature*.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

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

NOT_SUPPORTED = "is not supported, only a zip file, or an AssetArchive of files and texts"

JsonValue: TypeAlias = Any
Properties: TypeAlias = dict[str, Any]
"""A resource's inputs or outputs, by their names in Pulumi. Each value is a JSON value or UNKNOWN.
An archive is a mapping with a signature, a hash and assets."""


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


def build_zip(archive: Mapping[str, Any], input_path: str) -> bytes:
    """Build a zip file from an archive. Error messages start with `input_path`.

    If a FileArchive is already a zip file, return its content. Pulumi does the same, see
    sdk/go/common/resource/archive.
    """
    archive_path = str(archive.get("path", ""))
    if archive_path.endswith(".zip"):
        return Path(archive_path).read_bytes()

    # ZipInfo has a fixed timestamp, so the same files always result in the same zip file, which the
    # emulator then unpacks only once.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zip_file:
        for name, content in sorted(_read_files(archive, input_path).items()):
            zip_file.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _read_files(archive: Mapping[str, Any], input_path: str) -> dict[str, bytes]:
    """Map the paths in an AssetArchive to the contents of the files, including nested archives.

    An archive from the stack's state has no files, because the engine doesn't store their contents.
    """
    if "path" in archive or "uri" in archive:
        raise DeploymentError(f"{input_path}: {NOT_SUPPORTED}")

    files: dict[str, bytes] = {}
    for name, asset in archive.get("assets", {}).items():
        asset_path = f"{input_path}[{name}]"
        if asset[SIGNATURE] == ARCHIVE:
            for inner_name, content in _read_files(asset, asset_path).items():
                files[f"{name}/{inner_name}"] = content
        else:
            files[name] = _read_asset(asset, asset_path)
    return files


def _read_asset(asset: Mapping[str, str], input_path: str) -> bytes:
    """Read a FileAsset or a StringAsset. Raise DeploymentError for a RemoteAsset."""
    if "path" in asset:
        # The path is relative to the working directory, which is the program's folder.
        return Path(asset["path"]).read_bytes()
    if "text" in asset:
        return asset["text"].encode()
    raise DeploymentError(f"{input_path}: {NOT_SUPPORTED}")


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
