"""A recreated or upgraded stack knows the earlier jobs, although their prefix is another."""

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, problems_of, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW
from tests.world import MOVIES, interactions, solution

NEW_PREFIX = "ffffffff"


def run_recreated(pipeline):
    """Run the pipeline of a recreated stack."""
    recreated = pipeline.second_pipeline(pipeline.group, prefix=NEW_PREFIX)
    return recreated.run(scheduledTime=NEXT_SLOT)


def test_it_repeats_no_import_and_no_training():
    with deploy() as pipeline:
        pipeline.run()
        execution = run_recreated(pipeline)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
        assert len(pipeline.versions()) == 2
    assert skip_reason(execution) == NOTHING_NEW


def test_it_deploys_a_version_of_the_earlier_stack_that_waits():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = run_recreated(pipeline)
        assert len(pipeline.versions()) == 2
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED


def test_it_compares_an_export_with_what_the_earlier_stack_imported():
    with deploy() as pipeline:
        first, second = interactions(6000), interactions(1200)
        pipeline.bucket.put("interactions.csv", first)
        pipeline.run()
        pipeline.bucket.put("interactions.csv", second)
        execution = run_recreated(pipeline)
        assert len(pipeline.requests("CreateDatasetImportJob")) == 3
    (problem,) = problems_of(execution)
    assert problem == (
        f"datasets.interactions: s3://exports/interactions.csv has {len(second)} bytes, and the "
        f"last FULL import took {len(first)}: less than minRelativeSize 0.5 of it; a FULL "
        "import replaces all bulk data, so only if the data really shrank, lower minRelativeSize "
        "for one run"
    )


def test_its_new_import_jobs_have_the_new_prefix():
    with deploy(MOVIES.with_solutions(solution(quality_gate_enabled=False))) as pipeline:
        pipeline.run()
        pipeline.bucket.put("interactions.csv", interactions(1240))
        execution = run_recreated(pipeline)
        requests = pipeline.requests("CreateDatasetImportJob")[3:]
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert {request["jobName"].split("-")[0] for request in requests} == {NEW_PREFIX}
    assert outcomes(execution)["taste"] == "DEPLOYED"
