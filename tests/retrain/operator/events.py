"""Builds the events of an execution's history."""

import json
from datetime import UTC, datetime, timedelta

BEGAN_AT = datetime(2026, 11, 29, 3, tzinfo=UTC)
HOME = "arn:aws:personalize:eu-west-1:123456789012"
SOLUTION, CAMPAIGN = f"{HOME}:solution/movies", f"{HOME}:campaign/home-page"
VERSION = f"{SOLUTION}/1a2b3c4d"
IMPORT = f"{HOME}:dataset-import-job/1a2b3c4d-20261129T030000Z-items"
RUN = {"id": "20261129T030000Z", "request": {}}
SETTINGS = {
    "solutions": [
        {
            "solutionArn": SOLUTION,
            "campaigns": [{"campaignArn": CAMPAIGN, "probe": {"minutes": 2}}],
        }
    ]
}
PLANNED_CAMPAIGN = {"campaignArn": CAMPAIGN}
PLAN = {
    "todo": "WORK",
    "reason": None,
    "imports": [{"type": "items", "durations": [300, 900, 1200]}],
    "solutions": [
        {
            "solutionArn": SOLUTION,
            "existingVersionArn": None,
            "durations": [3600],
            "campaigns": [PLANNED_CAMPAIGN],
        }
    ],
}
RUN_DOCUMENT = {"settings": SETTINGS, "run": RUN}


def at(minutes):
    """Return a time some minutes after the run began."""
    return BEGAN_AT + timedelta(minutes=minutes)


def entered(state, document, minutes=0):
    """Return the event that a state has begun with a document."""
    details = {"name": state, "input": json.dumps(document)}
    return {"timestamp": at(minutes), "stateEnteredEventDetails": details}


def exited(state, document, minutes=0):
    """Return the event that a state has ended with a document."""
    details = {"name": state, "output": json.dumps(document)}
    return {"timestamp": at(minutes), "stateExitedEventDetails": details}


def planned(**changes):
    """Return the event that the run was planned."""
    return exited("Plan retraining", {**RUN_DOCUMENT, "plan": {**PLAN, **changes}})


def item(phase, outcome=None, *reasons, began=0, ended=None, arn=IMPORT):
    """Return the item of an import or a training. The times are minutes after the run's start."""
    return {
        "phase": phase,
        "outcome": outcome,
        "reasons": list(reasons),
        "arn": arn if began is not None else None,
        "createdAt": None if began is None else at(began).isoformat(),
        "endedAt": None if ended is None else at(ended).isoformat(),
    }


def dataset_event(import_item, error=None, state="Import dataset"):
    """Return the event of a state in `Import datasets`."""
    document = {"dataset": {"type": "items"}, "item": import_item, "error": error}
    return exited(state, {**RUN_DOCUMENT, **document})


def solution_event(training_item, error=None, state="Train solution"):
    """Return the event of a state in `Retrain solutions`."""
    document = {"solution": {"solutionArn": SOLUTION}, "item": training_item, "error": error}
    return exited(state, {**RUN_DOCUMENT, **document})


def campaign_document(**results):
    """Return the document of a state in `Update campaigns`."""
    empty = {"item": None, "error": None}
    return {**RUN_DOCUMENT, "campaign": PLANNED_CAMPAIGN, **empty, **results}


def campaign_item(phase, outcome=None, *reasons):
    """Return how far the deployment of a version has come."""
    return {"phase": phase, "outcome": outcome, "reasons": list(reasons)}
