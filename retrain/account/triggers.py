"""What starts runs by itself: the schedule, and the event rule for new exports."""

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
"""The state of a schedule or a rule. Both services use the same words."""
EXPORT_STARTS: Mapping[str, str] = {"ENABLED": "starts a run", "DISABLED": "starts no run"}
"""What a new export does, by the state of the trigger."""


class CallingRule(NamedTuple):
    """An event rule, and what it calls."""

    rule: RuleTypeDef
    called_arns: Sequence[str]


def find_schedule(target: Target, service: str = "states") -> GetScheduleOutputTypeDef | None:
    """Find the schedule of a pipeline that calls a service, unless somebody has deleted it.

    The one for `states` starts runs, and the one for `lambda` calls the watcher.
    """
    client = target.access.client("scheduler")
    # The group of the schedules has the name of the state machine.
    group = read_if_exists(client.list_schedules, GroupName=target.name) or {"Schedules": []}

    for summary in group["Schedules"]:
        if summary["Target"]["Arn"].split(":")[2] == service:
            schedule: GetScheduleOutputTypeDef = client.get_schedule(
                GroupName=target.name, Name=summary["Name"]
            )
            return schedule
    return None


def find_trigger(target: Target) -> RuleTypeDef | None:
    """Find the event rule that starts runs for new exports. Without `onExport`, there is none."""
    if not target.settings.get("triggerOnExport"):
        return None
    for rule, _ in find_rules(target, "start_on_export"):
        return rule
    return None


def find_rules(target: Target, module: str) -> Iterator[CallingRule]:
    """Find the event rules for a function of this pipeline, each with the ARNs that it calls.

    A stack of another project may have the same name. But only our own rules have the ARN of the
    state machine: in their pattern, or in the input of their target.
    """
    client = target.access.client("events")
    prefix = build_function_name(pipeline_name(target.settings), module)
    for rule in client.list_rules(NamePrefix=prefix)["Rules"]:
        rule_targets = client.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        if target.state_machine_arn in f"{rule} {rule_targets}":
            yield CallingRule(rule, [rule_target["Arn"] for rule_target in rule_targets])


def switch_schedule(access: Access, schedule: GetScheduleOutputTypeDef, state: State) -> None:
    """Turn a schedule on or off.

    UpdateSchedule resets every field that the request omits, so the request repeats them all.
    """
    client = access.client("scheduler")
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


def find_next_time(schedule: GetScheduleOutputTypeDef, now: datetime) -> datetime | None:
    """Find when a schedule fires next. For a kind of expression that we don't know, it's None."""
    kind, _, expression = schedule["ScheduleExpression"].removesuffix(")").partition("(")
    if kind == "rate":
        return _find_next_period(schedule["LastModificationDate"], expression, now)
    if kind == "cron":
        return _find_next_match(expression, ZoneInfo(schedule["ScheduleExpressionTimezone"]), now)
    return None


def _find_next_period(changed_at: datetime, rate: str, now: datetime) -> datetime:
    """Find when a rate like `7 days` fires next. A day of a rate always has 24 hours.

    AWS doesn't document whether a change of a rate() starts its period again. The emulator assumes
    that it does, and so do we.
    """
    value, unit = rate.split()
    period = timedelta(**{f"{unit.removesuffix('s')}s": int(value)})
    first_time = changed_at.astimezone(UTC).replace(microsecond=0)
    elapsed_periods = (now - first_time) // period
    return first_time + max(0, elapsed_periods + 1) * period


def _find_next_match(cron_fields: str, zone: ZoneInfo, now: datetime) -> datetime | None:
    """Find when a cron expression fires next in a time zone.

    A time that daylight saving skips is left out, and one that it repeats counts once.
    """
    try:
        cron = AwsCroniter(cron_fields)
    except ValueError:
        return None

    # The parser knows only UTC, so it gets the zone's local times as if they were UTC. The search
    # begins one hour earlier, because the clocks may have gone back in the meantime.
    local_time = now.astimezone(zone).replace(tzinfo=UTC) - timedelta(hours=1)
    while True:
        local_time = cron.occurrence(local_time).next()
        if local_time is None:
            return None  # Each year of the expression is over.

        next_time: datetime = local_time.replace(tzinfo=zone).astimezone(UTC)
        is_skipped = next_time.astimezone(zone).replace(tzinfo=UTC) != local_time
        if next_time > now and not is_skipped:
            return next_time


def describe_schedule(schedule: GetScheduleOutputTypeDef, now: datetime) -> str:
    """Say whether a schedule is on, and when it fires, in its own zone and next in UTC."""
    times = f"{schedule['ScheduleExpression']} in {schedule['ScheduleExpressionTimezone']}"
    if schedule["State"] != "ENABLED":
        return f"off, {times}"

    next_time = find_next_time(schedule, now)
    if next_time is None:
        return f"on, {times}"
    return f"on, next {format_time(next_time)} UTC, {times}"
