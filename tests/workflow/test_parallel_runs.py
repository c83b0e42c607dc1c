"""Two stacks in one account do not disturb each other."""

from tests.workflow.pipeline import deploy
from tests.workflow.summaries import ALL_DONE, failed_calls, outcomes
from tests.world import PREFIX, DatasetGroup, solution


def test_two_stacks_with_the_same_slot_use_their_own_jobs():
    books = DatasetGroup("books").with_datasets("interactions", "items")
    books = books.with_solutions(solution("reader", campaigns=["shelf"]))
    with deploy() as pipeline:
        second_pipeline = pipeline.second_pipeline(books, prefix="ffffffff")
        slot = pipeline.clock.now().isoformat()
        started = [item.start(scheduledTime=slot) for item in (pipeline, second_pipeline)]
        first, second = (execution.wait() for execution in started)
        requests = pipeline.requests("CreateDatasetImportJob")
        assert pipeline.served_version("home") == pipeline.versions("taste")[-1]
        assert pipeline.served_version("shelf") == pipeline.versions("reader")[-1]
        assert len(pipeline.versions("taste")) == len(pipeline.versions("reader")) == 2
    assert outcomes(first) == ALL_DONE
    assert outcomes(second) == {
        "interactions": "IMPORTED",
        "items": "IMPORTED",
        "reader": "DEPLOYED",
        "shelf": "DEPLOYED",
    }
    assert {request["jobName"].split("-")[0] for request in requests} == {PREFIX, "ffffffff"}
    assert failed_calls(first) + failed_calls(second) == []


def test_two_stacks_with_the_same_solution_deploy_the_same_version():
    with deploy() as pipeline:
        second_pipeline = pipeline.second_pipeline(pipeline.group, prefix="ffffffff")
        first = pipeline.start(skipImport=True)
        pipeline.sleep(60)
        second = second_pipeline.start(skipImport=True)
        executions = [first.wait(), second.wait()]
        assert pipeline.served_version() == pipeline.versions()[-1]
        assert len(pipeline.versions()) == 2, "the second stack adopts the training of the first"
    for execution in executions:
        assert execution.status == "SUCCEEDED", execution.cause
        assert failed_calls(execution) == []
