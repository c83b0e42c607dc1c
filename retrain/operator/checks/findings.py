"""What a check has found, and what all checks read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from functions.executions import DATE, run_of
from functions.planning.situation import datasets_to_import, situation_of, solutions_to_train
from functions.planning.world import read_world
from retrain.operator.function_clients import function_clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from functions.contract import Request
    from functions.planning.situation import Situation
    from retrain.operator.access import Access
    from retrain.operator.examined_pipeline import ExaminedPipeline

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
    def situation(self) -> Situation:
        """What the plan function would find. Exports of yesterday count if today's are missing."""
        today = self._situation({})
        if not _lacks_dated_export(today):
            return today
        yesterday = (self.now - timedelta(days=1)).date().isoformat()
        return self._situation({"exportDate": yesterday})

    def _situation(self, request: Request) -> Situation:
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
            world = read_world(
                client,
                settings,
                run,
                datasets=datasets_to_import(settings, run),
                solutions=solutions_to_train(settings, run),
            )
        return situation_of(settings, run, world)


def _lacks_dated_export(situation: Situation) -> bool:
    """Return True if an export of the day of the run is not written yet."""
    dated = {
        dataset["datasetArn"]
        for dataset in situation.settings["datasets"]
        if DATE in dataset["dataLocation"]
    }
    return any(not situation.world.exports[arn].objects for arn in dated)


class Check(NamedTuple):
    """A check with its title. It yields one finding or more."""

    title: str
    run: Callable[[Account], Iterator[Finding]]
