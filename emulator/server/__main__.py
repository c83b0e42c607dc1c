"""The emulator's server process, which listens on one port of 127.0.0.1.

`emulator.process` starts the server with one JSON argument (see `Options`) and a pipe as standard
input. The server ends as soon as the pipe is closed, which also happens if the parent is killed.
The server leads a process group that includes the processes of functions, and kills the whole group
at the end.

When the server is ready or fails to start, it writes one line to standard output, which is
`{"endpoint": ...}` or `{"error": ...}`. All later output goes to the log.
"""

import asyncio
import functools
import json
import os
import shutil
import signal
import socket
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.session
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from emulator.process import Options
from emulator.server import warm_functions

# All boto3 sessions in this process share one loader. Otherwise, each session would read botocore's
# data files again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# Personalize, S3 and Step Functions handle requests in threads. Since one request can wait for
# another one, a small thread pool could fill up with threads that wait for each other.
MAX_THREADS = 100


def main() -> None:
    """Serve requests until the server fails or the parent closes standard input.

    In both cases, kill the whole process group. If the port isn't available, exit with status 1.
    """
    options: Options = json.loads(sys.argv[1])
    try:
        listener = socket.create_server(("127.0.0.1", options["port"]), backlog=200)
    except (OSError, OverflowError) as error:
        _report_to_parent("error", getattr(error, "strerror", str(error)))
        sys.exit(1)

    directory = options["directory"]
    threading.Thread(target=_end_with_parent, args=(directory,), daemon=True).start()
    try:
        _run_application(options, listener)
    except Exception:  # noqa: BLE001  # this is the last chance to log an error
        traceback.print_exc()
    os.killpg(0, signal.SIGKILL)


def _run_application(options: Options, listener: socket.socket) -> None:
    """Set up all services, report the endpoint to the parent and serve until the process ends."""
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shim_folder = warm_functions.enable_warm_starts(options["directory"])
    os.environ.update(_build_environment(options, endpoint, shim_folder))
    # This imports MiniStack, which reads the environment variables at that moment.
    from emulator.server.app import Application  # noqa: PLC0415

    application = Application(endpoint, options)
    # Requests that arrive before the server is running wait in the listener's queue.
    _report_to_parent("endpoint", endpoint)
    os.dup2(2, 1)  # Send all later output to the log, which is standard error.
    asyncio.run(_serve(application, listener))


def _report_to_parent(key: str, message: str) -> None:
    """Write a line of JSON to standard output, where the parent reads it."""
    sys.stdout.write(json.dumps({key: message}) + "\n")
    sys.stdout.flush()


def _build_environment(options: Options, endpoint: str, shim_folder: str) -> dict[str, str]:
    """Build the environment variables for MiniStack and the functions that it runs."""
    directory = options["directory"]
    account = options["account"]
    region = options["region"]
    return {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": account,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_SECRET_ACCESS_KEY": "test",
        # Don't touch the user's AWS configuration or Docker containers.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DOCKER_HOST": f"unix://{directory}/none.sock",
        "GATEWAY_PORT": endpoint.rsplit(":", 1)[-1],
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LISTS_LAG_SECONDS": "0",  # AWS's lists may lag behind, but the emulator's don't
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "S3_DATA_DIR": f"{directory}/s3",
        "STATE_DIR": f"{directory}/state",
        "TMPDIR": directory,
        # The emulator trains small models on few cores, where multithreaded linear algebra takes
        # more time than it saves.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # The shim's folder must come first, so that functions find the shim as `python`.
        "PATH": f"{shim_folder}:{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }


def _end_with_parent(directory: str) -> None:
    """Wait until the parent closes standard input, then remove all files and kill the group."""
    while os.read(0, 1024):
        pass
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


async def _serve(application: ASGIFramework, listener: socket.socket) -> None:
    """Serve the ASGI application until the process is killed."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(MAX_THREADS))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    await serve(application, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    main()
