"""CloudWatch as far as a bake needs it: alarms with a state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import boto3


@dataclass
class Alarms:
    """The alarms of an account. It is the client of CloudWatch too."""

    now: Callable[[], datetime]
    failure: Exception | None = None
    """The error that each request raises, if any."""
    requests: list[list[str]] = field(default_factory=list)
    """The names in each request."""
    _found: dict[str, dict[str, object]] = field(default_factory=dict)

    @cached_property
    def meta(self) -> object:
        """What boto3 knows about CloudWatch."""
        return boto3.client("cloudwatch", region_name="eu-west-1").meta

    def change(self, name: str, state: str) -> None:
        """Change the state of an alarm. A new alarm is created."""
        alarm = {"AlarmName": name, "StateValue": state, "StateTransitionedTimestamp": self.now()}
        self._found[name] = alarm

    def rings_since(self, name: str, time: datetime) -> bool:
        """Return True if an alarm is ringing, and began to after a time."""
        alarm = self._found.get(name, {"StateValue": "OK"})
        return alarm["StateValue"] == "ALARM" and alarm["StateTransitionedTimestamp"] > time

    def describe_alarms(self, *, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, object]:  # noqa: N803
        """Return the alarms with these names that exist. Those with a slash are composite."""
        self.requests.append(AlarmNames)
        if self.failure:
            raise self.failure
        found = {"MetricAlarms": [], "CompositeAlarms": [], "LogAlarms": []}
        for name in set(AlarmNames) & self._found.keys():
            alarm_type = "CompositeAlarm" if "/" in name else "MetricAlarm"
            found[f"{alarm_type}s"] += [self._found[name]] * (alarm_type in AlarmTypes)

        return found
