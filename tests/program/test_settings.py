"""Proves that the sample stack is read, and the rules that no single change of it shows."""

import json

import pulumi
import pytest

import settings
from components.args import (
    CampaignArgs,
    DatasetArgs,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    config_paths,
    config_values,
)
from components.naming import MAX_NAME_CHARACTERS, step_name
from components.retraining_pipeline import PIPELINE_TAG
from components.rules import stacks
from components.rules.metrics import METRIC_NAMES
from components.rules.plain import IS_OUTPUT
from components.rules.values import DATE_PLACEHOLDER, RESERVED_TAGS, Problem
from components.state_machine.steps import STEPS
from docs.configuration import rows
from functions import executions
from functions.personalize import tags
from tests.components.recording import run
from tests.program.sample_stack import (
    CAMPAIGN,
    CONFIG,
    CONFIG_KEYS,
    GATE,
    PROBE,
    PROJECT,
    PROJECT_FILE,
    ROOT,
    SOLUTION,
    STACK_CONFIG,
    USERS,
    changed,
    error_of,
    one_problem,
)

SMALLEST = {
    "datasets": {"users": {"datasetArn": USERS, "dataLocation": "s3://bucket/users.csv"}},
    "solutions": [{"solutionArn": SOLUTION}],
}


def dataset(key):
    config = CONFIG["datasets"][key]
    return DatasetArgs(dataset_arn=config["datasetArn"], data_location=config["dataLocation"])


def probe():
    config = CONFIG["solutions"][0]["campaigns"][0]["probe"]
    return ProbeArgs(
        user_id=config["userId"], min_results=config["minResults"], minutes=config["minutes"]
    )


def test_the_sample_stack_is_read():
    assert settings.parse(CONFIG, region=STACK_CONFIG["aws:region"]) == RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            interactions=dataset("interactions"), items=dataset("items"), users=dataset("users")
        ),
        solutions=(
            SolutionArgs(
                solution_arn=SOLUTION,
                quality_gate=(
                    QualityRuleArgs(
                        metric="normalized_discounted_cumulative_gain_at_10",
                        max_drop=CONFIG["solutions"][0]["qualityGate"][0]["maxDrop"],
                    ),
                ),
                campaigns=(CampaignArgs(campaign_arn=CAMPAIGN, probe=probe()),),
            ),
        ),
        retraining_rate=CONFIG["retrainingRate"],
        timezone=CONFIG["timezone"],
        limits=LimitsArgs(
            max_import_hours=CONFIG["limits"]["maxImportHours"],
            max_training_hours=CONFIG["limits"]["maxTrainingHours"],
            max_campaign_hours=CONFIG["limits"]["maxCampaignHours"],
        ),
        tags=CONFIG["tags"],
    )


def test_the_sample_stack_shows_every_key():
    text = (ROOT / "Pulumi.dev.yaml").read_text()
    assert [key for key in CONFIG_KEYS if key not in text] == []


def test_the_project_file_declares_the_defaults_of_the_arguments():
    declared = {key: setting["default"] for key, setting in PROJECT_FILE["config"].items()}
    defaults = config_values(settings.parse(SMALLEST))
    assert declared == {key: defaults[key] for key in declared}
    assert all(
        set(setting) == {"description", "default"} for setting in PROJECT_FILE["config"].values()
    ), "the CLI refuses a value of a setting with a type before the program can explain it"


def test_a_key_that_is_left_out_has_its_default():
    assert settings.parse(SMALLEST) == RetrainingPipelineArgs(
        datasets=DatasetsArgs(
            users=DatasetArgs(dataset_arn=USERS, data_location="s3://bucket/users.csv")
        ),
        solutions=(SolutionArgs(solution_arn=SOLUTION),),
    )


@pytest.mark.parametrize(
    ("rate", "expression"),
    [
        ("7 days", "rate(7 days)"),
        ("rate(12 hours)", "rate(12 hours)"),
        ("cron(0 3 ? * MON *)", "cron(0 3 ? * MON *)"),
    ],
)
def test_a_rate_becomes_an_expression_of_scheduler(rate, expression):
    args = settings.parse(changed({"retrainingRate": rate}))
    assert args.schedule_expression == expression


def test_the_datasets_have_a_fixed_order():
    config = changed(
        {
            f"datasets.{key}": {
                "datasetArn": USERS.replace("USERS", type_),
                "dataLocation": f"s3://bucket/{key}/",
            }
            for key, type_ in (
                ("actionInteractions", "ACTION_INTERACTIONS"),
                ("actions", "ACTIONS"),
            )
        }
    )
    types = ["interactions", "items", "users", "actions", "actionInteractions"]
    assert list(settings.parse(config).datasets.configured()) == types


def test_without_a_day_a_cron_in_the_past_is_accepted():
    settings.parse(changed({"retrainingRate": "cron(0 3 ? * MON 2020)"}))


@pytest.mark.parametrize("path", [path for path in config_paths() if "." in path])
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


@pytest.mark.parametrize(
    "metric", [*METRIC_NAMES, "hit", "hit_at_k", "recall_at_25", "precision", "auc"]
)
def test_a_gate_accepts_the_metrics_of_every_recipe(metric):
    settings.parse(changed({GATE: [{"metric": metric, "minimum": 0.1}]}))


def test_an_input_list_has_at_most_500_items_and_all_of_them_30000_characters():
    def with_items(items):
        return changed({PROBE: {"userId": "u1", "inputList": items}})

    settings.parse(with_items([f"i{number}" for number in range(500)]))
    settings.parse(with_items([f"{number:0>250}" for number in range(120)]))
    assert error_of(with_items([f"i{number}" for number in range(501)])) == one_problem(
        f"{PROBE}.inputList: a list of 501 items; expected 1 to 500 items"
    )
    assert error_of(with_items([f"{number:0>256}" for number in range(118)])) == one_problem(
        "solutions: the inputLists of all probes have 30208 characters, and an execution carries "
        "at most 30000; shorten them, because a few items show whether a campaign ranks"
    )


def test_reading_does_not_change_the_config():
    config = changed({"solutions[0].solutionArn": 5, "tags.cost": 42, "zone": "UTC"})
    text = json.dumps(config)
    error_of(config)
    assert json.dumps(config) == text


def test_an_encrypted_setting_is_refused_and_not_shown():
    reason = (
        "is encrypted, but the state machine shows this setting to everyone who may read it; set "
        "it again with pulumi config set --plaintext -s <stack>"
    )
    assert error_of(
        changed({"solutions": "hush", "importRoleArn": "hush"}),
        secrets=["importRoleArn", "solutions"],
    ) == (
        "2 problems in the configuration of stack dev:\n"
        f"  {PROJECT}:importRoleArn: {reason}\n"
        f"  {PROJECT}:solutions: {reason}"
    )


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        *((key, []) for key in ("importRoleArn", "datasets.users.dataLocation")),
        *(
            (key, [Problem(key, IS_OUTPUT)])
            for key in ("paused", "limits.maxImportHours", "tags", "tags.team", "datasets.users")
        ),
    ],
)
def test_an_output_is_accepted_only_where_an_input_is_allowed(key, problems):
    def program():
        config = settings.read_config(changed({key: pulumi.Output.from_input("a value")}))
        assert config.unread == []
        assert settings.all_problems(config, region=None, today=None) == problems

    run(program)


# --- constants of other modules ------------------------------------------------------------------


def test_the_placeholder_of_a_location_is_the_one_that_a_run_replaces():
    assert executions.DATE == DATE_PLACEHOLDER


def test_the_tags_of_the_pipeline_have_keys_that_it_reserves():
    keys = [value for name, value in vars(tags).items() if name.isupper() and "-" in str(value)]
    assert keys, "functions/personalize/tags.py has the keys"
    assert [key for key in [*keys, PIPELINE_TAG] if not key.startswith(RESERVED_TAGS)] == []


def test_the_longest_name_of_a_stack_fits_into_the_names_of_roles_and_functions():
    name = stacks.pipeline_name("x" * stacks.LONGEST_STACK_NAME)
    assert len(name) == MAX_NAME_CHARACTERS
    longest = max(len(step_name(name, step)) for step in STEPS)
    assert longest + len("-1a2b3c4") == 64, "Pulumi adds 8 characters"
