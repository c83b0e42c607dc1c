"""Tests of the function that trains a solution: what it reads and sends, against the emulator.

Which version is used, and when, is tested in `tests/model/test_training_rules.py`.
"""

from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from components.args import LimitsArgs
from emulator.personalize import Switches
from functions.personalize.tags import write_tags
from tests.workflow.pipeline import deploy, handler
from tests.world import HOUR, MOVIES, PREFIX, solution_arn

NAME = f"{PREFIX}-this-0b519087"
"""The name of the version of this run."""
TAGS = {"retraining-run": "earlier", "retraining-fingerprint": "a-1", "retraining-confirmed": "a-1"}
"""The tags of an import that holds its export."""


@contextmanager
def deployed(group=MOVIES, **options):
    """Deploy a pipeline whose imports were created by an earlier run, and hold their exports."""
    with deploy(group, **options) as pipeline:
        for job in pipeline.client.list_dataset_import_jobs()["datasetImportJobs"]:
            write_tags(pipeline.client, job["datasetImportJobArn"], TAGS)
        yield pipeline


def document(pipeline, run="this", **planned):
    """Return the document of the solution in a run. `planned` are changes of its plan."""
    standard = {
        "solutionArn": solution_arn(),
        "versionName": f"{PREFIX}-{run}-0b519087",
        "trainingMode": "FULL",
        "existingVersionArn": None,
        "requestedSince": None,
        "durations": [5430],
    }
    now = pipeline.clock.now().isoformat()

    return {
        "settings": pipeline.group.settings(),
        "run": {"id": run, "startedAt": now, "request": {}},
        "solution": {**standard, **planned},
        "status": None,
    }


def train(pipeline, event):
    """Return the status of each call of the function until the training has its outcome."""
    statuses = []
    while not statuses or statuses[-1]["outcome"] is None:
        statuses.append(handler("train_solution")(event, None))
        event = {**event, "status": statuses[-1]}
        pipeline.sleep(statuses[-1]["seconds"])

    return statuses


def trained(pipeline, **document_):
    """Train the solution in a run, and return the last status. It must have succeeded."""
    status = train(pipeline, document(pipeline, **document_))[-1]
    assert (status["outcome"], status["reasons"]) == ("TRAINED", [])
    return status


def test_a_version_is_created_with_the_tags_of_the_run_and_the_digest_of_its_data():
    with deployed() as pipeline:
        began_at = pipeline.clock.now()
        waiting, *_, status = train(pipeline, document(pipeline))
        new = pipeline.versions()[-1]
        (request,) = pipeline.requests("CreateSolutionVersion")
        assert pipeline.clock.now() - began_at < timedelta(seconds=5430 + 60)

    tags = {item["tagKey"]: item["tagValue"] for item in request.pop("tags")}
    assert request == {"name": NAME, "solutionArn": solution_arn(), "trainingMode": "FULL"}
    assert tags.pop("retraining-digest").count("-") == 1
    assert tags == {"retraining-pipeline": "retraining", "retraining-run": "this"}
    assert (waiting["phase"], waiting["endedAt"], waiting["arn"]) == ("TRAINING", None, new)
    assert waiting["seconds"] > 1000, "the time until shortly before the end passes in a Wait"
    assert (status["arn"], status["isNew"], status["warnings"]) == (new, True, [])
    created_at, ended_at = map(datetime.fromisoformat, (status["createdAt"], status["endedAt"]))
    assert ended_at - created_at == timedelta(seconds=5430), "as Personalize says"
    assert status["trainingHours"] > 0


def test_many_foreign_versions_hide_no_version_of_a_run():
    with deployed() as pipeline:
        first = trained(pipeline, run="first")
        for number in range(25):
            pipeline.foreign_training(f"foreign-{number}")
            pipeline.sleep(2 * HOUR)
        pipeline.sleep(60 * 24 * HOUR)

        assert trained(pipeline)["arn"] == first["arn"]


def test_a_given_version_is_used_without_a_look_at_anything_else(caplog):
    caplog.set_level("INFO", "retraining.metrics")
    with deployed() as pipeline:
        (version,) = pipeline.versions()
        status = trained(pipeline, existingVersionArn=version)
        assert pipeline.requests("DescribeSolution") == []

    assert caplog.records == [], "its hours were measured when its training ended"
    assert (status["arn"], status["isNew"]) == (version, False)


def test_a_training_starts_when_no_import_and_no_update_of_the_solution_is_running():
    with deployed() as pipeline:
        pipeline.foreign_import("items", importMode="INCREMENTAL")
        statuses = train(pipeline, document(pipeline))
        assert {status["phase"] for status in statuses} == {"WAITING", "TRAINING", "TRAINED"}
        (warning,) = statuses[-1]["warnings"]
        assert "/foreign, an import that this pipeline did not start, has changed" in warning
        pipeline.client.update_solution(solutionArn=solution_arn(), performAutoTraining=True)

        assert train(pipeline, document(pipeline, run="other"))[0]["phase"] == "WAITING"


@pytest.mark.parametrize("request_, outcome", [({}, "FAILED"), ({"skipImport": True}, "TRAINED")])
def test_only_a_run_without_imports_accepts_data_that_a_person_has_imported(request_, outcome):
    with deployed() as pipeline:
        pipeline.foreign_import("items")
        pipeline.sleep(HOUR)
        event = document(pipeline)
        event["run"]["request"] = request_
        assert train(pipeline, event)[-1]["outcome"] == outcome


@pytest.mark.parametrize(
    "fault, stale, creates, unique",
    [
        ("lost-answer", 0, 1, False),
        ("lost-answer", 100, 1, True),
        ("lost-answer", 100, 1, False),
        ("limit-exceeded", 0, 2, True),
    ],
)
def test_a_create_is_sent_again_only_if_no_version_can_exist(fault, stale, creates, unique):
    with deployed(switches=Switches(unique_version_names=unique)) as pipeline:
        pipeline.inject_fault(fault, operation="CreateSolutionVersion")
        if stale:
            pipeline.inject_fault("stale", operation="ListSolutionVersions", seconds=stale, times=2)
        status = trained(pipeline)

        assert len(pipeline.requests("CreateSolutionVersion")) == creates
        assert [status["arn"]] == pipeline.versions()[1:]


def test_a_training_that_ends_just_before_it_is_stopped_is_used():
    with deployed(MOVIES.with_options(limits=LimitsArgs(max_training_hours=1.5))) as pipeline:
        pipeline.inject_fault("take", job="solution-version", seconds=1.5 * HOUR - 60 - 30)
        pipeline.inject_fault("stale", operation="DescribeSolutionVersion", seconds=60, times=None)
        trained(pipeline)
        assert pipeline.requests("StopSolutionVersionCreation") != []
