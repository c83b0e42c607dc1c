"""The zip of a function: the program's own files, and what starts AWS's runtime client."""

from __future__ import annotations

import io
import shlex
import sys
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.wire import Files

BOOTSTRAP = "bootstrap"
"""What a custom runtime is started by: an executable of this name at the root of the archive."""


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
