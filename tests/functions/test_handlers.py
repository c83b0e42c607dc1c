"""Each handler once, with a full event: who is asked, what comes back, what is recorded of it."""

import importlib
import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from components.steps import STEPS
from functions.errors import RunRefused
from tests.functions.samples import (
    API_TAGS,
    CAMPAIGN,
    DATASET,
    EXECUTION,
    IMPORT_JOB,
    JOB_NAME,
    NOW,
    OLD_VERSION,
    ROLE,
    RUN_ID,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    campaign,
    campaign_update,
    configured,
    dataset_result,
    ended_job,
    finished,
    import_job,
    iso,
    job,
    plan,
    planned_campaign,
    planned_import,
    planned_solution,
    run,
    solution_resource,
    version,
    version_summary,
)

WRITERS = {
    "create_dataset_import_job",
    "create_solution_version",
    "stop_solution_version",
    "update_campaign",
    "close_run",
}


@pytest.fixture
def handle(monkeypatch, personalize, executions, caplog):
    """Call a step's handler as Lambda does: JSON in, JSON out; give its result and its records."""

    def call(step, event):
        module = importlib.import_module(f"functions.{step}")
        client = {"writer" if step in WRITERS else "reader": personalize.client}
        for name, made in {**client, "executions": executions.client}.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda made=made: made)
        with caplog.at_level(logging.INFO):
            result = module.handler(json.loads(json.dumps(event)), None)
        assert len(caplog.records) <= 2, "a log is read by people, and paid for"
        return json.loads(json.dumps(result)), caplog.records

    return call


STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def extra(record):
    """What a record was given in `extra`."""
    return {key: value for key, value in vars(record).items() if key not in STANDARD}


def written(record):
    """The record as AWS's runtime client writes it, without what every record has."""
    fields = json.loads(JsonFormatter().format(record))
    return {
        key: value
        for key, value in fields.items()
        if key not in {"timestamp", "level", "message", "logger"}
    }


def describes_version(personalize, **changes):
    answer = {"solutionVersion": version(**changes)}
    arn = answer["solutionVersion"]["solutionVersionArn"]
    personalize.says("describe_solution_version", answer, solutionVersionArn=arn)


def describes_campaign(personalize, **changes):
    answer = {"campaign": campaign(**changes)}
    personalize.says("describe_campaign", answer, campaignArn=CAMPAIGN)


# Each gives the event, tells the services what they will be asked, and the result.


def plan_retraining(personalize, _executions):
    personalize.says("list_solution_versions", {"solutionVersions": []}, solutionArn=SOLUTION)
    personalize.says("list_dataset_import_jobs", {"datasetImportJobs": []}, datasetArn=DATASET)
    answer = {"solution": solution_resource()}
    personalize.says("describe_solution", answer, solutionArn=SOLUTION)
    describes_campaign(personalize)
    request = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
    first_campaign = planned_campaign(durations=[1440000])
    planned = plan(
        imports=[planned_import(durations=[])],
        solutions=[planned_solution(durations=[], dataAsOf=None, campaigns=[first_campaign])],
    )
    return configured(request), {"run": run(request), "plan": planned}


def create_dataset_import_job(personalize, _executions):
    personalize.says(
        "create_dataset_import_job",
        {"datasetImportJobArn": IMPORT_JOB},
        jobName=JOB_NAME,
        datasetArn=DATASET,
        dataSource={"dataLocation": "s3://exports/interactions.csv"},
        roleArn=ROLE,
        importMode="FULL",
        tags=API_TAGS,
    )
    event = {"run": run(), "dataset": planned_import(), "job": None, "error": None}
    started = {"seconds": 225, "status": "CREATE PENDING", "createdAt": NOW.isoformat()}
    return event, job(IMPORT_JOB, **started)


def watch_dataset_import_job(personalize, _executions):
    answer = {"datasetImportJob": import_job(status="ACTIVE")}
    personalize.says("describe_dataset_import_job", answer, datasetImportJobArn=IMPORT_JOB)
    event = {"run": run(), "dataset": planned_import(), "job": job(IMPORT_JOB)}
    return event, ended_job(IMPORT_JOB, createdAt=iso(minutes=20), endedAt=iso(minutes=5))


def create_solution_version(personalize, _executions):
    personalize.says("list_solution_versions", {"solutionVersions": []}, solutionArn=SOLUTION)
    personalize.says(
        "create_solution_version",
        {"solutionVersionArn": VERSION},
        name=VERSION_NAME,
        solutionArn=SOLUTION,
        trainingMode="FULL",
        tags=API_TAGS,
    )
    event = {
        "run": run(),
        "imports": [dataset_result()],
        "solution": planned_solution(),
        "version": None,
        "campaigns": [],
        "error": None,
    }
    started = {"seconds": 900, "status": "CREATE PENDING", "createdAt": NOW.isoformat()}
    return event, job(**started)


def watch_solution_version(personalize, _executions):
    describes_version(personalize, status="CREATE FAILED", failureReason="too few users")
    event = {"run": run(), "solution": planned_solution(), "version": job()}
    return event, ended_job(phase="ENDED", status="CREATE FAILED", failure="too few users")


def stop_solution_version(personalize, _executions):
    describes_version(personalize)
    personalize.says("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    overdue = job(phase="OVERDUE", failure="late")
    event = {"run": run(), "solution": planned_solution(), "version": overdue}
    return event, job(failure="late", seconds=30, stopRequestedAt=NOW.isoformat())


def update_campaign(personalize, _executions):
    describes_campaign(personalize, latestCampaignUpdate=campaign_update())
    event = {
        "run": run(),
        "version": ended_job(),
        "campaign": planned_campaign(),
        "update": None,
        "error": None,
    }
    under_way = {"status": "UPDATE IN_PROGRESS", "createdAt": iso(minutes=5)}
    return event, job(CAMPAIGN, **under_way, previousVersionArn=OLD_VERSION)


def watch_campaign_update(personalize, _executions):
    latest = campaign_update(status="ACTIVE")
    describes_campaign(personalize, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    event = {
        "run": run(),
        "version": ended_job(),
        "campaign": planned_campaign(),
        "update": job(CAMPAIGN, status="UPDATE IN_PROGRESS"),
    }
    return event, ended_job(CAMPAIGN, createdAt=iso(minutes=5), endedAt=iso(minutes=4))


def report_outcome(_personalize, _executions):
    document = finished(plan=plan(skipped="this is a dry run"), imports={"results": []})
    del document["solutions"]
    return document, skipped_or_failed("SKIPPED", "this is a dry run")


def close_run(personalize, executions):
    answer = {
        "executionArn": EXECUTION,
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining",
        "status": "TIMED_OUT",
        "startDate": NOW,
    }
    executions.says("describe_execution", answer, executionArn=EXECUTION)
    made = configured({"trigger": "schedule", "scheduledTime": NOW.isoformat()})
    first = {
        "timestamp": NOW,
        "id": 3,
        "type": "PassStateExited",
        "stateExitedEventDetails": {"name": "Configure run", "output": json.dumps(made)},
    }
    request = {"executionArn": EXECUTION, "maxResults": 10, "includeExecutionData": True}
    executions.says("get_execution_history", {"events": [first]}, **request)
    answer = {"solutionVersions": [version_summary()]}
    personalize.says("list_solution_versions", answer, solutionArn=SOLUTION)
    event = {"detail": {"executionArn": EXECUTION, "status": "TIMED_OUT"}}
    return event, skipped_or_failed("FAILED", "TIMED_OUT: no cause given")


def skipped_or_failed(status, reason):
    return {
        "status": status,
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": reason,
        "imports": [],
        "solutions": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: {status}: {reason}",
    }


CASES = {
    make.__name__: make
    for make in (
        plan_retraining,
        create_dataset_import_job,
        watch_dataset_import_job,
        create_solution_version,
        watch_solution_version,
        stop_solution_version,
        update_campaign,
        watch_campaign_update,
        report_outcome,
        close_run,
    )
}


def recorded(step, result):
    """What a handler's one record has in `extra`, by what the handler gave."""
    if step == "plan_retraining":
        counts = {"imports": 1, "solutions": 1, "skipped": None}
        return {"step": step, "runId": RUN_ID, **counts}
    if "text" in result:
        return {"step": step, "runId": RUN_ID, "outcome": result["status"]}
    job_fields = {key: result[key] for key in ("arn", "phase", "failure")}
    return {"step": step, "runId": RUN_ID, **job_fields}


def test_every_function_is_tried_here():
    assert list(CASES) == list(STEPS)


@pytest.mark.parametrize("step", CASES)
def test_a_handler_does_its_step_and_records_it(handle, personalize, executions, step):
    event, expected = CASES[step](personalize, executions)
    result, records = handle(step, event)
    assert result == expected
    assert [record.name for record in records] == ["retraining"]
    (record,) = records
    assert record.levelname == "INFO"
    assert extra(record) == recorded(step, result), "ids and states, never payloads"
    present = {key: value for key, value in extra(record).items() if value is not None}
    assert written(record) == present, "no field is dropped on its way into the log"


MESSAGES = {
    "plan_retraining": "plan_retraining: 1 to import, 1 to train",
    "watch_dataset_import_job": "watch_dataset_import_job: ACTIVE",
    "stop_solution_version": "stop_solution_version: CREATE IN_PROGRESS",
    "report_outcome": f"Retraining run {RUN_ID}: SKIPPED: this is a dry run",
    "close_run": f"Retraining run {RUN_ID}: FAILED: TIMED_OUT: no cause given",
}


@pytest.mark.parametrize(("step", "message"), MESSAGES.items(), ids=MESSAGES)
def test_a_record_can_be_read_by_a_person(handle, personalize, executions, step, message):
    event, _ = CASES[step](personalize, executions)
    _, records = handle(step, event)
    assert [record.getMessage() for record in records] == [message]


def test_a_percent_sign_in_a_report_is_only_a_percent_sign(handle):
    document = finished(plan=plan(skipped="100%s sure"), imports={"results": []})
    del document["solutions"]
    _, (record,) = handle("report_outcome", document)
    assert record.getMessage() == f"Retraining run {RUN_ID}: SKIPPED: 100%s sure"


def test_a_run_is_refused_before_the_service_is_asked(handle):
    with pytest.raises(RunRefused) as raised:
        handle("plan_retraining", configured({"dryrun": True, "trigger": "x"}))
    assert str(raised.value) == (
        "2 problems with this run:\n"
        "  key: 'dryrun' is unknown; did you mean 'dryRun'?\n"
        "  trigger: 'x' is neither 'schedule' nor 'manual'"
    )
