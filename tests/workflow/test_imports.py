"""Imports may fail, hang or wait for a slot, and no import job is ever created twice."""

from datetime import datetime, timedelta

import pytest

from components.args import LimitsArgs
from emulator.virtual.lambda_runtime import Fails
from tests.workflow.clients import shared_clients
from tests.workflow.pipeline import RUN_ID, before_step, deploy, handler, killed_after_work
from tests.workflow.summaries import ALL_DONE, failed_calls, failures, outcomes, report
from tests.world import IMPORT_ROLE, MOVIES, PERSONALIZE, PREFIX, dataset_arn

JOB_ARNS = f"{PERSONALIZE}:dataset-import-job"
ITEMS_JOB = f"{PREFIX}-{RUN_ID}-items-1"
NO_SLOT = "More than 5 resources with PENDING or IN_PROGRESS status"


def requested_names(pipeline):
    """Return the names of the import jobs that the run requested, in order."""
    return [request["jobName"] for request in pipeline.requests("CreateDatasetImportJob")]


def existing_names(pipeline):
    """Return the names of the import jobs of the run that exist, sorted."""
    jobs = pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]
    return sorted(job["jobName"] for job in jobs if job["jobName"].startswith(PREFIX))


# Failures and deadlines


def test_one_failed_import_stops_the_run_before_training():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=ITEMS_JOB, reason="Row 7 has no ITEM_ID"
        )
        old = pipeline.served_version()
        execution = pipeline.run()
        assert pipeline.requests("CreateSolutionVersion") == []
        assert pipeline.served_version() == old
    text = (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: FAILED: Row 7 has no ITEM_ID\n"
        "  import of users: IMPORTED"
    )
    assert report(execution)["text"] == text, "the run waits for the other imports"
    assert execution.status == "FAILED"
    assert (execution.error, execution.cause) == ("RetrainingFailed", text)
    assert failed_calls(execution) == [], "a failed job is no error of a function"


def test_an_export_that_is_deleted_after_the_plan_fails_its_import():
    def delete_users(_event):
        pipeline.bucket.objects.pop("users.csv")

    with deploy(handlers=before_step("create_dataset_import_job", delete_users)) as pipeline:
        execution = pipeline.run()
    assert failures(execution) == {
        "users": "RunRefused: 1 problem with this run:\n  datasets.users: there is no object at "
        "s3://exports/users.csv; check dataLocation and the job that writes the export"
    }, "a changed export is checked again"


def test_all_imports_that_cannot_be_created_are_reported():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "limit-exceeded", operation="CreateDatasetImportJob", message="No.", times=3
        )
        execution = pipeline.run()
    error = (
        "LimitExceededException: An error occurred (LimitExceededException) when calling the "
        "CreateDatasetImportJob operation (reached max retries: 0): No."
    )
    assert failures(execution) == dict.fromkeys(("interactions", "items", "users"), error)
    assert [item["datasetImportJobArn"] for item in report(execution)["imports"]] == [None] * 3


def test_an_import_that_hangs_fails_at_its_deadline():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="dataset-import-job", of=ITEMS_JOB)
        started_at = pipeline.clock.now()
        execution = pipeline.run()
        duration = pipeline.clock.now() - started_at
        assert pipeline.requests("CreateSolutionVersion") == []
    assert failures(execution) == {"items": "still CREATE IN_PROGRESS after 6 hours"}
    assert report(execution)["imports"][1]["datasetImportJobArn"] == f"{JOB_ARNS}/{ITEMS_JOB}"
    assert timedelta(hours=6) <= duration < timedelta(hours=6, minutes=3)


def test_an_import_that_ends_right_before_its_deadline_succeeds():
    limits = LimitsArgs(max_import_hours=0.25)
    dataset_types = ("interactions", "items", "users")
    durations = {f"{PREFIX}-{RUN_ID}-{kind}-1": 899 for kind in dataset_types}
    with deploy(MOVIES.with_options(limits=limits), durations=durations) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE, "the status is checked before the deadline"


def test_an_unknown_status_counts_as_running_with_a_warning():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "unknown-status", job="dataset-import-job", of=ITEMS_JOB, status="CREATE PAUSED"
        )
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE
    assert report(execution)["warnings"] == [
        f"{JOB_ARNS}/{ITEMS_JOB}: the status 'CREATE PAUSED' is unknown and counts as running"
    ], "the warning stays when the status changes"


def test_an_import_with_an_unknown_status_fails_at_its_deadline():
    with deploy(durations={ITEMS_JOB: 30 * 3600}) as pipeline:
        pipeline.inject_fault(
            "unknown-status", job="dataset-import-job", of=ITEMS_JOB, status="PAUSED"
        )
        execution = pipeline.run()
    assert failures(execution) == {"items": "still PAUSED after 6 hours"}
    assert report(execution)["warnings"] == [
        f"{JOB_ARNS}/{ITEMS_JOB}: the status 'PAUSED' is unknown and counts as running"
    ]


# The quota of five running imports


def test_the_run_waits_for_free_import_slots():
    foreign_jobs = {f"foreign-{number}": 3 * 3600 + number * 600 for number in range(5)}
    with deploy(durations=foreign_jobs) as pipeline:
        for job_name in foreign_jobs:
            pipeline.foreign_import("items", job_name=job_name)
        started_at = pipeline.clock.now()
        execution = pipeline.run()
        results = execution.output["imports"]["results"]
    assert outcomes(execution) == ALL_DONE
    assert failed_calls(execution) == [], "a full quota is no error of a function"
    waits = [datetime.fromisoformat(result["job"]["createdAt"]) - started_at for result in results]
    assert min(waits) >= timedelta(hours=3), "the first slot becomes free after three hours"
    assert max(waits) <= timedelta(hours=4.5), "then a slot becomes free every 10 minutes"


def test_an_import_without_a_slot_fails_after_the_limit():
    foreign_jobs = {f"foreign-{number}": 10 * 3600 for number in range(5)}
    limits = LimitsArgs(max_import_hours=2)
    with deploy(MOVIES.with_options(limits=limits), durations=foreign_jobs) as pipeline:
        for job_name in foreign_jobs:
            pipeline.foreign_import("items", job_name=job_name)
        started_at = pipeline.clock.now()
        execution = pipeline.run()
        duration = pipeline.clock.now() - started_at
    no_slot = f"gave up after 2 hours: no import slot is free: {NO_SLOT}"
    in_use = (
        f"gave up after 2 hours: {JOB_ARNS}/foreign-0 is importing into this dataset; no import "
        "can be stopped, so wait for its end, or ask AWS Support if it never ends"
    )
    assert failures(execution) == {"interactions": no_slot, "items": in_use, "users": no_slot}
    assert timedelta(hours=2) <= duration < timedelta(hours=2, minutes=3)
    assert [item["datasetImportJobArn"] for item in report(execution)["imports"]] == [None] * 3


def test_another_quota_is_an_error_without_retries():
    with deploy() as pipeline:
        message = "More than 100 datasets"
        pipeline.inject_fault("limit-exceeded", operation="CreateDatasetImportJob", message=message)
        execution = pipeline.run()
        assert len(requested_names(pipeline)) == 3
    assert failures(execution) == {
        "interactions": "LimitExceededException: An error occurred (LimitExceededException) when "
        f"calling the CreateDatasetImportJob operation (reached max retries: 0): {message}"
    }


# Faults


@pytest.mark.parametrize("operation", ["CreateDatasetImportJob", "DescribeDatasetImportJob"])
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_an_import_is_retried_after_throttling_and_server_errors(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=12)
        execution = pipeline.run()
        assert existing_names(pipeline) == sorted(set(existing_names(pipeline))), (
            "each job exists once"
        )
    assert outcomes(execution) == ALL_DONE
    errors = {error for _, error in failed_calls(execution)}
    assert errors == {"Throttled" if fault == "throttle" else "ServiceUnavailable"}


@pytest.mark.parametrize("status", [None, 500])
def test_an_import_whose_creation_got_no_response_is_not_created_twice(status):
    with deploy() as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateDatasetImportJob", status=status)
        execution = pipeline.run()
        names = requested_names(pipeline)
        assert existing_names(pipeline) == sorted(names), "the retry finds the job in the list"
    assert outcomes(execution) == ALL_DONE
    assert failed_calls(execution) == [("create_dataset_import_job", "ServiceUnavailable")]


def test_an_import_that_is_not_visible_yet_is_adopted_later():
    with deploy() as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateDatasetImportJob")
        pipeline.inject_fault("stale", operation="DescribeDatasetImportJob", seconds=30)
        execution = pipeline.run()
        assert existing_names(pipeline) == sorted(set(requested_names(pipeline)))
    assert outcomes(execution) == ALL_DONE, "a stale response says that the job does not exist"


@pytest.mark.parametrize("error", ["Sandbox.Timedout", "Runtime.ExitError"])
def test_a_function_that_was_killed_after_it_created_an_import_adopts_the_import(error):
    with deploy(handlers=killed_after_work("create_dataset_import_job", error=error)) as pipeline:
        execution = pipeline.run()
        assert len(existing_names(pipeline)) == 3
    assert outcomes(execution) == ALL_DONE
    assert failed_calls(execution) == [("create_dataset_import_job", error)]


def test_a_watching_function_that_is_killed_is_retried():
    with deploy(handlers=killed_after_work("watch_dataset_import_job", times=2)) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == ALL_DONE
    assert failed_calls(execution) == [("watch_dataset_import_job", "Sandbox.Timedout")] * 2


def test_a_function_that_is_always_killed_fails_only_its_dataset():
    def killed_for_items(event, context):
        if event["dataset"]["type"] == "items":
            raise Fails("Runtime.ExitError", "signal: killed")
        return handler("watch_dataset_import_job")(event, context)

    with deploy(handlers={"watch_dataset_import_job": killed_for_items}) as pipeline:
        execution = pipeline.run()
    assert failures(execution) == {"items": "Runtime.ExitError: signal: killed"}
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "FAILED",
        "users": "IMPORTED",
    }
    assert len(failed_calls(execution)) == 6, "one attempt and five retries"


# Adoption


def with_foreign_job(**request):
    """Return handlers with which somebody creates a job with the planned name of `items`."""

    def create(_event):
        job = {"job_name": ITEMS_JOB, "importMode": "FULL", **request}
        return shared_clients()["operator"].create_dataset_import_job(
            jobName=job.pop("job_name"),
            **{
                "datasetArn": dataset_arn("ITEMS"),
                "dataSource": {"dataLocation": "s3://exports/items.csv"},
                "roleArn": IMPORT_ROLE,
                **job,
            },
        )

    return before_step("create_dataset_import_job", create)


def test_an_import_that_no_list_shows_is_adopted_by_its_name():
    def let_list_be_old(event):
        if event["dataset"]["type"] == "items":
            pipeline.inject_fault(
                "stale", operation="ListDatasetImportJobs", of=dataset_arn("items"), seconds=900
            )

    handlers = before_step("create_dataset_import_job", let_list_be_old, times=9)
    with deploy(handlers=handlers) as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateDatasetImportJob", times=3)
        execution = pipeline.run()
        names = requested_names(pipeline)
        assert existing_names(pipeline) == sorted(set(names))
    assert outcomes(execution) == ALL_DONE
    assert names.count(ITEMS_JOB) == 2, "the retry learns from its request that the job exists"


def test_a_failed_job_with_the_same_name_is_not_created_again():
    tags = [{"tagKey": "retraining-run", "tagValue": RUN_ID}]
    with deploy(handlers=with_foreign_job(tags=tags)) as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=ITEMS_JOB, reason="Row 7 has no ITEM_ID"
        )
        execution = pipeline.run()
    assert failures(execution) == {"items": "Row 7 has no ITEM_ID"}


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (
            {"dataSource": {"dataLocation": "s3://exports/interactions.csv"}},
            (
                "with dataLocation s3://exports/interactions.csv instead of "
                "s3://exports/items.csv; "
                "start a new run, or set the config back and resume this run"
            ),
        ),
        (
            {"datasetArn": dataset_arn("USERS")},
            (
                f"with datasetArn {dataset_arn('USERS')} instead of {dataset_arn('ITEMS')}; "
                "start a new run, or set the config back and resume this run"
            ),
        ),
        (
            {"importMode": "INCREMENTAL"},
            (
                "with importMode INCREMENTAL instead of FULL; "
                "start a new run, or set the config back and resume this run"
            ),
        ),
        (
            {"roleArn": f"{IMPORT_ROLE}-2"},
            (
                f"with roleArn {IMPORT_ROLE}-2 instead of {IMPORT_ROLE}; "
                "start a new run, or set the config back and resume this run"
            ),
        ),
        (
            {},
            (
                f"but run {RUN_ID} did not create it, because its tag retraining-run is missing or "
                "has another value; start a new run"
            ),
        ),
    ],
    ids=["location", "dataset", "mode", "role", "not tagged"],
)
def test_a_different_job_with_the_same_name_is_an_error(changes, difference):
    with deploy(handlers=with_foreign_job(**changes)) as pipeline:
        execution = pipeline.run()
        assert pipeline.requests("CreateSolutionVersion") == []
    assert failures(execution)["items"] == (
        f"NameTaken: {JOB_ARNS}/{ITEMS_JOB} already exists, {difference}"
    )
