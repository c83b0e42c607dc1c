"""The first preview, the first `up`, a run, a second `up`, and what `refresh` finds."""

import pytest

from tests.end_to_end.stack import eventually

READS = ("sts:GetCallerIdentity",)
SLOT = "2031-01-06T03:00:00Z"
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
    assert preview, "the preview comes first"
    return stack.up()


@pytest.fixture
def schedule(stack, deployed, emulator):
    """Return the schedule's request as an UpdateSchedule takes it."""
    assert deployed, "the schedule is there"
    group, name = stack.output("schedule_arn").split("/")[1:]
    found = emulator.client("scheduler").get_schedule(GroupName=group, Name=name)
    wanted = ("Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone")
    return {key: found[key] for key in (*wanted, "FlexibleTimeWindow", "Target", "State")}


def test_the_first_preview_shows_every_resource_and_creates_nothing(preview, stack, emulator):
    assert set(preview.steps.values()) == {"created"}
    writes = [each["action"] for each in emulator.calls() if each["action"] not in READS]
    assert writes == [], "a preview only asks who the caller is"
    assert stack.state() == []


def test_the_first_up_creates_what_the_preview_showed(preview, deployed):
    assert deployed.steps == preview.steps


def test_the_schedule_fires_and_the_campaign_serves_a_new_version(stack, deployed, emulator):
    assert deployed, "the stack is there"
    personalize = emulator.client("personalize")

    def served():
        return personalize.describe_campaign(campaignArn=CAMPAIGN)["campaign"]

    before = served()["solutionVersionArn"]
    group, name = stack.output("schedule_arn").split("/")[1:]
    execution = emulator.fire(name, group, SLOT)
    states = emulator.client("stepfunctions")
    ended = eventually(
        lambda: states.describe_execution(executionArn=execution),
        lambda found: found["status"] != "RUNNING",
    )
    assert ended["status"] == "SUCCEEDED", ended
    assert served()["solutionVersionArn"] != before, "the version that was trained just now"


def test_a_second_up_changes_nothing(stack, deployed):
    second = stack.up()
    assert second.changes == {}
    assert second.steps.keys() == deployed.steps.keys()


def test_a_refresh_finds_nothing(stack, deployed):
    refreshed = stack.refresh()
    assert refreshed.changes == {}
    assert refreshed.steps.keys() == deployed.steps.keys()


def test_a_schedule_that_was_disabled_by_hand_is_found_and_enabled_again(stack, schedule, emulator):
    emulator.client("scheduler").update_schedule(**{**schedule, "State": "DISABLED"})
    assert stack.refresh().changes == {SCHEDULE: "updated"}
    assert stack.up().changes == {SCHEDULE: "updated"}
    found = emulator.client("scheduler").get_schedule(
        GroupName=schedule["GroupName"], Name=schedule["Name"]
    )
    assert found["State"] == "ENABLED"
