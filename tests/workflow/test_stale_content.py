"""Whole runs with new files whose content is old or useless: they pass all other guards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from functions.personalize.tags import tags_of
from tests.workflow.pipeline import SLOT, before_step, deploy
from tests.workflow.summaries import failures, outcomes, problems_of, report, text
from tests.world import FIRST_EVENT, MOVIES, PERSONALIZE, PREFIX, interactions, solution

IMPORTS_ONLY = MOVIES.with_solutions()
NEWEST = datetime.fromtimestamp(FIRST_EVENT + 1199, UTC)


def slots():
    """Return the scheduled time of each night."""
    first = datetime.fromisoformat(SLOT)
    return [f"{first + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}" for day in range(7)]


def run_each_night(pipeline, *exports, name="interactions.csv"):
    """Run the pipeline once with each of these exports, and return the executions."""
    executions = []
    for slot, export in zip(slots(), exports, strict=False):
        pipeline.sleep((datetime.fromisoformat(slot) - pipeline.clock.now()).total_seconds())
        pipeline.bucket.put(name, export)
        executions.append(pipeline.run(scheduledTime=slot))
    return executions


def content_tag(pipeline, slot, dataset="interactions"):
    """Return the tag about the content of the export that the run of a night has imported."""
    run_id = slot.replace("-", "").replace(":", "")
    arn = f"{PERSONALIZE}:dataset-import-job/{PREFIX}-{run_id}-{dataset}"
    return tags_of(pipeline.client, arn).get("retraining-content")


def test_an_export_that_is_written_again_each_night_with_old_events_is_a_warning():
    with deploy(IMPORTS_ONLY.with_datasets("interactions")) as pipeline:
        nights = [interactions() + b"\n" * number for number in range(4)]
        *first, third, fourth, fresh = run_each_night(pipeline, *nights, interactions(shift=9))
        tags = [content_tag(pipeline, slot) for slot in slots()[:4]]
    for execution in (*first, third, fourth, fresh):
        assert outcomes(execution) == {"interactions": "IMPORTED"}, "it is new and complete"
    assert tags[1:] == [f"{NEWEST.isoformat()} {count}" for count in (2, 3, 4)]
    assert [report(execution)["warnings"] for execution in (*first, fresh)] == [[], [], []]
    for execution, count in ((third, 3), (fourth, 4)):
        (warning,) = report(execution)["warnings"]
        assert f"UTC, as in the last {count - 1} imports; check the job" in warning
        (dataset,) = report(execution)["imports"]
        assert dataset["content"]["importsWithNewestEvent"] == count
    assert f", newest event {NEWEST:%Y-%m-%d %H:%M} UTC\n" in text(third)


@pytest.mark.parametrize("days", [-7, 1])
def test_an_export_that_becomes_stale_after_the_plan_is_not_imported(days):
    """An import job has no tag about an export that is not the planned one."""
    group = IMPORTS_ONLY.with_datasets("interactions", max_event_age="70 days")

    def put(_event):
        pipeline.bucket.put("interactions.csv", interactions(shift=days * 86400))

    with deploy(group, handlers=before_step("import_dataset", put)) as pipeline:
        execution = pipeline.run()
        if days < 0:
            assert "is from 2026-09-14 14:33 UTC" in failures(execution)["interactions"]
        else:
            assert outcomes(execution) == {"interactions": "IMPORTED"}
            assert content_tag(pipeline, slots()[0]) is None


def test_a_type_of_events_that_vanishes_is_noticed_in_the_next_run():
    def offers(*types):
        header = "TIMESTAMP,EVENT_TYPE,ACTION_ID,USER_ID"
        rows = [f'{FIRST_EVENT + n},"{name}",a1,u{n}' for n, name in enumerate(types)]
        return "\r\n".join([header, *rows]).encode()

    group = IMPORTS_ONLY.with_datasets("interactions", "action_interactions")
    both, one = offers(*["taken"] * 3, "not, taken"), offers(*["taken"] * 5)
    with deploy(group) as pipeline:
        before, after = run_each_night(pipeline, both, one, name="action_interactions.csv")
    assert outcomes(before)["actionInteractions"] == "IMPORTED"
    assert " UTC, 3 taken, 1 not, taken\n" in text(before)
    message = "lacks types of events that 25.0% of the rows of the last import had;"
    assert outcomes(after)["actionInteractions"] == "IMPORTED"
    assert message in report(after)["warnings"][0]


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
    (warning,) = report(first)["warnings"]
    assert "because no type of an earlier import is known" in warning
    (problem,) = problems_of(second)
    assert "s3://exports/offers/ lacks types of events that 50.0% of the rows" in problem


def test_a_training_of_segments_on_one_timestamp_is_refused_before_it_costs_hours():
    header, *rows = interactions().decode().splitlines()
    export = "\n".join([header, *(f"{row.rpartition(',')[0]},{FIRST_EVENT}" for row in rows)])
    group = MOVIES.with_datasets("interactions").with_solutions(solution(campaigns=()))
    segments = "arn:aws:personalize:::recipe/aws-item-affinity"
    with deploy(replace(group, recipe=segments)) as pipeline:
        pipeline.bucket.put("interactions.csv", export.encode())
        execution = pipeline.run()
        assert pipeline.requests("CreateDatasetImportJob") == []
    (problem,) = problems_of(execution)
    assert "with which Personalize fails to train" in problem
