"""Proves what a pipeline without solutions does, which imports for recommenders of a domain."""

from dataclasses import replace

import pytest

from functions.report.model import worst_outcome
from tests.workflow.pipeline import NEXT_SLOT, deploy, handler
from tests.workflow.summaries import outcomes, report
from tests.world import MOVIES, interactions

DOMAIN = replace(MOVIES.with_datasets("interactions", "items").with_solutions(), domain="ECOMMERCE")


def test_a_run_without_solutions_imports_what_is_new_and_nothing_twice():
    with deploy(DOMAIN) as pipeline:
        first = pipeline.run()
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        second = pipeline.run(scheduledTime=NEXT_SLOT)
        third = pipeline.run(scheduledTime="2026-12-13T03:00:00Z")
        forced = pipeline.run(scheduledTime="2026-12-20T03:00:00Z", force=True)
        messages = [message.subject for message in pipeline.inbox.messages]
    assert [outcomes(execution) for execution in (first, second, third, forced)] == [
        {"interactions": "IMPORTED", "items": "IMPORTED"},
        {"interactions": "IMPORTED"},
        {},
        {"interactions": "IMPORTED", "items": "IMPORTED"},
    ]
    runs = [report(execution)["outcome"] for execution in (first, second, third, forced)]
    assert runs == ["IMPORTED", "IMPORTED", "SKIPPED", "IMPORTED"]
    assert report(third)["reason"].endswith("; to import anyway, use retrain start --force")
    assert messages[0] == "IMPORTED retraining: new data was imported, and nothing was trained"


@pytest.mark.parametrize("request_", [{"skipImport": True}, {"only": "deployments"}])
def test_a_run_that_imports_nothing_is_skipped(request_):
    with deploy(DOMAIN) as pipeline:
        skipped = report(pipeline.run(**request_))
    expected = ("SKIPPED", "no campaign waits for a version")
    assert (skipped["outcome"], skipped["reason"]) == expected


def test_an_import_that_fails_fails_the_run():
    with deploy(DOMAIN) as pipeline:
        pipeline.inject_fault("fail", job="dataset-import-job", reason="no access")
        execution = pipeline.run()
    assert execution.status == "FAILED"
    assert "import of" in pipeline.inbox.messages[-1].subject


def test_only_the_ages_of_the_data_are_measured():
    with deploy(DOMAIN) as pipeline:
        pipeline.run()
        ages = handler("watch_pipeline")({"stateMachineArn": pipeline.machine.arn}, None)
    assert (ages["models"], sorted(ages["data"]), ages["unfinishedTrials"]) == (
        {},
        ["interactions", "items"],
        0,
    )


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ([], "SKIPPED"),
        (["IMPORTED"], "IMPORTED"),
        (["IMPORTED", "SKIPPED"], "SKIPPED"),
        (["IMPORTED", "SKIPPED", "DEPLOYED"], "DEPLOYED"),
        (["DEPLOYED", "FAILED", "ROLLED_BACK"], "FAILED"),
    ],
)
def test_imported_hides_nothing(found, outcome):
    assert worst_outcome(found) == outcome
