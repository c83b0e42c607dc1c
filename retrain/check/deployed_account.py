"""Reads the resources of a deployed pipeline.

The resources refer to each other: a state machine refers to its functions, its role and its log
group, and a schedule to its target, its role and its queue. So if we know the state machine, we can
find the other resources without the stack's state.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS
from functions.contract import pipeline_name
from retrain.account.access import read_if_exists
from retrain.account.triggers import find_event_rules, find_schedule
from retrain.check.findings import Account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrain.account.target import Target

PUBLISHED_VERSION_ARN = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d+:function:[\w-]+:\d+")
"""The ARN of a published version of a function."""


@dataclass(frozen=True)
class DeployedAccount(Account):
    """The input of the checks of a deployed pipeline, whose resources are read only once."""

    target: Target
    """The deployed pipeline."""

    @property
    def pipeline_name(self) -> str:
        """The pipeline's name, which is the prefix of its resources' names."""
        return pipeline_name(self.target.settings)

    @cached_property
    def published_version_arns(self) -> list[str]:
        """The ARNs of the published function versions that the state machine invokes."""
        definition = self.target.state_machine["definition"]
        return sorted(set(PUBLISHED_VERSION_ARN.findall(definition)))

    @cached_property
    def schedules(self) -> Mapping[str, Any]:
        """Service -> the schedule that calls it, if the schedule exists.

        The schedule for Step Functions (`states`) starts runs, and the schedule for Lambda
        (`lambda`) invokes the watcher.
        """
        schedules = {
            service: find_schedule(self.target, service) for service in ("states", "lambda")
        }
        return {service: schedule for service, schedule in schedules.items() if schedule}

    @property
    def is_paused_by_hand(self) -> bool:
        """True if the schedule for runs is off, but the stack's file doesn't pause the pipeline."""
        schedule = self.schedules.get("states")
        is_off = schedule is not None and schedule["State"] != "ENABLED"
        return is_off and not self.pipeline.is_paused

    @cached_property
    def rule_target_arns(self) -> Mapping[str, Sequence[str]]:
        """Function module -> the ARNs that its enabled event rules invoke."""
        rule_target_arns: dict[str, list[str]] = {}
        for module in sorted(FUNCTIONS_CALLED_BY_EVENTS):
            rule_target_arns[module] = []
            for rule, arns in find_event_rules(self.target, module):
                if rule["State"] == "ENABLED":
                    rule_target_arns[module] += arns
        return rule_target_arns

    @cached_property
    def function_configs(self) -> Mapping[str, Sequence[Any]]:
        """Function name -> the configuration of its latest code, then those of published versions.

        A configuration is None if the function or the version doesn't exist.
        """
        client = self.client("lambda")
        configs_by_name = defaultdict(list)
        # Sort the ARNs, so that the latest code comes first: its ARN lacks the version's number.
        for arn in sorted(self._list_function_arns()):
            config = read_if_exists(client.get_function_configuration, FunctionName=arn)
            configs_by_name[arn.split(":")[6]].append(config)
        return configs_by_name

    def _list_function_arns(self) -> set[str]:
        """List the functions and versions that the state machine, event rules and schedule invoke.

        For each version, the result also contains the ARN without the version's number, which
        stands for the function's latest code.
        """
        arns = {*self.published_version_arns, *chain.from_iterable(self.rule_target_arns.values())}
        arns.update(version_arn.rpartition(":")[0] for version_arn in self.published_version_arns)
        if "lambda" in self.schedules:
            arns.add(self.schedules["lambda"]["Target"]["Arn"])
        return arns

    @property
    def log_group_names(self) -> set[str]:
        """The names of the functions' log groups."""
        configs = filter(None, chain.from_iterable(self.function_configs.values()))
        return {config["LoggingConfig"]["LogGroup"] for config in configs}

    def find_deployed_alarms(self, name: str) -> list[Any]:
        """Find our deployed alarms by a name from `components/alarms.py`, such as `run-failed`.

        Alarms of other pipelines that have the same name as ours are left out.
        """
        return [
            alarm
            for alarm in self._alarms_by_name.get(name, ())
            if not any(arn in str(alarm["Dimensions"]) for arn in self.other_state_machine_arns)
        ]

    @cached_property
    def other_state_machine_arns(self) -> list[str]:
        """The state machines of other pipelines that have the same name as ours.

        We find them with the `run-failed` alarms, whose dimension is the ARN of a state machine.
        """
        watched_arns = {
            dimension["Value"]
            for alarm in self._alarms_by_name.get("run-failed", ())
            for dimension in alarm["Dimensions"]
        }
        return sorted(watched_arns - {self.target.state_machine_arn})

    @cached_property
    def _alarms_by_name(self) -> Mapping[str, Sequence[Any]]:
        """Alarm name, as in `components/alarms.py` -> the deployed alarms.

        There may be several, because another pipeline may have the same name.
        """
        prefix = f"{self.pipeline_name}-"
        paginator = self.client("cloudwatch").get_paginator("describe_alarms")

        alarms_by_name = defaultdict(list)
        for page in paginator.paginate(AlarmNamePrefix=prefix):
            for alarm in page["MetricAlarms"]:
                # Remove the random suffix that Pulumi appends.
                name = alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0]
                alarms_by_name[name].append(alarm)
        return alarms_by_name
