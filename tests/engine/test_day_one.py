"""Proves the first preview, the first `up`, a run, a second `up`, and a refresh."""

import pytest

from tests.end_to_end.stack import eventually

SCHEDULED_TIME = "2031-01-06T03:00:00Z"
CAMPAIGN = "arn:aws:personalize:eu-west-1:123456789012:campaign/movies-for-you"
SCHEDULE = "Schedule retraining-dev-schedule"


@pytest.fixture(scope="module")
def preview(stack, emulator):
    """Preview the first update."""
    emulator.control("DELETE", "calls")
    return stack.preview()


@pytest.fixture(scope="module")
def deployed(stack, preview):
    """Deploy the stack for the first time."""
    assert preview, "the preview is before this update"
    return stack.up()


@pytest.fixture
def schedule(stack, deployed, emulator):
    """Return the schedule as a request of UpdateSchedule."""
    assert deployed, "the schedule exists"
    group, name = stack.output("schedule_arn").split("/")[1:]
    current = emulator.client("scheduler").get_schedule(GroupName=group, Name=name)
    names = ("Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone")
    return {key: current[key] for key in (*names, "FlexibleTimeWindow", "Target", "State")}


def test_the_first_preview_shows_every_resource_and_creates_nothing(preview, stack, emulator):
    assert set(preview.steps.values()) == {"created"}
    actions = {call["action"] for call in emulator.calls()}
    assert actions <= {"sts:GetCallerIdentity"}, "a preview only reads the account"
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
    execution_arn = emulator.fire(name, group, SCHEDULED_TIME)
    step_functions = emulator.client("stepfunctions")
    execution = eventually(
        lambda: step_functions.describe_execution(executionArn=execution_arn),
        lambda execution: execution["status"] != "RUNNING",
    )
    assert execution["status"] == "SUCCEEDED", execution
    assert served_version() != previous_version


def test_a_second_up_changes_nothing(stack, deployed):
    second = stack.up()
    assert second.changes == {}
    assert second.steps.keys() == deployed.steps.keys()


def test_a_refresh_changes_nothing(stack, deployed):
    refreshed = stack.refresh()
    assert refreshed.changes == {}
    assert refreshed.steps.keys() == deployed.steps.keys()


def test_a_schedule_that_was_disabled_by_hand_is_found_and_enabled_again(stack, schedule, emulator):
    emulator.client("scheduler").update_schedule(**{**schedule, "State": "DISABLED"})
    assert stack.up().changes == {}, "the engine only compares with its state"
    assert stack.refresh().changes == {SCHEDULE: "updated"}
    assert stack.up().changes == {SCHEDULE: "updated"}
    current = emulator.client("scheduler").get_schedule(
        GroupName=schedule["GroupName"], Name=schedule["Name"]
    )
    assert current["State"] == "ENABLED"
