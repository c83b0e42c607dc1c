"""Proves what a rehearsal changes in a stack's config."""

import pytest

from retrain.rehearsal import config_changes
from tests.program.sample_stack import CONFIG, LEFT_OUT, changed
from tests.retrain.builders import CAMPAIGN

PROBE = "solutions[0].campaigns[0].probe"


def test_the_monthly_limit_is_removed():
    config = changed({"limits.maxTrainingsPerMonth": 2})
    limits = {**CONFIG["limits"], "maxTrainingsPerMonth": 0}
    assert config_changes.remove_monthly_limit(config) == {"limits": limits}
    assert config_changes.remove_monthly_limit(CONFIG) == {"limits": limits}, "a derived limit"
    assert config_changes.remove_monthly_limit({}) == {"limits": {"maxTrainingsPerMonth": 0}}


def test_probes_take_seconds():
    probe = {"userId": "42", "minResults": 3, "minutes": 10}
    config = changed({PROBE: probe})
    changes = config_changes.shorten_probes(config)
    assert changes["solutions"][0]["campaigns"][0]["probe"] == {**probe, "minutes": 0.02}
    assert config["solutions"][0]["campaigns"][0]["probe"] == probe, "the argument is not changed"


def test_a_config_without_probes_is_not_changed():
    assert config_changes.shorten_probes(changed({PROBE: LEFT_OUT})) == {}
    assert config_changes.no_change(CONFIG) == {}


def test_a_campaign_without_a_probe_gets_none():
    campaign = {"campaignArn": f"{CAMPAIGN}-2", "probe": {"userId": "1", "minutes": 10}}
    config = changed({PROBE: LEFT_OUT, "solutions[0].campaigns[1]": campaign})
    (solution,) = config_changes.shorten_probes(config)["solutions"]
    assert [campaign.get("probe") for campaign in solution["campaigns"]] == [
        None,
        {"userId": "1", "minutes": 0.02},
    ]


@pytest.mark.parametrize("config", [CONFIG, {}], ids=["other limits", "no limits"])
def test_a_training_has_a_deadline_of_seconds(config):
    limits = {**config.get("limits", {}), "maxTrainingHours": 0.002}
    assert config_changes.shorten_trainings(config) == {"limits": limits}


def test_automatic_training_is_refused():
    assert config_changes.refuse_automatic_training(CONFIG) == {"autoTraining": "refuse"}


def test_a_config_is_decoded_and_encoded_as_the_cli_does():
    config = {"p:a": '{"b": 1}', "p:c": "text", "aws:region": "eu-west-1"}
    decoded = config_changes.decode(config, "p")
    assert decoded == {"a": {"b": 1}, "c": "text"}
    assert config_changes.encode(decoded) == {"a": '{"b": 1}', "c": "text"}


def test_a_second_stack_has_the_same_schedule_and_other_resources():
    config = changed({"importRoleArn": "arn:aws:iam::123456789012:role/import"})
    second = config_changes.second_stack(config, max_datasets=2)
    assert "importRoleArn" not in second
    assert second["retrainingRate"] == CONFIG["retrainingRate"]
    assert list(second["datasets"]) == ["interactions", "items"]
    interactions = second["datasets"]["interactions"]
    assert interactions["datasetArn"].endswith(":dataset/movies2/INTERACTIONS")
    assert interactions["dataLocation"] == "s3://movies-exports2/interactions/"
    (solution,) = second["solutions"]
    assert solution["solutionArn"].endswith(":solution/movies-for-you2")
    assert solution["campaigns"][0]["campaignArn"].endswith(":campaign/movies-for-you2")


@pytest.mark.parametrize(
    ("name", "max_length", "second_name"),
    [
        ("dev", 63, "dev2"),
        ("x" * 62, 63, f"{'x' * 62}2"),
        ("x" * 63, 63, f"{'x' * 62}2"),
        ("production-eu-west2", 19, "production-eu-west3"),
    ],
    ids=["short", "just fits", "longest", "longest, and ends in 2"],
)
def test_the_name_of_a_second_stack_is_different_and_not_too_long(name, max_length, second_name):
    assert config_changes.second_name(name, max_length) == second_name
