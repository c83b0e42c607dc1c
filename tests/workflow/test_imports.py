"""Imports in whole runs: one fails, the quota is full, a function is killed.

What the function does is tested in `tests/functions/test_import_dataset.py`.
"""

from emulator.virtual.step_functions import LambdaFailure
from tests.workflow.pipeline import NEXT_SLOT, RUN_ID, deploy, handler
from tests.workflow.summaries import (
    DEPLOYED,
    failed_calls,
    failures,
    outcomes,
    text,
)
from tests.world import PREFIX

ITEMS_JOB = f"{PREFIX}-{RUN_ID}-items"


def test_one_failed_import_stops_the_run_before_training():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=ITEMS_JOB, reason="Row 7 has no ITEM_ID"
        )
        old = pipeline.served_version()
        execution = pipeline.run()
        assert pipeline.requests("CreateSolutionVersion") == []
        assert pipeline.served_version() == old
        later = pipeline.run(scheduledTime=NEXT_SLOT)

    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "FAILED",
        "users": "IMPORTED",
    }
    assert failures(execution) == {"items": "Row 7 has no ITEM_ID"}
    assert outcomes(later) == {"items": "IMPORTED", **DEPLOYED}, "the next run repeats only this"
    assert (execution.status, execution.error) == ("FAILED", "RetrainingFailed")
    assert execution.cause == text(execution)
    assert failed_calls(execution) == [], "a failed job is no error of a function"


def test_a_function_that_is_always_killed_fails_only_its_dataset():
    def killed_for_items(event, context):
        if event["dataset"]["type"] == "items":
            raise LambdaFailure("Runtime.OutOfMemory", "signal: killed")
        return handler("import_dataset")(event, context)

    with deploy(handlers={"import_dataset": killed_for_items}) as pipeline:
        execution = pipeline.run()
    assert failures(execution) == {"items": "Runtime.OutOfMemory: signal: killed"}
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "FAILED",
        "users": "IMPORTED",
    }
    assert len(failed_calls(execution)) == 6, "one attempt and five retries"
