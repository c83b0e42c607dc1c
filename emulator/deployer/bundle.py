"""Makes the zip file of a function: the files of the program, and a script that starts them."""

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
"""The name of the executable at the root of the archive that starts a custom runtime."""


def bootstrap(variables: Mapping[str, str]) -> bytes:
    """Return the script that starts AWS's runtime client in the interpreter of this process.

    The script exports the variables before that.
    """
    lines = [
        "#!/bin/sh",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f'exec {shlex.quote(sys.executable)} -m awslambdaric "$_HANDLER"',
    ]
    return ("\n".join(lines) + "\n").encode()


def zip_files(files: Files) -> bytes:
    """Return a zip file. Equal files give equal bytes, so that the emulator unpacks them once."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name == BOOTSTRAP else 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
