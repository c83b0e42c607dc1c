"""The errors, the exit codes and the waiting that both commands share."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import pulumi
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
)
from rich.console import Console

from emulator import EmulatorError
from emulator.deployer.errors import DeploymentError
from emulator.personalize.timeline import Duration, FixedTimings
from retrain.rehearsal.errors import FailedError, RehearsalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emulator import Emulator

PROJECT_DIR = Path(__file__).resolve().parents[2]
TIMINGS = FixedTimings(jobs=Duration(pending=1, in_progress=2))
"""Seconds that a job takes in the emulator. The service takes minutes to hours."""
POLL_SECONDS = 0.2

EXIT_FAILED = 1
EXIT_UNUSABLE = 2
UNUSABLE_ERRORS = (pulumi.RunError, DeploymentError, EmulatorError, RehearsalError)
"""The errors of a stack or an emulator that cannot be used."""
ERRORS = (*UNUSABLE_ERRORS, BotoCoreError, ClientError, FailedError, OSError)
"""All errors that end a command with a message."""
CONNECTION_ERRORS = (URLError, ConnectionError, HTTPClientError, EndpointConnectionError)


def print_error(error: Exception) -> int:
    """Print one of ERRORS to stderr. Return the exit code of the command."""
    message = f"{error}"
    if isinstance(error, CONNECTION_ERRORS):
        message = f"the emulator does not answer ({error}); start the command again"
    elif isinstance(error, OSError):
        message = f"{error}; check the disk, and TMPDIR, the folder for temporary files"
    Console(stderr=True, soft_wrap=True).print(message, highlight=False, markup=False)
    return EXIT_UNUSABLE if isinstance(error, UNUSABLE_ERRORS) else EXIT_FAILED


@contextmanager
def until_interrupted(
    emulator: Emulator, while_waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Run the block, and then call `while_waiting` again and again until Ctrl-C or SIGTERM.

    A signal does not interrupt the block or a call, but ends the waiting. Raises FailedError if
    the emulator dies first.
    """
    stop = threading.Event()
    handlers = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
        while emulator.alive() and not stop.wait(POLL_SECONDS):
            while_waiting()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if not stop.is_set():
        raise FailedError("the emulator ended unexpectedly; start the command again")
