"""An event of S3 about a ready marker really starts a run, with the roles of the stack enforced."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from components import settings
from retrain import cli
from retrain.account.project_files import read_project
from retrain.rehearsal.resources import StackResources
from tests.end_to_end.stack import PROJECT, deploy_stack, eventually
from tests.sample_data import sample_data

BUCKET = "daily-exports"
DAILY = f"""\
config:
  aws:region: eu-west-1
  personalize-retraining:datasets:
    interactions:
      datasetArn: arn:aws:personalize:eu-west-1:123456789012:dataset/daily/INTERACTIONS
      dataLocation: s3://{BUCKET}/{{date}}/interactions.csv
      readyMarker: s3://{BUCKET}/{{date}}/interactions.SUCCESS
  personalize-retraining:solutions:
    - solutionArn: arn:aws:personalize:eu-west-1:123456789012:solution/daily
  personalize-retraining:retrainingRate: cron(0 3 1 1 ? *)
  personalize-retraining:timezone: America/New_York
  personalize-retraining:trigger:
    onExport: true
  personalize-retraining:limits:
    maxTrainingsPerMonth: 0
"""


@pytest.fixture(scope="module")
def daily(emulator, tmp_path_factory):
    """Deploy a stack that ready markers start, for a bucket that sends its events."""
    folder = tmp_path_factory.mktemp("daily")
    project_file = (PROJECT / "Pulumi.yaml").read_text()
    (folder / "Pulumi.yaml").write_text(f"{project_file}\nmain: {PROJECT}\n")
    (folder / "Pulumi.daily.yaml").write_text(DAILY)
    project = read_project(folder, "daily", {})
    args = settings.parse_stack_config(project.name, "daily", project.config)
    StackResources(emulator, args, sample_data()).create()
    stack = deploy_stack(emulator, "daily", folder)
    stack.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )

    return stack


def test_a_marker_starts_a_run_that_imports_the_export_of_its_day(daily):
    day = datetime.now(UTC).date().isoformat()
    s3 = daily.client("s3")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    (earlier,) = [key for key in keys if key.endswith(".csv")]
    export = s3.get_object(Bucket=BUCKET, Key=earlier)["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=f"{day}/interactions.csv", Body=export)
    s3.put_object(Bucket=BUCKET, Key=f"{day}/interactions.SUCCESS", Body=b"")
    machine_arn = daily.output("state_machine_arn")
    states = daily.client("stepfunctions")
    (execution,) = eventually(
        lambda: states.list_executions(stateMachineArn=machine_arn)["executions"], bool
    )
    assert execution["name"].startswith(f"export-{day}-")

    run = daily.wait_for(execution["executionArn"])
    jobs = [*run.report["imports"], *run.report["solutions"]]
    assert [job["outcome"] for job in jobs] == ["IMPORTED", "TRAINED"], run.report
    records = eventually(
        lambda: [item for item in daily.log() if item.get("step") == "start_on_export"],
        lambda records: any(record.get("execution") for record in records),
    )
    started = {item["locationWritten"]: item.get("execution") for item in records}
    assert started == {
        f"s3://{BUCKET}/{day}/interactions.csv": None,
        f"s3://{BUCKET}/{day}/interactions.SUCCESS": execution["name"],
    }


@pytest.fixture
def retrain(daily, monkeypatch, capsys):
    """Return a function that runs a command on the stack, and returns its code and output."""
    for name, value in daily.emulator.exports.items():
        monkeypatch.setenv(name, value)

    def run(*command):
        code = cli.main([*command, "--state-machine-arn", daily.output("state_machine_arn")])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def starters(daily):
    """Return a function that reads what starts runs: the schedule, and the rule for new exports."""
    group, name = daily.output("schedule_arn").split(":schedule/")[1].split("/")
    (rule,) = [
        rule["name"]
        for key, rule in daily.resources("cloudwatch/eventRule:EventRule").items()
        if key.endswith("start-on-export")
    ]

    def read():
        trigger = daily.client("events").describe_rule(Name=rule)
        listed = daily.client("scheduler").list_schedules(GroupName=group, NamePrefix=name)
        if not listed["Schedules"]:
            return None, trigger["State"]

        schedule = daily.client("scheduler").get_schedule(GroupName=group, Name=name)
        changing = {"State", "LastModificationDate", "ResponseMetadata"}
        fields = {key: value for key, value in schedule.items() if key not in changing}
        return schedule["State"], trigger["State"], fields, trigger["EventPattern"]

    return read


def test_a_pause_turns_schedule_and_trigger_off_and_changes_nothing_else(starters, retrain):
    _, _, *fields = starters()
    assert fields[0]["Target"]["DeadLetterConfig"], "a field that a short request would lose"
    year = (datetime.now(UTC) - timedelta(hours=8)).year + 1
    times = "cron(0 3 1 1 ? *) in America/New_York"
    off = f"the schedule is off, {times}\na new export starts no run\n"
    on = f"the schedule is on, next {year}-01-01 08:00 UTC, {times}\na new export starts a run\n"

    for command, state, shown in (("pause", "DISABLED", off), ("resume", "ENABLED", on)):
        for _ in range(2):
            assert retrain(command)[:2] == (0, shown)
            assert starters() == (state, state, *fields), f"{command}, also when it is repeated"

    code, out, err = retrain("resume", "--json")
    document = {"schedule": fields[0]["Name"], "state": "ENABLED", "trigger": "ENABLED"}
    assert (code, json.loads(out)) == (0, document)
    assert err.endswith("\n  pulumi config set paused false && pulumi up\n"), "the setting"


def test_without_a_schedule_a_pause_turns_the_trigger_off_and_says_what_is_missing(
    daily, starters, retrain
):
    group, name = daily.output("schedule_arn").split(":schedule/")[1].split("/")
    daily.client("scheduler").delete_schedule(GroupName=group, Name=name)
    code, out, err = retrain("pause")
    message = "has no schedule, so somebody has deleted it; create it again: `pulumi up --refresh`"
    assert (code, out, err) == (2, "", f"{group} {message}\n")
    assert starters() == (None, "DISABLED")
