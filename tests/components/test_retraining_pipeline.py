"""The component as a whole: its resources, who comes after whom, and what it refuses."""

import dataclasses
import json
import re
from unittest.mock import patch

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
from components.document import document
from components.lambda_functions import CALLED_BY_EVENTS
from components.state_machine import asl
from components.state_machine.steps import STEPS
from tests.components.conftest import deploy
from tests.components.documents import (
    HOME,
    JOB_PREFIX,
    MACHINE,
    QUEUE,
    allow,
    function_arn,
    trust,
)
from tests.components.documents import document as policy_document
from tests.components.recording import PROJECT, STACK, STACK_TYPE, run
from tests.components.sample import (
    BOUNDARY,
    DATA_KEY,
    IMPORT_ROLE,
    KEY,
    NAME,
    PERSONALIZE,
    complete,
    minimal,
)

OURS = "personalize-retraining:index:"
PIPELINE = f"{OURS}RetrainingPipeline"
MACHINE_TYPE = "aws:sfn/stateMachine:StateMachine"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
TAGS = {"team": "discovery", "retraining-pipeline": NAME}
CALLED = [step.replace("_", "-") for step in STEPS if step not in CALLED_BY_EVENTS]

URNS = f"""
{PIPELINE}::{NAME}
{PIPELINE}$aws:cloudwatch/logGroup:LogGroup::{NAME}
{PIPELINE}$aws:iam/role:Role::{NAME}
{PIPELINE}$aws:iam/role:Role::{NAME}-import
{PIPELINE}$aws:iam/rolePolicy:RolePolicy::{NAME}
{PIPELINE}$aws:iam/rolePolicy:RolePolicy::{NAME}-import
{PIPELINE}$aws:scheduler/scheduleGroup:ScheduleGroup::{NAME}
{PIPELINE}$aws:sfn/stateMachine:StateMachine::{NAME}
{PIPELINE}${OURS}LambdaFunctions::{NAME}
{PIPELINE}${OURS}LambdaFunctions$aws:cloudwatch/logGroup:LogGroup::{NAME}-functions
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-close-run
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-create-dataset-import-job
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-create-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-evaluate-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-plan-retraining
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-probe-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-report-outcome
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-roll-back-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-stop-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-update-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-watch-campaign-update
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-watch-dataset-import-job
{PIPELINE}${OURS}LambdaFunctions$aws:iam/role:Role::{NAME}-watch-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-close-run
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-close-run-executions
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-create-dataset-import-job
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-create-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-create-solution-version-executions
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-evaluate-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-plan-retraining
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-plan-retraining-executions
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-probe-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-report-outcome
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-roll-back-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-stop-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-update-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-watch-campaign-update
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-watch-dataset-import-job
{PIPELINE}${OURS}LambdaFunctions$aws:iam/rolePolicy:RolePolicy::{NAME}-watch-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-close-run
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-create-dataset-import-job
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-create-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-evaluate-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-plan-retraining
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-probe-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-report-outcome
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-roll-back-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-stop-solution-version
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-update-campaign
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-watch-campaign-update
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-watch-dataset-import-job
{PIPELINE}${OURS}LambdaFunctions$aws:lambda/function:Function::{NAME}-watch-solution-version
{PIPELINE}${OURS}Monitoring::{NAME}
{PIPELINE}${OURS}Monitoring$aws:cloudwatch/eventRule:EventRule::{NAME}-close-run
{PIPELINE}${OURS}Monitoring$aws:cloudwatch/eventTarget:EventTarget::{NAME}-close-run
{PIPELINE}${OURS}Monitoring$aws:lambda/permission:Permission::{NAME}-close-run
{PIPELINE}${OURS}Schedule::{NAME}
{PIPELINE}${OURS}Schedule$aws:iam/role:Role::{NAME}-schedule
{PIPELINE}${OURS}Schedule$aws:iam/rolePolicy:RolePolicy::{NAME}-schedule
{PIPELINE}${OURS}Schedule$aws:scheduler/schedule:Schedule::{NAME}-schedule
{PIPELINE}${OURS}Schedule$aws:sqs/queue:Queue::{NAME}-dead-letters
""".split()
"""The pipeline's identity for whoever has deployed it: changing one replaces the resource."""


def urns(engine):
    """Give type and name of all that is registered, beside the stack itself."""
    return {
        urn.removeprefix(f"urn:pulumi:{STACK}::{PROJECT}::")
        for urn, each in engine.registered.items()
        if each.type != STACK_TYPE
    }


def settings_of(engine, name=NAME):
    """Return the settings in the first state of a pipeline's definition."""
    definition = json.loads(engine.one(MACHINE_TYPE, name).inputs["definition"])
    return definition["States"][definition["StartAt"]]["Parameters"]["settings"]


def holds_unknown(value):
    if isinstance(value, dict):
        return any(map(holds_unknown, value.values()))
    if isinstance(value, list):
        return any(map(holds_unknown, value))
    return isinstance(value, Unknown)


# --- what there is -------------------------------------------------------------------------------


def test_these_are_all_resources_of_a_pipeline(deployed):
    assert urns(deployed) == set(URNS)


def test_a_given_import_role_means_none_is_created(with_import_role):
    assert set(URNS) - urns(with_import_role) == {
        f"{PIPELINE}$aws:iam/role:Role::{NAME}-import",
        f"{PIPELINE}$aws:iam/rolePolicy:RolePolicy::{NAME}-import",
    }
    assert urns(with_import_role) <= set(URNS), "and nothing comes in its place"


def test_two_pipelines_fit_into_one_program():
    def program():
        RetrainingPipeline("movies", minimal())
        RetrainingPipeline("books", minimal())

    engine = run(program)
    groups = engine.all_of(LOG_GROUP)
    assert groups["movies"].inputs["name"] != groups["books"].inputs["name"]
    prefixes = [settings_of(engine, name)["prefix"] for name in ("movies", "books")]
    assert len(set(prefixes)) == 2, "the names of their jobs begin differently"


def test_the_components_outputs_are_those_of_its_resources(deployed):
    assert deployed.outputs[f"urn:pulumi:{STACK}::{PROJECT}::{PIPELINE}::{NAME}"] == {
        "state_machine_arn": MACHINE,
        "schedule_arn": f"arn:aws:scheduler:{HOME}:schedule/group/{NAME}-schedule-1234567",
        "log_group_name": f"{NAME}-functions-1234567",
        "import_role_arn": f"arn:aws:iam::123456789012:role/{NAME}-import-1234567",
        "dead_letter_queue_url": f"https://queues/{QUEUE.rsplit(':', 1)[1]}",
    }


def test_a_given_import_role_is_the_output(with_import_role):
    outputs = with_import_role.outputs[f"urn:pulumi:{STACK}::{PROJECT}::{PIPELINE}::{NAME}"]
    assert outputs["import_role_arn"] == IMPORT_ROLE


# --- options -------------------------------------------------------------------------------------


def test_the_callers_options_stay_the_components_own():
    def program():
        RetrainingPipeline(
            NAME,
            minimal(),
            pulumi.ResourceOptions(aliases=[pulumi.Alias(name="retraining")], protect=True),
        )

    engine = run(program)
    with_aliases = [each.type for each in engine.registered.values() if each.aliases]
    assert with_aliases == [PIPELINE], "an alias that reaches the children makes them clash"


def former_urns(engine):
    """Return each resource's URN with the URNs that it may have had, as the engine derives them.

    A child inherits each alias of its parent; if its name begins with the parent's, so does the
    former name: `inheritedChildAlias` in Pulumi's pkg/resource/deploy/step_generator.go.
    """
    former = {}
    for urn, each in engine.registered.items():
        former[urn] = [urn.replace(f"::{each.name}", f"::{a.spec.name}") for a in each.aliases]
        for alias in former.get(each.parent, []):
            parent, parent_alias = (text.rpartition("::")[2] for text in (each.parent, alias))
            name = each.name
            if name.startswith(parent):
                name = parent_alias + name.removeprefix(parent)
            former[urn].append(f"{alias.rpartition('::')[0]}${each.type}::{name}")
    return former


def test_a_renamed_pipeline_keeps_all_its_resources_by_one_alias():
    def renamed():
        aliases = [pulumi.Alias(name="films")]
        RetrainingPipeline("movies", complete(), pulumi.ResourceOptions(aliases=aliases))

    before = run(lambda: RetrainingPipeline("films", complete()) and None)
    former = former_urns(run(renamed))
    kept = [found for urn, found in former.items() if STACK_TYPE not in urn]
    assert sorted(kept) == sorted([urn] for urn in before.registered if STACK_TYPE not in urn)


def test_a_given_provider_reaches_every_resource_and_every_lookup():
    def program():
        provider = aws.Provider("ireland", region="eu-west-1")
        RetrainingPipeline(NAME, minimal(), pulumi.ResourceOptions(provider=provider))

    engine = run(program)
    provider = engine.one("pulumi:providers:aws", "ireland").urn
    strays = [
        each.urn
        for each in engine.registered.values()
        if each.type.startswith("aws:") and not each.provider.startswith(f"{provider}::")
    ]
    assert strays == []
    assert {each.tok: each.provider.startswith(f"{provider}::") for each in engine.invokes} == {
        "aws:index/getCallerIdentity:getCallerIdentity": True,
        "aws:index/getRegion:getRegion": True,
    }


def test_the_state_machine_comes_after_every_policy_that_it_works_with(deployed):
    policies = {each.urn for each in deployed.all_of(ROLE_POLICY).values()}
    later = {
        deployed.one(ROLE_POLICY, f"{NAME}-schedule").urn,
        *(
            deployed.one(ROLE_POLICY, f"{NAME}-{step}-executions").urn
            for step in ("plan-retraining", "create-solution-version", "close-run")
        ),
    }
    dependencies = deployed.one(MACHINE_TYPE, NAME).dependencies
    assert policies - dependencies == later, "these name the state machine themselves"


def test_the_schedule_comes_after_every_policy(deployed):
    policies = {each.urn for each in deployed.all_of(ROLE_POLICY).values()}
    schedule = deployed.one("aws:scheduler/schedule:Schedule", f"{NAME}-schedule")
    assert policies - schedule.dependencies == set()


def test_everything_that_can_be_tagged_is_tagged(deployed):
    untagged = {
        each.type
        for each in deployed.registered.values()
        if each.type.startswith("aws:") and each.inputs.get("tags") != TAGS
    }
    assert untagged == {
        # AWS knows no tags on these.
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lambda/permission:Permission",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:scheduler/schedule:Schedule",
    }


def test_tags_stay_readable_when_an_arn_is_a_secret():
    engine = deploy(lambda: complete(pulumi.Output.secret))
    assert engine.one("aws:scheduler/scheduleGroup:ScheduleGroup", NAME).inputs["tags"] == TAGS


def test_tags_are_shown_in_a_preview_when_the_arns_are_known():
    engine = deploy(complete, preview=True)
    assert engine.one("aws:scheduler/scheduleGroup:ScheduleGroup", NAME).inputs["tags"] == TAGS


def test_every_role_is_within_the_boundary_where_one_is_given(deployed, least):
    roles = deployed.all_of(ROLE)
    assert len(roles) == len(STEPS) + 3
    assert {each.inputs["permissionsBoundary"] for each in roles.values()} == {BOUNDARY}
    unbounded = [
        each for each in least.all_of(ROLE).values() if "permissionsBoundary" in each.inputs
    ]
    assert unbounded == []


def test_only_the_state_machines_log_group_has_a_physical_name(deployed):
    named = {
        each.name: each.inputs["name"]
        for each in deployed.registered.values()
        if "name" in each.inputs
    }
    assert named == {NAME: f"/aws/vendedlogs/states/{NAME}-1234567"}, "that of the schedule group"


def test_a_log_group_that_has_another_name_keeps_it(deployed):
    ignored = {name: each.ignored for name, each in deployed.all_of(LOG_GROUP).items()}
    assert ignored == {NAME: ["name"], f"{NAME}-functions": []}
    assert [each.name for each in deployed.registered.values() if each.ignored] == [NAME]


# --- the state machine ---------------------------------------------------------------------------


def test_the_state_machine_has_exactly_these_inputs(deployed):
    inputs = dict(deployed.one(MACHINE_TYPE, NAME).inputs)
    inputs.pop("definition")
    assert inputs == {
        "type": "STANDARD",
        "roleArn": f"arn:aws:iam::123456789012:role/{NAME}-1234567",
        "loggingConfiguration": {
            "level": "ERROR",
            "includeExecutionData": False,
            "logDestination": (
                f"arn:aws:logs:{HOME}:log-group:/aws/vendedlogs/states/{NAME}-1234567:*"
            ),
        },
        "tracingConfiguration": {"enabled": True},
        "tags": TAGS,
    }


def test_only_the_state_machines_deletion_may_wait_for_its_executions(deployed):
    patient = {
        each.type: each.delete_timeout
        for each in deployed.registered.values()
        if each.delete_timeout
    }
    assert patient == {MACHINE_TYPE: "2h"}


def test_the_state_machines_log_group_has_retention_and_key(deployed):
    assert deployed.one(LOG_GROUP, NAME).inputs == {
        "name": f"/aws/vendedlogs/states/{NAME}-1234567",
        "retentionInDays": 30,
        "kmsKeyId": KEY,
        "tags": TAGS,
    }


def test_the_definition_calls_one_version_of_each_function_but_those_called_by_events(deployed):
    text = deployed.one(MACHINE_TYPE, NAME).inputs["definition"]
    called = set(re.findall(r"arn:aws:lambda:[^\"]+", text))
    assert called == {f"{function_arn(step)}:1" for step in CALLED}


def test_the_definitions_first_state_holds_the_settings(deployed):
    assert settings_of(deployed) == document(
        dataclasses.replace(complete(), tags=TAGS),
        job_prefix=JOB_PREFIX,
        import_role_arn=f"arn:aws:iam::123456789012:role/{NAME}-import-1234567",
    )


def test_the_state_machines_role_may_call_its_functions_write_logs_and_traces(deployed):
    arns = [function_arn(step) for step in CALLED]
    assert deployed.policy(NAME) == policy_document(
        allow(["lambda:InvokeFunction"], [*arns, *(f"{arn}:*" for arn in arns)]),
        allow(
            [
                "logs:CreateLogDelivery",
                "logs:GetLogDelivery",
                "logs:UpdateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:DescribeResourcePolicies",
                "logs:DescribeLogGroups",
            ],
            ["*"],
        ),
        allow(
            [
                "xray:PutTraceSegments",
                "xray:PutTelemetryRecords",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
            ],
            ["*"],
        ),
    )
    assert deployed.one(ROLE_POLICY, NAME).inputs["role"] == f"{NAME}-1234567"


def test_the_state_machines_role_is_for_state_machines_of_this_account_and_region(deployed):
    assert deployed.trust(NAME) == trust(
        "states",
        StringEquals={"aws:SourceAccount": "123456789012"},
        ArnLike={"aws:SourceArn": f"arn:aws:states:{HOME}:stateMachine:*"},
    )


def test_a_definition_that_leads_nowhere_fails_the_construction():
    with (
        patch.object(asl, "problems", return_value=["'A' goes on to 'B', which is no state"]),
        pytest.raises(InvalidPipelineError) as refused,
    ):
        deploy(minimal)
    assert str(refused.value) == (
        "1 problem in the retraining pipeline 'retraining-dev':\n"
        "  'A' goes on to 'B', which is no state"
    )


# --- the import role -----------------------------------------------------------------------------


def test_the_created_import_role_is_for_personalize_in_this_account_and_region(deployed):
    assert deployed.trust(f"{NAME}-import") == trust(
        "personalize",
        StringEquals={"aws:SourceAccount": "123456789012"},
        ArnLike={"aws:SourceArn": f"{PERSONALIZE}:*"},
    )


def test_the_created_import_role_may_read_the_exports_alone(deployed):
    assert deployed.policy(f"{NAME}-import") == policy_document(
        allow(
            ["s3:GetObject"],
            ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
        ),
        allow(["s3:ListBucket"], ["arn:aws:s3:::catalogue", "arn:aws:s3:::exports"]),
        allow(["kms:Decrypt"], [DATA_KEY]),
    )
    assert deployed.one(ROLE_POLICY, f"{NAME}-import").inputs["role"] == f"{NAME}-import-1234567"


def test_without_a_key_of_the_data_the_import_role_may_decrypt_nothing(least):
    assert least.policy(f"{NAME}-import") == policy_document(
        allow(["s3:GetObject"], ["arn:aws:s3:::exports/interactions.csv"]),
        allow(["s3:ListBucket"], ["arn:aws:s3:::exports"]),
    )


# --- outputs and previews ------------------------------------------------------------------------


def test_arguments_that_are_outputs_give_the_same_resources(deployed):
    engine = deploy(lambda: complete(pulumi.Output.from_input))
    named = [
        {
            each.urn: {key: value for key, value in each.inputs.items() if key != "code"}
            for each in sorted(run_.registered.values(), key=lambda each: each.urn)
        }
        for run_ in (engine, deployed)
    ]
    assert named[0] == named[1]
    assert "Output" not in json.dumps(named[0]), "an output was formatted into a string"
    assert engine.messages == []


@pytest.mark.parametrize("wrap", [lambda value: value, pulumi.Output.from_input])
def test_a_preview_shows_every_resource_while_computed_values_are_unknown(wrap):
    engine = deploy(lambda: complete(wrap), preview=True)
    assert urns(engine) == set(URNS)
    assert engine.messages == []
    definition = engine.one(MACHINE_TYPE, NAME).inputs["definition"]
    assert holds_unknown(definition), "the functions' ARNs are not known yet"


def test_a_preview_shows_what_does_not_hang_on_unknown_values():
    engine = deploy(complete, preview=True)
    assert engine.policy(f"{NAME}-import")["Statement"][0] == allow(
        ["s3:GetObject"],
        ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
    )


def test_arguments_that_are_unknown_in_a_preview_are_judged_in_the_deployment():
    def program():
        role = aws.iam.Role("reader", assume_role_policy="{}")
        RetrainingPipeline(NAME, complete(import_role_arn=role.arn))

    engine = run(program, preview=True, region="us-east-1")
    assert len(urns(engine)) == len(URNS) - 1, "an import role is given, the host's own is there"
    with pytest.raises(InvalidPipelineError, match="region: the ARNs are in 'eu-west-1'"):
        run(program, region="us-east-1")


# --- partitions ----------------------------------------------------------------------------------


def test_no_arn_is_tied_to_one_partition():
    there = "arn:aws-us-gov:personalize:us-gov-west-1:123456789012"

    def moved():
        interactions = DatasetArgs(
            dataset_arn=f"{there}:dataset/movies/INTERACTIONS",
            data_location="s3://exports/interactions.csv",
        )
        return minimal(
            datasets=DatasetsArgs(interactions=interactions),
            solutions=[SolutionArgs(solution_arn=f"{there}:solution/movies")],
        )

    engine = deploy(moved, region="us-gov-west-1", partition="aws-us-gov")
    text = json.dumps(
        [
            {key: value for key, value in each.inputs.items() if key != "code"}
            for each in engine.registered.values()
        ]
    )
    assert set(re.findall(r"arn:[a-z-]+:[a-z0-9]+:[a-z0-9-]*", text)) >= {
        "arn:aws-us-gov:s3:",
        "arn:aws-us-gov:states:us-gov-west-1",
    }
    assert "arn:aws:" not in text
