"""An event of S3 about a ready marker really starts a run, with the roles of the stack enforced."""

from datetime import UTC, datetime

import pytest

from components import settings
from emulator.deployer.configuration import read_project
from retrain.rehearsal.films import film_service
from retrain.rehearsal.world import World
from tests.end_to_end.stack import PROJECT, deploy_stack, eventually

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
    args = settings.parse_stack(project.name, "daily", project.config)
    World(emulator, args, film_service()).create()
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
