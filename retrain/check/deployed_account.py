"""Reads the parts of a deployed pipeline.

The parts name each other: the state machine names its functions, its role and its log group, and a
schedule names its target, its role and its queue. So the ARN of the state machine is enough to find
them, without the state of the stack.
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
from retrain.account.triggers import find_rules, find_schedule
from retrain.check.findings import Account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrain.account.target import Target

PUBLISHED_ARN = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d+:function:[\w-]+:\d+")
"""The ARN of a published version of a function."""


@dataclass(frozen=True)
class DeployedAccount(Account):
    """An account with the pipeline that is deployed in it. Each part is read once."""

    target: Target
    """The deployed pipeline."""

    @property
    def pipeline_name(self) -> str:
        """The name of the pipeline, with which the names of its resources begin."""
        return pipeline_name(self.target.settings)

    @cached_property
    def published_arns(self) -> list[str]:
        """The versions of functions that the state machine calls."""
        definition = self.target.state_machine["definition"]
        return sorted(set(PUBLISHED_ARN.findall(definition)))

    @cached_property
    def schedules(self) -> Mapping[str, Any]:
        """Service -> the schedule that calls it, unless somebody has deleted the schedule."""
        schedules = {
            service: find_schedule(self.target, service) for service in ("states", "lambda")
        }
        return {service: schedule for service, schedule in schedules.items() if schedule}

    @property
    def is_paused_by_hand(self) -> bool:
        """True if no run starts by itself, although the stack's file does not say so."""
        schedule = self.schedules.get("states")
        is_off = schedule is not None and schedule["State"] != "ENABLED"
        return is_off and not self.pipeline.is_paused

    @cached_property
    def called_arns(self) -> Mapping[str, Sequence[str]]:
        """Module of a function -> the ARNs that enabled event rules call for it."""
        called_arns: dict[str, list[str]] = {}
        for module in sorted(FUNCTIONS_CALLED_BY_EVENTS):
            called_arns[module] = []
            for rule, arns in find_rules(self.target, module):
                if rule["State"] == "ENABLED":
                    called_arns[module] += arns
        return called_arns

    @cached_property
    def functions(self) -> Mapping[str, Sequence[Any]]:
        """Name of a function -> the configurations of its newest code and of what runs call.

        A configuration that does not exist is None.
        """
        client = self.client("lambda")
        configs = defaultdict(list)
        # An ARN without a version, which means the newest code, is sorted before those with one.
        for arn in sorted(self._list_function_arns()):
            config = read_if_exists(client.get_function_configuration, FunctionName=arn)
            configs[arn.split(":")[6]].append(config)
        return configs

    def _list_function_arns(self) -> set[str]:
        """List the functions that the state machine, the rules and the schedules call.

        A version that the state machine calls also stands for the newest code of its function.
        """
        arns = {*self.published_arns, *chain.from_iterable(self.called_arns.values())}
        arns.update(published_arn.rpartition(":")[0] for published_arn in self.published_arns)
        if "lambda" in self.schedules:
            arns.add(self.schedules["lambda"]["Target"]["Arn"])
        return arns

    @property
    def log_groups(self) -> set[str]:
        """The names of the log groups of the functions."""
        configs = filter(None, chain.from_iterable(self.functions.values()))
        return {config["LoggingConfig"]["LogGroup"] for config in configs}

    def find_alarms(self, name: str) -> list[Any]:
        """Find the deployed alarms with a name of the component, for example `run-failed`."""
        return [
            alarm
            for alarm in self._alarms_by_name.get(name, ())
            if not any(arn in str(alarm["Dimensions"]) for arn in self.other_machine_arns)
        ]

    @cached_property
    def other_machine_arns(self) -> list[str]:
        """The state machines of other pipelines with the same name, which their alarms name."""
        watched_arns = {
            dimension["Value"]
            for alarm in self._alarms_by_name.get("run-failed", ())
            for dimension in alarm["Dimensions"]
        }
        return sorted(watched_arns - {self.target.state_machine_arn})

    @cached_property
    def _alarms_by_name(self) -> Mapping[str, Sequence[Any]]:
        """Name of the component -> the alarms, perhaps also those of another pipeline."""
        prefix = f"{self.pipeline_name}-"
        paginator = self.client("cloudwatch").get_paginator("describe_alarms")

        alarms_by_name = defaultdict(list)
        for page in paginator.paginate(AlarmNamePrefix=prefix):
            for alarm in page["MetricAlarms"]:
                # Pulumi adds random characters to the names.
                name = alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0]
                alarms_by_name[name].append(alarm)
        return alarms_by_name
