"""Run a pipeline in this process: its state machine, its functions, Personalize, virtual time."""

import functools
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import get_session
from moto.core.models import botocore_stubber

from components.args import RetrainingPipelineArgs
from components.state_machine.definition import definition
from components.state_machine.steps import STEPS
from emulator.personalize import ApiError, Caller, NoResponse, Personalize, attach, import_jobs
from emulator.virtual.lambda_runtime import Fails, Handler
from emulator.virtual.step_functions import Execution, Machine, StartedExecution, StepFunctions
from emulator.virtual.virtual_time import VirtualClock
from functions import aws
from functions import clock as functions_clock
from tests.workflow.bucket import Bucket
from tests.world import ACCOUNT, PREFIX, REGION, DatasetGroup, campaign_arn, exports, solution_arn

START = datetime(2026, 11, 22, tzinfo=UTC)
SLOT = "2026-11-29T03:00:00Z"
RUN_ID = "20261129T030000Z"
NEXT_SLOT = "2026-12-06T03:00:00Z"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/group/weekly"
OPERATOR = Caller(ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:root")
FUNCTIONS = Caller(ACCOUNT, REGION, f"arn:aws:sts::{ACCOUNT}:assumed-role/functions/session")

DURATIONS = {
    f"{PREFIX}-{RUN_ID}-interactions-1": 930,
    f"{PREFIX}-{RUN_ID}-items-1": 745,
    f"{PREFIX}-{RUN_ID}-users-1": 1245,
    "solution-version": 5430,
    "campaign-update": 930,
}
"""The seconds that a job takes, by the last part of its ARN or by its kind."""
OTHER_DURATION = 600
"""The seconds of every other job."""
PENDING_SECONDS = 60


@dataclass
class Pipeline:
    """A pipeline and the dataset group that it retrains. `deploy` creates it."""

    clock: VirtualClock
    step_functions: StepFunctions
    personalize: Personalize
    group: DatasetGroup
    bucket: Bucket
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
    def machine(self) -> Machine:
        """Return the state machine. The first use fixes its definition and its functions."""
        return self.step_functions.machine(
            definition_of(self.group, prefix=self.prefix),
            {**{step: handler(step) for step in STEPS}, **self.handlers},
            name=f"retraining-{self.prefix}",
            timeouts={name: step.timeout_seconds for name, step in STEPS.items()},
        )

    def run(self, **request: object) -> Execution:
        """Start an execution as the schedule does, with overrides, and wait for its end."""
        return self.start(**request).wait()

    def start(self, **request: object) -> StartedExecution:
        """Start an execution as the schedule does, with overrides. None removes a key."""
        scheduled = {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": SCHEDULE}
        execution_input = {**scheduled, **request}
        return self.machine.start(
            {key: value for key, value in execution_input.items() if value is not None}
        )

    def inject_fault(self, fault: str, **fields: object) -> None:
        """Make Personalize fail as `emulator/personalize/faults.py` describes."""
        self.personalize.faults.inject({"fault": fault, **fields})

    def served_version(self, campaign: str = "home") -> str:
        """Return the ARN of the version that a campaign serves now."""
        return self.describe_campaign(campaign)["solutionVersionArn"]

    def describe_campaign(self, name: str = "home") -> Mapping[str, object]:
        """Return a campaign as DescribeCampaign shows it."""
        return self.client.describe_campaign(campaignArn=campaign_arn(name))["campaign"]

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
        group: the dataset group, by default the one with three datasets and one campaign.
        durations: changes of `DURATIONS`.
        handlers: the functions to replace, by step.
        options: for the Personalize emulator.
    """
    clock = VirtualClock(START)
    bucket = Bucket(exports(), clock.now)
    timings = functools.partial(_timings, {**DURATIONS, **(durations or {})})
    personalize = Personalize(objects=bucket, clock=clock.now, **{"timings": timings, **options})
    with StepFunctions(clock, handler_clock=functions_clock) as step_functions:
        pipeline = Pipeline(
            clock=clock,
            step_functions=step_functions,
            personalize=personalize,
            group=group or DatasetGroup(),
            bucket=bucket,
            handlers=handlers or {},
        )
        with (
            patch.object(CURRENT, "pipeline", pipeline),
            _shared_clients_in_functions(bucket),
            patch.object(import_jobs, "read_csv", read_csv_once),
            # botocore sleeps between the attempts of a request.
            patch("botocore.endpoint.time", SimpleNamespace(sleep=clock.sleep)),
        ):
            pipeline.group.create(pipeline.client, clock.sleep)
            clock.sleep((datetime.fromisoformat(SLOT) - clock.now()).total_seconds())
            yield pipeline


def definition_of(group: DatasetGroup, *, prefix: str = PREFIX) -> Mapping[str, object]:
    """Return the definition of a group's state machine, with version 1 of the functions."""
    arns = {step: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}:1" for step in STEPS}
    return definition(arns, group.settings(prefix), group.args)


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
            raise Fails(error)
        return result

    return {step: run}


read_csv_once = functools.lru_cache(64)(import_jobs.read_csv)
"""The emulator's reader of exports. All runs import the same few files, which takes long."""


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


# Clients. A client takes longer to create than a run takes, so all pipelines share the clients.


class CurrentService:
    """The Personalize and the schedule of the pipeline that is deployed now."""

    pipeline: Pipeline | None = None
    failure: Exception | None = None
    """How the first attempt of a request failed that botocore is about to send."""

    def call(self, *request: object) -> Mapping[str, object]:
        """Forward a request to the present emulator of Personalize."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return self.pipeline.personalize.call(*request)

    def get_schedule(self, **_: object):
        """Return the response of GetSchedule, so that botocore does not send the request."""
        changed = self.pipeline.schedule_changed_at
        return SimpleNamespace(status_code=200), {
            "CreationDate": changed,
            "LastModificationDate": changed,
        }


CURRENT = CurrentService()
CLIENTS_OF_FUNCTIONS = ("reader", "writer", "runtime", "stepfunctions", "scheduler")


@functools.cache
def shared_clients() -> Mapping[str, object]:
    """Return the operator's client, and the functions' clients by their names in `aws`."""
    with patch("boto3.client", _create_client):
        clients = {name: getattr(aws, name).__wrapped__() for name in CLIENTS_OF_FUNCTIONS}
    operator = _create_client("personalize", caller=OPERATOR)
    return {**clients, "operator": operator}


@contextmanager
def _shared_clients_in_functions(bucket: Bucket) -> Iterator[None]:
    """Make the functions of `aws` return the shared clients, and forget the clients afterwards."""
    clients = {**shared_clients(), "s3": bucket}
    names = (*CLIENTS_OF_FUNCTIONS, "s3")
    for name in names:
        # The modules of the functions hold these cached functions, so only their caches can change.
        getattr(aws, name).cache_clear()
        with (
            patch("boto3.client", lambda *_, client=clients[name], **__: client),
            patch.object(aws, "with_transient_errors", lambda client: client),
        ):
            getattr(aws, name)()
    try:
        yield
    finally:
        for name in names:
            getattr(aws, name).cache_clear()


def _create_client(service: str, *, caller: Caller = FUNCTIONS, **options: object):
    """Create a boto3 client whose requests are answered in this process."""
    client = _session().client(service, region_name=REGION, **options)
    events = client.meta.events
    # botocore computes this for every event, which takes a tenth of a run.
    events._alias_event_name = functools.cache(events._alias_event_name)  # noqa: SLF001
    if service.startswith("personalize"):
        # moto's Personalize knows only schemas, and would respond before the emulator.
        events.unregister("before-send", botocore_stubber)
        attach(client, CURRENT, caller)
        _respond_without_http(client, caller)
    if service == "scheduler":
        events.register("before-call.scheduler.GetSchedule", CURRENT.get_schedule)
    return client


def _respond_without_http(client, caller: Caller) -> None:
    """Make a client return the response of a successful request without botocore.

    botocore takes half of the time of a run. It still sends the requests that fail, because it
    retries them and raises its own errors.
    """
    send_with_botocore = client._make_api_call  # noqa: SLF001 - botocore has no public way

    def make_api_call(operation: str, request: Mapping[str, object]):
        try:
            return _as_botocore_parses(CURRENT.call(operation, request, caller))
        except (ApiError, NoResponse) as failure:
            CURRENT.failure = failure
        try:
            return send_with_botocore(operation, request)
        finally:
            CURRENT.failure = None

    client._make_api_call = make_api_call  # noqa: SLF001 - (as above)


def _as_botocore_parses(value: object) -> object:
    """Return a copy of a response. Personalize sends times in whole milliseconds."""
    if isinstance(value, dict):
        return {key: _as_botocore_parses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_botocore_parses(item) for item in value]
    if isinstance(value, datetime):
        return datetime.fromtimestamp(round(value.timestamp(), 3), UTC)
    return value


@functools.cache
def _session() -> boto3.Session:
    """Return the session of all clients. It does not sign requests, which takes half their time."""
    session = get_session()
    session.set_credentials("testing", "testing")
    session.set_default_client_config(Config(signature_version=UNSIGNED, user_agent="tests"))
    return boto3.Session(botocore_session=session)
