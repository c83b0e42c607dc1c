"""What a check has found, and what all checks read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from functions.executions import run_of
from functions.planning.plan_run import read_view
from retrain.account.function_clients import function_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.contract import Request
    from functions.planning.plan_run import RunView
    from retrain.account.access import Access
    from retrain.check.examined_pipeline import ExaminedPipeline

Level: TypeAlias = Literal["ok", "warn", "missing"]


class Finding(NamedTuple):
    """One line of the result. `fix` is the command, or what to do, if something is not ok."""

    level: Level
    text: str
    fix: str | None = None


@dataclass(frozen=True)
class Account:
    """The pipeline that is examined, in its account. What several checks need is read once."""

    pipeline: ExaminedPipeline
    caller: str
    """The ARN of the caller."""
    now: datetime

    @property
    def access(self) -> Access:
        """The access in the region of the pipeline."""
        return self.pipeline.access

    @cached_property
    def view(self) -> RunView:
        """What the plan function would find. Exports of yesterday count if today's are missing."""
        today = self._view({})
        if not _lacks_dated_export(today):
            return today
        yesterday = (self.now - timedelta(days=1)).date().isoformat()
        return self._view({"exportDate": yesterday})

    def _view(self, request: Request) -> RunView:
        """Return what the plan function would find for an input."""
        settings = self.pipeline.settings
        run = run_of(
            {
                "request": request,
                "executionArn": "arn:aws:states:::execution:none:doctor",
                "startedAt": self.now.isoformat(),
            }
        )
        with function_clients(self.access) as client:
            return read_view(client, settings, run)


def _lacks_dated_export(view: RunView) -> bool:
    """Return True if an export of the day of the run is not written yet."""
    return any(item.dataset["day"] and not item.export.objects for item in view.datasets)


class Check(NamedTuple):
    """A check with its title. It yields one finding or more."""

    title: str
    run: Callable[[Account], Iterator[Finding]]
