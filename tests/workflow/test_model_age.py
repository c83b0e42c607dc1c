"""The age of the models and of the data: what the runs remember, and what is measured."""

from datetime import datetime, timedelta

import pytest

from functions.personalize.tags import CHECKED, tags_of
from tests.workflow.pipeline import NEXT_SLOT, deploy, handler
from tests.workflow.summaries import report, skip_reason
from tests.world import HOUR, MOVIES, campaign_arn, dataset_arn, exports, solution, solution_arn

DATASETS = [dataset_arn(name) for name in ("interactions", "items", "users")]
DAY = 24 * HOUR
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


# Ages over weeks


def ages(pipeline):
    """Return what the hourly measurement finds now."""
    return handler("watch_pipeline")({"stateMachineArn": pipeline.machine.arn}, None)


def deployed(pipeline):
    """Deploy the state machine long before the run, so that the age of the pipeline hides none."""
    assert pipeline.machine.arn
    pipeline.sleep(DAY)


def fire(pipeline, slot, **request):
    """Wait for a slot, measure the ages just before it, and start a run. Return ages and run."""
    pipeline.sleep(max((slot - pipeline.clock.now()).total_seconds(), 0))
    before = ages(pipeline)
    return before, pipeline.run(scheduledTime=slot.isoformat(), **request)


def new_interactions(pipeline, number):
    """Write a new export of interactions."""
    pipeline.bucket.put("interactions.csv", exports(1200 + number)["interactions.csv"])


@pytest.mark.parametrize("is_new", [True, False], ids=["new data", "no new data"])
@pytest.mark.parametrize(
    ("rate", "gap", "firings"),
    [
        ("rate(1 hour)", timedelta(hours=1), 27),
        ("rate(1 day)", timedelta(days=1), 4),
        ("cron(0 3 1 * ? *)", timedelta(days=31), 3),
    ],
    ids=["hourly", "daily", "monthly"],
)
def test_the_models_of_a_healthy_pipeline_stay_below_the_limit(rate, gap, firings, is_new):
    group = MOVIES.with_options(retraining_rate=rate)
    short = dict.fromkeys(("solution-version", "campaign-update"), 600)
    limit = group.args.max_model_age_days * 24
    found = []
    with deploy(group, durations=short) as pipeline:
        assert pipeline.machine.arn
        slot = pipeline.clock.now()
        for number in range(firings):
            if is_new:
                new_interactions(pipeline, number)
            slot = max(slot + gap, pipeline.clock.now())
            before, execution = fire(pipeline, slot)
            assert execution.status == "SUCCEEDED"
            found.append(before["models"]["taste"])
        assert before["unfinishedTrials"] == 0
    assert max(found) < limit
    assert max(found) >= gap.total_seconds() / 3600 - 1, "it was measured just before a run"


def test_the_models_of_a_dead_pipeline_are_too_old_soon_after_the_limit():
    with deploy() as pipeline:
        deployed(pipeline)
        pipeline.run()
        limit = pipeline.args.max_model_age_days * 24
        pipeline.sleep((limit - 3) * HOUR)
        just_below = ages(pipeline)
        pipeline.sleep(3 * HOUR)
        above = ages(pipeline)
    assert just_below["models"]["taste"] < limit < above["models"]["taste"]
    assert max(above["data"].values()) > limit


def test_data_that_stop_arriving_grow_old_while_the_models_are_found_up_to_date():
    with deploy() as pipeline:
        deployed(pipeline)
        pipeline.run()
        slot = datetime.fromisoformat(NEXT_SLOT)
        for week in range(2):
            before, _ = fire(pipeline, slot + week * timedelta(days=7))
        limit = pipeline.args.max_model_age_days * 24
    assert before["models"]["taste"] < limit
    assert before["data"]["items"] < limit, "a catalogue may stay as it is"
    assert before["data"]["interactions"] > limit


def test_events_make_the_data_new_although_the_export_stays():
    with deploy() as pipeline:
        deployed(pipeline)
        pipeline.client.create_event_tracker(name="clicks", datasetGroupArn=pipeline.group.arn)
        pipeline.run()
        slot = datetime.fromisoformat(NEXT_SLOT)
        for week in range(2):
            before, _ = fire(pipeline, slot + week * timedelta(days=7))
        limit = pipeline.args.max_model_age_days * 24
    assert max(*before["data"].values(), *before["models"].values()) < limit


def test_the_models_grow_old_if_every_run_is_refused():
    with deploy() as pipeline:
        deployed(pipeline)
        pipeline.run()
        pipeline.bucket.put("interactions.csv", b"USER_ID,ITEM_ID\n")
        slot = datetime.fromisoformat(NEXT_SLOT)
        for week in range(2):
            before, execution = fire(pipeline, slot + week * timedelta(days=7))
            assert execution.status == "FAILED"
        limit = pipeline.args.max_model_age_days * 24
    assert before["models"]["taste"] > limit


def test_a_pipeline_that_was_deployed_just_now_is_new():
    with deploy() as pipeline:
        pipeline.sleep(30 * DAY)
        assert pipeline.machine.arn
        pipeline.sleep(HOUR)
        assert ages(pipeline) == {
            "models": {"taste": 1},
            "data": {"interactions": 1, "items": 1, "users": 1},
            "unfinishedTrials": 0,
        }


def test_a_campaign_that_is_gone_has_no_age_and_the_others_have():
    two = MOVIES.with_solutions(solution("taste"), solution("similar", campaigns=["shelf"]))
    with deploy(two) as pipeline:
        pipeline.run()
        pipeline.client.delete_campaign(campaignArn=campaign_arn("shelf"))
        pipeline.sleep(HOUR)
        models = ages(pipeline)["models"]
    assert models["similar"] is None
    assert models["taste"] > 0
