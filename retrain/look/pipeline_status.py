"""Reads the status of a pipeline from AWS.

Requests that don't depend on each other's responses are sent at the same time, in threads, because
boto3 has no asynchronous client.
"""

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
from functions.personalize.lists import list_recommenders
from functions.personalize.tags import read_tags
from functions.personalize.trainings import list_untagged_versions, read_metrics
from functions.run.execution_data import identify_run, parse_request, parse_scheduled_time
from retrain.account.access import read_if_exists
from retrain.account.errors import AWS_ERRORS, OperatorError, explain_aws_error
from retrain.account.triggers import find_schedule, find_trigger
from retrain.look.run_events import EventReader
from retrain.look.run_view import ShownRun
from retrain.look.runs import list_latest_executions, parse_execution
from retrain.look.version_metrics import MeasuredVersion, choose_metric
from retrain.look.versions import find_request_expiry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_events.type_defs import RuleTypeDef
    from mypy_boto3_personalize.type_defs import RecommenderSummaryTypeDef
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from functions.contract import ApprovalSettings, Settings, SolutionSettings
    from functions.report.model import Report
    from functions.rules.campaigns import CampaignState
    from retrain.account.target import Target
    from retrain.look.runs import Execution

MAX_CONCURRENT_REQUESTS = 10
"""The size of botocore's connection pool. More threads would have to wait for a connection."""
REQUESTS_PER_SOLUTION = 25
"""A refresh of the whole status may take this many requests for each solution."""
PIPELINE_REQUESTS = 9
"""The requests that aren't about a solution, if one run is in progress: one for the state machine,
two for the schedule, one for the alarms, one for the list of runs, and four for runs."""
TRIGGER_REQUESTS = 2
"""The additional requests if there's an event rule for new exports."""
CAMPAIGN_REQUESTS = 2
"""A campaign takes two requests, because its description doesn't include its tags."""
SHOWN_RUNS = 3
"""How many finished runs are shown."""
MAX_SHOWN_VERSIONS = 10
"""The most versions of a solution whose metric is shown."""
APPROVAL_CANDIDATES = 2
"""How many of a solution's newest versions are checked for an open approval request."""

Value = TypeVar("Value")
Argument = TypeVar("Argument")


class RingingAlarm(NamedTuple):
    """One of the pipeline's alarms that is in the state ALARM."""

    name: str
    """The name as in the documentation, for example `run-failed`."""
    since: datetime


class WaitingVersion(NamedTuple):
    """A version that is waiting for a person's approval."""

    arn: str
    until: datetime


class SolutionStatus(NamedTuple):
    """A solution with its newest versions and its campaigns."""

    arn: str
    metric: str
    versions: Sequence[MeasuredVersion]
    """The newest ACTIVE versions, newest first."""
    creation_times: Mapping[str, datetime]
    """ARN of each ACTIVE version, including those too old for `versions` -> its creation time."""
    waiting_versions: Sequence[WaitingVersion]
    campaigns: dict[str, CampaignState | OperatorError | None]
    """None if the campaign doesn't exist."""


class PipelineStatus(NamedTuple):
    """What `status` shows. A section that couldn't be read is replaced by the error."""

    read_at: datetime
    schedule: GetScheduleOutputTypeDef | OperatorError | None
    trigger: RuleTypeDef | OperatorError | None
    runs: Sequence[ShownRun] | OperatorError
    """The runs in progress, then the latest finished ones."""
    alarms: Sequence[RingingAlarm] | OperatorError
    solutions: Sequence[SolutionStatus] | OperatorError
    recommenders: Sequence[RecommenderSummaryTypeDef] | OperatorError
    """Empty if the pipeline has solutions."""


class StatusReader:
    """Reads the status of a pipeline, from scratch at each call.

    Only the metrics of versions are cached, because they never change.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._personalize = target.access.personalize
        self._read_metrics = cache(partial(read_metrics, self._personalize))

    def read(self) -> PipelineStatus:
        """Read everything that `status` shows."""
        return _run_in_threads(self._read())

    def read_solutions(self, version_count: int) -> list[SolutionStatus]:
        """Read only the solutions, with the metric of their `version_count` newest versions."""
        return _run_in_threads(self._read_solutions(version_count))

    async def _read(self) -> PipelineStatus:
        target = self._target
        version_count = choose_version_count(target.settings)

        schedule, trigger, runs, alarms, solutions, recommenders = await asyncio.gather(
            _capture_error(to_thread(find_schedule, target)),
            _capture_error(to_thread(find_trigger, target)),
            _capture_error(_read_runs(target)),
            _capture_error(to_thread(_read_ringing_alarms, target)),
            _capture_error(self._read_solutions(version_count)),
            _capture_error(to_thread(list_recommenders, self._personalize, target.settings)),
        )
        return PipelineStatus(clock.now(), schedule, trigger, runs, alarms, solutions, recommenders)

    async def _read_solutions(self, version_count: int) -> list[SolutionStatus]:
        solutions = self._target.settings["solutions"]
        reads = (self._read_solution(solution, version_count) for solution in solutions)
        return await asyncio.gather(*reads)

    async def _read_solution(
        self, solution: SolutionSettings, version_count: int
    ) -> SolutionStatus:
        arn = solution["solutionArn"]
        # Start reading the campaigns now, while the versions are being read below.
        campaigns = asyncio.create_task(self._read_campaigns(solution))

        creation_times = await to_thread(self._read_creation_times, arn)
        newest_arns = [*creation_times]
        metric = choose_metric(solution)
        values = await self._read_metric(metric, newest_arns[:version_count])
        return SolutionStatus(
            arn=arn,
            metric=metric,
            versions=[
                MeasuredVersion(version_arn, creation_times[version_arn], value)
                for version_arn, value in values.items()
            ],
            creation_times=creation_times,
            waiting_versions=await self._read_waiting_versions(
                solution["approval"], newest_arns[:APPROVAL_CANDIDATES]
            ),
            campaigns=await campaigns,
        )

    def _read_creation_times(self, solution_arn: str) -> dict[str, datetime]:
        """Map the ARN of each ACTIVE version to its creation time, newest first."""
        versions = list_untagged_versions(self._personalize, solution_arn)
        return {version.arn: version.created_at for version in versions if version.is_active}

    async def _read_metric(
        self, metric: str, version_arns: Sequence[str]
    ) -> dict[str, float | None]:
        """Read a metric of each version. It's None if Personalize hasn't computed it."""
        metrics = await _read_each(self._read_metrics, version_arns)
        return {arn: values.get(metric) for arn, values in metrics.items()}

    async def _read_campaigns(
        self, solution: SolutionSettings
    ) -> dict[str, CampaignState | OperatorError | None]:
        """Read the state of each campaign.

        The value is None for a campaign that doesn't exist, and the error for one that can't be
        read, so that the screen still shows the others.
        """
        arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        read_state = partial(
            read_if_exists,
            read_campaign_state,
            client=self._personalize,
            solution_arn=solution["solutionArn"],
        )
        reads = (_capture_error(to_thread(read_state, campaign_arn=arn)) for arn in arns)
        return dict(zip(arns, await asyncio.gather(*reads), strict=True))

    async def _read_waiting_versions(
        self, settings: ApprovalSettings | None, version_arns: Sequence[str]
    ) -> list[WaitingVersion]:
        """Find the versions with an open approval request, if the solution requires approval."""
        if settings is None:
            return []

        tags_by_arn = await _read_each(partial(read_tags, self._personalize), version_arns)
        waiting_versions = []
        for version_arn, tags in tags_by_arn.items():
            expires_at = find_request_expiry(tags, settings)
            if expires_at is not None:
                waiting_versions.append(WaitingVersion(version_arn, expires_at))
        return waiting_versions


def choose_version_count(settings: Settings) -> int:
    """Choose for how many versions of each solution to read the metric.

    Each version takes a request. Old versions matter less than campaigns, so the more campaigns
    there are, the fewer versions are read. With five campaigns, which is the most that the config
    allows, it's still one.
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
            request_count += APPROVAL_CANDIDATES

    spare_requests = REQUESTS_PER_SOLUTION * len(solutions) - request_count
    return min(spare_requests // len(solutions), MAX_SHOWN_VERSIONS)


def read_last_reports(target: Target) -> list[Report]:
    """Read the reports of the latest finished runs, newest first.

    Failed runs are left out, because a report is the output of an execution, and a failed one has
    no output.
    """
    executions = list_latest_executions(target)
    finished = [execution for execution in executions if not execution.is_running]
    runs = _run_in_threads(_read_each(partial(_read_finished, target), finished))
    return [run.report for run in runs.values() if run.report]


def _run_in_threads(coroutine: Coroutine[None, None, Value]) -> Value:
    """Run a coroutine that sends its requests with `to_thread()`, and return its result."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS))
        return runner.run(coroutine)


async def _read_each(
    read: Callable[[Argument], Value], arguments: Sequence[Argument]
) -> dict[Argument, Value]:
    """Call `read` with each argument, in parallel, and map the arguments to the results."""
    results = await asyncio.gather(*(to_thread(read, argument) for argument in arguments))
    return dict(zip(arguments, results, strict=True))


async def _capture_error(request: Awaitable[Value]) -> Value | OperatorError:
    """Wait for a request, and return an error from AWS instead of raising it.

    Otherwise, a single missing permission would prevent the whole screen.
    """
    try:
        return await request
    except AWS_ERRORS as error:
        return explain_aws_error(error)


async def _read_runs(target: Target) -> list[ShownRun]:
    """Read all runs in progress and the latest finished ones."""
    executions = await to_thread(list_latest_executions, target)
    running = [execution for execution in executions if execution.is_running]
    finished = [execution for execution in executions if not execution.is_running]

    running_runs, finished_runs = await asyncio.gather(
        _read_each(partial(_read_running, target), running),
        _read_each(partial(_read_finished, target), finished[:SHOWN_RUNS]),
    )
    return [*running_runs.values(), *finished_runs.values()]


def _read_running(target: Target, execution: Execution) -> ShownRun:
    """Read a run in progress from the history of its execution, because it has no report yet."""
    run = ShownRun(execution, target.options)
    EventReader(target.access.step_functions, run).read_new_events()
    return run


def _read_finished(target: Target, execution: Execution) -> ShownRun:
    """Read a finished run from the report in its output or, if it has none, from its input.

    The history of the execution would tell more, but it'd take another request for each run.
    """
    described = target.access.step_functions.describe_execution(executionArn=execution.arn)
    run = ShownRun(parse_execution(described), target.options)

    if "output" in described:
        run.apply_report(json.loads(described["output"])["report"])
    else:
        run.run_id = _derive_run_id(execution, described["input"])
    return run


def _derive_run_id(execution: Execution, execution_input: str) -> str | None:
    """Derive the ID of a scheduled run from its execution's input.

    For any other run, return None, because its ID is the name of its execution or doesn't follow
    from the input.
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
        RingingAlarm(
            # Pulumi adds a random suffix to the names of alarms.
            name=alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0],
            since=alarm["StateTransitionedTimestamp"],
        )
        for alarm in response["MetricAlarms"]
        # An alarm of `movies-test` also has the prefix of `movies`, but another topic.
        if target.settings["notifications"]["topicArn"] in alarm["AlarmActions"]
    ]
