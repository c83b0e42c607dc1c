"""Reads what a plan needs, and plans the run with the plan function's own code."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from functions.errors import RunRefused
from functions.execution_input import input_problems
from functions.executions import run_of
from functions.personalize.statuses import is_active
from functions.personalize.trainings import training_mode_of
from functions.personalize.trials import solutions_on_trial
from functions.planning.plan_run import plan_run
from functions.planning.situation import datasets_to_import, situation_of, solutions_to_train
from functions.planning.world import read_world

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import Plan, PlannedSolution, Request, StartedRun
    from functions.planning.situation import Situation
    from functions.workflow_settings import Settings

BILLED_VERSIONS = 3
"""The number of earlier versions from which the training hours are estimated."""


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """What a run would do now. `problems` are the reasons for which it would be refused."""

    situation: Situation
    plan: Plan | None
    """The plan of the run, or None if it would be refused."""
    problems: Sequence[str]
    trials: Sequence[PlannedSolution]
    """The trials that the run would finish before everything else."""
    training_hours: Mapping[str, float]
    """Solution ARN -> the mean of the training hours of its last versions in the planned mode."""


def read_facts(
    client: PersonalizeClient, settings: Settings, request: Request, machine_arn: str, now: datetime
) -> PlanFacts:
    """Return what a run with this input would do now.

    Raises RunRefused if the input is wrong.
    """
    started: StartedRun = {
        "request": request,
        "executionArn": f"{machine_arn.replace(':stateMachine:', ':execution:')}:plan",
        "startedAt": now.isoformat(),
    }
    if problems := input_problems(settings, started):
        raise RunRefused(problems)
    run = run_of(started)
    trials = solutions_on_trial(client, settings)
    world = read_world(
        client,
        settings,
        run,
        datasets=datasets_to_import(settings, run),
        solutions=solutions_to_train(settings, run),
    )
    situation = situation_of(settings, run, world)
    try:
        plan = plan_run(settings, run, world)
    except RunRefused as refusal:
        return PlanFacts(
            situation=situation,
            plan=None,
            problems=refusal.problems,
            trials=trials,
            training_hours={},
        )
    return PlanFacts(
        situation=situation,
        plan=plan,
        problems=(),
        trials=trials,
        training_hours=_training_hours(client, situation, plan),
    )


def _training_hours(
    client: PersonalizeClient, situation: Situation, plan: Plan
) -> dict[str, float]:
    """Return the training hours to expect of each solution that is trained and has a history."""
    hours = {}
    for planned in plan["solutions"]:
        if planned["existingVersionArn"] is None:
            arn, mode = planned["solutionArn"], planned["trainingMode"]
            newest_first = [
                version["solutionVersionArn"]
                for version in situation.world.versions.get(arn, ())
                if is_active(version["status"]) and training_mode_of(version) == mode
            ]
            billed = [
                client.describe_solution_version(solutionVersionArn=version)["solutionVersion"]
                for version in newest_first[:BILLED_VERSIONS]
            ]
            values = [version["trainingHours"] for version in billed if "trainingHours" in version]
            if values:
                hours[arn] = mean(values)
    return hours
