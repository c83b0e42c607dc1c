"""Proves that a Pulumi program is deployed in this process, and what is refused by name.

`test_provider_types.py` proves the resource types. Does not prove that Pulumi's engine or provider
would refuse the same.
"""

import contextvars
import gc
import textwrap

import pulumi
import pytest
from pulumi.runtime.config import CONFIG
from pulumi.runtime.settings import ROOT
from small_stack import ECHO, archive, invoke

from emulator.deployer.errors import DeploymentError
from emulator.deployer.program import deploy
from retrain.account.project_files import read_project

PREAMBLE = """
import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
principal = {"Service": "lambda.amazonaws.com"}
statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
TRUST = {"Version": "2012-10-17", "Statement": [statement]}
"""
"""The beginning of each program."""


@pytest.fixture
def run(aws, tmp_path):
    """Return a function that deploys a program. Each test has its own project."""

    def run(program, *, stack="config:\n  aws:region: eu-west-1\n", name="dev"):
        (tmp_path / "Pulumi.yaml").write_text(f"name: {tmp_path.name}\nruntime: python\n")
        (tmp_path / f"Pulumi.{name}.yaml").write_text(stack)
        (tmp_path / "__main__.py").write_text(PREAMBLE + textwrap.dedent(program))
        project = read_project(tmp_path, name, {})
        return deploy(
            name,
            project=project.name,
            program=project.program,
            config=project.config,
            endpoint=aws.endpoint,
        )

    return run


def refusal(run, program, **options):
    """Deploy a program and return the message of the DeploymentError."""
    with pytest.raises(DeploymentError) as caught:
        run(program, **options)
    return str(caught.value)


def test_a_program_gets_outputs_tags_and_providers_as_from_pulumis_engine(aws, run, tmp_path):
    program = """
    class Part(pulumi.ComponentResource):
        def __init__(self, name):
            super().__init__("sample:index:Part", name, None, None)


    part = Part("part")
    queue = aws.sqs.Queue("queue", tags={"team": "ranking"})
    role = aws.iam.Role(
        "role",
        assume_role_policy=TRUST,
        tags={"account": aws.get_caller_identity().account_id},
        opts=pulumi.ResourceOptions(parent=part),
    )
    elsewhere = aws.Provider("elsewhere", region="us-east-1")
    topic = aws.sns.Topic("topic", opts=pulumi.ResourceOptions(provider=elsewhere))
    function = aws.lambda_.Function(
        "worker",
        code=pulumi.FileArchive("code.zip"),
        handler="code.handler",
        runtime="python3.13",
        role=role.arn,
        publish=True,
    )
    pulumi.export("queue", queue.url)
    pulumi.export("tags", queue.tags_all)
    pulumi.export("role", role.name)
    pulumi.export("topic", topic.arn)
    pulumi.export("function", function.qualified_arn)
    pulumi.export("here", aws.get_region().region)
    """
    (tmp_path / "code.zip").write_bytes(archive(ECHO))
    stack = "config:\n  aws:defaultTags: {tags: {team: data, cost-center: 4711}}\n"
    deployment = run(program, stack=stack)
    outputs = deployment.outputs

    assert outputs["here"] == aws.region, "a stack without a region uses the emulator's"
    assert outputs["tags"] == {"team": "ranking", "cost-center": "4711"}
    assert aws.client("sqs").list_queue_tags(QueueUrl=outputs["queue"])["Tags"] == outputs["tags"]
    role = aws.client("iam").get_role(RoleName=outputs["role"])["Role"]
    assert {"Key": "account", "Value": aws.account} in role["Tags"]
    assert outputs["topic"].split(":")[3] == "us-east-1"
    assert invoke(aws, outputs["function"], {"a": 1})["event"] == {"a": 1}

    prefix = f"urn:pulumi:dev::{tmp_path.name}::"
    assert {resource.type: resource.urn for resource in deployment.resources} == {
        "sample:index:Part": f"{prefix}sample:index:Part::part",
        "aws:sqs/queue:Queue": f"{prefix}aws:sqs/queue:Queue::queue",
        "aws:iam/role:Role": f"{prefix}sample:index:Part$aws:iam/role:Role::role",
        "pulumi:providers:aws": f"{prefix}pulumi:providers:aws::elsewhere",
        "aws:sns/topic:Topic": f"{prefix}aws:sns/topic:Topic::topic",
        "aws:lambda/function:Function": f"{prefix}aws:lambda/function:Function::worker",
    }, "the type of the parent stands before the resource's, but not the stack's"
    [queue] = [row for row in deployment.resources if row.type == "aws:sqs/queue:Queue"]
    assert queue.inputs["tags"] == {"team": "ranking"}
    assert queue.outputs["url"] == queue.id == outputs["queue"]


def test_each_program_and_setting_of_the_golden_file_is_refused(run, tmp_path, golden):
    """A line that begins with `aws:` has settings of the stack, and the others are programs."""

    def answer(line):
        options = {"stack": f"config: {{{line}}}\n"} if line.startswith("aws:") else {}
        message = refusal(run, "" if options else line, **options)
        return message.replace(tmp_path.name, "PROJECT")

    golden.answers("programs.txt", answer)


def test_an_error_in_the_program_is_raised_unchanged(run):
    program = """
    def fail(url):
        raise LookupError("no such campaign")

    pulumi.export("x", aws.sqs.Queue("q").url.apply(fail))
    """
    for text, error, words in (
        ('{}["campaigns"]', KeyError, "^'campaigns'$"),
        (program, LookupError, "^no such campaign$"),
        ('config.require("datasets")', pulumi.ConfigMissingError, "datasets"),
    ):
        with pytest.raises(error, match=words):
            run(text)


def test_a_warning_is_logged_and_an_error_that_is_raised_is_not(run, caplog):
    for _ in range(2):  # Pulumi keeps the objects of a run until the next run.
        refusal(run, 'aws.sqs.Queue("q", fifo_queue=True)')
    gc.collect()  # asyncio now logs the errors that no task has read.
    assert caplog.records == []
    run('pulumi.log.warn("no users")')
    assert [record.getMessage() for record in caplog.records] == ["no users"]


def test_stacks_are_independent_of_each_other_and_of_the_caller(run, tmp_path):
    program = """
    queue = aws.sqs.Queue("q")
    pulumi.export("stack", pulumi.get_stack())
    pulumi.export("only", config.get("only"))
    pulumi.export("mode", config.get("mode"))
    pulumi.export("queue", queue.arn)
    """
    stacks = {"dev": "config:\n  only: dev\n", "prod": "config:\n  aws:region: us-east-1\n"}

    def call():
        pulumi.runtime.set_all_config({f"{tmp_path.name}:mode": "the caller's"})
        ROOT.set(pulumi.resource.DependencyResource("urn:pulumi:a::b::pulumi:pulumi:Stack::c"))
        before = (pulumi.get_stack(), dict(CONFIG.get()))
        outputs = [run(program, stack=text, name=name).outputs for name, text in stacks.items()]
        assert (pulumi.get_stack(), dict(CONFIG.get())) == before, "the caller's are kept"
        return outputs

    dev, prod = contextvars.copy_context().run(call)
    assert (dev["stack"], dev["only"], dev.get("mode")) == ("dev", "dev", None)
    assert (prod["stack"], prod.get("only")) == ("prod", None), "prod does not have dev's config"
    assert [stack["queue"].split(":")[3] for stack in (dev, prod)] == ["eu-west-1", "us-east-1"]
    assert dev["queue"].split(":")[5] != prod["queue"].split(":")[5], "each stack has a queue"
