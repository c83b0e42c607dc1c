"""The emulator's server process, which listens on one port of 127.0.0.1.

`emulator.process` starts it with one JSON argument (see `Options`), and holds a pipe to its
standard input. This process ends as soon as the pipe closes, even if that's because the parent was
killed. It leads a process group that includes the function processes, and kills the whole group at
the end.

Once it's ready, or has failed to start, it writes one line to standard output: `{"endpoint": ...}`
or `{"error": ...}`. All later output goes to the log.
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

import botocore.session
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from emulator.process import Options
from emulator.server import warm_functions

# All boto3 sessions of this process share a loader. Otherwise, each of them would read botocore's
# data files again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# Personalize, S3 and Step Functions respond in threads. A thread may wait for another one, so if
# there were too few, all of them could be waiting.
MAX_THREADS = 100


def main() -> None:
    """Serve requests until the server fails or the parent closes standard input.

    In both cases, the whole process group is killed. If the port isn't available, exit with 1.
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
    except Exception:  # noqa: BLE001  # the last chance to log the error
        traceback.print_exc()
    os.killpg(0, signal.SIGKILL)


def _run_application(options: Options, listener: socket.socket) -> None:
    """Set up all services, report the endpoint to the parent, and serve until the process ends."""
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shim_folder = warm_functions.enable_warm_starts(options["directory"])
    os.environ.update(_build_environment(options, endpoint, shim_folder))
    # MiniStack reads the environment when it's imported, so that has to happen here.
    from emulator.server.app import Application  # noqa: PLC0415

    application = Application(endpoint, options)
    # Until the server is running, requests wait in the listener's queue.
    _report_to_parent("endpoint", endpoint)
    os.dup2(2, 1)  # From now on, print to the log, which is standard error.
    asyncio.run(_serve(application, listener))


def _report_to_parent(key: str, message: str) -> None:
    """Write a line of JSON to standard output, where the parent reads it."""
    sys.stdout.write(json.dumps({key: message}) + "\n")
    sys.stdout.flush()


def _build_environment(options: Options, endpoint: str, shim_folder: str) -> dict[str, str]:
    """Return the environment variables for MiniStack and for the functions that it runs."""
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
        # The emulator trains small models on few cores, where the threads of linear algebra cost
        # more time than they save.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # The shim must come first, so that it's what functions start as `python`.
        "PATH": os.pathsep.join(
            [
                shim_folder,
                os.path.dirname(sys.executable),  # noqa: PTH120
                os.environ.get("PATH", ""),
            ]
        ),
    }


def _end_with_parent(directory: str) -> None:
    """When the parent closes standard input, remove the directory and kill the process group."""
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
