"""Reads the resources of a deployed pipeline.

The resources refer to each other: a state machine refers to its functions, its role and its log
group, and a schedule to its target, its role and its queue. So if we know the state machine, we can
find the other resources without the stack's state.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import fields
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS
from functions.contract import pipeline_name
from retrain.account.access import read_if_exists
from retrain.account.triggers import find_event_rules, find_schedule
from retrain.check.examined_pipeline import ExaminedPipeline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrain.account.target import Target

FUNCTION_ARN = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d+:function:[\w:$-]+")
"""The ARN of a function or, usually, of one of its published versions."""


class DeployedPipeline(ExaminedPipeline):
    """A deployed pipeline, whose resources are read when they're first needed, and only once."""

    target: Target

    @property
    def name(self) -> str:
        """The pipeline's name, which is the prefix of its resources' names."""
        return pipeline_name(self.target.settings)

    @cached_property
    def schedules(self) -> Mapping[str, Any]:
        """Service -> the schedule that calls it, if the schedule exists.

        The schedule for Step Functions (`states`) starts runs, and the schedule for Lambda
        (`lambda`) invokes the watcher.
        """
        return {
            service: schedule
            for service in ("states", "lambda")
            if (schedule := find_schedule(self.target, service))
        }

    @property
    def is_schedule_off(self) -> bool:
        """True if the schedule for runs is off, whether by the config or by hand."""
        schedule = self.schedules.get("states")
        return schedule is not None and schedule["State"] != "ENABLED"

    @cached_property
    def rule_target_arns(self) -> Mapping[str, Sequence[str]]:
        """Function module -> the ARNs that its enabled event rules invoke."""
        return {
            module: [
                arn
                for rule, arns in find_event_rules(self.target, module)
                if rule["State"] == "ENABLED"
                for arn in arns
            ]
            for module in sorted(FUNCTIONS_CALLED_BY_EVENTS)
        }

    @cached_property
    def function_configs(self) -> Mapping[str, Any]:
        """Function name -> the configuration of the code that is invoked, or None if it's gone.

        The state machine, the event rules and the watcher's schedule invoke the functions.
        """
        function_arns = {
            *find_function_arns(self.target.state_machine["definition"]),
            *chain.from_iterable(self.rule_target_arns.values()),
        }
        if "lambda" in self.schedules:
            function_arns.add(self.schedules["lambda"]["Target"]["Arn"])

        client = self.client("lambda")
        return {
            arn.split(":")[6]: read_if_exists(client.get_function_configuration, FunctionName=arn)
            for arn in sorted(function_arns)
        }

    def find_alarms(self, name: str) -> list[Any]:
        """Find our deployed alarms by a name from `components/alarms.py`, such as `run-failed`.

        An alarm of another pipeline with the same name as ours doesn't count, because it notifies
        another topic.
        """
        return [
            alarm
            for alarm in self._alarms_by_name.get(name, ())
            if self.topic_arn in alarm["AlarmActions"]
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
        prefix = f"{self.name}-"
        paginator = self.client("cloudwatch").get_paginator("describe_alarms")

        alarms_by_name = defaultdict(list)
        for page in paginator.paginate(AlarmNamePrefix=prefix):
            for alarm in page["MetricAlarms"]:
                # Remove the random suffix that Pulumi appends.
                name = alarm["AlarmName"].removeprefix(prefix).rpartition("-")[0]
                alarms_by_name[name].append(alarm)
        return alarms_by_name


def find_function_arns(definition: str) -> list[str]:
    """Find the functions, or versions of functions, that a state machine invokes."""
    return sorted(set(FUNCTION_ARN.findall(definition)))


def to_deployed_pipeline(pipeline: ExaminedPipeline) -> DeployedPipeline:
    """Turn a pipeline that has a target into one whose deployed resources can be read."""
    return DeployedPipeline(
        **{field.name: getattr(pipeline, field.name) for field in fields(pipeline)}
    )
