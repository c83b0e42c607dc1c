"""Starts the emulator in a separate process, and ends it with everything that it started.

The emulator needs a process because MiniStack keeps its state in modules and reads the environment
when it is imported. It ends when the `with` block ends, and also when the process of the block
dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypedDict, cast
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.client import BaseClient

    from emulator.personalize.store import Switches
    from emulator.personalize.timeline import FixedTimings
    from emulator.server.call_log import Call

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 10
LOG_TAIL_CHARACTERS = 4000
# The environment variables that the emulator and its functions inherit. They get no others.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TZ")


class Options(TypedDict):
    """The options that the server gets as JSON."""

    port: int
    account: str
    region: str
    directory: str
    """The folder for all files of the server, which is removed when it ends."""
    timings: dict[str, tuple[float, float]]
    switches: dict[str, Any]


class Connection(TypedDict):
    """The arguments with which boto3.client calls the emulator as the account's root."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


class EmulatorError(Exception):
    """The emulator did not start, or refused a control. The message says why."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    endpoint: str
    account: str
    region: str
    process: subprocess.Popen[str]
    log: Path
    _clients: dict[str, BaseClient] = field(default_factory=dict, repr=False)

    @property
    def connection(self) -> Connection:
        """The arguments of boto3.client for the account's root."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.account,
            "aws_secret_access_key": "test",
        }

    @property
    def exports(self) -> dict[str, str]:
        """The environment variables for the AWS CLI and boto3."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def alive(self) -> bool:
        """Return True while the process of the server is running."""
        return self.process.poll() is None

    def client(self, service: str) -> BaseClient:
        """Create a boto3 client for the account's root, once for each service.

        Typed code calls `boto3.client("s3", **emulator.connection)`, which has the exact type.
        """
        import boto3  # noqa: PLC0415  # `python -m emulator` starts faster without it

        if service not in self._clients:
            self._clients[service] = boto3.Session().client(service, **self.connection)  # type: ignore[call-overload]  # boto3's overloads need a literal
        return self._clients[service]

    def fire(self, schedule: str, group: str = "default", scheduled_time: str | None = None) -> str:
        """Fire a schedule now, and return the ARN of the execution.

        `scheduled_time` (ISO 8601) is the time that the execution sees, by default the present.
        Raise EmulatorError if the schedule cannot start its target.
        """
        request = {"schedule": schedule, "group": group, "scheduledTime": scheduled_time}
        response = self.control("POST", "fire", request)
        return str(cast("dict[str, object]", response)["executionArn"])

    def calls(self, action: str = "") -> list[Call]:
        """List the AWS calls whose action begins with `action`, for example "states:Start"."""
        return cast("list[Call]", self.control("GET", f"calls?{urlencode({'action': action})}"))

    def control(
        self, method: str, path: str, document: Mapping[str, object] | None = None
    ) -> object:
        """Send a request to a control, and return the JSON of the response.

        `path` is the part below `/_emulator/`. `emulator/server/admin.py` lists the controls. Raise
        EmulatorError if the control refuses the request.
        """
        body = None
        if document is not None:
            body = json.dumps(document).encode()
        request = urllib.request.Request(  # noqa: S310  # the endpoint is on this machine
            f"{self.endpoint}/_emulator/{path}", data=body, method=method
        )

        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310  # as above
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise EmulatorError(json.load(error)["error"]) from None


@contextlib.contextmanager
def running(
    *,
    port: int = 0,
    account: str = "123456789012",
    region: str = "eu-west-1",
    timings: FixedTimings | None = None,
    switches: Switches | None = None,
) -> Iterator[Emulator]:
    """Run the emulator on 127.0.0.1 during a `with` block, and yield an `Emulator`.

    The port 0 is a free one, and an account has 12 digits. `timings` are the durations of the jobs
    of Personalize, by default a few seconds. `switches` are the choices where its behaviour is not
    documented. Raise EmulatorError if the emulator cannot start.
    """
    directory = Path(tempfile.mkdtemp(prefix="emulator-"))
    log = directory / "log"
    options: Options = {
        "port": port,
        "account": account,
        "region": region,
        "directory": str(directory),
        "timings": _to_json_object(timings),
        "switches": _to_json_object(switches),
    }

    with _start_server(options, log) as process:
        try:
            endpoint = _wait_for_endpoint(process, port, log)
            yield Emulator(endpoint, account, region, process, log)
        finally:
            _stop(process)
            shutil.rmtree(directory, ignore_errors=True)


def _to_json_object(settings: FixedTimings | Switches | None) -> dict[str, Any]:
    if settings is None:
        return {}  # The server has the defaults.
    return asdict(settings)


def _start_server(options: Options, log: Path) -> subprocess.Popen[str]:
    """Start the server as the leader of a group, so that its functions can be killed with it."""
    with log.open("w") as stderr:
        return subprocess.Popen(  # noqa: S603  # the emulator's own module
            [sys.executable, "-m", "emulator.server", json.dumps(options)],
            cwd=ROOT,
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )


def _wait_for_endpoint(process: subprocess.Popen[str], port: int, log: Path) -> str:
    """Wait until the server has started, and return its endpoint.

    Raise EmulatorError if it cannot start.
    """
    message = _read_message(process)
    if "error" in message:
        raise EmulatorError(
            f"the emulator cannot serve on 127.0.0.1:{port}: {message['error']};"
            " name another port with --port, or 0 for a free one"
        )
    if "endpoint" not in message:
        raise EmulatorError(f"the emulator did not start; its log ends\n{read_log_tail(log)}")
    return message["endpoint"]


def _read_message(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read what the server says when it has started or when the port is taken, if it says so."""
    output = cast("IO[str]", process.stdout)
    ready, _, _ = select.select([output], [], [], START_SECONDS)
    if not ready:
        return {}

    # A server that dies closes its output, so the line may be empty.
    line = output.readline()
    if not line.startswith("{"):
        return {}
    message: dict[str, str] = json.loads(line)
    return message


def read_log_tail(log: Path) -> str:
    """Read the end of a log, which says why the server has ended."""
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


def _stop(process: subprocess.Popen[str]) -> None:
    """End the server by closing its standard input. After STOP_SECONDS, kill what still runs."""
    cast("IO[str]", process.stdin).close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
