"""CloudWatch as far as a bake needs it: alarms with a state."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Alarms:
    """The alarms of an account. It is the client of CloudWatch too."""

    now: Callable[[], datetime]
    failure: Exception | None = None
    """The error that each request raises, if any."""
    requests: list[list[str]] = field(default_factory=list)
    """The names in each request."""
    _found: dict[str, dict[str, object]] = field(default_factory=dict)

    def change(self, name: str, state: str) -> None:
        """Change the state of an alarm. A new alarm is created."""
        alarm = {"AlarmName": name, "StateValue": state, "StateTransitionedTimestamp": self.now()}
        self._found[name] = alarm

    def describe_alarms(self, *, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, object]:  # noqa: N803
        """Return the alarms with these names that exist. The first one is composite."""
        self.requests.append(AlarmNames)
        if self.failure:
            raise self.failure
        found = [self._found[name] for name in AlarmNames if name in self._found]
        alarms = {"CompositeAlarms": found[:1], "MetricAlarms": found[1:]}
        return {key: alarms[key] if key[:-1] in AlarmTypes else [] for key in alarms}
