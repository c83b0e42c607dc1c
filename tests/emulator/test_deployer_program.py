"""Proves that a Pulumi program is deployed in this process, and what is refused by name.

`test_provider_types.py` proves the resource types. Does not prove that Pulumi's engine or provider
would refuse the same.
"""

import contextvars
import gc

import pulumi
import pytest
from deployer_support import write_project
from pulumi.runtime.config import CONFIG
from pulumi.runtime.settings import ROOT

from emulator.deployer.errors import DeploymentError
from emulator.deployer.program import deploy

STACK = "config:\n  aws:region: eu-west-1\n"


@pytest.fixture
def run(aws, tmp_path):
    """Return a function that deploys a program. Each test has its own project."""

    def run(program, *, stack=STACK, **options):
        folder = write_project(tmp_path, program, stack, name=f"sample-{tmp_path.name}")
        return deploy("dev", endpoint=aws.endpoint, project_dir=folder, **options)

    return run


@pytest.fixture
def refusal(run):
    """Return a function that deploys a program and returns the message of the DeploymentError."""

    def refusal(program, **options):
        with pytest.raises(DeploymentError) as caught:
            run(program, **options)
        return str(caught.value)

    return refusal


def test_the_schedule_and_the_state_machine_of_the_sample_stack_exist(aws):
    outputs = deploy("dev", endpoint=aws.endpoint).outputs
    states, scheduler = aws.client("stepfunctions"), aws.client("scheduler")
    machine = states.describe_state_machine(stateMachineArn=outputs["state_machine_arn"])
    assert machine["status"] == "ACTIVE"
    group, name = outputs["schedule_arn"].split("/")[-2:]
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    assert schedule["Target"]["Arn"] == outputs["state_machine_arn"]


def test_a_program_gets_outputs_tags_and_providers_as_from_pulumis_engine(aws, run, tmp_path):
    program = """
    class Part(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("sample:index:Part", name, None, None)


    account = aws.get_caller_identity().account_id
    part = Part("part")
    queue = aws.sqs.Queue("queue", tags={"team": "ranking"})
    role = aws.iam.Role(
        "role",
        assume_role_policy=trusts("lambda"),
        tags={"account": account},
        opts=pulumi.ResourceOptions(parent=part),
    )
    elsewhere = aws.Provider("elsewhere", region="us-east-1")
    topic = aws.sns.Topic("topic", opts=pulumi.ResourceOptions(provider=elsewhere))
    pulumi.export("queue", queue.url)
    pulumi.export("tags", queue.tags_all)
    pulumi.export("role", role.name)
    pulumi.export("topic", topic.arn)
    pulumi.export("here", aws.get_region().region)
    """
    stack = "config:\n  aws:defaultTags: {tags: {team: data, cost-center: 4711}}\n"
    deployment = run(program, stack=stack)
    outputs = deployment.outputs

    assert outputs["here"] == aws.region, "a stack without a region uses the emulator's"
    assert outputs["tags"] == {"team": "ranking", "cost-center": "4711"}
    assert aws.client("sqs").list_queue_tags(QueueUrl=outputs["queue"])["Tags"] == outputs["tags"]
    role = aws.client("iam").get_role(RoleName=outputs["role"])["Role"]
    assert {"Key": "account", "Value": aws.account} in role["Tags"]
    assert outputs["topic"].split(":")[3] == "us-east-1"

    [*resources] = [(resource.type, resource.urn) for resource in deployment.resources]
    prefix = f"urn:pulumi:dev::sample-{tmp_path.name}::"
    assert dict(resources) == {
        "sample:index:Part": f"{prefix}sample:index:Part::part",
        "aws:sqs/queue:Queue": f"{prefix}aws:sqs/queue:Queue::queue",
        "aws:iam/role:Role": f"{prefix}sample:index:Part$aws:iam/role:Role::role",
        "pulumi:providers:aws": f"{prefix}pulumi:providers:aws::elsewhere",
        "aws:sns/topic:Topic": f"{prefix}aws:sns/topic:Topic::topic",
    }, "the type of the parent stands before the resource's, but not the stack's"
    [queue] = [row for row in deployment.resources if row.type == "aws:sqs/queue:Queue"]
    assert queue.inputs["tags"] == {"team": "ranking"}
    assert queue.outputs["url"] == queue.id == outputs["queue"]


UNSUPPORTED = "is not supported by the emulator's provider"
REFUSED = {
    "an unsupported type": (
        'aws.kms.Key("k")',
        f"aws:kms/key:Key k: aws:kms/key:Key {UNSUPPORTED}",
    ),
    "an unsupported input": (
        'aws.sqs.Queue("q", fifo_queue=True)',
        "aws:sqs/queue:Queue q: fifoQueue: unknown or not supported",
    ),
    "a provider with an unsupported setting": (
        'aws.Provider("p", region="eu-west-1", max_retries=3)',
        "pulumi:providers:aws p: aws:maxRetries: not supported by the emulator's provider",
    ),
    "two resources with one name": (
        'aws.sqs.Queue("q")\naws.sqs.Queue("q")',
        "aws:sqs/queue:Queue q: duplicate URN urn:pulumi:dev::{project}::aws:sqs/queue:Queue::q",
    ),
    "an import": (
        'aws.sqs.Queue("q", opts=pulumi.ResourceOptions(import_="https://queue"))',
        f"aws:sqs/queue:Queue q: remote components and import {UNSUPPORTED}",
    ),
    "a remote component": (
        'pulumi.ComponentResource("a:b:C", "c", {}, None, True)',
        f"a:b:C c: remote components and import {UNSUPPORTED}",
    ),
    "get()": (
        'aws.sqs.Queue.get("q", "https://queue")',
        f"aws:sqs/queue:Queue q: get() {UNSUPPORTED}",
    ),
    "a message of severity error": (
        'pulumi.log.error("no campaigns")',
        "the program logged errors: no campaigns",
    ),
}


@pytest.mark.parametrize(("program", "message"), REFUSED.values(), ids=REFUSED)
def test_a_program_is_refused_with_the_name_of_the_resource(refusal, tmp_path, program, message):
    expected = message.replace("{project}", f"sample-{tmp_path.name}")
    assert refusal(program) == expected


def test_an_error_in_the_program_is_raised_unchanged(run):
    with pytest.raises(KeyError) as caught:
        run('{}["campaigns"]')
    assert caught.value.args == ("campaigns",)
    program = """
    def fail(url):
        raise LookupError("no such campaign")

    pulumi.export("x", aws.sqs.Queue("q").url.apply(fail))
    """
    with pytest.raises(LookupError, match=r"^no such campaign$"):
        run(program)
    with pytest.raises(pulumi.ConfigMissingError, match="datasets"):
        run('config.require("datasets")')


def test_an_error_of_a_service_is_raised_with_the_name_of_the_resource(refusal):
    assert refusal('aws.iam.RolePolicy("p", role="nobody", policy="{}")') == (
        "aws:iam/rolePolicy:RolePolicy p: An error occurred (NoSuchEntity) when calling the "
        "PutRolePolicy operation: The role with name nobody cannot be found."
    )


def test_an_error_that_is_raised_is_not_logged(run, caplog):
    for _ in range(2):  # Pulumi keeps the objects of a run until the next run.
        with pytest.raises(DeploymentError):
            run('aws.sqs.Queue("q", fifo_queue=True)')
    gc.collect()  # asyncio now logs the errors that no task has read.
    assert caplog.records == []


def test_a_warning_of_the_program_is_logged(run, caplog):
    run('pulumi.log.warn("no users")')
    assert [record.getMessage() for record in caplog.records] == ["no users"]


TAGS_EXAMPLE = 'expected {"tags": {"team": "data"}}'
REFUSED_SETTINGS = {
    "aws:ignoreTags: {keys: [a]}\n  aws:endpoints: []": (
        "aws:endpoints, aws:ignoreTags: not supported by the emulator's provider"
    ),
    "aws:allowedAccountIds: [210987654321]": (
        "AWS account ID not allowed: 123456789012; aws:allowedAccountIds has 210987654321"
    ),
    "aws:defaultTags: team=data": f"aws:defaultTags: 'team=data'; {TAGS_EXAMPLE}",
    "aws:defaultTags: {tags: [team]}": (
        f"""aws:defaultTags: '{{"tags":["team"]}}'; {TAGS_EXAMPLE}"""
    ),
}


@pytest.mark.parametrize(("setting", "message"), REFUSED_SETTINGS.items())
def test_a_setting_of_the_provider_is_refused_with_the_reason(refusal, setting, message):
    assert refusal("", stack=f"config:\n  {setting}\n") == message


def test_two_stacks_in_one_process_are_independent(aws, tmp_path):
    program = """
    queue = aws.sqs.Queue("q")
    pulumi.export("stack", pulumi.get_stack())
    pulumi.export("only", config.get("only"))
    pulumi.export("queue", queue.arn)
    """
    folder = write_project(tmp_path, program, "config:\n  only: dev\n", name="pair")
    (folder / "Pulumi.prod.yaml").write_text("config:\n  aws:region: us-east-1\n")
    before = (pulumi.get_stack(), dict(CONFIG.get()))

    dev = deploy("dev", endpoint=aws.endpoint, project_dir=folder).outputs
    prod = deploy("prod", endpoint=aws.endpoint, project_dir=folder).outputs

    assert (dev["stack"], dev["only"]) == ("dev", "dev")
    assert (prod["stack"], prod.get("only")) == ("prod", None), "prod does not have dev's config"
    assert prod["queue"].split(":")[3] == "us-east-1"
    assert dev["queue"].split(":")[5] != prod["queue"].split(":")[5], "each stack has a queue"
    assert (pulumi.get_stack(), dict(CONFIG.get())) == before, "the caller's settings are kept"


def test_the_callers_settings_of_pulumi_do_not_reach_the_program(run, tmp_path):
    def call():
        pulumi.runtime.set_all_config({f"sample-{tmp_path.name}:mode": "the caller's"})
        ROOT.set(pulumi.resource.DependencyResource("urn:pulumi:a::b::pulumi:pulumi:Stack::c"))
        return run('pulumi.export("mode", str(config.get("mode")))')

    deployment = contextvars.copy_context().run(call)
    assert deployment.outputs == {"mode": "None"}


def test_overrides_win_over_the_stacks_file(run):
    program = 'pulumi.export("mode", config.get("mode"))'
    deployment = run(program, stack=f"{STACK}  mode: slow\n", config={"mode": "fast"})
    assert deployment.outputs == {"mode": "fast"}
