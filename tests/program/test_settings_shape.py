"""Settings that cannot be read, or that are missing: the whole message of each."""

import pytest

import settings
from tests.program.sample_stack import (
    ACCOUNT,
    LEFT_OUT,
    PARTITION,
    SOLUTION,
    USERS,
    changed,
    one_problem,
)

EXAMPLE = "arn:aws:personalize:eu-west-1:123456789012"
ROLE_EXAMPLE = "arn:aws:iam::123456789012:role/personalize-import"
IAM = f"arn:{PARTITION}:iam::{ACCOUNT}"
KNOWN = (
    "datasets, solutions, importRoleArn, retrainingRate, timezone, paused, limits, tags, "
    "permissionsBoundaryArn, logRetentionDays, kmsKeyArn, dataKmsKeyArn"
)

BROKEN = {
    # What must be there.
    "at least one dataset": (
        {"datasets": LEFT_OUT},
        (
            "datasets: missing; at least one of "
            "interactions, items, users, actions, actionInteractions"
        ),
    ),
    "at least one dataset, not an empty mapping": (
        {"datasets": {}},
        (
            "datasets: missing; at least one of "
            "interactions, items, users, actions, actionInteractions"
        ),
    ),
    "at least one solution": (
        {"solutions": []},
        "solutions: missing; at least one, each with its solutionArn",
    ),
    "a dataset has a location": (
        {"datasets.users.dataLocation": LEFT_OUT},
        (
            "datasets.users.dataLocation: missing; "
            "the CSV to import, for example 's3://bucket/users.csv'"
        ),
    ),
    "a dataset has an ARN": (
        {"datasets.users.datasetArn": LEFT_OUT},
        (
            "datasets.users.datasetArn: missing; "
            f"the dataset to fill, for example '{EXAMPLE}:dataset/movies/USERS'"
        ),
    ),
    "a solution has an ARN": (
        {"solutions[0].solutionArn": ""},
        (
            "solutions[0].solutionArn: missing; "
            f"the solution to retrain, for example '{EXAMPLE}:solution/movies'"
        ),
    ),
    "a campaign has an ARN": (
        {"solutions[0].campaigns[0]": {}},
        (
            "solutions[0].campaigns[0].campaignArn: missing; "
            f"the campaign to update, for example '{EXAMPLE}:campaign/movies'"
        ),
    ),
    "an optional ARN is not empty": (
        {"importRoleArn": ""},
        f"importRoleArn: empty; leave it out or name a role, for example '{ROLE_EXAMPLE}'",
    ),
    # Keys.
    "an unknown key, with the nearest": (
        {"retrainigRate": "7 days"},
        "retrainigRate: unknown; did you mean retrainingRate?",
    ),
    "an unknown key like no other": (
        {"qualityGate": {}},
        f"qualityGate: unknown; known are {KNOWN}",
    ),
    "an unknown key of a dataset": (
        {"datasets.users.readyMarker": "_SUCCESS"},
        "datasets.users.readyMarker: unknown; known are datasetArn, dataLocation, importMode",
    ),
    "an unknown dataset": (
        {"datasets.user": {}},
        "datasets.user: unknown; did you mean users?",
    ),
    "an unknown key of a solution": (
        {"solutions[0].solution_arn": SOLUTION},
        "solutions[0].solution_arn: unknown; did you mean solutionArn?",
    ),
    "an unknown key of a campaign": (
        {"solutions[0].campaigns[0].probe": {}},
        "solutions[0].campaigns[0].probe: unknown; known are campaignArn",
    ),
    "an unknown limit": (
        {"limits.maxTrainingHour": 3},
        "limits.maxTrainingHour: unknown; did you mean maxTrainingHours?",
    ),
    # Types.
    "text is text": (
        {"retrainingRate": 7},
        "retrainingRate: 7 is a number; expected text in quotes",
    ),
    "text is not null": ({"timezone": None}, "timezone: empty; expected text in quotes"),
    "an optional key is not null": (
        {"kmsKeyArn": None},
        "kmsKeyArn: empty; expected text in quotes",
    ),
    "an ARN is text": (
        {"solutions[0].solutionArn": [SOLUTION]},
        "solutions[0].solutionArn: a list; expected text in quotes",
    ),
    "a dataset is a mapping": (
        {"datasets.users": USERS},
        (
            f"datasets.users: '{USERS}' is text; "
            "expected a mapping with datasetArn, dataLocation, importMode"
        ),
    ),
    "a dataset is not null": (
        {"datasets.users": None},
        "datasets.users: empty; expected a mapping with datasetArn, dataLocation, importMode",
    ),
    "datasets are a mapping": (
        {"datasets": [USERS]},
        (
            "datasets: a list; expected a mapping with "
            "interactions, items, users, actions, actionInteractions"
        ),
    ),
    "solutions are a list": (
        {"solutions": {"solutionArn": SOLUTION}},
        "solutions: a mapping; expected a list",
    ),
    "a solution is a mapping": (
        {"solutions[0]": SOLUTION},
        (
            f"solutions[0]: '{SOLUTION}' is text; "
            "expected a mapping with solutionArn, trainingMode, fullEvery, campaigns"
        ),
    ),
    "a boolean is one": ({"paused": "yes"}, "paused: 'yes' is text; expected true or false"),
    "a boolean is no number": ({"paused": 0}, "paused: 0 is a number; expected true or false"),
    "a limit is a number": (
        {"limits.maxImportHours": "6h"},
        "limits.maxImportHours: '6h' is text; expected a number",
    ),
    "a limit is no boolean": (
        {"limits.maxImportHours": True},
        "limits.maxImportHours: True is a boolean; expected a number",
    ),
    "a retention is whole": (
        {"logRetentionDays": 90.5},
        "logRetentionDays: 90.5 is a number; expected a whole number",
    ),
    "a tag's value is text": (
        {"tags.cost": 42},
        "tags.cost: 42 is a number; expected text in quotes",
    ),
    "tags are a mapping": ({"tags": ["team"]}, "tags: a list; expected a mapping"),
}


@pytest.mark.parametrize(("changes", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_its_key_the_value_and_the_way_out(changes, line):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(changed(changes))
    assert str(caught.value) == one_problem(line), "the whole message, and no other problem"
