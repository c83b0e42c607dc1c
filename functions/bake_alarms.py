"""Lists and reads the CloudWatch alarms that watch a new version during its bake."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from .common.errors import AWS_ERRORS
from .common.formatting import resource_name
from .common.truncation import truncate_middle
from .constants import BAKE_ALARM_NAMES
from .contract import CampaignSettings, Settings, pipeline_name
from .rules.campaigns import Alarm

CloudWatchClient: TypeAlias = Any
"""The type stubs for CloudWatch aren't installed."""


def list_alarm_names(settings: Settings, campaign: CampaignSettings) -> list[str]:
    """List the names of the alarms that watch a campaign during a bake."""
    bake = campaign["bake"]
    if bake is None:
        return []

    names = [arn.partition(":alarm:")[2] for arn in bake["alarms"]]
    if bake["createAlarms"]:
        # The names contain the campaign instead of a number. Otherwise, if a campaign was inserted
        # into the config during a bake, another campaign's alarms would decide.
        name_prefix = f"{pipeline_name(settings)}-bake-{resource_name(campaign['campaignArn'])}"
        names += [f"{name_prefix}-{alarm}-{settings['prefix']}" for alarm in BAKE_ALARM_NAMES]
    return names


def read_alarms(client: CloudWatchClient, names: Sequence[str]) -> list[Alarm]:
    """Read the alarms with these names.

    If an alarm can't be read, its state is the error's message. An exception would stop the
    deployment, and an error isn't a reason to roll back either.
    """
    alarms = _describe_alarms(client, names, "MetricAlarm", "CompositeAlarm")
    other_names = [name for name in names if name not in alarms]
    if other_names:
        # DescribeAlarms returns log alarms only on request. We request them separately, so that a
        # failure can't hide another alarm that went off.
        alarms |= _describe_alarms(client, other_names, "LogAlarm")

    missing_state = _explain_missing_alarm(client)
    return [alarms.get(name, Alarm(name=name, state=missing_state)) for name in names]


def _describe_alarms(
    client: CloudWatchClient, names: Sequence[str], *alarm_types: str
) -> dict[str, Alarm]:
    """Describe alarms of these types, as name -> alarm.

    If the request fails, each of these alarms has the error's message as its state.
    """
    try:
        response = client.describe_alarms(AlarmNames=names, AlarmTypes=list(alarm_types))
    except AWS_ERRORS as error:
        state = truncate_middle(str(error))
        return {name: Alarm(name=name, state=state) for name in names}

    alarms = {}
    for alarm_type in alarm_types:
        # The response has the alarms of the type `MetricAlarm` under `MetricAlarms`.
        for description in response.get(f"{alarm_type}s", ()):
            name = description["AlarmName"]
            # StateUpdatedTimestamp changes even if the state doesn't, so it's only a fallback.
            changed_at = description.get("StateTransitionedTimestamp")
            alarms[name] = Alarm(
                name=name,
                state=description["StateValue"],
                state_changed_at=changed_at or description["StateUpdatedTimestamp"],
            )
    return alarms


def _explain_missing_alarm(client: CloudWatchClient) -> str:
    """Explain why the response of DescribeAlarms lacks an alarm.

    Lambda's own boto3 may be too old for log alarms, so it would omit them from the response.
    """
    shape = client.meta.service_model.operation_model("DescribeAlarms").output_shape
    if "LogAlarms" in shape.members:
        return "does not exist"
    return "is not a metric alarm or a composite alarm; this boto3 knows no others"
