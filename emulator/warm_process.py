"""Runs Python programs as copies of a warm process, which has imported their modules already.

An import of boto3 takes longer than most programs that use it. A warm process imports it once, and
forks for each program. It has one thread, and it knows nothing about a program before the fork.

    python -P warm_process.py serve FD PARENT MODULES SERVICES     the warm process
    python -IS warm_process.py run ADDRESS MODULE ARGUMENT...

`run` is `python -m MODULE ARGUMENT...` in a copy. The copy has the environment, the working
directory and the standard streams of `run`, and ends with it. `run` returns the copy's exit code,
or 1 if the copy is killed. If no warm process listens, `run` becomes a new Python process.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

STANDARD_STREAMS = (0, 1, 2)
KILLED = 1
"""The exit code of a program whose copy was killed."""


def command(address: str, module: str) -> list[str]:
    """Build the command that runs a module as a copy of the warm process at an address.

    The caller appends the arguments of the module.
    """
    return [sys.executable, "-IS", __file__, "run", address, module]


def start(
    listener: socket.socket, modules: Sequence[str], services: Sequence[str], folder: str = ""
) -> subprocess.Popen[bytes]:
    """Start a warm process for the programs that connect to a Unix socket.

    It imports the modules, and reads botocore's models of the services. The programs find modules
    in their working directory, in `folder`, and where this Python has its packages.
    """
    descriptor = listener.fileno()
    arguments = [descriptor, os.getpid(), modules, services]
    return subprocess.Popen(  # noqa: S603  # this file
        [sys.executable, "-P", __file__, "serve", *map(json.dumps, arguments)],
        env={**os.environ, "PYTHONPATH": folder},
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
    )


def serve(
    listener: socket.socket, parent: int, modules: Sequence[str], services: Sequence[str]
) -> NoReturn:
    """Run each program that arrives in a copy of this process, until its parent ends."""
    variables = warm_up(modules, services)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # copies that have ended disappear
    listener.settimeout(1)

    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue

        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run_copy(connection, variables)
        connection.close()
    sys.exit()


def warm_up(modules: Sequence[str], services: Sequence[str]) -> dict[str, str]:
    """Import modules and read models. Return the environment variables that the imports set."""
    before = dict(os.environ)
    for module in modules:
        importlib.import_module(module)
    _read_models(services)

    gc.collect()
    gc.freeze()  # a collection would copy the pages of memory that the processes share
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


def _read_models(services: Sequence[str]) -> None:
    """Read botocore's models of services into a loader that all copies share."""
    import botocore.session  # noqa: PLC0415  # `run` does not need it

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    for service in services:
        botocore.session.Session().create_client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106  # no call is made
        )


def run_copy(connection: socket.socket, variables: dict[str, str]) -> NoReturn:
    """Run the program that a connection asks for in this process, and end the process."""
    streams, request = _receive_request(connection)
    _replace_standard_streams(streams)
    _replace_surroundings(request["folder"], request["environment"] | variables)
    module, *sys.argv[1:] = request["arguments"]
    threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()

    exit_code = _run_module(module)
    connection.send(bytes([exit_code]))
    os._exit(exit_code)


def _receive_request(connection: socket.socket) -> tuple[Sequence[int], dict[str, Any]]:
    """Receive the caller's standard streams, and what `run` sends after them."""
    _, streams, _, _ = socket.recv_fds(connection, 1, len(STANDARD_STREAMS))
    with connection.makefile("rb") as reader:
        return streams, json.loads(reader.readline())


def _replace_standard_streams(streams: Sequence[int]) -> None:
    """Use the caller's standard streams, and forget what this process has buffered for its own."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)

    # They stay open to the end.
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115


def _replace_surroundings(folder: str, environment: dict[str, str]) -> None:
    """Give this process the working directory and the environment of the caller."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, folder)
    atexit._clear()  # noqa: SLF001  # what is registered here is for the end of the warm process


def _end_with_caller(connection: socket.socket) -> None:
    connection.recv(1)  # returns when the other side has ended
    os._exit(KILLED)


def _run_module(module: str) -> int:
    """Run a module as `python -m` does, and return the exit code that Python would end with."""
    exit_code: str | int | None = None
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        exit_code = end.code
    except BaseException:  # noqa: BLE001  # the copy has no other way to report it
        traceback.print_exc()
        exit_code = 1

    if isinstance(exit_code, str):
        print(exit_code, file=sys.stderr)  # noqa: T201  # as Python does it
        exit_code = 1

    atexit._run_exitfuncs()  # noqa: SLF001  # os._exit does not call them
    sys.stdout.flush()
    sys.stderr.flush()
    return (exit_code or 0) & 0xFF


def run(address: str, arguments: Sequence[str]) -> int:
    """Run a module with arguments as a copy of the warm process, and return its exit code."""
    request = {
        "arguments": arguments,
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  # pathlib is an import more
    }
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(address)
        except OSError:
            os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606  # no shell

        socket.send_fds(server, [b"\n"], STANDARD_STREAMS)
        server.sendall(json.dumps(request).encode() + b"\n")
        exit_code = server.recv(1)

    # A copy that was killed has sent nothing.
    if not exit_code:
        return KILLED
    return exit_code[0]


def main() -> None:
    """Run this file as the docstring above says."""
    if sys.argv[1] == "serve":
        descriptor, parent, modules, services = map(json.loads, sys.argv[2:])
        serve(socket.socket(fileno=descriptor), parent, modules, services)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the copy ends too, and nothing is printed
    sys.exit(run(sys.argv[2], sys.argv[3:]))


if __name__ == "__main__":
    main()
