"""Another interpreter of the same definition comes to the same results: MiniStack's own.

It ignores the machine's TimeoutSeconds and keeps no history of the states inside a Map, so moto's
is the reference.
"""

import pytest

from tests.workflow.ministack_interpreter import run_in_ministack
from tests.workflow.pipeline import PREFIX, RUN, pipeline
from tests.workflow.reading import failures, name, outcomes, report

TIMES = {
    "createdAt",
    "endedAt",
    "startedAt",
    "firstTriedAt",
    "stopRequestedAt",
    "previousUpdateAt",
    "dataAsOf",
    "seconds",
}
"""Keys of the documents that tell when: MiniStack's iterations come one after the other here."""
JOB = f"{PREFIX}-{RUN}"
FAULTS = {
    "nothing": [],
    "an import that fails": [
        {"fault": "fail", "job": "dataset-import-job", "of": f"{JOB}-items-1", "reason": "Row 7"}
    ],
    "an import that hangs": [
        {"fault": "hang", "job": "dataset-import-job", "of": f"{JOB}-users-1"}
    ],
    "a training that fails": [
        {"fault": "fail", "job": "solution-version", "reason": "No model converged"}
    ],
    "a training that hangs": [{"fault": "hang", "job": "solution-version"}],
    "a campaign update that fails": [
        {"fault": "fail", "job": "campaign-update", "reason": "No capacity"}
    ],
    "a create that is throttled": [
        {"fault": "throttle", "operation": "CreateSolutionVersion", "times": 2}
    ],
    "a create that is refused": [
        {"fault": "limit-exceeded", "operation": "CreateSolutionVersion", "message": "20"}
    ],
}
"""What goes wrong in a run."""


def run(start, *, faults=(), handlers=None, **request):
    """Run a pipeline of its own, and give how it ended."""
    with pipeline(handlers=handlers) as made:
        for fault in faults:
            made.order(**fault)
        return start(made, **request)


def both(**how):
    """Give what moto's interpreter came to, and what MiniStack's did."""
    return run(lambda made, **request: made.run(**request), **how), run(run_in_ministack, **how)


def end(execution):
    """Give how an execution ended; a failure names its cause."""
    return execution.status, execution.error, execution.cause


def calls_by_item(execution):
    """Give the calls of each dataset, solution and campaign, and of the run itself, in order."""
    found = {}
    for call in execution.calls:
        payload = call.payload
        item = payload.get("campaign") or payload.get("solution") or payload.get("dataset") or {}
        key = item.get("campaignArn") or item.get("solutionArn") or item.get("datasetArn") or "run"
        found.setdefault(name(key), []).append((call.function, timeless(call.outcome)))
    return found


def timeless(document):
    """Give a document without what tells times."""
    if isinstance(document, dict):
        return {key: timeless(value) for key, value in document.items() if key not in TIMES}
    return [timeless(each) for each in document] if isinstance(document, list) else document


@pytest.mark.parametrize("trouble", FAULTS)
def test_both_interpreters_come_to_the_same_report_by_the_same_calls(trouble):
    moto, ministack = both(faults=FAULTS[trouble])
    assert bool(failures(moto)) == (trouble not in {"nothing", "a create that is throttled"})
    assert report(ministack) == report(moto)
    assert end(ministack) == end(moto)
    assert timeless(ministack.output) == timeless(moto.output)
    assert calls_by_item(ministack) == calls_by_item(moto)


@pytest.mark.parametrize(
    "request_",
    [{"dryRun": True}, {"skipImport": True}, {"datasets": ["users"]}, {"dataset": ["users"]}],
    ids=["dry run", "no imports", "one dataset", "a request that is refused"],
)
def test_both_interpreters_follow_a_request_alike(request_):
    moto, ministack = both(**request_)
    assert report(ministack) == report(moto)
    assert end(ministack) == end(moto)
    assert calls_by_item(ministack) == calls_by_item(moto)


def test_both_interpreters_end_alike_where_not_even_the_report_works():
    def broken(_event, _context):
        raise ValueError("no report")

    moto, ministack = both(handlers={"report_outcome": broken})
    assert (moto.status, moto.error) == ("FAILED", "ReportFailed")
    assert end(ministack)[:2] == end(moto)[:2]
    assert calls_by_item(ministack) == calls_by_item(moto)


def test_the_second_opinion_is_about_a_run_that_does_something():
    assert outcomes(run(run_in_ministack)) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "users": "IMPORTED",
        "taste": "DEPLOYED",
        "home": "DEPLOYED",
    }
