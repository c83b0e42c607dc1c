"""Proves the messages about settings that are missing, unknown or of the wrong type."""

import pytest

from components.args import (
    DatasetArgs,
    DatasetsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    config_keys,
    config_paths,
)
from docs.configuration import rows
from tests.program.sample_stack import (
    CAMPAIGN,
    EXAMPLE,
    GATE,
    LEFT_OUT,
    PROBE,
    ROLE_EXAMPLE,
    SOLUTION,
    USERS,
    Refused,
    changed,
    error_of,
    one_problem,
    refused,
    refused_without_value,
)

KEYS, DATASETS, DATASET_KEYS, SOLUTION_KEYS, RULE_KEYS, PROBE_KEYS = (
    ", ".join(config_keys(cls))
    for cls in (
        RetrainingPipelineArgs,
        DatasetsArgs,
        DatasetArgs,
        SolutionArgs,
        QualityRuleArgs,
        ProbeArgs,
    )
)
TOO_MANY_BITS = (
    "is a number; expected text in quotes, because the Pulumi CLI rounds numbers beyond 64 bits"
)
MISSING = {
    "no datasets": ("datasets", LEFT_OUT, f"missing; configure at least one of {DATASETS}"),
    "empty datasets": ("datasets", {}, f"missing; configure at least one of {DATASETS}"),
    "no solutions": (
        "solutions",
        [],
        "missing; configure at least one solution with its solutionArn",
    ),
    "a dataset without location": (
        "datasets.users.dataLocation",
        LEFT_OUT,
        "missing; the CSV to import, for example 's3://bucket/users.csv'",
    ),
    "a dataset without ARN": (
        "datasets.users.datasetArn",
        LEFT_OUT,
        f"missing; the dataset to fill, for example '{EXAMPLE}:dataset/movies/USERS'",
    ),
    "a solution with an empty ARN": (
        "solutions[0].solutionArn",
        "",
        f"missing; the solution to retrain, for example '{EXAMPLE}:solution/movies'",
    ),
    "an empty role": (
        "importRoleArn",
        "",
        f"empty; leave it out or name a role, for example '{ROLE_EXAMPLE}'",
    ),
    "a rule without metric": (
        f"{GATE}[0].metric",
        LEFT_OUT,
        ("missing; the metric to check, for example 'normalized_discounted_cumulative_gain_at_10'"),
    ),
}
UNKNOWN = {
    "an unknown key": ("retrainigRate", "7 days", "unknown; did you mean retrainingRate?"),
    "a key that resembles no other": ("guardrail", {}, f"unknown; the known keys are {KEYS}"),
    "an unknown key of a dataset": (
        "datasets.users.format",
        "csv",
        f"unknown; the known keys are {DATASET_KEYS}",
    ),
    "a key of a solution at the top": (
        "trainingMode",
        "UPDATE",
        "unknown here; did you mean solutions[].trainingMode?",
    ),
    "a key of a campaign at the top": (
        "probe",
        {},
        "unknown here; did you mean solutions[].campaigns[].probe?",
    ),
    "a key of a dataset at the top": (
        "import_mode",
        "FULL",
        "unknown here; did you mean datasets.*.importMode?",
    ),
    "a limit at the top": (
        "maxTrainingHours",
        3,
        "unknown here; did you mean limits.maxTrainingHours?",
    ),
    "a key of the stack in a solution": (
        "solutions[0].timezone",
        "UTC",
        "unknown here; did you mean timezone?",
    ),
    "an unknown dataset": ("datasets.user", {}, "unknown; did you mean users?"),
    "an unknown key of a solution": (
        "solutions[0].solution_arn",
        SOLUTION,
        "unknown; did you mean solutionArn?",
    ),
    "an unknown key of a campaign": (
        "solutions[0].campaigns[0].arn",
        CAMPAIGN,
        "unknown; the known keys are campaignArn, probe",
    ),
    "an unknown key of a probe": (
        f"{PROBE}.minimumResults",
        5,
        "unknown; did you mean minResults?",
    ),
    "an unknown key of a rule": (
        f"{GATE}[0].maximumDrop",
        0.25,
        "unknown; did you mean maxDrop?",
    ),
    "an unknown limit": (
        "limits.maxTrainingHour",
        3,
        "unknown; did you mean maxTrainingHours?",
    ),
}
MISPLACED = [path for path in config_paths() if "." in path]
TYPES_WITHOUT_VALUE = {
    "null as text": ("timezone", None, "empty; expected text in quotes"),
    "null as optional text": ("kmsKeyArn", None, "empty; expected text in quotes"),
    "a list as text": ("solutions[0].solutionArn", [SOLUTION], "a list; expected text in quotes"),
    "null as dataset": (
        "datasets.users",
        None,
        f"empty; expected a mapping with {DATASET_KEYS}",
    ),
    "a list as datasets": ("datasets", [USERS], f"a list; expected a mapping with {DATASETS}"),
    "a mapping as solutions": (
        "solutions",
        {"solutionArn": SOLUTION},
        "a mapping; expected a list",
    ),
    "a mapping as gate": (GATE, {"metric": "coverage"}, "a mapping; expected a list"),
    "a list as tags": ("tags", ["team"], "a list; expected a mapping"),
}
TYPES = {
    "a boolean as text": ("retrainingRate", True, "is a boolean; expected text in quotes"),
    "text as dataset": (
        "datasets.users",
        USERS,
        f"is text; expected a mapping with {DATASET_KEYS}",
    ),
    "text as solution": (
        "solutions[0]",
        SOLUTION,
        f"is text; expected a mapping with {SOLUTION_KEYS}",
    ),
    "text as boolean": ("paused", "yes", "is text; expected true or false"),
    "a number as boolean": ("paused", 0, "is a number; expected true or false"),
    "text as number": ("limits.maxImportHours", "6h", "is text; expected a number"),
    "a boolean as number": (
        "limits.maxImportHours",
        True,
        "is a boolean; expected a number",
    ),
    "true as gate": (GATE, True, "is a boolean; expected a list"),
    "true in quotes as gate": (GATE, "true", "is text; expected a list"),
    "zero as gate": (GATE, 0, "is a number; expected a list"),
    "text as rule": (
        f"{GATE}[0]",
        "coverage",
        f"is text; expected a mapping with {RULE_KEYS}",
    ),
    "a percentage as number": (f"{GATE}[0].maxDrop", "25%", "is text; expected a number"),
    "a boolean as probe": (PROBE, True, f"is a boolean; expected a mapping with {PROBE_KEYS}"),
    "a fraction as id": (f"{PROBE}.userId", 42.5, "is a number; expected text in quotes"),
    "text as list": (f"{PROBE}.inputList", "i1", "is text; expected a list"),
    "a fraction as whole number": (
        f"{PROBE}.minResults",
        2.5,
        "is a number; expected a whole number",
    ),
    "a fraction in quotes as whole number": (
        "limits.maxTrainingsPerMonth",
        "4.5",
        "is text; expected a whole number",
    ),
    "a large fraction as text": ("tags.cost", 1e21, "is a number; expected text in quotes"),
    "a number of more than 64 bits": ("tags.cost", 2**63, TOO_MANY_BITS),
    "a negative number of more than 64 bits": ("tags.cost", -(2**63) - 1, TOO_MANY_BITS),
}
REFUSED = {
    **{
        name: refused_without_value(*row)
        for name, row in {**MISSING, **UNKNOWN, **TYPES_WITHOUT_VALUE}.items()
    },
    **{name: refused(*row) for name, row in TYPES.items()},
    "a campaign without ARN": Refused(
        {"solutions[0].campaigns[0]": {}},
        (
            "solutions[0].campaigns[0].campaignArn: missing; "
            f"the campaign to update, for example '{EXAMPLE}:campaign/movies'"
        ),
    ),
    "a boolean among items": Refused(
        {PROBE: {"userId": "u1", "inputList": ["i1", False]}},
        f"{PROBE}.inputList[1]: False is a boolean; expected text in quotes",
    ),
    "a number as import mode": Refused(
        {"datasets.users.importMode": 1},
        "datasets.users.importMode: '1' is unknown; expected FULL or INCREMENTAL",
    ),
    "a number as rate": Refused(
        {"retrainingRate": 7},
        (
            "retrainingRate: '7' is not a rate; "
            "expected '7 days', 'rate(12 hours)' or 'cron(0 3 ? * MON *)'"
        ),
    ),
}


@pytest.mark.parametrize(("changes", "line"), REFUSED.values(), ids=REFUSED)
def test_a_setting_that_cannot_be_read_is_refused(changes, line):
    assert error_of(changed(changes)) == one_problem(line)


@pytest.mark.parametrize("path", MISPLACED)
def test_the_message_about_a_key_at_the_top_names_its_place(path):
    key = path.rpartition(".")[2]
    assert error_of(changed({key: "1"})) == one_problem(
        f"{key}: unknown here; did you mean {path}?"
    )


def test_the_messages_name_the_places_in_the_table_of_the_keys():
    assert set(config_paths()) == {
        *(row.key for row in rows()),
        *("limits", "notifications", "trigger"),
    }
