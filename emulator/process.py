"""Runs the emulator in its own process, and cleans up everything that the emulator started.

The emulator needs its own process because it's based on MiniStack, which keeps its state in modules
and reads environment variables when it's imported. The process ends with the `with` block of
`running`, or when the process that runs this block dies.
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
    from emulator.server.call_log import LoggedCall

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 10
LOG_TAIL_CHARACTERS = 4000
# The only environment variables that the emulator and its functions inherit.
INHERITED_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "TZ")


class Options(TypedDict):
    """The options of the server process, which gets them as a single JSON argument."""

    port: int
    account: str
    region: str
    directory: str
    """The folder for all files of the server, which removes it at the end."""
    timings: dict[str, tuple[float, float]]
    switches: dict[str, Any]


class Connection(TypedDict):
    """Keyword arguments for a boto3 client that calls the emulator as the account's root user."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


class EmulatorError(Exception):
    """Raised if the emulator doesn't start, or if it rejects a control request."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator, from the point of view of the process that started it."""

    endpoint: str
    """The URL at which all services are available."""
    account: str
    region: str
    process: subprocess.Popen[str]
    log: Path
    """The server's standard error, which includes the errors of the emulated services."""
    _clients: dict[str, BaseClient] = field(default_factory=dict, repr=False)

    @property
    def connection(self) -> Connection:
        """Keyword arguments for `boto3.client`, which then calls as the account's root user."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.account,
            "aws_secret_access_key": "test",
        }

    @property
    def exports(self) -> dict[str, str]:
        """Environment variables that point the AWS CLI and boto3 at the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def is_alive(self) -> bool:
        """Return whether the server process is still running."""
        return self.process.poll() is None

    def client(self, service: str) -> BaseClient:
        """Return a cached boto3 client for a service, which calls as the account's root user.

        If you need the client's exact type, call `boto3.client("s3", **emulator.connection)`
        instead.
        """
        import boto3  # noqa: PLC0415  # `python -m emulator` starts faster without it

        if service not in self._clients:
            self._clients[service] = boto3.Session().client(service, **self.connection)  # type: ignore[call-overload]  # boto3's overloads need a literal
        return self._clients[service]

    def fire(self, schedule: str, group: str = "default", scheduled_time: str | None = None) -> str:
        """Fire a schedule at once and return the ARN of the execution that it starts.

        The execution sees `scheduled_time` (ISO 8601, by default the current time) as the time for
        which it was scheduled.

        Raises:
            EmulatorError: the schedule can't start its target.
        """
        request = {"schedule": schedule, "group": group, "scheduledTime": scheduled_time}
        response = self.control("POST", "fire", request)
        return str(cast("dict[str, object]", response)["executionArn"])

    def calls(self, action_prefix: str = "") -> list[LoggedCall]:
        """List the logged AWS calls whose IAM action starts with a prefix like "states:Start"."""
        query = urlencode({"action": action_prefix})
        return cast("list[LoggedCall]", self.control("GET", f"calls?{query}"))

    def control(
        self, method: str, path: str, document: Mapping[str, object] | None = None
    ) -> object:
        """Send a control request to the emulator and return the parsed JSON of the response.

        `emulator/server/admin.py` lists all control requests. `path` is relative to `/_emulator/`.

        Raises:
            EmulatorError: the emulator rejects the request.
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
    """Run the emulator on 127.0.0.1 until the `with` block ends.

    With port 0, the emulator listens on any free port. `timings` determine how long Personalize's
    jobs take, by default a few seconds. Where AWS doesn't document how Personalize behaves,
    `switches` select one of the possible behaviours.

    Raises:
        EmulatorError: the emulator can't start.
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
            _stop_server(process)
            shutil.rmtree(directory, ignore_errors=True)


def _to_json_object(settings: FixedTimings | Switches | None) -> dict[str, Any]:
    """Convert timings or switches for the options, which are passed to the server as JSON."""
    if settings is None:
        return {}  # The server uses its defaults.
    return asdict(settings)


def _start_server(options: Options, log: Path) -> subprocess.Popen[str]:
    """Start the server in its own process group, so that its functions can be killed with it."""
    with log.open("w") as stderr:
        return subprocess.Popen(  # noqa: S603  # the emulator's own module
            [sys.executable, "-m", "emulator.server", json.dumps(options)],
            cwd=ROOT,
            env={name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )


def _wait_for_endpoint(process: subprocess.Popen[str], port: int, log: Path) -> str:
    """Wait until the server has started, and return its endpoint.

    Raises:
        EmulatorError: the server can't use the port, or dies, or doesn't start in time.
    """
    message = _read_startup_message(process)

    if "error" in message:
        raise EmulatorError(
            f"the emulator cannot serve on 127.0.0.1:{port}: {message['error']};"
            " name another port with --port, or 0 for a free one"
        )
    if "endpoint" not in message:
        raise EmulatorError(f"the emulator did not start; its log ends\n{read_log_tail(log)}")

    return message["endpoint"]


def _read_startup_message(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the server's message, which contains its endpoint or why it can't use the port.

    Return {} if the server dies without a message, or sends none in START_TIMEOUT_SECONDS.
    """
    server_output = cast("IO[str]", process.stdout)
    ready, _, _ = select.select([server_output], [], [], START_TIMEOUT_SECONDS)
    if not ready:
        return {}

    # If the server dies, its output also becomes ready, but the line is empty.
    line = server_output.readline()
    if not line.startswith("{"):
        return {}
    message: dict[str, str] = json.loads(line)
    return message


def read_log_tail(log: Path) -> str:
    """Read the end of the server's log, which should contain the reason if the server died."""
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]


def _stop_server(process: subprocess.Popen[str]) -> None:
    """Stop the server and all processes of its group.

    The server ends by itself when its standard input is closed. After STOP_TIMEOUT_SECONDS at most,
    all remaining processes of the group are killed.
    """
    cast("IO[str]", process.stdin).close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_TIMEOUT_SECONDS)

    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
