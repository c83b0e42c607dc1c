"""A person brings back the export of an earlier day with `exportDate`."""

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import DEPLOYED, outcomes
from tests.world import MOVIES, interactions

DAYS = MOVIES.with_datasets("interactions", data_location="s3://exports/{date}/interactions.csv")


def test_an_earlier_export_is_imported_on_purpose_until_the_next_run():
    with deploy(MOVIES.with_datasets("interactions")) as pipeline:
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
