"""Each handler once, with a full event: who is asked, what comes back, what is recorded of it."""

import importlib
import io
import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.response import StreamingBody

from components.state_machine.steps import STEPS
from functions.errors import RunRefused
from tests.functions.samples import (
    API_TAGS,
    CAMPAIGN,
    DATASET,
    EXECUTION,
    FIELDS,
    GROUP,
    IMPORT_JOB,
    JOB_NAME,
    NDCG,
    NOW,
    OLD_VERSION,
    PROBE,
    ROLE,
    RULES,
    RUN_ID,
    SCHEMA,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    ago,
    campaign,
    campaign_update,
    configured,
    dataset_resource,
    dataset_result,
    ended_job,
    evaluation,
    finished,
    group_resource,
    import_job,
    iso,
    job,
    plan,
    planned_campaign,
    planned_import,
    planned_solution,
    probing,
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
    "roll_back_campaign",
    "evaluate_solution_version",
    "close_run",
}


@pytest.fixture
def services(personalize, runtime, executions, s3):
    return {"personalize": personalize, "runtime": runtime, "executions": executions, "s3": s3}


@pytest.fixture
def handle(monkeypatch, services, caplog):
    """Call a step's handler as Lambda does: JSON in, JSON out; give its result and its records."""

    def call(step, event):
        module = importlib.import_module(f"functions.{step}")
        clients = {
            "writer" if step in WRITERS else "reader": services["personalize"].client,
            "runtime": services["runtime"].client,
            "stepfunctions": services["executions"].client,
        }
        for name, made in clients.items():
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


def lists_executions(executions):
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
    request = {"stateMachineArn": machine, "statusFilter": "RUNNING"}
    executions.says("list_executions", {"executions": []}, **request)


def lists_objects(s3):
    found = {"Key": "interactions.csv", "Size": 1000, "ETag": '"e1"', "LastModified": ago(2)}
    request = {"Bucket": "exports", "Prefix": "interactions.csv"}
    s3.says("list_objects_v2", {"Contents": [found]}, **request)


# Each gives the event, tells the services what they will be asked, and the result.


def plan_retraining(personalize, executions, s3, **_):
    personalize.says("describe_dataset", {"dataset": dataset_resource()}, datasetArn=DATASET)
    answer = {"solution": solution_resource()}
    personalize.says("describe_solution", answer, solutionArn=SOLUTION)
    personalize.says("list_dataset_import_jobs", {"datasetImportJobs": []}, datasetArn=DATASET)
    personalize.says("list_solution_versions", {"solutionVersions": []}, solutionArn=SOLUTION)
    answer = {"datasetGroup": group_resource()}
    personalize.says("describe_dataset_group", answer, datasetGroupArn=GROUP)
    personalize.says("list_event_trackers", {"eventTrackers": []}, datasetGroupArn=GROUP)
    answer = {"schema": {"schema": json.dumps({"fields": FIELDS})}}
    personalize.says("describe_schema", answer, schemaArn=SCHEMA)
    personalize.says("list_dataset_import_jobs", {"datasetImportJobs": []})
    describes_campaign(personalize)
    lists_executions(executions)
    lists_objects(s3)
    content = b"USER_ID,ITEM_ID,TIMESTAMP\n1,2,3\n"
    answer = {"Body": StreamingBody(io.BytesIO(content), len(content))}
    request = {"Bucket": "exports", "Key": "interactions.csv", "Range": "bytes=0-65535"}
    s3.says("get_object", answer, **request)
    request = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
    first_campaign = planned_campaign(durations=[1440000])
    planned = plan(
        imports=[planned_import(durations=[])],
        solutions=[planned_solution(durations=[], dataAsOf=None, campaigns=[first_campaign])],
    )
    return configured(request), {"run": run(request), "plan": planned}


def create_dataset_import_job(personalize, **_):
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


def watch_dataset_import_job(personalize, s3, **_):
    answer = {"datasetImportJob": import_job(status="ACTIVE")}
    personalize.says("describe_dataset_import_job", answer, datasetImportJobArn=IMPORT_JOB)
    lists_objects(s3)
    event = {"run": run(), "dataset": planned_import(), "job": job(IMPORT_JOB)}
    return event, ended_job(IMPORT_JOB, createdAt=iso(minutes=20), endedAt=iso(minutes=5))


def create_solution_version(personalize, executions, **_):
    personalize.says("list_solution_versions", {"solutionVersions": []}, solutionArn=SOLUTION)
    lists_executions(executions)
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


def watch_solution_version(personalize, **_):
    describes_version(personalize, status="CREATE FAILED", failureReason="too few users")
    event = {"run": run(), "solution": planned_solution(), "version": job()}
    return event, ended_job(phase="ENDED", status="CREATE FAILED", failure="too few users")


def stop_solution_version(personalize, **_):
    describes_version(personalize)
    personalize.says("stop_solution_version_creation", {}, solutionVersionArn=VERSION)
    overdue = job(phase="OVERDUE", failure="late")
    event = {"run": run(), "solution": planned_solution(), "version": overdue}
    return event, job(failure="late", seconds=30, stopRequestedAt=NOW.isoformat())


def iteration(**changes):
    """The document inside `Update campaigns`."""
    return {
        "run": run(),
        "version": ended_job(),
        "qualityGate": RULES,
        "campaign": planned_campaign(),
        "evaluation": None,
        "update": None,
        "probing": None,
        "rollback": None,
        "error": None,
        **changes,
    }


def evaluate_solution_version(personalize, **_):
    describes_campaign(personalize)
    for arn, value in ((VERSION, 0.42), (OLD_VERSION, 0.4)):
        answer = {"solutionVersionArn": arn, "metrics": {NDCG: value}}
        personalize.says("get_solution_metrics", answer, solutionVersionArn=arn)
    personalize.says("list_tags_for_resource", {"tags": []}, resourceArn=VERSION)
    return iteration(), evaluation()


def update_campaign(personalize, **_):
    describes_campaign(personalize, latestCampaignUpdate=campaign_update())
    personalize.says("list_tags_for_resource", {"tags": []}, resourceArn=OLD_VERSION)
    under_way = {"status": "UPDATE IN_PROGRESS", "createdAt": iso(minutes=5)}
    before = {"targetVersionArn": VERSION, "previousVersionArn": OLD_VERSION}
    return iteration(evaluation=evaluation()), job(CAMPAIGN, **under_way, **before)


def watch_campaign_update(personalize, **_):
    latest = campaign_update(status="ACTIVE")
    describes_campaign(personalize, latestCampaignUpdate=latest, solutionVersionArn=VERSION)
    update = job(CAMPAIGN, status="UPDATE IN_PROGRESS", targetVersionArn=VERSION)
    times = {"createdAt": iso(minutes=5), "endedAt": iso(minutes=4)}
    return iteration(update=update), ended_job(CAMPAIGN, **times, targetVersionArn=VERSION)


def probe_campaign(runtime, **_):
    answer = {"itemList": [{"itemId": str(number)} for number in range(5)]}
    asked = {"campaignArn": CAMPAIGN, "numResults": 5, "userId": "1"}
    runtime.says("get_recommendations", answer, **asked)
    before = probing(startedAt=iso(1))
    event = iteration(campaign=planned_campaign(probe=PROBE), probing=before)
    return event, {**before, "phase": "PASSED"}


def roll_back_campaign(personalize, **_):
    tags = [{"tagKey": "retraining-verdict", "tagValue": "ROLLED_BACK"}]
    personalize.says("tag_resource", {}, resourceArn=VERSION, tags=tags)
    describes_campaign(personalize)
    update = ended_job(CAMPAIGN, targetVersionArn=VERSION, previousVersionArn=OLD_VERSION)
    live = ended_job(CAMPAIGN, createdAt=iso(500), endedAt=iso(100), targetVersionArn=OLD_VERSION)
    return iteration(update=update), live


def report_outcome(**_):
    document = finished(plan=plan(skipped="this is a dry run"), imports={"results": []})
    del document["solutions"]
    return document, skipped_or_failed("SKIPPED", "this is a dry run")


def close_run(personalize, executions, **_):
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
    answer = {"datasetImportJobs": []}
    personalize.says("list_dataset_import_jobs", answer, datasetArn=DATASET)
    answer = {"solutionVersions": [version_summary()]}
    personalize.says("list_solution_versions", answer, solutionArn=SOLUTION)
    event = {"detail": {"executionArn": EXECUTION, "stopDate": int(NOW.timestamp() * 1000)}}
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
        evaluate_solution_version,
        update_campaign,
        watch_campaign_update,
        probe_campaign,
        roll_back_campaign,
        report_outcome,
        close_run,
    )
}


SAID = {"evaluate_solution_version": "ACCEPTED", "probe_campaign": "PASSED"}
"""What gate and probe say."""


def recorded(step, result):
    """What a handler's one record has in `extra`, by what the handler gave."""
    if step == "plan_retraining":
        counts = {"imports": 1, "solutions": 1, "skipped": None}
        return {"step": step, "runId": RUN_ID, **counts}
    if step in SAID:
        said = {"arn": CAMPAIGN, "outcome": SAID[step]}
        return {"step": step, "runId": RUN_ID, **said}
    if "text" in result:
        return {"step": step, "runId": RUN_ID, "outcome": result["status"]}
    job_fields = {key: result[key] for key in ("arn", "phase", "failure")}
    return {"step": step, "runId": RUN_ID, **job_fields}


def test_every_function_is_tried_here():
    assert list(CASES) == list(STEPS)


@pytest.mark.parametrize("step", CASES)
def test_a_handler_does_its_step_and_records_it(handle, services, step):
    event, expected = CASES[step](**services)
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
    "evaluate_solution_version": "evaluate_solution_version: ACCEPTED",
    "report_outcome": f"Retraining run {RUN_ID}: SKIPPED: this is a dry run",
    "close_run": f"Retraining run {RUN_ID}: FAILED: TIMED_OUT: no cause given",
}


@pytest.mark.parametrize(("step", "message"), MESSAGES.items(), ids=MESSAGES)
def test_a_record_can_be_read_by_a_person(handle, services, step, message):
    event, _ = CASES[step](**services)
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
