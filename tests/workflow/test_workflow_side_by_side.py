"""Runs side by side: two stacks in one account, on one solution, and one event that comes twice."""

from tests.workflow.pipeline import RUN_ID, deploy
from tests.workflow.summaries import failed_calls, outcomes
from tests.world import PREFIX, DatasetGroup, solution

NAME = f"{PREFIX}-{RUN_ID}-0b519087-1"


def test_two_stacks_with_the_same_slot_in_one_account_do_not_touch_each_others_jobs():
    books = DatasetGroup("books").with_datasets("interactions", "items")
    books = books.with_solutions(solution("reader", campaigns=["shelf"]))
    with deploy() as pipeline:
        other = pipeline.second_pipeline(books, prefix="ffffffff")
        slot = pipeline.clock.now().isoformat()
        both = [each.start(scheduledTime=slot) for each in (pipeline, other)]
        first, second = (each.wait() for each in both)
        jobs = [
            each["jobName"].split("-")[0] for each in pipeline.requests("CreateDatasetImportJob")
        ]
        assert pipeline.served_version("home") == pipeline.versions("taste")[-1]
        assert pipeline.served_version("shelf") == pipeline.versions("reader")[-1]
        assert (len(pipeline.versions("taste")), len(pipeline.versions("reader"))) == (2, 2)
    assert outcomes(first) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "users": "IMPORTED",
        "taste": "DEPLOYED",
        "home": "DEPLOYED",
    }
    assert outcomes(second) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "reader": "DEPLOYED",
        "shelf": "DEPLOYED",
    }
    assert sorted(set(jobs)) == [PREFIX, "ffffffff"]
    assert failed_calls(first) + failed_calls(second) == []


def test_two_stacks_on_the_same_solution_do_not_move_its_campaign_back():
    with deploy() as pipeline:
        other = pipeline.second_pipeline(pipeline.group, prefix="ffffffff")
        first = pipeline.start(skipImport=True)
        pipeline.sleep(60)
        second = other.start(skipImport=True)
        ended = [each.wait() for each in (first, second)]
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.versions()) == 2, "the second adopts what the first began to train"
    for execution in ended:
        assert execution.status == "SUCCEEDED", execution.cause
        assert failed_calls(execution) == []


def test_an_event_that_comes_twice_starts_nothing_twice():
    with deploy() as pipeline:
        both = [pipeline.start(), pipeline.start()]
        ended = [each.wait() for each in both]
        names = [each["name"] for each in pipeline.requests("CreateSolutionVersion")]
        assert pipeline.statuses() == ["ACTIVE", "ACTIVE"], "the first and the run's"
        assert pipeline.served_version() == pipeline.versions()[-1]
    assert names == [NAME]
    assert [each.status for each in ended] == ["SUCCEEDED", "SUCCEEDED"]
