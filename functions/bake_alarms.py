"""The CloudWatch alarms that watch a new version during its bake."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .contract import CampaignSettings, Settings, pipeline_name
from .errors import AWS_ERRORS
from .rules.campaigns import Alarm
from .texts import shortened
from .words import name_of

CloudWatchClient: TypeAlias = Any
"""The types of CloudWatch are not installed."""
CREATED_ALARMS = ("4xx", "5xx", "latency")
"""The alarms of a bake that `createAlarms` creates (`components/alarms.py`)."""


def alarm_names(settings: Settings, campaign: CampaignSettings) -> list[str]:
    """Return the names of the alarms that watch the versions of a campaign during their bakes."""
    bake = campaign["bake"]
    if bake is None:
        return []

    names = [arn.partition(":alarm:")[2] for arn in bake["alarms"]]
    if bake["createAlarms"]:
        # Not by its number: if a campaign was inserted before it during the bake, the alarms of
        # another one would decide.
        bake_name = f"{pipeline_name(settings)}-bake-{name_of(campaign['campaignArn'])}"
        names += [f"{bake_name}-{alarm}-{settings['prefix']}" for alarm in CREATED_ALARMS]
    return names


def read_alarms(client: CloudWatchClient, names: Sequence[str]) -> list[Alarm]:
    """Read the alarms of a bake.

    An error becomes the state of an alarm. It must not stop the deployment, and it's no reason to
    roll back either.
    """
    alarms = _explained(_described_alarms, client, names, "MetricAlarm", "CompositeAlarm")
    other_names = [name for name in names if name not in alarms]
    if other_names:
        # An error here must not hide an alarm that rings.
        alarms |= _explained(_log_alarms, client, other_names)
    return [alarms[name] for name in names]


def _explained(
    read: Callable[..., dict[str, Alarm]],
    client: CloudWatchClient,
    names: Sequence[str],
    *types: str,
) -> dict[str, Alarm]:
    """Return what a request reads, or its error as the state of each alarm."""
    try:
        return read(client, names, *types)
    except AWS_ERRORS as error:
        state = shortened(str(error))
        return {name: Alarm(name=name, state=state) for name in names}


def _log_alarms(client: CloudWatchClient, names: Sequence[str]) -> dict[str, Alarm]:
    """Return the log alarms with these names. DescribeAlarms shows them only if asked for them.

    Lambda's own boto3 may be too old to know them. It leaves out what it doesn't know.
    """
    response_key = "LogAlarms"
    shape = client.meta.service_model.operation_model("DescribeAlarms").output_shape
    missing_state = "does not exist"
    if response_key not in shape.members:
        missing_state = "is not a metric alarm or a composite alarm; this boto3 knows no others"
    missing = {name: Alarm(name=name, state=missing_state) for name in names}
    return missing | _described_alarms(client, names, "LogAlarm")


def _described_alarms(
    client: CloudWatchClient, names: Sequence[str], *alarm_types: str
) -> dict[str, Alarm]:
    response = client.describe_alarms(AlarmNames=names, AlarmTypes=list(alarm_types))
    alarms = {}
    for alarm_type in alarm_types:
        for alarm in response.get(f"{alarm_type}s", ()):
            name = alarm["AlarmName"]
            since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
            alarms[name] = Alarm(name=name, state=alarm["StateValue"], since=since)
    return alarms
