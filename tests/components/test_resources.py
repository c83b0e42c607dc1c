"""Proves the resources of a pipeline with every option, and how they depend on each other.

`python -m tests.golden` rewrites the golden file.
"""

import json
import re
import zipfile
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest
from pulumi.output import Unknown

from components import (
    DatasetArgs,
    DatasetsArgs,
    InvalidPipelineError,
    RetrainingPipeline,
    SolutionArgs,
)
from components.args import to_config
from components.function_configs import FUNCTION_CONFIGS
from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS, FUNCTIONS_FOLDER
from components.naming import MAX_NAME_CHARACTERS
from tests.components.conftest import deploy
from tests.components.documents import PIPELINE, document, recorded
from tests.components.recording import SCHEDULE_GROUP, run
from tests.components.sample import IMPORT_ROLE, KEY, NAME, complete, minimal

FUNCTION = "aws:lambda/function:Function"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"


def definition_of(engine, name=NAME):
    """Return the definition of a state machine as JSON."""
    return engine.one(STATE_MACHINE, name).inputs["definition"]


def test_a_pipeline_with_every_option_has_the_resources_of_the_golden_file(deployed, golden):
    golden("complete.txt", document(deployed))


# --- functions and definition --------------------------------------------------------------------


def test_a_function_has_the_handler_of_its_step_and_all_modules(deployed):
    modules = {
        f"functions/{path.relative_to(FUNCTIONS_FOLDER).as_posix()}": path.read_bytes()
        for path in FUNCTIONS_FOLDER.rglob("*.py")
    }
    for step in FUNCTION_CONFIGS:
        inputs = deployed.one(FUNCTION, f"{NAME}-{step.replace('_', '-')}").inputs
        assert inputs["handler"] == f"functions.{step}.handler"
        code = Path(inputs["code"].path)
        assert inputs["codeSha256"] == b64encode(sha256(code.read_bytes()).digest()).decode()
        with zipfile.ZipFile(code) as file:
            assert {name: file.read(name) for name in file.namelist()} == modules
            entries = {
                (entry.compress_type, entry.external_attr >> 16) for entry in file.infolist()
            }
            assert entries == {(zipfile.ZIP_STORED, 0o644)}, "equal on each machine, and readable"


def test_the_definition_calls_a_version_of_each_function_that_no_event_calls(deployed):
    functions = set(re.findall(r":function:([^\"]+)", definition_of(deployed)))
    assert functions == {
        f"{NAME}-{step.replace('_', '-')}-1234567:1"
        for step in FUNCTION_CONFIGS
        if step not in FUNCTIONS_CALLED_BY_EVENTS
    }


@pytest.mark.parametrize("arguments, expected", [(complete, IMPORT_ROLE), (minimal, None)])
def test_a_batch_role_of_the_user_is_used_if_there_are_batch_jobs(arguments, expected):
    definition = definition_of(deploy(lambda: arguments(batch_role_arn=IMPORT_ROLE)))
    settings = json.loads(definition)["States"]["Configure run"]["Parameters"]["settings"]
    assert settings["batchRoleArn"] == expected, "no function may pass a role without batch jobs"


@pytest.mark.parametrize("type_", [FUNCTION, STATE_MACHINE, "aws:scheduler/schedule:Schedule"])
def test_a_resource_with_a_role_is_created_after_the_policy_of_the_role(deployed, type_):
    policies = deployed.all_of("aws:iam/rolePolicy:RolePolicy").values()
    urns = {policy.inputs["role"]: policy.urn for policy in policies}
    for resource in deployed.all_of(type_).values():
        inputs = {**resource.inputs, **resource.inputs.get("target", {})}
        role_arn = inputs.get("role") or inputs["roleArn"]
        policy = urns[role_arn.rpartition("/")[2]]
        assert policy in resource.dependencies, f"{resource.name} would lack permissions"


def test_every_resource_is_a_child_of_the_pipeline_whose_name_its_name_begins_with(deployed):
    pipeline = deployed.one(PIPELINE, NAME)
    children = [r for r in deployed.registered.values() if r.type.startswith("aws:")]
    assert {resource.parent for resource in children} == {pipeline.urn}
    assert [resource.name for resource in children if not resource.name.startswith(NAME)] == [], (
        "an alias of the pipeline would not lead to the former name of this resource"
    )


# --- names, aliases and options ------------------------------------------------------------------


def test_the_longest_names_of_roles_and_functions_have_64_characters(deployed):
    names = [*deployed.all_of("aws:iam/role:Role"), *deployed.all_of(FUNCTION)]
    longest = max(names, key=len)
    assert len(longest) - len(NAME) + MAX_NAME_CHARACTERS + len("-1234567") == 64


@pytest.fixture(scope="module")
def two_pipelines():
    """Return the engine that recorded two pipelines, one with options and one with a secret."""

    def program():
        provider = aws.Provider("ireland", region="eu-west-1")
        aliases = [pulumi.Alias(name="retraining")]
        options = pulumi.ResourceOptions(aliases=aliases, protect=True, provider=provider)
        RetrainingPipeline("movies", minimal(), options)
        key = pulumi.Output.secret(KEY)
        options = pulumi.ResourceOptions(provider=provider)
        RetrainingPipeline("books", minimal(kms_key_arn=key), options)

    return run(program)


def test_the_aliases_of_the_caller_do_not_reach_the_children(two_pipelines):
    with_aliases = [
        resource.type for resource in two_pipelines.registered.values() if resource.aliases
    ]
    assert with_aliases == [PIPELINE], "children with the same alias would have the same URN"


def test_the_provider_of_the_caller_is_used_for_every_resource_and_lookup(two_pipelines):
    provider = two_pipelines.one("pulumi:providers:aws", "ireland").urn
    users = [
        *(r for r in two_pipelines.registered.values() if r.type.startswith("aws:")),
        *two_pipelines.invokes,
    ]

    assert [user for user in users if not user.provider.startswith(f"{provider}::")] == []
    assert {invoke.tok.rpartition(":")[2] for invoke in two_pipelines.invokes} == {
        "getCallerIdentity",
        "getRegion",
    }


def test_two_pipelines_have_different_log_groups_and_names_of_jobs(two_pipelines):
    groups = two_pipelines.all_of(LOG_GROUP)
    assert groups["movies"].inputs["name"] != groups["books"].inputs["name"]
    prefixes = {
        re.search(r'"prefix": "(\w+)"', definition_of(two_pipelines, name))[1]
        for name in ("movies", "books")
    }
    assert len(prefixes) == 2


def test_tags_are_not_secret_if_an_arn_is_a_secret(two_pipelines):
    tags = two_pipelines.one(SCHEDULE_GROUP, "books").inputs["tags"]
    assert tags == {"retraining-pipeline": "books"}


# --- inputs that are outputs, previews and partitions --------------------------------------------


def test_outputs_mappings_and_numbers_as_text_lead_to_the_same_resources(deployed):
    def loosely_typed():
        tags = {"team": "discovery", 7: "days"}
        args = complete(pulumi.Output.from_input, log_retention_days="30", tags=tags)
        solutions = to_config(args.solutions, keep_none=False)
        solutions[1]["batchJobs"][0]["maxHours"] = "6"
        return replace(args, solutions=solutions)

    engine = deploy(loosely_typed)
    assert recorded(engine) == recorded(deployed)
    assert "Output" not in document(engine), "an Output was formatted into a string"
    assert engine.messages == []


def test_a_preview_shows_every_resource_and_what_is_known_of_it(deployed):
    engine = deploy(lambda: complete(pulumi.Output.from_input), preview=True)
    assert engine.registered.keys() == deployed.registered.keys()
    assert engine.messages == []
    assert isinstance(definition_of(engine), Unknown), "the functions have no ARNs yet"
    assert engine.policy(f"{NAME}-import") == deployed.policy(f"{NAME}-import")

    tags = deployed.one(SCHEDULE_GROUP, NAME).inputs["tags"]
    assert engine.one(SCHEDULE_GROUP, NAME).inputs["tags"] == tags


def test_arguments_that_are_unknown_in_a_preview_are_checked_in_the_deployment():
    def program():
        role = aws.iam.Role("reader", assume_role_policy="{}")
        RetrainingPipeline(NAME, minimal(import_role_arn=role.arn))

    engine = run(program, preview=True, region="us-east-1")
    assert list(engine.all_of(STATE_MACHINE)) == [NAME]
    with pytest.raises(InvalidPipelineError, match="region: the ARNs are in 'eu-west-1'"):
        run(program, region="us-east-1")


def test_the_arns_of_a_pipeline_are_in_its_partition():
    personalize = "arn:aws-us-gov:personalize:us-gov-west-1:123456789012"

    def in_government_cloud():
        interactions = DatasetArgs(
            dataset_arn=f"{personalize}:dataset/movies/INTERACTIONS",
            data_location="s3://exports/interactions.csv",
        )
        return minimal(
            datasets=DatasetsArgs(interactions=interactions),
            solutions=[SolutionArgs(solution_arn=f"{personalize}:solution/movies")],
        )

    engine = deploy(in_government_cloud, region="us-gov-west-1", partition="aws-us-gov")
    inputs = [dict(resource.inputs, code="") for resource in engine.registered.values()]
    arns = set(re.findall(r"arn:[a-z-]+:[a-z0-9]+:[a-z0-9-]*", json.dumps(inputs)))
    assert arns >= {"arn:aws-us-gov:s3:", "arn:aws-us-gov:states:us-gov-west-1"}
    assert {arn.split(":")[1] for arn in arns} == {"aws-us-gov"}
