"""Proves the messages about a stack: its name, its region and the namespaces of its keys."""

import pytest

import settings
from components.naming import step_name
from components.rules import stacks
from components.state_machine.steps import STEPS
from tests.program.sample_stack import ACCOUNT, PARTITION, PROJECT, REGION, changed, texts

NO_REGION = (
    "aws:region: missing; without it the region depends on the shell that runs Pulumi; "
    "run pulumi config set aws:region "
)
TOO_LONG = (
    "at most 19, because the names of roles and functions have at most 64: "
    "retraining-<stack>, the name of a step, and 8 that Pulumi adds; "
    "choose a shorter name with pulumi stack rename <name> -s "
)


def error_lines(config, *, stack="dev"):
    """Return the lines of the error about the config of a stack. The first line is its header."""
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse_stack(PROJECT, stack, config)
    return [line.strip() for line in str(caught.value).splitlines()]


def without_region(config):
    return {key: value for key, value in config.items() if key != "aws:region"}


@pytest.mark.parametrize("config", [without_region(texts({})), {**texts({}), "aws:region": ""}])
def test_a_missing_region_is_refused_even_if_the_shell_has_a_region(config, monkeypatch):
    monkeypatch.setenv("AWS_REGION", REGION)
    assert error_lines(config) == [
        "1 problem in the configuration of stack dev:",
        f"{NO_REGION}{REGION} -s dev",
    ]


def test_the_region_in_the_message_comes_from_the_arns_that_have_one():
    changes = {
        "importRoleArn": f"arn:{PARTITION}:iam::{ACCOUNT}:role/import",
        "solutions[0].campaigns[0].campaignArn": "?",
    }
    _, region, campaign = error_lines(without_region(texts(changes)))
    assert region == f"{NO_REGION}{REGION} -s dev"
    assert campaign.startswith(
        f"{PROJECT}:solutions[0].campaigns[0].campaignArn: '?' is not an ARN"
    )


def test_the_message_names_no_region_if_the_arns_have_several():
    key = "arn:aws:kms:us-east-1:123456789012:key/1234"
    assert error_lines(without_region(texts({"kmsKeyArn": key})))[1:] == [
        f"{NO_REGION}<the region of the ARNs> -s dev",
        (
            f"{PROJECT}:kmsKeyArn: '{key}' is in region us-east-1, but "
            f"datasets.interactions.datasetArn is in region {REGION}; correct one of the ARNs, "
            f"because all of them need the same region"
        ),
    ]


def test_a_program_that_uses_the_component_needs_no_region_in_the_config():
    settings.parse(changed({}))


@pytest.mark.parametrize(
    "namespace",
    [
        "personalise-retraining",
        "personalize_retraining",
        "Personalize-Retraining",
        "personalize-retrain",
        "personalizeRetraining",
        "personalize",
        "retraining",
    ],
)
def test_a_namespace_that_resembles_the_project_is_refused_with_the_right_key(namespace):
    config = {**texts({}), f"{namespace}:timezone": "UTC"}
    assert error_lines(config)[1:] == [
        f"{namespace}:timezone: unknown; did you mean {PROJECT}:timezone?"
    ]


@pytest.mark.parametrize(
    "namespace",
    ["aws", "pulumi", "aws-native", "kubernetes", "materialize", "provider-fivetran", "training"],
)
def test_a_namespace_of_a_provider_is_accepted(namespace):
    settings.parse_stack(PROJECT, "dev", {**texts({}), f"{namespace}:timezone": "UTC"})


def test_the_namespaces_of_pulumi_are_accepted_even_if_the_project_has_a_similar_name():
    config = {key.replace(PROJECT, "aws-ml"): value for key, value in texts({}).items()}
    settings.parse_stack("aws-ml", "dev", {**config, "aws:profile": "ml", "pulumi:tags": "{}"})


def test_a_stack_with_a_long_name_is_refused():
    assert error_lines(texts({}), stack="movies-production-eu")[1:] == [
        f"stack: 'movies-production-eu' has 20 characters; {TOO_LONG}movies-production-eu"
    ]
    settings.parse_stack(PROJECT, "movies-productioneu", texts({}))


def test_the_longest_name_of_a_stack_fits_into_the_names_of_roles_and_functions():
    name = stacks.pipeline_name("x" * 19)
    longest = max(len(step_name(name, step)) for step in STEPS)
    assert longest + len("-1a2b3c4") == 64, "Pulumi adds 8 characters"


def test_problems_of_the_stack_and_of_its_settings_are_reported_together():
    config = without_region(texts({"paused": "no"}))
    config["personalise-retraining:timezone"] = "UTC"
    assert error_lines(config, stack="x" * 25)[1:] == [
        f"{NO_REGION}{REGION} -s {'x' * 25}",
        f"personalise-retraining:timezone: unknown; did you mean {PROJECT}:timezone?",
        f"{PROJECT}:paused: 'no' is text; expected true or false",
        f"stack: '{'x' * 25}' has 25 characters; {TOO_LONG}{'x' * 25}",
    ]
