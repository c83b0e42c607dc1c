"""The first run of the sample stack: its schedule is fired, and the campaign gets a new model."""

import pytest

from components.lambda_functions import CALLED_BY_EVENTS
from functions.report.text import text_of
from tests.components.sample import STEPS_WITHOUT_TRIGGER

RUN_ID = "20310106T030000Z"


@pytest.fixture
def run(first_runs):
    """Return the first run of the sample stack."""
    return first_runs.run


def test_the_campaign_serves_the_new_version_and_recommends_items(stack, run, first_runs):
    assert run.status == "SUCCEEDED", run.execution
    assert stack.served_version() == stack.version_arns()[-1] == run.version_arn
    assert stack.served_version() != first_runs.previous_version_arn
    response = stack.client("personalize-runtime").get_recommendations(
        campaignArn=stack.campaign_arn, userId="user-001", numResults=5
    )
    assert len({item["itemId"] for item in response["itemList"]}) == 5


def test_both_deliveries_of_the_event_lead_to_one_execution(stack, run, first_runs):
    role = stack.resources("iam/role:Role")["retraining-dev-schedule"]["name"]
    calls = stack.calls("states:StartExecution")
    assert [call["caller"].split("/")[1] for call in calls] == [role] * 2
    executions = stack.client("stepfunctions").list_executions(
        stateMachineArn=stack.output("state_machine_arn")
    )["executions"]
    assert first_runs.deliveries == [run.arn] * 2
    assert [execution["executionArn"] for execution in executions] == [run.arn]
    assert run.output("Plan retraining")["run"]["trigger"] == "schedule"


def test_the_jobs_have_the_tags_of_the_run_and_the_created_role(stack, run):
    client = stack.client("personalize")
    job_arns = [dataset["datasetImportJobArn"] for dataset in run.report["imports"]]
    own_tags = {"retraining-pipeline": "retraining-dev", "retraining-run": RUN_ID}
    run_tags = {**stack.args.tags, **own_tags}
    for arn in (*job_arns, run.version_arn):
        response = client.list_tags_for_resource(resourceArn=arn)
        tags = {tag["tagKey"]: tag["tagValue"] for tag in response["tags"]}
        assert {key: tags[key] for key in run_tags} == run_tags, arn
    job = client.describe_dataset_import_job(datasetImportJobArn=job_arns[0])["datasetImportJob"]
    assert job["roleArn"] == stack.output("import_role_arn")


def test_nothing_fails_in_a_run_that_succeeds(stack, run):
    failures = [event for event in run.events if event["type"].endswith(("Failed", "TimedOut"))]
    assert failures == [], "an unfinished job is data, not an exception"
    log = stack.log()
    assert {record["level"] for record in log if "level" in record} == {"INFO"}
    words = {record["text"].split()[0] for record in log if "text" in record}
    assert words == {"START", "END", "REPORT"}, "Lambda's own lines, without a stack trace"
    assert stack.refused_calls() == []
    (report,) = [record for record in log if record.get("step") == "report_outcome"]
    assert (report["outcome"], report["message"]) == ("DEPLOYED", text_of(run.report))


def test_all_steps_run(first_runs):
    states = {*first_runs.run.states, *first_runs.films_run.states}
    called = {state.lower().replace(" ", "_") for state in states}
    assert set(STEPS_WITHOUT_TRIGGER) - CALLED_BY_EVENTS - called == set()
