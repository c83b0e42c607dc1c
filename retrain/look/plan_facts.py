"""Reads what a plan needs, and plans the run with the plan function's own code."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from functions.errors import RunRefused
from functions.execution_input import input_problems
from functions.executions import run_of
from functions.plan_retraining import solutions_on_trial
from functions.planning.plan_run import plan_run, read_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_personalize import PersonalizeClient

    from functions.contract import Plan, PlannedSolution, Request, Settings, StartedRun
    from functions.planning.plan_run import RunView

BILLED_VERSIONS = 3
"""The number of earlier versions from which the training hours are estimated."""


@dataclass(frozen=True, kw_only=True)
class PlanFacts:
    """What a run would do now. `problems` are the reasons for which it would be refused."""

    view: RunView
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
    view = read_view(client, settings, run)
    try:
        plan = plan_run(view)
    except RunRefused as refusal:
        return PlanFacts(
            view=view,
            plan=None,
            problems=refusal.problems,
            trials=trials,
            training_hours={},
        )
    return PlanFacts(
        view=view,
        plan=plan,
        problems=(),
        trials=trials,
        training_hours=_training_hours(client, view, plan),
    )


def _training_hours(client: PersonalizeClient, view: RunView, plan: Plan) -> dict[str, float]:
    """Return the training hours to expect of each solution that is trained and has a history."""
    hours = {}
    for planned in plan["solutions"]:
        if planned["existingVersionArn"] is None:
            arn, mode = planned["solutionArn"], planned["trainingMode"]
            newest_first = [
                version.arn
                for version in view.world.seen_solutions[arn].trainings
                if version.is_active and version.mode == mode
            ]
            billed = [
                client.describe_solution_version(solutionVersionArn=version)["solutionVersion"]
                for version in newest_first[:BILLED_VERSIONS]
            ]
            values = [version["trainingHours"] for version in billed if "trainingHours" in version]
            if values:
                hours[arn] = mean(values)
    return hours
