"""What is wrong with a stack is reported with its settings: name, region, namespaces of keys."""

import pytest

import settings
from components.naming import step_name
from components.rules import stacks
from components.state_machine.steps import STEPS
from tests.program.sample_stack import PROJECT, REGION, changed, one_problem, texts
from tests.program.test_settings_values import IAM

NO_REGION = (
    "aws:region: missing; without it the region depends on the shell that runs Pulumi; "
    "run pulumi config set aws:region "
)
TOO_LONG = (
    "at most 19, because the names of roles and functions have at most 64: "
    "retraining-<stack>, the name of a step, and 8 that Pulumi adds; "
    "choose a shorter name with pulumi stack rename"
)


def refusal(config, *, project=PROJECT, stack="dev"):
    """Return the lines of the error about a stack's config, without its header."""
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse_stack(project, stack, config)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def without_region(config):
    return {key: each for key, each in config.items() if key != "aws:region"}


@pytest.mark.parametrize("config", [without_region(texts({})), {**texts({}), "aws:region": ""}])
def test_a_missing_region_is_refused_with_the_region_of_the_arns(config, monkeypatch):
    monkeypatch.setenv("AWS_REGION", REGION)
    assert refusal(config) == [f"{NO_REGION}{REGION}"], "the shell's region is not the stack's"


def test_arns_that_have_no_region_do_not_hide_that_of_the_others():
    changes = {"importRoleArn": f"{IAM}:role/import", "solutions[0].campaigns[0].campaignArn": "?"}
    region, other = refusal(without_region(texts(changes)))
    assert region == f"{NO_REGION}{REGION}"
    assert other.startswith(f"{PROJECT}:solutions[0].campaigns[0].campaignArn: '?' is not an ARN")


def test_a_missing_region_names_none_where_the_arns_disagree():
    key = "arn:aws:kms:us-east-1:123456789012:key/1234"
    assert refusal(without_region(texts({"kmsKeyArn": key}))) == [
        f"{NO_REGION}<the region of the ARNs>",
        (
            f"{PROJECT}:kmsKeyArn: '{key}' is in region us-east-1, "
            f"but datasets.interactions.datasetArn is in {REGION}; all share one"
        ),
    ]


def test_the_component_itself_needs_no_region_in_the_config():
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
def test_a_namespace_that_is_almost_the_projects_is_refused_with_the_right_key(namespace):
    config = {**texts({}), f"{namespace}:timezone": "UTC"}
    assert refusal(config) == [f"{namespace}:timezone: unknown; did you mean {PROJECT}:timezone?"]


@pytest.mark.parametrize(
    "namespace",
    ["aws", "pulumi", "aws-native", "kubernetes", "materialize", "provider-fivetran", "training"],
)
def test_a_namespace_of_a_provider_is_left_alone(namespace):
    settings.parse_stack(PROJECT, "dev", {**texts({}), f"{namespace}:timezone": "UTC"})


def test_the_aws_provider_keeps_its_namespace_beside_a_project_that_is_named_like_it():
    config = {key.replace(PROJECT, "aws-ml"): each for key, each in texts({}).items()}
    settings.parse_stack("aws-ml", "dev", {**config, "aws:profile": "ml", "pulumi:tags": "{}"})


def test_a_stack_whose_name_is_too_long_is_refused_before_aws_refuses_its_names():
    assert refusal(texts({}), stack="movies-production-eu") == [
        f"stack: 'movies-production-eu' has 20 characters; {TOO_LONG}"
    ]
    settings.parse_stack(PROJECT, "movies-productioneu", texts({}))


def test_the_longest_stack_gives_names_that_iam_and_lambda_take():
    name = stacks.pipeline_name("x" * 19)
    longest = max(len(step_name(name, step)) for step in STEPS)
    assert longest + len("-1a2b3c4") == 64, "Pulumi adds 8 characters"


def test_the_stacks_problems_stand_beside_those_of_its_settings():
    config = without_region(texts({"paused": "no"}))
    config["personalise-retraining:timezone"] = "UTC"
    assert refusal(config, stack="x" * 25) == [
        f"{NO_REGION}{REGION}",
        f"personalise-retraining:timezone: unknown; did you mean {PROJECT}:timezone?",
        f"{PROJECT}:paused: 'no' is text; expected true or false",
        f"stack: '{'x' * 25}' has 25 characters; {TOO_LONG}",
    ]


def test_one_problem_of_a_stack_has_the_header_of_a_setting():
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse_stack(PROJECT, "dev", without_region(texts({})))
    assert str(caught.value) == one_problem(f"{NO_REGION}{REGION}").replace(f"{PROJECT}:aws", "aws")
