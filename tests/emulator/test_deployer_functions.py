"""Proves that a deployed function keeps Lambda's contract: errors by class, JSON logs, the context.

Does not prove Lambda's timings, nor the log records that Lambda itself writes.
"""

import json

import pytest
from deployer_support import write_project
from small_stack import eventually

from emulator.deployer.errors import DeploymentError
from emulator.deployer.program import deploy

PROGRAM = """
role = aws.iam.Role("worker", assume_role_policy=trusts("lambda"))
group = aws.cloudwatch.LogGroup("functions", name="/sample/functions")
logs = aws.iam.RolePolicy(
    "worker",
    role=role.name,
    policy=pulumi.Output.json_dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": pulumi.Output.concat(group.arn, ":*"),
        }],
    }),
)
function = aws.lambda_.Function(
    "worker",
    code=pulumi.AssetArchive({
        "functions": pulumi.AssetArchive({
            f"{name}.py": pulumi.FileAsset(f"functions/{name}.py")
            for name in ("__init__", "work", "errors")
        })
    }),
    handler="functions.work.handler",
    runtime="python3.13",
    role=role.arn,
    timeout=20,
    memory_size=256,
    architectures=["arm64"],
    publish=True,
    environment={"variables": {"MODE": "fast"}},
    logging_config={
        "log_group": group.name, "log_format": "JSON", "application_log_level": "INFO"
    },
)
aws.lambda_.Invocation(
    "worker",
    function_name=function.name,
    input=json.dumps({"attempt": 7}),
    opts=pulumi.ResourceOptions(depends_on=[logs]),
)
plain = aws.lambda_.Function(
    "plain",
    code=pulumi.AssetArchive({"work.py": pulumi.StringAsset(
        "def handler(event, context):\\n    return context.log_group_name\\n"
    )}),
    handler="work.handler",
    runtime="python3.12",
    role=role.arn,
)
pulumi.export("arn", function.qualified_arn)
pulumi.export("name", function.name)
pulumi.export("plain", plain.name)
pulumi.export("role", role.name)
"""

WORK = """
import logging
import os
import sys

import boto3

from functions.errors import TooManyImportsError

logger = logging.getLogger(__name__)


def handler(event, context):
    logger.debug("not wanted")
    logger.info("began", extra={"run": "20261129T030000Z", "attempt": event.get("attempt", 1)})
    if event.get("fail"):
        raise TooManyImportsError("5 imports are under way")
    return {
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "remaining": context.get_remaining_time_in_millis(),
        "environment": {
            name: os.environ.get(name)
            for name in ("MODE", "AWS_EXECUTION_ENV", "PYTHONPATH", "AWS_PROFILE", "AWS_REGION")
        },
        "here": os.listdir(),
        "path": [path for path in sys.path if os.path.isdir(os.path.join(path, "functions"))],
        "home": os.getcwd(),
        "caller": boto3.client("sts").get_caller_identity()["Arn"],
    }
"""


@pytest.fixture(scope="module")
def outputs(aws, tmp_path_factory):
    """Deploy the program and return its outputs."""
    folder = write_project(tmp_path_factory.mktemp("sample"), PROGRAM, name="functions")
    (folder / "functions").mkdir()
    (folder / "functions/__init__.py").touch()
    (folder / "functions/work.py").write_text(WORK)
    (folder / "functions/errors.py").write_text("class TooManyImportsError(Exception):\n    pass\n")
    return deploy("dev", endpoint=aws.endpoint, project_dir=folder).outputs


@pytest.fixture(scope="module")
def invoke(aws, outputs):
    """Return a function that invokes a function and returns error, version and payload."""

    def invoke(event, function=outputs["arn"]):
        response = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return {
            "error": response.get("FunctionError"),
            "version": response["ExecutedVersion"],
            "payload": json.loads(response["Payload"].read()),
        }

    return invoke


def test_a_published_version_returns_its_context(invoke, outputs):
    result = invoke({})
    context = result["payload"]
    assert (result["error"], result["version"]) == (None, "1")
    assert context["function_name"] == outputs["name"]
    assert context["function_version"] == "1"
    assert context["memory_limit_in_mb"] == "256"
    assert context["log_group_name"] == "/sample/functions"
    assert context["invoked_function_arn"] == outputs["arn"], "the qualified ARN"
    assert 15_000 < context["remaining"] <= 20_000, "milliseconds until the timeout of 20 s"


def test_a_function_sees_only_its_bundle_and_its_environment(aws, invoke, outputs):
    context = invoke({})["payload"]
    assert sorted(context["here"]) == ["bootstrap", "functions"], "the bundle and its start script"
    assert context["path"] == [context["home"]], "`functions` is only found in the bundle"
    assert context["environment"] == {
        "MODE": "fast",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "PYTHONPATH": None,
        "AWS_PROFILE": None,
        "AWS_REGION": "eu-west-1",
    }, "the variables of the program and of Lambda, not of the emulator's process"
    role, name = outputs["role"], outputs["name"]
    assert context["caller"] == f"arn:aws:sts::{aws.account}:assumed-role/{role}/{name}", (
        "the function calls AWS with its role"
    )


def test_an_exception_is_returned_with_its_class(invoke):
    result = invoke({"fail": True})
    assert result["error"] == "Unhandled", "as Lambda returns for every exception"
    assert result["payload"]["errorType"] == "TooManyImportsError", "a workflow matches the class"
    assert result["payload"]["errorMessage"] == "5 imports are under way"
    assert 'raise TooManyImportsError("5 imports' in result["payload"]["stackTrace"][-1]


def test_log_records_reach_the_log_group_as_json(invoke, aws):
    invoke({"fail": True})
    # The logs arrive after the response.
    records = eventually(
        lambda: json_records(aws, "/sample/functions"),
        lambda records: any(record["level"] == "ERROR" for record in records),
    )
    first = next(record for record in records if record.get("attempt") == 1)
    del first["timestamp"], first["requestId"]
    assert first == {
        "level": "INFO",
        "message": "began",
        "logger": "functions.work",
        "run": "20261129T030000Z",
        "attempt": 1,
    }, "the values in `extra` are at the top level"
    error = next(record for record in records if record["level"] == "ERROR")
    assert error["errorType"] == "TooManyImportsError"
    messages = {record.get("message") for record in records}
    assert "not wanted" not in messages, "the log level is INFO"


def test_a_program_can_invoke_a_function(aws, outputs):
    assert outputs["name"]
    records = eventually(
        lambda: json_records(aws, "/sample/functions"),
        lambda records: any(record.get("attempt") == 7 for record in records),
    )
    invoked = [record for record in records if record.get("attempt") == 7]
    assert len(invoked) == 1, "it was invoked once, during the deployment"


def test_a_function_that_fails_ends_the_deployment(aws, tmp_path):
    program = """
role = aws.iam.Role("failing", assume_role_policy=trusts("lambda"))
function = aws.lambda_.Function(
    "failing",
    code=pulumi.AssetArchive({"work.py": pulumi.StringAsset("def handler(*_): 1 / 0")}),
    handler="work.handler",
    runtime="python3.13",
    role=role.arn,
)
aws.lambda_.Invocation("failing", function_name=function.name, input="{}")
"""
    folder = write_project(tmp_path, program, name="failing")
    with pytest.raises(DeploymentError, match=r"Invoke: .*division by zero"):
        deploy("dev", endpoint=aws.endpoint, project_dir=folder)


def json_records(aws, group):
    """Return the JSON records in a log group."""
    events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    return [json.loads(event["message"]) for event in events if event["message"].startswith("{")]


def test_a_function_without_a_logging_config_has_lambdas_log_group(invoke, outputs):
    result = invoke({}, outputs["plain"])
    assert result["payload"] == f"/aws/lambda/{outputs['plain']}"
