"""A witness of what the pipeline does to Personalize, told from what somebody else does."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple
from unittest.mock import patch

from botocore.exceptions import ClientError

from components.args import ProbeArgs
from components.rules.metrics import NDCG_AT_10
from emulator.personalize.faults import Faults
from emulator.virtual.step_functions import Execution
from functions.errors import ServiceUnavailable, Throttled
from functions.personalize.tags import VERDICT
from tests.workflow.pipeline import FUNCTIONS, OPERATOR, RUN_ID, Pipeline, handler
from tests.world import PERSONALIZE, PREFIX

SOLUTION = f"{PERSONALIZE}:solution/taste"
HOME = f"{PERSONALIZE}:campaign/home"
SHELF = f"{PERSONALIZE}:campaign/shelf"
LAMBDA_TRIES_AGAIN_AFTER = (60, 120)
"""Seconds, for a function that an event called:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html."""


Report = Mapping[str, object]


class Update(NamedTuple):
    """An UpdateCampaign of the pipeline's, and how things stood when it arrived."""

    at: datetime
    by: str
    """The execution's ARN."""
    campaign: str
    served: str
    target: str
    status: str
    """The target's."""
    tags: Mapping[str, str]
    """The target's."""
    left: Mapping[str, str]
    """The tags of the version that was served."""
    drop: float
    """Share of the served version's NDCG@10 that is lost."""
    newer: bool
    """Whether the target was created after the version that was served."""


class Stop(NamedTuple):
    """A StopSolutionVersionCreation of the pipeline's; `closing` is what `close_run` was told."""

    version: str
    closing: Execution | None


class Answer(NamedTuple):
    """A good answer of a campaign's to the pipeline, and the version that gave it."""

    at: datetime
    campaign: str
    version: str


@dataclass
class Witness:
    """Sees each call of the pipeline's as it arrives, and closes runs as EventBridge does."""

    pipeline: Pipeline
    seen: Counter[str] = field(default_factory=Counter)
    updates: list[Update] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    started: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Name of a job -> the executions that asked for it."""
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Version -> its first verdict, and the execution that gave it."""
    aborted: set[str] = field(default_factory=set)
    """Executions."""
    overtaken: dict[str, datetime] = field(default_factory=dict)
    """Campaign -> when somebody else moved it to another version."""
    closed: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    """Execution -> what `close_run` answered, each time."""
    at_rollback: Mapping[str, object] | None = None
    """A fault of the service, ordered when a version is judged to be rolled back from."""
    _closing: Execution | None = None

    @contextmanager
    def watching(self):
        """Let every call pass by here."""
        personalize, call = self.pipeline.personalize, self._call

        def passing(operation, request, caller):
            ours = caller.arn == FUNCTIONS.arn
            if ours and operation in BEFORE:
                BEFORE[operation](self, request)
            answer = call(operation, request, caller)
            if ours and operation == "GetRecommendations":
                self._see_answer(request, answer)
            return answer

        with patch.object(personalize, "call", passing):
            yield self

    @contextmanager
    def undisturbed(self):
        """Let calls inside reach the service without faults."""
        personalize = self.pipeline.personalize
        before, personalize.faults = personalize.faults, Faults()
        try:
            yield self.pipeline.client
        finally:
            personalize.faults = before

    def abort(self, running) -> None:
        """Stop an execution from outside, unless it has ended."""
        if running.now().status == "RUNNING":
            running.abort("Enough", "of this")
            self.aborted.add(running.arn)

    def time_out(self, running) -> None:
        """Let the machine's own time-out end an execution, unless it has ended."""
        self.pipeline.clock.sleep(0)  # an execution that was just started has nothing to end yet
        if running.now().status == "RUNNING":
            moto = self.pipeline.step_functions.moto_execution(running.arn)
            moto.exec_worker.env.set_timed_out()  # as TimeoutSeconds does, at whatever moment
            self.pipeline.clock.sleep(0)

    def close(self, execution: Execution) -> None:
        """Call `close_run` as EventBridge does when an execution has ended badly."""
        assert execution.status in ("FAILED", "TIMED_OUT", "ABORTED"), execution
        for pause in (*LAMBDA_TRIES_AGAIN_AFTER, None):
            self._closing = execution
            try:
                self.closed[execution.arn].append(handler("close_run")(_event(execution), None))
            except (ClientError, ServiceUnavailable, Throttled):
                if pause is None:
                    self.seen["closed: in vain"] += 1
                    return
            else:
                return
            finally:
                self._closing = None
            self.pipeline.clock.sleep(pause)

    def version(self, arn: str) -> Mapping[str, object]:
        """A version as it is."""
        return self._ask("DescribeSolutionVersion", solutionVersionArn=arn)["solutionVersion"]

    def tags(self, arn: str) -> dict[str, str]:
        """A resource's tags as they are."""
        tags = self._ask("ListTagsForResource", resourceArn=arn)["tags"]
        return {tag["tagKey"]: tag["tagValue"] for tag in tags}

    def served(self, campaign: str) -> str:
        """What the campaign serves."""
        described = self._ask("DescribeCampaign", campaignArn=campaign)["campaign"]
        return described["solutionVersionArn"]

    def versions(self) -> list[Mapping[str, object]]:
        """All versions of the solution as they are."""
        listed = self._ask("ListSolutionVersions", solutionArn=SOLUTION)["solutionVersions"]
        return [self.version(each["solutionVersionArn"]) for each in listed]

    def import_jobs(self) -> list[Mapping[str, object]]:
        """All imports as they are."""
        return self._ask("ListDatasetImportJobs")["datasetImportJobs"]

    @cached_property
    def probes(self) -> Mapping[str, ProbeArgs]:
        """The probes of the campaigns that have one."""
        return {
            str(campaign.campaign_arn): campaign.probe
            for solution in self.pipeline.args.solutions
            for campaign in solution.campaigns
            if campaign.probe
        }

    @cached_property
    def _call(self):
        return self.pipeline.personalize.call

    def _ask(self, operation: str, **request: object) -> Mapping[str, object]:
        # Past botocore, which takes most of a call's time.
        with self.undisturbed():
            return self._call(operation, request, OPERATOR)

    @property
    def _by(self) -> str:
        """The execution whose function has the turn; nobody's where the test calls `close_run`."""
        return str(self.pipeline.clock.running.group or "")

    def _see_update(self, request: Mapping[str, str]) -> None:
        campaign, target = request["campaignArn"], request["solutionVersionArn"]
        served = self.served(campaign)
        new, old = self.version(target), self.version(served)
        self.updates.append(
            Update(
                at=self.pipeline.clock.now(),
                by=self._by,
                campaign=campaign,
                served=served,
                target=target,
                status=new["status"],
                tags=self.tags(target),
                left=self.tags(served),
                drop=1 - self._ndcg(target) / self._ndcg(served)
                if new["status"] == "ACTIVE"
                else 1,
                newer=new["creationDateTime"] >= old["creationDateTime"],
            )
        )

    def _see_import(self, request: Mapping[str, str]) -> None:
        self.started[request["jobName"]].add(self._by)

    def _see_training(self, request: Mapping[str, str]) -> None:
        self.started[request["name"]].add(self._by)

    def _see_stop(self, request: Mapping[str, str]) -> None:
        closing = None if self._by else self._closing
        self.stops.append(Stop(request["solutionVersionArn"], closing))

    def _see_tags(self, request: Mapping[str, object]) -> None:
        arn = str(request["resourceArn"])
        tags = {tag["tagKey"]: tag["tagValue"] for tag in request["tags"]}
        if VERDICT in tags:
            self.verdicts.setdefault(arn, (tags[VERDICT], self._by))
        if tags.get(VERDICT) == "ROLLED_BACK" and self.at_rollback:
            self.pipeline.personalize.faults.inject(self.at_rollback)
            self.at_rollback = None

    def _see_answer(self, request: Mapping[str, object], answer: Mapping[str, object]) -> None:
        campaign = str(request["campaignArn"])
        if len(answer["itemList"]) >= self.probes[campaign].min_results:
            served = self.served(campaign)
            self.answers.append(Answer(self.pipeline.clock.now(), campaign, served))

    def has_failed(self, version: Mapping[str, object]) -> bool:
        """Tell whether a version never will be of use."""
        over = version["status"].endswith(("FAILED", "STOPPING", "STOPPED"))
        return over or VERDICT in self.tags(str(version["solutionVersionArn"]))

    def _ndcg(self, arn: str) -> float:
        return self._ask("GetSolutionMetrics", solutionVersionArn=arn)["metrics"][NDCG_AT_10]


BEFORE = {
    "UpdateCampaign": Witness._see_update,  # noqa: SLF001 - of this module
    "CreateDatasetImportJob": Witness._see_import,  # noqa: SLF001
    "CreateSolutionVersion": Witness._see_training,  # noqa: SLF001
    "StopSolutionVersionCreation": Witness._see_stop,  # noqa: SLF001
    "TagResource": Witness._see_tags,  # noqa: SLF001
}
"""What is looked at before it is done."""


def own_report(execution: Execution) -> Report | None:
    """Give the report that an execution made itself."""
    for event in reversed(execution.events):
        exited = event.get("stateExitedEventDetails", {})
        if exited.get("name") == "Report outcome":
            return json.loads(exited["output"]).get("outcome")
    return None


def _event(execution: Execution) -> Mapping[str, object]:
    """Give what `close_run` may read of EventBridge's event; times are milliseconds since 1970."""
    ended = round(execution.events[-1]["timestamp"].timestamp() * 1000)
    return {
        "source": "aws.states",
        "detail": {
            "executionArn": execution.arn,
            "status": execution.status,
            "stopDate": ended,
        },
    }


def of_this_run(version: Mapping[str, object]) -> bool:
    """Tell whether a version was made by the run."""
    return str(version.get("name", "")).startswith(f"{PREFIX}-{RUN_ID}-")
