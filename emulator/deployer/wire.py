"""Reads and writes Pulumi's wire format, in which properties are protobuf structures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, TypeGuard, cast

from google.protobuf import (  # type: ignore[import-untyped]  # protobuf brings no types
    json_format,
    struct_pb2,
)

from emulator.deployer.errors import InputRefusedError

# Each constant is also in Pulumi's Go SDK: sdk/go/common/resource/sig/sig.go.
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key of the mark in a mapping that is a secret, an asset or an archive. Its value is the
next three constants."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # the signature of any secret
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The value of a property that is not known yet, because this is a preview."""
TYPED_UNKNOWNS = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}
"""The values that the engine sends for an unknown boolean, number, array, asset, archive or
object."""

NOT_SUPPORTED = "is not supported, only an AssetArchive of FileAssets and StringAssets"

Properties: TypeAlias = dict[str, object]
"""Pulumi's names of properties -> JSON values, in which there may be UNKNOWN. An archive is a
mapping with its signature, its hash and its assets."""


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Return the properties in a structure. Nulls are left out, and secrets are plain values."""
    return cast("Properties", _from_wire(json_format.MessageToDict(struct)))


def to_struct(properties: Mapping[str, object]) -> struct_pb2.Struct:
    """Return a structure with these properties."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def contains_unknown(value: object) -> bool:
    """Return True if a value, or a value inside it, is not known yet."""
    if isinstance(value, Mapping):
        return any(map(contains_unknown, value.values()))
    if isinstance(value, list):
        return any(map(contains_unknown, value))
    return value == UNKNOWN


def is_archive(value: object) -> TypeGuard[Mapping[str, object]]:
    """Return True if a value is an archive. The engine leaves its content out of its state."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == ARCHIVE


def read_files(archive: Mapping[str, object], path: str) -> dict[str, bytes]:
    """Return the files of an archive that consists of files, texts and archives.

    Paths of files are relative to the working directory, which is the program's folder. Raises
    InputRefusedError for another kind of archive or asset. `path` is the path of the input.
    """
    files: dict[str, bytes] = {}
    if not isinstance(archive.get("assets"), Mapping):
        raise InputRefusedError(path, NOT_SUPPORTED)
    for name, asset in cast("Mapping[str, Mapping[str, str]]", archive["assets"]).items():
        if asset[SIGNATURE] == ARCHIVE:
            inner_files = read_files(asset, f"{path}[{name}]")
            files |= {f"{name}/{inner}": content for inner, content in inner_files.items()}
        elif "path" in asset:
            files[name] = Path(asset["path"]).read_bytes()
        elif "text" in asset:
            files[name] = asset["text"].encode()
        else:
            raise InputRefusedError(f"{path}[{name}]", NOT_SUPPORTED)
    return files


def _from_wire(value: object) -> object:
    """Return a value as the deployer uses it. Whole floats become int: protobuf has only floats."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _from_wire(value["value"])
        return {key: _from_wire(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_from_wire(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value in TYPED_UNKNOWNS else value
