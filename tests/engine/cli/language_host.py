"""A language host for Python, for a Pulumi CLI that was built from its Go module.

The release archive of the CLI contains the official host. This host runs programs and plugins and
installs their requirements, which is all that the tests need.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent import futures
from pathlib import Path
from queue import Queue

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

PROGRAM_RUNNER = "pulumi-language-python-exec"
"""The script on the PATH that runs a program. It is part of the Go module of Pulumi's SDK."""

MESSAGE_WAS_SHOWN = 32
"""The exit code of the runner if it has already shown the error of the program."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs and plugins for the engine at an address."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address

    def GetRequiredPackages(self, _request, _context):  # noqa: N802
        """Return nothing, because the provider is on the PATH and must not be downloaded."""
        return language_pb2.GetRequiredPackagesResponse()

    def GetPluginInfo(self, _request, _context):  # noqa: N802
        """Return the host's version."""
        return plugin_pb2.PluginInfo(version="0.0.0")

    def Cancel(self, _request, _context):  # noqa: N802
        """Do nothing, because the engine ends this process."""
        return empty_pb2.Empty()

    def About(self, request, _context):  # noqa: N802
        """Return the interpreter of the program."""
        return language_pb2.AboutResponse(
            executable=_interpreter(request.info), version=sys.version.split()[0]
        )

    def InstallDependencies(self, request, _context):  # noqa: N802
        """Create the virtual environment of a program and install its requirements."""
        environment = _environment(request.info)
        commands = [[sys.executable, "-m", "venv", str(environment)]]
        requirements = Path(request.directory, "requirements.txt")
        if requirements.is_file():
            pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            commands.append([*pip, "-r", str(requirements)])
        for command in commands:
            process = subprocess.run(  # noqa: S603
                command, cwd=request.directory, capture_output=True, check=False
            )
            yield language_pb2.InstallDependenciesResponse(
                stdout=process.stdout, stderr=process.stderr
            )
            if process.returncode:
                raise RuntimeError(f"{' '.join(command)} failed: exit code {process.returncode}")

    def Run(self, request, _context):  # noqa: N802
        """Run a program until it ends. The response has an error message if the program failed."""
        runner = shutil.which(PROGRAM_RUNNER)
        if runner is None:
            return language_pb2.RunResponse(error=f"{PROGRAM_RUNNER} is not on the PATH")
        command = [
            *(_interpreter(request.info), "-u", runner),
            *("--monitor", request.monitor_address, "--engine", self._engine_address),
            *("--project", request.project, "--stack", request.stack, "--pwd", request.pwd),
            *("--root_directory", request.info.root_directory),
            *("--dry_run", "true" if request.dryRun else "false"),
            *("--parallel", str(request.parallel), "--organization", request.organization),
            _program(request.info),
            *request.args,
        ]
        variables = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        # The engine shows what the host prints.
        code = subprocess.call(command, env={**os.environ, **variables})  # noqa: S603
        if code == MESSAGE_WAS_SHOWN:
            return language_pb2.RunResponse(bail=True)
        error = f"Program exited with non-zero exit code: {code}" if code else ""

        return language_pb2.RunResponse(error=error)

    def RunPlugin(self, request, context):  # noqa: N802
        """Run a plugin, and yield each line of its output and then its exit code.

        The plugin is killed if the engine ends the call.
        """
        process = subprocess.Popen(  # noqa: S603
            [_interpreter(request.info), "-u", _program(request.info), *request.args],
            cwd=request.pwd,
            env={**os.environ, **dict(variable.split("=", 1) for variable in request.env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.kill)
        responses: Queue[language_pb2.RunPluginResponse | None] = Queue()

        def read_lines(stream: str) -> None:
            """Put a response for each line of a stream, and None when the stream has ended."""
            with getattr(process, stream) as pipe:
                for line in iter(pipe.readline, b""):
                    responses.put(language_pb2.RunPluginResponse(**{stream: line}))
            responses.put(None)

        streams = ("stdout", "stderr")
        for stream in streams:
            threading.Thread(target=read_lines, args=[stream], daemon=True).start()
        for _ in streams:
            yield from iter(responses.get, None)  # until one of the streams has ended
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _program(info: language_pb2.ProgramInfo) -> str:
    """Return the path of a program, which is a file or a folder with `__main__.py`."""
    return str(Path(info.program_directory, info.entry_point))


def _environment(info: language_pb2.ProgramInfo) -> Path:
    """Return the folder of the virtual environment that a program or plugin uses."""
    folder = dict(info.options).get("virtualenv", ".venv")
    return Path(info.root_directory, folder)


def _interpreter(info: language_pb2.ProgramInfo) -> str:
    """Return the interpreter of the virtual environment, or else the interpreter of this host."""
    python = _environment(info) / "bin" / "python"
    return str(python) if python.exists() else sys.executable


def main() -> None:
    """Print the number of a free port and serve there until the engine ends this process."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    engine_address = arguments[0]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # The engine ends its plugins with SIGINT.
        server.wait_for_termination()


if __name__ == "__main__":
    main()
