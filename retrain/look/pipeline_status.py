"""Reads what `status` shows: everything at once that doesn't depend on another response."""

from __future__ import annotations

import asyncio
import json
from asyncio import to_thread
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from functions.common import clock
from functions.contract import pipeline_name
from functions.personalize.campaigns import read_campaign_state
from functions.personalize.tags import read_tags
from functions.personalize.trainings import list_untagged_versions, read_metrics
from functions.run.execution_data import identify_run, parse_request, parse_scheduled_time
from retrain.account.access import read_if_exists
from retrain.account.errors import AWS_ERRORS, OperatorError, aws_error
from retrain.account.triggers import find_schedule, find_trigger
from retrain.look.measured import MeasuredVersion, choose_metric
from retrain.look.run_events import EventReader
from retrain.look.run_view import ShownRun
from retrain.look.runs import list_latest_executions, parse_execution
from retrain.look.versions import find_open_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_events.type_defs import RuleTypeDef
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from functions.contract import ApprovalSettings, Settings, SolutionSettings
    from functions.report.model import Report
    from functions.rules.campaigns import CampaignState
    from retrain.account.target import Target
    from retrain.look.runs import Execution

THREADS = 10
"""The number of requests at a time, because botocore keeps as many connections of a client."""
MAX_REQUESTS = 25
"""The most requests for each solution, including those of PIPELINE_REQUESTS."""
PIPELINE_REQUESTS = 9
"""The requests about a pipeline without its solutions, if one run is under way: the state machine,
two for the schedule, the alarms, the list of the runs, and four runs."""
TRIGGER_REQUESTS = 2
"""The requests about the event rule for new exports, if there is one."""
CAMPAIGN_REQUESTS = 2
"""Personalize describes one campaign at a time, and returns its tags separately."""
SHOWN_RUNS = 3
"""How many of the last runs that have ended are shown."""
SHOWN_VERSIONS = 10
"""The most versions of a solution whose metric is shown."""
ASKED_VERSIONS = 2
"""How many of the newest versions may be waiting for approval: the last two that were trained."""

Value = TypeVar("Value")
Argument = TypeVar("Argument")


class RingingAlarm(NamedTuple):
    """An alarm of the pipeline in the state ALARM."""

    name: str
    """The name as in the guide, like `run-failed`."""
    since: datetime


class WaitingVersion(NamedTuple):
    """A version that is waiting for a person's approval."""

    arn: str
    until: datetime


class SolutionStatus(NamedTuple):
    """The last versions of a solution, and its campaigns."""

    arn: str
    metric: str
    versions: Sequence[MeasuredVersion]
    """The newest comes first."""
    created: Mapping[str, datetime]
    """The ARN of each ACTIVE version, however old -> the start of its training."""
    waiting: Sequence[WaitingVersion]
    campaigns: dict[str, CampaignState | OperatorError | None]
    """None if the campaign doesn't exist."""


class PipelineStatus(NamedTuple):
    """What `status` shows. A part that can't be read is the error instead."""

    read_at: datetime
    schedule: GetScheduleOutputTypeDef | OperatorError | None
    trigger: RuleTypeDef | OperatorError | None
    runs: Sequence[ShownRun] | OperatorError
    """The runs that are under way, then the last ones that have ended."""
    alarms: Sequence[RingingAlarm] | OperatorError
    solutions: Sequence[SolutionStatus] | OperatorError


class StatusReader:
    """Reads the status of a pipeline, as often as it is asked to.

    The metrics of a version never change, so they are read once.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._personalize = target.access.personalize
        self._read_metrics = cache(partial(read_metrics, self._personalize))

    def read(self) -> PipelineStatus:
        """Read everything that the screen shows."""
        return _run_in_threads(self._read())

    def read_solutions(self, version_count: int) -> list[SolutionStatus]:
        """Read only the solutions, with so many of their newest versions."""
        return _run_in_threads(self._read_solutions(version_count))

    async def _read(self) -> PipelineStatus:
        target = self._target
        version_count = choose_version_count(target.settings)

        schedule, trigger, runs, alarms, solutions = await asyncio.gather(
            _capture_error(to_thread(find_schedule, target)),
            _capture_error(to_thread(find_trigger, target)),
            _capture_error(_read_runs(target)),
            _capture_error(to_thread(_read_ringing_alarms, target)),
            _capture_error(self._read_solutions(version_count)),
        )
        return PipelineStatus(clock.now(), schedule, trigger, runs, alarms, solutions)

    async def _read_solutions(self, version_count: int) -> list[SolutionStatus]:
        solutions = self._target.settings["solutions"]
        reads = (self._read_solution(solution, version_count) for solution in solutions)
        return await asyncio.gather(*reads)

    async def _read_solution(
        self, solution: SolutionSettings, version_count: int
    ) -> SolutionStatus:
        arn = solution["solutionArn"]
        # The campaigns are read at the same time as the versions.
        campaigns = asyncio.create_task(self._read_campaigns(solution))

        created = await to_thread(self._list_active_versions, arn)
        newest_arns = [*created]
        metric = choose_metric(solution)
        values = await self._read_metric(metric, newest_arns[:version_count])
        return SolutionStatus(
            arn=arn,
            metric=metric,
            versions=[MeasuredVersion(arn, created[arn], value) for arn, value in values.items()],
            created=created,
            waiting=await self._read_waiting(solution["approval"], newest_arns[:ASKED_VERSIONS]),
            campaigns=await campaigns,
        )

    def _list_active_versions(self, solution_arn: str) -> dict[str, datetime]:
        """List the ACTIVE versions, newest first, and when the training of each began."""
        versions = list_untagged_versions(self._personalize, solution_arn)
        return {version.arn: version.created_at for version in versions if version.is_active}

    async def _read_metric(
        self, metric: str, version_arns: Sequence[str]
    ) -> dict[str, float | None]:
        """Read a metric of each version. It is None where Personalize hasn't computed it."""
        metrics = await _read_each(self._read_metrics, version_arns)
        return {arn: values.get(metric) for arn, values in metrics.items()}

    async def _read_campaigns(
        self, solution: SolutionSettings
    ) -> dict[str, CampaignState | OperatorError | None]:
        """Read the state of each campaign. Another campaign's error or absence is no obstacle."""
        arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        read = partial(
            read_if_exists,
            read_campaign_state,
            client=self._personalize,
            solution_arn=solution["solutionArn"],
        )
        reads = (_capture_error(to_thread(read, campaign_arn=arn)) for arn in arns)
        return dict(zip(arns, await asyncio.gather(*reads), strict=True))

    async def _read_waiting(
        self, settings: ApprovalSettings | None, version_arns: Sequence[str]
    ) -> list[WaitingVersion]:
        """Find the versions that are waiting for a person's approval."""
        if settings is None:
            return []

        tags_by_arn = await _read_each(partial(read_tags, self._personalize), version_arns)
        waiting = []
        for version_arn, tags in tags_by_arn.items():
            expires_at = find_open_request(tags, settings)
            if expires_at is not None:
                waiting.append(WaitingVersion(version_arn, expires_at))
        return waiting


def choose_version_count(settings: Settings) -> int:
    """Choose of how many versions of each solution the metric is read.

    Each takes a request. Old versions matter less than campaigns, so the more campaigns there are,
    the fewer versions are shown. With the five that the config allows, there is still one.
    """
    solutions = settings["solutions"]
    if not solutions:
        return 0

    request_count = PIPELINE_REQUESTS
    if settings.get("triggerOnExport"):
        request_count += TRIGGER_REQUESTS
    for solution in solutions:
        request_count += 1 + CAMPAIGN_REQUESTS * len(solution["campaigns"])
        if solution["approval"]:
            request_count += ASKED_VERSIONS

    spare_requests = MAX_REQUESTS * len(solutions) - request_count
    return min(spare_requests // len(solutions), SHOWN_VERSIONS)


def read_last_reports(target: Target) -> list[Report]:
    """Read the reports of the last runs, newest first. A run that failed has none in its output."""
    ended = [execution for execution in list_latest_executions(target) if not execution.is_running]
    runs = _run_in_threads(_read_each(partial(_read_ended, target), ended))
    return [run.report for run in runs.values() if run.report]


def _run_in_threads(read: Coroutine[None, None, Value]) -> Value:
    """Run a coroutine whose requests share THREADS threads."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS))
        return runner.run(read)


async def _read_each(
    read: Callable[[Argument], Value], arguments: Sequence[Argument]
) -> dict[Argument, Value]:
    """Call a function with each argument, all at once. The results have the arguments' order."""
    results = await asyncio.gather(*(to_thread(read, argument) for argument in arguments))
    return dict(zip(arguments, results, strict=True))


async def _capture_error(request: Awaitable[Value]) -> Value | OperatorError:
    """Wait for a part of the screen. AWS's error takes its place, so that the rest is shown."""
    try:
        return await request
    except AWS_ERRORS as error:
        return aws_error(error)


async def _read_runs(target: Target) -> list[ShownRun]:
    """Read the runs that are under way from their events, and the last ended ones from reports."""
    executions = await to_thread(list_latest_executions, target)
    running = [execution for execution in executions if execution.is_running]
    ended = [execution for execution in executions if not execution.is_running]

    running_runs, ended_runs = await asyncio.gather(
        _read_each(partial(_read_running, target), running),
        _read_each(partial(_read_ended, target), ended[:SHOWN_RUNS]),
    )
    return [*running_runs.values(), *ended_runs.values()]


def _read_running(target: Target, execution: Execution) -> ShownRun:
    run = ShownRun(execution, target.options)
    EventReader(target.access.step_functions, run).read_new_events()
    return run


def _read_ended(target: Target, execution: Execution) -> ShownRun:
    """Read a run with one request: from its report or, if it has none, from its input.

    Its events would have more, but they take another request for each run.
    """
    described = target.access.step_functions.describe_execution(executionArn=execution.arn)
    run = ShownRun(parse_execution(described), target.options)

    if "output" in described:
        run.read_report(json.loads(described["output"])["report"])
    else:
        run.run_id = _derive_run_id(execution, described["input"])
    return run


def _derive_run_id(execution: Execution, execution_input: str) -> str | None:
    """Derive the ID of a scheduled run from its input.

    Another run has the name of its execution as its ID, or one that its input doesn't show.
    """
    request = parse_request(json.loads(execution_input))
    if parse_scheduled_time(request) is None:
        return None

    run = identify_run(
        {
            "request": request,
            "executionArn": execution.arn,
            "startedAt": execution.started_at.isoformat(),
        }
    )
    return run["id"]


def _read_ringing_alarms(target: Target) -> list[RingingAlarm]:
    prefix = f"{pipeline_name(target.settings)}-"
    client = target.access.client("cloudwatch")
    response = client.describe_alarms(AlarmNamePrefix=prefix, StateValue="ALARM")

    return [
        # Pulumi adds a suffix to the names of alarms.
        RingingAlarm(
            alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0],
            alarm["StateTransitionedTimestamp"],
        )
        for alarm in response["MetricAlarms"]
        # The name of another stack may begin with that of this one.
        if target.settings["notifications"]["topicArn"] in alarm["AlarmActions"]
    ]
