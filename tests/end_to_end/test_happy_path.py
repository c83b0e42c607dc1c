"""The first run of the sample stack: its schedule is fired, and the campaign gets a new model."""

import pytest

from functions.report.mail import format_report
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


def test_a_second_delivery_of_the_event_finds_the_execution_of_the_first(run, first_runs):
    assert first_runs.deliveries == [run.arn] * 2
    assert run.output("Plan retraining")["run"]["trigger"] == "schedule"


def test_nothing_fails_in_a_run_that_succeeds(stack, run):
    failures = [event for event in run.events if event["type"].endswith(("Failed", "TimedOut"))]
    assert failures == [], "an unfinished job is data, not an exception"
    log = stack.log()
    assert {record["level"] for record in log if "level" in record} == {"INFO"}

    words = {record["text"].split()[0] for record in log if "text" in record}
    assert words == {"START", "END", "REPORT"}, "Lambda's own lines, without a stack trace"
    assert stack.refused_calls() == []

    (report,) = [record for record in log if record.get("step") == "report_outcome"]
    assert (report["outcome"], report["message"]) == ("DEPLOYED", format_report(run.report))


def test_all_steps_run_and_write_their_log_with_their_own_roles(first_runs):
    films = first_runs.films
    logged = {record["step"] for record in films.log() if "step" in record}
    assert {*STEPS_WITHOUT_TRIGGER} - logged <= {"close_run"}, "`test_closing.py` needs its log"
    assert films.refused_calls() == []
