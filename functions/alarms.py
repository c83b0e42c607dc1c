"""Reads the CloudWatch alarms that decide about a version during its bake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .aws import cloudwatch
from .errors import ServiceUnavailable, Throttled
from .rules.deployments import Alarm
from .texts import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .contract import CampaignSettings, Settings


CREATED_ALARMS = ("4xx", "5xx", "latency")
"""The ends of the names of the alarms that `createAlarms` creates (`components/alarms.py`)."""


def alarm_names(settings: Settings, campaign: CampaignSettings) -> list[str]:
    """Return the names of the alarms that decide about a version of a campaign during its bake."""
    bake = campaign["bake"]
    if bake is None:
        return []
    campaigns = [item for solution in settings["solutions"] for item in solution["campaigns"]]
    created = f"retraining-bake-{settings['prefix']}-{campaigns.index(campaign)}"
    return [
        *(arn.partition(":alarm:")[2] for arn in bake["alarms"]),
        *(f"{created}-{end}" for end in CREATED_ALARMS if bake["createAlarms"]),
    ]


def read_alarms(names: Sequence[str]) -> list[Alarm]:
    """Return the metric alarms and composite alarms with these names. Without names, ask nobody.

    No error is raised, because an alarm that cannot be read does not stop a deployment.
    """
    if not names:
        return []
    try:
        response = cloudwatch().describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except (ClientError, ServiceUnavailable, Throttled) as error:
        return [Alarm(name, doubt=f"cannot be read: {shortened(str(error))}") for name in names]
    alarms = [*response["MetricAlarms"], *response["CompositeAlarms"]]
    found = {alarm["AlarmName"]: _alarm(alarm) for alarm in alarms}
    return [found.get(name, Alarm(name, doubt="does not exist")) for name in names]


def _alarm(alarm: Mapping[str, Any]) -> Alarm:
    """Return an alarm as the rules need it."""
    name, state = alarm["AlarmName"], alarm["StateValue"]
    if state == "ALARM":
        # The first time is not required in the API. The second one changes more often.
        rang_at = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
        return Alarm(name, rang_at)
    return Alarm(name, doubt="" if state == "OK" else f"is in the state {state}")
