"""Reads the CloudWatch alarms that decide about a version during its bake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .aws import cloudwatch
from .contract import pipeline_name
from .errors import ServiceUnavailable, Throttled
from .rules.deployments import Alarm
from .texts import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contract import CampaignSettings, Settings


CREATED_ALARMS = ("4xx", "5xx", "latency")
"""The alarms that `createAlarms` creates (`components/alarms.py`)."""


def alarm_names(settings: Settings, campaign: CampaignSettings) -> list[str]:
    """Return the names of the alarms that decide about a version of a campaign during its bake."""
    bake = campaign["bake"]
    if bake is None:
        return []
    campaigns = [item for solution in settings["solutions"] for item in solution["campaigns"]]
    start, end = f"{pipeline_name(settings)}-bake-{campaigns.index(campaign)}", settings["prefix"]
    created = [f"{start}-{name}-{end}" for name in CREATED_ALARMS if bake["createAlarms"]]
    return [*(arn.partition(":alarm:")[2] for arn in bake["alarms"]), *created]


def read_alarms(names: Sequence[str]) -> list[Alarm]:
    """Return the metric alarms and composite alarms with these names. Without names, ask nobody.

    Errors become states, because an alarm that cannot be read does not stop a deployment.
    """
    if not names:
        return []
    try:
        response = cloudwatch().describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except (ClientError, ServiceUnavailable, Throttled) as error:
        return [Alarm(name, shortened(str(error))) for name in names]
    found = {}
    for alarm in (*response["MetricAlarms"], *response["CompositeAlarms"]):
        since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
        found[alarm["AlarmName"]] = Alarm(alarm["AlarmName"], alarm["StateValue"], since)
    return [found.get(name, Alarm(name, "does not exist")) for name in names]
