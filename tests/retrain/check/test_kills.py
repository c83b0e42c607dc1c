"""Proves that `retrain doctor` names each part of a deployed pipeline that was killed by hand."""

import io
import json
import re
import zipfile

import pytest

from components import settings
from emulator import running
from emulator.deployer.configuration import read_project
from emulator.personalize import Duration, FixedTimings
from retrain import cli
from retrain.rehearsal.films import film_service
from retrain.rehearsal.world import World
from tests.end_to_end.stack import PROBE_MINUTES, PROJECT, SHORT_WAITS, deploy_stack

RANDOM = re.compile(r"-[0-9a-f]{7}\b| --endpoint-url \S+")
"""What Pulumi adds to the names of resources, and the port of the emulator."""
NO_STATEMENT = json.dumps({"Version": "2012-10-17", "Statement": []})
NO_CODE = io.BytesIO()
zipfile.ZipFile(NO_CODE, "w").close()


TIMINGS = FixedTimings(
    jobs=Duration(pending=0.05, in_progress=0.1), containers=Duration(pending=0, in_progress=0.05)
)


@pytest.fixture(scope="module")
def deployed():
    """Deploy the sample stack to an emulator. Return the deployed stack."""
    with running(timings=TIMINGS) as emulator:
        project = read_project(PROJECT, "dev", {})
        args = settings.parse_stack(project.name, "dev", project.config)
        World(emulator, args, film_service()).create()
        yield deploy_stack(emulator, "dev", **SHORT_WAITS)


def kills(stack):
    """Yield the requests with which a person breaks a pipeline: service, operation, request."""

    def find(resource_type, end):
        """Return the stack's resource of a type whose logical name ends with this."""
        rows = stack.resources(resource_type)
        return next(row for key, row in rows.items() if key.endswith(end))

    def function(end):
        return {"FunctionName": find("lambda/function:Function", end)["name"]}

    def policy(end):
        row = find("iam/rolePolicy:RolePolicy", end)
        return {"RoleName": row["role"], "PolicyName": row["name"]}

    def schedule(end):
        row = find("scheduler/schedule:Schedule", end)
        return {"GroupName": row["groupName"], "Name": row["name"]}

    def alarm(end):
        return {"AlarmNames": [find("cloudwatch/metricAlarm:MetricAlarm", end)["name"]]}

    yield "lambda", "delete_function", function("train-solution")
    handler = {"Handler": "index.handler"}
    yield "lambda", "update_function_configuration", {**function("plan-retraining"), **handler}
    code = {"ZipFile": NO_CODE.getvalue(), "Publish": True}
    yield "lambda", "update_function_code", {**function("deploy-version"), **code}
    yield "iam", "delete_role_policy", policy("report-outcome")
    late = find("iam/rolePolicy:RolePolicy", "deploy-version")["policy"]
    late = {"PolicyDocument": late.replace('"personalize:UpdateCampaign"', '"personalize:Nothing"')}
    yield "iam", "put_role_policy", {**policy("deploy-version"), **late}
    role = {"RoleName": find("iam/role:Role", "-import")["name"], "PolicyDocument": NO_STATEMENT}
    yield "iam", "update_assume_role_policy", role
    role = {**role, "RoleName": find("iam/role:Role", "-import-dataset")["name"]}
    yield "iam", "update_assume_role_policy", role
    yield "logs", "delete_log_group", {"logGroupName": stack.output("log_group_name")}
    group = {"logGroupName": find("cloudwatch/logGroup:LogGroup", "retraining-dev")["name"]}
    yield "logs", "delete_retention_policy", group
    yield "sqs", "delete_queue", {"QueueUrl": stack.output("dead_letter_queue_url")}
    rule = find("cloudwatch/eventRule:EventRule", "close-run")["name"]
    target = find("cloudwatch/eventTarget:EventTarget", "close-run")["targetId"]
    yield "events", "remove_targets", {"Rule": rule, "Ids": [target]}
    yield "scheduler", "delete_schedule", schedule("watch-pipeline")
    present = stack.client("scheduler").get_schedule(**schedule("-schedule"))
    kept = {key: present[key] for key in ("ScheduleExpression", "FlexibleTimeWindow", "Target")}
    disabled = {**schedule("-schedule"), **kept, "State": "DISABLED"}
    yield "scheduler", "update_schedule", disabled
    yield "cloudwatch", "delete_alarms", alarm("model-too-old")
    yield "cloudwatch", "disable_alarm_actions", alarm("run-failed")
    attribute = {"AttributeName": "Policy", "AttributeValue": NO_STATEMENT}
    yield "sns", "set_topic_attributes", {"TopicArn": stack.output("topic_arn"), **attribute}
    yield "personalize", "delete_campaign", {"campaignArn": stack.campaign_arn}


@pytest.fixture
def run_doctor(deployed, tmp_path, monkeypatch, capsys):
    """Return a function that runs `doctor` on a terminal, and returns its exit code and lines."""
    outputs = deployed.deployment.outputs
    monkeypatch.setattr("retrain.account.target.stack_outputs", lambda _: outputs)
    variables = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80"}
    variables |= {key: text for key, text in deployed.emulator.exports.items() if "URL" not in key}
    for name, value in {**variables, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("retrain.account.pulumi_cli.PROJECT_DIR", tmp_path)
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        text = (PROJECT / name).read_text().replace("minutes: 10", f"minutes: {PROBE_MINUTES}")
        (tmp_path / name).write_text(text)

    def run():
        capsys.readouterr()
        code = cli.main(["doctor", "--endpoint-url", deployed.emulator.endpoint])
        return code, RANDOM.sub("", capsys.readouterr().out)

    return run


def test_golden_each_kill_is_named_with_a_remedy(deployed, run_doctor, golden):
    code, out = run_doctor()
    assert (code, "✗" in out) == (0, False), "nothing is missing in a new pipeline"
    for service, operation, request in kills(deployed):
        client = deployed.client(service)
        getattr(client, operation)(**request)
        if operation == "update_function_code":
            client.get_waiter("function_updated_v2").wait(FunctionName=request["FunctionName"])

    code, out = run_doctor()
    assert code == 1
    golden("kills.txt", out)
