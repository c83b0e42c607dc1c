"""The exports are checked before a run writes anything, and again after the imports."""

from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import outcomes, problems_of
from tests.world import MOVIES, interactions

INTERACTIONS = interactions()


def test_all_problems_of_all_exports_are_reported_and_nothing_is_written():
    with deploy() as pipeline:
        wrong = INTERACTIONS.replace(b"1790000699", b"yesterday")
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


# Ready markers and dates


def test_a_ready_marker_allows_force_and_the_import_after_a_foreign_one():
    group = MOVIES.with_datasets("interactions", ready_marker="s3://exports/_READY")
    with deploy(group) as pipeline:
        pipeline.bucket.put("_READY", b"")
        pipeline.run()
        forced = pipeline.run(scheduledTime=NEXT_SLOT, force=True)
        pipeline.foreign_import("interactions", location="s3://exports/interactions.csv")
        pipeline.sleep(3600)
        after_foreign = pipeline.run(scheduledTime="2026-12-13T03:00:00Z")
        pipeline.bucket.put("interactions.csv", interactions(shift=1))
        (problem,) = problems_of(pipeline.run(scheduledTime="2026-12-20T03:00:00Z"))
    assert outcomes(forced)["interactions"] == outcomes(after_foreign)["interactions"] == "IMPORTED"
    assert "1 of 1 objects at s3://exports/interactions.csv are newer than the ready" in problem
