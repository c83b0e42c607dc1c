"""Describes what a run does with each resource, for the command `plan`.

The code of the pipeline has planned the run. Here a person also learns what an export contains, how
long a job will take, and what it costs.
"""

from __future__ import annotations

from statistics import mean, median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

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
from functions.common.messages import (
    Message,
    add_subject,
    join_reasons,
)
from functions.common.prices import (
    estimate_import_cost,
    estimate_training_cost,
)
from functions.personalize.trainings import describe_version
from functions.rules.recipes import find_recipe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    from functions.personalize.batch_jobs import ResolvedBatchJobSettings
    from functions.planning.datasets import DatasetView
    from functions.planning.plan_run import RunView
    from functions.planning.solutions import SolutionView

BILLED_VERSIONS = 3
"""The number of earlier versions from which the training hours are estimated."""
Document: TypeAlias = dict[str, Any]


class _CampaignDecision(NamedTuple):
    """What a run does with a campaign."""

    action: str
    reason: Message


def list_steps(client: PersonalizeClient, view: RunView, planned: Plan) -> Iterator[Document]:
    """Yield what the run does with each dataset, and with each solution and its campaigns.

    The resource is an ARN, or the output of a batch job. Costs are in dollars. What is not known is
    null.
    """
    imports = {item["type"]: item for item in planned["imports"]}
    for dataset in view.datasets:
        yield _import_step(dataset, imports.get(dataset.dataset_settings["type"]))

    for solution in view.solutions:
        training = solution.plan_work()
        yield _training_step(client, solution, training)
        for campaign in solution.solution_settings["campaigns"]:
            yield _campaign_step(solution, campaign, training)
        for batch_job in solution.solution_snapshot.batch_jobs:
            yield _batch_step(solution, batch_job.settings, is_planned=training is not None)


def _import_step(view: DatasetView, planned: PlannedImport | None) -> Document:
    """Describe what the run does with a dataset, and what its export contains."""
    action, reason = view.decision
    cost: float = 0
    if action == "import":
        cost = round(estimate_import_cost(view.export.total_bytes), 2)

    location = view.dataset_settings["dataLocation"]
    return {
        "action": action,
        "resource": view.dataset_settings["datasetArn"],
        "name": view.dataset_settings["type"],
        "reason": Message(text=reason),
        "facts": [f"{location}: {', '.join(_describe_export(view))}"],
        "expectedSeconds": _expect_seconds(planned),
        "expectedCost": cost,
    }


def _describe_export(view: DatasetView) -> Iterator[str]:
    export = view.export
    yield format_count(len(export.objects), "file")
    yield format_size(export.total_bytes)
    if export.row_count is not None:
        yield f"{export.row_count:,} rows"

    newest_at = view.dataset_state.export.newest_at
    if newest_at:
        age = (view.data_snapshot.now - newest_at).total_seconds()
        yield f"written {format_duration(age)} ago"
    yield from describe_export_content(view.content)


def _training_step(
    client: PersonalizeClient, view: SolutionView, planned: PlannedSolution | None
) -> Document:
    """Describe what the run does with a solution, and what the training probably costs."""
    action, reason = view.decision
    step = {
        "action": action,
        "resource": view.arn,
        "name": resource_name(view.arn),
        "reason": Message(text=reason),
    }
    if planned is None or action != "train":
        return step

    mode = planned["trainingMode"]
    hours = _estimate_hours(client, view, mode)
    facts = [f"{mode} training"]
    if hours is not None:
        facts.append(f"about {format_number(hours)} training hours")
    recipe = find_recipe(view.recipe)
    if recipe and recipe.is_priced_by_interactions:
        facts.append(f"the recipe {view.recipe} is priced by interactions, not by hours")

    cost = estimate_training_cost(view.recipe, hours, view.settings["trainingHourPrice"])
    return {
        **step,
        "facts": facts,
        "expectedSeconds": _expect_seconds(planned),
        "expectedTrainingHours": _round(hours),
        "expectedCost": _round(cost),
    }


def _estimate_hours(client: PersonalizeClient, view: SolutionView, mode: str) -> float | None:
    """Estimate the training hours by the last versions that were trained in this mode.

    Without such a version, nobody knows them.
    """
    arns = [
        version.arn
        for version in view.solution_state.versions
        if version.is_active and version.training_mode == mode
    ]
    billed = [describe_version(client, arn) for arn in arns[:BILLED_VERSIONS]]
    known = [version["trainingHours"] for version in billed if "trainingHours" in version]

    if not known:
        return None
    return mean(known)


def _campaign_step(
    view: SolutionView, campaign: CampaignSettings, training: PlannedSolution | None
) -> Document:
    arn = campaign["campaignArn"]
    decision = _decide_campaign(view, campaign, training)
    return {
        "action": decision.action,
        "resource": arn,
        "name": f"campaign {resource_name(arn)}",
        "reason": decision.reason,
    }


def _decide_campaign(
    view: SolutionView, campaign: CampaignSettings, training: PlannedSolution | None
) -> _CampaignDecision:
    """Say whether a campaign gets another version, and why."""
    state = view.earlier_versions.campaign_states[campaign["campaignArn"]]
    served = f"it serves {resource_name(state.served_version_arn or 'nothing')}"
    if state.record.trial:
        version = resource_name(state.record.trial.version_arn)
        text = f"{version} is on trial, which the run ends first"
        return _CampaignDecision("wait", Message(text=text))
    if state.pin:
        return _CampaignDecision("keep", Message(text=f"{served} and is pinned"))

    update = _describe_update(view, campaign, training)
    if update is not None:
        return _CampaignDecision("update", Message(text=f"{served}; {update}"))
    return _explain_kept_version(
        view, campaign, served, is_reported=_is_planned(campaign, training)
    )


def _is_planned(campaign: CampaignSettings, training: PlannedSolution | None) -> bool:
    if training is None:
        return False
    return any(item["campaignArn"] == campaign["campaignArn"] for item in training["campaigns"])


def _describe_update(
    view: SolutionView, campaign: CampaignSettings, training: PlannedSolution | None
) -> str | None:
    """Say which version a campaign gets, or return None if it keeps its version."""
    if training is None or not _is_planned(campaign, training):
        return None

    earlier_versions = view.earlier_versions
    pending = earlier_versions.pending_versions.get(campaign["campaignArn"])
    if pending and pending != earlier_versions.candidate:
        return f"it gets {resource_name(pending.arn)}, which a person has approved"
    if pending or training["existingVersionArn"] is None:
        return _describe_conditions(view, campaign)
    return None


def _explain_kept_version(
    view: SolutionView, campaign: CampaignSettings, served: str, *, is_reported: bool
) -> _CampaignDecision:
    """Say what the rules have against the version that the campaign could get, if there is one."""
    deployment = view.earlier_versions.predicted_deployments.get(campaign["campaignArn"])
    if deployment is None or not deployment.first_step.reasons:
        return _CampaignDecision("keep", Message(text=served))

    step = deployment.first_step
    text = f"{served}, because {resource_name(deployment.version.arn)} is {step.outcome}"
    action = "report" if is_reported else "keep"
    return _CampaignDecision(action, add_subject(text, join_reasons(step.reasons)))


def _describe_conditions(view: SolutionView, campaign: CampaignSettings) -> str:
    """Say what the new version of a campaign has to pass."""
    text = "it gets the new version"
    conditions = [*_list_conditions(view.solution_settings)]
    if conditions:
        text += f" if {format_list(conditions)}"
    else:
        text += ", because it has no quality gate"

    text += "; then a probe decides" if campaign["probe"] else ", without a probe"
    if campaign["bake"]:
        text += f"; alarms decide for {campaign['bake']['hours']:g} h"
    return text


def _list_conditions(solution: SolutionSettings) -> Iterator[str]:
    # A metric may have two rules.
    metrics = dict.fromkeys(_describe_metric(rule) for rule in solution["qualityGate"])
    if metrics:
        yield f"this passes the quality gate ({format_list([*metrics])})"
    if solution["approval"]:
        yield f"a person approves it within {format_hours(solution['approval']['timeoutHours'])}"


def _describe_metric(rule: QualityRule) -> str:
    name = format_metric_name(rule["metric"])
    if rule["relativeTo"] is None:
        return name
    return f"{name} relative to {resource_name(rule['relativeTo'])}"


def _batch_step(view: SolutionView, job: ResolvedBatchJobSettings, *, is_planned: bool) -> Document:
    """Describe what the run does with a batch job, after it has updated the campaigns."""
    step = view.earlier_versions.predicted_batch_steps.get(job["output"])
    if is_planned:
        reasons: Sequence[Reason] = ["if version, input or settings have changed by then"]
    elif step is None:
        reasons = ["no version is trained"]
    else:
        reasons = step.reasons or ["version, input and settings have not changed"]

    warnings = step.progress_changes.get("warnings", ()) if step else ()
    return {
        "action": "write" if is_planned else "keep",
        "resource": job["output"],
        "name": f"batch job to {job['output']}",
        "reason": join_reasons([*reasons, *warnings]),
    }


def _expect_seconds(planned: PlannedImport | PlannedSolution | None) -> int | None:
    """Expect a job to take as long as the median of the last ones, if there were any."""
    if planned is None or not planned["durations"]:
        return None
    return round(median(planned["durations"]))


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
