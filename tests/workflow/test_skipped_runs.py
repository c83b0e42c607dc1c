"""A run is skipped or refused if it would cost money for nothing."""

import pytest

from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import problems_of, skip_reason
from tests.world import interactions

NOTHING_NEW = (
    "nothing is new; wait for new exports, or force a run that imports and trains on the same "
    "data: `retrain start --force`; {}: the export has not changed since {} UTC; taste: it was "
    "trained on the present data"
)


@pytest.mark.parametrize("prefix", [None, "ffffffff"], ids=["same stack", "recreated stack"])
def test_a_run_with_the_exports_of_the_last_one_is_skipped(prefix):
    with deploy() as pipeline:
        pipeline.run()
        later = pipeline.second_pipeline(pipeline.group, prefix=prefix) if prefix else pipeline
        execution = later.run(scheduledTime=NEXT_SLOT)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "from the first run"
        assert len(pipeline.versions()) == 2

    assert skip_reason(execution) == NOTHING_NEW.format(
        "interactions, items and users", "2026-11-01 00:00"
    )


def test_the_event_of_a_deployment_trains_nothing():
    with deploy() as pipeline:
        pipeline.schedule_changed_at = pipeline.clock.now()
        execution = pipeline.run()
        assert len(pipeline.versions()) == 1

    assert "a deployment starts no training" in skip_reason(execution)


# Runs that are refused


def test_all_problems_of_all_exports_are_reported_and_nothing_is_written():
    with deploy() as pipeline:
        wrong = interactions().replace(b"1790000699", b"yesterday")
        pipeline.bucket.put("interactions.csv", wrong)
        pipeline.bucket.put("items.csv", b"")
        del pipeline.bucket.objects["users.csv"]
        problems = problems_of(pipeline.run())
        writes = [
            call
            for call in pipeline.personalize.calls
            if call.caller != OPERATOR.arn
            and call.operation.startswith(("Create", "Update", "Stop", "Tag"))
        ]

    assert writes == [], "a run that is refused writes nothing"
    assert sorted(problem.partition(";")[0] for problem in problems) == [
        (
            "datasets.interactions: s3://exports/interactions.csv: line 701: TIMESTAMP is "
            "'yesterday', but the schema requires long"
        ),
        "datasets.items: 1 of 1 objects at s3://exports/items.csv are empty, for example items.csv",
        "datasets.users: there is no object at s3://exports/users.csv",
    ]
