"""Reads and writes Pulumi's wire format, in which properties are protobuf structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

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

Properties: TypeAlias = dict[str, object]
"""Pulumi's names of properties -> JSON values, in which there may be Archives and UNKNOWN."""

Files: TypeAlias = Mapping[str, bytes]
"""Paths in an archive -> contents."""


@dataclass(frozen=True)
class Archive:
    """An archive of code. Two archives are equal if their hashes are equal."""

    hash: str
    raw: Mapping[str, object] = field(compare=False, repr=False)
    """The archive in the wire format."""

    @property
    def has_content(self) -> bool:
        """Return False if the engine has left the content out and only sent the hash."""
        return not self.raw.keys() <= {SIGNATURE, "hash"}


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Return the properties in a structure. Nulls are left out, and secrets are plain values."""
    properties = _from_wire(json_format.MessageToDict(struct))
    assert isinstance(properties, dict), "a structure is a mapping"
    return properties


def to_struct(properties: Mapping[str, object]) -> struct_pb2.Struct:
    """Return a structure with these properties."""
    struct = struct_pb2.Struct()
    struct.update({name: _to_wire(value) for name, value in properties.items()})
    return struct


def contains_unknown(value: object) -> bool:
    """Return True if a value, or a value inside it, is not known yet."""
    if isinstance(value, Mapping):
        return any(map(contains_unknown, value.values()))
    if isinstance(value, list):
        return any(map(contains_unknown, value))
    return value == UNKNOWN


def read_files(archive: object, path: str) -> Files:
    """Return the files of an archive that consists of files, texts and archives.

    Paths of files are relative to the working directory, which is the program's folder. Raises
    InputRefusedError for another kind of archive or asset. `path` is the path of the input.
    """
    wire_value = archive.raw if isinstance(archive, Archive) else archive
    return dict(_files_below(wire_value, path, ""))


def _files_below(archive: object, path: str, folder: str) -> list[tuple[str, bytes]]:
    """Return the paths and contents of an archive that is in a folder of a larger archive."""
    if not isinstance(archive, Mapping) or not isinstance(archive.get("assets"), Mapping):
        raise InputRefusedError(path, f"{_class_name(archive)} is not supported, only AssetArchive")
    files: list[tuple[str, bytes]] = []
    for name, asset in archive["assets"].items():
        if asset.get(SIGNATURE) == ARCHIVE:
            files += _files_below(asset, path, f"{folder}{name}/")
        elif "path" in asset:
            files.append((folder + name, Path(asset["path"]).read_bytes()))
        elif "text" in asset:
            files.append((folder + name, asset["text"].encode()))
        else:
            raise InputRefusedError(
                f"{path}[{folder}{name}]",
                f"{_class_name(asset)} is not supported, only FileAsset and StringAsset",
            )
    return files


def _class_name(wire_value: object) -> str:
    """Return the class of an asset or archive in Pulumi's SDK, for example `FileArchive`.

    Another value is returned as its repr.
    """
    if not isinstance(wire_value, Mapping) or SIGNATURE not in wire_value:
        return repr(wire_value)
    source = "Remote" if "uri" in wire_value else "File" if "path" in wire_value else "String"
    return source + ("Archive" if wire_value[SIGNATURE] == ARCHIVE else "Asset")


def _from_wire(value: object) -> object:
    """Return a value as the deployer uses it. Whole floats become int: protobuf has only floats."""
    if isinstance(value, dict):
        return _mapping_from_wire(value)
    if isinstance(value, list):
        return [_from_wire(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value in TYPED_UNKNOWNS else value


def _mapping_from_wire(value: dict[str, object]) -> object:
    """Return the value of a secret, an Archive, or a mapping without nulls."""
    if value.get(SIGNATURE) == SECRET:
        return _from_wire(value["value"])
    if value.get(SIGNATURE) == ARCHIVE:
        return Archive(str(value.get("hash")), value)
    return {key: _from_wire(item) for key, item in value.items() if item is not None}


def _to_wire(value: object) -> object:
    """Return a value in the wire format, in which an archive is a mapping."""
    if isinstance(value, Archive):
        return dict(value.raw)
    if isinstance(value, Mapping):
        return {key: _to_wire(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_wire(item) for item in value]
    return value
