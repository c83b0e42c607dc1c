"""Proves that functions run under AWS's runtime client, with their roles and their logs."""

import json

import pytest
import small_stack as s

LOGGING_CODE = """
import logging

logging.getLogger().setLevel(logging.INFO)

def handler(event, context):
    logging.getLogger().info("imported", extra={"rows": event["rows"]})
"""
CONTEXT_CODE = """
import os

import boto3


def handler(event, context):
    return {
        "context": [
            context.function_name,
            context.function_version,
            context.invoked_function_arn,
            context.memory_limit_in_mb,
            context.log_group_name,
        ],
        "seconds": context.get_remaining_time_in_millis() / 1000,
        "environment": dict(os.environ),
        "files": sorted({*os.listdir()} - {"__pycache__"}),
        "caller": boto3.client("sts").get_caller_identity()["Arn"],
        "processes": [os.getpid(), os.getppid()],
    }
"""
LOG_VARIABLES = ("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL")
ERRORS = {
    "import nowhere\n": "Runtime.ImportModuleError",
    "x = {}['x']\n": "KeyError",
    "other = 1\n": "Runtime.HandlerNotFound",
    "def handler(*_):\n    raise LookupError('slow down')\n": "LookupError",
    "import os\ndef handler(*_):\n    os.kill(os.getpid(), 9)\n": "Runtime.ExitError",
}
WRITE_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:CreateLogGroup"]


def test_a_function_sees_only_its_code_and_its_environment(aws):
    options = {"MemorySize": 256, "Environment": {"Variables": {"MODE": "fast"}}}
    arn = s.create_function(aws, "fn-context", code=CONTEXT_CODE, **options)
    seen = s.invoke(aws, arn, {})
    assert seen["context"] == ["fn-context", "1", arn, "256", "/aws/lambda/fn-context"]
    assert 15 < seen["seconds"] <= 20, "until the timeout"
    assert seen["files"] == ["bootstrap", "code.py"]
    assert seen["caller"] == f"arn:aws:sts::{s.ACCOUNT}:assumed-role/fn-context/fn-context"

    expected = {
        "MODE": "fast",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": s.REGION,
    }
    assert {name: seen["environment"].get(name) for name in expected} == expected
    assert not {"PYTHONPATH", "AWS_PROFILE"} & seen["environment"].keys()

    own_log = {"LogGroup": "own", "LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    other = s.create_function(aws, "fn-other", code=CONTEXT_CODE, LoggingConfig=own_log)
    logging = [
        [environment.get(name) for name in LOG_VARIABLES]
        for environment in (seen["environment"], s.invoke(aws, other, {})["environment"])
    ]
    assert logging == [["/aws/lambda/fn-context", "Text", None], ["own", "JSON", "WARN"]]

    first, parent = seen["processes"]
    second, second_parent = s.invoke(aws, other, {})["processes"]
    assert first != second
    assert parent == second_parent != aws.process.pid, "functions are copies of one process"


@pytest.mark.parametrize("code, error", ERRORS.items(), ids=ERRORS.values())
def test_an_error_has_its_class_as_type_and_a_stack_trace(aws, code, error):
    arn = s.create_function(aws, f"fn-{error.rpartition('.')[2]}", code=code)
    response = aws.client("lambda").invoke(FunctionName=arn)
    assert response["FunctionError"] == "Unhandled"

    payload = json.loads(response["Payload"].read())
    assert payload["errorType"] == error
    if error == "LookupError":
        assert payload["errorMessage"] == "slow down"
        assert payload["stackTrace"][0].endswith("raise LookupError('slow down')\n")


def test_log_lines_are_lost_if_the_role_may_not_write_them(aws):
    name = "fn-silent"
    group = f"/aws/lambda/{name}"
    logs = aws.client("logs")
    group_arn = f"arn:aws:logs:{s.REGION}:{s.ACCOUNT}:log-group:{group}:*"
    arn = s.create_function(aws, name, code=LOGGING_CODE)
    groups = []
    for actions in ([], WRITE_LOGS[:2], WRITE_LOGS):
        s.grant(aws, name, *([s.allow(actions, group_arn)] if actions else []))
        s.invoke(aws, arn, {"rows": 1})
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        groups.append([item["logGroupName"] for item in found])
    assert groups == [[], [], [group]], "a group that does not exist takes three actions"

    denied = [call for call in aws.calls("logs:") if f"/{name}/" in call["caller"]]
    assert (denied[0]["action"], denied[0]["status"]) == ("logs:CreateLogStream", 403)


def test_a_throttled_function_runs_in_none_of_its_versions(aws):
    client = aws.client("lambda")
    version = s.create_function(aws, "fn-throttled", code="def handler(*_):\n    return 1\n")
    name = "fn-throttled"
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    for called in (name, version):
        with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
            client.invoke(FunctionName=called)
        reason = refused.value.response["Reason"]
        assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded", called

    client.delete_function_concurrency(FunctionName=name)
    assert s.invoke(aws, version, {}) == 1, "nothing is reserved any more"


@pytest.mark.parametrize("pattern", ['{ $.level = "ERROR" }', "[level]", "%ERR.R%"])
def test_only_words_can_be_the_pattern_of_a_filter(aws, pattern):
    filter_log_events = aws.client("logs").filter_log_events
    assert s.refusal(filter_log_events, logGroupName="any", filterPattern=pattern) == (
        "InvalidParameterException",
        (
            f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all"
            " in the line, and -words that are not"
        ),
    )


# Roles

MESSAGE = "The role defined for the function cannot be assumed by Lambda."


def test_a_function_is_not_created_with_a_role_that_does_not_trust_lambda(aws):
    iam = aws.client("iam")
    trusts_root = iam.create_role(RoleName="fr-other", AssumeRolePolicyDocument=s.AS_ROOT)
    code = {"Handler": "code.handler", "Runtime": "python3.13", "Code": {"ZipFile": s.archive("")}}
    for role in (trusts_root["Role"]["Arn"], f"arn:aws:iam::{s.ACCOUNT}:role/fr-missing"):
        error = s.refusal(aws.client("lambda").create_function, FunctionName="x", Role=role, **code)
        assert error == ("InvalidParameterValueException", MESSAGE), role


def test_a_function_whose_role_no_longer_trusts_lambda_gets_no_calls_and_no_events(aws):
    arn = s.create_function(aws, "fr-once")
    events = aws.client("events")
    assert s.invoke(aws, arn, {"n": 1})["event"] == {"n": 1}
    rule = events.put_rule(Name="fr-event", EventPattern=json.dumps({"source": ["fr"]}))["RuleArn"]
    aws.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule="fr-event", Targets=[{"Id": "1", "Arn": arn}])
    update = aws.client("iam").update_assume_role_policy
    update(RoleName="fr-once", PolicyDocument=s.AS_ROOT)
    aws.control("DELETE", "calls")
    events.put_events(Entries=[{"Source": "fr", "DetailType": "it", "Detail": "{}"}])

    def denied_statuses():
        calls = aws.calls("sts:AssumeRole")
        return [call["status"] for call in calls if call["caller"] == "lambda.amazonaws.com"]

    assert s.eventually(denied_statuses, bool) == [403]
    for name in ("fr-once", arn):
        error = s.refusal(aws.client("lambda").invoke, FunctionName=name)
        assert error == ("AccessDeniedException", MESSAGE), name
    update(RoleName="fr-once", PolicyDocument=s.trust("lambda"))
    assert s.invoke(aws, arn, {"n": 2})["event"] == {"n": 2}, "the role trusts Lambda again"
