"""What a check has found, and what all checks read."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from botocore.exceptions import ClientError

from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS
from components.naming import build_function_name
from functions.common.messages import add_pipeline_options
from functions.contract import pipeline_name
from functions.planning.plan_run import read_view
from functions.run.execution_data import identify_run
from retrain.account.errors import code_of
from retrain.account.function_clients import function_clients
from retrain.account.triggers import read_schedules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from functions.common.messages import Message
    from functions.contract import RunRequest
    from functions.planning.plan_run import RunView
    from retrain.account.access import Access
    from retrain.account.target import Target
    from retrain.check.examined_pipeline import ExaminedPipeline

Level: TypeAlias = Literal["ok", "warn", "missing"]
NOT_FOUND = re.compile("NoSuch|NotFound|NonExistent|DoesNotExist|^404$")
"""Is in the error code of each service for a resource that does not exist. HeadBucket has only the
status of HTTP."""
PUBLISHED = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d+:function:[\w-]+:\d+")
"""The ARN of a published version of a function."""


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


def read_if_exists(request: Callable[..., Any], **arguments: object) -> Any:  # noqa: ANN401  # a response
    """Send a request, and return None instead of raising if the resource doesn't exist."""
    try:
        return request(**arguments)
    except ClientError as error:
        if NOT_FOUND.search(code_of(error)):
            return None
        raise


def has_logical_name(physical_name: str, logical_name: str) -> bool:
    """Return True if a resource has this name in the program.

    In AWS, its name may end with random characters, which Pulumi adds.
    """
    return logical_name in (physical_name, physical_name.rpartition("-")[0])


@dataclass(frozen=True)
class Account:
    """The pipeline that is examined, in its account. What several checks need is read once."""

    pipeline: ExaminedPipeline
    caller: str
    """The ARN of the caller."""
    now: datetime

    def client(self, service: str) -> Any:  # noqa: ANN401  # as in Access
        """Create boto3's client of a service in the region of the pipeline."""
        return self.pipeline.access.client(service)

    def finding(self, name: str, problem: str | None, command: str | None = None) -> Finding:
        """Build the finding about a resource. Without a command, a deployment brings it back."""
        if problem is None:
            return Finding("ok", name)
        return Finding("missing", f"{name} {problem}", command or self.pipeline.deploy_command)

    @cached_property
    def view(self) -> RunView:
        """What the plan function would find. Exports of yesterday count if today's are missing.

        The input of that plan has `day` and not `exportDate`, by which a person asks for an old
        export on purpose, because then the guards against old and small exports would be silent.
        """
        today = self._view({})
        if all(item.export.objects for item in today.datasets if item.dataset_settings["day"]):
            return today
        return self._view({"day": (self.now - timedelta(days=1)).date().isoformat()})

    def _view(self, request: RunRequest) -> RunView:
        """Read what the plan function would find for an input."""
        run = identify_run(
            {
                "request": request,
                "executionArn": "arn:aws:states:::execution:none:doctor",
                "startedAt": self.now.isoformat(),
            }
        )
        with function_clients(self.pipeline.access) as client:
            return read_view(client, self.pipeline.settings, run)

    @property
    def target(self) -> Target:
        """The deployed pipeline, for the checks that need one."""
        assert self.pipeline.target is not None, "the pipeline is deployed"
        return self.pipeline.target

    @property
    def name(self) -> str:
        """The name of the deployed pipeline. The names of its resources begin with it."""
        return pipeline_name(self.target.settings)

    @cached_property
    def machine(self) -> Any:  # noqa: ANN401  # a response
        """The description of the state machine."""
        client = self.target.access.step_functions
        return client.describe_state_machine(stateMachineArn=self.target.state_machine_arn)

    @property
    def is_paused(self) -> bool:
        """True if the stack's file pauses the pipeline, or if the file is not known."""
        args = self.pipeline.args
        return args is None or args.paused

    @property
    def is_paused_by_hand(self) -> bool:
        """True if the schedule is off, although the stack's file does not pause the pipeline."""
        schedule = self.schedules.get("states")
        is_off = schedule is not None and schedule["State"] != "ENABLED"
        return is_off and not self.is_paused

    @cached_property
    def published(self) -> Sequence[str]:
        """The ARNs of the versions of functions that the state machine calls."""
        return sorted(set(PUBLISHED.findall(self.machine["definition"])))

    @cached_property
    def schedules(self) -> Mapping[str, Any]:
        """Service -> the schedule that calls it, in the group with the state machine's name."""
        return read_schedules(self.pipeline.access, self.target.name)

    @cached_property
    def rules(self) -> Mapping[str, Sequence[str]]:
        """Step -> the ARNs that enabled event rules call for the state machine, not for another."""
        rules_by_step: dict[str, list[str]] = {step: [] for step in FUNCTIONS_CALLED_BY_EVENTS}
        client = self.client("events")
        for rule in client.list_rules(NamePrefix=f"{self.name}-")["Rules"]:
            if rule["State"] != "ENABLED":
                continue
            for step, called_arns in rules_by_step.items():
                if has_logical_name(rule["Name"], build_function_name(self.name, step)):
                    called_arns.extend(self._list_called_arns(rule))
        return rules_by_step

    def _list_called_arns(self, rule: Mapping[str, Any]) -> list[str]:
        """List what an event rule calls for the state machine.

        Either the rule's pattern or the input of its target contains the ARN of the state machine.
        """
        targets = self.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
        machine_arn = self.target.state_machine_arn
        return [target["Arn"] for target in targets if machine_arn in f"{rule} {target}"]

    @cached_property
    def _alarms_by_name(self) -> Sequence[Any]:
        """The alarms whose names begin like those of this pipeline."""
        paginator = self.client("cloudwatch").get_paginator("describe_alarms")
        pages = paginator.paginate(AlarmNamePrefix=f"{self.name}-")
        return [alarm for page in pages for alarm in page["MetricAlarms"]]

    @property
    def other_machine_arns(self) -> Sequence[str]:
        """The state machines of other pipelines with the same name, which their alarms name."""
        watched_arns = {
            dimension["Value"]
            for item in self._alarms_by_name
            if has_logical_name(item["AlarmName"], f"{self.name}-run-failed")
            for dimension in item["Dimensions"]
        }
        return sorted(watched_arns - {self.target.state_machine_arn})

    @property
    def alarms(self) -> Sequence[Any]:
        """The alarms of this pipeline."""
        return [
            item
            for item in self._alarms_by_name
            if not any(arn in str(item["Dimensions"]) for arn in self.other_machine_arns)
        ]

    def find_alarms(self, name: str) -> Sequence[Any]:
        """Find the deployed alarms with a name of the component, for example `run-failed`."""
        logical_name = f"{self.name}-{name}"
        return [
            alarm for alarm in self.alarms if has_logical_name(alarm["AlarmName"], logical_name)
        ]

    @cached_property
    def functions(self) -> Mapping[str, Sequence[Any]]:
        """Name of a function -> the configurations of its newest code and of what runs call."""
        client = self.client("lambda")
        configs = defaultdict(list)
        # An ARN without a version, which means the newest code, is sorted before those with one.
        for arn in sorted(self._function_arns):
            config = read_if_exists(client.get_function_configuration, FunctionName=arn)
            configs[arn.split(":")[6]].append(config)
        return configs

    @property
    def _function_arns(self) -> set[str]:
        """The ARNs of what the state machine, the schedules and the event rules call."""
        newest_arns = [published_arn.rpartition(":")[0] for published_arn in self.published]
        schedule_arns = [schedule["Target"]["Arn"] for schedule in self.schedules.values()]
        rule_arns = chain.from_iterable(self.rules.values())
        called_arns = [*self.published, *newest_arns, *schedule_arns, *rule_arns]
        # One of the schedules calls the state machine.
        return {arn for arn in called_arns if ":function:" in arn}

    @property
    def configs(self) -> Sequence[Any]:
        """The configurations of all functions that exist."""
        return [config for versions in self.functions.values() for config in versions if config]

    @property
    def log_groups(self) -> set[str]:
        """The names of the log groups of the functions."""
        return {config["LoggingConfig"]["LogGroup"] for config in self.configs}


PENDING = "PendingConfirmation"
"""What SNS lists in place of the ARN of a subscription that nobody has confirmed."""


class Subscriptions(NamedTuple):
    """Who gets the messages of a topic, by address."""

    confirmed: Sequence[str]
    pending: Sequence[str]
    arns: Mapping[str, str]
    """Address -> the ARN of its subscription, or `PendingConfirmation`."""


def read_subscriptions(access: Access, topic_arn: str) -> Subscriptions:
    """Read who gets the messages of a topic, and who hasn't confirmed the subscription yet."""
    arns = list_subscriptions(access, topic_arn)
    confirmed = sorted(address for address, arn in arns.items() if arn != PENDING)
    pending = sorted(address for address, arn in arns.items() if arn == PENDING)
    return Subscriptions(confirmed, pending, arns)


def list_subscriptions(access: Access, topic_arn: str) -> dict[str, str]:
    """List a topic's subscriptions by address, each with its ARN, or PENDING without one."""
    paginator = access.client("sns").get_paginator("list_subscriptions_by_topic")
    pages = paginator.paginate(TopicArn=topic_arn)
    return {
        subscription["Endpoint"]: subscription["SubscriptionArn"]
        for page in pages
        for subscription in page["Subscriptions"]
    }
