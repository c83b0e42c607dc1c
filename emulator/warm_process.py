"""Starts Python programs quickly, by forking a process that has already imported their modules.

Importing boto3 takes longer than running most of our programs that use it. A *warm process* imports
boto3 only once, and then forks a *copy* of itself for each program. The warm process mustn't have
other threads, because a fork while another thread holds a lock would copy the lock, which would
never be released in the copy. Only the copy reads the request that says which program to run.

    python -P warm_process.py serve FD PARENT_PID MODULES SERVICES
    python -IS warm_process.py run SOCKET_PATH MODULE ARGUMENT...

`serve` is the warm process. `run` replaces `python -m MODULE ARGUMENT...`: it asks the warm process
for a copy, which takes over the environment, working directory and standard streams of `run`. If
`run` ends first, the copy ends, too. Otherwise, `run` exits with the copy's exit code, or with 1 if
the copy was killed. If no warm process is listening, `run` runs the module in a new interpreter.
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
KILLED_EXIT_CODE = 1


def build_command(socket_path: str, module: str) -> list[str]:
    """Build the command that runs a module in a copy of the warm process at `socket_path`.

    The caller can append arguments for the module.
    """
    return [sys.executable, "-IS", __file__, "run", socket_path, module]


def start(
    listener: socket.socket,
    modules: Sequence[str],
    services: Sequence[str],
    module_folder: str = "",
) -> subprocess.Popen[bytes]:
    """Start a warm process, which forks a copy of itself for each connection to a Unix socket.

    The warm process first imports `modules` and loads botocore's models of `services`. Programs can
    import from their working directory, from `module_folder` and from installed packages.
    """
    descriptor = listener.fileno()
    arguments = [descriptor, os.getpid(), modules, services]
    return subprocess.Popen(  # noqa: S603  # this file
        [sys.executable, "-P", __file__, "serve", *map(json.dumps, arguments)],
        env={**os.environ, "PYTHONPATH": module_folder},
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
    )


def serve(
    listener: socket.socket, parent_pid: int, modules: Sequence[str], services: Sequence[str]
) -> NoReturn:
    """Fork a copy of this process for each connection, until the parent process ends."""
    import_variables = warm_up(modules, services)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Let the kernel reap copies that end.
    listener.settimeout(1)  # so that the loop notices when the parent ends

    while os.getppid() == parent_pid:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue

        if os.fork() == 0:
            listener.close()
            # Otherwise, the program would never learn the exit codes of its own subprocesses.
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            run_copy(connection, import_variables)
        connection.close()
    sys.exit()


def warm_up(modules: Sequence[str], services: Sequence[str]) -> dict[str, str]:
    """Import modules, load models, and return the environment variables that the imports have set.

    Each copy needs these variables, but gets its caller's environment, which doesn't have them.
    """
    original_environment = dict(os.environ)
    for module in modules:
        importlib.import_module(module)
    _load_models(services)

    gc.collect()
    # Otherwise, a garbage collection in a copy would write to the memory that all copies share, so
    # the kernel would have to duplicate it.
    gc.freeze()
    return {
        name: value for name, value in os.environ.items() if original_environment.get(name) != value
    }


def _load_models(services: Sequence[str]) -> None:
    """Load botocore's models of services into a loader that all later sessions share."""
    import botocore.session  # noqa: PLC0415  # `run` doesn't need it

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    for service in services:
        botocore.session.Session().create_client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106  # the client never calls AWS
        )


def run_copy(connection: socket.socket, import_variables: dict[str, str]) -> NoReturn:
    """Run the caller's program in this process, which is a new copy of the warm process.

    Then send the exit code to the caller and exit.
    """
    descriptors, request = _receive_request(connection)
    _replace_standard_streams(descriptors)
    _adopt_environment(request["folder"], request["environment"] | import_variables)
    module, *sys.argv[1:] = request["arguments"]
    threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()

    exit_code = _run_module(module)
    connection.send(bytes([exit_code]))
    os._exit(exit_code)


def _receive_request(connection: socket.socket) -> tuple[Sequence[int], dict[str, Any]]:
    """Receive the file descriptors of the caller's standard streams, and the caller's request."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, len(STANDARD_STREAMS))
    with connection.makefile("rb") as reader:
        return descriptors, json.loads(reader.readline())


def _replace_standard_streams(descriptors: Sequence[int]) -> None:
    """Switch to the caller's standard streams, without any data that the warm process buffered."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)

    # These stay open until the process ends.
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115


def _adopt_environment(folder: str, environment: dict[str, str]) -> None:
    """Take over the caller's working directory and environment variables."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, folder)  # as `python -m` does
    atexit._clear()  # noqa: SLF001  # these handlers belong to the warm process


def _end_with_caller(connection: socket.socket) -> None:
    """Wait until the caller ends, and then end this process."""
    connection.recv(1)  # The caller sends nothing else, so this returns when the connection closes.
    os._exit(KILLED_EXIT_CODE)


def _run_module(module: str) -> int:
    """Run a module like `python -m`, and return the exit code that Python would exit with."""
    exit_code: str | int | None = None
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        exit_code = end.code
    except BaseException:  # noqa: BLE001  # Python also prints any traceback
        traceback.print_exc()
        exit_code = 1

    if isinstance(exit_code, str):
        print(exit_code, file=sys.stderr)  # noqa: T201  # as Python does
        exit_code = 1

    atexit._run_exitfuncs()  # noqa: SLF001  # `os._exit` skips them
    sys.stdout.flush()
    sys.stderr.flush()
    return (exit_code or 0) & 0xFF


def run(socket_path: str, arguments: Sequence[str]) -> int:
    """Run a module in a copy of the warm process and return the copy's exit code.

    The first of the `arguments` is the module's name. If no warm process is listening, this
    function doesn't return, because the process turns into a new interpreter that runs the module.
    """
    request = {
        "arguments": arguments,
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109  # importing pathlib takes time
    }
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(socket_path)
        except OSError:
            os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606  # no shell

        socket.send_fds(connection, [b"\n"], STANDARD_STREAMS)
        connection.sendall(json.dumps(request).encode() + b"\n")
        exit_code = connection.recv(1)

    # A copy that was killed hasn't sent an exit code.
    if not exit_code:
        return KILLED_EXIT_CODE
    return exit_code[0]


def main() -> None:
    """Run `serve` or `run`, depending on the first argument."""
    if sys.argv[1] == "serve":
        descriptor, parent_pid, modules, services = map(json.loads, sys.argv[2:])
        serve(socket.socket(fileno=descriptor), parent_pid, modules, services)

    # On Ctrl-C, end without a traceback. The copy notices the closed connection and ends, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(run(sys.argv[2], sys.argv[3:]))


if __name__ == "__main__":
    main()
