"""Record what the functions of a pipeline do to Personalize."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from unittest.mock import patch

from botocore.exceptions import ClientError

from components.args import ProbeArgs
from components.rules.fields import NDCG_AT_10
from emulator.personalize.faults import Faults
from emulator.virtual.step_functions import Execution, StartedExecution
from functions.errors import ServiceUnavailable, Throttled
from functions.personalize.campaigns import NONE
from functions.personalize.tags import BAD
from tests.workflow.clients import FUNCTIONS, OPERATOR
from tests.workflow.pipeline import RUN_ID, Pipeline, handler
from tests.world import MOVIES, PIPELINE, PREFIX, campaign_arn, solution_arn

HOME = campaign_arn("home")
SHELF = campaign_arn("shelf")
LAMBDA_RETRY_SECONDS = (60, 120)
"""The pauses before Lambda's two retries of a function that an event invoked:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html."""

Report = Mapping[str, object]


class Update(NamedTuple):
    """An UpdateCampaign request of the functions, and the state when it arrived."""

    at: datetime
    execution_arn: str
    campaign: str
    served: str
    """The version that the campaign serves."""
    target: str
    """The version that the campaign shall serve."""
    target_status: str
    target_is_newer: bool
    was_rolled_back: bool
    """True if the campaign was rolled back from the target."""
    drop: float
    """The share of the served version's NDCG@10 that the target loses."""


class Stop(NamedTuple):
    """A StopSolutionVersionCreation request of the functions.

    `closed_execution` is the execution that `close_run` closes, or None in any other function.
    """

    version: str
    closed_execution: Execution | None


class Answer(NamedTuple):
    """Recommendations that satisfied the probe of a campaign."""

    at: datetime
    campaign: str
    version: str


@dataclass
class Recorder:
    """Records every request of a pipeline's functions, and closes runs as EventBridge does."""

    pipeline: Pipeline
    updates: list[Update] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    creators: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The executions that requested a job, by the name of the job."""
    rolled_back: set[tuple[str, str]] = field(default_factory=set)
    """The campaign and the version of each tag `retraining-bad`."""
    aborted: set[str] = field(default_factory=set)
    """The executions that were aborted."""
    overtaken: dict[str, datetime] = field(default_factory=dict)
    """The time at which a foreign update moved a campaign to another version, by campaign."""
    closings: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    """The results of `close_run`, by execution."""
    not_closed: set[str] = field(default_factory=set)
    """The executions for which `close_run` failed in all its attempts."""
    fault_at_rollback: Mapping[str, object] | None = None
    """A fault that is injected when a campaign moves back for the first time."""
    _closed_execution: Execution | None = None

    @contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Record all requests inside the block."""
        call_service = self._call  # looked up before it is replaced

        def call(operation, request, caller):
            if caller.arn != FUNCTIONS.arn:
                return call_service(operation, request, caller)
            if operation in RECORD_REQUEST:
                RECORD_REQUEST[operation](self, request)
            response = call_service(operation, request, caller)
            if operation == "GetRecommendations":
                self._record_answer(request, response)
            return response

        with patch.object(self.pipeline.personalize, "call", call):
            yield self

    @contextmanager
    def without_faults(self):
        """Yield the operator's client. Requests inside the block meet no faults."""
        personalize = self.pipeline.personalize
        faults, personalize.faults = personalize.faults, Faults()
        try:
            yield self.pipeline.client
        finally:
            personalize.faults = faults

    def abort(self, started: StartedExecution) -> None:
        """Stop an execution from outside, unless it has ended."""
        if started.now().status == "RUNNING":
            started.abort("Enough", "of this")
            self.aborted.add(started.arn)

    def time_out(self, started: StartedExecution) -> None:
        """End an execution as the TimeoutSeconds of the machine does, unless it has ended."""
        if started.now().status == "RUNNING":
            started.time_out()

    def close(self, execution: Execution) -> None:
        """Invoke `close_run` as EventBridge and Lambda do after an execution that failed."""
        assert execution.status in ("FAILED", "TIMED_OUT", "ABORTED"), execution
        for pause in (*LAMBDA_RETRY_SECONDS, None):
            self._closed_execution = execution
            try:
                closed = handler("close_run")(event_of(execution), None)
            except (ClientError, ServiceUnavailable, Throttled):
                if pause is None:
                    self.not_closed.add(execution.arn)
                    return
            else:
                self.closings[execution.arn].append(closed and closed["report"])
                return
            finally:
                self._closed_execution = None
            self.pipeline.sleep(pause)

    # The present state of Personalize

    def version(self, arn: str) -> Mapping[str, object]:
        """Return a solution version as DescribeSolutionVersion shows it."""
        return self._ask("DescribeSolutionVersion", solutionVersionArn=arn)["solutionVersion"]

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a resource."""
        tags = self._ask("ListTagsForResource", resourceArn=arn)["tags"]
        return {tag["tagKey"]: tag["tagValue"] for tag in tags}

    def served_version(self, campaign: str) -> str:
        """Return the version that a campaign serves."""
        response = self._ask("DescribeCampaign", campaignArn=campaign)
        return response["campaign"]["solutionVersionArn"]

    def versions(self) -> list[Mapping[str, object]]:
        """Return all versions of the solution, as DescribeSolutionVersion shows them."""
        response = self._ask("ListSolutionVersions", solutionArn=solution_arn())
        return [
            self.version(summary["solutionVersionArn"]) for summary in response["solutionVersions"]
        ]

    def import_jobs(self) -> list[Mapping[str, object]]:
        """Return the summaries of all import jobs."""
        return self._ask("ListDatasetImportJobs")["datasetImportJobs"]

    def is_useless(self, version: Mapping[str, object]) -> bool:
        """Return True if a version failed or was stopped."""
        return str(version["status"]).endswith(("FAILED", "STOPPING", "STOPPED"))

    @cached_property
    def probes(self) -> Mapping[str, ProbeArgs]:
        """Return the probes of the campaigns that have one."""
        return {
            str(campaign.campaign_arn): campaign.probe
            for solution in self.pipeline.args.solutions
            for campaign in solution.campaigns
            if campaign.probe
        }

    @cached_property
    def _call(self):
        """Return the emulator's own method, which `recording` replaces."""
        return self.pipeline.personalize.call

    def _ask(self, operation: str, **request: object) -> Mapping[str, object]:
        # botocore takes most of the time of a request, so this request goes past it.
        with self.without_faults():
            return self._call(operation, request, OPERATOR)

    def _ndcg(self, version: str) -> float:
        response = self._ask("GetSolutionMetrics", solutionVersionArn=version)
        return response["metrics"][NDCG_AT_10]

    @property
    def _execution_arn(self) -> str:
        """Return the execution whose function is running, or "" if the test calls `close_run`."""
        return str(self.pipeline.clock.running.group or "")

    # What is recorded before a request is answered

    def _record_update(self, request: Mapping[str, str]) -> None:
        campaign, target = request["campaignArn"], request["solutionVersionArn"]
        served = self.served_version(campaign)
        target_version, served_version = self.version(target), self.version(served)
        is_active = target_version["status"] == "ACTIVE"
        target_is_newer = target_version["creationDateTime"] >= served_version["creationDateTime"]
        if not target_is_newer and self.fault_at_rollback:
            self.pipeline.personalize.faults.inject(self.fault_at_rollback)
            self.fault_at_rollback = None
        self.updates.append(
            Update(
                at=self.pipeline.clock.now(),
                execution_arn=self._execution_arn,
                campaign=campaign,
                served=served,
                target=target,
                target_status=target_version["status"],
                target_is_newer=target_is_newer,
                was_rolled_back=(campaign, target) in self.rolled_back,
                drop=1 - self._ndcg(target) / self._ndcg(served) if is_active else 1,
            )
        )

    def _record_import(self, request: Mapping[str, str]) -> None:
        self.creators[request["jobName"]].add(self._execution_arn)

    def _record_training(self, request: Mapping[str, str]) -> None:
        self.creators[request["name"]].add(self._execution_arn)

    def _record_stop(self, request: Mapping[str, str]) -> None:
        closed_execution = None if self._execution_arn else self._closed_execution
        self.stops.append(Stop(request["solutionVersionArn"], closed_execution))

    def _record_tags(self, request: Mapping[str, object]) -> None:
        arn = str(request["resourceArn"])
        tags = {tag["tagKey"]: tag["tagValue"] for tag in request["tags"]}
        if tags.get(BAD, NONE) != NONE:
            self.rolled_back.add((arn, tags[BAD]))

    def _record_answer(self, request: Mapping[str, object], response: Mapping[str, object]) -> None:
        campaign = str(request["campaignArn"])
        if len(response["itemList"]) >= self.probes[campaign].min_results:
            served = self.served_version(campaign)
            self.answers.append(Answer(self.pipeline.clock.now(), campaign, served))


RECORD_REQUEST = {
    "UpdateCampaign": Recorder._record_update,  # noqa: SLF001 - a method of this module
    "CreateDatasetImportJob": Recorder._record_import,  # noqa: SLF001 - (as above)
    "CreateSolutionVersion": Recorder._record_training,  # noqa: SLF001 - (as above)
    "StopSolutionVersionCreation": Recorder._record_stop,  # noqa: SLF001 - (as above)
    "TagResource": Recorder._record_tags,  # noqa: SLF001 - (as above)
}
"""The methods that record a request, by operation."""


def report_of(execution: Execution) -> Report | None:
    """Return the report that an execution wrote before it ended, or None."""
    for event in reversed(execution.events):
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Report outcome":
            return json.loads(exited["output"]).get("report")
    return None


def is_of_this_run(version: Mapping[str, object]) -> bool:
    """Return True if the run created a version."""
    return str(version.get("name", "")).startswith(f"{PREFIX}-{RUN_ID}-")


def event_of(execution: Execution) -> Mapping[str, object]:
    """Return what `close_run` gets after the end of an execution."""
    started = round(execution.events[0]["timestamp"].timestamp() * 1000)
    return {
        "detail": {"executionArn": execution.arn, "startDate": started},
        "pipeline": PIPELINE,
        "notifications": MOVIES.settings()["notifications"],
    }
