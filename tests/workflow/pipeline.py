"""The whole pipeline in one process: workflow, functions and Personalize on one virtual clock."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from types import SimpleNamespace
from unittest.mock import patch

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import get_session
from moto.core.models import botocore_stubber

from components.args import RetrainingPipelineArgs
from components.document import document
from components.state_machine.definition import definition
from components.state_machine.steps import STEPS
from emulator.personalize import Caller, Personalize, attach
from functions import aws
from tests.workflow.interpreter import (
    ACCOUNT,
    REGION,
    Execution,
    Handler,
    Machine,
    Running,
    VirtualClock,
)
from tests.workflow.interpreter import World as StepFunctions
from tests.world import IMPORT_ROLE, PERSONALIZE, RECIPE, Bucket, exports, make_group, settings

PREFIX = "0a1b2c3d"
START = datetime(2026, 11, 22, tzinfo=UTC)
SLOT = "2026-11-29T03:00:00Z"
RUN = "20261129T030000Z"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/group/weekly"
OPERATOR = Caller(ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:root")
FUNCTIONS = Caller(ACCOUNT, REGION, f"arn:aws:sts::{ACCOUNT}:assumed-role/functions/session")

SECONDS = {
    f"{PREFIX}-{RUN}-interactions-1": 930,
    f"{PREFIX}-{RUN}-items-1": 745,
    f"{PREFIX}-{RUN}-users-1": 1245,
    "solution-version": 5430,
    "campaign-update": 930,
}
"""How long a job takes, by the end of its ARN or by its kind; any other takes ten minutes."""


@dataclass
class Pipeline:
    """A dataset group and the workflow that retrains it; made by `pipeline()`."""

    clock: VirtualClock
    step_functions: StepFunctions
    personalize: Personalize
    args: RetrainingPipelineArgs
    bucket: Bucket
    prefix: str = PREFIX
    handlers: dict[str, Handler] = field(default_factory=dict)
    schedule_changed_at: datetime = START

    @cached_property
    def api(self):
        """A client of Personalize for the test itself."""
        return self.client("personalize", caller=OPERATOR)

    def client(self, service: str, *, caller: Caller | None = None, **options: object):
        """What `boto3.client` gives inside this world, to the functions or to another caller."""
        if service == "s3":
            return self.bucket
        made = session().client(service, region_name=REGION, **options)
        if service.startswith("personalize"):
            # moto's own Personalize knows schemas only, and would answer first.
            made.meta.events.unregister("before-send", botocore_stubber)
            attach(made, self.personalize, caller or FUNCTIONS)
        if service == "scheduler":
            self._answer_get_schedule(made)
        return made

    def beside(self, args: RetrainingPipelineArgs, *, prefix: str) -> "Pipeline":
        """Another pipeline in the same account: the same settings, or those of a group of its own.

        Such a group is made now, which takes hours of virtual time.
        """
        other = replace(self, args=args, prefix=prefix)
        if args is not self.args:
            make_group(self.api, args, self.let_pass)
        return other

    @cached_property
    def machine(self) -> Machine:
        """The state machine with the functions as they are when it is first used."""
        return self.step_functions.machine(
            self.definition,
            {**{step: handler(step) for step in STEPS}, **self.handlers},
            name=f"retraining-{self.prefix}",
            timeouts={name: step.timeout_seconds for name, step in STEPS.items()},
        )

    @property
    def definition(self) -> Mapping[str, object]:
        """The state machine's definition, with functions of version 1."""
        arns = {step: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{step}:1" for step in STEPS}
        told = document(self.args, job_prefix=self.prefix, import_role_arn=IMPORT_ROLE)
        return definition(arns, told, self.args)

    def run(self, **request: object) -> Execution:
        """Start an execution as the schedule does, with overrides, and wait for its end."""
        return self.start(**request).wait()

    def start(self, **request: object) -> Running:
        """Start an execution; a key given as None is left out of its input."""
        given = {"trigger": "schedule", "scheduledTime": SLOT, "scheduleArn": SCHEDULE}
        told = {**given, **request}
        return self.machine.start({key: value for key, value in told.items() if value is not None})

    def order(self, fault: str, **order: object) -> None:
        """Order a fault of Personalize (`emulator/personalize/faults.py`)."""
        self.personalize.faults.inject({"fault": fault, **order})

    def served(self, campaign: str = "home") -> str:
        """The version that a campaign serves now."""
        return self.campaign(campaign)["solutionVersionArn"]

    def campaign(self, name: str = "home") -> Mapping[str, object]:
        """A campaign as Describe shows it."""
        arn = f"{PERSONALIZE}:campaign/{name}"
        return self.api.describe_campaign(campaignArn=arn)["campaign"]

    def versions(self, name: str = "taste") -> list[str]:
        """The ARNs of a solution's versions, oldest first."""
        return [each["solutionVersionArn"] for each in self._summaries(name)]

    def statuses(self, name: str = "taste") -> list[str]:
        """The statuses of a solution's versions, oldest first."""
        return [each["status"] for each in self._summaries(name)]

    def _summaries(self, name: str) -> list[Mapping[str, object]]:
        arn = f"{PERSONALIZE}:solution/{name}"
        found = self.api.list_solution_versions(solutionArn=arn)["solutionVersions"]
        return sorted(found, key=lambda each: each["creationDateTime"])

    def started(self, operation: str) -> list[Mapping[str, object]]:
        """The functions' requests of one operation, in order; also those that were refused."""
        return [
            call.request
            for call in self.personalize.calls
            if (call.operation, call.caller) == (operation, FUNCTIONS.arn)
        ]

    def let_pass(self, seconds: float) -> None:
        """Let virtual time pass; executions go on meanwhile."""
        self.clock.sleep(seconds)

    def _answer_get_schedule(self, client) -> None:
        """Let a client of Scheduler say when the schedule was changed; nothing is sent."""

        def answer(**_: object):
            changed = self.schedule_changed_at
            return SimpleNamespace(status_code=200), {
                "CreationDate": changed,
                "LastModificationDate": changed,
            }

        client.meta.events.register("before-call.scheduler.GetSchedule", answer)


@contextmanager
def pipeline(
    args: RetrainingPipelineArgs | None = None,
    *,
    seconds: Mapping[str, float] | None = None,
    handlers: Mapping[str, Handler] | None = None,
    recipe: str = RECIPE,
    campaign_config: dict[str, object] | None = None,
    domain: str | None = None,
    **options: object,
) -> Iterator[Pipeline]:
    """Make a world in which the group exists and a week has passed since; the clock shows `SLOT`.

    `options` go to the Personalize emulator, `handlers` replace functions by name.
    """
    clock = VirtualClock(START)
    durations = {**SECONDS, **(seconds or {})}
    bucket = Bucket(exports(), clock.now)
    personalize = Personalize(
        objects=bucket,
        clock=clock.now,
        **{
            "timings": lambda kind, arn: (60, _seconds(durations, kind, arn) - 60),
            **options,
        },
    )
    with StepFunctions(clock) as step_functions:
        made = Pipeline(
            clock=clock,
            step_functions=step_functions,
            personalize=personalize,
            args=args or settings(),
            bucket=bucket,
            handlers=dict(handlers or {}),
        )
        with (
            patch("boto3.client", made.client),
            patch("botocore.endpoint.time", SimpleNamespace(sleep=clock.sleep)),  # its retries
        ):
            forget_clients()
            make_group(
                made.api,
                made.args,
                clock.sleep,
                recipe=recipe,
                campaign_config=campaign_config,
                domain=domain,
            )
            clock.sleep((datetime.fromisoformat(SLOT) - clock.now()).total_seconds())
            yield made
            forget_clients()


@cache
def session() -> boto3.Session:
    """One for all worlds, since its tables of services and endpoints take a while to read."""
    made = get_session()
    made.set_credentials("testing", "testing")
    # To sign requests that go nowhere, and to say who sends them, takes half of their time.
    made.set_default_client_config(Config(signature_version=UNSIGNED, user_agent="tests"))
    return boto3.Session(botocore_session=made)


def forget_clients() -> None:
    for client in (aws.reader, aws.writer, aws.stepfunctions, aws.s3, aws.scheduler, aws.runtime):
        client.cache_clear()


def handler(step: str) -> Callable[[dict, object], object]:
    """The real function of a step."""
    return importlib.import_module(f"functions.{step}").handler


def _seconds(durations: Mapping[str, float], kind: str, arn: str) -> float:
    return durations.get(arn.rpartition("/")[2], durations.get(kind, 600))
