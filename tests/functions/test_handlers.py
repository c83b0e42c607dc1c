"""Tests of all handlers: each writes one record, and its import does nothing.

The requests of each function have tests of their own.
"""

import json
import logging
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter

from components.args import TriggerArgs
from components.function_configs import FUNCTION_CONFIGS
from components.lambda_functions import zip_functions
from functions.report.mail import format_report
from tests.workflow.pipeline import RUN_ID, deploy, handler
from tests.workflow.summaries import event_of, report_of
from tests.world import MOVIES, campaign_arn

LOOP_FIELDS = {"runId", "arn", "phase", "outcome", "reasons"}
FIELDS = {
    "plan_retraining": {"runId", "todo", "seconds", "reasons", "imports", "solutions"},
    "import_dataset": LOOP_FIELDS,
    "train_solution": LOOP_FIELDS,
    "deploy_version": LOOP_FIELDS,
    "report_outcome": {"runId", "outcome"},
    "start_on_export": {"locationWritten", "execution", "missing"},
    "close_run": {"runId", "outcome"},
    "watch_pipeline": {"models", "data", "unfinishedTrials"},
}
"""Function -> the fields of its record: ids and states, but no payloads."""
STANDARD_FIELDS = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
FORMATTED = {"timestamp", "level", "message", "logger"}
"""The fields that AWS's runtime client adds to each record."""


@pytest.fixture(scope="module")
def records():
    """Return the records of a run, an aborted run, and the functions that events call."""
    found = []
    listener = logging.Handler()
    listener.emit = found.append
    logger = logging.getLogger("retraining")
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    with deploy(MOVIES.with_options(trigger=TriggerArgs(on_export=True))) as pipeline:
        execution = pipeline.run()
        aborted = pipeline.start()
        aborted.abort()
        handler("close_run")(event_of(aborted), None)
        arn = pipeline.machine.arn
        handler("watch_pipeline")({"stateMachineArn": arn}, None)
        marker = {"stateMachineArn": arn, "bucket": "exports", "key": "no-marker"}
        handler("start_on_export")(marker, None)

    logger.removeHandler(listener)
    logger.setLevel(logging.NOTSET)
    return execution, [record for record in found if record.name == "retraining"]


def facts(record):
    """Return the fields that a record got by `extra`."""
    return {key: value for key, value in vars(record).items() if key not in STANDARD_FIELDS}


def test_each_invocation_writes_one_record_with_ids_and_states(records):
    execution, written = records
    assert {record.step: {*facts(record)} - {"step"} for record in written} == FIELDS
    assert {record.levelname for record in written} == {"INFO"}
    of_run = [record.step for record in written if getattr(record, "runId", None) == RUN_ID]
    calls = [call.function for call in execution.calls]

    assert of_run == calls, "people read the log, and it costs money"


def test_every_field_reaches_the_log(records):
    for record in records[1]:
        present = {key: value for key, value in facts(record).items() if value is not None}
        written = json.loads(JsonFormatter().format(record))
        assert {key: written[key] for key in written if key not in FORMATTED} == present


def test_the_message_of_a_record_is_readable(records):
    execution, written = records
    last = {record.step: record for record in written}

    assert last["plan_retraining"].getMessage() == "plan_retraining: WORK"
    assert last["deploy_version"].getMessage() == "deploy_version: DEPLOYED"
    assert last["deploy_version"].arn == campaign_arn()
    assert last["report_outcome"].getMessage() == format_report(report_of(execution))
    assert last["start_on_export"].getMessage() == "start_on_export: nothing started"


# The import of a handler

STANDARD_LIBRARY = {"_csv", "csv", "difflib"}
"""Modules that handlers import and that `import boto3` does not import in every Python."""
LARGEST_CODE = 600_000
"""Bytes of the zip that every function has."""
PROBE = """
import json, os, sys

import boto3


def refuse(*arguments, **options):
    raise SystemExit(f"a client is created at import: {arguments}")


class Environment(dict):
    read = []

    def __getitem__(self, key):
        self.read.append(key)
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.read.append(key)
        return super().get(key, default)


boto3.client = boto3.resource = boto3.session.Session.__init__ = refuse
for name in json.loads(sys.argv[2]):
    sys.modules.pop(name, None)
before = set(sys.modules)
os.environ = Environment(os.environ)
sys.path.insert(0, os.getcwd())
handlers = [
    callable(__import__(f"functions.{step}", fromlist=["handler"]).handler)
    for step in json.loads(sys.argv[1])
]
print(json.dumps({
    "handlers": handlers,
    "imported": sorted(set(sys.modules) - before),
    "environment": Environment.read,
}))
"""


def test_the_import_of_the_handlers_loads_little_and_reads_nothing(tmp_path):
    """A process that has only imported boto3 imports each handler from the code."""
    zipfile.ZipFile(zip_functions().path).extractall(tmp_path)
    probe = subprocess.run(  # noqa: S603 - this interpreter and the program above
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            PROBE,
            json.dumps(list(FUNCTION_CONFIGS)),
            json.dumps(list(STANDARD_LIBRARY)),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert probe.stderr == "", "no client is created"
    found = json.loads(probe.stdout)
    assert found["handlers"] == [True] * len(FUNCTION_CONFIGS)
    assert found["environment"] == []
    others = {name for name in found["imported"] if name.partition(".")[0] != "functions"}

    assert others == STANDARD_LIBRARY, "a cold start has a fourteenth of a core"


def test_the_code_of_a_function_is_small():
    assert Path(zip_functions().path).stat().st_size < LARGEST_CODE, "each start loads it"
