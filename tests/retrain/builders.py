"""Builders of a rehearsed run: each returns a run that succeeded, with the given changes."""

from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
)
from retrain.rehearsal.jobs import Job
from retrain.rehearsal.runs import Campaign, Item, Run, Step, Summary, User, Version

HOME = "arn:aws:personalize:eu-west-1:123456789012"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:retraining-dev:1"
EXECUTION_BY_HAND = f"{EXECUTION}0"
STATE_MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev"
SOLUTION = f"{HOME}:solution/movies"
OLD, NEW = f"{SOLUTION}/00000001", f"{SOLUTION}/00000002"
SECOND_SOLUTION = f"{HOME}:solution/series"
CAMPAIGN = f"{HOME}:campaign/home-page"
IMPORT = f"{HOME}:dataset-import-job/1a2b3c4d-20261130T030000Z-actionInteractions"
METRICS = {
    "normalized_discounted_cumulative_gain_at_10": 0.25,
    "mean_reciprocal_rank_at_25": 0.5,
    "precision_at_10": 0.125,
    "coverage": 1.0,
}
STATUSES = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
TRAIN, TRAIN_TWO = (
    Item("film-1", "The Train", "Drama"),
    Item("film-2", "The Train II", "Drama|Crime"),
)
USER = User("user-1", [Item("A", genres="Comedy"), TRAIN, Item("C"), Item("D")])
OUTPUTS = {
    "schedule_arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/retraining-dev/nightly",
    "state_machine_arn": STATE_MACHINE,
    "log_group_name": "retraining-dev",
    "dead_letter_queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/retraining-dev",
}


def campaign_report(outcome, **changes):
    """Return the part of a report about a campaign."""
    return {
        "campaignArn": CAMPAIGN,
        "outcome": outcome,
        "reason": None,
        "versionArn": NEW,
        "previousVersionArn": OLD,
        "metrics": {},
        "seconds": None,
        **changes,
    }


def solution_report(solution_arn=SOLUTION, version=NEW, **changes):
    """Return the part of a report about a solution."""
    return {
        "solutionArn": solution_arn,
        "outcome": "DEPLOYED" if version else "FAILED",
        "reason": None,
        "solutionVersionArn": version,
        "trainingMode": "FULL",
        "isTrained": True,
        "trainingHours": None,
        "seconds": None,
        "campaigns": [],
        **changes,
    }


def run_report(*solutions, **changes):
    """Return the report of a run."""
    return {
        "schemaVersion": 1,
        "pipeline": "retraining-dev",
        "outcome": "DEPLOYED",
        "error": None,
        "reason": None,
        "runId": "20261130T030000Z",
        "trigger": "schedule",
        "executionArn": EXECUTION,
        "startedAt": "2026-11-30T03:00:00+00:00",
        "endedAt": "2026-11-30T05:00:00+00:00",
        "seconds": 7200,
        "trainingHours": 0,
        "trainingCost": None,
        "importCost": 0,
        "imports": [],
        "solutions": list(solutions),
        "trials": [],
        "serving": [],
        "heldOutUsers": None,
        "warnings": [],
        "executionUrl": "https://console/execution",
        "dashboardUrl": None,
        **changes,
    }


def import_job(*statuses, arn=IMPORT, seconds=3.14, durations=(4,)):
    """Return an import job with these statuses."""
    return Job("import", arn, None, list(durations), list(statuses or STATUSES), seconds)


def training(*statuses, arn=NEW):
    """Return a training with these statuses."""
    return Job("train", arn, None, [], list(statuses or STATUSES), 3.0)


def update(*statuses):
    """Return the update of the campaign to the new version, with these statuses."""
    return Job("update", CAMPAIGN, NEW, [], list(statuses or STATUSES), 3.0)


def run(status="DEPLOYED", *solutions, jobs=(), execution_arn=EXECUTION, **changes):
    """Return a run whose report has this outcome."""
    report = run_report(*solutions, outcome=status, **changes)
    return Run(execution_arn, "SUCCEEDED", report, list(jobs))


def run_without_report(ending):
    """Return a run that ended without a report."""
    return Run(EXECUTION, ending, None, [])


def campaign(**changes):
    """Return a campaign that serves the new version."""
    fields = {
        "campaign_arn": CAMPAIGN,
        "previous_version_arn": OLD,
        "solution_version_arn": NEW,
        "new_version_arn": NEW,
        "recommendations": [TRAIN_TWO, Item("film-9")],
    }
    return Campaign(**(fields | changes))


UPDATED = campaign()
NOT_UPDATED = campaign(solution_version_arn=OLD)


def summary(**changes):
    """Return the summary of a run that succeeded."""
    fields = {
        "execution_arn": EXECUTION,
        "ending": "SUCCEEDED",
        "report": run_report(solution_report()),
        "jobs": [import_job(), update()],
        "steps": [
            Step(0.0, "plan_retraining", None, "1 to import, 1 to train", None),
            Step(1.25, "create_dataset_import_job", IMPORT, "CREATE PENDING", None),
        ],
        "versions": [Version(OLD, "old", "ACTIVE", METRICS), Version(NEW, "new", "ACTIVE", {})],
        "campaigns": [campaign()],
        "user": USER,
        "evaluation_users": 50,
        "trained": True,
    }
    return Summary(**(fields | changes))


def pipeline_args(*, keys=("interactions",), campaigns=(), paused=False, **dataset):
    """Return the settings of a stack with one solution, whose datasets are all alike."""
    fields = {"dataset_arn": f"{HOME}:dataset/movies/USERS", "data_location": "s3://bucket/a.csv"}
    datasets = DatasetsArgs(**dict.fromkeys(keys, DatasetArgs(**(fields | dataset))))
    solution = SolutionArgs(solution_arn=SOLUTION, campaigns=campaigns)
    return RetrainingPipelineArgs(datasets=datasets, solutions=[solution], paused=paused)


def campaign_args(campaign_arn=CAMPAIGN, probe=None):
    """Return the settings of a campaign."""
    return CampaignArgs(campaign_arn=campaign_arn, probe=probe)
