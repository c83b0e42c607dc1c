"""Deleted users stay deleted: an import refuses an export from before their deletion."""

from tests.workflow.pipeline import before_step, deploy
from tests.workflow.summaries import failures, outcomes
from tests.world import MOVIES


def test_an_import_that_waits_for_a_deletion_refuses_an_export_from_before_it():
    def delete(_event):
        pipeline.delete_users("u1")

    group = MOVIES.with_datasets("interactions", "items")
    with deploy(group, handlers=before_step("import_dataset", delete)) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == {"interactions": "FAILED", "items": "IMPORTED"}
    assert "written before" in failures(execution)["interactions"], "nobody comes back"
