"""Runs side by side: two stacks in one account, on one solution, and one event that comes twice."""

from tests.workflow.pipeline import PREFIX, RUN, pipeline
from tests.workflow.reading import failed_calls, outcomes
from tests.world import datasets, settings, solution

NAME = f"{PREFIX}-{RUN}-0b519087-1"


def test_two_stacks_with_the_same_slot_in_one_account_do_not_touch_each_others_jobs():
    books = settings(
        datasets=datasets("interactions", "items", group="books"),
        solutions=[solution("reader", ("shelf",))],
    )
    with pipeline() as made:
        other = made.beside(books, prefix="ffffffff")
        slot = made.clock.now().isoformat()
        both = [each.start(scheduledTime=slot) for each in (made, other)]
        first, second = (each.wait() for each in both)
        jobs = [each["jobName"].split("-")[0] for each in made.started("CreateDatasetImportJob")]
        assert made.served("home") == made.versions("taste")[-1]
        assert made.served("shelf") == made.versions("reader")[-1]
        assert (len(made.versions("taste")), len(made.versions("reader"))) == (2, 2)
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
    with pipeline() as made:
        other = made.beside(made.args, prefix="ffffffff")
        first = made.start(skipImport=True)
        made.let_pass(60)
        second = other.start(skipImport=True)
        ended = [each.wait() for each in (first, second)]
        assert made.served() == made.versions()[-1]
        assert len(made.versions()) == 2, "the second adopts what the first began to train"
    for execution in ended:
        assert execution.status == "SUCCEEDED", execution.cause
        assert failed_calls(execution) == []


def test_an_event_that_comes_twice_starts_nothing_twice():
    with pipeline() as made:
        both = [made.start(), made.start()]
        ended = [each.wait() for each in both]
        names = [each["name"] for each in made.started("CreateSolutionVersion")]
        assert made.statuses() == ["ACTIVE", "ACTIVE"], "the first and the run's"
        assert made.served() == made.versions()[-1]
    assert names == [NAME]
    assert [each.status for each in ended] == ["SUCCEEDED", "SUCCEEDED"]
