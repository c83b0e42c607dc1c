"""Proves the resources of the component, their order, and its state machine and import role."""

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
from components.lambda_functions import CALLED_BY_EVENTS
from components.state_machine import asl
from components.state_machine.steps import STEPS
from components.workflow_settings import workflow_settings
from tests.components.conftest import deploy
from tests.components.documents import (
    COMPOSITE_ALARM,
    DASHBOARD,
    DASHBOARD_URL,
    FUNCTION,
    HOME,
    INVOCATION,
    JOB_PREFIX,
    LOG_GROUP,
    LOG_METRIC_FILTER,
    MACHINE,
    METRIC_ALARM,
    QUEUE,
    QUEUE_TYPE,
    ROLE,
    ROLE_POLICY,
    SCHEDULE,
    SCHEDULE_GROUP,
    STATE_MACHINE,
    SUBSCRIPTION,
    TAGS,
    TOPIC,
    TOPIC_POLICY,
    TOPIC_TYPE,
    allow,
    function_arn,
    trust,
)
from tests.components.documents import document as policy_document
from tests.components.recording import PROJECT, STACK, STACK_TYPE, run
from tests.components.sample import (
    BOUNDARY,
    DATA_KEY,
    EMAIL,
    IMPORT_ROLE,
    KEY,
    NAME,
    PERSONALIZE,
    STEPS_WITHOUT_TRIGGER,
    complete,
    minimal,
)

INDEX = "personalize-retraining:index:"
PIPELINE = f"{INDEX}RetrainingPipeline"
CALLED_STEPS = [step.replace("_", "-") for step in STEPS if step not in CALLED_BY_EVENTS]
"""The steps that the state machine calls."""
ALL_STEPS = [step.replace("_", "-") for step in STEPS_WITHOUT_TRIGGER]
STEPS_WITH_EXECUTIONS = ["begin-run", "report-outcome", "close-run", "measure-model-age"]
"""The steps with a policy on the state machine or its executions."""

ALARM_NAMES = [
    "run-failed",
    "run-timed-out",
    "run-aborted",
    "start-failed",
    "model-too-old",
    "data-too-old",
    "trial-unfinished",
    "report-undelivered",
    "function-error",
    "version-rejected",
    "version-rolled-back",
]

CHILDREN = {
    PIPELINE: {
        LOG_GROUP: [NAME],
        ROLE: [NAME, f"{NAME}-import"],
        ROLE_POLICY: [NAME, f"{NAME}-import"],
        SCHEDULE_GROUP: [NAME],
        STATE_MACHINE: [NAME],
    },
    f"{PIPELINE}${INDEX}LambdaFunctions": {
        LOG_GROUP: [f"{NAME}-functions"],
        **{type_: [f"{NAME}-{step}" for step in ALL_STEPS] for type_ in (FUNCTION, ROLE)},
        ROLE_POLICY: [
            *(f"{NAME}-{step}" for step in ALL_STEPS),
            *(f"{NAME}-{step}-executions" for step in STEPS_WITH_EXECUTIONS),
        ],
    },
    f"{PIPELINE}${INDEX}Notifications": {
        TOPIC_TYPE: [NAME],
        TOPIC_POLICY: [NAME],
        SUBSCRIPTION: [f"{NAME}-{EMAIL}"],
    },
    f"{PIPELINE}${INDEX}Monitoring": {
        COMPOSITE_ALARM: [f"{NAME}-unhealthy"],
        DASHBOARD: [NAME],
        LOG_METRIC_FILTER: [f"{NAME}-function-error"],
        METRIC_ALARM: [f"{NAME}-{alarm}" for alarm in ALARM_NAMES],
        "aws:cloudwatch/eventRule:EventRule": [f"{NAME}-close-run"],
        "aws:cloudwatch/eventTarget:EventTarget": [f"{NAME}-close-run"],
        "aws:lambda/permission:Permission": [f"{NAME}-close-run"],
    },
    f"{PIPELINE}${INDEX}Schedule": {
        QUEUE_TYPE: [f"{NAME}-dead-letters"],
        ROLE: [f"{NAME}-schedule"],
        ROLE_POLICY: [f"{NAME}-schedule"],
        SCHEDULE: [f"{NAME}-schedule"],
    },
    f"{PIPELINE}${INDEX}ModelAge": {
        INVOCATION: [f"{NAME}-measure-model-age"],
        ROLE: [f"{NAME}-model-age"],
        ROLE_POLICY: [f"{NAME}-model-age"],
        SCHEDULE: [f"{NAME}-measure-model-age"],
    },
}
"""Each component with the types and names of its children.

They identify the resources of every deployed stack. A change replaces the resource.
"""
URNS = {f"{parent}::{NAME}" for parent in CHILDREN} | {
    f"{parent}${type_}::{name}"
    for parent, types in CHILDREN.items()
    for type_, names in types.items()
    for name in names
}


def urns(engine):
    """Return the end of the URN of each resource except the stack."""
    return {
        urn.removeprefix(f"urn:pulumi:{STACK}::{PROJECT}::")
        for urn, resource in engine.registered.items()
        if resource.type != STACK_TYPE
    }


def settings_of(engine, name=NAME):
    """Return the settings in the first state of a pipeline's definition."""
    definition = json.loads(engine.one(STATE_MACHINE, name).inputs["definition"])
    return definition["States"][definition["StartAt"]]["Parameters"]["settings"]


def without_code(resource):
    """Return the inputs of a resource without the code of a function, which is not JSON."""
    return {key: value for key, value in resource.inputs.items() if key != "code"}


def holds_unknown(value):
    if isinstance(value, dict):
        return any(map(holds_unknown, value.values()))
    if isinstance(value, list):
        return any(map(holds_unknown, value))
    return isinstance(value, Unknown)


# --- resources and outputs -----------------------------------------------------------------------


def test_a_pipeline_has_exactly_these_resources(deployed):
    assert urns(deployed) == URNS


def test_with_the_users_import_role_no_import_role_is_created(with_import_role):
    assert urns(with_import_role) == URNS - {
        f"{PIPELINE}${INDEX}Notifications${SUBSCRIPTION}::{NAME}-{EMAIL}",
        f"{PIPELINE}${ROLE}::{NAME}-import",
        f"{PIPELINE}${ROLE_POLICY}::{NAME}-import",
    }


def test_a_program_can_have_two_pipelines():
    def program():
        RetrainingPipeline("movies", minimal())
        RetrainingPipeline("books", minimal())

    engine = run(program)
    groups = engine.all_of(LOG_GROUP)
    assert groups["movies"].inputs["name"] != groups["books"].inputs["name"]
    prefixes = [settings_of(engine, name)["prefix"] for name in ("movies", "books")]
    assert len(set(prefixes)) == 2, "the names of their jobs must differ"


def test_the_outputs_of_the_component_come_from_its_resources(deployed):
    assert deployed.outputs[f"urn:pulumi:{STACK}::{PROJECT}::{PIPELINE}::{NAME}"] == {
        "state_machine_arn": MACHINE,
        "schedule_arn": f"arn:aws:scheduler:{HOME}:schedule/group/{NAME}-schedule-1234567",
        "log_group_name": f"{NAME}-functions-1234567",
        "import_role_arn": f"arn:aws:iam::123456789012:role/{NAME}-import-1234567",
        "topic_arn": TOPIC,
        "dashboard_url": DASHBOARD_URL,
        "dead_letter_queue_url": f"https://queues/{QUEUE.rsplit(':', 1)[1]}",
    }


def test_the_users_import_role_is_an_output(with_import_role):
    outputs = with_import_role.outputs[f"urn:pulumi:{STACK}::{PROJECT}::{PIPELINE}::{NAME}"]
    assert outputs["import_role_arn"] == IMPORT_ROLE


# --- options -------------------------------------------------------------------------------------


def test_the_options_of_the_caller_do_not_reach_the_children():
    def program():
        RetrainingPipeline(
            NAME,
            minimal(),
            pulumi.ResourceOptions(aliases=[pulumi.Alias(name="retraining")], protect=True),
        )

    engine = run(program)
    with_aliases = [resource.type for resource in engine.registered.values() if resource.aliases]
    assert with_aliases == [PIPELINE], "children with the same alias would have the same URN"


def former_urns(engine):
    """Return the former URNs of each resource, as the real engine derives them from aliases.

    A child inherits each alias of its parent. If the name of the child begins with the name of the
    parent, its former name begins with the alias: `inheritedChildAlias` in Pulumi's
    pkg/resource/deploy/step_generator.go.
    """
    former = {}
    for urn, resource in engine.registered.items():
        former[urn] = [
            urn.replace(f"::{resource.name}", f"::{alias.spec.name}") for alias in resource.aliases
        ]
        for alias in former.get(resource.parent, []):
            parent, parent_alias = (text.rpartition("::")[2] for text in (resource.parent, alias))
            name = resource.name
            if name.startswith(parent):
                name = parent_alias + name.removeprefix(parent)
            former[urn].append(f"{alias.rpartition('::')[0]}${resource.type}::{name}")
    return former


def test_a_renamed_pipeline_keeps_all_resources_with_one_alias():
    def renamed():
        aliases = [pulumi.Alias(name="films")]
        RetrainingPipeline("movies", complete(), pulumi.ResourceOptions(aliases=aliases))

    original = run(lambda: RetrainingPipeline("films", complete()) and None)
    former = former_urns(run(renamed))
    kept = [former_urn for urn, former_urn in former.items() if STACK_TYPE not in urn]
    assert sorted(kept) == sorted([urn] for urn in original.registered if STACK_TYPE not in urn)


def test_the_provider_of_the_caller_is_used_for_every_resource_and_lookup():
    def program():
        provider = aws.Provider("ireland", region="eu-west-1")
        RetrainingPipeline(NAME, minimal(), pulumi.ResourceOptions(provider=provider))

    engine = run(program)
    provider = engine.one("pulumi:providers:aws", "ireland").urn
    with_other_provider = [
        resource.urn
        for resource in engine.registered.values()
        if resource.type.startswith("aws:") and not resource.provider.startswith(f"{provider}::")
    ]
    assert with_other_provider == []
    assert {
        invoke.tok: invoke.provider.startswith(f"{provider}::") for invoke in engine.invokes
    } == {
        "aws:index/getCallerIdentity:getCallerIdentity": True,
        "aws:index/getRegion:getRegion": True,
    }


def test_the_state_machine_is_created_after_every_policy_that_does_not_name_it(deployed):
    policies = {policy.urn for policy in deployed.all_of(ROLE_POLICY).values()}
    created_later = {
        deployed.one(ROLE_POLICY, f"{NAME}-schedule").urn,
        deployed.one(ROLE_POLICY, f"{NAME}-model-age").urn,
        *(
            deployed.one(ROLE_POLICY, f"{NAME}-{step}-executions").urn
            for step in STEPS_WITH_EXECUTIONS
        ),
    }
    assert policies - deployed.one(STATE_MACHINE, NAME).dependencies == created_later


def test_the_schedule_is_created_after_every_policy_that_an_execution_needs(deployed):
    policies = {policy.urn for policy in deployed.all_of(ROLE_POLICY).values()}
    schedule = deployed.one(SCHEDULE, f"{NAME}-schedule")
    not_needed = {deployed.one(ROLE_POLICY, f"{NAME}-model-age").urn}
    assert policies - schedule.dependencies == not_needed


def test_every_policy_belongs_to_the_role_of_its_name(deployed):
    roles = {name: policy.inputs["role"] for name, policy in deployed.all_of(ROLE_POLICY).items()}
    assert roles == {name: f"{name.removesuffix('-executions')}-1234567" for name in roles}


def test_every_resource_that_can_have_tags_has_them(deployed):
    untagged = {
        resource.type
        for resource in deployed.registered.values()
        if resource.type.startswith("aws:") and resource.inputs.get("tags") != TAGS
    }
    assert untagged == {
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lambda/permission:Permission",
        INVOCATION,
        DASHBOARD,
        LOG_METRIC_FILTER,
        SUBSCRIPTION,
        TOPIC_POLICY,
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:scheduler/schedule:Schedule",
    }, "AWS has no tags on these"


def test_tags_are_not_secret_if_an_arn_is_a_secret():
    engine = deploy(lambda: complete(pulumi.Output.secret))
    assert engine.one(SCHEDULE_GROUP, NAME).inputs["tags"] == TAGS


def test_a_preview_shows_the_tags_if_the_arns_are_known():
    engine = deploy(complete, preview=True)
    assert engine.one(SCHEDULE_GROUP, NAME).inputs["tags"] == TAGS


def test_every_role_has_the_permissions_boundary(deployed):
    boundaries = {role.inputs["permissionsBoundary"] for role in deployed.all_of(ROLE).values()}
    assert boundaries == {BOUNDARY}


def test_without_a_permissions_boundary_no_role_has_one(smallest):
    roles = smallest.all_of(ROLE).values()
    assert [role.name for role in roles if "permissionsBoundary" in role.inputs] == []


def test_only_the_log_group_of_the_state_machine_has_a_physical_name(deployed):
    names = {
        resource.name: resource.inputs["name"]
        for resource in deployed.registered.values()
        if "name" in resource.inputs
    }
    assert names == {NAME: f"/aws/vendedlogs/states/{NAME}-1234567"}, "the schedule group's name"


def test_only_the_log_group_of_the_state_machine_keeps_an_earlier_name(deployed):
    ignored = {
        urn: resource.ignored for urn, resource in deployed.registered.items() if resource.ignored
    }
    assert ignored == {deployed.one(LOG_GROUP, NAME).urn: ["name"]}


# --- the state machine ---------------------------------------------------------------------------


def test_the_state_machine_has_exactly_these_inputs(deployed):
    inputs = dict(deployed.one(STATE_MACHINE, NAME).inputs)
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


def test_only_the_deletion_of_the_state_machine_waits_for_executions(deployed):
    timeouts = {
        resource.type: resource.delete_timeout
        for resource in deployed.registered.values()
        if resource.delete_timeout
    }
    assert timeouts == {STATE_MACHINE: "2h"}


def test_the_log_group_of_the_state_machine_has_retention_and_key(deployed):
    assert deployed.one(LOG_GROUP, NAME).inputs == {
        "name": f"/aws/vendedlogs/states/{NAME}-1234567",
        "retentionInDays": 30,
        "kmsKeyId": KEY,
        "tags": TAGS,
    }


def test_the_definition_calls_a_version_of_each_function_that_no_event_calls(deployed):
    text = deployed.one(STATE_MACHINE, NAME).inputs["definition"]
    arns = set(re.findall(r"arn:aws:lambda:[^\"]+", text))
    assert arns == {f"{function_arn(step)}:1" for step in CALLED_STEPS}


def test_the_first_state_has_the_settings(deployed):
    assert settings_of(deployed) == workflow_settings(
        dataclasses.replace(complete(), tags=TAGS),
        job_prefix=JOB_PREFIX,
        import_role_arn=f"arn:aws:iam::123456789012:role/{NAME}-import-1234567",
        topic_arn=TOPIC,
        dashboard_url=DASHBOARD_URL,
    )


def test_the_role_of_the_state_machine_may_call_functions_and_write_logs_and_traces(deployed):
    arns = [function_arn(step) for step in CALLED_STEPS]
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


def test_only_state_machines_of_this_account_and_region_assume_the_role(deployed):
    assert deployed.trust(NAME) == trust(
        "states",
        StringEquals={"aws:SourceAccount": "123456789012"},
        ArnLike={"aws:SourceArn": f"arn:aws:states:{HOME}:stateMachine:*"},
    )


def test_a_definition_with_a_problem_is_refused():
    with (
        patch.object(asl, "problems", return_value=["the message of asl.problems"]),
        pytest.raises(InvalidPipelineError) as caught,
    ):
        deploy(minimal)
    assert str(caught.value) == (
        "1 problem in the retraining pipeline 'retraining-dev':\n  the message of asl.problems"
    )


# --- the import role -----------------------------------------------------------------------------


def test_only_personalize_in_this_account_and_region_assumes_the_import_role(deployed):
    assert deployed.trust(f"{NAME}-import") == trust(
        "personalize",
        StringEquals={"aws:SourceAccount": "123456789012"},
        ArnLike={"aws:SourceArn": f"{PERSONALIZE}:*"},
    )


def test_the_import_role_may_read_only_the_exports(deployed):
    assert deployed.policy(f"{NAME}-import") == policy_document(
        allow(
            ["s3:GetObject"],
            ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
        ),
        allow(["s3:ListBucket"], ["arn:aws:s3:::catalogue", "arn:aws:s3:::exports"]),
        allow(["kms:Decrypt"], [DATA_KEY]),
    )


def test_without_a_key_of_the_exports_the_import_role_may_not_decrypt(smallest):
    assert smallest.policy(f"{NAME}-import") == policy_document(
        allow(["s3:GetObject"], ["arn:aws:s3:::exports/interactions.csv"]),
        allow(["s3:ListBucket"], ["arn:aws:s3:::exports"]),
    )


# --- inputs that are outputs, and previews -------------------------------------------------------


def test_outputs_as_arguments_lead_to_the_same_resources(deployed):
    engine = deploy(lambda: complete(pulumi.Output.from_input))
    inputs, expected_inputs = (
        {urn: without_code(resource) for urn, resource in recorded.registered.items()}
        for recorded in (engine, deployed)
    )
    assert inputs == expected_inputs
    assert "Output" not in json.dumps(inputs), "an Output was formatted into a string"
    assert engine.messages == []


@pytest.mark.parametrize("wrap", [lambda value: value, pulumi.Output.from_input])
def test_a_preview_shows_every_resource_although_computed_values_are_unknown(wrap):
    engine = deploy(lambda: complete(wrap), preview=True)
    assert urns(engine) == URNS
    assert engine.messages == []
    definition = engine.one(STATE_MACHINE, NAME).inputs["definition"]
    assert holds_unknown(definition), "the ARNs of the functions are not known yet"


def test_a_preview_shows_a_policy_whose_values_are_known():
    engine = deploy(complete, preview=True)
    assert engine.policy(f"{NAME}-import")["Statement"][0] == allow(
        ["s3:GetObject"],
        ["arn:aws:s3:::catalogue/items.csv", "arn:aws:s3:::exports/interactions/*"],
    )


def test_arguments_that_are_unknown_in_a_preview_are_checked_in_the_deployment():
    def program():
        role = aws.iam.Role("reader", assume_role_policy="{}")
        RetrainingPipeline(NAME, complete(import_role_arn=role.arn))

    engine = run(program, preview=True, region="us-east-1")
    assert len(urns(engine)) == len(URNS) - 1, "without the import role and its policy, plus reader"
    with pytest.raises(InvalidPipelineError, match="region: the ARNs are in 'eu-west-1'"):
        run(program, region="us-east-1")


# --- partitions ----------------------------------------------------------------------------------


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
    text = json.dumps([without_code(resource) for resource in engine.registered.values()])
    assert set(re.findall(r"arn:[a-z-]+:[a-z0-9]+:[a-z0-9-]*", text)) >= {
        "arn:aws-us-gov:s3:",
        "arn:aws-us-gov:states:us-gov-west-1",
    }
    assert "arn:aws:" not in text
