"""Proves the life of one stack: first preview, first `up`, runs, changes, drift, and destroy.

Each test continues where the test before it has ended, so run the whole file. The table of what a
change of the config updates is in `tests/components/test_changes.py`.
"""

import io
import json
import time
import zipfile

import pytest

from tests.components.sample import BOUNDARY, EMAIL, IMPORT_ROLE, KEY, STEPS_WITHOUT_TRIGGER
from tests.end_to_end.stack import eventually
from tests.engine.stacks import ROOT, copy_program, create_stack, short_name
from tests.program.test_deploy_policy import documented

SCHEDULED_TIME = "2031-01-06T03:00:00Z"
SOLUTION = "arn:aws:personalize:eu-west-1:123456789012:solution/movies-for-you"
CAMPAIGN = "arn:aws:personalize:eu-west-1:123456789012:campaign/movies-for-you"
NAME = "retraining-dev"
MACHINE = f"StateMachine {NAME}"
SCHEDULE = f"Schedule {NAME}-schedule"
SUBSCRIPTION = f"TopicSubscription {NAME}-{EMAIL}"
IMPORT_ROLE_OF_THE_PIPELINE = {f"Role {NAME}-import", f"RolePolicy {NAME}-import"}
MARK = "written by the changed code"
CHANGED_HANDLER = f"""

unchanged_handler = handler


def handler(event, context):
    return {{**unchanged_handler(event, context), "mark": {MARK!r}}}
"""
OFFICIAL_PROVIDER = {
    # These policies and profiles are removed before a role is deleted.
    "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole",
    "iam:ListRolePolicies",
    # These attributes are read after each change.
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetFunctionConfiguration",
    "lambda:ListTags",
    "states:ListStateMachineVersions",
    # The definition is checked in a preview.
    "states:ValidateStateMachineDefinition",
}
"""Actions that only the official AWS provider needs (hashicorp/terraform-provider-aws)."""
LATER_RELEASES = {"iam:UpdateAssumeRolePolicy"}
"""Actions that an update needs only if a release changes a trust policy."""
NO_PERMISSION_NEEDED = {"sts:GetCallerIdentity"}
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""


@pytest.fixture(scope="module")
def stack(emulator, warm, tmp_path_factory):
    """Create the sample stack in a copy of the program, without deploying it.

    The stack's probe takes less than a second instead of 10 minutes, and a run does not wait for
    lists.
    """
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    emulator.client("iam").create_policy(
        PolicyName=BOUNDARY.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    folder = copy_program(tmp_path_factory.mktemp("program") / "checkout", virtual_environment=warm)
    sample = (ROOT / "Pulumi.dev.yaml").read_text()
    quick = sample.replace("minutes: 10\n", "minutes: 0.001\n")
    (folder / "Pulumi.dev.yaml").write_text(quick)

    return create_stack(folder, "dev", emulator.endpoint)


class Recorder:
    """Runs operations of a stack, and records the actions that they call."""

    def __init__(self, emulator):
        self.actions = set()
        self._emulator = emulator

    def __call__(self, operation):
        """Run an operation and return its result."""
        self._emulator.control("DELETE", "calls")
        result = operation()
        calls = self._emulator.calls()
        self.actions |= {call["action"] for call in calls if call["caller"].endswith(":root")}
        return result


@pytest.fixture(scope="module")
def run(emulator):
    """Return a function that runs an operation of the stack and records its actions."""
    return Recorder(emulator)


@pytest.fixture(scope="module")
def preview(stack, run):
    """Preview the first update."""
    return run(stack.preview)


@pytest.fixture(scope="module")
def deployed(stack, preview, run):
    """Deploy the stack for the first time."""
    assert preview, "the preview is before this update"
    return run(stack.up)


class Execution:
    """An execution of the state machine."""

    def __init__(self, emulator, arn):
        self._client = emulator.client("stepfunctions")
        self._request = {"executionArn": arn}

    def wait_for(self, state):
        """Wait until the execution has entered a state."""
        entered = f"'stateEnteredEventDetails': {{'name': {state!r}"
        eventually(
            lambda: self._client.get_execution_history(**self._request, maxResults=1000),
            lambda history: entered in str(history["events"]),
        )

    def finish(self):
        """Wait until the execution has ended. Return its description from Step Functions."""
        return eventually(
            lambda: self._client.describe_execution(**self._request),
            lambda execution: execution["status"] != "RUNNING",
        )


@pytest.fixture
def start(stack, deployed, emulator):
    """Return a function that starts an execution by hand."""
    assert deployed, "the state machine exists"

    def start_execution(**execution_input):
        execution = emulator.client("stepfunctions").start_execution(
            stateMachineArn=stack.output("state_machine_arn"), input=json.dumps(execution_input)
        )
        return Execution(emulator, execution["executionArn"])

    return start_execution


@pytest.fixture
def take(emulator):
    """Return a function that makes the next jobs of a kind take some seconds."""

    def slow_down(job, seconds, **fault):
        fault = {"fault": "take", "job": job, "seconds": seconds, **fault}
        emulator.control("POST", "faults", fault)

    yield slow_down
    emulator.control("DELETE", "faults")


def test_the_first_preview_shows_every_resource_and_creates_nothing(preview, stack, run):
    assert set(preview.steps.values()) == {"created"}
    assert run.actions <= {"sts:GetCallerIdentity"}, "a preview only reads the account"
    assert stack.state() == []


def test_the_first_up_creates_what_the_preview_showed(preview, deployed):
    assert deployed.steps == preview.steps


def test_the_schedule_fires_and_the_campaign_serves_a_new_version(stack, deployed, emulator):
    assert deployed, "the stack exists"
    personalize = emulator.client("personalize")

    def served_version():
        response = personalize.describe_campaign(campaignArn=CAMPAIGN)
        return response["campaign"]["solutionVersionArn"]

    previous_version = served_version()
    group, name = stack.output("schedule_arn").split("/")[1:]
    execution = Execution(emulator, emulator.fire(name, group, SCHEDULED_TIME)).finish()
    assert execution["status"] == "SUCCEEDED", execution
    assert served_version() != previous_version


DELETED = {
    f"{kind} {NAME}-{name}"
    for kind, name in [
        ("Function", "plan-retraining"),
        ("RolePolicy", "deploy-version"),
        ("EventRule", "close-run"),
        ("LogGroup", "functions"),
        ("MetricAlarm", "run-failed"),
        ("Queue", "dead-letters"),
        ("Schedule", "watch-pipeline"),
    ]
} | {MACHINE, f"Topic {NAME}"}
CHANGED = {SCHEDULE, f"Function {NAME}-report-outcome"}


def break_by_hand(ids, client):
    """Delete DELETED, disable the schedule, and publish broken code of a function."""
    functions = client("lambda")
    events = client("events")
    scheduler = client("scheduler")
    functions.delete_function(FunctionName=ids[f"Function {NAME}-plan-retraining"])
    role, policy = ids[f"RolePolicy {NAME}-deploy-version"].split(":")
    client("iam").delete_role_policy(RoleName=role, PolicyName=policy)
    rule = ids[f"EventRule {NAME}-close-run"]
    targets = events.list_targets_by_rule(Rule=rule)["Targets"]
    events.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=rule)
    client("logs").delete_log_group(logGroupName=ids[f"LogGroup {NAME}-functions"])
    client("cloudwatch").delete_alarms(AlarmNames=[ids[f"MetricAlarm {NAME}-run-failed"]])
    client("sqs").delete_queue(QueueUrl=ids[f"Queue {NAME}-dead-letters"])
    client("stepfunctions").delete_state_machine(stateMachineArn=ids[MACHINE])
    client("sns").delete_topic(TopicArn=ids[f"Topic {NAME}"])
    group, name = ids[f"Schedule {NAME}-watch-pipeline"].split("/")
    scheduler.delete_schedule(GroupName=group, Name=name)

    group, name = ids[SCHEDULE].split("/")
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    keys = ("Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone")
    request = {key: schedule[key] for key in (*keys, "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**request, State="DISABLED")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as file:
        file.writestr("functions/report_outcome.py", "raise SystemExit")
    functions.update_function_code(
        FunctionName=ids[f"Function {NAME}-report-outcome"], ZipFile=code.getvalue(), Publish=True
    )


def test_a_refresh_mends_what_was_deleted_or_changed_by_hand(stack, deployed, start, run, emulator):
    ids = {short_name(resource["urn"]): resource.get("id") for resource in stack.state()}
    break_by_hand(ids, emulator.client)
    plain = run(stack.up)
    assert plain.changes == {}, "the engine only compares with its state"
    assert plain.steps.keys() == deployed.steps.keys()

    shown = stack.preview("--refresh").changes
    mended = run(stack.mend).changes
    assert {name for name in {*DELETED, *CHANGED} if name not in shown} == set()
    assert {name for name in DELETED if mended[name] == "created/deleted"} == DELETED
    assert {name for name in CHANGED if mended[name] == "updated"} == CHANGED

    execution = start(force=True, skipImport=True).finish()
    assert execution["status"] == "SUCCEEDED", "no state calls the version that was published"


def test_a_run_keeps_its_code_although_the_code_changed(stack, start, take, run):
    take("solution-version", 15, of=SOLUTION)
    execution = start(force=True, skipImport=True)
    execution.wait_for("Train solution")
    module = stack.folder / "functions" / "report_outcome.py"
    module.write_text(module.read_text() + CHANGED_HANDLER)
    functions = [f"Function {NAME}-{step.replace('_', '-')}" for step in STEPS_WITHOUT_TRIGGER]
    assert run(stack.up).changes == dict.fromkeys([MACHINE, *functions], "updated")

    output = execution.finish()["output"]
    assert MARK not in output, "this execution started before the change"
    output = start(only="trials").finish()["output"]
    assert MARK in output, "this execution started after the change"


def test_a_run_whose_dataset_is_removed_fails_and_reports_the_denied_action(
    stack, start, take, run
):
    take("dataset-import-job", 20, times=3)
    execution = start(force=True)
    execution.wait_for("Import dataset")
    stack.remove("datasets.users")
    assert run(stack.up).changes[f"RolePolicy {NAME}-import"] == "updated"

    execution = execution.finish()
    assert execution["status"] == "FAILED", "an update changes the policies of a run at once"
    assert execution["cause"].startswith("FAILED: import of users failed.\n")
    assert "\n- items: IMPORTED, " in execution["cause"]
    assert "not authorized to perform: s3:" in execution["cause"]


def test_new_settings_change_resources_in_place(stack, run):
    stack.set(
        {
            "retrainingRate": "cron(0 4 ? * MON *)",
            "logRetentionDays": "30",
            "importRoleArn": IMPORT_ROLE,
            "kmsKeyArn": KEY,
            "notifications.emails[0]": EMAIL,
            "permissionsBoundaryArn": BOUNDARY,
            "tags.team": "other",
        }
    )
    changes = run(stack.up).changes
    assert changes[SCHEDULE] == "updated"
    assert {name for name, step in changes.items() if step == "created"} == {SUBSCRIPTION}

    deleted = {name for name, step in changes.items() if step == "deleted"}
    assert deleted == IMPORT_ROLE_OF_THE_PIPELINE
    assert set(changes.values()) == {"updated", "created", "deleted"}, "nothing is replaced"


def test_an_input_that_aws_cannot_change_replaces_its_resource(stack, run):
    for key in ("importRoleArn", "kmsKeyArn", "permissionsBoundaryArn", "tags.environment"):
        stack.remove(key)
    module = stack.folder / "components" / "alarms.py"
    module.write_text(module.read_text().replace("endpoint=address", 'endpoint=f"new-{address}"'))
    changes = run(stack.up).changes
    assert {name for name, step in changes.items() if step == "replaced"} == {SUBSCRIPTION}

    created = {name for name, step in changes.items() if step == "created"}
    assert created == IMPORT_ROLE_OF_THE_PIPELINE


def test_a_destroy_waits_for_the_run_and_deletes_all_resources(stack, start, take, emulator, run):
    take("solution-version", 10, of=SOLUTION)
    start(force=True, skipImport=True).wait_for("Train solution")
    assert remaining_resources(emulator) != []

    started = time.monotonic()
    assert set(run(stack.destroy).steps.values()) == {"deleted"}
    assert time.monotonic() - started < 60
    assert stack.state() == []
    assert remaining_resources(emulator) == []


def test_the_guide_allows_each_call_of_a_deployment_and_nothing_else(run):
    called = run.actions - NO_PERMISSION_NEEDED
    assert called - documented().keys() == set(), "these actions are missing in the guide"
    # A role is passed by the calls that name it.
    unused = documented().keys() - called - {"iam:PassRole"}
    assert unused == OFFICIAL_PROVIDER | LATER_RELEASES, "the guide allows nothing else"


def remaining_resources(emulator):
    """Return the names of the stack's resources that exist in the account."""
    listings = {
        "iam": ("list_roles", "Roles", "RoleName"),
        "lambda": ("list_functions", "Functions", "FunctionName"),
        "stepfunctions": ("list_state_machines", "stateMachines", "name"),
        "scheduler": ("list_schedule_groups", "ScheduleGroups", "Name"),
        "events": ("list_rules", "Rules", "Name"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
    }
    names = [
        resource[name]
        for service, (operation, key, name) in listings.items()
        for resource in getattr(emulator.client(service), operation)()[key]
    ]
    queues = emulator.client("sqs").list_queues().get("QueueUrls", [])

    return [name for name in [*names, *queues] if NAME in name]
