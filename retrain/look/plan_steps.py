"""Describes the steps of a planned run for the command `plan`.

A *step* is what the run does with one dataset, solution, campaign or batch job. The pipeline's own
code has already decided it: a *view* has what planning knows about a dataset or a solution, and the
decision about it. This module adds what a person wants to know as well: what an export contains,
how long a job will probably take, and what it will cost.
"""

from __future__ import annotations

from functools import partial
from statistics import mean, median
from typing import TYPE_CHECKING, TypedDict

from functions.common.formatting import (
    describe_export_content,
    format_count,
    format_duration,
    format_hours,
    format_list,
    format_metric_name,
    format_number,
    format_size,
    resource_name,
)
from functions.common.messages import Message, add_subject, as_message, join_reasons
from functions.common.prices import estimate_import_cost, estimate_training_cost
from functions.personalize.trainings import describe_version
from functions.rules.recipes import find_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NotRequired

    from mypy_boto3_personalize import PersonalizeClient

    from functions.common.messages import Reason
    from functions.contract import (
        CampaignSettings,
        Plan,
        PlannedImport,
        PlannedSolution,
        QualityRule,
        SolutionSettings,
    )
    from functions.planning.datasets import DatasetView
    from functions.planning.plan_run import RunView
    from functions.planning.solutions import SolutionView

BILLED_VERSIONS = 3
"""How many earlier versions the estimate of the training hours is based on."""


class Step(TypedDict):
    """What a run does with one resource. Unknown values are None, and costs are in dollars."""

    action: str
    """One of `ACTIONS` in `plan.py`."""
    resource: str
    """The ARN of the resource, or the output of a batch job."""
    name: str
    reason: Message
    facts: NotRequired[list[str]]
    expectedSeconds: NotRequired[int | None]
    expectedTrainingHours: NotRequired[float | None]
    expectedCost: NotRequired[float | None]
    """Left out for a step that never costs anything."""


def list_steps(client: PersonalizeClient, view: RunView, planned: Plan) -> Iterator[Step]:
    """Yield a step for each dataset, then for each solution with its campaigns and batch jobs."""
    imports_by_type = {item["type"]: item for item in planned["imports"]}
    for dataset in view.datasets:
        yield _build_import_step(dataset, imports_by_type.get(dataset.dataset_settings["type"]))

    for solution in view.solutions:
        yield from _list_solution_steps(client, solution)


def _list_solution_steps(client: PersonalizeClient, view: SolutionView) -> Iterator[Step]:
    work = view.plan_work()
    yield _build_solution_step(client, view, work)

    planned_arns = [campaign["campaignArn"] for campaign in work["campaigns"]] if work else []
    for campaign in view.solution_settings["campaigns"]:
        yield _build_campaign_step(
            view, campaign, is_planned=campaign["campaignArn"] in planned_arns
        )

    for batch_job in view.solution_snapshot.batch_jobs:
        output = batch_job.settings["output"]
        yield _build_batch_step(view, output, is_planned=work is not None)


def _build_step(resource: str, name: str, action: str, reason: Reason) -> Step:
    return {"action": action, "resource": resource, "name": name, "reason": as_message(reason)}


def _build_import_step(view: DatasetView, planned: PlannedImport | None) -> Step:
    """Describe whether the run imports a dataset, and what its export contains."""
    action, reason = view.decision
    cost: float = 0
    if action == "import":
        cost = round(estimate_import_cost(view.export.total_bytes), 2)

    settings = view.dataset_settings
    return {
        **_build_step(settings["datasetArn"], settings["type"], action, reason),
        "facts": [f"{settings['dataLocation']}: {', '.join(_describe_export(view))}"],
        "expectedSeconds": _estimate_seconds(planned),
        "expectedCost": cost,
    }


def _describe_export(view: DatasetView) -> Iterator[str]:
    """Yield the size and age of a dataset's export, and what's known about its rows."""
    export = view.export
    yield format_count(len(export.objects), "file")
    yield format_size(export.total_bytes)
    if export.row_count is not None:
        yield f"{export.row_count:,} rows"

    newest_at = view.dataset_state.export.newest_at
    if newest_at is not None:
        age = view.data_snapshot.now - newest_at
        yield f"written {format_duration(age.total_seconds())} ago"
    yield from describe_export_content(view.content)


def _build_solution_step(
    client: PersonalizeClient, view: SolutionView, planned: PlannedSolution | None
) -> Step:
    """Describe whether the run trains a solution, and what that probably takes and costs."""
    action, reason = view.decision
    step = _build_step(view.arn, resource_name(view.arn), action, reason)
    if view.is_trained_by_personalize and action != "keep":
        step["facts"] = ["trained by Personalize"]
    if planned is None or action != "train":
        return step

    hours = _estimate_hours(client, view, planned["trainingMode"])
    cost = estimate_training_cost(view.recipe, hours, view.settings["trainingHourPrice"])
    return {
        **step,
        "facts": [*_describe_training(view, planned["trainingMode"], hours)],
        "expectedSeconds": _estimate_seconds(planned),
        "expectedTrainingHours": _round(hours),
        "expectedCost": _round(cost),
    }


def _describe_training(view: SolutionView, mode: str, hours: float | None) -> Iterator[str]:
    yield f"{mode} training"
    if hours is not None:
        yield f"about {format_number(hours)} training hours"

    recipe = find_recipe(view.recipe)
    if recipe and recipe.is_priced_by_interactions:
        yield f"the recipe {view.recipe} is priced by interactions, not by hours"


def _estimate_hours(client: PersonalizeClient, view: SolutionView, mode: str) -> float | None:
    """Estimate the training hours as the average of the last versions trained in this mode.

    If there are no such versions, return None.
    """
    arns = [
        version.arn
        for version in view.solution_state.versions
        if version.is_active and version.training_mode == mode
    ]

    # The versions are sorted, newest first. Only DescribeSolutionVersion returns their hours.
    billed_versions = [describe_version(client, arn) for arn in arns[:BILLED_VERSIONS]]
    hours = [version["trainingHours"] for version in billed_versions if "trainingHours" in version]
    return mean(hours) if hours else None


def _build_campaign_step(
    view: SolutionView, campaign: CampaignSettings, *, is_planned: bool
) -> Step:
    """Describe whether the run updates a campaign, and why it does or doesn't.

    `is_planned` is True if the plan has the campaign, either for an update or for a verdict that
    hasn't been reported yet.
    """
    campaign_arn = campaign["campaignArn"]
    build_step = partial(_build_step, campaign_arn, f"campaign {resource_name(campaign_arn)}")

    state = view.earlier_versions.campaign_states[campaign_arn]
    if state.record.trial:
        trial_name = resource_name(state.record.trial.version_arn)
        return build_step("wait", f"{trial_name} is on trial, and every run ends trials first")

    served = f"it serves {resource_name(state.served_version_arn or 'nothing')}"
    if state.pin:
        return build_step("keep", f"{served} and is pinned")

    update = _describe_update(view, campaign)
    if is_planned and update is not None:
        return build_step("update", f"{served}; {update}")

    verdict = _explain_verdict(view, campaign_arn, served)
    if verdict is None:
        return build_step("keep", served)
    return build_step("report" if is_planned else "keep", verdict)


def _describe_update(view: SolutionView, campaign: CampaignSettings) -> str | None:
    """Say which version a campaign gets and on what conditions, or return None if it gets none."""
    pending = view.earlier_versions.pending_versions.get(campaign["campaignArn"])
    if pending and pending != view.earlier_versions.candidate:
        return f"it gets {resource_name(pending.arn)}, which a person has approved"
    if pending or view.gets_new_version:
        return _describe_conditions(view, campaign)
    return None


def _explain_verdict(view: SolutionView, campaign_arn: str, served: str) -> Message | None:
    """Explain why the rules turn the candidate down, or return None if they don't."""
    deployment = view.earlier_versions.predicted_deployments.get(campaign_arn)
    if deployment is None or not deployment.first_step.reasons:
        return None

    step = deployment.first_step
    subject = f"{served}, because {resource_name(deployment.version.arn)} is {step.outcome}"
    return add_subject(subject, join_reasons(step.reasons))


def _describe_conditions(view: SolutionView, campaign: CampaignSettings) -> str:
    """Describe the checks that a new version has to pass, before and after its deployment."""
    text = "it gets the new version"
    conditions = [*_list_conditions(view.solution_settings)]
    if conditions:
        text += f" if {format_list(conditions)}"
    else:
        text += ", because it has no quality gate"

    if campaign["probe"]:
        text += "; then a probe decides"
    else:
        text += ", without a probe"
    if campaign["bake"]:
        text += f"; alarms decide for {campaign['bake']['hours']:g} h"
    return text


def _list_conditions(solution: SolutionSettings) -> Iterator[str]:
    """Yield the conditions for the deployment of a new version."""
    # If two rules compare the same metric, it's named once.
    metrics = dict.fromkeys(map(_describe_metric, solution["qualityGate"]))
    if metrics:
        yield f"this passes the quality gate ({format_list([*metrics])})"
    if solution["approval"]:
        yield f"a person approves it within {format_hours(solution['approval']['timeoutHours'])}"


def _describe_metric(rule: QualityRule) -> str:
    name = format_metric_name(rule["metric"])
    if rule["relativeTo"] is None:
        return name
    return f"{name} relative to {resource_name(rule['relativeTo'])}"


def _build_batch_step(view: SolutionView, output: str, *, is_planned: bool) -> Step:
    """Describe whether the run starts a batch job, which it does after updating the campaigns."""
    predicted_step = view.earlier_versions.predicted_batch_steps.get(output)
    reasons: list[Reason] = ["no version is trained"]
    warnings: Sequence[Reason] = ()
    if predicted_step is not None:
        reasons = [*predicted_step.reasons] or ["version, input and settings have not changed"]
        warnings = predicted_step.progress_changes.get("warnings", ())

    action = "keep"
    if is_planned:
        action = "write"
        # Until the run has trained and deployed, nobody knows which version the job will use.
        reasons = ["if version, input or settings have changed by then"]
    reason = join_reasons([*reasons, *warnings])
    return _build_step(output, f"batch job to {output}", action, reason)


def _estimate_seconds(planned: PlannedImport | PlannedSolution | None) -> int | None:
    """Estimate a job's duration as the median of earlier ones, or return None without any."""
    if planned is None or not planned["durations"]:
        return None
    return round(median(planned["durations"]))


def _round(value: float | None) -> float | None:
    """Round hours or dollars to two digits, unless they're unknown."""
    if value is None:
        return None
    return round(value, 2)
