"""Writes the zip file of a function, and the script in it that starts the function."""

from __future__ import annotations

import io
import shlex
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BOOTSTRAP = "bootstrap"
"""The file at the root of the zip file that Lambda executes to start a custom runtime."""
EARLIEST_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""


def bootstrap_script(variables: Mapping[str, str]) -> bytes:
    """Return a shell script that runs a function with AWS's runtime client for Python.

    The script sets the environment variables. The emulator decides which `python` runs.
    """
    lines = [
        "#!/bin/sh",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        'exec python -m awslambdaric "$_HANDLER"',
    ]
    return ("\n".join(lines) + "\n").encode()


def zip_files(files: Mapping[str, bytes]) -> bytes:
    """Return a zip file. Equal files give equal bytes, so that the emulator unpacks them once."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=EARLIEST_TIME)
            permissions = 0o755 if name == BOOTSTRAP else 0o644
            entry.external_attr = permissions << 16  # Unix permissions are in the upper half.
            archive.writestr(entry, content)
    return buffer.getvalue()
