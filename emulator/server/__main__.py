"""The emulator's own process, which serves on one port of 127.0.0.1.

`emulator.process` starts it with one JSON argument (see `Options`) and holds the other end of its
standard input. When standard input closes, for any reason, this process ends. It leads a process
group, to which the processes of the functions belong, and its last act is to kill the group.

After the start it writes one line to standard output, `{"endpoint": ...}` or `{"error": ...}`.
Later output goes to the log.
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

# This process creates several boto3 sessions, and each would read botocore's data files again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
# Personalize, S3 and Step Functions respond in threads, and a thread may wait for another one.
THREADS = 100


def main() -> None:
    """Serve until standard input closes. Then kill the process group."""
    options: Options = json.loads(sys.argv[1])
    try:
        listener = socket.create_server(("127.0.0.1", options["port"]), backlog=200)
    except (OSError, OverflowError) as error:
        _tell_parent("error", getattr(error, "strerror", str(error)))
        sys.exit(1)

    directory = options["directory"]
    threading.Thread(target=_end_with_parent, args=(directory,), daemon=True).start()
    try:
        _run_application(options, listener)
    except Exception:  # noqa: BLE001  # the process ends now, and this is the last chance to log
        traceback.print_exc()
    os.killpg(0, signal.SIGKILL)


def _run_application(options: Options, listener: socket.socket) -> None:
    """Set up all services, tell the parent where they are, and serve until the process ends."""
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ.update(build_environment(options, endpoint))
    # MiniStack reads the environment when it is imported.
    from emulator.server.app import Application  # noqa: PLC0415

    application = Application(endpoint, options)
    # Requests that arrive from now on wait in the listener's queue.
    _tell_parent("endpoint", endpoint)
    os.dup2(2, 1)  # from now on, standard output is the log
    asyncio.run(_serve(application, listener))


def _tell_parent(key: str, message: str) -> None:
    sys.stdout.write(json.dumps({key: message}) + "\n")
    sys.stdout.flush()


def build_environment(options: Options, endpoint: str) -> dict[str, str]:
    """Build the environment variables of MiniStack and of the functions that it runs."""
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
        # The configuration and the containers of the user are not touched.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DOCKER_HOST": f"unix://{directory}/none.sock",
        "GATEWAY_PORT": endpoint.rsplit(":", 1)[-1],
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LISTS_LAG_SECONDS": "0",  # for functions that wait because the lists of AWS may be old
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "S3_DATA_DIR": f"{directory}/s3",
        "STATE_DIR": f"{directory}/state",
        "TMPDIR": directory,
        # For one small model on few cores, the threads of linear algebra cost more than they save.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Functions are started as `python`. This Python has boto3 and AWS's runtime client.
        "PATH": os.pathsep.join(
            [
                warm_functions.create_python_folder(directory),
                os.path.dirname(sys.executable),  # noqa: PTH120
                os.environ.get("PATH", ""),
            ]
        ),
    }


def _end_with_parent(directory: str) -> None:
    """Remove the directory and kill the process group when the parent closes standard input."""
    while os.read(0, 1024):
        pass
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


async def _serve(application: ASGIFramework, listener: socket.socket) -> None:
    """Serve until the process is killed."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    await serve(application, config, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    main()
