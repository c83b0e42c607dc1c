"""Whole runs with new files whose content is old or useless: they pass all other guards."""

from datetime import UTC, datetime, timedelta

from tests.workflow.pipeline import SLOT, deploy
from tests.workflow.summaries import outcomes, problems_of, report, text, warnings_of
from tests.world import FIRST_EVENT, MOVIES, interactions

IMPORTS_ONLY = MOVIES.with_solutions()
NEWEST = datetime.fromtimestamp(FIRST_EVENT + 1199, UTC)


def slots():
    """Return the scheduled time of each night."""
    first = datetime.fromisoformat(SLOT)
    return [f"{first + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in range(7)]


def run_each_night(pipeline, *exports):
    """Run the pipeline once with each of these exports, and return the executions."""
    executions = []
    for slot, export in zip(slots(), exports, strict=False):
        pipeline.sleep((datetime.fromisoformat(slot) - pipeline.clock.now()).total_seconds())
        pipeline.bucket.put("interactions.csv", export)
        executions.append(pipeline.run(scheduledTime=slot))

    return executions


def test_an_export_that_is_written_again_each_night_with_old_events_is_a_warning():
    with deploy(IMPORTS_ONLY.with_datasets("interactions")) as pipeline:
        nights = [interactions() + b"\n" * number for number in range(3)]
        first, second, third, fresh = run_each_night(pipeline, *nights, interactions(shift=9))

    for execution in (first, second, third, fresh):
        assert outcomes(execution) == {"interactions": "IMPORTED"}, "it is new and complete"
    assert [warnings_of(execution) for execution in (first, second, fresh)] == [[], [], []]
    (warning,) = warnings_of(third)
    assert "UTC, as in the last 2 imports; check the job" in warning
    (dataset,) = report(third)["imports"]
    assert dataset["content"]["importsWithNewestEvent"] == 3
    assert f", newest event {NEWEST:%Y-%m-%d %H:%M} UTC\n" in text(third)


def test_a_type_that_vanishes_from_a_large_export_is_refused_if_events_are_strict():
    """The export has more files and more bytes than a run reads otherwise."""

    def put_files(*types):
        for number in range(25):
            rows = [f"{FIRST_EVENT},{'u' * 250}{number},a1,{name}" for name in types * 100]
            lines = ["TIMESTAMP,USER_ID,ACTION_ID,EVENT_TYPE", *rows]
            pipeline.bucket.put(f"offers/{number}.csv", "\n".join(lines).encode())

    group = IMPORTS_ONLY.with_datasets("interactions").with_dataset(
        "action_interactions", data_location="s3://exports/offers/", strict_events=True
    )
    with deploy(group) as pipeline:
        put_files("taken", "not taken")
        (first,) = run_each_night(pipeline, interactions())
        put_files("taken", "taken")
        second = pipeline.run(scheduledTime=slots()[1])
    assert outcomes(first)["actionInteractions"] == "IMPORTED"
    (warning,) = warnings_of(first)
    assert "because no type of an earlier import is known" in warning
    (problem,) = problems_of(second)
    assert "s3://exports/offers/ lacks types of events that 50.0% of the rows" in problem
