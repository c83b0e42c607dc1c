"""Tests of each handler with a complete event: its requests, its result, and its log record."""

import importlib
import io
import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.response import StreamingBody

from components.state_machine.steps import STEPS
from functions import aws
from functions.errors import RunRefused
from functions.executions import machine_arn_of, short_hash
from functions.personalize.tags import api_tags
from tests.functions.samples import (
    CAMPAIGN,
    DATASET,
    EXECUTION,
    FIELDS,
    FINGERPRINT,
    GROUP,
    IMPORT_JOB,
    NDCG,
    NOW,
    OLD_VERSION,
    ROLE,
    RUN_ID,
    SCHEMA,
    SOLUTION,
    VERSION,
    VERSION_NAME,
    VERSION_TAGS,
    ago,
    campaign,
    configured,
    dataset_resource,
    digest,
    finished,
    group_resource,
    import_item,
    import_summary,
    iso,
    item,
    plan,
    planned_campaign,
    planned_import,
    planned_solution,
    run,
    settings,
    solution_resource,
    training_item,
    version,
    version_summary,
)

READERS_THAT_WRITE = {"deploy_version", "import_dataset", "plan_retraining", "train_solution"}
"""The functions that read with retries and write without."""


@pytest.fixture
def services(personalize, runtime, executions, s3):
    return {"personalize": personalize, "runtime": runtime, "executions": executions, "s3": s3}


@pytest.fixture
def handle(monkeypatch, services, caplog):
    """Return a function that calls a handler as Lambda does, and returns result and records."""

    def call(step, event):
        module = importlib.import_module(f"functions.{step}")
        names = ["read_client"]
        if step in READERS_THAT_WRITE:
            names.append("write_client")
        clients = {
            **dict.fromkeys(names, services["personalize"].client),
            "runtime_client": services["runtime"].client,
            "stepfunctions": services["executions"].client,
            "s3": services["s3"].client,
        }
        for name, client in clients.items():
            for owner in (module, aws):
                if hasattr(owner, name):
                    monkeypatch.setattr(owner, name, lambda client=client: client)
        with caplog.at_level(logging.INFO):
            result = module.handler(json.loads(json.dumps(event)), None)
        messages = [record for record in caplog.records if record.name == "retraining"]
        assert len(messages) <= 1, "people read the log, and it costs money"
        return json.loads(json.dumps(result)), caplog.records

    return call


STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def extra(record):
    """Return the fields that a record got by `extra`."""
    return {key: value for key, value in vars(record).items() if key not in STANDARD}


def written(record):
    """Return the record as AWS's runtime client writes it, without the standard fields."""
    fields = json.loads(JsonFormatter().format(record))
    return {
        key: value
        for key, value in fields.items()
        if key not in {"timestamp", "level", "message", "logger"}
    }


def expect_version(personalize, **changes):
    response = {"solutionVersion": version(**changes)}
    arn = response["solutionVersion"]["solutionVersionArn"]
    personalize.expect("describe_solution_version", response, solutionVersionArn=arn)


def expect_campaign(personalize, **changes):
    response = {"campaign": campaign(**changes)}
    personalize.expect("describe_campaign", response, campaignArn=CAMPAIGN)


def expect_tags(personalize, arn):
    personalize.expect("list_tags_for_resource", {"tags": []}, resourceArn=arn)


def _unused(executions):
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
    request = {"stateMachineArn": machine, "statusFilter": "RUNNING"}
    executions.expect("list_executions", {"executions": []}, **request)


def expect_objects(s3):
    listed = {"Key": "interactions.csv", "Size": 1000, "ETag": '"e1"', "LastModified": ago(2)}
    request = {"Bucket": "exports", "Prefix": "interactions.csv"}
    s3.expect("list_objects_v2", {"Contents": [listed]}, **request)


# Each of these functions expects the requests of a handler, and returns the event and the result.


def expect_imports(personalize, *jobs):
    """Expect the only dataset of the group, and its import jobs, to be listed."""
    response = {"datasets": [{"datasetArn": DATASET, "creationDateTime": ago(500)}]}
    personalize.expect("list_datasets", response, datasetGroupArn=GROUP, maxResults=100)
    expect_import_list(personalize, *jobs)


def expect_import_list(personalize, *jobs):
    request = {"datasetArn": DATASET, "maxResults": 100}
    response = {"datasetImportJobs": list(jobs)}
    personalize.expect("list_dataset_import_jobs", response, **request)


def expect_versions(personalize):
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", {"solutionVersions": []}, **request)


def expect_solution(personalize):
    response = {"solution": solution_resource()}
    personalize.expect("describe_solution", response, solutionArn=SOLUTION)


def plan_retraining(personalize, s3, executions, **_):
    machine = machine_arn_of(EXECUTION)
    running = {"stateMachineArn": machine, "statusFilter": "RUNNING"}
    executions.expect("list_executions", {"executions": []}, **running)
    last = {"stateMachineArn": machine, "maxResults": 100}
    executions.expect("list_executions", {"executions": []}, **last)
    expect_tags(personalize, CAMPAIGN)
    personalize.expect("describe_dataset", {"dataset": dataset_resource()}, datasetArn=DATASET)
    response = {"datasetGroup": group_resource()}
    personalize.expect("describe_dataset_group", response, datasetGroupArn=GROUP)
    expect_imports(personalize)
    personalize.expect("list_event_trackers", {"eventTrackers": []}, datasetGroupArn=GROUP)
    response = {"schema": {"schema": json.dumps({"fields": FIELDS})}}
    personalize.expect("describe_schema", response, schemaArn=SCHEMA)
    expect_objects(s3)
    content = b"USER_ID,ITEM_ID,TIMESTAMP\n" + b"1,2,1790000000\n" * 1000
    response = {"Body": StreamingBody(io.BytesIO(content), len(content))}
    request = {"Bucket": "exports", "Key": "interactions.csv", "Range": "bytes=0-1048575"}
    s3.expect("get_object", response, **request)
    expect_solution(personalize)
    expect_versions(personalize)
    expect_campaign(personalize)
    expect_tags(personalize, CAMPAIGN)
    request = {"trigger": "schedule", "scheduledTime": NOW.isoformat()}
    planned = plan(
        imports=[planned_import(durations=[])],
        solutions=[planned_solution(durations=[])],
    )
    started = {"request": request, "executionArn": EXECUTION, "startedAt": iso(minutes=2)}
    event = {"settings": settings(), "run": started}
    planned_run = {**started, "id": RUN_ID, "trigger": "schedule"}
    return event, {"settings": settings(), "run": planned_run, "plan": planned, "trials": []}


def iteration(**changes):
    """Return the document of a Map."""
    return {"settings": settings(), "run": run(), "error": None, **changes}


def import_dataset(personalize, s3, **_):
    dataset = dataset_resource()
    personalize.expect("describe_dataset", {"dataset": dataset}, datasetArn=DATASET)
    held = import_summary(
        datasetImportJobArn=IMPORT_JOB,
        creationDateTime=ago(minutes=20),
        lastUpdatedDateTime=ago(minutes=5),
    )
    expect_import_list(personalize, held)
    tags = {
        "retraining-run": "other",
        "retraining-planned": FINGERPRINT,
        "retraining-held": FINGERPRINT,
        "retraining-bytes": "7",
    }
    tagged = {"tags": api_tags(tags)}
    personalize.expect("list_tags_for_resource", tagged, resourceArn=IMPORT_JOB)
    expect_objects(s3)
    times = {"createdAt": iso(minutes=20), "endedAt": iso(minutes=5)}
    event = iteration(dataset=planned_import(), item=None)
    return event, import_item(memory={}, bytes=7, **times)


def train_solution(personalize, **_):
    expect_solution(personalize)
    expect_imports(personalize)
    expect_versions(personalize)
    tags = [*VERSION_TAGS, *api_tags({"retraining-digest": digest(imports={})})]
    personalize.expect(
        "create_solution_version",
        {"solutionVersionArn": VERSION},
        name=VERSION_NAME,
        solutionArn=SOLUTION,
        trainingMode="FULL",
        tags=tags,
    )
    expect_version(personalize, creationDateTime=NOW)
    tags = api_tags({"retraining-run": RUN_ID})
    personalize.expect("list_tags_for_resource", {"tags": tags}, resourceArn=VERSION)
    event = iteration(solution=planned_solution(), item=None, campaigns=[])
    memory = {
        "began_at": NOW.isoformat(),
        "version": VERSION,
        "stopping_since": None,
        "sent_at": NOW.isoformat(),
        "refusal": "",
        "warnings": [],
    }
    return event, training_item(
        phase="TRAINING",
        seconds=2880,
        outcome=None,
        memory=memory,
        createdAt=NOW.isoformat(),
        endedAt=None,
    )


def deploy_version(personalize, **_):
    expect_campaign(personalize)
    expect_tags(personalize, CAMPAIGN)
    for arn, value in ((OLD_VERSION, 0.4), (VERSION, 0.2)):
        response = {"solutionVersionArn": arn, "metrics": {NDCG: value}}
        personalize.expect("get_solution_metrics", response, solutionVersionArn=arn)
        expect_tags(personalize, arn)
        expect_version(personalize, solutionVersionArn=arn)
    event = iteration(training=training_item(), campaign=planned_campaign(), item=None)
    result = item(
        phase="JUDGING",
        outcome="REJECTED",
        reasons=[f"{NDCG} fell from 0.4000 to 0.2000, by more than 25%"],
        metrics={NDCG: {"new": 0.2, "live": 0.4}},
        createdAt=None,
        endedAt=None,
    )
    return event, result


def report_outcome(personalize, **_):
    expect_campaign(personalize)
    expect_tags(personalize, CAMPAIGN)
    document = finished(plan=plan(todo="NOTHING", reason="nothing is new"), imports={"results": []})
    del document["solutions"]
    report = report_without_jobs("SKIPPED", "nothing is new")
    return document, {**document, "outcome": report}


MARKER = "s3://markers/2026-11-29/done"
WRITTEN = short_hash(f'{MARKER} "e" {NOW.isoformat()}', 16)
EXPORT_EXECUTION = f"export-2026-11-29-{WRITTEN}"


def start_on_export(executions, s3, **_):
    machine_arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
    dataset = {**settings()["datasets"][0], "readyMarker": "s3://markers/{date}/done"}
    definition = {
        "StartAt": "A",
        "States": {"A": {"Parameters": {"settings": settings(datasets=[dataset])}}},
    }
    response = {
        "stateMachineArn": machine_arn,
        "name": "retraining",
        "definition": json.dumps(definition),
        "roleArn": "arn:aws:iam::123456789012:role/machine",
        "type": "STANDARD",
        "creationDate": NOW,
    }
    executions.expect("describe_state_machine", response, stateMachineArn=machine_arn)
    marker = {"Key": "2026-11-29/done", "Size": 0, "ETag": '"e"', "LastModified": NOW}
    request = {"Bucket": "markers", "Prefix": "2026-11-29/done"}
    s3.expect("list_objects_v2", {"Contents": [marker]}, **request)
    executions.expect(
        "start_execution",
        {"executionArn": f"{machine_arn}:{EXPORT_EXECUTION}", "startDate": NOW},
        stateMachineArn=machine_arn,
        name=EXPORT_EXECUTION,
        input=json.dumps({"trigger": "export", "day": "2026-11-29"}),
    )
    event = {"stateMachineArn": machine_arn, "bucket": "markers", "key": "2026-11-29/done"}
    return event, EXPORT_EXECUTION


def close_run(personalize, executions, **_):
    response = {
        "executionArn": EXECUTION,
        "stateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining",
        "status": "TIMED_OUT",
        "startDate": NOW,
    }
    executions.expect("describe_execution", response, executionArn=EXECUTION)
    output = configured({"trigger": "schedule", "scheduledTime": NOW.isoformat()})
    first_state = {
        "timestamp": NOW,
        "id": 3,
        "type": "PassStateExited",
        "stateExitedEventDetails": {"name": "Configure run", "output": json.dumps(output)},
    }
    request = {"executionArn": EXECUTION, "maxResults": 10, "includeExecutionData": True}
    executions.expect("get_execution_history", {"events": [first_state]}, **request)
    response = {"datasetImportJobs": []}
    request = {"datasetArn": DATASET, "maxResults": 100}
    personalize.expect("list_dataset_import_jobs", response, **request)
    response = {"solutionVersions": [version_summary()]}
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", response, **request)
    expect_campaign(personalize)
    expect_tags(personalize, CAMPAIGN)
    milliseconds = int(NOW.timestamp() * 1000)
    event = {
        "detail": {
            "executionArn": EXECUTION,
            "startDate": milliseconds,
            "stopDate": milliseconds,
        }
    }
    return event, report_without_jobs("FAILED", "TIMED_OUT: no cause given")


def watch_pipeline(personalize, executions, **_):
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining"
    first_state = {"Type": "Pass", "Parameters": {"settings": settings()}, "End": True}
    definition = {"StartAt": "Configure run", "States": {"Configure run": first_state}}
    response = {
        "stateMachineArn": machine,
        "name": "retraining",
        "definition": json.dumps(definition),
        "roleArn": ROLE,
        "type": "STANDARD",
        "creationDate": ago(1000),
    }
    executions.expect("describe_state_machine", response, stateMachineArn=machine)
    expect_tags(personalize, CAMPAIGN)
    expect_campaign(personalize)
    created_at = {"solutionVersionArn": OLD_VERSION, "creationDateTime": ago(72)}
    expect_version(personalize, **created_at)
    request = {"stateMachineArn": machine, "maxResults": 100}
    executions.expect("list_executions", {"executions": []}, **request)
    request = {"solutionArn": SOLUTION, "maxResults": 100}
    personalize.expect("list_solution_versions", {"solutionVersions": []}, **request)
    response = {"datasetImportJobs": [import_summary()]}
    request = {"datasetArn": DATASET, "maxResults": 100}
    personalize.expect("list_dataset_import_jobs", response, **request)
    personalize.expect("list_event_trackers", {"eventTrackers": []}, datasetGroupArn=GROUP)
    ages = {"models": {"taste": 72}, "data": {"interactions": 48}, "unfinishedTrials": 0}
    return {"stateMachineArn": machine}, ages


def report_without_jobs(status, reason):
    return {
        "status": status,
        "runId": RUN_ID,
        "executionArn": EXECUTION,
        "reason": reason,
        "imports": [],
        "solutions": [],
        "trials": [],
        "warnings": [],
        "text": f"Retraining run {RUN_ID}: {status}: {reason}",
    }


CASES = {
    case.__name__: case
    for case in (
        plan_retraining,
        import_dataset,
        train_solution,
        deploy_version,
        report_outcome,
        start_on_export,
        close_run,
        watch_pipeline,
    )
}


OTHER_FIELDS = {
    "plan_retraining": {
        "runId": RUN_ID,
        "todo": "WORK",
        "seconds": 0,
        "reason": None,
        "imports": 1,
        "solutions": 1,
    },
    "start_on_export": {"locationWritten": MARKER, "execution": EXPORT_EXECUTION, "missing": []},
}
"""The fields of steps that are about neither a job nor a campaign."""


LOOPS = {"import_dataset": None, "train_solution": None, "deploy_version": CAMPAIGN}
"""The resource that a loop names in its record, unless it is the job."""


def expected_extra(step, result):
    """Return the extra fields of the one record of a step with this result."""
    if step in OTHER_FIELDS:
        return {"step": step, **OTHER_FIELDS[step]}
    if step in ("report_outcome", "close_run"):
        report = result.get("outcome", result)
        return {"step": step, "runId": RUN_ID, "outcome": report["status"]}
    if step == "watch_pipeline":
        return {"step": step, **result}
    if step in LOOPS:
        fields = {key: result[key] for key in ("phase", "outcome", "reasons")}
        return {"step": step, "runId": RUN_ID, "arn": LOOPS[step] or result["arn"], **fields}
    raise AssertionError(step)


METRIC_RECORDS = {
    "deploy_version": 1,
    "report_outcome": 2,
    "close_run": 2,
    "watch_pipeline": 3,
}
"""The number of records from which CloudWatch makes metrics."""


def test_every_function_has_a_case():
    assert list(CASES) == list(STEPS)


@pytest.mark.parametrize("step", CASES)
def test_a_handler_does_its_step_and_logs_it(handle, services, step):
    event, expected = CASES[step](**services)
    result, records = handle(step, event)
    assert result == expected
    metric_records = [record for record in records if record.name == "retraining.metrics"]
    assert len(metric_records) == METRIC_RECORDS.get(step, 0)
    (record,) = [record for record in records if record.name == "retraining"]
    assert record.levelname == "INFO"
    assert extra(record) == expected_extra(step, result), "a record has ids and states, no payloads"
    present = {key: value for key, value in extra(record).items() if value is not None}
    assert written(record) == present, "every field reaches the log"


MESSAGES = {
    "plan_retraining": "plan_retraining: WORK",
    "import_dataset": "import_dataset: IMPORTED",
    "train_solution": "train_solution: TRAINING",
    "deploy_version": "deploy_version: REJECTED",
    "watch_pipeline": "watch_pipeline: the oldest model has 72.0 hours, and the data 48.0",
    "report_outcome": f"Retraining run {RUN_ID}: SKIPPED: nothing is new",
    "close_run": f"Retraining run {RUN_ID}: FAILED: TIMED_OUT: no cause given",
}


@pytest.mark.parametrize(("step", "message"), MESSAGES.items(), ids=MESSAGES)
def test_the_message_of_a_record_is_readable(handle, services, step, message):
    event, _ = CASES[step](**services)
    _, records = handle(step, event)
    messages = [record.getMessage() for record in records if record.name == "retraining"]
    assert messages == [message]


def test_a_percent_sign_in_a_report_is_logged_as_it_is(handle, personalize):
    expect_campaign(personalize)
    expect_tags(personalize, CAMPAIGN)
    document = finished(plan=plan(todo="NOTHING", reason="100%s sure"), imports={"results": []})
    del document["solutions"]
    _, records = handle("report_outcome", document)
    (record,) = [record for record in records if record.name == "retraining"]
    assert record.getMessage() == f"Retraining run {RUN_ID}: SKIPPED: 100%s sure"


def test_a_wrong_input_is_refused_before_any_request(handle):
    with pytest.raises(RunRefused) as error:
        handle("plan_retraining", configured({"skipimport": True, "trigger": "x"}))
    assert str(error.value) == (
        "2 problems with this run:\n"
        '  key: "skipimport" is unknown; did you mean "skipImport"?\n'
        '  trigger: "x" is not one of "schedule", "export"; leave it out, or write one'
    )
