"""The emulator's own process: one port on 127.0.0.1 that answers as AWS does.

Started by `emulator.process`, which says how as one JSON argument (see `Options`) and holds the
other end of this process's standard input: when that closes, for whatever reason, everything here
ends. The process leads a group of its own, to which the functions' processes belong; its last act
is to kill the group.

Started, it writes one line to standard output, `{"endpoint": ...}` or `{"error": ...}`; later
output is log.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

from hypercorn.asyncio import serve
from hypercorn.config import Config

if TYPE_CHECKING:
    from emulator.server.application import Application
    from emulator.server.options import Options

# Personalize, S3 and Step Functions answer in threads, and each may wait for another one's answer.
THREADS = 100
# Seconds that requests under way get when the server stops, and that stopping may take in all.
GRACE = 0.5
STOP_SECONDS = 5.0


def main() -> None:
    """Serve until standard input closes or a signal arrives; then end the whole group."""
    options: Options = json.loads(sys.argv[1])
    if os.getpgrp() != os.getpid():  # not started by `emulator.process`: do not kill who did
        os.setpgrp()
    try:
        listener = socket.create_server(("127.0.0.1", options["port"]), backlog=200)
    except OSError as error:
        sys.stdout.write(json.dumps({"error": os.strerror(error.errno or 0)}) + "\n")
        sys.exit(1)
    endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
    os.environ.update(environment(options, endpoint))
    try:
        # Only now: MiniStack reads the environment when it is imported.
        from emulator.server.application import Application  # noqa: PLC0415

        asyncio.run(_serve(Application(endpoint, options), listener, endpoint, options))
    except Exception:  # noqa: BLE001  # whatever it is, this is the last moment to tell
        traceback.print_exc()
    kill_group()


def environment(options: Options, endpoint: str) -> dict[str, str]:
    """What MiniStack and the functions that it runs find in their environment."""
    directory, account, region = options["directory"], options["account"], options["region"]
    return {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": account,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_SECRET_ACCESS_KEY": "test",
        # Nobody's own configuration is read, and nobody's containers are touched.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "DOCKER_HOST": f"unix://{directory}/none.sock",
        "GATEWAY_PORT": endpoint.rsplit(":", 1)[-1],
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "S3_DATA_DIR": f"{directory}/s3",
        "STATE_DIR": f"{directory}/state",
        "TMPDIR": directory,
        # One small model on few cores: the linear algebra's threads get in each other's way.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Functions are started with `python`: this one, which has boto3 and AWS's runtime client.
        "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),  # noqa: PTH120
    }


async def _serve(
    application: Application, listener: socket.socket, endpoint: str, options: Options
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS))
    stop, parent_left = asyncio.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def wait_for_parent() -> None:
        while os.read(0, 1024):
            pass
        parent_left.set()
        loop.call_soon_threadsafe(stop.set)
        time.sleep(STOP_SECONDS)
        kill_group()

    def ready() -> None:
        sys.stdout.write(json.dumps({"endpoint": endpoint}) + "\n")
        sys.stdout.flush()
        os.dup2(2, 1)

    application.on_ready = ready
    threading.Thread(target=wait_for_parent, daemon=True, name="parent").start()
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = GRACE
    config.shutdown_timeout = GRACE
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.accesslog = None
    await serve(application, config, shutdown_trigger=stop.wait)
    if parent_left.is_set():  # else the parent may want to read the log
        shutil.rmtree(options["directory"], ignore_errors=True)
    # Here, since leaving the loop waits for its threads, which may be at work for minutes.
    kill_group()


def kill_group() -> NoReturn:
    """Kill this process and every one that it started."""
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("killed processes do not go on")


if __name__ == "__main__":
    main()
