"""A run starts when the exports of a day are ready, and each export is imported once."""

from contextlib import contextmanager

import pytest

from components.args import LimitsArgs, TriggerArgs
from components.function_configs import FUNCTION_TIMEOUT_SECONDS
from functions import start_on_export
from functions.common.aws import MAX_READ_ATTEMPTS
from functions.common.errors import ServiceUnavailable
from tests.workflow.pipeline import deploy
from tests.workflow.summaries import outcomes, report
from tests.world import MOVIES, interactions

MARKERS = {"interactions": "{date}/interactions-{date}.SUCCESS", "items": "{date}/items.SUCCESS"}
DAY = "2026-11-22"
NEXT_DAY = "2026-11-23"
"""Virtual time begins on DAY."""


@contextmanager
def deployed(*types, mode="FULL"):
    """Deploy a pipeline whose exports of each day have a ready marker.

    It has imported each dataset before the exports of days began.
    """
    with deploy(MOVIES.with_datasets(*types)) as pipeline:
        for name in types:
            pipeline.group = pipeline.group.with_dataset(
                name,
                data_location=f"s3://exports/{{date}}/{name}.csv",
                ready_marker=f"s3://exports/{MARKERS[name]}",
                import_mode=mode,
            )
        pipeline.group = pipeline.group.with_options(
            trigger=TriggerArgs(on_export=True), limits=LimitsArgs(max_trainings_per_month=0)
        )
        yield pipeline


def write(pipeline, name, day, *, shift=0):
    """Write the export of a day, and then its marker."""
    content = interactions(shift=shift) if name == "interactions" else MOVIES_ITEMS
    pipeline.bucket.put(f"{day}/{name}.csv", content)
    pipeline.bucket.put(MARKERS[name].replace("{date}", day), b"")


MOVIES_ITEMS = b"ITEM_ID,GENRE\n" + b"\n".join(f"i{number},g1".encode() for number in range(200))


def marker_event(pipeline, name, day):
    """Deliver the event about a marker. Return the name of the execution that it starts."""
    event = {
        "stateMachineArn": pipeline.machine.arn,
        "bucket": "exports",
        "key": MARKERS[name].replace("{date}", day),
    }

    return start_on_export.handler(event, None)


def executions(pipeline):
    """Return the executions that markers have started, after their end, oldest first."""
    return [execution.wait() for execution in pipeline.executions("export")]


def sources(pipeline):
    """Return the location of each import, in order."""
    return [
        request["dataSource"]["dataLocation"].removeprefix("s3://exports/")
        for request in pipeline.requests("CreateDatasetImportJob")
    ]


def test_a_run_starts_when_the_last_marker_of_a_day_is_written():
    with deployed("interactions", "items") as pipeline:
        write(pipeline, "interactions", DAY)
        assert marker_event(pipeline, "interactions", DAY) is None, "items are missing"
        write(pipeline, "items", DAY)
        assert marker_event(pipeline, "items", DAY).startswith(f"export-{DAY}-")
        (execution,) = executions(pipeline)

        assert sorted(sources(pipeline)) == [f"{DAY}/interactions.csv", f"{DAY}/items.csv"]

    assert set(outcomes(execution).values()) == {"IMPORTED", "DEPLOYED"}


def test_one_run_starts_however_many_events_there_are_until_a_marker_is_written_again():
    with deployed("interactions", "items") as pipeline:
        for name in ("interactions", "items"):
            write(pipeline, name, DAY)
        names = {marker_event(pipeline, name, DAY) for name in ("items", "interactions", "items")}
        (first,) = executions(pipeline)
        pipeline.sleep(3600)
        names.add(marker_event(pipeline, "items", DAY))
        assert (len(names), len(executions(pipeline))) == (1, 1), "late, after the run has ended"
        write(pipeline, "interactions", DAY, shift=1)
        marker_event(pipeline, "interactions", DAY)
        (again,) = (run for run in executions(pipeline) if run.arn != first.arn)

    assert outcomes(again)["interactions"] == "IMPORTED"


@pytest.mark.parametrize(
    "key",
    [
        f"{DAY}/interactions.csv",
        "interactions.SUCCESS",
        "x/items.SUCCESS",
        f"{DAY}/interactions-{NEXT_DAY}.SUCCESS",
    ],
)
def test_an_object_that_is_no_marker_starts_nothing(key):
    with deployed("interactions", "items") as pipeline:
        for name in MARKERS:
            write(pipeline, name, DAY)
        event = {"stateMachineArn": pipeline.machine.arn, "bucket": "exports", "key": key}
        assert start_on_export.handler(event, None) is None


def test_an_incremental_export_of_an_earlier_day_that_comes_late_is_appended():
    with deployed("interactions", mode="INCREMENTAL") as pipeline:
        for number, day in enumerate((NEXT_DAY, DAY)):
            write(pipeline, "interactions", day, shift=number)
            marker_event(pipeline, "interactions", day)
            pipeline.sleep(6 * 3600)
        runs = executions(pipeline)
        assert sources(pipeline) == [f"{NEXT_DAY}/interactions.csv", f"{DAY}/interactions.csv"]
        marker_event(pipeline, "interactions", NEXT_DAY)

        assert executions(pipeline)[-1].arn == runs[-1].arn

    assert [outcomes(run)["interactions"] for run in runs] == ["IMPORTED", "IMPORTED"]


def test_a_scheduled_run_imports_an_export_whose_marker_has_started_no_run():
    with deployed("interactions") as pipeline:
        write(pipeline, "interactions", "2026-11-29")
        assert outcomes(pipeline.run())["interactions"] == "IMPORTED"
        marker_event(pipeline, "interactions", "2026-11-29")
        (late,) = executions(pipeline)

    assert report(late)["outcome"] == "SKIPPED", "the event of the marker came after the run"


def test_step_functions_may_be_out_of_order_for_minutes_when_a_marker_comes():
    with deployed("interactions") as pipeline:
        write(pipeline, "interactions", DAY)
        faults = {
            "fault": "throttle",
            "operation": "StartExecution",
            "times": 4 * MAX_READ_ATTEMPTS,
        }
        pipeline.step_functions.faults.inject(faults)
        assert marker_event(pipeline, "interactions", DAY).startswith(f"export-{DAY}-")
        (execution,) = executions(pipeline)

    assert report(execution)["outcome"] == "DEPLOYED"


def test_the_function_gives_up_before_its_timeout():
    """Lambda then invokes it again, and an alarm rings."""
    with deployed("interactions") as pipeline:
        write(pipeline, "interactions", DAY)
        faults = {"fault": "server-error", "operation": "StartExecution", "times": None}
        pipeline.step_functions.faults.inject(faults)
        start = pipeline.clock.now()
        with pytest.raises(ServiceUnavailable):
            marker_event(pipeline, "interactions", DAY)
        seconds = (pipeline.clock.now() - start).total_seconds()

    assert 300 <= seconds <= FUNCTION_TIMEOUT_SECONDS


def test_full_exports_whose_markers_come_together_are_each_imported():
    """The second marker is older than the first import."""
    with deployed("interactions") as pipeline:
        for number, day in enumerate((DAY, NEXT_DAY)):
            write(pipeline, "interactions", day, shift=number)
            marker_event(pipeline, "interactions", day)
        assert [report(run)["outcome"] for run in executions(pipeline)] == ["DEPLOYED", "DEPLOYED"]
        assert sources(pipeline) == [f"{DAY}/interactions.csv", f"{NEXT_DAY}/interactions.csv"]
