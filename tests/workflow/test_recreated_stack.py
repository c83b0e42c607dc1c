"""A recreated or upgraded stack knows the earlier jobs, although their prefix is another."""

from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import DEPLOYED, outcomes, skip_reason
from tests.workflow.test_skipped_runs import NOTHING_NEW

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
    assert skip_reason(execution) == NOTHING_NEW.format(
        "interactions, items and users", "2026-11-01 00:00"
    )


def test_it_deploys_a_version_of_the_earlier_stack_that_waits():
    with deploy() as pipeline:
        pipeline.inject_fault("fail", job="campaign-update", reason="Internal service error")
        pipeline.run()
        execution = run_recreated(pipeline)
        assert len(pipeline.versions()) == 2
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert outcomes(execution) == DEPLOYED
