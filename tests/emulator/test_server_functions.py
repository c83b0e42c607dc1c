"""Functions run under AWS's own runtime client, as their roles, with the logs that these allow."""

import json
import time

from small_stack import (
    ACCOUNT,
    REGION,
    allow,
    archive,
    create_function,
    eventually,
    grant,
    invoke,
    refusal,
)

SPEAKING = """
import logging

logging.getLogger().setLevel(logging.INFO)

def handler(event, context):
    logging.getLogger().info("imported", extra={"rows": event["rows"]})
"""
FAILING = """
class Throttled(Exception):
    pass

def handler(event, context):
    raise Throttled("slow down")
"""


def lines(aws, group):
    """What is in a log group, without the platform's own lines."""
    events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    texts = [event["message"] for event in events]
    return [t for t in texts if not t.startswith(("START", "END", "REPORT"))]


def groups(aws, name):
    found = aws.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return [group["logGroupName"] for group in found]


def test_the_class_of_an_error_is_its_type(aws):
    answer = aws.client("lambda").invoke(
        FunctionName=create_function(aws, "fn-fails", code=FAILING)
    )
    assert answer["FunctionError"] == "Unhandled"
    error = json.loads(answer["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == ("Throttled", "slow down")
    assert error["stackTrace"][0].endswith('raise Throttled("slow down")\n')


def test_a_published_version_keeps_its_code_when_the_function_s_changes(aws):
    published = create_function(aws, "fn-kept", code="def handler(event, context):\n    return 1\n")
    assert published == f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fn-kept:1"
    aws.client("lambda").update_function_code(
        FunctionName="fn-kept", ZipFile=archive("def handler(event, context):\n    return 2\n")
    )
    assert (invoke(aws, published, {}), invoke(aws, "fn-kept", {})) == (1, 2)


def test_log_lines_are_json_where_the_function_is_told_so(aws):
    group = "fn-json"
    client = aws.client("lambda")
    logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
    create_function(
        aws, group, allow(["logs:CreateLogStream", "logs:PutLogEvents"], logs), code=SPEAKING
    )
    aws.client("logs").create_log_group(logGroupName=group)
    eventually(
        lambda: client.get_function(FunctionName=group)["Configuration"]["State"],
        lambda state: state == "Active",
    )
    client.update_function_configuration(
        FunctionName=group,
        LoggingConfig={"LogFormat": "JSON", "LogGroup": group},
        Environment={"Variables": {"AWS_LAMBDA_LOG_FORMAT": "JSON"}},
    )
    invoke(aws, group, {"rows": 7})
    [record] = [json.loads(line) for line in lines(aws, group)]
    assert {key: record[key] for key in ("level", "message", "rows")} == {
        "level": "INFO",
        "message": "imported",
        "rows": 7,
    }


def test_lines_are_lost_where_the_role_may_not_write_them(aws):
    name = "fn-silent"
    group = f"/aws/lambda/{name}"
    arn = create_function(aws, name, code=SPEAKING)
    invoke(aws, arn, {"rows": 1})
    assert groups(aws, group) == []
    denied = [call for call in aws.calls("logs:") if f"/{name}/" in call["caller"]]
    assert [(call["action"], call["status"]) for call in denied] == [("logs:CreateLogStream", 403)]
    resource = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:*"
    grant(aws, name, allow("logs:CreateLogStream", resource))
    invoke(aws, arn, {"rows": 2})
    assert groups(aws, group) == [], "making streams is not writing to them"
    grant(aws, name, allow(["logs:CreateLogStream", "logs:PutLogEvents"], resource))
    invoke(aws, arn, {"rows": 3})
    assert groups(aws, group) == [group]


def test_lines_are_found_by_words_and_not_by_patterns_of_fields(aws):
    logs = aws.client("logs")
    logs.create_log_group(logGroupName="fn-words")
    logs.create_log_stream(logGroupName="fn-words", logStreamName="one")
    texts = ['{"level": "ERROR"}', '{"level": "INFO"}']
    events = [{"timestamp": int(time.time() * 1000), "message": text} for text in texts]
    logs.put_log_events(logGroupName="fn-words", logStreamName="one", logEvents=events)
    found = logs.filter_log_events(logGroupName="fn-words", filterPattern='"ERROR"')["events"]
    assert [event["message"] for event in found] == texts[:1]
    for pattern in ('{ $.level = "ERROR" }', "[level]", "%ERR.R%"):
        code, message = refusal(
            logs.filter_log_events, logGroupName="fn-words", filterPattern=pattern
        )
        assert code == "InvalidParameterException"
        assert message == (
            f"filterPattern: {pattern!r} is no words; this emulator knows only words that are all"
            " in the line, and -words that are not"
        )
