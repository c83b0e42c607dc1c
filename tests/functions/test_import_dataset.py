"""Tests of an import against the emulator: what is read for the rules, and what is requested."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from functions.common import clock
from functions.common.errors import (
    RequestRefused,
    ServiceUnavailable,
)
from functions.import_dataset import handler
from functions.personalize import imports
from functions.personalize.imports import ImportReader, taint_import
from functions.personalize.tags import read_tags, write_tags
from functions.rules.imports import Import
from functions.s3 import exports
from tests.functions.samples import CONTENT, NOW, ago
from tests.workflow.pipeline import RUN_ID, deploy
from tests.world import MOVIES, PERSONALIZE, PREFIX, dataset_arn
from tests.world import exports as csv_files

LOCATION = "s3://exports/items.csv"
ITEMS = dataset_arn("items")
JOBS = f"{PERSONALIZE}:dataset-import-job"
JOB = f"{JOBS}/{PREFIX}-{RUN_ID}-items"
NO_EVENTS = {**CONTENT, "rows": 200, "newestEventAt": None, "eventTypes": {}, "emptyValues": {}}
FIRST = f"{JOBS}/movies-first-items"


def items():
    """Deploy a pipeline that imports the items. Its imports take 10 minutes."""
    return deploy(MOVIES.with_datasets("items"))


def fingerprint(pipeline):
    """Return the fingerprint of the export as it is now."""
    objects = exports.list_objects(pipeline.bucket, LOCATION)
    schema = pipeline.client.describe_dataset(datasetArn=ITEMS)["dataset"]["schemaArn"]
    export = exports.Export(location=LOCATION, objects=objects)

    return export.build_state("FULL", schema).fingerprint


def iteration(pipeline, location=LOCATION):
    """Return the document of the dataset in a run that was planned now."""
    return {
        "settings": pipeline.group.settings(),
        "run": {
            "id": RUN_ID,
            "trigger": "schedule",
            "startedAt": clock.now().isoformat(),
            "request": {},
        },
        "dataset": {
            "type": "items",
            "dataLocation": location,
            "fingerprint": fingerprint(pipeline),
            "isRequested": False,
            "durations": [600],
            "content": NO_EVENTS,
        },
        "status": None,
    }


def import_items(pipeline, event=None, calls=100):
    """Call the function as the state machine does until the import has an outcome."""
    event = event or iteration(pipeline)
    for _ in range(calls):
        event["status"] = handler(event, None)
        if event["status"]["outcome"] is not None:
            break
        pipeline.sleep(event["status"]["seconds"])

    return event["status"]


def seen(pipeline, own_arn=JOB, **changes):
    """Return the imports of the dataset as the rules see them. `changes` are facts about it."""
    dataset = pipeline.client.describe_dataset(datasetArn=ITEMS)["dataset"]
    reader = ImportReader(pipeline.client, pipeline.group.settings()["datasets"])
    return reader.list_dataset_imports({**dataset, **changes}, own_arn)


def created(pipeline):
    """Return the names of the import jobs that were requested."""
    return [request["jobName"] for request in pipeline.requests("CreateDatasetImportJob")]


@pytest.mark.parametrize("is_certain", [True, False])
def test_the_age_of_the_newest_event_is_measured_once_if_it_is_certain(caplog, is_certain):
    caplog.set_level("INFO")
    with items() as pipeline:
        event = iteration(pipeline)
        newest = clock.now() - timedelta(hours=5)
        known = {"areAllRowsRead": is_certain, "newestEventAt": newest.isoformat()}
        event["dataset"]["content"] = {**NO_EVENTS, **known}
        import_items(pipeline, event)

    ages = [vars(record).get("NewestEventAgeHours") for record in caplog.records]
    assert [age for age in ages if age] == [pytest.approx(5.2, abs=0.1)] * is_certain


def test_an_import_that_a_person_asks_for_is_done_once_in_a_run():
    with items() as pipeline:
        import_items(pipeline)
        event = iteration(pipeline)
        event["run"]["id"] = "20261130T030000Z"
        pipeline.sleep(60)
        event["dataset"]["isRequested"] = True
        import_items(pipeline, event)
        again = import_items(pipeline, {**event, "status": None})

        assert len(created(pipeline)) == 2

    assert again["outcome"] == "IMPORTED"


# What is read


def test_an_import_is_read_with_its_tags():
    with items() as pipeline:
        import_items(pipeline)
        own, first = seen(pipeline)
        assert own == Import(
            arn=JOB,
            dataset_arn=ITEMS,
            is_full=True,
            is_running=False,
            is_active=True,
            created_at=own.created_at,
            ended_at=own.created_at + timedelta(minutes=745 / 60),
            run_id=RUN_ID,
            fingerprint=fingerprint(pipeline),
            is_confirmed=True,
            export_bytes=1503,
        )
        newer = {"creationDateTime": own.created_at + timedelta(seconds=1)}

        assert seen(pipeline, **newer) == [], "they are of an older dataset"

    assert (first.arn, first.run_id, first.fingerprint, first.export_bytes) == (
        FIRST,
        None,
        "",
        None,
    )


@pytest.mark.parametrize("size", ["many", "-1", "", "²"])
def test_tags_that_a_person_has_edited_make_no_import_hold_its_export(size):
    with items() as pipeline:
        import_items(pipeline)
        write_tags(pipeline.client, JOB, {"retraining-bytes": size, "retraining-confirmed": "yes"})
        own, _ = seen(pipeline)

    assert (own.run_id, own.export_bytes, own.is_confirmed) == (RUN_ID, None, False)


def test_an_import_that_the_list_shows_as_running_or_lacks_is_described():
    with items() as pipeline:
        pipeline.foreign_import("items")
        pipeline.sleep(300)
        pipeline.inject_fault("stale", operation="ListDatasetImportJobs", seconds=400, times=3)
        pipeline.sleep(350)
        assert [job.is_running for job in seen(pipeline)] == [False, False]
        pipeline.foreign_import("items", job_name="new")
        pipeline.sleep(1)
        assert len(seen(pipeline)) == 2
        (own,) = seen(pipeline, f"{JOBS}/new")
        assert own.is_running, "nothing else is read until the import of this run has ended"
        pipeline.sleep(700)

        assert seen(pipeline, own.arn)[0] == own._replace(
            is_running=False, is_active=True, ended_at=own.created_at + timedelta(minutes=10)
        ), "it is always known"


def test_the_imports_of_a_group_have_tags_only_in_the_configured_datasets():
    with items() as pipeline:
        import_items(pipeline)
        reader = ImportReader(pipeline.client, pipeline.group.settings()["datasets"])
        found = reader.list_group_imports(pipeline.group.arn)
        assert sorted((job.dataset_arn, job.run_id or "") for job in found) == [
            (dataset_arn("interactions"), ""),
            (ITEMS, ""),
            (ITEMS, RUN_ID),
        ]
        pipeline.personalize.calls.clear()
        ImportReader(pipeline.client, ()).list_group_imports(pipeline.group.arn)
        operations = {call.operation for call in pipeline.personalize.calls}

    assert operations == {"ListDatasets", "ListDatasetImportJobs"}


def test_the_tags_of_a_running_import_are_read_once_and_after_its_end():
    with items() as pipeline:
        pipeline.personalize.calls.clear()
        import_items(pipeline)
        calls = [call for call in pipeline.personalize.calls if JOB in call.request.values()]

    operations = [call.operation for call in calls]
    assert operations.count("DescribeDatasetImportJob") > 10, "it was polled"
    assert operations.count("ListTagsForResource") <= 5, "at first, and after its end"


def read_imports(
    monkeypatch, ages, *, own=(), full=(), tainted_by="", modes=("INCREMENTAL",), of_run=None
):
    """Read INCREMENTAL imports that ended so many hours ago. Return them, and whose tags were read.

    `own` and `full` are the numbers of those that this pipeline has created, and that are FULL.
    `tainted_by` is the tag of the dataset, `modes` are those of all configured datasets, and
    `of_run` is the number of the import of the present run, which is described.
    """
    read = []

    def tags_of_job(_, arn):
        if arn == ITEMS:
            return {"retraining-tainted-by": tainted_by}
        read.append(int(arn.rpartition("/")[2]))

        return {"retraining-run": "run"} if read[-1] in own else {}

    jobs = [
        {
            "datasetImportJobArn": f"{JOBS}/{number}",
            "importMode": "FULL" if number in full else "INCREMENTAL",
            "status": "ACTIVE",
            # Each second one took a day longer, so it began before the next one.
            "creationDateTime": ago(age + (number + 1) % 2 * 25, minutes=1),
            "lastUpdatedDateTime": ago(age),
        }
        for number, age in enumerate(ages)
    ]
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(imports, "list_import_jobs", lambda *_: jobs)
    monkeypatch.setattr(imports, "read_tags", tags_of_job)
    dataset = {"datasetArn": ITEMS, "creationDateTime": ago(10**5)}
    arns = [ITEMS, "another", "a third", "a fourth", "a fifth"]
    datasets = [{"datasetArn": arns[n], "importMode": mode} for n, mode in enumerate(modes)]
    client = SimpleNamespace(
        exceptions=SimpleNamespace(ResourceNotFoundException=KeyError),
        describe_dataset_import_job=lambda **_: {"datasetImportJob": jobs[of_run]},
    )
    own_arn = None if of_run is None else f"{JOBS}/{of_run}"
    return ImportReader(client, datasets).list_dataset_imports(dataset, own_arn), read


DAILY = range(0, 3 * 365 * 24, 24)
HOURLY = range(2000)
OLD = [n * 1000 for n in range(1, 40)]
ALL = range(2000)
FIVE = ["INCREMENTAL"] * 5
MIXED = ["INCREMENTAL", "INCREMENTAL", "FULL", "FULL", "FULL"]


@pytest.mark.parametrize(
    "ages, facts, read",
    [
        (DAILY, {"own": ALL}, [*range(33)]),
        (DAILY, {"own": ALL, "full": [1000]}, [*range(33), 1000]),
        (DAILY, {"own": ALL, "full": [5]}, [*range(6)]),
        (DAILY, {"own": ALL, "full": [5], "of_run": 9}, [*range(6), 9]),
        (DAILY, {"own": [40], "full": [35]}, [*range(41)]),
        (DAILY, {}, [*range(60)]),
        (DAILY, {"own": ALL, "full": [1000], "modes": FIVE}, [*range(12), 1000]),
        (DAILY, {"own": ALL, "modes": MIXED}, [*range(30)]),
        (DAILY, {"own": [12], "full": [11], "modes": MIXED[::-1]}, [*range(6), 11]),
        (DAILY, {"own": [5], "full": [5], "modes": ["FULL"]}, [*range(6)]),
        (HOURLY, {"own": ALL}, [*range(60)]),
        (OLD, {"own": ALL, "modes": FIVE}, [0]),
        (OLD, {"own": [30], "full": [25]}, [*range(31)]),
        (OLD, {"own": [30], "full": [25], "modes": FIVE}, [*range(12), 25]),
    ],
    ids=[
        "daily",
        "since a FULL import",
        "replaced",
        "of this run",
        "own before foreign",
        "foreign",
        "five datasets",
        "two of five",
        "foreign in a FULL dataset",
        "a FULL dataset",
        "hourly",
        "40 days ago",
        "long ago",
        "no proof",
    ],
)
def test_the_tags_of_few_imports_are_read_however_many_there_are(monkeypatch, ages, facts, read):
    found, numbers = read_imports(monkeypatch, ages, **facts)
    assert numbers == read
    unread = [job for number, job in enumerate(found) if number not in read]

    assert {(job.run_id, job.is_confirmed, job.is_foreign) for job in unread} <= {
        (None, True, False)
    }


@pytest.mark.parametrize("tainted_by, number", [("50 2026-10-01T00:00:00+00:00", 50), ("-", None)])
def test_the_import_that_the_tag_of_the_dataset_names_is_tainted(monkeypatch, tainted_by, number):
    found, _ = read_imports(monkeypatch, DAILY, own=ALL, tainted_by=tainted_by)
    tainted = [n for n, job in enumerate(found) if job.is_tainted and not job.is_confirmed]
    assert tainted == ([] if number is None else [number])


def test_a_list_that_cannot_be_read_in_time_decides_nothing():
    with items() as pipeline:
        real_call = pipeline.personalize.call

        def slow_call(*request):
            pipeline.sleep(31)
            return real_call(*request)

        pipeline.personalize.call = slow_call
        with pytest.raises(ServiceUnavailable, match="is too slow"):
            seen(pipeline)


# What is requested


@pytest.mark.parametrize("changes", [{}, {"publish_attribution_metrics_to_s3": True}])
def test_metric_attributions_are_published_if_the_dataset_asks_for_it(changes):
    with deploy(MOVIES.with_datasets("items", **changes)) as pipeline:
        import_items(pipeline)
        (request,) = pipeline.requests("CreateDatasetImportJob")

    assert request.get("publishAttributionMetricsToS3", False) == bool(changes)


FOLDER = MOVIES.with_datasets("items", data_location="s3://exports/items/")


def begun(pipeline):
    """Return the document of the dataset after the call that has started the import."""
    pipeline.bucket.put("items/items.csv", csv_files()["items.csv"])
    event = iteration(pipeline, "s3://exports/items/")
    event["status"] = handler(event, None)

    return event


def test_a_file_that_was_written_after_the_end_of_an_import_does_not_taint_it():
    with deploy(FOLDER) as pipeline:
        event = begun(pipeline)
        pipeline.sleep(800)
        pipeline.bucket.put("items/more.csv", b"ITEM_ID,GENRE\ni999,g1")
        import_items(pipeline, event)
        tags = read_tags(pipeline.client, JOB)

    assert tags["retraining-confirmed"] == tags["retraining-fingerprint"]


@pytest.mark.parametrize("fault", ["throttle", "deny", "lost-answer"])
def test_a_file_that_was_there_only_for_a_moment_taints_the_import_though_tags_get_lost(fault):
    with deploy(FOLDER) as pipeline:
        event = begun(pipeline)
        assert event["status"]["seconds"] > 45, "a Wait passes the time until it is expected to end"
        pipeline.sleep(event["status"]["seconds"])
        pipeline.bucket.put("items/more.csv", b"ITEM_ID,GENRE\ni999,g1")
        real_call = pipeline.personalize.call

        def call(operation, *request):
            if operation == "TagResource":
                pipeline.bucket.objects.pop("items/more.csv", None)
            return real_call(operation, *request)

        pipeline.personalize.call = call
        pipeline.inject_fault(fault, operation="TagResource", times=12)
        status = import_items(pipeline, event)
        assert read_tags(pipeline.client, JOB)["retraining-confirmed"] == "tainted"
    assert (status["outcome"], status["arn"]) == ("FAILED", JOB)


def test_a_tag_that_cannot_be_written_now_is_refused_so_that_the_run_waits():
    with items() as pipeline:
        (first,) = seen(pipeline)
        pipeline.inject_fault("deny", operation="TagResource")
        with pytest.raises(RequestRefused):
            taint_import(pipeline.client, first)


def test_an_export_that_has_changed_since_the_plan_is_checked_again():
    with deploy(MOVIES.with_datasets("items", "users")) as pipeline:
        event = iteration(pipeline)
        event["dataset"]["content"] = CONTENT
        pipeline.bucket.put("items.csv", b"ITEM,GENRE\ni1,g1")
        refused = import_items(pipeline, {**event})
        assert created(pipeline) == []
        pipeline.bucket.put("items.csv", csv_files()["items.csv"] + b"\ni999,g1")
        status = import_items(pipeline, event)
        tags = read_tags(pipeline.client, JOB)

        assert tags["retraining-fingerprint"] == fingerprint(pipeline)
        assert tags["retraining-bytes"] == "1511"
        assert "retraining-content" not in tags, "that of the new export is not known"

    assert (status["outcome"], status["bytes"]) == ("IMPORTED", 1511)
    assert (refused["phase"], refused["outcome"], refused["arn"]) == ("CHECKING", "FAILED", None)
    assert "the header lacks ITEM_ID" in refused["reasons"][0]["text"]


@pytest.mark.parametrize(
    "fault, phase, creates",
    [("lost-answer", "IMPORTING", 1), ("limit-exceeded", "WAITING", 2)],
)
def test_a_create_is_sent_again_only_if_no_import_job_can_exist(fault, phase, creates):
    with items() as pipeline:
        pipeline.inject_fault(fault, operation="CreateDatasetImportJob")
        pipeline.inject_fault("stale", operation="ListDatasetImportJobs", seconds=90, times=9)
        event = iteration(pipeline)
        event["status"] = handler(event, None)

        assert event["status"]["phase"] == phase, "an import job is found by its ARN"
        assert import_items(pipeline, event)["outcome"] == "IMPORTED"
        assert len(created(pipeline)) == creates
