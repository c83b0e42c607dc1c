"""The exports are checked before a run writes anything, and again after the imports."""

import pytest

from tests.workflow.clients import OPERATOR
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, problems_of, report
from tests.world import MOVIES, interactions

INTERACTIONS_ONLY = MOVIES.with_datasets("interactions")
DAYS = MOVIES.with_datasets("interactions", data_location="s3://exports/{date}/interactions.csv")
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


def test_what_is_not_imported_of_an_export_is_a_warning():
    rows = INTERACTIONS.decode().split("\n")
    noted = "\n".join([f"{rows[0]},NOTE", *(f"{row},new" for row in rows[1:] if row)])
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.bucket.put("interactions.csv", noted.encode())
        execution = pipeline.run()
    assert outcomes(execution) == {"interactions": "IMPORTED", **DEPLOYED}
    assert report(execution)["warnings"] == [
        (
            "datasets.interactions: s3://exports/interactions.csv has columns that the dataset's "
            "schema lacks: 'NOTE'; they are not imported; remove them, or rename them if a name is "
            "misspelt"
        )
    ]


def test_an_export_that_is_not_imported_is_not_checked():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.bucket.put("items.csv", b"")
        execution = pipeline.machine.start({"datasets": ["users"], "force": True}).wait()
    assert outcomes(execution) == {"users": "IMPORTED", **DEPLOYED}


@pytest.mark.parametrize("import_mode", ["FULL", "INCREMENTAL"])
def test_a_foreign_import_does_not_change_the_size_to_compare_with(import_mode):
    complete = interactions(3000)
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.bucket.put("interactions.csv", complete)
        pipeline.run()
        pipeline.bucket.put("more/interactions.csv", INTERACTIONS)
        pipeline.foreign_import(
            "interactions", location="s3://exports/more/", importMode=import_mode
        )
        pipeline.sleep(3600)
        pipeline.bucket.put("interactions.csv", interactions(1000))
        (problem,) = problems_of(pipeline.run(scheduledTime=NEXT_SLOT))
    assert f"of the last FULL import, which had {len(complete)};" in problem


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


def test_an_earlier_export_is_imported_on_purpose_until_the_next_run():
    with deploy(INTERACTIONS_ONLY) as pipeline:
        pipeline.group = DAYS
        for number, day in enumerate(("2026-11-22", "2026-11-29")):
            pipeline.bucket.put(f"{day}/interactions.csv", interactions(shift=number))
        pipeline.run()
        back = pipeline.machine.start({"exportDate": "2026-11-22"}).wait()
        again = pipeline.machine.start({}).wait()
        sources = [
            request["dataSource"]["dataLocation"]
            for request in pipeline.requests("CreateDatasetImportJob")
        ]
    assert sources == [f"s3://exports/2026-11-{day}/interactions.csv" for day in (29, 22, 29)]
    assert outcomes(back) == {"interactions": "IMPORTED", **DEPLOYED}
    assert outcomes(again)["interactions"] == "IMPORTED"
