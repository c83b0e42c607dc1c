"""Starts Lambda functions by forking a warm process, which has already imported boto3.

Otherwise, each cold start would import boto3 and read botocore's service models again. A function
is started with `python -m awslambdaric`, AWS's Lambda runtime client (see `functions.py`). But the
`python` in its PATH is a script, the *shim*. To run awslambdaric, the shim makes the warm process
fork. For anything else, the shim starts a new interpreter.
"""

import select
import shlex
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

from emulator import warm_process

PRELOADED_MODULES = ("boto3",)
PRELOADED_SERVICES = (
    "events",
    "personalize",
    "personalize-runtime",
    "s3",
    "scheduler",
    "sns",
    "stepfunctions",
)
"""The services that functions call. The warm process loads their models in advance."""
SHIM_TEMPLATE = """\
#!/bin/sh
[ "$1 $2" = "-m awslambdaric" ] && shift 2 && exec {fork_command} "$@"
exec {python} "$@"
"""


def enable_warm_starts(directory: str) -> str:
    """Set up the shim and the socket for warm starts and return the folder of the shim.

    Functions need that folder at the start of their PATH. The warm process itself isn't started
    until the first function starts.
    """
    socket_path = f"{directory}/warm"
    shim_folder = _create_shim(directory, socket_path)
    _listen_for_functions(socket_path)
    return shim_folder


def _create_shim(directory: str, socket_path: str) -> str:
    """Write the shim into a new folder and return the folder."""
    fork_command = shlex.join(warm_process.build_command(socket_path, "awslambdaric"))
    script = SHIM_TEMPLATE.format(fork_command=fork_command, python=shlex.quote(sys.executable))

    folder = Path(directory, "bin")
    folder.mkdir()
    shim = folder / "python"
    shim.write_text(script)
    shim.chmod(0o755)
    return str(folder)


def _listen_for_functions(socket_path: str) -> None:
    """Open the warm process's socket and start a thread that waits for the first function."""
    listener = socket.socket(socket.AF_UNIX)
    # If the path is too long for a Unix socket, every function has a cold start.
    with suppress(OSError):
        listener.bind(socket_path)
        listener.listen(100)
        threading.Thread(target=_start_with_first_function, args=(listener,), daemon=True).start()


def _start_with_first_function(listener: socket.socket) -> None:
    """Start the warm process as soon as the first function connects to the socket."""
    select.select([listener], [], [])
    warm_process.start(listener, PRELOADED_MODULES, PRELOADED_SERVICES)
