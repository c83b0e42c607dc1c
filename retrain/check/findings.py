"""Defines the findings that checks yield, and the account that they read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from functions.common.messages import add_pipeline_options
from functions.planning.plan_run import read_view
from functions.run.execution_data import identify_run
from retrain.account.function_clients import redirect_function_clients
from retrain.account.option_words import build_placeholder_execution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.common.messages import Message
    from functions.contract import RunRequest
    from functions.planning.plan_run import RunView
    from retrain.check.examined_pipeline import ExaminedPipeline

MAX_SHOWN_TEXTS = 3
Level: TypeAlias = Literal["ok", "warn", "missing"]
"""Only `missing` makes `doctor` exit with a non-zero exit code."""


class Finding(NamedTuple):
    """A result of a check, which `doctor` prints as one line."""

    level: Level
    text: str
    command: str | None = None
    """A shell command that repairs the problem, if there is one."""


def build_finding(level: Level, message: Message, pipeline_options: Sequence[str]) -> Finding:
    """Turn a message from the pipeline's functions into a finding.

    The functions don't know which command-line options select the pipeline, so we add these options
    to the command in the message.
    """
    command = message.get("command")
    if command is not None:
        command = add_pipeline_options(command, pipeline_options)
    return Finding(level, message["text"], command)


def shorten_list(texts: Sequence[str]) -> list[str]:
    """Keep the first texts, and replace the others by a count, such as `5 more`, to save space."""
    shown = list(texts[:MAX_SHOWN_TEXTS])
    hidden_count = len(texts) - len(shown)
    if hidden_count:
        shown.append(f"{hidden_count} more")
    return shown


@dataclass(frozen=True)
class Account:
    """The input of every check: a pipeline and its AWS account.

    Data that several checks need is read only once, in cached properties.
    """

    pipeline: ExaminedPipeline
    caller_arn: str
    """The user, role or session whose credentials `doctor` uses."""
    now: datetime

    def client(self, service: str) -> Any:  # noqa: ANN401  # as in Access
        """Create a boto3 client in the pipeline's region."""
        return self.pipeline.access.client(service)

    def report_resource(self, name: str, problem: str | None) -> Finding:
        """Build a finding for a resource: ok, or with a problem that a deployment would solve.

        `problem` comes after the name in the finding's text, for example `does not exist`.
        """
        if problem is None:
            return Finding("ok", name)
        return Finding("missing", f"{name} {problem}", self.pipeline.deploy_command)

    @cached_property
    def run_view(self) -> RunView:
        """What a run would read in order to plan its work, if it started now.

        If some of today's daily exports don't exist yet, we read those of yesterday instead.
        """
        today_view = self._read_run_view({})
        daily_datasets = [
            dataset for dataset in today_view.datasets if dataset.dataset_settings["day"]
        ]
        if all(dataset.export.objects for dataset in daily_datasets):
            return today_view

        # With `exportDate`, the guards against old and small exports would stay silent, because a
        # person uses it to request an old export on purpose. So request the `day` instead.
        yesterday = self.now.date() - timedelta(days=1)
        return self._read_run_view({"day": yesterday.isoformat()})

    def _read_run_view(self, request: RunRequest) -> RunView:
        """Read what the plan function would read in a run with this request."""
        run = identify_run(build_placeholder_execution(request))
        with redirect_function_clients(self.pipeline.access) as client:
            return read_view(client, self.pipeline.settings, run)
