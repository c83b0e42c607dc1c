"""The age of the models and of the data: what the runs remember, and what is measured."""

import pytest

from functions.personalize.tags import CHECKED, tags_of
from tests.workflow.pipeline import NEXT_SLOT, deploy
from tests.workflow.summaries import report, skip_reason
from tests.world import MOVIES, campaign_arn, dataset_arn, solution, solution_arn

DATASETS = [dataset_arn(name) for name in ("interactions", "items", "users")]
NOTHING_NEW = "nothing is new: the exports were imported before"


def checked(pipeline, arn):
    """Return when a run has last found a resource up to date, or None."""
    return tags_of(pipeline.client, arn).get(CHECKED)


def test_a_run_that_finds_nothing_new_writes_that_on_the_campaign_and_on_its_datasets():
    with deploy() as pipeline:
        pipeline.run()
        assert [checked(pipeline, arn) for arn in (*DATASETS, campaign_arn())] == [None] * 4
        pipeline.sleep(3600)
        began = pipeline.clock.now()
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
        times = {checked(pipeline, arn) for arn in (*DATASETS, campaign_arn())}
        assert checked(pipeline, solution_arn()) is None, "its campaign has the tag"
    (time,) = times
    assert began.isoformat() < time < pipeline.clock.now().isoformat()
    assert skip_reason(execution).startswith(NOTHING_NEW)
    assert report(execution)["warnings"] == []


def test_a_solution_without_campaigns_remembers_it_itself():
    with deploy(MOVIES.with_solutions(solution(campaigns=[]))) as pipeline:
        pipeline.run()
        pipeline.run(scheduledTime=NEXT_SLOT)
        assert checked(pipeline, solution_arn()) is not None


def test_a_dry_run_writes_nothing():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.run(scheduledTime=NEXT_SLOT, dryRun=True)
        assert checked(pipeline, campaign_arn()) is None
        assert checked(pipeline, DATASETS[0]) is None


def test_only_the_datasets_with_an_old_export_are_up_to_date_if_one_export_is_new():
    with deploy() as pipeline:
        pipeline.run()
        pipeline.bucket.put("items.csv", pipeline.bucket.objects["items.csv"] + b"\ni999,g1")
        pipeline.run(scheduledTime=NEXT_SLOT)
        is_checked = [checked(pipeline, arn) is not None for arn in (*DATASETS, campaign_arn())]
        assert is_checked == [True, False, True, False], "the campaign serves a new version"


@pytest.mark.parametrize("fault", ["deny", "too-many-tags"])
def test_a_tag_that_cannot_be_written_is_a_warning(fault):
    with deploy() as pipeline:
        pipeline.run()
        pipeline.inject_fault(fault, operation="TagResource", times=None)
        execution = pipeline.run(scheduledTime=NEXT_SLOT)
    assert skip_reason(execution).startswith(NOTHING_NEW)
    warnings = report(execution)["warnings"]
    assert [warning.partition(": ")[0] for warning in warnings] == [*DATASETS, campaign_arn()]
    assert all("the tag retraining-checked cannot be written" in warning for warning in warnings)
