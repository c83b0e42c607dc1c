"""Proves that a run stays within the limits of Step Functions: long texts and large pipelines."""

import json

import pytest

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import report

LONG_REASON = "The data are not good enough, because the rows are " + "long " * 20_000
"""A failure reason of 100 KB. Personalize documents no limit."""
MAX_CAUSE_CHARACTERS = 32_768
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html"""


def longest_text(value):
    """Return the length of the longest text in a JSON value."""
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max(map(longest_text, inner), default=0)


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
