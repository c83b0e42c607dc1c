"""Checks that datasets, solutions, campaigns, filters and batch inputs exist and are usable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..common.formatting import format_list, resource_name
from ..common.messages import Message, add_subject, join_reasons
from ..constants import DATE_PLACEHOLDER
from ..contract import list_filter_arns
from ..personalize.batch_jobs import list_obsolete_result_keys
from ..personalize.campaigns import (
    LATEST_VERSION_SUFFIX,
    find_served_version_arn,
    parse_pin,
    syncs_with_latest_version,
)
from ..personalize.statuses import ACTIVE, is_active, is_deleted
from ..rules.filters import find_filter_problems
from ..rules.recipes import advise_on_automatic_training, find_recipe, has_segment_jobs
from ..rules.trainings import find_later_deletion
from .guards import guard

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from mypy_boto3_personalize.type_defs import CampaignTypeDef

    from .plan_run import RunView
    from .snapshot import BatchJobSnapshot
    from .solutions import SolutionView

MAX_SHOWN_LINE_LENGTH = 60
"""The maximum length of a batch input's line in a message."""


@guard("datasets", "REFUSE", "run")
def refuse_inactive_datasets(view: RunView) -> Iterator[str]:
    """Yield a message for a dataset or dataset group that does not exist or is not ACTIVE."""
    for dataset in view.settings["datasets"]:
        arn = dataset["datasetArn"]
        yield from _check_usable(arn, view.data_snapshot.datasets.get(arn))

    for arn, group in view.data_snapshot.dataset_groups.items():
        yield from _check_usable(arn, group)


@guard("solutions and campaigns", "REFUSE", "solution")
def refuse_unusable_solution(view: SolutionView) -> Iterator[str]:
    """Yield a message for a solution or campaign that does not exist or is not usable.

    The solution must belong to the dataset group, and the campaign to the solution. The campaign
    need not be ACTIVE, because an update can repair it.
    """
    yield from _check_usable(
        view.arn, view.solution_snapshot.description, view.data_snapshot.dataset_groups
    )

    for campaign_settings in view.solution_settings["campaigns"]:
        arn = campaign_settings["campaignArn"]
        campaign = view.solution_snapshot.campaigns.get(arn)
        if campaign is None:
            yield (
                f"{arn}: was deleted or never created, so its users get errors now; create it with "
                "the command that `doctor` prints, or take it out of the stack's config"
            )
        elif is_deleted(campaign["status"]):
            yield f"{arn}: its status is {campaign['status']}; take it out of the stack's config"
        elif not campaign["solutionVersionArn"].startswith(f"{view.arn}/"):
            yield (
                f"{arn}: serves {campaign['solutionVersionArn']}, which is not a version of "
                f"{view.arn}; move the campaign to the solution of that version in the config"
            )


def _check_usable(
    arn: str, resource: Mapping[str, Any] | None, group_arns: Collection[str] = ()
) -> Iterator[str]:
    """Yield a message for a resource that is missing, not ACTIVE, or not in one of the groups.

    Without `group_arns`, any dataset group is accepted.
    """
    if resource is None:
        yield f"{arn}: does not exist; create it, or correct the ARN in the stack's config"
        return

    status = resource["status"]
    if not is_active(status):
        yield (
            f"{arn}: its status is {status}, but it has to be {ACTIVE}; wait if it is being "
            "created, otherwise repair it or take it out of the config"
        )

    group_arn = resource["datasetGroupArn"]
    if group_arns and group_arn not in group_arns:
        yield (
            f"{arn}: belongs to {group_arn}, but this stack retrains "
            f"{', '.join(group_arns)}; correct the ARN, or use another stack for {group_arn}"
        )


@guard("automatic training", "REFUSE", "solution")
def refuse_automatic_training(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a solution with automatic training, if autoTraining is `refuse`.

    Solutions with `trainedBy: personalize` are left out, because they need it.
    """
    # Don't refuse a run that only deploys an approved version, because it doesn't train.
    is_training_allowed = "only" not in view.run["request"]
    if view.settings["autoTraining"] == "refuse" and is_training_allowed:
        yield from _check_double_training(view)


@guard("automatic training", "WARN", "solution")
def warn_of_automatic_training(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a solution with automatic training, if autoTraining is `warn`.

    Solutions with `trainedBy: personalize` are left out, because they need it.
    """
    if view.settings["autoTraining"] == "warn":
        yield from _check_double_training(view)


def _check_double_training(view: SolutionView) -> Iterator[Message]:
    """Yield a message if both runs and Personalize train the solution, which costs extra."""
    if not view.is_trained_by_personalize and view.trains_automatically:
        advice = advise_on_automatic_training(view.recipe)
        yield Message(
            text=f"{view.arn}: also trains automatically; {advice}",
            command=(
                f"aws personalize update-solution --solution-arn {view.arn} "
                "--no-perform-auto-training"
            ),
        )


@guard("missing training", "WARN", "solution")
def warn_of_missing_training(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a solution with `trainedBy: personalize` without automatic training."""
    exists = view.solution_snapshot.description is not None
    needs_training = view.is_trained_by_personalize and not view.trains_automatically

    if exists and needs_training:
        yield Message(
            text=(
                f"{view.arn}: trainedBy is personalize, but automatic training is off, so nobody "
                "trains it; turn automatic training on"
            ),
            command=(
                f"aws personalize update-solution --solution-arn {view.arn} --perform-auto-training"
            ),
            needsPerson=True,
        )


@guard("automatic deployment", "REFUSE", "solution")
def refuse_automatic_deployment(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a campaign that Personalize automatically updates to each new version."""
    for arn, campaign in view.solution_snapshot.campaigns.items():
        if syncs_with_latest_version(campaign):
            yield Message(
                text=(
                    f"{arn}: syncWithLatestSolutionVersion deploys versions before a run has "
                    "judged them; turn it off"
                ),
                command=_build_sync_off_command(campaign, view),
            )


def _build_sync_off_command(campaign: CampaignTypeDef, view: SolutionView) -> str:
    """Build the AWS CLI command that turns syncWithLatestSolutionVersion off.

    The command repeats the other settings of the campaign, so that it keeps them.
    """
    # The command has to name a version other than $LATEST. Versions are sorted, newest first.
    version_arn = campaign["solutionVersionArn"]
    active_versions = [version for version in view.solution_state.versions if version.is_active]
    if version_arn.endswith(LATEST_VERSION_SUFFIX) and active_versions:
        version_arn = active_versions[0].arn

    config = {**campaign["campaignConfig"], "syncWithLatestSolutionVersion": False}
    return (
        f"aws personalize update-campaign --campaign-arn {campaign['campaignArn']} "
        f"--solution-version-arn {version_arn} --campaign-config '{json.dumps(config)}'"
    )


@guard("pin", "WARN", "solution")
def warn_of_pinned_campaigns(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a campaign that a person pinned, because it's easy to forget a pin."""
    for arn, tags in view.solution_snapshot.campaign_tags.items():
        if pin := parse_pin(tags):
            yield Message(
                text=f"{arn}: is {pin}, so runs deploy nothing to it; to end this, unpin it",
                command=f"retrain unpin --campaign {resource_name(arn)}",
            )


@guard("deleted users", "WARN", "solution")
def warn_of_served_deleted_users(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a campaign whose version may have learned users who were deleted later.

    No run repeats a training that was stopped, so the campaign may keep this version for long.
    """
    if view.gets_new_version:
        return  # The reason for the training already says so.

    versions_by_arn = {version.arn: version for version in view.solution_state.versions}
    for arn, campaign in view.solution_snapshot.campaigns.items():
        served_version = versions_by_arn.get(find_served_version_arn(campaign) or "")
        if served_version is None:
            continue
        deletion = find_later_deletion(served_version, view.solution_state)
        if deletion is None:
            continue

        problem = (
            f"{arn}: until it gets a newer version, it serves one that may have learned the users "
            f"whom {deletion.arn} deleted"
        )
        advice = "correct what stopped its newer versions, and train again"
        command = "retrain start --skip-import --force"
        if view.is_trained_by_personalize:
            advice = "train a version now, because automatic training may take days to start"
            command = f"aws personalize create-solution-version --solution-arn {view.arn}"
        yield Message(text=f"{problem}; {advice}", command=command, needsPerson=True)


@guard("verdict", "WARN", "solution")
def warn_of_unreported_verdict(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a verdict that no report has told yet, for example because a run died."""
    if not view.gets_new_version:
        return  # Without a newer version, the run reaches the same verdict and reports it.

    for arn, (version, step) in view.earlier_versions.unreported_verdicts.items():
        verdict_text = (
            f"{arn}: {version.arn} was {step.outcome} there, which no report has said yet; a run "
            "reports it once, and there is nothing to do; the reason"
        )
        yield add_subject(verdict_text, join_reasons(step.reasons))


@guard("deleted users", "WARN", "run")
def warn_of_failed_deletion(view: RunView) -> Iterator[Message]:
    """Yield a message for a failed data deletion job, if it is the newest one."""
    last_deletion = max(view.data_snapshot.deletions, key=lambda job: job.created_at, default=None)

    if last_deletion and not last_deletion.is_running and not last_deletion.has_completed:
        text = f"{last_deletion.arn} has failed, so its users may not be deleted; start another job"
        yield Message(text=text, needsPerson=True)


@guard("filters", "REFUSE", "solution")
def refuse_unusable_filters(view: SolutionView) -> Iterator[str]:
    """Yield a message for a filter that is not usable, or does not fit the values of a probe."""
    filters = view.solution_snapshot.filters
    for arn in list_filter_arns(view.solution_settings):
        yield from _check_usable(arn, filters.get(arn), view.data_snapshot.dataset_groups)

    for arn, probe in view.probes:
        if probe_filter := filters.get(probe["filterArn"] or ""):
            for problem in find_filter_problems(probe_filter["filterExpression"], probe):
                yield f"{arn}: the probe {problem}"


@guard("context of a probe", "REFUSE", "solution")
def refuse_unknown_context(view: SolutionView) -> Iterator[str]:
    """Yield a message for a probe whose context has a key that is not an interactions column.

    https://docs.aws.amazon.com/personalize/latest/dg/contextual-metadata.html
    """
    columns = [
        field["name"]
        for dataset in view.settings["datasets"]
        if dataset["type"] == "interactions"
        for field in view.data_snapshot.schemas.get(dataset["datasetArn"], ())
    ]
    if not columns:
        return  # No interactions are configured, or refuse_inactive_datasets() reports them.

    for arn, probe in view.probes:
        for key in sorted({*probe["context"]} - {*columns}):
            yield (
                f"{arn}: the context of the probe has {key}, which is no "
                f"column of the interactions; use one of {', '.join(columns)}"
            )


@guard("user of a probe", "WARN", "solution")
def warn_of_unknown_probe_users(view: SolutionView) -> Iterator[str]:
    """Yield a message for a probe with a user who has no interactions in a small FULL export.

    A large export isn't read to its end, so its users aren't all known.
    """
    for arn, probe in view.probes:
        user_id = probe["userId"]
        if user_id and view.user_ids and user_id not in view.user_ids:
            yield (
                f"{arn}: the user {user_id!r} of the probe has no interactions, "
                "so Personalize answers with popular items, which proves little; name a user of "
                f"the export, for example {min(view.user_ids)!r}"
            )


@guard("batch jobs", "REFUSE", "solution")
def refuse_unusable_inputs(view: SolutionView) -> Iterator[str]:
    """Yield a message for a batch input that matches other files, or lacks a key of the recipe.

    Only the first line of one file is read.
    """
    recipe = find_recipe(view.recipe)
    required_keys = (recipe and recipe.batch_line_keys) or ()

    for batch_job in view.solution_snapshot.batch_jobs:
        yield from _check_input_files(batch_job)
        yield from _check_first_input_line(batch_job, required_keys)


def _check_input_files(batch_job: BatchJobSnapshot) -> Iterator[str]:
    """Yield a message if Personalize would read other files besides the input.

    Personalize treats the location of a file as a prefix, so `a.json` also matches `a.json.bak`.
    """
    location = batch_job.input.location
    if location.endswith("/"):
        return

    other_keys = [
        file.key
        for file in batch_job.input.objects
        if batch_job.input.build_url(file.key) != location
    ]
    if other_keys:
        yield (
            f"batch job to {batch_job.settings['output']}: Personalize would also read "
            f"{other_keys[0]}, because it begins like the input; move it, or put the input into a "
            "folder"
        )


def _check_first_input_line(
    batch_job: BatchJobSnapshot, required_keys: Sequence[str]
) -> Iterator[str]:
    """Yield a message if the first line of the input lacks a key that the recipe needs."""
    # warn_of_missing_inputs() reports an input without a first line.
    first_line = batch_job.input.first_line
    if first_line is not None and not all(f'"{key}"' in first_line for key in required_keys):
        yield (
            f"batch job to {batch_job.settings['output']}: its input begins with "
            f"{first_line[:MAX_SHOWN_LINE_LENGTH]!r}, but each line has to be a JSON object with "
            f"{format_list(required_keys)}; correct it"
        )


@guard("batch inputs", "WARN", "solution")
def warn_of_missing_inputs(view: SolutionView) -> Iterator[Message]:
    """Yield a message for a missing or empty batch input.

    The run isn't refused, because somebody may write the input while the run trains.
    """
    for batch_job in view.solution_snapshot.batch_jobs:
        if batch_job.input.first_line is None:
            reason = batch_job.input.read_error or f"{batch_job.input.location} has no content"
            text = (
                f"batch job to {batch_job.settings['output']}: {reason}; the batch job fails "
                "unless this changes before it begins"
            )
            yield Message(text=text, needsPerson=True)


@guard("user segments", "WARN", "solution")
def warn_of_incomplete_segments(view: SolutionView) -> Iterator[str]:
    """Yield a message for user segments that leave out appended data.

    They use only data from FULL imports:
    https://docs.aws.amazon.com/personalize/latest/dg/getting-user-segments.html.
    """
    import_modes = [dataset["importMode"] for dataset in view.settings["datasets"]]
    has_segments = has_segment_jobs(view.recipe) and view.solution_snapshot.batch_jobs

    if has_segments and "INCREMENTAL" in import_modes:
        yield (
            f"{view.arn}: user segments leave out what INCREMENTAL imports have added; use "
            "importMode FULL"
        )


@guard("batch results", "WARN", "solution")
def warn_of_obsolete_batch_results(view: SolutionView) -> Iterator[str]:
    """Yield a message for outdated batch results, whose input no longer exists.

    Personalize replaces only the results of the present input, and the pipeline deletes nothing.
    """
    for batch_job in view.solution_snapshot.batch_jobs:
        has_daily_folders = DATE_PLACEHOLDER in batch_job.settings["output_pattern"]
        # Without input, the batch job fails, so there's no need for another message.
        if batch_job.results is None or not batch_job.input.objects or has_daily_folders:
            continue

        result_keys = list_obsolete_result_keys(batch_job.input, batch_job.results)
        if result_keys:
            yield (
                f"batch job to {batch_job.settings['output']}: has results whose input is gone, "
                f"for example {result_keys[0]}; delete them, or put {DATE_PLACEHOLDER} into the "
                "output"
            )
