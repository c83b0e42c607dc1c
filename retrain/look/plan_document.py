"""Builds the document of `retrain plan` from the facts. All functions are pure."""

from __future__ import annotations

from datetime import UTC
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict

from functions.rules.imports import effective_imports
from retrain.account.option_words import FLAGS, in_words_of_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.contract import (
        CampaignSettings,
        DatasetSettings,
        Plan,
        PlannedImport,
        PlannedSolution,
        SolutionSettings,
    )
    from functions.planning.datasets import DatasetView
    from functions.planning.plan_run import RunView
    from functions.planning.solutions import SolutionView
    from functions.rules.imports import Import
    from retrain.look.plan_facts import PlanFacts

PRICED_BY_INTERACTIONS = ("aws-user-personalization-v2", "aws-personalized-ranking-v2")
"""The recipes whose trainings are not priced by hours: "
"https://aws.amazon.com/personalize/pricing/."""

LEFT_OUT = "the options leave it out"


class ImportStep(TypedDict):
    """What a run would do with a dataset."""

    type: str
    action: Literal["import", "keep", "leave out"]
    reason: str
    dataLocation: str
    files: int | None
    bytes: int | None
    rows: int | None
    """The number of rows, or null if the export is too large to be read to its end."""
    ageHours: float | None
    """The age of the newest file, or null without a file."""
    expectedSeconds: int | None
    """How long the last imports took, or null if there was none."""


class CampaignStep(TypedDict):
    """What a run would do with a campaign."""

    campaignArn: str
    action: Literal["update", "keep"]
    servedVersionArn: str | None
    isGated: bool
    isProbed: bool
    approvalHours: float | None
    """For how long a person may approve the version, or null if nobody has to."""
    rolledBackVersionArn: str | None
    """The newest version, if it was rolled back and the campaign serves another version."""


class TrainingStep(TypedDict):
    """What a run would do with a solution."""

    solutionArn: str
    action: Literal["train", "use", "keep", "hold back", "leave out"]
    reason: str
    trainingMode: str | None
    solutionVersionArn: str | None
    """The version that is used instead of a training, or that is up to date."""
    expectedSeconds: int | None
    expectedTrainingHours: float | None
    expectedCost: float | None
    """Dollars, or null if the hours or the price are not known."""
    pricedByInteractions: bool
    campaigns: list[CampaignStep]


class PlanDocument(TypedDict):
    """What a run would do now."""

    outcome: Literal["RUN", "SKIPPED", "REFUSED"]
    reason: str | None
    """Why the run would be skipped, or null."""
    problems: list[str]
    """Why the run would be refused, as all messages in the words of the options."""
    trials: list[str]
    """The campaigns whose trials the run would finish before everything else."""
    imports: list[ImportStep]
    trainings: list[TrainingStep]
    expectedCost: float | None
    """The sum of the known costs in dollars, or null if none is known."""
    warnings: list[str]
    hasOwnJobs: bool
    """True if an import or a version counts as the pipeline's own, because a run created it."""


def plan_document(facts: PlanFacts) -> PlanDocument:
    """Return what a run would do now. A run that would be refused has no steps."""
    view, plan = facts.view, facts.plan
    document: PlanDocument = {
        "outcome": "REFUSED",
        "reason": None,
        "problems": [*map(in_words_of_options, facts.problems)],
        "trials": [
            campaign["campaignArn"] for trial in facts.trials for campaign in trial["campaigns"]
        ],
        "imports": [],
        "trainings": [],
        "expectedCost": None,
        "warnings": [],
        "hasOwnJobs": _has_own_jobs(view),
    }
    if plan is None:
        return document
    trainings = [_training_step(facts, plan, solution) for solution in view.settings["solutions"]]
    costs = [step["expectedCost"] for step in trainings if step["expectedCost"] is not None]
    return {
        **document,
        "outcome": "SKIPPED" if plan["reason"] else "RUN",
        "reason": plan["reason"] and in_words_of_options(plan["reason"]),
        "imports": [_import_step(view, plan, dataset) for dataset in view.settings["datasets"]],
        "trainings": trainings,
        "expectedCost": sum(costs) if costs else None,
        "warnings": [*map(in_words_of_options, plan["warnings"])],
    }


def _has_own_jobs(view: RunView) -> bool:
    """Return True if a run of any stack has created an import or a version that the plan knows."""
    world = view.world
    return any(job.run for jobs in world.imports.values() for job in jobs) or any(
        version.run for seen in world.seen_solutions.values() for version in seen.trainings
    )


def _import_step(view: RunView, plan: Plan, configured: DatasetSettings) -> ImportStep:
    """Return what the run would do with a configured dataset."""
    step: ImportStep = {
        "type": configured["type"],
        "action": "leave out",
        "reason": LEFT_OUT,
        "dataLocation": configured["dataLocation"],
        "files": None,
        "bytes": None,
        "rows": None,
        "ageHours": None,
        "expectedSeconds": None,
    }
    of_type = [item for item in view.datasets if item.dataset["type"] == configured["type"]]
    if not of_type:
        return step
    (dataset,) = of_type
    export = dataset.export
    newest = max((file.modified_at for file in export.objects), default=None)
    age = (view.world.now - newest).total_seconds() / 3600 if newest else None
    planned = next((row for row in plan["imports"] if row["type"] == configured["type"]), None)
    return {
        **step,
        "action": "import" if planned else "keep",
        "reason": _reason_to_import(dataset) if planned else _reason_to_keep(dataset),
        "dataLocation": dataset.dataset["dataLocation"],
        "files": len(export.objects),
        "bytes": export.size,
        "rows": export.row_count,
        "ageHours": round(age, 2) if age is not None else None,
        "expectedSeconds": _expected_seconds(planned),
    }


def _reason_to_import(dataset: DatasetView) -> str:
    """Return why a dataset is imported."""
    data = effective_imports(dataset.imports)
    if dataset.is_being_imported:
        return "an import of this export is running, and the run waits for it"
    if any(job.is_running for job in dataset.imports):
        return "another import is running, and the run waits for it before it imports"
    if not data:
        return "it was never imported"
    if dataset.is_requested:
        return "every export is imported, changed or not"
    if data[-1].run is None:
        return f"no run created the newest import, which ended at {_end_of(data[-1])}"
    return f"it has changed since the import that ended at {_end_of(data[-1])}"


def _reason_to_keep(dataset: DatasetView) -> str:
    """Return why a dataset is not imported."""
    holder = dataset.held_by
    if holder is None:
        return "the run is skipped"
    return f"it has not changed since the import that ended at {_end_of(holder)}"


def _end_of(job: Import) -> str:
    """Return when an import job ended, in UTC to the minute."""
    return f"{job.ended_at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _training_step(facts: PlanFacts, plan: Plan, configured: SolutionSettings) -> TrainingStep:
    """Return what the run would do with a configured solution."""
    arn = configured["solutionArn"]
    solution = next((item for item in facts.view.solutions if item.arn == arn), None)
    planned = next((row for row in plan["solutions"] if row["solutionArn"] == arn), None)
    action, reason, version_arn = (
        _training_decision(facts.view, plan, solution, planned)
        if solution
        else _Decision("leave out", LEFT_OUT)
    )
    is_trained = action == "train"
    hours = facts.training_hours.get(arn) if is_trained else None
    by_interactions = bool(solution and solution.recipe in PRICED_BY_INTERACTIONS)
    price = facts.view.settings.get("trainingHourPrice")
    return {
        "solutionArn": arn,
        "action": action,
        "reason": reason,
        "trainingMode": planned["trainingMode"] if planned and is_trained else None,
        "solutionVersionArn": version_arn,
        "expectedSeconds": _expected_seconds(planned) if is_trained else None,
        "expectedTrainingHours": round(hours, 2) if hours is not None else None,
        "expectedCost": (
            round(hours * price, 2) if hours and price and not by_interactions else None
        ),
        "pricedByInteractions": by_interactions,
        "campaigns": [_campaign_step(solution, row, planned) for row in configured["campaigns"]]
        if solution
        else [],
    }


class _Decision(NamedTuple):
    """What happens to a solution, why, and the version that is used instead of a training."""

    action: Literal["train", "use", "keep", "hold back", "leave out"]
    reason: str
    version_arn: str | None = None


def _training_decision(
    view: RunView, plan: Plan, solution: SolutionView, planned: PlannedSolution | None
) -> _Decision:
    """Return what happens to a solution that the run may train."""
    version = solution.up_to_date_version
    held_back = f"{solution.arn}: {solution.limit_message}" if solution.limit_message else ""
    if planned and planned["existingVersionArn"]:
        reason = held_back or "it is trained already"
        return _Decision("use", f"{reason}; campaigns wait for it", planned["existingVersionArn"])
    if planned and version and version.is_running:
        return _Decision("use", "it is in training, and the run waits for it", version.arn)
    if planned:
        return _Decision("train", _reason_to_train(view, solution))
    if held_back:
        return _Decision("hold back", held_back)
    if version:
        learned = "its newest version was trained on the present data"
        stopped = "the training of the present data was stopped"
        return _Decision("keep", stopped if version.was_stopped else learned, version.arn)
    reason = plan["reason"] or "there is nothing new to train on"
    return _Decision("keep", in_words_of_options(reason))


def _reason_to_train(view: RunView, solution: SolutionView) -> str:
    """Return why a solution is trained."""
    imported = [item.dataset["type"] for item in view.datasets if item.needs_import]
    if imported:
        verb = "is" if len(imported) == 1 else "are"
        return f"{_listed(imported)} {verb} imported"
    if solution.up_to_date_version is None:
        return "no version of a run was trained on the present data"
    requested_by = solution.requested_by
    if requested_by == "events":
        return "an event tracker or the API may have sent records since the last training"
    return f"{FLAGS.get(requested_by or '', requested_by)} asks for it"


def _campaign_step(
    solution: SolutionView, campaign: CampaignSettings, planned: PlannedSolution | None
) -> CampaignStep:
    """Return what happens to a campaign of a solution."""
    arn, approval = campaign["campaignArn"], solution.solution.get("approval")
    updated = {row["campaignArn"] for row in planned["campaigns"]} if planned else set()
    described = solution.world.campaigns.get(arn)
    return {
        "campaignArn": arn,
        "action": "update" if arn in updated else "keep",
        "servedVersionArn": described.get("solutionVersionArn") if described else None,
        "isGated": bool(solution.solution["qualityGate"]),
        "isProbed": campaign["probe"] is not None,
        "approvalHours": approval["timeoutHours"] if approval else None,
        "rolledBackVersionArn": _rolled_back_version(solution, campaign) if described else None,
    }


def _rolled_back_version(solution: SolutionView, campaign: CampaignSettings) -> str | None:
    """Return the newest ACTIVE version of a solution if it was taken back at a campaign."""
    newest = next((item.arn for item in solution.seen.trainings if item.is_active), None)
    seen = solution.seen_campaign(campaign)
    return newest if newest and seen.notes.bad == newest != seen.serves else None


def _expected_seconds(planned: PlannedImport | PlannedSolution | None) -> int | None:
    """Return the median of the last durations, or None if there are none."""
    durations = planned["durations"] if planned else []
    return round(median(durations)) if durations else None


def _listed(words: Sequence[str]) -> str:
    """Return `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
