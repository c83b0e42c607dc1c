"""Reads the status of a pipeline from AWS.

Requests that don't depend on each other's responses are sent at the same time, in threads, because
boto3 has no asynchronous client.
"""

from __future__ import annotations

from asyncio import Runner, gather, to_thread
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from functions.common import clock
from functions.constants import NDCG
from functions.contract import pipeline_name
from functions.personalize.campaigns import read_campaign_state
from functions.personalize.lists import list_recommenders
from functions.personalize.tags import read_tags
from functions.personalize.trainings import list_untagged_versions, read_metrics
from functions.rules.campaigns import CampaignState
from retrain.account.access import read_if_exists
from retrain.account.errors import AWS_ERRORS, OperatorError, explain_aws_error
from retrain.account.triggers import find_schedule, find_trigger
from retrain.look.run_events import read_run
from retrain.look.runs import list_latest_executions
from retrain.look.versions import find_request_expiry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from datetime import datetime

    from mypy_boto3_personalize.type_defs import RecommenderSummaryTypeDef
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from functions.contract import SolutionSettings
    from retrain.account.target import Target
    from retrain.look.run_view import ShownRun

MAX_CONCURRENT_REQUESTS = 10
"""The size of botocore's connection pool. More threads would have to wait for a connection."""
MAX_MEASURED_VERSIONS = 10
"""For how many versions of a solution `status` reads the metric at most."""
SPARE_REQUESTS = 13
"""How many requests are left for a solution's metrics, campaigns and approvals.

A refresh of the whole status may take 25 requests for each solution, of which one lists its
versions. Even if there's only one solution, eleven aren't about it, while one run is in progress:
one for the state machine, two for the schedule, two for the event rule of new exports, one for the
alarms, one for the list of runs, and four for runs."""
CAMPAIGN_REQUESTS = 2
"""A campaign takes two requests, because its description doesn't include its tags."""
SHOWN_RUNS = 3
"""How many finished runs are shown."""
APPROVAL_CANDIDATES = 2
"""How many of a solution's newest versions are checked for an open approval request."""

Value = TypeVar("Value")
Argument = TypeVar("Argument")


class MeasuredVersion(NamedTuple):
    """A solution version and one of its metrics."""

    arn: str
    created_at: datetime
    value: float | None
    """The metric, or None if it wasn't read, or if Personalize hasn't computed it."""


class RingingAlarm(NamedTuple):
    """One of the pipeline's alarms that is in the state ALARM."""

    name: str
    """The name as in the documentation, for example `run-failed`."""
    since: datetime


class WaitingVersion(NamedTuple):
    """A version that is waiting for a person's approval."""

    arn: str
    until: datetime


class CampaignStatus(NamedTuple):
    """A campaign, and what has become of reading it."""

    arn: str
    state: CampaignState | OperatorError | None
    """None if the campaign doesn't exist, or the error if it couldn't be read."""


class SolutionStatus(NamedTuple):
    """A solution with its ACTIVE versions and its campaigns."""

    arn: str
    metric: str
    versions: Sequence[MeasuredVersion]
    """All ACTIVE versions, newest first. Only the newest of them have a value."""
    waiting_versions: Sequence[WaitingVersion]
    campaigns: Sequence[CampaignStatus]

    @property
    def blocked_arns(self) -> dict[str, str | None]:
        """ARN of each campaign -> the version that was last rolled back there, or None."""
        return {
            campaign.arn: campaign.state.record.blocked_version_arn
            for campaign in self.campaigns
            if isinstance(campaign.state, CampaignState)
        }


class PipelineStatus(NamedTuple):
    """What `status` shows. A section that couldn't be read is replaced by the error."""

    read_at: datetime
    schedule: GetScheduleOutputTypeDef | OperatorError | None
    trigger: str | OperatorError | None
    """The state of the event rule for new exports, or None if there's no such rule."""
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

    def read_solutions(self, measured_count: int) -> list[SolutionStatus]:
        """Read only the solutions, with the metric of their `measured_count` newest versions."""
        return _run_in_threads(self._read_solutions(measured_count))

    async def _read(self) -> PipelineStatus:
        target = self._target
        schedule, trigger, runs, alarms, solutions, recommenders = await gather(
            _capture_error(to_thread(find_schedule, target)),
            _capture_error(to_thread(_read_trigger_state, target)),
            _capture_error(_read_runs(target)),
            _capture_error(to_thread(_read_ringing_alarms, target)),
            _capture_error(self._read_solutions()),
            _capture_error(to_thread(list_recommenders, self._personalize, target.settings)),
        )
        return PipelineStatus(clock.now(), schedule, trigger, runs, alarms, solutions, recommenders)

    async def _read_solutions(self, measured_count: int | None = None) -> list[SolutionStatus]:
        reads = (
            self._read_solution(solution, measured_count)
            for solution in self._target.settings["solutions"]
        )
        return await gather(*reads)

    async def _read_solution(
        self, solution: SolutionSettings, measured_count: int | None
    ) -> SolutionStatus:
        if measured_count is None:
            measured_count = choose_measured_count(solution)

        arn = solution["solutionArn"]
        all_versions = await to_thread(list_untagged_versions, self._personalize, arn)
        versions = [version for version in all_versions if version.is_active]
        newest_arns = [version.arn for version in versions]
        metric = choose_metric(solution)

        values, waiting_versions, campaigns = await gather(
            self._read_metric(metric, newest_arns[:measured_count]),
            self._read_waiting_versions(solution, newest_arns[:APPROVAL_CANDIDATES]),
            self._read_campaigns(solution),
        )
        measured_versions = [
            MeasuredVersion(version.arn, version.created_at, values.get(version.arn))
            for version in versions
        ]
        return SolutionStatus(arn, metric, measured_versions, waiting_versions, campaigns)

    async def _read_metric(
        self, metric: str, version_arns: Sequence[str]
    ) -> dict[str, float | None]:
        """Read a metric of each version. It's None if Personalize hasn't computed it."""
        metrics = await _read_each(self._read_metrics, version_arns)
        return {arn: values.get(metric) for arn, values in metrics.items()}

    async def _read_campaigns(self, solution: SolutionSettings) -> list[CampaignStatus]:
        """Read each campaign. An error is returned, so that the screen still shows the others."""
        read_state = partial(
            read_if_exists,
            read_campaign_state,
            client=self._personalize,
            solution_arn=solution["solutionArn"],
        )
        arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        reads = (_capture_error(to_thread(read_state, campaign_arn=arn)) for arn in arns)
        return list(map(CampaignStatus, arns, await gather(*reads)))

    async def _read_waiting_versions(
        self, solution: SolutionSettings, version_arns: Sequence[str]
    ) -> list[WaitingVersion]:
        """Find the versions with an open approval request, if the solution requires approval."""
        approval_settings = solution["approval"]
        if approval_settings is None:
            return []

        tags_by_arn = await _read_each(partial(read_tags, self._personalize), version_arns)
        expiries = {
            version_arn: find_request_expiry(tags, approval_settings)
            for version_arn, tags in tags_by_arn.items()
        }
        return [WaitingVersion(arn, until) for arn, until in expiries.items() if until is not None]


def choose_metric(solution: SolutionSettings) -> str:
    """Return the metric of the quality gate's first rule, or NDCG@10 if there's no gate."""
    rules = solution["qualityGate"]
    if not rules:
        return f"{NDCG}_at_10"
    return rules[0]["metric"]


def choose_measured_count(solution: SolutionSettings) -> int:
    """Choose for how many versions of a solution to read the metric.

    Each version takes a request. Old versions matter less than campaigns, so the more campaigns
    there are, the fewer versions are read. With five campaigns, which is the most that the config
    allows, it's still one.
    """
    spare_requests = SPARE_REQUESTS - CAMPAIGN_REQUESTS * len(solution["campaigns"])
    if solution["approval"]:
        spare_requests -= APPROVAL_CANDIDATES
    return min(spare_requests, MAX_MEASURED_VERSIONS)


def _run_in_threads(coroutine: Coroutine[None, None, Value]) -> Value:
    """Run a coroutine that sends its requests with `to_thread()`, and return its result."""
    with Runner() as runner:
        runner.get_loop().set_default_executor(ThreadPoolExecutor(MAX_CONCURRENT_REQUESTS))
        return runner.run(coroutine)


async def _read_each(
    read: Callable[[Argument], Value], arguments: Sequence[Argument]
) -> dict[Argument, Value]:
    """Call `read` with each argument, in parallel, and map the arguments to the results."""
    results = await gather(*(to_thread(read, argument) for argument in arguments))
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
    """Read all runs in progress, then the latest finished ones."""
    executions = await to_thread(list_latest_executions, target)
    running = [execution for execution in executions if execution.is_running]
    finished = [execution for execution in executions if not execution.is_running]

    read = partial(read_run, target.access.step_functions, pipeline_options=target.options)
    runs = await _read_each(read, [*running, *finished[:SHOWN_RUNS]])
    return [*runs.values()]


def _read_trigger_state(target: Target) -> str | None:
    trigger = find_trigger(target)
    if trigger is None:
        return None
    return trigger["State"]


def _read_ringing_alarms(target: Target) -> list[RingingAlarm]:
    prefix = f"{pipeline_name(target.settings)}-"
    client = target.access.client("cloudwatch")
    response = client.describe_alarms(AlarmNamePrefix=prefix, StateValue="ALARM")

    return [
        RingingAlarm(
            # Pulumi adds a random suffix to the names of alarms.
            name=alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0],
            # StateUpdatedTimestamp changes even if the state doesn't, so it's only a fallback.
            since=alarm.get("StateTransitionedTimestamp", alarm["StateUpdatedTimestamp"]),
        )
        for alarm in response["MetricAlarms"]
        # An alarm of `movies-test` also has the prefix of `movies`, but another topic.
        if target.settings["notifications"]["topicArn"] in alarm["AlarmActions"]
    ]
