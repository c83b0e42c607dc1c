"""Starts the emulator in a process of its own, and makes sure that nothing of it stays behind.

    with running() as emulator:
        boto3.client("s3", **emulator.connection).create_bucket(...)

A process and not a thread: MiniStack and moto keep their state in modules and read the environment
when they are imported, and the processes that run the functions must end with it. The emulator ends
when the `with` block does, and also when the process that runs the block dies.
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
from typing import IO, TYPE_CHECKING, TypedDict, cast
from urllib.parse import urlencode

import boto3

from emulator.personalize.store import Switches
from emulator.personalize.timeline import FixedTimings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.client import BaseClient

    from emulator.server.calls import Call
    from emulator.server.options import Interpreter, Options

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 10
LOG_TAIL = 4000  # characters
# Passed on to the emulator and the functions that it runs; the rest of the caller's stays out.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TZ")


class Connection(TypedDict):
    """What boto3.client needs to talk to the emulator as the account's root."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str


class EmulatorError(Exception):
    """The emulator did not start, or has something against a control; the message says what."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator: where it is, and which account and region it plays."""

    endpoint: str
    account: str
    region: str
    process: subprocess.Popen[str]
    log: Path
    _clients: dict[str, BaseClient] = field(default_factory=dict, repr=False)

    @property
    def connection(self) -> Connection:
        """The arguments of boto3.client, as the account's root."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.account,
            "aws_secret_access_key": "test",
        }

    @property
    def exports(self) -> dict[str, str]:
        """The environment that makes the AWS CLI and boto3 talk to the emulator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def alive(self) -> bool:
        """Whether the server's process is still there."""
        return self.process.poll() is None

    def client(self, service: str) -> BaseClient:
        """Give the boto3 client of `service` as the account's root; it is made once.

        Typed code calls `boto3.client("s3", **emulator.connection)` instead, which knows what it
        gets.
        """
        if service not in self._clients:
            self._clients[service] = boto3.Session().client(service, **self.connection)  # type: ignore[call-overload]  # boto3's overloads want a literal
        return self._clients[service]

    def fire(self, schedule: str, group: str = "default", scheduled_time: str | None = None) -> str:
        """Fire a schedule for a slot (ISO 8601; by default the next one); the execution's ARN.

        Raises EmulatorError where the delivery fails.
        """
        request = {"schedule": schedule, "group": group}
        if scheduled_time is not None:
            request["scheduledTime"] = scheduled_time
        answer = self.control("POST", "fire", request)
        return str(cast("dict[str, object]", answer)["executionArn"])

    def calls(self, action: str = "") -> list[Call]:
        """The AWS calls so far of an action ("states:StartExecution") or service ("states:")."""
        return cast("list[Call]", self.control("GET", f"calls?{urlencode({'action': action})}"))

    def control(
        self, method: str, path: str, document: Mapping[str, object] | None = None
    ) -> object:
        """Use one of the emulator's own controls (`emulator.server.admin`); its answer.

        Raises EmulatorError with what the emulator has against it.
        """
        request = urllib.request.Request(  # noqa: S310  # our own endpoint
            f"{self.endpoint}/_emulator/{path}",
            data=None if document is None else json.dumps(document).encode(),
            method=method,
        )
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310  # (as above)
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
    interpreter: Interpreter = "moto",
) -> Iterator[Emulator]:
    """Run the emulator at 127.0.0.1:`port` (0: a free one) for as long as the block lasts.

    `timings` tells how long Personalize's jobs take, `switches` how it behaves where AWS's way is
    not known, `interpreter` whose state machines run: MiniStack's are a second opinion on outcomes,
    they enforce no machine's role and tell EventBridge nothing. Raises EmulatorError when the
    emulator cannot start, for instance because the port is taken.
    """
    directory = Path(tempfile.mkdtemp(prefix="emulator-"))
    options: Options = {
        "port": port,
        "account": account,
        "region": region,
        "directory": str(directory),
        "interpreter": interpreter,
        "timings": asdict(timings or FixedTimings()),
        "switches": asdict(switches or Switches()),
    }
    log = directory / "log"
    with log.open("w") as stderr:
        process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "emulator.server", json.dumps(options)],
            cwd=ROOT,
            env={name: os.environ[name] for name in INHERITED if name in os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        answer = _first_line(process.stdout)
        if "endpoint" not in answer:
            if "error" in answer:
                raise EmulatorError(
                    f"the emulator cannot serve on 127.0.0.1:{port}: {answer['error']};"
                    " name another port, or 0 for a free one"
                )
            tail = log.read_text(errors="replace")[-LOG_TAIL:]
            raise EmulatorError(f"the emulator did not start; its log ends\n{tail}")
        yield Emulator(answer["endpoint"], account, region, process, log)
    finally:
        _stop(process)
        shutil.rmtree(directory, ignore_errors=True)


def _first_line(stdout: IO[str]) -> dict[str, str]:
    """Read what the server says when it has started; empty when it died or got stuck before."""
    ready, _, _ = select.select([stdout], [], [], START_SECONDS)
    line = stdout.readline() if ready else ""
    answer: dict[str, str] = json.loads(line) if line.startswith("{") else {}
    return answer


def _stop(process: subprocess.Popen[str]) -> None:
    """End the server and everything that it started: politely first, then not."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
