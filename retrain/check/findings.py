"""What a check finds, and what the checks read of an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from functions.common.messages import add_pipeline_options
from functions.planning.plan_run import read_view
from functions.run.execution_data import identify_run
from retrain.account.function_clients import function_clients
from retrain.account.option_words import imagine_execution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.common.messages import Message
    from functions.contract import RunRequest
    from functions.planning.plan_run import RunView
    from retrain.check.examined_pipeline import ExaminedPipeline

SHOWN_TEXTS = 3
Level: TypeAlias = Literal["ok", "warn", "missing"]


class Finding(NamedTuple):
    """One line of the result, and the command that mends what is not ok, if there is one."""

    level: Level
    text: str
    command: str | None = None


def build_finding(level: Level, message: Message, pipeline_options: Sequence[str]) -> Finding:
    """Build a finding from a message of the functions, which don't know the pipeline's options."""
    command = message.get("command")
    if command is not None:
        command = add_pipeline_options(command, pipeline_options)
    return Finding(level, message["text"], command)


def abridge(texts: Sequence[str]) -> list[str]:
    """Keep the first texts of a long list, and count the others, to fit them into a line."""
    shown = list(texts[:SHOWN_TEXTS])
    hidden_count = len(texts) - len(shown)
    if hidden_count:
        shown.append(f"{hidden_count} more")
    return shown


@dataclass(frozen=True)
class Account:
    """The pipeline that is examined, and its account. What several checks need is read once."""

    pipeline: ExaminedPipeline
    caller: str
    """The ARN of the caller."""
    now: datetime

    def client(self, service: str) -> Any:  # noqa: ANN401  # as in Access
        """Create boto3's client of a service in the region of the pipeline."""
        return self.pipeline.access.client(service)

    def judge(self, name: str, problem: str | None) -> Finding:
        """Judge a resource by its problem, if it has one. A deployment solves the problem."""
        if problem is None:
            return Finding("ok", name)
        return Finding("missing", f"{name} {problem}", self.pipeline.deploy_command)

    @cached_property
    def view(self) -> RunView:
        """What the plan function would find. Exports of yesterday count if today's are missing.

        The input of that plan has `day` and not `exportDate`, by which a person asks for an old
        export on purpose, because then the guards against old and small exports would be silent.
        """
        view_of_today = self._read_view({})
        daily_datasets = [
            dataset for dataset in view_of_today.datasets if dataset.dataset_settings["day"]
        ]
        if all(dataset.export.objects for dataset in daily_datasets):
            return view_of_today

        yesterday = self.now.date() - timedelta(days=1)
        return self._read_view({"day": yesterday.isoformat()})

    def _read_view(self, request: RunRequest) -> RunView:
        """Read what the plan function would find for the input of a run."""
        run = identify_run(imagine_execution(request))
        with function_clients(self.pipeline.access) as client:
            return read_view(client, self.pipeline.settings, run)
