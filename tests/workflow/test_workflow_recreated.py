"""A stack that was recreated or upgraded knows all earlier jobs, although its prefix is new."""

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import outcomes, report
from tests.workflow.test_spending import NEXT, NOTHING_NEW, reason
from tests.world import MOVIES, interactions, solution

RECREATED = "ffffffff"


def test_it_imports_and_trains_nothing_anew():
    with deploy() as pipeline:
        pipeline.run()
        execution = pipeline.second_pipeline(pipeline.group, prefix=RECREATED).run(
            scheduledTime=NEXT
        )
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "the earlier stack's"
        assert len(pipeline.versions()) == 2, "the first and the earlier stack's"
    assert reason(execution) == NOTHING_NEW


def test_it_deploys_the_version_that_the_earlier_stack_trained_and_could_not_deploy():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = pipeline.second_pipeline(pipeline.group, prefix=RECREATED).run(
            scheduledTime=NEXT
        )
        assert len(pipeline.versions()) == 2, "nothing is trained twice"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == {"taste": "DEPLOYED", "home": "DEPLOYED"}
    assert report(execution)["solutions"][0]["adopted"] is False, "a run trained it"


def test_it_compares_an_export_with_what_the_earlier_stack_imported():
    with deploy() as pipeline:
        pipeline.run()
        before, now = (interactions(rows) for rows in (1200, 400))
        pipeline.bucket.put("interactions.csv", now)
        execution = pipeline.second_pipeline(pipeline.group, prefix=RECREATED).run(
            scheduledTime=NEXT
        )
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3, "the earlier stack's"
    assert report(execution)["reason"] == (
        "RunRefused: 1 problem with this run:\n"
        f"  datasets.interactions: s3://exports/interactions.csv has {len(now)} bytes, and the "
        f"last FULL import took {len(before)}: less than minRelativeSize 0.5 of it; if the data "
        "really shrank, lower minRelativeSize for one run"
    )


def test_new_data_are_imported_under_its_own_names():
    with deploy(MOVIES.with_solutions(solution(quality_gate_enabled=False))) as pipeline:
        pipeline.run()
        pipeline.bucket.put("interactions.csv", interactions(1240))
        execution = pipeline.second_pipeline(pipeline.group, prefix=RECREATED).run(
            scheduledTime=NEXT
        )
        names = [each["jobName"] for each in pipeline.requests("CreateDatasetImportJob")][3:]
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert {each.split("-")[0] for each in names} == {RECREATED}
    assert outcomes(execution)["taste"] == "DEPLOYED"
