"""Reads and writes Pulumi's wire format, in which properties are protobuf structures."""

from __future__ import annotations

import hashlib
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
"""The key that tells a secret, an asset or an archive from an ordinary mapping."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # the signature of any secret
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a value of any type that is not known in a preview."""
TYPED_UNKNOWNS = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}
"""The engine sends these for an unknown boolean, number, array, asset, archive or object."""

Properties: TypeAlias = dict[str, object]
"""Pulumi's names of properties -> JSON values, Archives and UNKNOWN."""

Files: TypeAlias = Mapping[str, bytes]
"""Path in an archive -> content."""


@dataclass(frozen=True)
class Archive:
    """An archive. Two archives are equal if they have the same content."""

    hash: str
    raw: Mapping[str, object] = field(compare=False, repr=False)
    """The archive in the wire format."""

    @property
    def elided(self) -> bool:
        """Return True for an archive whose content the engine has left out."""
        return self.raw.keys() <= {SIGNATURE, "hash"}


def properties(struct: struct_pb2.Struct) -> Properties:
    """Return the properties in a structure, without nulls, and with the values of secrets."""
    found = _plain(json_format.MessageToDict(struct))
    assert isinstance(found, dict), "a structure is a mapping"
    return found


def structure(values: Mapping[str, object]) -> struct_pb2.Struct:
    """Return a structure with these values."""
    struct = struct_pb2.Struct()
    struct.update({name: _raw(value) for name, value in values.items()})
    return struct


def contains_unknown(value: object) -> bool:
    """Return True if a value, or a value inside it, is not known yet."""
    if isinstance(value, Mapping):
        return any(map(contains_unknown, value.values()))
    if isinstance(value, list):
        return any(map(contains_unknown, value))
    return value == UNKNOWN


def files(archive: object, path: str) -> Files:
    """Read the files of an archive of files, texts and archives.

    Relative paths start at the working directory, which is the program's. Raises InputRefusedError,
    naming `path`, for another kind of archive or asset.
    """
    raw = archive.raw if isinstance(archive, Archive) else archive
    return dict(sorted(_files(raw, path, "")))


def _files(raw: object, path: str, prefix: str) -> list[tuple[str, bytes]]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("assets"), Mapping):
        raise InputRefusedError(path, f"{_kind(raw)} is not supported, only AssetArchive")
    found: list[tuple[str, bytes]] = []
    for name, asset in raw["assets"].items():
        if asset.get(SIGNATURE) == ARCHIVE:
            found += _files(asset, path, f"{prefix}{name}/")
        elif "path" in asset:
            found.append((prefix + name, Path(asset["path"]).read_bytes()))
        elif "text" in asset:
            found.append((prefix + name, asset["text"].encode()))
        else:
            raise InputRefusedError(
                f"{path}[{prefix}{name}]",
                f"{_kind(asset)} is not supported, only FileAsset and StringAsset",
            )
    return found


def fingerprint(content: Files) -> str:
    """Return a hash that two archives share if they hold the same files."""
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _kind(raw: object) -> str:
    """Return the name of the class of an asset or archive in Pulumi's SDK."""
    if not isinstance(raw, Mapping) or SIGNATURE not in raw:
        return repr(raw)
    place = "Remote" if "uri" in raw else "File" if "path" in raw else "String"
    return place + ("Archive" if raw[SIGNATURE] == ARCHIVE else "Asset")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return _plain_mapping(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value in TYPED_UNKNOWNS else value


def _plain_mapping(value: dict[str, object]) -> object:
    if value.get(SIGNATURE) == SECRET:
        return _plain(value["value"])
    if value.get(SIGNATURE) == ARCHIVE:
        return Archive(str(value.get("hash") or _hash(value)), value)
    return {key: _plain(item) for key, item in value.items() if item is not None}


def _hash(raw: object) -> str:
    """Return the hash of an archive that came without one: only the engine sends hashes."""
    try:
        return fingerprint(files(raw, ""))
    except InputRefusedError:  # the row refuses the archive later, with the name of the input
        return ""


def _raw(value: object) -> object:
    if isinstance(value, Archive):
        return dict(value.raw)
    if isinstance(value, Mapping):
        return {key: _raw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_raw(item) for item in value]
    return value
