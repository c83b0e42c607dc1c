"""Reads, enables and disables what starts runs automatically: the schedule and the *trigger*.

The trigger is an EventBridge rule that reacts to new exports in S3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from aws_croniter import AwsCroniter

from components.naming import build_function_name
from functions.common.formatting import format_time
from functions.contract import pipeline_name
from retrain.account.access import read_if_exists

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_events.type_defs import RuleTypeDef
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from retrain.account.access import Access
    from retrain.account.target import Target


State: TypeAlias = Literal["ENABLED", "DISABLED"]
"""The state of a schedule or an event rule, because both services use the same values."""
EXPORT_EFFECTS: Mapping[str, str] = {"ENABLED": "starts a run", "DISABLED": "starts no run"}
"""The trigger's state -> what a new export does."""


class EventRule(NamedTuple):
    """An event rule, and the ARNs of its targets."""

    rule: RuleTypeDef
    target_arns: Sequence[str]


def find_schedule(target: Target, service: str = "states") -> GetScheduleOutputTypeDef | None:
    """Find a pipeline's schedule by the service that it calls. Return None if it doesn't exist.

    There are two: one starts runs in Step Functions (`states`), and the other invokes the watcher
    in Lambda (`lambda`).
    """
    client = target.access.client("scheduler")
    # The schedule group is named after the state machine.
    response = read_if_exists(client.list_schedules, GroupName=target.name) or {"Schedules": []}

    for summary in response["Schedules"]:
        if summary["Target"]["Arn"].split(":")[2] == service:
            schedule: GetScheduleOutputTypeDef = client.get_schedule(
                GroupName=target.name, Name=summary["Name"]
            )
            return schedule
    return None


def find_trigger(target: Target) -> RuleTypeDef | None:
    """Find the event rule that starts runs for new exports.

    Returns None if the setting `onExport` is off, or if the rule was deleted.
    """
    if not target.settings.get("triggerOnExport"):
        return None
    for rule, _ in find_event_rules(target, "start_on_export"):
        return rule
    return None


def find_event_rules(target: Target, module: str) -> Iterator[EventRule]:
    """Yield the event rules of this pipeline that invoke the function of a module.

    A rule's name doesn't tell us whose rule it is, because a stack of another project may have the
    same name as ours. But only our own rules mention our state machine's ARN, either in their
    pattern or in their target's input.
    """
    client = target.access.client("events")
    prefix = build_function_name(pipeline_name(target.settings), module)
    for rule in client.list_rules(NamePrefix=prefix)["Rules"]:
        rule_targets = client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        if target.state_machine_arn in f"{rule} {rule_targets}":
            yield EventRule(rule, [rule_target["Arn"] for rule_target in rule_targets])


def switch_schedule(access: Access, schedule: GetScheduleOutputTypeDef, state: State) -> None:
    """Turn a schedule on or off.

    The request repeats all other fields, because UpdateSchedule resets every field that is omitted.
    """
    client = access.client("scheduler")
    # GetSchedule's response also has fields that UpdateSchedule doesn't accept, such as the ARN.
    fields = client.meta.service_model.operation_model("UpdateSchedule").input_shape.members
    request = {key: value for key, value in schedule.items() if key in fields}
    client.update_schedule(**{**request, "State": state})


def switch_trigger(access: Access, rule_name: str, state: State) -> None:
    """Turn an event rule on or off."""
    client = access.client("events")
    if state == "ENABLED":
        client.enable_rule(Name=rule_name)
    else:
        client.disable_rule(Name=rule_name)


def compute_next_time(schedule: GetScheduleOutputTypeDef, now: datetime) -> datetime | None:
    """Compute when a schedule fires next.

    Returns None if it never will, or if its expression isn't a rate() or cron().
    """
    kind, _, expression = schedule["ScheduleExpression"].removesuffix(")").partition("(")
    if kind == "rate":
        return _compute_next_rate_time(schedule["LastModificationDate"], expression, now)
    if kind == "cron":
        zone = ZoneInfo(schedule["ScheduleExpressionTimezone"])
        return _compute_next_cron_time(expression, zone, now)
    return None


def _compute_next_rate_time(changed_at: datetime, rate: str, now: datetime) -> datetime:
    """Compute when a rate such as `7 days` fires next. A day has 24 hours, whatever the time zone.

    AWS doesn't document whether updating a rate() schedule restarts its period. Like the emulator,
    we assume that it does.
    """
    value, unit = rate.split()
    period = timedelta(**{f"{unit.removesuffix('s')}s": int(value)})
    first_time = changed_at.astimezone(UTC).replace(microsecond=0)
    elapsed_periods = (now - first_time) // period
    return first_time + max(0, elapsed_periods + 1) * period


def _compute_next_cron_time(cron_fields: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Compute when a cron expression fires next in a time zone.

    When the clocks go forward, a local time that doesn't exist is skipped. When they go back, the
    schedule fires only once at a local time that occurs twice.
    """
    try:
        cron = AwsCroniter(cron_fields)
    except ValueError:
        return None

    # AwsCroniter only supports UTC, so pretend that local times are UTC. Begin an hour early,
    # because the clocks may just have gone back.
    local_time = now.astimezone(zone).replace(tzinfo=UTC) - timedelta(hours=1)
    while True:
        local_time = cron.occurrence(local_time).next()
        if local_time is None:
            return None  # All years in the expression have passed.

        next_time: datetime = local_time.replace(tzinfo=zone).astimezone(UTC)
        is_skipped = next_time.astimezone(zone).replace(tzinfo=UTC) != local_time
        if next_time > now and not is_skipped:
            return next_time


def describe_schedule(schedule: GetScheduleOutputTypeDef, now: datetime) -> str:
    """Describe a schedule: whether it's on, when it fires next in UTC, and its expression."""
    times = f"{schedule['ScheduleExpression']} in {schedule['ScheduleExpressionTimezone']}"
    if schedule["State"] != "ENABLED":
        return f"off, {times}"

    next_time = compute_next_time(schedule, now)
    if next_time is None:
        return f"on, {times}"
    return f"on, next {format_time(next_time)} UTC, {times}"
