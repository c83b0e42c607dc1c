"""Plans what a run does next: wait, end earlier runs' trials, or import, train and deploy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .common.aws import (
    read_client,
    stepfunctions,
    write_client,
)
from .common.errors import (
    AWS_ERRORS,
    RunRefused,
)
from .common.formatting import format_count
from .common.log import log
from .common.messages import Message
from .common.truncation import truncate_output
from .personalize.campaigns import parse_record
from .personalize.imports import (
    confirm_import,
    taint_dataset,
)
from .personalize.tags import (
    CHECKED_TAG,
    read_tags,
    write_tags,
)
from .planning.plan_run import (
    RunView,
    plan_run,
    plan_without_jobs,
    read_view,
)
from .planning.snapshot import describe_existing
from .report.model import keep_worst_results
from .run.admission import (
    explain_start_by_schedule_change,
    pause_for_deletion,
    pause_for_older_runs,
)
from .run.documents import (
    identify_run,
    list_trial_results,
)
from .run.execution_input import find_input_problems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mypy_boto3_personalize import PersonalizeClient

    from .contract import (
        CampaignResult,
        Plan,
        PlannedCampaign,
        PlannedDeployments,
        Run,
        RunDocument,
        Settings,
    )

PARTIAL_RUN_KEYS = {"skipImport", "datasets", "exportDate", "only"}
"""With any of these request keys, a run doesn't check every dataset's present export."""


@truncate_output
def handler(event: RunDocument, _context: object) -> RunDocument:
    """Add the plan to the run's document.

    Raises:
        RunRefused: the execution's input is invalid, a guard refuses the run, or the run has waited
            too long for an older run or for the deletion of users.
    """
    settings = event["settings"]
    if problems := find_input_problems(settings, event["run"]):
        raise RunRefused([*map(str, problems)])

    run = identify_run(event["run"])
    trials = list_trial_results(event)
    plan = _plan_before_jobs(settings, run, trials) or _plan_jobs(settings, run)

    if plan["todo"] == "WORK":
        # The run's document can't hold the results of both many trials and the jobs.
        kept_trials = keep_worst_results(trials)
        if missing := len(trials) - len(kept_trials):
            more = format_count(missing, "more trial")
            text = f"{more} of earlier runs ended, and none of them worse"
            plan["warnings"].insert(0, Message(text=text))
        trials = kept_trials

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
    return {"settings": settings, "run": run, "plan": plan, "trials": trials}


def _plan_before_jobs(
    settings: Settings, run: Run, trials: Sequence[CampaignResult]
) -> Plan | None:
    """Plan what comes before the work: wait for older runs, and end their trials.

    Return None if the work may begin. `trials` has the results of the trials that this run has
    already tried to end.
    """
    if pause := pause_for_older_runs(stepfunctions(), settings, run):
        return plan_without_jobs(pause.reason, seconds=pause.seconds)

    # A run tries to end each trial only once.
    tried_arns = {trial["campaign"]["campaignArn"] for trial in trials}
    if solutions := find_open_trials(read_client(), settings, tried_arns):
        return {**plan_without_jobs(), "todo": "TRIALS", "solutions": solutions}

    if reason := explain_start_by_schedule_change(run):
        return plan_without_jobs(reason)
    if run["request"].get("only") != "trials":
        return None

    # A report about ended trials needs no other reason.
    if trials:
        return plan_without_jobs()
    return plan_without_jobs("no campaign has a version on trial")


def _plan_jobs(settings: Settings, run: Run) -> Plan:
    """Plan imports, trainings and deployments, or wait while users are being deleted."""
    view = read_view(read_client(), settings, run)

    # Record new findings about earlier imports in tags.
    for confirmed in view.data.newly_confirmed_imports:
        confirm_import(write_client(), confirmed)
    for dataset in view.datasets:
        if job := dataset.tainting_import:
            taint_dataset(write_client(), job)

    if pause := pause_for_deletion(view.data.deletions, run):
        return plan_without_jobs(pause.reason, seconds=pause.seconds)

    plan = plan_run(view)
    plan["warnings"] += tag_up_to_date_resources(read_client(), view)
    return plan


def find_open_trials(
    client: PersonalizeClient, settings: Settings, tried: Collection[str] = ()
) -> list[PlannedDeployments]:
    """Find the campaigns with a version on trial, grouped by solution, except those in `tried`."""
    deployments: list[PlannedDeployments] = []
    for solution in settings["solutions"]:
        solution_arn = solution["solutionArn"]
        arns = [campaign["campaignArn"] for campaign in solution["campaigns"]]
        untried_arns = [arn for arn in arns if arn not in tried]
        tags = describe_existing(untried_arns, partial(read_tags, client))

        on_trial = [arn for arn in tags if parse_record(tags[arn], solution_arn).trial]
        if on_trial:
            campaigns: list[PlannedCampaign] = [{"campaignArn": arn} for arn in on_trial]
            deployments.append(
                {"solutionArn": solution_arn, "campaigns": campaigns, "batchJobs": []}
            )

    return deployments


def tag_up_to_date_resources(client: PersonalizeClient, view: RunView) -> list[Message]:
    """Tag each up-to-date resource with the current time, and return warnings about failures.

    The alarm about a model's age counts from this time, because even an old model isn't outdated if
    it was trained on the newest data.
    """
    checked_at = view.data.now.isoformat(timespec="seconds")
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
                # Personalize doesn't respond, so waiting for it with each other tag is pointless.
                break

    return warnings


def find_up_to_date_arns(view: RunView) -> Iterator[str]:
    """Yield the ARNs of the datasets, campaigns and solutions that are up to date.

    - A dataset is up to date if it holds its present export.
    - A campaign is up to date if it serves the version that was trained on the present data.
    - A solution without campaigns is up to date if such a version exists.
    """
    for dataset in view.datasets:
        if dataset.contains_export and not dataset.has_export_date:
            yield dataset.dataset_settings["datasetArn"]

    # Unless every dataset was checked, we don't know whether versions have the newest data.
    if PARTIAL_RUN_KEYS & view.run["request"].keys():
        return

    for solution in view.solutions:
        version = solution.usable_version
        if version is None or not version.is_active:
            continue
        if not solution.earlier_versions.campaign_states:
            yield solution.arn
        for arn, campaign in solution.earlier_versions.campaign_states.items():
            if campaign.served_version_arn == version.arn:
                yield arn
