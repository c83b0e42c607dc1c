"""The zip of a function: the program's own files, and what starts AWS's runtime client."""

from __future__ import annotations

import hashlib
import io
import shlex
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pulumi import Archive, Asset, AssetArchive, FileAsset, StringAsset

from emulator.deployer.errors import InputRefusedError

Files: TypeAlias = Mapping[str, bytes]
"""Path in the archive -> content."""

BOOTSTRAP = "bootstrap"
"""What a custom runtime is started by: an executable of this name at the root of the archive."""


def files(archive: object, path: str) -> Files:
    """Read the files of an AssetArchive of files, texts and archives of these.

    Relative paths start at the working directory, as in Pulumi. Raises InputRefusedError, naming
    `path`, for any other kind of archive or asset.
    """
    return dict(sorted(_files(archive, path, "")))


def _files(archive: object, path: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    if not isinstance(archive, AssetArchive):
        raise InputRefusedError(path, f"{_kind(archive)} is not supported, only AssetArchive")
    for name, asset in archive.assets.items():
        if isinstance(asset, FileAsset):
            yield prefix + name, Path(asset.path).read_bytes()
        elif isinstance(asset, StringAsset):
            yield prefix + name, asset.text.encode()
        elif isinstance(asset, AssetArchive):
            yield from _files(asset, path, f"{prefix}{name}/")
        else:
            raise InputRefusedError(
                f"{path}[{prefix}{name}]",
                f"{_kind(asset)} is not supported, only FileAsset and StringAsset",
            )


def _kind(value: object) -> str:
    return type(value).__name__ if isinstance(value, Asset | Archive) else repr(value)


def fingerprint(content: Files) -> str:
    """Return a hash that two archives share if they hold the same files."""
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def bootstrap(exports: Mapping[str, str]) -> bytes:
    """Write the script that starts AWS's runtime client in this interpreter.

    `exports` is what the service tells a function and the emulator does not.
    """
    lines = [
        "#!/bin/sh",
        *(f"export {name}={shlex.quote(value)}" for name, value in exports.items()),
        f'exec {shlex.quote(sys.executable)} -m awslambdaric "$_HANDLER"',
    ]
    return ("\n".join(lines) + "\n").encode()


def zipped(content: Files) -> bytes:
    """Zip `content`: the same files, the same bytes, so that equal bundles are unpacked once."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(content.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name == BOOTSTRAP else 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()
