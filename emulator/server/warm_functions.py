"""Starts Lambda functions by forking a warm process, which has already imported boto3.

Otherwise, each cold start would import boto3 and read botocore's service models again. A function
starts as `python -m awslambdaric`, AWS's Lambda runtime client (see `functions.py`). Here, `python`
is the *shim*: a script that has the warm process fork to run awslambdaric, and starts a new
interpreter for anything else.
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
"""The services that functions call. The warm process reads their models in advance."""
SHIM_TEMPLATE = """\
#!/bin/sh
[ "$1 $2" = "-m awslambdaric" ] && shift 2 && exec {fork_command} "$@"
exec {python} "$@"
"""


def enable_warm_starts(directory: str) -> str:
    """Make warm starts possible, and return the folder that functions need first in their PATH.

    The warm process itself starts when the first function does.
    """
    socket_path = f"{directory}/warm"
    shim_folder = _create_shim(directory, socket_path)
    _listen_for_functions(socket_path)
    return shim_folder


def _create_shim(directory: str, socket_path: str) -> str:
    """Write the script `python`, and return the folder that contains it."""
    fork_command = shlex.join(warm_process.build_command(socket_path, "awslambdaric"))
    script = SHIM_TEMPLATE.format(fork_command=fork_command, python=shlex.quote(sys.executable))

    folder = Path(directory, "bin")
    folder.mkdir()
    shim = folder / "python"
    shim.write_text(script)
    shim.chmod(0o755)
    return str(folder)


def _listen_for_functions(socket_path: str) -> None:
    """Bind the socket of the warm process, and start a thread that waits for the first function."""
    listener = socket.socket(socket.AF_UNIX)
    # The path may be too long for a Unix socket. Then every function is a cold start.
    with suppress(OSError):
        listener.bind(socket_path)
        listener.listen(100)
        threading.Thread(target=_start_with_first_function, args=(listener,), daemon=True).start()


def _start_with_first_function(listener: socket.socket) -> None:
    """Wait until a function connects to the socket, then start the warm process to serve it."""
    select.select([listener], [], [])
    warm_process.start(listener, MODULES, SERVICES)
