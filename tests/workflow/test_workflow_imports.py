"""Imports: what fails, hangs or waits for a slot, and that no job is ever created twice."""

from datetime import datetime, timedelta

import pytest

from components.args import LimitsArgs
from emulator.virtual.lambda_runtime import Fails
from tests.workflow.pipeline import RUN_ID, deploy, handler, killed_after_work
from tests.workflow.summaries import failed_calls, failures, outcomes, report
from tests.world import IMPORT_ROLE, MOVIES, PREFIX, dataset_arn

JOBS = "arn:aws:personalize:eu-west-1:123456789012:dataset-import-job"
ITEMS = f"{PREFIX}-{RUN_ID}-items-1"
SLOTS = "More than 5 resources with PENDING or IN_PROGRESS status"
ALL = {
    "interactions": "IMPORTED",
    "items": "IMPORTED",
    "users": "IMPORTED",
    "taste": "DEPLOYED",
    "home": "DEPLOYED",
}


def create_job(pipeline, job_name, **changes):
    """Create an import of the items by hand, just as the run would unless changed."""
    return pipeline.client.create_dataset_import_job(
        **{
            "jobName": job_name,
            "datasetArn": dataset_arn("ITEMS"),
            "dataSource": {"dataLocation": "s3://exports/items.csv"},
            "roleArn": IMPORT_ROLE,
            "importMode": "FULL",
            **changes,
        }
    )


def created(pipeline):
    """Give the names that jobs were asked for under, in order."""
    return [each["jobName"] for each in pipeline.requests("CreateDatasetImportJob")]


def imported(pipeline):
    """Give how many jobs there are of each of the run's names; 1 at most, whatever happened."""
    jobs = pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]
    return sorted(each["jobName"] for each in jobs if each["jobName"].startswith(PREFIX))


# What fails


def test_one_failed_import_stops_the_run_before_training():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=ITEMS, reason="Row 7 has no ITEM_ID"
        )
        first = pipeline.served_version()
        execution = pipeline.run()
        assert pipeline.requests("CreateSolutionVersion") == [], (
            "nothing is trained on half of the data"
        )
        assert pipeline.served_version() == first
    text = (
        f"Retraining run {RUN_ID}: FAILED\n"
        "  import of interactions: IMPORTED\n"
        "  import of items: FAILED: Row 7 has no ITEM_ID\n"
        "  import of users: IMPORTED"
    )
    assert report(execution)["text"] == text, "the others are waited for and reported"
    assert (execution.status, execution.error, execution.cause) == (
        "FAILED",
        "RetrainingFailed",
        text,
    )
    assert failed_calls(execution) == [], "a failed job is no failing function"


def test_an_import_of_a_file_that_goes_after_the_plan_fails_with_the_reason_of_the_service():
    def goes(event, context):
        planned = handler("plan_retraining")(event, context)
        del pipeline.bucket.objects["users.csv"]
        return planned

    with deploy(handlers={"plan_retraining": goes}) as pipeline:
        execution = pipeline.run()
    assert failures(execution) == {
        "users": "Invalid Data location. There is no CSV file at s3://exports/users.csv"
    }


def test_imports_that_cannot_even_be_created_are_all_reported():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "limit-exceeded", operation="CreateDatasetImportJob", message="No.", times=3
        )
        execution = pipeline.run()
    refused = (
        "LimitExceededException: An error occurred (LimitExceededException) when calling the "
        "CreateDatasetImportJob operation (reached max retries: 0): No."
    )
    assert failures(execution) == dict.fromkeys(("interactions", "items", "users"), refused)
    assert [each["datasetImportJobArn"] for each in report(execution)["imports"]] == [None] * 3


def test_an_import_that_hangs_is_given_up_at_its_deadline():
    with deploy() as pipeline:
        pipeline.inject_fault("hang", job="dataset-import-job", of=ITEMS)
        began = pipeline.clock.now()
        execution = pipeline.run()
        took = pipeline.clock.now() - began
        assert pipeline.requests("CreateSolutionVersion") == []
    assert failures(execution) == {"items": "still CREATE IN_PROGRESS after 6 hours"}
    assert report(execution)["imports"][1]["datasetImportJobArn"] == f"{JOBS}/{ITEMS}"
    assert timedelta(hours=6) <= took < timedelta(hours=6, minutes=1), (
        "at it, not before or long after"
    )


def test_an_import_that_ends_at_its_deadline_has_ended():
    limits = LimitsArgs(max_import_hours=0.25)
    seconds = {f"{PREFIX}-{RUN_ID}-{each}-1": 899 for each in ("interactions", "items", "users")}
    with deploy(MOVIES.with_options(limits=limits), durations=seconds) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == ALL, "the status is judged first, the deadline then"


def test_an_unknown_status_is_under_way_and_leaves_a_warning():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "unknown-status", job="dataset-import-job", of=ITEMS, status="CREATE PAUSED"
        )
        execution = pipeline.run()
    assert outcomes(execution) == ALL
    assert report(execution)["warnings"] == [
        f"{JOBS}/{ITEMS}: the status 'CREATE PAUSED' is unknown; taken for under way"
    ], "even if it passes"


def test_an_unknown_status_ends_at_the_deadline():
    with deploy(durations={ITEMS: 30 * 3600}) as pipeline:
        pipeline.inject_fault("unknown-status", job="dataset-import-job", of=ITEMS, status="PAUSED")
        execution = pipeline.run()
    assert failures(execution) == {"items": "still PAUSED after 6 hours"}
    assert report(execution)["warnings"] == [
        f"{JOBS}/{ITEMS}: the status 'PAUSED' is unknown; taken for under way"
    ]


# The quota of five


def test_import_slots_that_are_all_taken_are_waited_for():
    taken = {f"other-{number}": 3 * 3600 + number * 600 for number in range(5)}
    with deploy(durations=taken) as pipeline:
        for each in taken:
            create_job(pipeline, each)
        began = pipeline.clock.now()
        execution = pipeline.run()
        jobs = execution.output["imports"]["results"]
    assert outcomes(execution) == ALL
    assert failed_calls(execution) == [], "a full house is data, not an exception"
    waits = [datetime.fromisoformat(each["job"]["createdAt"]) - began for each in jobs]
    assert min(waits) >= timedelta(hours=3), "until the first of the five had ended"
    assert max(waits) <= timedelta(hours=3, minutes=40), "and soon after there was a slot for each"


def test_waiting_for_an_import_slot_is_given_up_after_the_limit():
    taken = {f"other-{number}": 10 * 3600 for number in range(5)}
    limits = LimitsArgs(max_import_hours=2)
    with deploy(MOVIES.with_options(limits=limits), durations=taken) as pipeline:
        for each in taken:
            create_job(pipeline, each)
        began = pipeline.clock.now()
        execution = pipeline.run()
        took = pipeline.clock.now() - began
    waited = f"{SLOTS}, for 2 hours now"
    assert failures(execution) == dict.fromkeys(("interactions", "items", "users"), waited)
    assert timedelta(hours=2) <= took < timedelta(hours=2, minutes=3)
    assert [each["datasetImportJobArn"] for each in report(execution)["imports"]] == [None] * 3, (
        "no job came to be"
    )


def test_another_quota_is_an_error_at_once():
    with deploy() as pipeline:
        other = "More than 100 datasets"
        pipeline.inject_fault("limit-exceeded", operation="CreateDatasetImportJob", message=other)
        execution = pipeline.run()
        assert len(created(pipeline)) == 3, "it is not tried again"
    assert failures(execution) == {
        "interactions": "LimitExceededException: An error occurred (LimitExceededException) when "
        f"calling the CreateDatasetImportJob operation (reached max retries: 0): {other}"
    }


# Trouble on the way


@pytest.mark.parametrize("operation", ["CreateDatasetImportJob", "DescribeDatasetImportJob"])
@pytest.mark.parametrize("fault", ["throttle", "server-error"])
def test_throttling_and_server_errors_of_imports_pass(operation, fault):
    with deploy() as pipeline:
        pipeline.inject_fault(fault, operation=operation, times=12)
        execution = pipeline.run()
        assert imported(pipeline) == sorted(set(imported(pipeline))), "each job exists once"
    assert outcomes(execution) == ALL
    errors = {error for _, error in failed_calls(execution)}
    assert errors == {"Throttled" if fault == "throttle" else "ServiceUnavailable"}


@pytest.mark.parametrize("status", [None, 500])
def test_an_import_whose_creation_was_not_answered_is_not_created_again(status):
    with deploy() as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateDatasetImportJob", status=status)
        execution = pipeline.run()
        names = created(pipeline)
        assert imported(pipeline) == sorted(set(names)), "no second job under another name"
    assert outcomes(execution) == ALL
    assert len(names) == 4, "asked for again, under the same name"
    assert failed_calls(execution) == [("create_dataset_import_job", "ServiceUnavailable")]


def test_an_import_that_is_not_shown_yet_is_adopted_a_little_later():
    with deploy() as pipeline:
        pipeline.inject_fault("lost-answer", operation="CreateDatasetImportJob")
        pipeline.inject_fault("stale", operation="DescribeDatasetImportJob", seconds=30)
        execution = pipeline.run()
        assert imported(pipeline) == sorted(set(created(pipeline)))
    assert outcomes(execution) == ALL, "a stale answer says that the job does not exist"


@pytest.mark.parametrize("error", ["Sandbox.Timedout", "Runtime.ExitError"])
def test_a_function_killed_after_it_created_an_import_adopts_it(error):
    with deploy(handlers=killed_after_work("create_dataset_import_job", error=error)) as pipeline:
        execution = pipeline.run()
        assert len(imported(pipeline)) == 3
    assert outcomes(execution) == ALL
    assert failed_calls(execution) == [("create_dataset_import_job", error)]


def test_a_watching_function_that_is_killed_is_called_again():
    with deploy(handlers=killed_after_work("watch_dataset_import_job", times=2)) as pipeline:
        execution = pipeline.run()
    assert outcomes(execution) == ALL
    assert failed_calls(execution) == [("watch_dataset_import_job", "Sandbox.Timedout")] * 2


def test_a_function_that_is_killed_again_and_again_fails_its_dataset_alone():
    def deadly_for_items(event, context):
        if event["dataset"]["type"] == "items":
            raise Fails("Runtime.ExitError", "signal: killed")
        return handler("watch_dataset_import_job")(event, context)

    with deploy(handlers={"watch_dataset_import_job": deadly_for_items}) as pipeline:
        execution = pipeline.run()
    assert failures(execution) == {"items": "Runtime.ExitError: signal: killed"}
    assert outcomes(execution) == {
        "interactions": "IMPORTED",
        "items": "FAILED",
        "users": "IMPORTED",
    }
    assert len(failed_calls(execution)) == 6, "once, and tried again five times"


# Adoption


def test_a_job_of_the_same_name_that_does_the_same_is_adopted():
    with deploy() as pipeline:
        create_job(pipeline, ITEMS)
        pipeline.sleep(300)
        execution = pipeline.run()
        assert imported(pipeline) == sorted(set(created(pipeline)))
    assert outcomes(execution) == ALL


def test_a_job_of_the_same_name_that_has_failed_is_not_created_again():
    with deploy() as pipeline:
        pipeline.inject_fault(
            "fail", job="dataset-import-job", of=ITEMS, reason="Row 7 has no ITEM_ID"
        )
        create_job(pipeline, ITEMS)
        pipeline.sleep(1000)
        execution = pipeline.run()
    assert failures(execution) == {"items": "Row 7 has no ITEM_ID"}


@pytest.mark.parametrize(
    ("changes", "position", "other"),
    [
        ({"dataSource": {"dataLocation": "s3://exports/old.csv"}}, 1, "s3://exports/old.csv"),
        ({"datasetArn": dataset_arn("USERS")}, 0, dataset_arn("USERS")),
        ({"importMode": "INCREMENTAL"}, 2, "INCREMENTAL"),
        ({"roleArn": f"{IMPORT_ROLE}-2"}, 3, f"{IMPORT_ROLE}-2"),
    ],
    ids=["location", "dataset", "mode", "role"],
)
def test_a_job_of_the_same_name_that_differs_is_an_error_that_names_both(changes, position, other):
    with deploy() as pipeline:
        create_job(pipeline, ITEMS, **changes)
        execution = pipeline.run()
    wanted = (dataset_arn("ITEMS"), "s3://exports/items.csv", "FULL", IMPORT_ROLE)
    existing = (*wanted[:position], other, *wanted[position + 1 :])
    assert failures(execution) == {
        "items": f"NameTaken: {JOBS}/{ITEMS} exists and imports {existing}; this run wants to "
        f"import {wanted}"
    }
