"""Proves that the sample stack is read, and the rules that no single change of it shows."""

import re
from copy import deepcopy

import pulumi
import pytest

from components import settings
from components.args import (
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    as_config,
)
from components.pipeline import PIPELINE_TAG
from components.rules.fields import DATE_PLACEHOLDER, Problem
from components.rules.pipeline import RESERVED_TAGS, check
from components.rules.reading import ENCRYPTED, IS_OUTPUT
from components.shared import MAX_NAME_CHARACTERS
from docs.configuration import rows
from functions import executions
from functions.personalize import tags
from tests.components.recording import run
from tests.components.sample import complete
from tests.program.sample_stack import (
    ACCOUNT,
    CONFIG,
    CONFIG_KEYS,
    HOME,
    PROBE,
    PROJECT_FILE,
    REGION,
    ROOT,
    SOLUTION,
    USERS,
    changed,
    keys,
    parse,
    problems_of,
)

SMALLEST = {
    "datasets": {"users": {"datasetArn": USERS, "dataLocation": "s3://bucket/users.csv"}},
    "solutions": [{"solutionArn": SOLUTION}],
}
FOR_YOU, SIMILAR = as_config(complete().solutions, keep_none=False)
PROBE_OPTIONS = FOR_YOU["campaigns"][0]["probe"]
RELATIVE_TO = "solutions[0].qualityGate[0].relativeTo"
EVERY_OPTION = {
    "datasets.items.readyMarker": "s3://bucket/items.SUCCESS",
    "datasets.items.streamed": True,
    "datasets.interactions.maxEventAge": "36 hours",
    "datasets.interactions.strictEvents": True,
    **{
        f"datasets.{key}": {
            "datasetArn": f"{HOME}:dataset/movies/{type_}",
            "dataLocation": f"s3://bucket/{key}/",
        }
        for key, type_ in (
            ("actionInteractions", "ACTION_INTERACTIONS"),
            ("actions", "ACTIONS"),
        )
    },
    "solutions[0].trainingMode": "UPDATE",
    "solutions[0].approval": {"timeoutHours": 12},
    "solutions[0].qualityGate[0].minimum": 0.2,
    RELATIVE_TO: SIMILAR["solutionArn"],
    "solutions[1]": SIMILAR,
    "solutions[0].qualityGateEnabled": True,
    "solutions[0].campaigns[1]": {
        "campaignArn": f"{HOME}:campaign/similar",
        "probe": {"itemId": "i1"},
    },
    f"{PROBE}.inputList": ["i1", "i2"],
    **{f"{PROBE}.{key}": PROBE_OPTIONS[key] for key in ("filterArn", "filterValues", "context")},
    f"{PROBE}.minResults": 2,
    "solutions[0].campaigns[0].bake": FOR_YOU["campaigns"][0]["bake"],
    "importRoleArn": f"arn:aws:iam::{ACCOUNT}:role/import",
    "batchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/batch",
    "permissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "kmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1",
    "dataKmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/2",
    "notifications.emails": ["team@example.com"],
    "notifications.on": "problems",
    "notifications.topicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call",
    "trigger.onExport": False,
    "limits.maxTrainingsPerMonth": 9,
    "limits.maxModelAgeDays": 9,
    "trainingHourPrice": 0.24,
}


def test_the_sample_stack_shows_every_key():
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    assert [key for key in CONFIG_KEYS if key not in text] == []


def test_the_project_file_declares_the_defaults_of_the_arguments():
    declared = {key: setting["default"] for key, setting in PROJECT_FILE["config"].items()}
    defaults = as_config(parse(SMALLEST))
    assert declared == {key: defaults[key] for key in declared}
    assert all(
        set(setting) == {"description", "default"} for setting in PROJECT_FILE["config"].values()
    ), "the CLI refuses a value of a setting with a type before the program can explain it"


def test_a_key_that_is_left_out_has_its_default():
    assert parse(SMALLEST) == RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            users=DatasetArgs(dataset_arn=USERS, data_location="s3://bucket/users.csv")
        ),
        solutions=(SolutionArgs(solution_arn=SOLUTION),),
    )


def test_an_input_list_has_at_most_500_items_and_all_ids_5000_characters():
    def with_items(items, **changes):
        return changed({PROBE: {"userId": "u1", "inputList": items}, **changes})

    parse(with_items([f"i{number}" for number in range(500)]))
    parse(with_items([f"{number:0>249}" for number in range(20)]))
    assert problems_of(with_items([f"i{number}" for number in range(501)])) == [
        f"{PROBE}.inputList: has 501 elements; list 1 to 500 items"
    ]
    (problem,) = problems_of(with_items([f"{number:0>250}" for number in range(20)]))
    assert problem.startswith("solutions: has 5002 characters in probes, ARNs")
    baseline = {RELATIVE_TO: f"{HOME}:solution/popular"}
    baseline["solutions[1]"] = {"solutionArn": baseline[RELATIVE_TO]}
    (problem,) = problems_of(with_items([f"{number:0>249}" for number in range(20)], **baseline))
    assert "relativeTo" in problem
    values = {f"{PROBE}.{key}": EVERY_OPTION[f"{PROBE}.{key}"] for key in ("filterArn", "context")}
    values |= {f"{PROBE}.filterValues": {f"P{number}": "x" * 200 for number in range(25)}}
    (problem,) = problems_of(changed(values))
    assert problem.startswith("solutions: has 5"), "names, values and the filter count too"


def test_an_encrypted_setting_is_refused_and_not_shown():
    config = changed({"solutions": "hush", "importRoleArn": "hush"})
    assert problems_of(config, secrets=["importRoleArn", "solutions"]) == [
        f"importRoleArn: {ENCRYPTED}",
        f"solutions: {ENCRYPTED}",
    ]


def test_an_output_is_accepted_only_where_an_input_is_allowed():
    def program():
        for key in keys(changed(EVERY_OPTION)):
            changes = {**deepcopy(EVERY_OPTION), key: pulumi.Output.from_input(None)}
            names = r"Arn|dataLocation|readyMarker|relativeTo|alarms\[0\]|\.input|output"
            is_input = re.search(f"({names})$", key)
            assert check(changed(changes)).problems == (
                [] if is_input else [Problem(key, IS_OUTPUT)]
            ), key

    paths = {re.sub(r"(?<=datasets)\.\w+(?=\.)", ".*", key) for key in keys(changed(EVERY_OPTION))}
    assert {re.sub(r"\d+", "", path) for path in paths} >= {row.key for row in rows()}
    parse(changed(EVERY_OPTION))
    run(program)


def test_the_message_about_an_approval_without_keys_has_a_value_to_copy():
    solution = {**CONFIG["solutions"][0], "approval": True}
    (problem,) = problems_of({**CONFIG, "solutions": [solution]})
    words = "True is not a mapping with timeoutHours; write {} for the defaults"
    assert problem == f"solutions[0].approval: {words}"


@pytest.mark.parametrize("depth", [940, 200_000])
def test_a_deeply_nested_setting_is_refused_by_its_type(depth):
    (problem,) = problems_of({**CONFIG, "tags": "[" * depth + "]" * depth})
    assert problem.endswith(" is not a mapping")


# --- constants of other modules ------------------------------------------------------------------


def test_the_placeholder_of_a_location_is_the_one_that_a_run_replaces():
    assert executions.DATE == DATE_PLACEHOLDER


def test_the_tags_of_the_pipeline_have_keys_that_it_reserves():
    keys = [value for name, value in vars(tags).items() if name.isupper() and "-" in str(value)]
    assert keys, "functions/personalize/tags.py has the keys"
    assert [key for key in [*keys, PIPELINE_TAG] if not key.startswith(RESERVED_TAGS)] == []


def test_the_longest_name_of_a_stack_leads_to_the_longest_name_of_a_pipeline():
    assert settings.LONGEST_STACK_NAME == 29
    name = settings.pipeline_name("x" * settings.LONGEST_STACK_NAME)
    assert len(name) == MAX_NAME_CHARACTERS
