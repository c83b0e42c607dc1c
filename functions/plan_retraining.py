"""Plans what a run does next: wait, end earlier runs' trials, or import, train and deploy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .common.aws import personalize_read_client, personalize_write_client, stepfunctions
from .common.errors import AWS_ERRORS, RunRefused
from .common.formatting import format_count
from .common.log import log
from .common.messages import Message
from .common.truncation import truncate_output
from .personalize.campaigns import parse_record
from .personalize.imports import confirm_import, taint_dataset
from .personalize.tags import CHECKED_TAG, read_tags, write_tags
from .planning.plan_run import RunView, plan_run, plan_without_jobs, read_view
from .planning.snapshot import read_existing
from .report.model import keep_worst_results
from .run.admission import (
    explain_start_by_schedule_change,
    pause_for_deletion,
    pause_for_older_runs,
)
from .run.execution_data import identify_run, list_trial_results
from .run.execution_input import find_input_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from .contract import (
        CampaignResult,
        ExecutionData,
        Plan,
        PlannedCampaign,
        PlannedDeployments,
        Run,
        Settings,
    )

PARTIAL_RUN_KEYS = {"skipImport", "datasets", "exportDate", "only"}
"""With any of these request keys, a run doesn't check the current export of every dataset."""


@truncate_output
def handler(event: ExecutionData, _context: object) -> ExecutionData:
    """Plan what the run does next, and return the plan with the settings and the run.

    Raises:
        RunRefused: the execution's input is invalid, a guard refuses the run, or the run has waited
            too long for an older run or for the deletion of users.
    """
    settings = event["settings"]
    if problems := find_input_problems(settings, event["run"]):
        raise RunRefused([*map(str, problems)])

    run = identify_run(event["run"])
    trial_results = list_trial_results(event)
    plan = _plan_before_jobs(settings, run, trial_results) or _plan_jobs(settings, run)

    if plan["todo"] == "WORK":
        # An execution's data is limited, and the jobs will need most of it.
        kept_results = keep_worst_results(trial_results)
        omitted_count = len(trial_results) - len(kept_results)
        if omitted_count > 0:
            more_trials = format_count(omitted_count, "more trial")
            text = f"{more_trials} of earlier runs ended, and none of them worse"
            plan["warnings"].insert(0, Message(text=text))
        trial_results = kept_results

    log(
        "plan_retraining",
        plan["todo"],
        runId=run["id"],
        todo=plan["todo"],
        seconds=plan["seconds"],
        reasons=plan["reasons"],
        imports=len(plan["imports"]),
        solutions=len(plan["solutions"]),
    )
    return {"settings": settings, "run": run, "plan": plan, "trials": trial_results}


def _plan_before_jobs(
    settings: Settings, run: Run, trial_results: Sequence[CampaignResult]
) -> Plan | None:
    """Plan to wait for older runs, to end their trials, or to end a run that needs no jobs.

    Return None if it's time to plan the run's own jobs. `trial_results` has the trials of earlier
    runs that this run has already tried to end.
    """
    pause = pause_for_older_runs(stepfunctions(), settings, run)
    if pause is not None:
        return plan_without_jobs(pause.reason, seconds=pause.seconds)

    # A run tries to end each trial only once.
    tried_arns = {result["campaign"]["campaignArn"] for result in trial_results}
    open_trials = find_open_trials(personalize_read_client(), settings, tried_arns)
    if open_trials:
        return {**plan_without_jobs(), "todo": "TRIALS", "solutions": open_trials}

    skip_reason = explain_start_by_schedule_change(run)
    if skip_reason is not None:
        return plan_without_jobs(skip_reason)

    if run["request"].get("only") == "trials":
        # If trials have ended, the report lists them, so it needs no reason.
        if trial_results:
            return plan_without_jobs()
        return plan_without_jobs("no campaign has a version on trial")

    return None


def _plan_jobs(settings: Settings, run: Run) -> Plan:
    """Plan imports, trainings and deployments, or wait while users are being deleted."""
    view = read_view(personalize_read_client(), settings, run)
    _tag_earlier_imports(view)

    pause = pause_for_deletion(view.data_snapshot.deletions, run)
    if pause is not None:
        return plan_without_jobs(pause.reason, seconds=pause.seconds)

    plan = plan_run(view)
    plan["warnings"] += tag_up_to_date_resources(personalize_read_client(), view)
    return plan


def _tag_earlier_imports(view: RunView) -> None:
    """Tag imports that are confirmed by now, and datasets with an import that never will be."""
    for import_job in view.data_snapshot.newly_confirmed_imports:
        confirm_import(personalize_write_client(), import_job)

    for dataset_view in view.datasets:
        if dataset_view.unconfirmable_import:
            taint_dataset(personalize_write_client(), dataset_view.unconfirmable_import)


def find_open_trials(
    client: PersonalizeClient, settings: Settings, tried_arns: Collection[str] = ()
) -> list[PlannedDeployments]:
    """Find the campaigns with a version on trial, grouped by solution, except `tried_arns`."""
    deployments: list[PlannedDeployments] = []
    for solution in settings["solutions"]:
        solution_arn = solution["solutionArn"]
        campaign_arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        untried_arns = [arn for arn in campaign_arns if arn not in tried_arns]
        tags_by_arn = read_existing(untried_arns, partial(read_tags, client))

        campaigns: list[PlannedCampaign] = [
            {"campaignArn": campaign_arn}
            for campaign_arn, tags in tags_by_arn.items()
            if parse_record(tags, solution_arn).trial is not None
        ]
        if campaigns:
            deployments.append(
                {"solutionArn": solution_arn, "campaigns": campaigns, "batchJobs": []}
            )

    return deployments


def tag_up_to_date_resources(client: PersonalizeClient, view: RunView) -> list[Message]:
    """Tag each up-to-date resource with the current time, and return a warning for each failure.

    The ages of models and data are counted from this time. So no alarm goes off about an old model
    that was trained on the current data.
    """
    checked_at = view.data_snapshot.now.isoformat(timespec="seconds")
    warnings = []

    for arn in find_up_to_date_arns(view):
        try:
            write_tags(client, arn, {CHECKED_TAG: checked_at})
        except AWS_ERRORS as error:
            text = (
                f"{arn}: was found up to date, but the tag {CHECKED_TAG} cannot be written: "
                f"{error}; until a run writes it, the alarm about the age may go off"
            )
            warnings.append(Message(text=text))
            if not isinstance(error, ClientError):
                # Personalize is down or throttles us, so don't wait for it again with each tag.
                break

    return warnings


def find_up_to_date_arns(view: RunView) -> Iterator[str]:
    """Yield the ARNs of the datasets, campaigns and solutions that are up to date.

    - A dataset is up to date if it holds its current export.
    - A campaign is up to date if it serves a version that was trained on the current data.
    - A solution without campaigns is up to date if such a version exists.
    """
    for dataset_view in view.datasets:
        if dataset_view.contains_export and not dataset_view.has_export_date:
            yield dataset_view.dataset_settings["datasetArn"]

    # Unless every dataset was checked, we don't know whether a version has the current data.
    if PARTIAL_RUN_KEYS & view.run["request"].keys():
        return

    for solution in view.solutions:
        current_version = solution.usable_version
        if current_version is None or not current_version.is_active:
            continue

        campaign_states = solution.earlier_versions.campaign_states
        if not campaign_states:
            yield solution.arn
        for campaign_arn, campaign_state in campaign_states.items():
            if campaign_state.served_version_arn == current_version.arn:
                yield campaign_arn
