"""A rehearsed run, made by hand, as the tests of `retrain` know it."""

from retrain.rehearsal.jobs import Job
from retrain.rehearsal.summary import Audience, Served, Step, Summary, Version

HOME = "arn:aws:personalize:eu-west-1:123456789012"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:retraining-dev:1"
SOLUTION = f"{HOME}:solution/movies"
OLD, NEW = f"{SOLUTION}/00000001", f"{SOLUTION}/00000002"
OTHER = f"{HOME}:solution/series"
CAMPAIGN = f"{HOME}:campaign/home-page"
IMPORT = f"{HOME}:dataset-import-job/1a2b3c4d-20261130T030000Z-actionInteractions-1"
METRICS = {
    "normalized_discounted_cumulative_gain_at_10": 0.25,
    "mean_reciprocal_rank_at_25": 0.5,
    "precision_at_10": 0.125,
    "coverage": 1.0,
}
ENDED = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
TITLES = {"film-1": "The Train", "film-2": "The Train II"}
GENRES = {"film-1": "Drama", "film-2": "Drama|Crime", "A": "Comedy"}
AUDIENCE = Audience("user-1", ["A", "film-1", "C", "D"], TITLES, GENRES)


def solution_report(arn, version):
    """What the run's report tells of a solution."""
    return {
        "solutionArn": arn,
        "outcome": "DEPLOYED" if version else "FAILED",
        "solutionVersionArn": version,
        "trainingMode": "FULL",
        "adopted": False,
        "failure": None,
        "campaigns": [],
    }


def report(*solutions):
    """A run's report."""
    return {
        "status": "DEPLOYED",
        "runId": "20261130T030000Z",
        "executionArn": EXECUTION,
        "reason": None,
        "imports": [],
        "solutions": list(solutions),
        "warnings": [],
        "text": "Retraining run 20261130T030000Z: DEPLOYED",
    }


def import_job(*statuses, seconds=3.14, durations=(4,)):
    return Job("import", IMPORT, None, list(durations), list(statuses or ENDED), seconds)


def update(*statuses):
    return Job("update", CAMPAIGN, NEW, [], list(statuses or ENDED), 3.0)


def served(*, before=OLD, now=NEW, new=NEW):
    return Served(CAMPAIGN, before, now, new, ["film-2", "film-9"])


def summary(**changes):
    """What is told of a run in which all went well, with changes."""
    told = {
        "execution_arn": EXECUTION,
        "report": report(solution_report(SOLUTION, NEW)),
        "ended": "SUCCEEDED",
        "steps": [
            Step(0.0, "plan_retraining", None, "1 to import, 1 to train", None),
            Step(1.25, "create_dataset_import_job", IMPORT, "CREATE PENDING", None),
        ],
        "jobs": [import_job(), update()],
        "versions": [Version(OLD, "old", "ACTIVE", METRICS), Version(NEW, "new", "ACTIVE", {})],
        "campaigns": [served()],
        "trained": True,
    }
    return Summary(**(told | changes))
