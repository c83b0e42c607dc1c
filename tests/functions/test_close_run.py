"""Tests of closing a run whose execution ended without a report."""

from datetime import timedelta

import pytest

from functions import close_run
from tests.functions.samples import (
    DATASET,
    EXECUTION,
    IMPORT_JOB,
    JOB_NAME,
    NOW,
    RUN_ID,
    SOLUTION,
    VERSION,
    ago,
    configured,
    expect_execution,
    expect_history,
    first_state,
    import_summary,
    version,
    version_summary,
)

EVENT = {"detail": {"executionArn": EXECUTION, "stopDate": int(NOW.timestamp() * 1000)}}
CONFIGURED = first_state(configured({"trigger": "schedule", "scheduledTime": NOW.isoformat()}))


@pytest.fixture
def close(monkeypatch, executions, personalize):
    """Return a function that calls the handler with the sample event."""
    monkeypatch.setattr(close_run, "stepfunctions", lambda: executions.client)
    monkeypatch.setattr(close_run, "write_client", lambda: personalize.client)
    return lambda: close_run.handler(EVENT, None)


def report(reason):
    """Return the report of a run that failed for this reason."""
    return {
        "status": "FAILED",
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": reason,
        "imports": [],
        "solutions": [],
        "trials": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: FAILED: {reason}",
    }


def expect_jobs(personalize, *, imports=(), versions=()):
    """Expect the lists of import jobs and versions."""
    response = {"datasetImportJobs": list(imports)}
    request = {"datasetArn": DATASET, "maxResults": 100}
    personalize.expect("list_dataset_import_jobs", response, **request)
    response = {"solutionVersions": list(versions)}
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", response, **request)


def expect_version(personalize, arn=VERSION, **changes):
    tags = [{"tagKey": "retraining-run", "tagValue": RUN_ID}]
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=arn)
    response = {"solutionVersion": version(solutionVersionArn=arn, **changes)}
    personalize.expect("describe_solution_version", response, solutionVersionArn=arn)


def in_training(arn=VERSION, **changes):
    return version_summary(solutionVersionArn=arn, status="CREATE IN_PROGRESS", **changes)


@pytest.mark.parametrize("status", ["TIMED_OUT", "FAILED"])
def test_the_trainings_of_a_failed_run_are_stopped(close, executions, personalize, status):
    expect_execution(executions, status, error="States.Runtime", cause="no such path")
    expect_history(executions, CONFIGURED)
    second = f"{SOLUTION}/second"
    expect_jobs(personalize, versions=[in_training(), in_training(second)])
    expect_version(personalize)
    expect_version(personalize, second)
    for arn in (VERSION, second):
        personalize.expect("stop_solution_version_creation", {}, solutionVersionArn=arn)
    stopped = f"{VERSION} was stopped; {second} was stopped"
    assert close() == report(f"{status}: States.Runtime: no such path; {stopped}")


def test_the_trainings_of_a_run_that_a_person_stopped_go_on(close, executions, personalize):
    expect_execution(executions, "ABORTED", error="enough", cause="I stop it")
    expect_history(executions, CONFIGURED)
    expect_jobs(personalize, versions=[in_training(creationDateTime=ago(0))])
    expect_version(personalize)
    assert close() == report(f"ABORTED: enough: I stop it; {VERSION} is CREATE IN_PROGRESS")


def test_the_report_contains_every_job_of_the_run(close, executions, personalize):
    expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    expect_history(executions, CONFIGURED)
    own = {"jobName": JOB_NAME, "datasetImportJobArn": IMPORT_JOB, "status": "CREATE FAILED"}
    later = {"jobName": f"{JOB_NAME[:-1]}2", "creationDateTime": NOW + timedelta(minutes=1)}
    expect_jobs(
        personalize,
        imports=[import_summary(), import_summary(**own), import_summary(**later)],
        versions=[version_summary(solutionVersionArn=VERSION, creationDateTime=NOW)],
    )
    expect_version(personalize, status="ACTIVE")
    jobs = f"{IMPORT_JOB} is CREATE FAILED; {VERSION} is ACTIVE"
    assert close() == report(f"TIMED_OUT: States.Timeout: no cause given; {jobs}")


@pytest.mark.parametrize(("seconds", "stopped"), [(59, True), (60, False), (3600, False)])
def test_trainings_that_a_resumed_run_has_started_since_go_on(
    close, executions, personalize, seconds, stopped
):
    """A function that was running when the execution ended may start a training for a minute."""
    expect_execution(executions, "TIMED_OUT", error="States.Timeout")
    expect_history(executions, CONFIGURED)
    created = NOW + timedelta(seconds=seconds)
    expect_jobs(personalize, versions=[in_training(creationDateTime=created)])
    if stopped:
        expect_version(personalize)
        personalize.expect("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    jobs = f"; {VERSION} was stopped" if stopped else ""
    assert close() == report(f"TIMED_OUT: States.Timeout: no cause given{jobs}")


def test_a_run_that_has_sent_its_report_is_not_closed(close, executions):
    expect_execution(executions, "FAILED", error="RetrainingFailed", cause="a report")
    assert close() is None


def test_an_execution_without_a_configuration_is_not_closed(close, executions):
    expect_execution(executions, "ABORTED")
    expect_history(executions, {"type": "ExecutionStarted"})
    assert close() is None
