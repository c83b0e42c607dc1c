"""The commands `pause` and `resume`, which turn the automatic start of runs off and on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.common import clock
from retrain.account.errors import OperatorError
from retrain.account.output import print_command, print_json, print_message, print_result
from retrain.account.target import Target
from retrain.account.triggers import (
    EXPORT_EFFECTS,
    describe_schedule,
    find_schedule,
    find_trigger,
    switch_schedule,
    switch_trigger,
)
from retrain.options import JsonOption, command

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from retrain.account.triggers import State


@command
def pause(target: Target, *, as_json: JsonOption = False) -> int:
    """Turn off what starts runs by itself: the schedule, and the trigger for new exports.

    For example: retrain pause --stack prod

    Nothing is deployed. A run that is under way goes on, `retrain start` still starts one, and the
    watcher still ends trials.

    Exit code 0: no run starts by itself.
    Exit code 2: the pipeline or its schedule was not found, or cannot be changed.
    """
    _switch_automatic_starts(target, "DISABLED", as_json=as_json)

    print_message("A run that is under way goes on. `pulumi up --refresh` would end the pause.")
    print_command(
        "To keep the pause, deploy the setting too", target.config_command("paused", "true")
    )
    return 0


@command
def resume(target: Target, *, as_json: JsonOption = False) -> int:
    """Turn on again what starts runs by itself: the schedule, and the trigger for new exports.

    For example: retrain resume --stack prod

    First find out who has paused the pipeline, and why: the next run would train on bad data.

    Exit code 0: runs start by themselves.
    Exit code 2: the pipeline or its schedule was not found, or cannot be changed.
    """
    _switch_automatic_starts(target, "ENABLED", as_json=as_json)

    print_message(
        "If the stack's file has `paused: true`, `pulumi up --refresh` would pause again."
    )
    print_command(
        "To prevent that, deploy the setting too", target.config_command("paused", "false")
    )
    return 0


def _switch_automatic_starts(target: Target, state: State, *, as_json: bool) -> None:
    """Turn the export trigger and the schedule on or off, and print their new state."""
    trigger = find_trigger(target)
    # Switch the trigger first, because a missing schedule ends the command with an error.
    if trigger is not None and trigger["State"] != state:
        switch_trigger(target.access, trigger["Name"], state)
    schedule = _set_schedule_state(target, state)

    if as_json:
        document = {"schedule": schedule["Name"], "state": state, "trigger": None}
        if trigger is not None:
            document["trigger"] = state
        print_json(document)
        return

    print_result(f"the schedule is {describe_schedule(schedule, clock.now())}")
    if trigger is not None:
        print_result(f"a new export {EXPORT_EFFECTS[state]}")


def _set_schedule_state(target: Target, state: State) -> GetScheduleOutputTypeDef:
    """Turn the schedule on or off, and return it. Raise OperatorError if it doesn't exist."""
    schedule = find_schedule(target)
    if schedule is None:
        raise OperatorError(
            f"{target.name} has no schedule, so somebody has deleted it; create it again",
            f"{target.deploy_command} --refresh",
        )

    if schedule["State"] != state:
        switch_schedule(target.access, schedule, state)
        schedule["State"] = state
        schedule["LastModificationDate"] = clock.now()
    return schedule
