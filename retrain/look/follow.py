"""Follows a run until it ends or the user leaves it."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from botocore import exceptions

from functions import clock
from retrain.account.errors import AWS_ERRORS, OperatorError, aws_error
from retrain.look.jobs import RunProgress
from retrain.look.runs import describe
from retrain.look.watch_screen import screen_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import (
        DescribeExecutionOutputTypeDef,
        HistoryEventTypeDef,
    )
    from rich.console import Console

    from retrain.account.target import Target
    from retrain.look.runs import Execution
    from retrain.look.watch_screen import Screen

POLL_SECONDS = 5
"""A job is noticed as soon as the workflow notices it. Both requests are free of charge."""
PAGE_SIZE = 200
"""The number of events in a request. A busy run adds fewer between two polls."""
NO_RESPONSE_ERRORS = (exceptions.ConnectionError, exceptions.HTTPClientError)


class Followed(NamedTuple):
    """An execution that has ended, or that the user has left."""

    progress: RunProgress
    described: DescribeExecutionOutputTypeDef | None
    """The execution after its end, or None if the user has left it."""


def follow(target: Target, execution: Execution, console: Console | None) -> Followed:
    """Show what a run does until it ends, or until Ctrl-C or SIGTERM.

    Without a console nothing is shown. While AWS does not respond, the requests are repeated.
    Raises OperatorError if AWS refuses a request, for example because the credentials expire.
    """
    progress = RunProgress()
    with screen_for(console, execution) as screen, exit_by_signal():
        try:
            return Followed(progress, _described_at_end(target, execution, progress, screen))
        except SystemExit:
            return Followed(progress, None)


def _described_at_end(
    target: Target, execution: Execution, progress: RunProgress, screen: Screen
) -> DescribeExecutionOutputTypeDef:
    """Show what a run does until it ends. Return the execution after its end."""
    client, last_event = target.access.step_functions, 0
    while True:
        try:
            # The status is read first, so that no event is missed when the execution ends.
            described = describe(client, execution.arn)
            for event in events_after(client, execution.arn, last_event):
                progress.read(event)
                last_event = event["id"]
        except NO_RESPONSE_ERRORS as error:
            screen.note(f"{aws_error(error)}; trying again")
        except AWS_ERRORS as error:
            raise OperatorError(
                f"{aws_error(error)}; the run goes on: "
                f"`{target.command('watch', '--run', execution.name)}` shows it again"
            ) from error
        else:
            screen.show(progress, clock.now())
            if described["status"] != "RUNNING":
                return described
        clock.sleep(POLL_SECONDS)


def events_after(client: SFNClient, arn: str, last_event: int) -> list[HistoryEventTypeDef]:
    """Return the events of an execution after the event with this id, in their order.

    The history is read backwards, so that old events are not read again.
    """
    newest_first: list[HistoryEventTypeDef] = []
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=arn,
        reverseOrder=True,
        includeExecutionData=True,
        PaginationConfig={"PageSize": PAGE_SIZE},
    )
    for page in pages:
        newest_first += [event for event in page["events"] if event["id"] > last_event]
        if not page["events"] or page["events"][-1]["id"] <= last_event:
            break
    return newest_first[::-1]


@contextmanager
def exit_by_signal() -> Iterator[None]:
    """Raise SystemExit at Ctrl-C and SIGTERM, also while a request waits for its response."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
