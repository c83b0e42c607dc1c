"""CloudWatch as far as a bake needs it: alarms whose states change at times."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Alarms:
    """The alarms of an account. It is the client of CloudWatch too."""

    now: Callable[[], datetime]
    failure: Exception | None = None
    """The error that each request raises, if any."""
    requests: list[list[str]] = field(default_factory=list)
    """The names in each request."""
    _changes: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)

    def change(self, name: str, state: str, *, hours: float = 0) -> None:
        """Change the state of an alarm after some hours. A new alarm is created."""
        change = self.now() + timedelta(hours=hours), state
        self._changes.setdefault(name, []).append(change)

    def describe_alarms(self, *, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, object]:  # noqa: N803
        """Return the alarms with these names that exist. Half of them are composite."""
        self.requests.append(AlarmNames)
        if self.failure:
            raise self.failure
        found = {"MetricAlarms": [], "CompositeAlarms": []}
        for name in AlarmNames:
            past = [change for change in self._changes.get(name, ()) if change[0] <= self.now()]
            alarm_type = ("CompositeAlarm", "MetricAlarm")[len(name) % 2]
            if past and alarm_type in AlarmTypes:
                transitioned_at, state = max(past)
                times = dict.fromkeys(
                    ("StateTransitionedTimestamp", "StateUpdatedTimestamp"), transitioned_at
                )
                found[f"{alarm_type}s"].append({"AlarmName": name, "StateValue": state, **times})
        return found
