"""Proves the text of an adopted stack's file: every key, every kind of solution, valid YAML."""

from datetime import UTC, datetime

import pytest
import yaml

from components.args import RetrainingPipelineArgs, config_keys
from components.rules.arns import parse_arn
from components.rules.fields import location_error
from functions.planning.resource_guards import PROBE_KEYS
from retrain.account.stack_config import config_problems
from retrain.act.adopted_group import (
    AdoptedCampaign,
    AdoptedDataset,
    AdoptedGroup,
    AdoptedSolution,
    LastImport,
)
from retrain.act.probe_ids import ProbeIds
from retrain.act.solution_lines import KNOWN_RECIPES, SEGMENT_RECIPES
from retrain.act.stack_file import stack_file, usable_datasets, usable_solutions
from tests.program.sample_stack import ACCOUNT, CAMPAIGN, EXAMPLE, INTERACTIONS, PROJECT, SOLUTION

ROLE = f"arn:aws:iam::{ACCOUNT}:role/import"
NDCG = "normalized_discounted_cumulative_gain_at_10"
IDS = ProbeIds("user-1", ["item-1", "item-2"])
DAY = datetime(2026, 11, 22, 4, tzinfo=UTC)


def dataset(key="interactions", location="s3://exports/interactions.csv", **fields):
    arn = {"interactions": INTERACTIONS}.get(key, INTERACTIONS.replace("INTERACTIONS", "ITEMS"))
    values = {"location": location, "role_arn": ROLE, "mode": "FULL", "ended_at": DAY}
    return AdoptedDataset(key, arn, LastImport(**{**values, **fields}))


def campaign(**fields):
    values = {
        "arn": CAMPAIGN,
        "status": "ACTIVE",
        "follows_newest": False,
        "served_version_arn": f"{SOLUTION}/1a2b3c4d",
    }
    return AdoptedCampaign(**{**values, **fields})


def solution(recipe="aws-user-personalization-v2", **fields):
    values = {
        "arn": SOLUTION,
        "status": "ACTIVE",
        "automatic_training": None,
        "metrics": {NDCG: 0.2825, "coverage": 0.99},
        "training_hours": 1.44,
        "campaigns": [campaign()],
    }
    return AdoptedSolution(recipe=recipe, **{**values, **fields})


def group(*, datasets=None, solutions=None, **fields):
    values = {
        "arn": parse_arn(f"{EXAMPLE}:dataset-group/movies"),
        "domain": None,
        "kms_key_arn": None,
        "recommenders": (),
        "receives_events": False,
    }
    return AdoptedGroup(
        datasets=datasets or [dataset()],
        solutions=solutions or [solution()],
        **{**values, **fields},
    )


def written(adopted, ids=IDS):
    """Return the stack file, which has no problems and the form of the Pulumi CLI."""
    file = stack_file(adopted, ids, PROJECT)
    assert config_problems(file.text, PROJECT, "prod") == []
    lines = file.text.splitlines()
    assert all(line.strip() for line in lines), "no blank lines"
    assert not lines[-1].lstrip().startswith("#"), "no comment after the last key"
    assert max(map(len, lines)) <= 100
    return file


def config(adopted, ids=IDS):
    """Return the config in the file, without the namespace of the project."""
    document = yaml.safe_load(written(adopted, ids).text)
    return {key.removeprefix(f"{PROJECT}:"): value for key, value in document["config"].items()}


def comments(adopted, ids=IDS):
    """Return the comments of the file as one text."""
    lines = [line.strip().lstrip("- ") for line in written(adopted, ids).text.splitlines()]
    return " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))


def test_every_key_of_the_config_is_in_the_file_or_in_its_comments():
    text = written(group()).text
    assert "      # approval:\n" in text
    assert [
        key for key in config_keys(RetrainingPipelineArgs) if f"{PROJECT}:{key}:" not in text
    ] == []


def test_the_file_has_what_personalize_knows():
    assert config(group()) == {
        "aws:region": "eu-west-1",
        "aws:allowedAccountIds": [ACCOUNT],
        "datasets": {
            "interactions": {
                "datasetArn": INTERACTIONS,
                "dataLocation": "s3://exports/interactions.csv",
                "importMode": "FULL",
            }
        },
        "solutions": [
            {
                "solutionArn": SOLUTION,
                "trainingMode": "FULL",
                "qualityGate": [{"metric": NDCG, "maxDrop": 0.25}],
                "campaigns": [
                    {
                        "campaignArn": CAMPAIGN,
                        "probe": {"userId": "user-1", "minResults": 1, "minutes": 10},
                    }
                ],
            }
        ],
        "retrainingRate": "cron(0 3 ? * MON *)",
        "timezone": "UTC",
        "paused": "false",
        "skipWhenUnchanged": "true",
        "autoTraining": "warn",
        "limits": {"maxImportHours": 6, "maxTrainingHours": 24, "maxCampaignHours": 3},
        "importRoleArn": ROLE,
        "logRetentionDays": "90",
    }
    assert "took 1.4 training hours" in comments(group())
    assert "newest version is 0.2825" in comments(group())


@pytest.mark.parametrize("recipe", sorted(KNOWN_RECIPES))
def test_each_recipe_has_the_probe_that_its_campaigns_answer(recipe):
    campaigns = [] if recipe in SEGMENT_RECIPES else [campaign()]
    (row,) = config(group(solutions=[solution(recipe, campaigns=campaigns)]))["solutions"]
    probe = {
        "userId": {"userId": "user-1"},
        "itemId": {"itemId": "item-1"},
        "inputList": {"userId": "user-1", "inputList": ["item-1", "item-2"]},
        None: None,
    }[PROBE_KEYS.get(recipe, "userId")]
    expected = {"campaignArn": CAMPAIGN}
    if probe:
        expected["probe"] = {**probe, "minResults": 1, "minutes": 10}
    assert row.get("campaigns") == ([expected] if campaigns else None)


def test_a_recipe_with_update_has_the_other_mode_as_a_comment():
    text = written(group(solutions=[solution("aws-user-personalization")])).text
    assert "      # trainingMode: UPDATE\n" in text


def test_without_ids_the_probe_is_a_comment():
    adopted = group(solutions=[solution("aws-personalized-ranking")])
    (row,) = config(adopted, ProbeIds(None, ()))["solutions"]
    assert row["campaigns"] == [{"campaignArn": CAMPAIGN}]
    assert '          #   inputList: ["ITEM-ID"]\n' in written(adopted, ProbeIds(None, ())).text


@pytest.mark.parametrize("text", ["42", "true", "a: b", "# x", "käse, [1]", '"', "on", "1e3", "ü:"])
def test_an_id_stays_text(text):
    ids = ProbeIds(text, [text])
    (row,) = config(group(solutions=[solution("aws-personalized-ranking")]), ids)["solutions"]
    probe = row["campaigns"][0]["probe"]
    assert (probe["userId"], probe["inputList"]) == (text, [text])


def test_a_dated_location_has_a_proposal():
    file = written(group(datasets=[dataset(location="s3://exports/2026-11-22/items.csv")]))
    proposal = "s3://exports/{date}/items.csv"
    assert f"      # dataLocation: {proposal}\n" in file.text
    assert file.notes == [
        (
            "datasets.interactions.dataLocation contains a date; if every export has its own "
            "date, use "
            f"{proposal}"
        )
    ]


@pytest.mark.parametrize("day", ["2026/11/22", "20261122"])
def test_a_date_in_another_form_cannot_be_filled_in(day):
    file = written(group(datasets=[dataset(location=f"s3://exports/{day}/")]))
    assert file.notes == [
        (
            "datasets.interactions.dataLocation seems to contain a date in another form than "
            "{date}, "
            "which becomes 2026-11-29; export to such a folder, or always to the same one"
        )
    ]


def test_datasets_without_a_usable_location_are_left_out_with_the_reason():
    never = AdoptedDataset("items", INTERACTIONS.replace("INTERACTIONS", "ITEMS"), None)
    adopted = group(datasets=[dataset(), never, dataset("users", "https://exports/users.csv")])
    assert usable_datasets(adopted) == [dataset()]
    assert list(config(adopted)["datasets"]) == ["interactions"]
    assert written(adopted).notes == [
        (
            "datasets.items is left out: nothing was ever imported into it from S3, so its "
            "location is "
            "not known"
        ),
        (
            "datasets.users is left out: the location of its last import, "
            "'https://exports/users.csv', "
            f"{location_error('https://exports/users.csv')}"
        ),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"recipe": "aws-new"}, "this release does not know the recipe aws-new"),
        (
            {"recipe": ""},
            "the solution has no recipe of its own, because it was created with AutoML",
        ),
        ({"status": "CREATE FAILED"}, "the solution is CREATE FAILED, not ACTIVE"),
    ],
)
def test_solutions_that_cannot_be_retrained_are_left_out_with_the_reason(fields, reason):
    other = solution(**{"arn": f"{SOLUTION}-2", **fields})
    adopted = group(solutions=[solution(), other])
    assert usable_solutions(adopted) == [solution()]
    assert [row["solutionArn"] for row in config(adopted)["solutions"]] == [SOLUTION]
    assert written(adopted).notes == [f"{SOLUTION}-2 is left out: {reason}"]


def test_campaigns_that_are_not_active_are_left_out():
    adopted = group(solutions=[solution(campaigns=[campaign(status="CREATE FAILED")])])
    (row,) = config(adopted)["solutions"]
    assert "campaigns" not in row
    assert written(adopted).notes == [
        f"{CAMPAIGN} is left out: the campaign is CREATE FAILED, not ACTIVE"
    ]


def test_automatic_training_and_sync_are_warnings():
    row = solution(automatic_training="rate(3 days)", campaigns=[campaign(follows_newest=True)])
    notes = written(group(solutions=[row])).notes
    command = (
        f"aws personalize update-solution --solution-arn {SOLUTION} --no-perform-auto-training"
    )
    assert notes == [
        (
            f"{SOLUTION} also trains automatically, rate(3 days), which costs money twice; turn "
            "that "
            f"off with '{command}'"
        ),
        (
            f"{CAMPAIGN}: syncWithLatestSolutionVersion deploys every version past the quality "
            "gate "
            "and the probe, so runs are refused until it is off; `retrain doctor` prints the "
            "command"
        ),
    ]
    text = comments(group(solutions=[row]))
    assert "Until now, Personalize trains automatically: rate(3 days)." in text
    assert f"'{command}'" in text, "it can be copied from the file"


@pytest.mark.parametrize(
    ("metrics", "gate"),
    [
        ({}, {"qualityGate": [{"metric": NDCG, "maxDrop": 0.25}]}),
        ({"coverage": 1}, {"qualityGate": [{"metric": "coverage", "maxDrop": 0.25}]}),
        ({"hits": 1}, {"qualityGateEnabled": False}),
    ],
)
def test_the_gate_has_a_metric_of_the_newest_version(metrics, gate):
    (row,) = config(group(solutions=[solution(metrics=metrics)]))["solutions"]
    assert {key: value for key, value in row.items() if key.startswith("qualityGate")} == gate


def test_the_import_role_is_the_role_of_the_newest_import():
    older = dataset(
        "items", "s3://exports/items/", role_arn=f"{ROLE}-2", ended_at=DAY.replace(day=1)
    )
    file = written(group(datasets=[dataset(), older]))
    assert f"  {PROJECT}:importRoleArn: {ROLE}\n" in file.text
    assert file.notes == [
        (
            f"the last imports used several roles, and importRoleArn is {ROLE}; it has to read all "
            f"locations, or remove the key; the others are {ROLE}-2"
        )
    ]


@pytest.mark.parametrize("role", ["", "arn:aws:iam::999999999999:role/import"])
def test_without_a_role_of_the_account_the_pipeline_creates_one(role):
    assert "importRoleArn" not in config(group(datasets=[dataset(role_arn=role)]))


def test_recommenders_and_events_are_mentioned():
    adopted = group(domain="ECOMMERCE", recommenders=["top-picks"], receives_events=True)
    note = (
        "Personalize retrains the recommenders of the group itself (top-picks), so the stack "
        "leaves them out"
    )
    assert written(adopted).notes == [note]
    assert f"{note}." in comments(adopted)
    assert "An event tracker streams interactions into the group" in comments(adopted)


def test_the_problems_are_the_problems_of_the_preview():
    text = stack_file(group(), IDS, PROJECT).text.replace("paused", "pausd")
    assert config_problems(text, PROJECT, "prod") == [
        "1 problem in the configuration of stack prod:",
        f"{PROJECT}:pausd: unknown; did you mean paused?",
    ]
