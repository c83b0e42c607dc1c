"""Deleted users stay deleted: runs wait for the deletion, train again, and refuse old exports."""

from tests.workflow.clients import shared_clients
from tests.workflow.pipeline import NEXT_SLOT, before_step, deploy
from tests.workflow.summaries import DEPLOYED, failures, outcomes, report, skip_reason
from tests.world import HOUR, MOVIES, campaign_arn

HOURS = 20
SLOW = {"data-deletion-job": HOURS * HOUR}
"""A deletion takes 20 hours, and an import, a training and an update together less than four."""


def recommended(user):
    """Return what the campaign recommends to a user."""
    runtime = shared_clients()["runtime_client"]
    response = runtime.get_recommendations(campaignArn=campaign_arn(), userId=user)
    return [item["itemId"] for item in response["itemList"]]


def created_at(pipeline):
    """Return when the newest version was created."""
    newest = pipeline.versions()[-1]
    response = pipeline.client.describe_solution_version(solutionVersionArn=newest)
    return response["solutionVersion"]["creationDateTime"]


def test_after_a_deletion_the_next_run_trains_without_an_import_and_the_one_after_is_skipped():
    with deploy(durations=SLOW) as pipeline:
        pipeline.run()
        assert recommended("u1") != recommended("nobody")
        job = pipeline.delete_users("u1", "u2")
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        assert (outcomes(execution), report(execution)["imports"]) == (DEPLOYED, [])
        assert report(execution)["dataDeletionJobArn"] == job
        described = pipeline.client.describe_data_deletion_job(dataDeletionJobArn=job)
        ended_at = described["dataDeletionJob"]["lastUpdatedDateTime"]

        assert created_at(pipeline) > ended_at, "the run has waited"
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert recommended("u1") == recommended("nobody")
        assert len(execution.events) < 1000, "an execution may have 25,000"
        assert "nothing is new" in skip_reason(pipeline.machine.start({}).wait())
        assert len(pipeline.versions()) == 3, "the deletion asks for one training"


def test_an_import_that_waits_for_a_deletion_refuses_an_export_from_before_it():
    def delete(_event):
        pipeline.delete_users("u1")

    group = MOVIES.with_datasets("interactions", "items")
    with deploy(group, handlers=before_step("import_dataset", delete)) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == {"interactions": "FAILED", "items": "IMPORTED"}
    assert "written before" in failures(execution)["interactions"], "nobody comes back"
