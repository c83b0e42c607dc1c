"""Proves that `retrain doctor` sees with Pulumi what people have broken in a deployed stack.

The kills are made at once. What Pulumi compares is read from the emulator, whose provider shows
what AWS's provider is documented to show.
"""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.end_to_end.stack import eventually
from tests.engine.conftest import emulator_with_resources
from tests.engine.stacks import ROOT, create_stack, environment

NO_STATEMENT = json.dumps({"Version": "2012-10-17", "Statement": []})
BUCKET = "movies-exports"
DENY_ALL = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
}
RANDOM = re.compile(r"-[0-9a-f]{7}\b|/[0-9a-f]{8}\b")
"""What Pulumi adds to the names of resources, and the ids of versions."""
NOBODY = json.dumps({"to": ["nobody"]})


@pytest.fixture
def emulator(sample):
    """Run an emulator whose services are broken by nobody else."""
    with emulator_with_resources(sample) as emulator:
        yield emulator


def break_by_hand(stack, client):
    """Break a stack in the ways that a person could in the console."""
    rows = {
        row["urn"].rpartition("$")[2]: row["inputs"] for row in stack.state() if "$" in row["urn"]
    }

    def find(resource_type, name):
        return next(
            inputs
            for urn, inputs in rows.items()
            if f":{resource_type}::" in urn and urn.endswith(name)
        )

    functions = client("lambda")
    cloudwatch = client("cloudwatch")
    plan = {"FunctionName": find("Function", "plan-retraining")["name"]}
    functions.put_function_concurrency(**plan, ReservedConcurrentExecutions=0)
    functions.update_function_configuration(**plan, Environment={"Variables": {"A": "B"}})
    functions.delete_function(FunctionName=find("Function", "close-run")["name"])

    cloudwatch.disable_alarm_actions(AlarmNames=[find("MetricAlarm", "start-failed")["name"]])
    cloudwatch.delete_alarms(AlarmNames=[find("MetricAlarm", "data-too-old")["name"]])
    cloudwatch.delete_dashboards(DashboardNames=[find("Dashboard", "dev")["dashboardName"]])
    client("logs").delete_retention_policy(logGroupName=find("LogGroup", "dev")["name"])
    client("events").disable_rule(Name=find("EventRule", "close-run")["name"])
    role = {"RoleName": find("Role", "import-dataset")["name"]}
    client("iam").update_assume_role_policy(**role, PolicyDocument=NO_STATEMENT)
    policy = find("RolePolicy", "train-solution")
    client("iam").delete_role_policy(RoleName=policy["role"], PolicyName=policy["name"])

    machine = stack.output("state_machine_arn")
    definition = find("StateMachine", "dev")["definition"]
    changed = definition.replace('"maxDrop": 0.25', '"maxDrop": 1.0')
    client("stepfunctions").update_state_machine(stateMachineArn=machine, definition=changed)

    watcher = find("Schedule", "watch-pipeline")
    runs = find("Schedule", "dev-schedule")
    scheduler = client("scheduler")
    scheduler.delete_schedule(GroupName=watcher["groupName"], Name=watcher["name"])
    present = scheduler.get_schedule(GroupName=runs["groupName"], Name=runs["name"])
    kept = ("GroupName", "Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    elsewhere = {"State": "DISABLED", "ScheduleExpressionTimezone": "Asia/Tokyo"}
    scheduler.update_schedule(**{key: present[key] for key in kept}, **elsewhere)

    sns = client("sns")
    listed = sns.list_subscriptions_by_topic(TopicArn=stack.output("topic_arn"))
    filtered = {"AttributeName": "FilterPolicy", "AttributeValue": NOBODY}
    arn = listed["Subscriptions"][0]["SubscriptionArn"]
    sns.set_subscription_attributes(SubscriptionArn=arn, **filtered)


def forbid_by_policies(stack, client):
    """Add policies that Pulumi does not see, and delete a campaign."""
    iam = client("iam")
    s3 = client("s3")
    role_names = [row["id"] for row in stack.state() if row["type"] == "aws:iam/role:Role"]

    def role(step):
        return {"RoleName": next(name for name in role_names if f"-{step}-" in name)}

    freeze = policy({"Sid": "Freeze", "Effect": "Deny", "Action": "personalize:*", "Resource": "*"})
    more = policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    iam.put_role_policy(**role("train-solution"), PolicyName="emergency", PolicyDocument=freeze)
    iam.put_role_policy(**role("plan-retraining"), PolicyName="more", PolicyDocument=more)
    attached = iam.create_policy(PolicyName="freeze", PolicyDocument=freeze)["Policy"]["Arn"]
    iam.attach_role_policy(**role("import-dataset"), PolicyArn=attached)
    boundary = iam.create_policy(PolicyName="only-s3", PolicyDocument=more)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(**role("deploy-version"), PermissionsBoundary=boundary)

    document = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    document["Statement"].append(DENY_ALL)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(document))
    (campaign,) = client("personalize").list_campaigns()["campaigns"]
    client("personalize").delete_campaign(campaignArn=campaign["campaignArn"])


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements]})


def test_golden_doctor_names_what_was_broken_and_the_printed_command_mends_all_of_it(
    checkout, emulator, golden
):
    (checkout / "Pulumi.dev.yaml").write_text((ROOT / "Pulumi.dev.yaml").read_text())
    stack = create_stack(checkout, "dev", emulator.endpoint)
    variables = {**environment(checkout, emulator.endpoint), **emulator.exports}
    path = f"{os.environ['PATH']}:{sys.prefix}/bin"

    def run(*command):
        return subprocess.run(  # noqa: S603
            command,
            cwd=checkout,
            env={**os.environ, **variables, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    def doctor():
        result = run("retrain", "doctor", "-s", "dev", "--json")
        return result.returncode, json.loads(result.stdout)["checks"]

    def of_stack(checks):
        return [check for check in checks if check["check"] == "stack"]

    stack.set({"notifications.emails[0]": "on-call@example.com"})
    stack.up()
    code, healthy = doctor()
    assert (code, [row["level"] for row in of_stack(healthy)]) == (0, ["ok"])

    break_by_hand(stack, emulator.client)
    stack.set({"timezone": "America/Lima"})
    code, checks = doctor()
    findings = of_stack(checks)
    golden("doctor.txt", "".join(sorted(f"{row['level']}: {row['text']}\n" for row in findings)))
    assert code == 1

    (command,) = {row["command"] for row in findings if row["level"] == "missing"}
    assert run(*command.split(), "--yes", "--skip-preview").returncode == 0
    code, mended = doctor()
    assert (code, of_stack(mended)) == (0, of_stack(healthy))

    forbid_by_policies(stack, emulator.client)
    code, checks = doctor()
    lines = [f"{row['check']}: {row['text']}\n" for row in checks if row["level"] != "ok"]
    golden("doctor_of_policies.txt", RANDOM.sub("", "".join(lines)))
    assert code == 1
    for command in {row["command"] for row in checks if str(row["command"]).startswith("aws ")}:
        result = run("bash", "-c", command)
        assert result.returncode == 0, f"{command}: {result.stderr}"
    assert eventually(lambda: doctor()[1], lambda checks: checks == mended) == mended
