"""Settings that cannot be read, or that are missing: the whole message of each."""

import pytest

import settings
from tests.program.sample_stack import (
    ACCOUNT,
    CAMPAIGN,
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
    "datasets, solutions, importRoleArn, retrainingRate, timezone, paused, skipWhenUnchanged, "
    "autoTraining, limits, tags, permissionsBoundaryArn, logRetentionDays, kmsKeyArn, dataKmsKeyArn"
)
A_DATASET = "datasetArn, dataLocation, importMode, minRelativeSize, readyMarker"
A_SOLUTION = "solutionArn, trainingMode, fullEvery, campaigns, qualityGate, qualityGateEnabled"
A_RULE = "metric, maxDrop, minimum"
A_PROBE = "userId, itemId, inputList, minResults, minutes"
GATE = "solutions[0].qualityGate"
PROBE = "solutions[0].campaigns[0].probe"

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
        {"approval": {}},
        f"approval: unknown; known are {KNOWN}",
    ),
    "an unknown key of a dataset": (
        {"datasets.users.format": "csv"},
        f"datasets.users.format: unknown; known are {A_DATASET}",
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
        {"solutions[0].campaigns[0].arn": CAMPAIGN},
        "solutions[0].campaigns[0].arn: unknown; known are campaignArn, probe",
    ),
    "an unknown key of a probe": (
        {PROBE: {"userId": "u1", "minimumResults": 5}},
        f"{PROBE}.minimumResults: unknown; did you mean minResults?",
    ),
    "an unknown key of a rule of the gate": (
        {f"{GATE}[0].maximumDrop": 0.25},
        f"{GATE}[0].maximumDrop: unknown; did you mean maxDrop?",
    ),
    "an unknown limit": (
        {"limits.maxTrainingHour": 3},
        "limits.maxTrainingHour: unknown; did you mean maxTrainingHours?",
    ),
    # Types.
    "text is no boolean": (
        {"retrainingRate": True},
        "retrainingRate: True is a boolean; expected text in quotes",
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
        (f"datasets.users: '{USERS}' is text; expected a mapping with {A_DATASET}"),
    ),
    "a dataset is not null": (
        {"datasets.users": None},
        f"datasets.users: empty; expected a mapping with {A_DATASET}",
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
        (f"solutions[0]: '{SOLUTION}' is text; expected a mapping with {A_SOLUTION}"),
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
    "a gate is not turned on by true": (
        {GATE: True},
        f"{GATE}: True is a boolean; expected a list",
    ),
    "a gate is not turned on by true as text": (
        {GATE: "true"},
        f"{GATE}: 'true' is text; expected a list",
    ),
    "a gate is not turned off by zero": (
        {GATE: 0},
        f"{GATE}: 0 is a number; expected a list",
    ),
    "a gate is a list of rules": (
        {GATE: {"metric": "coverage"}},
        f"{GATE}: a mapping; expected a list",
    ),
    "a rule of the gate is a mapping": (
        {f"{GATE}[0]": "coverage"},
        f"{GATE}[0]: 'coverage' is text; expected a mapping with {A_RULE}",
    ),
    "a rule of the gate has a metric": (
        {f"{GATE}[0].metric": LEFT_OUT},
        (
            f"{GATE}[0].metric: missing; the metric to judge, "
            "for example 'normalized_discounted_cumulative_gain_at_10'"
        ),
    ),
    "a drop is a number": (
        {f"{GATE}[0].maxDrop": "25%"},
        f"{GATE}[0].maxDrop: '25%' is text; expected a number",
    ),
    "a probe is a mapping": (
        {PROBE: True},
        f"{PROBE}: True is a boolean; expected a mapping with {A_PROBE}",
    ),
    "a probe's id is text": (
        {PROBE: {"userId": 42.5}},
        f"{PROBE}.userId: 42.5 is a number; expected text in quotes",
    ),
    "a probe's items are a list": (
        {PROBE: {"userId": "u1", "inputList": "i1"}},
        f"{PROBE}.inputList: 'i1' is text; expected a list",
    ),
    "a probe's items are text": (
        {PROBE: {"userId": "u1", "inputList": ["i1", False]}},
        f"{PROBE}.inputList[1]: False is a boolean; expected text in quotes",
    ),
    "a probe's results are whole": (
        {PROBE: {"userId": "u1", "minResults": 2.5}},
        f"{PROBE}.minResults: 2.5 is a number; expected a whole number",
    ),
    "trainings are whole": (
        {"limits.maxTrainingsPerMonth": "4.5"},
        "limits.maxTrainingsPerMonth: '4.5' is text; expected a whole number",
    ),
    "a relative size is a number": (
        {"datasets.users.minRelativeSize": False},
        "datasets.users.minRelativeSize: False is a boolean; expected a number",
    ),
    "skipping is a boolean": (
        {"skipWhenUnchanged": "never"},
        "skipWhenUnchanged: 'never' is text; expected true or false",
    ),
    "a retention is whole": (
        {"logRetentionDays": 90.5},
        "logRetentionDays: 90.5 is a number; expected a whole number",
    ),
    "a tag's value is text": (
        {"tags.cost": 1e21},
        "tags.cost: 1e+21 is a number; expected text in quotes",
    ),
    "a number that stands for text has at most 64 bits": (
        {"tags.cost": 2**63},
        (
            "tags.cost: 9223372036854775808 is a number; "
            "expected text in quotes, as the Pulumi CLI rounds numbers beyond 64 bits"
        ),
    ),
    "a negative number that stands for text has at most 64 bits": (
        {"tags.cost": -(2**63) - 1},
        (
            "tags.cost: -9223372036854775809 is a number; "
            "expected text in quotes, as the Pulumi CLI rounds numbers beyond 64 bits"
        ),
    ),
    "a number that stands for a word": (
        {"datasets.users.importMode": 1},
        "datasets.users.importMode: '1' is unknown; expected FULL or INCREMENTAL",
    ),
    "a number that stands for a rate": (
        {"retrainingRate": 7},
        (
            "retrainingRate: '7' is not a rate; "
            "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
        ),
    ),
    "tags are a mapping": ({"tags": ["team"]}, "tags: a list; expected a mapping"),
}


@pytest.mark.parametrize(("changes", "line"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_told_with_its_key_the_value_and_the_way_out(changes, line):
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(changed(changes))
    assert str(caught.value) == one_problem(line), "the whole message, and no other problem"
