"""Reads and writes Pulumi's wire format, in which properties are protobuf structures."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, TypeGuard, cast

from google.protobuf import (  # type: ignore[import-untyped]  # protobuf brings no types
    json_format,
    struct_pb2,
)

from emulator.deployer.errors import DeploymentError

# Each constant is also in Pulumi's Go SDK: sdk/go/common/resource/sig/sig.go.
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key of the mark in a mapping that is a secret, an asset or an archive. The next two constants
are its values."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  # the signature of any secret
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""The value of a property that is not known yet, because this is a preview."""

NOT_SUPPORTED = "is not supported, only a zip file, or an AssetArchive of files and texts"

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


def is_archive(value: object) -> TypeGuard[Mapping[str, object]]:
    """Return True if a value is an archive. The engine leaves its content out of its state."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == ARCHIVE


def zip_file(archive: Mapping[str, object], path: str) -> bytes:
    """Return the zip file of an archive. `path` is the path of the input.

    A FileArchive of a zip file is that file, as in Pulumi (sdk/go/common/resource/archive). The
    entries of others have no time, so that equal files give equal bytes, which are unpacked once.
    """
    if str(archive.get("path", "")).endswith(".zip"):
        return Path(str(archive["path"])).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in sorted(_read_files(archive, path).items()):
            file.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _read_files(archive: Mapping[str, object], path: str) -> dict[str, bytes]:
    """Return the files of an archive that consists of files, texts and archives.

    The engine leaves the content of an archive out of its state, so an archive may be empty. Paths
    of files are relative to the working directory, which is the program's folder.
    """
    files: dict[str, bytes] = {}
    if "path" in archive or "uri" in archive:
        raise DeploymentError(f"{path}: {NOT_SUPPORTED}")

    for name, asset in cast("Mapping[str, Mapping[str, str]]", archive.get("assets", {})).items():
        if asset[SIGNATURE] == ARCHIVE:
            inner_files = _read_files(asset, f"{path}[{name}]")
            files |= {f"{name}/{inner}": content for inner, content in inner_files.items()}
        elif "path" in asset:
            files[name] = Path(asset["path"]).read_bytes()
        elif "text" in asset:
            files[name] = asset["text"].encode()
        else:
            raise DeploymentError(f"{path}[{name}]: {NOT_SUPPORTED}")
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
    return value
