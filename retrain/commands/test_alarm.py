"""The command `test-alarm`."""

import typer

from retrain.account.access import Access
from retrain.account.target import find_target
from retrain.act.alarm_test import send_test_alarm
from retrain.commands.options import (
    EndpointOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    StateMachineOption,
)


def test_alarm(
    stack: StackOption = "dev",
    *,
    state_machine_arn: StateMachineOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    json: JsonOption = False,
) -> None:
    """Send a test alarm to the topic of the pipeline, and print who gets its messages.

    The alarm about a failed run goes to ALARM and notifies the topic. Then
    the command sets it back to its former state. The reason of the alarm says
    that this is a test.

    Exit code 0: the topic was notified, and somebody has subscribed to it.
    Exit code 1: the alarm could not notify the topic, or nobody subscribes.
    Exit code 2: the pipeline or its alarms were not found.
    """
    target = find_target(stack, state_machine_arn, Access(region, profile, endpoint_url))
    raise typer.Exit(send_test_alarm(target, as_json=json))
