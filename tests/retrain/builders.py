"""Builders of the report of a run that succeeded, with the given changes."""

HOME = "arn:aws:personalize:eu-west-1:123456789012"
EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:retraining-dev:1"
EXECUTION_BY_HAND = f"{EXECUTION}0"
STATE_MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev"
SOLUTION = f"{HOME}:solution/movies"
OLD, NEW = f"{SOLUTION}/00000001", f"{SOLUTION}/00000002"
SECOND_SOLUTION = f"{HOME}:solution/series"
CAMPAIGN = f"{HOME}:campaign/home-page"


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
