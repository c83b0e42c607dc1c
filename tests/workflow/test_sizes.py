"""Proves that a run stays within the limits of Step Functions: long texts and large pipelines."""

import json
import re
from datetime import timedelta

import pytest

from components.args import MAX_CAMPAIGNS, MAX_SOLUTIONS
from components.constants import EVENT_DATASETS
from components.rules.several_settings import check_args
from emulator.virtual.step_functions import LambdaFailure
from functions.common.truncation import (
    MAX_LIST_BYTES,
    MAX_TRIALS_BYTES,
)
from functions.planning.export_content import (
    MAX_STORED_COLUMNS,
    MAX_STORED_NAME_LENGTH,
    MAX_STORED_TYPES,
)
from functions.run.deployment_spec import MAX_BAKE_POLLS
from tests.printed import all_printed
from tests.workflow.pipeline import deploy, handler
from tests.workflow.summaries import document, report
from tests.world import largest_group

LONG_REASON = "The data are not good enough, because the rows are " + "long " * 20_000
"""A failure reason of 100 KB. Personalize documents no limit."""
ALWAYS = 10_000
"""The number of times that a fault happens if it never ends."""
MAX_CAUSE_CHARACTERS = 32_768
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""
MAX_STATE_BYTES = 256 * 1024
MAX_EVENTS = 25_000
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
CONTENT_COPIES = 2
"""The plan and the dataset of an iteration each have the content of an export."""
BAKE_EVENTS = 2 * 9 * MAX_BAKE_POLLS
"""A look is the entry, the call and the exit of the Task, the Choice and the Wait."""
MAX_NOTE_BYTES = 200
"""The most bytes that the gate notes about a rule (`functions/rules/gate.py`)."""


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
    assert re.search(r"\(cut, 100,\d{3} characters\)", execution.cause)
    failures = [result for result in execution.cause.splitlines() if "The data are not" in result]
    assert failures, "the report begins with the reason"
    outputs = [
        json.loads(event["stateExitedEventDetails"]["output"])
        for event in execution.events
        if "stateExitedEventDetails" in event
    ]
    assert max(map(longest_text, outputs)) < 2_000, "the text of the report is the longest one"
    assert_delivered(pipeline)


def content_bytes(group):
    """Return the bytes of the largest contents of the exports. A character has up to 6 bytes."""
    types = {
        "é" * (MAX_STORED_NAME_LENGTH - 1) + str(number): 10**6
        for number in range(MAX_STORED_TYPES)
    }
    nulls = {
        "x" * (MAX_STORED_NAME_LENGTH - 1) + str(number): 10**6
        for number in range(MAX_STORED_COLUMNS)
    }
    events = [name for name in group.args.datasets.configured() if name in EVENT_DATASETS]

    return len(json.dumps([types] * len(events) + [nulls] * len(group.datasets)))


def largest_state(execution):
    """Return the bytes of the largest input or output of a state or a function."""
    details = [
        value for event in execution.events for value in event.values() if isinstance(value, dict)
    ]

    return max(len(item.get(key, "").encode()) for item in details for key in ("input", "output"))


def of_all_solutions(of_one, of_two):
    """Return a number for the largest pipeline. Each solution adds as much as the second one."""
    return of_one + (MAX_SOLUTIONS - 1) * (of_two - of_one)


def with_solutions(group, count):
    """Return the group with its first solutions. Each has as many campaigns as the rules allow."""
    return group.with_solutions(*group.solutions[:count])


def test_the_largest_pipeline_stays_within_the_limits_of_step_functions():
    """Each update succeeds. Its probe fails with a long error, and so does each rollback."""
    group = largest_group()
    assert check_args(group.args).problems == []
    error = {"fault": "error", "message": LONG_REASON[:2000], "times": ALWAYS}  # it is cut too
    state_bytes = []
    events = []
    for count in (1, 2):
        with deploy(with_solutions(group, count), durations={"campaign-update": 150}) as pipeline:
            pipeline.inject_fault(operation="GetRecommendations", **error)
            started = pipeline.start_until("GetRecommendations")
            pipeline.inject_fault(operation="UpdateCampaign", **error)
            pipeline.inject_fault(operation="ListBatchInferenceJobs", **error)
            execution = started.wait()
        assert execution.status == "FAILED"
        assert_delivered(pipeline)
        # The warnings of the largest pipeline are cut.
        warnings = json.dumps(document(execution)["plan"]["warnings"])
        state_bytes.append(largest_state(execution) - len(warnings))
        events.append(len(execution.events))

    solutions = report(execution)["solutions"]
    campaigns = [campaign for solution in solutions for campaign in solution["campaigns"]]
    batch_jobs = [job for solution in solutions for job in solution["batchJobs"]]
    assert len(campaigns) == count * MAX_CAMPAIGNS
    assert [job["outcome"] for job in batch_jobs] == ["FAILED"] * count, "each has a long error"
    reasons = ["; ".join(all_printed(campaign["reasons"])) for campaign in campaigns]
    assert all("cut, " in reason for reason in reasons), "the texts are the longest"

    rules = sum(len(each.quality_gate) * len(each.campaigns) for each in group.solutions)
    reserve = MAX_LIST_BYTES + rules * MAX_NOTE_BYTES + CONTENT_COPIES * content_bytes(group)
    assert of_all_solutions(*state_bytes) + reserve + MAX_TRIALS_BYTES <= MAX_STATE_BYTES, (
        "there is room for the warnings, the notes of the gates, the contents and earlier trials"
    )
    assert of_all_solutions(*events) <= MAX_EVENTS - BAKE_EVENTS


def test_the_history_has_room_for_a_day_in_which_each_campaign_s_function_is_killed():
    """Nobody bakes while a function is killed, except in the trials of earlier runs."""

    def dying(event, context):
        arn = event["campaign"]["campaignArn"]
        if arn not in begun:
            begun.add(arn)
            handler("deploy_version")(event, context)
        raise LambdaFailure("Runtime.OutOfMemory")

    events = []
    for count in (1, 2):
        begun = set()
        group = with_solutions(largest_group(bake_hours=12), count)
        with deploy(group, handlers={"deploy_version": dying}) as pipeline:
            execution = pipeline.run()
            lasted = pipeline.clock.now() - execution.events[0]["timestamp"]
        assert lasted > timedelta(hours=24 + 12), "no version on trial is given up before"
        assert_delivered(pipeline)
        events.append(len(execution.events))

    assert of_all_solutions(*events) <= MAX_EVENTS - BAKE_EVENTS
