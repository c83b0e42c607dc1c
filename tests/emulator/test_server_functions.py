"""Proves that functions run under AWS's runtime client, with their roles and their logs."""

import json

import pytest
from small_stack import (
    ACCOUNT,
    AS_ROOT,
    REGION,
    allow,
    archive,
    create_function,
    eventually,
    grant,
    invoke,
    refusal,
    trust,
)

LOGGING_CODE = """
import logging

logging.getLogger().setLevel(logging.INFO)

def handler(event, context):
    logging.getLogger().info("imported", extra={"rows": event["rows"]})
"""
FAILING_CODE = """
class Throttled(Exception):
    pass

def handler(event, context):
    raise Throttled("slow down")
"""
WRITE_LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"]


def log_group_arn(log_group):
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{log_group}:*"


def log_groups(aws, prefix):
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return [group["logGroupName"] for group in groups]


def test_an_error_has_its_class_as_type_and_a_stack_trace(aws):
    arn = create_function(aws, "fn-fails", code=FAILING_CODE)
    response = aws.client("lambda").invoke(FunctionName=arn)
    assert response["FunctionError"] == "Unhandled"
    error = json.loads(response["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == ("Throttled", "slow down")
    assert error["stackTrace"][0].endswith('raise Throttled("slow down")\n')


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("import nowhere\n", "Runtime.ImportModuleError"),
        ("x = {}['x']\n", "KeyError"),
        ("other = 1\n", "Runtime.HandlerNotFound"),
    ],
)
def test_a_function_that_cannot_be_imported_fails_with_the_type_of_the_error(aws, code, error):
    name = f"fn-{error.rpartition('.')[2]}"
    assert invoke(aws, create_function(aws, name, code=code), {})["errorType"] == error


def test_the_environment_has_the_runtime_and_the_log(aws):
    code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    arn = create_function(aws, "fn-variables", code=code)
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
    create_function(aws, "fn-json-warn", code=code, LoggingConfig=logging)
    create_function(aws, "fn-own-group", code=code, LoggingConfig={"LogGroup": "own/group"})
    names = ("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_FORMAT")
    names += ("AWS_LAMBDA_LOG_LEVEL",)
    environments = [invoke(aws, name, {}) for name in (arn, "fn-json-warn", "fn-own-group")]
    assert [[environment.get(name) for name in names] for environment in environments] == [
        ["AWS_Lambda_python3.13", "/aws/lambda/fn-variables", "Text", None],
        ["AWS_Lambda_python3.13", "/aws/lambda/fn-json-warn", "JSON", "WARN"],
        ["AWS_Lambda_python3.13", "own/group", "Text", None],
    ]


def test_functions_are_copies_of_one_process(aws):
    code = "import os\ndef handler(event, context):\n    return [os.getpid(), os.getppid()]\n"
    names = [create_function(aws, name, code=code) for name in ("fn-one", "fn-two")]
    (first, parent), (second, other_parent) = (invoke(aws, name, {}) for name in names)
    assert first != second
    assert parent == other_parent != aws.process.pid


def test_log_lines_are_lost_if_the_role_may_not_write_them(aws):
    name = "fn-silent"
    group = f"/aws/lambda/{name}"
    arn = create_function(aws, name, code=LOGGING_CODE)
    invoke(aws, arn, {"rows": 1})
    assert log_groups(aws, group) == []
    denied = [call for call in aws.calls("logs:") if f"/{name}/" in call["caller"]]
    assert [(call["action"], call["status"]) for call in denied] == [("logs:CreateLogStream", 403)]
    grant(aws, name, allow("logs:CreateLogStream", log_group_arn(group)))
    invoke(aws, arn, {"rows": 2})
    assert log_groups(aws, group) == [], "the role needs both actions"
    grant(aws, name, allow(WRITE_LOGS, log_group_arn(group)))
    invoke(aws, arn, {"rows": 3})
    assert log_groups(aws, group) == [group]


def test_a_log_group_gets_a_key_and_loses_it(aws):
    logs, key = aws.client("logs"), f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs"
    logs.create_log_group(logGroupName="fn-key")
    keys = []
    for change in (
        lambda: logs.associate_kms_key(logGroupName="fn-key", kmsKeyId=key),
        lambda: logs.disassociate_kms_key(logGroupName="fn-key"),
    ):
        change()
        (group,) = logs.describe_log_groups(logGroupNamePrefix="fn-key")["logGroups"]
        keys.append(group.get("kmsKeyId"))
    assert keys == [key, None]
    assert refusal(logs.associate_kms_key, logGroupName="fn-none", kmsKeyId=key) == (
        "ResourceNotFoundException",
        "The specified log group does not exist: fn-none",
    )


@pytest.mark.parametrize("pattern", ['{ $.level = "ERROR" }', "[level]", "%ERR.R%"])
def test_only_words_can_be_the_pattern_of_a_filter(aws, pattern):
    filter_log_events = aws.client("logs").filter_log_events
    assert refusal(filter_log_events, logGroupName="any", filterPattern=pattern) == (
        "InvalidParameterException",
        (
            f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all"
            " in the line, and -words that are not"
        ),
    )


# Roles

MESSAGE = "The role defined for the function cannot be assumed by Lambda."


def create_request(name, role):
    """Return the arguments of CreateFunction."""
    return {
        "FunctionName": name,
        "Role": role,
        "Runtime": "python3.13",
        "Handler": "code.handler",
        "Code": {"ZipFile": archive("")},
    }


def test_a_function_is_not_created_with_a_role_that_does_not_trust_lambda(aws):
    trusts_root = aws.client("iam").create_role(
        RoleName="fr-other", AssumeRolePolicyDocument=AS_ROOT
    )["Role"]["Arn"]
    missing = f"arn:aws:iam::{ACCOUNT}:role/fr-missing"
    for role in (trusts_root, missing):
        error = refusal(aws.client("lambda").create_function, **create_request("fr-none", role))
        assert error == ("InvalidParameterValueException", MESSAGE), role


def test_a_function_whose_role_no_longer_trusts_lambda_does_not_run(aws):
    arn = create_function(aws, "fr-once")
    assert invoke(aws, arn, {"n": 1})["event"] == {"n": 1}
    update = aws.client("iam").update_assume_role_policy
    update(RoleName="fr-once", PolicyDocument=AS_ROOT)
    for name in ("fr-once", arn):
        error = refusal(aws.client("lambda").invoke, FunctionName=name)
        assert error == ("AccessDeniedException", MESSAGE), name
    update(RoleName="fr-once", PolicyDocument=trust("lambda"))
    assert invoke(aws, arn, {"n": 2})["event"] == {"n": 2}, "the role trusts Lambda again"


def test_an_event_does_not_reach_a_function_whose_role_does_not_trust_lambda(aws):
    events = aws.client("events")
    arn = create_function(aws, "fr-event")
    rule = events.put_rule(Name="fr-event", EventPattern=json.dumps({"source": ["fr"]}))["RuleArn"]
    aws.client("lambda").add_permission(
        FunctionName=arn,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule="fr-event", Targets=[{"Id": "1", "Arn": arn}])
    aws.client("iam").update_assume_role_policy(RoleName="fr-event", PolicyDocument=AS_ROOT)
    events.put_events(Entries=[{"Source": "fr", "DetailType": "it", "Detail": "{}"}])

    def denied_statuses():
        calls = aws.calls("sts:AssumeRole")
        return [call["status"] for call in calls if call["caller"] == "lambda.amazonaws.com"]

    assert eventually(denied_statuses, bool) == [403]
