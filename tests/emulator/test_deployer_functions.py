"""Proves that a deployed function meets Lambda's contract: errors by class, JSON logs, the context.

Does not prove the service's own timings, nor the records that its platform writes.
"""

import json
import time

import pytest
from deployer_support import write_project

from emulator.deployer import deploy

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
        f"functions/{name}.py": pulumi.FileAsset(f"functions/{name}.py")
        for name in ("__init__", "work", "errors")
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
plain = aws.lambda_.Function(
    "plain",
    code=pulumi.AssetArchive({"work.py": pulumi.StringAsset(
        "def handler(event, context):\\n    print('a line')\\n    return context.log_group_name\\n"
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
    logger.info("began", extra={"run": "20261129T030000Z", "attempt": 1})
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
    folder = write_project(tmp_path_factory.mktemp("sample"), PROGRAM, name="functions")
    (folder / "functions").mkdir()
    (folder / "functions/__init__.py").touch()
    (folder / "functions/work.py").write_text(WORK)
    (folder / "functions/errors.py").write_text("class TooManyImportsError(Exception):\n    pass\n")
    return deploy("dev", endpoint=aws.endpoint, project_dir=folder).outputs


@pytest.fixture(scope="module")
def invoke(aws, outputs):
    """Invoke the published version; return what came of it."""

    def invoke(event, function=outputs["arn"]):
        answer = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return {
            "error": answer.get("FunctionError"),
            "version": answer["ExecutedVersion"],
            "payload": json.loads(answer["Payload"].read()),
        }

    return invoke


def test_a_published_version_answers_with_its_context(invoke, outputs):
    answer = invoke({})
    context = answer["payload"]
    assert (answer["error"], answer["version"]) == (None, "1"), "the version that was named"
    assert {key: context[key] for key in context if key.endswith(("name", "version", "mb"))} == {
        "function_name": outputs["name"],
        "function_version": "1",
        "memory_limit_in_mb": "256",
        "log_group_name": "/sample/functions",
    }, "the context is what the program declares"
    assert context["invoked_function_arn"] == outputs["arn"], "the qualified ARN"
    assert 15_000 < context["remaining"] <= 20_000, "milliseconds until the timeout of 20 s"


def test_a_function_sees_its_bundle_and_nothing_of_the_emulators_process(aws, invoke, outputs):
    context = invoke({})["payload"]
    assert sorted(context["here"]) == ["bootstrap", "functions"], "the bundle, and what starts it"
    assert context["path"] == [context["home"]], "`functions` is found in the bundle alone"
    assert context["environment"] == {
        "MODE": "fast",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "PYTHONPATH": None,
        "AWS_PROFILE": None,
        "AWS_REGION": "eu-west-1",
    }, "its own variables, the service's, and no one else's"
    role, name = outputs["role"], outputs["name"]
    assert context["caller"] == f"arn:aws:sts::{aws.account}:assumed-role/{role}/{name}", (
        "it calls AWS as its role"
    )


def test_an_exception_is_known_by_its_class(invoke):
    answer = invoke({"fail": True})
    assert answer["error"] == "Unhandled", "as Lambda says of every exception"
    assert answer["payload"]["errorType"] == "TooManyImportsError", "what a workflow matches"
    assert answer["payload"]["errorMessage"] == "5 imports are under way", "what a person reads"
    assert 'raise TooManyImportsError("5 imports' in answer["payload"]["stackTrace"][-1], "where"


def test_log_records_reach_the_log_group_as_json(invoke, aws):
    invoke({"fail": True})
    lines = _lines(aws, "/sample/functions", wanted='"ERROR"')
    records = [json.loads(line) for line in lines]
    began = next(record for record in records if record.get("message") == "began")
    del began["timestamp"], began["requestId"]
    assert began == {
        "level": "INFO",
        "message": "began",
        "logger": "functions.work",
        "run": "20261129T030000Z",
        "attempt": 1,
    }, "what is extra stands at the root"
    failed = next(record for record in records if record["level"] == "ERROR")
    assert failed["errorType"] == "TooManyImportsError", "the error is a record of its own"
    assert "not wanted" not in {record.get("message") for record in records}, "the level is INFO"


def _lines(aws, group, *, wanted):
    """The JSON lines of a log group, once `wanted` is in one; logs come after the answer."""
    logs = aws.client("logs")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        events = logs.filter_log_events(logGroupName=group)["events"]
        lines = [event["message"] for event in events if event["message"].startswith("{")]
        if any(wanted in line for line in lines):
            return lines
        time.sleep(0.05)
    pytest.fail(f"no line with {wanted} in {group}")


def test_a_function_without_a_log_group_of_its_own_has_lambdas(invoke, outputs):
    answer = invoke({}, outputs["plain"])
    assert answer["payload"] == f"/aws/lambda/{outputs['plain']}", "the default name"
