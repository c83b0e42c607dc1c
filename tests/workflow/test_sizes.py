"""Proves that a run stays within the limits of Step Functions: long texts and large pipelines."""

import json

import pytest

from components import LimitsArgs, sizes, workflow_settings
from emulator.personalize.resources import Campaign, Solution
from functions import report as functions_report
from functions import texts
from functions.personalize import pacing
from functions.personalize.tags import GOOD, TRIAL
from tests.workflow.pipeline import before_step, deploy
from tests.workflow.summaries import report
from tests.world import MOVIES, campaign, solution

LONG_REASON = "The data are not good enough, because the rows are " + "long " * 20_000
"""A failure reason of 100 KB. Personalize documents no limit."""
ALWAYS = 10_000
"""The number of times that a fault happens if it never ends."""
MAX_CAUSE_CHARACTERS = 32_768
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""


def longest_text(value):
    """Return the length of the longest text in a JSON value."""
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(longest_text, inner), default=0)


def assert_delivered(pipeline):
    """Assert that SNS and EventBridge have taken the report of the run."""
    assert len(pipeline.inbox.messages) == len(pipeline.inbox.details) == 1


@pytest.mark.parametrize("job", ["dataset-import-job", "solution-version", "campaign-update"])
def test_a_failure_reason_of_100_kb_is_cut_where_it_enters_the_document(job):
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job=job, reason=LONG_REASON)
        execution = pipeline.run()
    assert execution.status == "FAILED"
    assert len(execution.cause) <= MAX_CAUSE_CHARACTERS
    assert "(cut, 100,051 characters)" in execution.cause
    failures = [result for result in execution.cause.splitlines() if "The data are not" in result]
    assert failures, "the report begins with the reason"
    outputs = [
        json.loads(event["stateExitedEventDetails"]["output"])
        for event in execution.events
        if "stateExitedEventDetails" in event
    ]
    assert max(map(longest_text, outputs)) < 2_000, "the text of the report is the longest one"
    assert_delivered(pipeline)


@pytest.mark.parametrize("operation", ["CreateDatasetImportJob", "UpdateCampaign"])
def test_an_error_of_100_kb_is_cut_where_it_enters_the_document(operation):
    with deploy() as pipeline:
        pipeline.inject_fault("error", operation=operation, message=LONG_REASON)
        execution = pipeline.run()
    assert report(execution)["status"] == "FAILED"
    causes = [
        event["stateExitedEventDetails"]["output"]
        for event in execution.events
        if '"Cause"' in event.get("stateExitedEventDetails", {}).get("output", "")
    ]
    assert causes, "the error is in the document"
    assert max(map(len, causes)) < 20_000


# Sizes that are computed at preview


def name(kind, number, characters=30):
    """Return a name with as many characters as a name may have in this test."""
    return f"{kind}{number}".ljust(characters, "x")


def group(solutions, campaigns, **options):
    """Return a group with this many campaigns for each solution, long names and 38 long tags.

    Every campaign has a probe.
    """
    return MOVIES.with_solutions(
        *(
            solution(
                name("s", index),
                campaigns=[
                    campaign(name(f"c{index}-", number), user_id="u" * 20, minutes=0.5)
                    for number in range(campaigns)
                ],
            )
            for index in range(solutions)
        )
    ).with_options(tags={f"{key:k<128}": "v" * 256 for key in range(38)}, **options)


@pytest.fixture
def quotas(monkeypatch):
    """Raise the quotas of solutions and campaigns, as AWS does when asked."""
    monkeypatch.setattr(Campaign, "quota", 50)
    monkeypatch.setattr(Solution, "quota", 50)


def largest_state(execution):
    """Return the bytes of the largest input or output of a state or a function."""
    details = [
        value for event in execution.events for value in event.values() if isinstance(value, dict)
    ]
    return max(len(item.get(key, "").encode()) for item in details for key in ("input", "output"))


def short_updates(hours):
    """Return the limits with this deadline of an update, and durations that keep the deadline.

    A rollback that fails is tried until the deadline. That changes no size, but takes long.
    """
    return LimitsArgs(max_campaign_hours=hours), {"campaign-update": hours * 3000}


@pytest.mark.parametrize(
    ("shape", "hours"),
    [((1, 0), 0.3), ((1, 1), 0.3), ((1, 6), 0.3), ((4, 1), 0.05), ((10, 5), 0.05)],
)
@pytest.mark.usefixtures("quotas")
def test_the_computed_document_is_larger_than_any_state_of_a_run(shape, hours):
    assert sizes.problems(group(*shape).args) == [], "10 solutions with 5 campaigns each fit"
    limits, durations = short_updates(hours)
    pipeline_group = group(*shape, limits=limits)

    def deny_rollbacks(_event):
        pipeline.inject_fault(
            "error", operation="UpdateCampaign", message=LONG_REASON, times=ALWAYS
        )

    # Each update succeeds, each probe fails with a long error, and then each rollback.
    handlers = before_step("probe_campaign", deny_rollbacks)
    with deploy(pipeline_group, handlers=handlers, durations=durations) as pipeline:
        pipeline.inject_fault(
            "error", operation="GetRecommendations", message=LONG_REASON, times=ALWAYS
        )
        execution = pipeline.run()
    assert execution.status == ("FAILED" if shape[1] else "SUCCEEDED")
    assert_delivered(pipeline)
    text_bytes = sizes.text_bytes(pipeline_group.args)
    computed = sizes.document_bytes(pipeline_group.args, text_bytes)
    assert largest_state(execution) < computed <= sizes.MAX_DOCUMENT_BYTES
    assert len(execution.events) < sizes.history_events(pipeline_group.args) < sizes.MAX_EVENTS


@pytest.mark.usefixtures("quotas")
def test_the_state_with_a_trial_of_each_campaign_is_smaller_than_the_largest_state():
    limits, durations = short_updates(0.05)
    pipeline_group = group(10, 5, limits=limits)
    with deploy(pipeline_group, durations=durations) as pipeline:
        for settings in pipeline.group.settings(pipeline.prefix)["solutions"]:
            for campaign_settings in settings["campaigns"]:
                put_on_trial(pipeline, campaign_settings["campaignArn"])
        for operation in ("GetRecommendations", "UpdateCampaign"):
            pipeline.inject_fault("error", operation=operation, message=LONG_REASON, times=ALWAYS)
        execution = pipeline.machine.start({"trigger": "trial"}).wait()
    assert {trial["outcome"] for trial in report(execution)["trials"]} == {"FAILED"}
    assert len(report(execution)["trials"]) == 50
    text_bytes = sizes.text_bytes(pipeline_group.args)
    assert largest_state(execution) < sizes.document_bytes(pipeline_group.args, text_bytes)
    assert len(execution.events) < sizes.history_events(pipeline_group.args)


def put_on_trial(pipeline, campaign_arn):
    """Write tags as if a run had died after it moved the campaign to the version in use."""
    campaign = pipeline.client.describe_campaign(campaignArn=campaign_arn)["campaign"]
    version = campaign["solutionVersionArn"]
    tags = {
        TRIAL: f"{version} {pipeline.clock.now().isoformat()}",
        GOOD: version.rpartition("/")[0] + "/12345678",
    }
    pipeline.client.tag_resource(
        resourceArn=campaign_arn,
        tags=[{"tagKey": key, "tagValue": value} for key, value in tags.items()],
    )


@pytest.mark.parametrize("job", ["dataset-import-job", "solution-version", "campaign-update"])
def test_a_run_whose_jobs_hang_has_fewer_events_than_computed(job):
    pipeline_group = group(2, 2)
    with deploy(pipeline_group) as pipeline:
        pipeline.inject_fault("hang", job=job, times=ALWAYS)
        execution = pipeline.run()
    assert execution.status == "FAILED"
    assert len(execution.events) < sizes.history_events(pipeline_group.args)


@pytest.mark.parametrize("hours", [0.5, 3, 6, 24, 72, 240])
@pytest.mark.parametrize("expected_hours", [None, 0.02, 0.1, 0.3, 0.6, 1, 2, 5, 10, 17, 20, 24])
def test_a_job_is_polled_less_often_than_computed(hours, expected_hours):
    durations = [] if expected_hours is None else [round(expected_hours * 3600)]
    assert count_polls(durations, hours * 3600) <= sizes.polls(hours)


def count_polls(durations, seconds):
    """Return the number of invocations that poll a job until it ends after this time."""
    age, polls = 0.0, 0
    while age < seconds:
        polls += 1
        invocation_end = age + pacing.INVOCATION_SECONDS
        while age < seconds:
            pause = pacing.pause(durations, age)
            if pause > pacing.LONGEST_SLEEP:
                age += pause  # a Wait state
                break
            if age + pause > invocation_end:
                break  # the next invocation begins at once
            age += pause
    return polls


def test_the_component_and_the_functions_have_the_same_limits_of_texts():
    assert workflow_settings.LONGEST_TEXT_BYTES == texts.MAX_TEXT_BYTES
    assert sizes.WARNINGS_BYTES == texts.MAX_LIST_BYTES == texts.MAX_PLAN_TEXT_BYTES
    assert functions_report.MAX_OUTPUT_BYTES < sizes.MAX_DOCUMENT_BYTES
