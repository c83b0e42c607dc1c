"""Starts the processes of functions as copies of a warm process, which has imported boto3.

Without it, each cold start of a function would import boto3 and read the models of its services.
"""

import select
import shlex
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from emulator import warm_process

MODULES = ("boto3",)
SERVICES = (
    "events",
    "personalize",
    "personalize-runtime",
    "s3",
    "scheduler",
    "sns",
    "stepfunctions",
)
"""The services that functions call. The warm process reads their models."""
PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m awslambdaric" ] && shift 2 && exec {warm} "$@"
exec {python} "$@"
"""


def create_python_folder(directory: str) -> str:
    """Create a folder with a program `python`, which runs AWS's runtime client as a copy.

    The warm process starts with the first function.
    """
    address = f"{directory}/warm"
    warm = shlex.join(warm_process.command(address, "awslambdaric"))

    folder = Path(directory, "bin")
    folder.mkdir()
    program = folder / "python"
    program.write_text(PYTHON.format(warm=warm, python=shlex.quote(sys.executable)))
    program.chmod(0o755)

    listener = socket.socket(socket.AF_UNIX)
    with suppress(OSError):  # the path is too long for a socket, so functions start cold
        listener.bind(address)
        listener.listen(100)
        threading.Thread(target=_start_with_first_function, args=(listener,), daemon=True).start()
    return str(folder)


def _start_with_first_function(listener: socket.socket) -> None:
    """Start the warm process when a function connects to its socket."""
    select.select([listener], [], [])
    warm_process.start(listener, MODULES, SERVICES)
