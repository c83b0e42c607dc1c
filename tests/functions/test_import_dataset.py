"""Tests of an import against the emulator: what is read for the rules, and what is requested."""

from datetime import timedelta

import pytest

from functions import clock, exports
from functions.errors import ServiceUnavailable
from functions.import_dataset import handler
from functions.personalize.imports import ImportReader, seen_export
from functions.personalize.tags import tags_of, write_tags
from functions.rules.imports import Import
from tests.functions import samples as s
from tests.workflow.pipeline import RUN_ID, deploy
from tests.world import MOVIES, PERSONALIZE, PREFIX, dataset_arn
from tests.world import exports as csv_files

LOCATION = "s3://exports/items.csv"
ITEMS = dataset_arn("items")
JOBS = f"{PERSONALIZE}:dataset-import-job"
JOB = f"{JOBS}/{PREFIX}-{RUN_ID}-items"
NO_EVENTS = {**s.CONTENT, "rows": 200, "newestEventAt": None, "eventTypes": {}, "emptyValues": {}}
FIRST = f"{JOBS}/movies-first-items"


def items():
    """Deploy a pipeline that imports the items. Its imports take 10 minutes."""
    return deploy(MOVIES.with_datasets("items"))


def fingerprint(pipeline):
    """Return the fingerprint of the export as it is now."""
    objects = exports.list_objects(pipeline.bucket, LOCATION)
    schema = pipeline.client.describe_dataset(datasetArn=ITEMS)["dataset"]["schemaArn"]
    export = exports.Export(location=LOCATION, objects=objects)
    return seen_export(export, "FULL", schema).fingerprint


def iteration(pipeline):
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
            "dataLocation": LOCATION,
            "fingerprint": fingerprint(pipeline),
            "isRequested": False,
            "durations": [600],
            "content": NO_EVENTS,
        },
        "item": None,
    }


def import_items(pipeline, event=None, calls=100):
    """Call the function as the state machine does until the import has an outcome."""
    event = event or iteration(pipeline)
    for _ in range(calls):
        event["item"] = handler(event, None)
        if event["item"]["outcome"] is not None:
            break
        pipeline.sleep(event["item"]["seconds"])
    return event["item"]


def seen(pipeline, own_arn=JOB, **changes):
    """Return the imports of the dataset as the rules see them. `changes` are facts about it."""
    dataset = pipeline.client.describe_dataset(datasetArn=ITEMS)["dataset"]
    return ImportReader(pipeline.client).of_dataset({**dataset, **changes}, own_arn)


def created(pipeline):
    """Return the names of the import jobs that were requested."""
    return [request["jobName"] for request in pipeline.requests("CreateDatasetImportJob")]


@pytest.mark.parametrize("is_certain", [True, False])
def test_the_age_of_the_newest_event_is_measured_once_if_it_is_certain(caplog, is_certain):
    caplog.set_level("INFO")
    with items() as pipeline:
        event, newest = iteration(pipeline), clock.now() - timedelta(hours=5)
        known = {"areAllRowsRead": is_certain, "newestEventAt": newest.isoformat()}
        event["dataset"]["content"] = {**NO_EVENTS, **known}
        import_items(pipeline, event)
    ages = [vars(record).get("NewestEventAgeHours") for record in caplog.records]
    assert [age for age in ages if age] == [pytest.approx(5.2, abs=0.1)] * is_certain


# What is read


def test_an_import_is_read_with_its_tags():
    with items() as pipeline:
        import_items(pipeline)
        own, first = seen(pipeline)
        assert own == Import(
            arn=JOB,
            dataset=ITEMS,
            is_full=True,
            is_running=False,
            is_active=True,
            created_at=own.created_at,
            ended_at=own.created_at + timedelta(minutes=745 / 60),
            run=RUN_ID,
            fingerprint=fingerprint(pipeline),
            is_confirmed=True,
            size=1503,
        )
        assert seen(pipeline, creationDateTime=clock.now()) == [], "they are of an older dataset"
    assert (first.arn, first.run, first.fingerprint, first.size) == (FIRST, None, None, None)


@pytest.mark.parametrize("size", ["many", "-1", "", "²"])
def test_tags_that_a_person_has_edited_make_no_import_hold_its_export(size):
    with items() as pipeline:
        import_items(pipeline)
        write_tags(pipeline.client, JOB, {"retraining-bytes": size, "retraining-confirmed": "yes"})
        own, _ = seen(pipeline)
    assert (own.run, own.size, own.is_confirmed) == (RUN_ID, None, False)


def test_the_tags_of_imports_whose_data_were_replaced_are_not_read():
    with items() as pipeline:
        tags = [{"tagKey": "retraining-run", "tagValue": "old"}]
        pipeline.foreign_import("items", job_name="old", tags=tags)
        pipeline.sleep(700)
        import_items(pipeline)
        own_tags = [{"tagKey": "retraining-run", "tagValue": "later"}]
        pipeline.foreign_import("items", job_name="later", tags=own_tags, importMode="INCREMENTAL")
        pipeline.sleep(700)
        runs = {job.arn.rpartition("/")[2]: job.run for job in seen(pipeline)}
        assert runs == {
            "later": "later",
            f"{PREFIX}-{RUN_ID}-items": RUN_ID,
            "old": None,
            "movies-first-items": None,
        }
        (_, _, old, _) = seen(pipeline, own_arn=f"{JOBS}/old")
    assert old.run == "old", "the import of the present run is always known"


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
        imports = ImportReader(pipeline.client).of_group(pipeline.group.arn, [ITEMS])
        assert sorted((job.dataset, job.run or "") for job in imports) == [
            (dataset_arn("interactions"), ""),
            (ITEMS, ""),
            (ITEMS, RUN_ID),
        ]
        pipeline.personalize.calls.clear()
        ImportReader(pipeline.client).of_group(pipeline.group.arn, [])
        operations = {call.operation for call in pipeline.personalize.calls}
    assert operations == {"ListDatasets", "ListDatasetImportJobs"}


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


def test_an_export_that_changes_during_its_import_fails():
    with items() as pipeline:
        event = iteration(pipeline)
        event["item"] = handler(event, None)
        assert (event["item"]["phase"], event["item"]["arn"]) == ("IMPORTING", JOB)
        assert event["item"]["seconds"] > 45, "a Wait passes the time until it is expected to end"
        pipeline.bucket.put("items.csv", csv_files()["items.csv"] + b"\ni999,g1")
        item = import_items(pipeline, event)
        assert "retraining-confirmed" not in tags_of(pipeline.client, JOB)
    assert (item["outcome"], item["arn"]) == ("FAILED", JOB)
    assert item["reasons"] == [
        "the export changed while it was imported; the next run imports it again"
    ]


def test_an_export_that_has_changed_since_the_plan_is_checked_again():
    with deploy(MOVIES.with_datasets("items", "users")) as pipeline:
        event = iteration(pipeline)
        pipeline.bucket.put("items.csv", b"ITEM,GENRE\ni1,g1")
        refused = import_items(pipeline, {**event})
        assert created(pipeline) == []
        pipeline.bucket.put("items.csv", csv_files()["items.csv"] + b"\ni999,g1")
        item = import_items(pipeline, event)
        tags = tags_of(pipeline.client, JOB)
        assert tags["retraining-fingerprint"] == fingerprint(pipeline)
        assert tags["retraining-bytes"] == "1511"
    assert (item["outcome"], item["bytes"]) == ("IMPORTED", 1511)
    assert (refused["phase"], refused["outcome"], refused["arn"]) == ("CHECKING", "FAILED", None)
    assert "the header lacks ITEM_ID" in refused["reasons"][0]


@pytest.mark.parametrize(("fault", "creates"), [("lost-answer", 1), ("limit-exceeded", 2)])
def test_a_create_is_sent_again_only_if_no_import_job_can_exist(fault, creates):
    with items() as pipeline:
        pipeline.inject_fault(fault, operation="CreateDatasetImportJob")
        pipeline.inject_fault("stale", operation="ListDatasetImportJobs", seconds=90, times=9)
        assert import_items(pipeline)["outcome"] == "IMPORTED"
        assert len(created(pipeline)) == creates, "an import job is found by its ARN"
