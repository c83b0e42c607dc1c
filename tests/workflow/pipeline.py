"""Run a pipeline in this process: its state machine, its functions, Personalize, virtual time."""

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from components.args import RetrainingPipelineArgs
from components.function_configs import FUNCTION_CONFIGS, FUNCTION_TIMEOUT_SECONDS
from components.state_machine.definition import build_definition
from emulator.personalize import Personalize, import_jobs
from emulator.virtual.step_functions import (
    Execution,
    Handler,
    LambdaFailure,
    StateMachine,
    StepFunctions,
)
from emulator.virtual.virtual_time import VirtualClock
from functions.common import clock as functions_clock
from functions.personalize.campaigns import parse_record
from functions.personalize.tags import read_tags
from functions.rules.campaigns import DeploymentRecord
from tests.inbox import Inbox
from tests.workflow.alarms import Alarms
from tests.workflow.bucket import Bucket
from tests.workflow.clients import FUNCTIONS, OPERATOR, shared_clients, use_shared_clients
from tests.world import (
    ACCOUNT,
    IMPORT_ROLE,
    MOVIES,
    PREFIX,
    REGION,
    DatasetGroup,
    campaign_arn,
    dataset_arn,
    exports,
    interactions,
    solution_arn,
)

START = datetime(2026, 11, 22, tzinfo=UTC)
SLOT = "2026-11-29T03:00:00Z"
RUN_ID = "20261129T030000Z"
NEXT_SLOT = "2026-12-06T03:00:00Z"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/group/weekly"

DURATIONS = {
    f"{PREFIX}-{RUN_ID}-interactions": 930,
    f"{PREFIX}-{RUN_ID}-items": 745,
    f"{PREFIX}-{RUN_ID}-users": 1245,
    "solution-version": 5430,
    "campaign-update": 930,
}
"""The seconds that a job takes, by the last part of its ARN or by its kind."""
OTHER_DURATION = 600
"""The seconds of every other job."""
PENDING_SECONDS = 60
READ_CSV_ONCE = functools.lru_cache(64)(import_jobs.read_csv)
"""The emulator's reader of exports. All runs import the same few files, and reading takes long."""


@dataclass
class Pipeline:
    """A pipeline and the dataset group that it retrains. `deploy` creates it."""

    clock: VirtualClock
    step_functions: StepFunctions
    personalize: Personalize
    group: DatasetGroup
    bucket: Bucket
    alarms: Alarms
    inbox: Inbox = field(default_factory=Inbox)
    """The messages and events of the runs."""
    prefix: str = PREFIX
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """The functions that are replaced, by step."""
    schedule_changed_at: datetime = START

    @property
    def args(self) -> RetrainingPipelineArgs:
        """Return the arguments that the pipeline is deployed with."""
        return self.group.args

    @property
    def client(self):
        """Return the client of Personalize with which a test acts as an operator."""
        return shared_clients()["operator"]

    def second_pipeline(self, group: DatasetGroup, *, prefix: str) -> "Pipeline":
        """Deploy another pipeline in the same account, for this group or for a new one.

        A new group is created, which takes hours of virtual time.
        """
        if group is not self.group:
            group.create(self.client, self.sleep)
        return replace(self, group=group, prefix=prefix)

    @functools.cached_property
    def machine(self) -> StateMachine:
        """Return the state machine. The first use fixes its definition and its functions."""
        return self.step_functions.create_state_machine(
            definition_of(self.group, prefix=self.prefix),
            {**{step: handler(step) for step in FUNCTION_CONFIGS}, **self.handlers},
            name=f"retraining-{self.prefix}",
            timeouts=dict.fromkeys(FUNCTION_CONFIGS, FUNCTION_TIMEOUT_SECONDS),
        )

    def run(self, **request: object) -> Execution:
        """Start an execution as the schedule does, with overrides, and wait for its end."""
        return self.start(**request).wait()

    def start(self, **request: object) -> Execution:
        """Start an execution as the schedule does, with overrides. None removes a key."""
        scheduled = {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": SCHEDULE}
        return self.machine.start(
            {key: value for key, value in {**scheduled, **request}.items() if value is not None}
        )

    def start_until(self, operation: str, **request: object) -> Execution:
        """Start an execution, and return it when it has sent a request of this operation."""
        started = self.start(**request)
        while not self.requests(operation):
            self.sleep(30)

        return started

    def watch(self) -> Mapping[str, Any]:
        """Call the watcher, and return the ages that it has measured."""
        return handler("watch_pipeline")({"stateMachineArn": self.machine.arn}, None)

    def executions(self, prefix: str) -> list[Execution]:
        """Return the executions whose names begin with this word, sorted by their names."""
        started = sorted(self.step_functions.executions(), key=lambda started: started.arn)
        return [execution for execution in started if f":{prefix}-" in execution.arn]

    def inject_fault(self, fault: str, **fields: object) -> None:
        """Make Personalize fail as `emulator/personalize/faults.py` describes."""
        self.personalize.faults.inject({"fault": fault, **fields})

    def served_version(self, campaign: str = "home") -> str:
        """Return the ARN of the version that a campaign serves now."""
        return self.describe_campaign(campaign)["solutionVersionArn"]

    def describe_campaign(self, name: str = "home") -> Mapping[str, object]:
        """Return a campaign as DescribeCampaign shows it."""
        return self.client.describe_campaign(campaignArn=campaign_arn(name))["campaign"]

    def record(self, campaign: str = "home") -> DeploymentRecord:
        """Return what the tags of a campaign of the first solution say about its versions."""
        return parse_record(read_tags(self.client, campaign_arn(campaign)), solution_arn())

    def versions(self, solution: str = "taste") -> list[str]:
        """Return the ARNs of a solution's versions, oldest first."""
        return [summary["solutionVersionArn"] for summary in self._version_summaries(solution)]

    def statuses(self, solution: str = "taste") -> list[str]:
        """Return the statuses of a solution's versions, oldest first."""
        return [summary["status"] for summary in self._version_summaries(solution)]

    def _version_summaries(self, solution: str) -> list[Mapping[str, object]]:
        response = self.client.list_solution_versions(solutionArn=solution_arn(solution))
        return sorted(response["solutionVersions"], key=lambda item: item["creationDateTime"])

    def requests(self, operation: str) -> list[Mapping[str, object]]:
        """Return the functions' requests of one operation, in order, also those that failed."""
        return [
            call.request
            for call in self.personalize.calls
            if (call.operation, call.caller) == (operation, FUNCTIONS.arn)
        ]

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass. Executions continue meanwhile."""
        self.clock.sleep(seconds)

    # What a person or another program does. `request` are more fields of the request.

    def foreign_import(
        self,
        dataset: str,
        *,
        location: str | None = None,
        job_name: str = "foreign",
        **request: object,
    ) -> None:
        """Start an import of a dataset, by default from the file that `exports` writes for it."""
        standard = {
            "jobName": job_name,
            "datasetArn": dataset_arn(dataset),
            "dataSource": {"dataLocation": location or f"s3://exports/{dataset}.csv"},
            "roleArn": IMPORT_ROLE,
        }
        self.client.create_dataset_import_job(**{**standard, **request})

    def foreign_training(self, name: str = "foreign", **request: object) -> str:
        """Start a training, and return the ARN of its version."""
        response = self.client.create_solution_version(
            **{"solutionArn": solution_arn(), "name": name, **request}
        )

        return response["solutionVersionArn"]

    def foreign_update(self, version: str, campaign: str = "home", **request: object) -> None:
        """Start an update of a campaign to a version."""
        self.client.update_campaign(
            campaignArn=campaign_arn(campaign), solutionVersionArn=version, **request
        )

    def delete_users(self, *users: str, job_name: str = "forget") -> str:
        """Start a data deletion job, and return its ARN."""
        self.bucket.put("deleted.csv", "\n".join(["USER_ID", *users]).encode())
        response = self.client.create_data_deletion_job(
            jobName=job_name,
            datasetGroupArn=self.group.arn,
            dataSource={"dataLocation": "s3://exports/deleted.csv"},
            roleArn=IMPORT_ROLE,
        )

        return response["dataDeletionJobArn"]

    def stream_event(self, user: str = "u1", item: str = "i1") -> None:
        """Send an event through the tracker of the group, which is created by the first one."""
        client = self.client
        trackers = client.list_event_trackers(datasetGroupArn=self.group.arn)["eventTrackers"]
        if not trackers:
            client.create_event_tracker(name="shop", datasetGroupArn=self.group.arn)
            self.sleep(600)
            trackers = client.list_event_trackers(datasetGroupArn=self.group.arn)["eventTrackers"]

        tracker = client.describe_event_tracker(eventTrackerArn=trackers[0]["eventTrackerArn"])
        event = {"eventType": "view", "itemId": item, "sentAt": self.clock.now().timestamp()}
        request = {
            "trackingId": tracker["eventTracker"]["trackingId"],
            "userId": user,
            "sessionId": user,
            "eventList": [event],
        }
        self.personalize.call("PutEvents", request, OPERATOR)

    def upload_worse_data(self) -> None:
        """Write interactions from which a model learns nothing."""
        self.bucket.put("interactions.csv", interactions(shuffled=True))


@contextmanager
def deploy(
    group: DatasetGroup | None = None,
    *,
    durations: Mapping[str, float] | None = None,
    handlers: Mapping[str, Handler] | None = None,
    **options: object,
) -> Iterator[Pipeline]:
    """Create a dataset group and its pipeline, let a week pass, and yield the pipeline at `SLOT`.

    Args:
        group: the dataset group, by default `MOVIES`.
        durations: changes of `DURATIONS`.
        handlers: the functions to replace, by step.
        options: for the Personalize emulator.
    """
    clock = VirtualClock(START)
    bucket = Bucket(exports(), clock.now)
    timings = functools.partial(_timings, {**DURATIONS, **(durations or {})})
    personalize = Personalize(objects=bucket, clock=clock.now, **{"timings": timings, **options})
    with (
        patch.multiple(functions_clock, now=clock.now, sleep=clock.sleep),
        StepFunctions(clock) as step_functions,
    ):
        pipeline = Pipeline(
            clock=clock,
            step_functions=step_functions,
            personalize=personalize,
            group=group or MOVIES,
            bucket=bucket,
            alarms=Alarms(clock.now),
            handlers=handlers or {},
        )
        with (
            use_shared_clients(
                personalize,
                step_functions,
                bucket,
                pipeline.inbox,
                lambda: pipeline.schedule_changed_at,
                alarms=pipeline.alarms,
            ),
            patch.object(import_jobs, "read_csv", READ_CSV_ONCE),
            # botocore sleeps between the attempts of a request.
            patch("botocore.endpoint.time", SimpleNamespace(sleep=clock.sleep)),
        ):
            pipeline.group.create(pipeline.client, clock.sleep)
            clock.sleep((datetime.fromisoformat(SLOT) - clock.now()).total_seconds())
            yield pipeline


def definition_of(group: DatasetGroup, *, prefix: str = PREFIX) -> Mapping[str, object]:
    """Return the definition of a group's state machine, with version 1 of the functions."""
    arns = {
        step: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}:1" for step in FUNCTION_CONFIGS
    }
    return build_definition(arns, group.settings(prefix), group.args)


def handler(step: str) -> Handler:
    """Return the real function of a step."""
    return importlib.import_module(f"functions.{step}").handler


def killed_after_work(
    step: str, *, times: int = 1, error: str = "Sandbox.Timedout"
) -> dict[str, Handler]:
    """Return the function of a step. Its first invocations work, but fail before they respond."""
    killed = 0

    def run(event, context):
        nonlocal killed
        result = handler(step)(event, context)
        if killed < times:
            killed += 1
            raise LambdaFailure(error)

        return result

    return {step: run}


def before_step(
    step: str, action: Callable[[Mapping[str, object]], object], *, times: int = 1
) -> dict[str, Handler]:
    """Return the function of a step. `action` gets the event before the first invocations."""
    calls = 0

    def run(event, context):
        nonlocal calls
        if calls < times:
            calls += 1
            action(event)

        return handler(step)(event, context)

    return {step: run}


def _timings(durations: Mapping[str, float], kind: str, arn: str) -> tuple[float, float]:
    """Return the seconds that a job is PENDING and IN_PROGRESS."""
    seconds = durations.get(arn.rpartition("/")[2], durations.get(kind, OTHER_DURATION))
    return PENDING_SECONDS, seconds - PENDING_SECONDS
