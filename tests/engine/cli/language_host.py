"""Pulumi's language host for Python, for a CLI that was built from its Go module.

The CLI's release archive brings the official host. This one has what the tests need: it runs
programs and plugins, and it installs their requirements.
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
"""The script on the PATH that runs a program; it comes with the Go module of Pulumi's SDK."""

MESSAGE_WAS_SHOWN = 32
"""Exit code of the runner for a program whose error it has already shown."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Run Python programs and plugins for the engine at an address."""

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
        """Make the program's virtual environment and install its requirements."""
        environment = _environment(request.info)
        commands = [[sys.executable, "-m", "venv", str(environment)]]
        requirements = Path(request.directory, "requirements.txt")
        if requirements.is_file():
            pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            commands.append([*pip, "-r", str(requirements)])
        for command in commands:
            done = subprocess.run(  # noqa: S603
                command, cwd=request.directory, capture_output=True, check=False
            )
            yield language_pb2.InstallDependenciesResponse(stdout=done.stdout, stderr=done.stderr)
            if done.returncode:
                raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")

    def Run(self, request, _context):  # noqa: N802
        """Run a program until it ends."""
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
        """Run a plugin, and pass on what it prints, until it ends or the engine hangs up."""
        process = subprocess.Popen(  # noqa: S603
            [_interpreter(request.info), "-u", _program(request.info), *request.args],
            cwd=request.pwd,
            env={**os.environ, **dict(each.split("=", 1) for each in request.env)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.kill)
        printed: Queue[language_pb2.RunPluginResponse | None] = Queue()

        def pass_on(stream: str) -> None:
            with getattr(process, stream) as pipe:
                for line in iter(pipe.readline, b""):
                    printed.put(language_pb2.RunPluginResponse(**{stream: line}))
            printed.put(None)

        streams = ("stdout", "stderr")
        for stream in streams:
            threading.Thread(target=pass_on, args=[stream], daemon=True).start()
        for _ in streams:
            yield from iter(printed.get, None)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _program(info: language_pb2.ProgramInfo) -> str:
    """Return the path of a program: a file, or a folder with `__main__.py`."""
    return str(Path(info.program_directory, info.entry_point))


def _environment(info: language_pb2.ProgramInfo) -> Path:
    """Return the folder of the virtual environment that a program or plugin uses."""
    given = dict(info.options).get("virtualenv", ".venv")
    return Path(info.root_directory, given)


def _interpreter(info: language_pb2.ProgramInfo) -> str:
    """Return the interpreter of the virtual environment, or this host's if there is none."""
    python = _environment(info) / "bin" / "python"
    return str(python) if python.exists() else sys.executable


def main() -> None:
    """Print a free port and serve on it until the engine ends this process."""
    engine_address = next(each for each in sys.argv[1:] if not each.startswith("-"))
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # The engine ends its plugins with SIGINT.
        server.wait_for_termination()


if __name__ == "__main__":
    main()
