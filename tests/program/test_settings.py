"""Proves that the sample stack is read, and the rules that no single change of it shows."""

import re

import pulumi
import pytest

from components import settings
from components.args import (
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    to_config,
)
from components.args_reader import ENCRYPTED, IS_OUTPUT
from components.constants import RESERVED_TAG_PREFIX
from components.naming import MAX_NAME_CHARACTERS
from components.rules.several_settings import check_args
from components.rules.single_settings import Problem
from docs.configuration import rows
from functions.personalize import tags
from tests.components.recording import run
from tests.components.sample import IMPORT_ROLE, USERS_TOPIC, complete
from tests.program.sample_stack import (
    CONFIG,
    CONFIG_KEYS,
    HOME,
    PROBE,
    PROJECT_FILE,
    ROOT,
    SOLUTION,
    USERS,
    changed,
    keys,
    parse,
    problems_of,
)
from tests.world import PERSONALIZE

SMALLEST = {
    "datasets": {"users": {"datasetArn": USERS, "dataLocation": "s3://bucket/users.csv"}},
    "solutions": [{"solutionArn": SOLUTION}],
}
MORE_OPTIONS = {
    **{
        f"datasets.{key}": {
            "datasetArn": f"{PERSONALIZE}:dataset/movies/{type_}",
            "dataLocation": f"s3://bucket/{key}/",
        }
        for key, type_ in (
            ("users", "USERS"),
            ("actionInteractions", "ACTION_INTERACTIONS"),
            ("actions", "ACTIONS"),
        )
    },
    f"{PROBE}.inputList": ["i1", "i2"],
    "solutions[0].campaigns[1].probe": {"itemId": "i1"},
    "importRoleArn": IMPORT_ROLE,
    "batchRoleArn": IMPORT_ROLE,
    "notifications.topicArn": USERS_TOPIC,
    "limits.maxModelAgeDays": 9,
    "solutions[1].batchJobs[0].kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k",
}
EVERY_OPTION = changed(MORE_OPTIONS, to_config(complete(), keep_none=False))


def test_the_sample_stack_shows_every_key():
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    assert [key for key in CONFIG_KEYS if key not in text] == []


def test_the_project_file_declares_the_defaults_of_the_arguments():
    declared = {key: setting["default"] for key, setting in PROJECT_FILE["config"].items()}
    defaults = to_config(parse(SMALLEST))
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
    baseline = {"solutions[0].qualityGate[0].relativeTo": f"{HOME}:solution/popular"}
    baseline["solutions[1]"] = {"solutionArn": f"{HOME}:solution/popular"}
    (problem,) = problems_of(with_items([f"{number:0>249}" for number in range(20)], **baseline))
    assert "relativeTo" in problem
    values = {f"{PROBE}.filterArn": f"{HOME}:filter/unseen", f"{PROBE}.context": {"DEVICE": "tv"}}
    values |= {f"{PROBE}.filterValues": {f"P{number}": f'"{"x" * 198}"' for number in range(25)}}
    (problem,) = problems_of(changed(values))
    assert problem.startswith("solutions: has 5"), "names, values and the filter count too"


def test_an_encrypted_setting_is_refused_and_not_shown():
    config = changed({"solutions": "hush", "importRoleArn": "hush"})
    assert problems_of(config, secrets=["importRoleArn", "solutions"]) == [
        f"importRoleArn: {ENCRYPTED}",
        f"solutions: {ENCRYPTED}",
    ]


def test_an_output_is_accepted_only_where_an_input_is_allowed():
    # With createAlarms, the ARN of the campaign has to be known.
    own_alarms = changed({"solutions[0].campaigns[0].bake.createAlarms": False}, EVERY_OPTION)

    def program():
        for key in keys(EVERY_OPTION):
            options = own_alarms if key.endswith("campaignArn") else EVERY_OPTION
            config = changed({key: pulumi.Output.from_input(None)}, options)
            names = r"Arn|dataLocation|readyMarker|relativeTo|alarms\[0\]|\.input|output"
            is_input = re.search(f"({names})$", key)
            assert check_args(config).problems == ([] if is_input else [Problem(key, IS_OUTPUT)]), (
                key
            )

    paths = {re.sub(r"(?<=datasets)\.\w+(?=\.)", ".*", key) for key in keys(EVERY_OPTION)}
    assert {re.sub(r"\[\d+\]", "[]", path) for path in paths} >= {row.key for row in rows()}
    parse(EVERY_OPTION)
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


def test_the_tags_of_the_pipeline_have_keys_that_it_reserves():
    keys = [value for name, value in vars(tags).items() if name.isupper() and "-" in str(value)]
    assert keys, "functions/personalize/tags.py has the keys"
    assert all(key.startswith(RESERVED_TAG_PREFIX) for key in keys)


def test_the_longest_name_of_a_stack_leads_to_the_longest_name_of_a_pipeline():
    assert settings.MAX_STACK_NAME_CHARACTERS == 29
    name = settings.build_pipeline_name("x" * settings.MAX_STACK_NAME_CHARACTERS)
    assert len(name) == MAX_NAME_CHARACTERS
