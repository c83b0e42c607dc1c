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
    """Read the properties in a structure. Nulls are left out, and secrets are plain values."""
    return cast("Properties", _from_wire(json_format.MessageToDict(struct)))


def to_struct(properties: Mapping[str, object]) -> struct_pb2.Struct:
    """Write properties into a structure."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def is_archive(value: object) -> TypeGuard[Mapping[str, object]]:
    """Return True if a value is an archive. The engine leaves its content out of its state."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == ARCHIVE


def build_zip(archive: Mapping[str, object], input_path: str) -> bytes:
    """Zip an archive. `input_path` is the path of the input, for error messages.

    A FileArchive of a zip file is that file, as in Pulumi (sdk/go/common/resource/archive).
    """
    archive_path = str(archive.get("path", ""))
    if archive_path.endswith(".zip"):
        return Path(archive_path).read_bytes()

    # The entries have no time, so that equal files give equal bytes, which are unpacked once.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in sorted(_read_files(archive, input_path).items()):
            file.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def _read_files(archive: Mapping[str, object], input_path: str) -> dict[str, bytes]:
    """Read the files of an archive that consists of files, texts and archives.

    The engine leaves the content of an archive out of its state, so an archive may be empty.
    """
    if "path" in archive or "uri" in archive:
        raise DeploymentError(f"{input_path}: {NOT_SUPPORTED}")

    files: dict[str, bytes] = {}
    assets = cast("Mapping[str, Mapping[str, str]]", archive.get("assets", {}))
    for name, asset in assets.items():
        asset_path = f"{input_path}[{name}]"
        if asset[SIGNATURE] == ARCHIVE:
            for inner_name, content in _read_files(asset, asset_path).items():
                files[f"{name}/{inner_name}"] = content
        else:
            files[name] = _read_asset(asset, asset_path)
    return files


def _read_asset(asset: Mapping[str, str], input_path: str) -> bytes:
    """Read a FileAsset or a StringAsset."""
    if "path" in asset:
        # It is relative to the working directory, which is the program's folder.
        return Path(asset["path"]).read_bytes()
    if "text" in asset:
        return asset["text"].encode()
    raise DeploymentError(f"{input_path}: {NOT_SUPPORTED}")


def _from_wire(value: object) -> object:
    """Convert a value for the deployer. Whole floats become int, as protobuf has only floats."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _from_wire(value["value"])
        return {key: _from_wire(item) for key, item in value.items() if item is not None}

    if isinstance(value, list):
        return [_from_wire(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
