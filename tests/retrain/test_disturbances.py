"""Proves when a run is disturbed, and how. The services are doubles."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from functions.personalize.campaigns import NONE
from functions.personalize.tags import TRIAL
from retrain.rehearsal import disturbances, waiting
from tests.program.sample_stack import ITEMS
from tests.retrain.builders import EXECUTION, STATE_MACHINE, import_job, training, update

IMPORTS = [import_job(arn=f"arn:{number}") for number in range(3)]
"""The imports of the three datasets of the sample stack."""
ROLE = "arn:aws:iam::123456789012:role/import"


class FakeStepFunctions:
    """A double in which an execution starts jobs, one more with each look at it."""

    def __init__(self):
        self.jobs = []
        self.shown = 0
        self.status = "RUNNING"
        self.stopped = []
        self.executions = []

    def describe_execution(self, **request):
        """Return the status of the execution."""
        assert request == {"executionArn": EXECUTION}
        return {"status": self.status if self.shown < len(self.jobs) else "SUCCEEDED"}

    def started_jobs(self):
        """Return the jobs that the execution has started."""
        self.shown += 1
        return self.jobs[: self.shown]

    def stop_execution(self, **request):
        """Record the request."""
        self.stopped.append(request)

    def list_executions(self, **request):
        """Return the executions."""
        assert request == {"stateMachineArn": STATE_MACHINE}
        return {"executions": self.executions}


@pytest.fixture
def trial(deployed, monkeypatch):
    """Return the tags of the campaigns, which a test may change."""
    tags = {TRIAL: NONE}
    monkeypatch.setattr(deployed, "personalize", None)
    monkeypatch.setattr(disturbances, "tags_of", lambda *_: tags)
    return tags


@pytest.fixture
def execution(deployed, monkeypatch):
    """Return a double of Step Functions with an execution that has started no job yet."""
    fake = FakeStepFunctions()
    monkeypatch.setattr(deployed, "step_functions", fake)
    monkeypatch.setattr(disturbances, "started_jobs", lambda *_: fake.started_jobs())
    monkeypatch.setattr(deployed, "watch", lambda: None)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    return fake


def listed(name, **ago):
    """Return an execution in a list, which started so long ago."""
    started_at = datetime.now(UTC) - timedelta(**ago)
    return {"name": name, "executionArn": f"arn:{name}", "startDate": started_at}


def test_a_run_is_stopped_when_it_sends_an_update_and_the_next_execution_returned(
    deployed, execution, trial
):
    execution.jobs = [update()]
    trial[TRIAL] = "a version"
    execution.executions = [
        listed("trial-1-new", minutes=-1),
        listed("by-hand", minutes=-1),
        listed("trial-1-old", minutes=1),
    ]
    assert disturbances.stop_during_update(deployed, EXECUTION) == ["arn:trial-1-new"]
    assert execution.stopped == [{"executionArn": EXECUTION}]


def test_no_execution_is_returned_if_none_finishes_the_trial(
    deployed, execution, trial, monkeypatch
):
    monkeypatch.setattr(disturbances, "TRIAL_SECONDS", -1)
    trial[TRIAL] = "a version"
    execution.jobs = [update()]
    assert disturbances.stop_during_update(deployed, EXECUTION) == []


def test_a_run_that_ends_without_an_update_is_not_stopped(deployed, execution, trial):
    assert trial[TRIAL] == NONE
    assert disturbances.stop_during_update(deployed, EXECUTION) == []
    assert execution.stopped == []


@pytest.fixture
def imports_by_hand(deployed, monkeypatch):
    """Return the requests to create an import job."""
    requests = []
    client = SimpleNamespace(create_dataset_import_job=lambda **request: requests.append(request))
    monkeypatch.setattr(deployed, "personalize", client)
    monkeypatch.setattr(deployed, "output", {"import_role_arn": ROLE}.get)
    return requests


def test_a_full_import_is_started_by_hand_during_a_training(
    deployed, execution, imports_by_hand, monkeypatch
):
    datasets = deployed.stack.args.datasets
    changed = replace(
        datasets,
        interactions=replace(datasets.interactions, import_mode="INCREMENTAL"),
        items=replace(datasets.items, data_location="s3://bucket/{date}/items.csv"),
    )
    args = replace(deployed.stack.args, datasets=changed)
    monkeypatch.setattr(deployed, "stack", replace(deployed.stack, args=args))
    deployed.export_day = "2026-11-29"
    execution.jobs = [*IMPORTS, training()]
    assert disturbances.import_during_training(deployed, EXECUTION) == []
    assert imports_by_hand == [
        {
            "jobName": "by-hand-1",
            "datasetArn": ITEMS,
            "dataSource": {"dataLocation": "s3://bucket/2026-11-29/items.csv"},
            "roleArn": ROLE,
            "importMode": "FULL",
        }
    ]


@pytest.fixture
def imports(deployed, monkeypatch):
    """Return the import jobs, to which a test may add others."""
    jobs = [{"status": "ACTIVE"}]
    paginator = SimpleNamespace(paginate=lambda: [{"datasetImportJobs": jobs}])
    monkeypatch.setattr(deployed, "personalize", SimpleNamespace(get_paginator=lambda _: paginator))
    return jobs


def test_the_exports_are_written_again_when_all_of_them_are_imported(
    deployed, execution, imports, services
):
    deployed.prepare_run()
    execution.jobs = IMPORTS
    imports += [{"status": "CREATE PENDING"}, *[{"status": "CREATE IN_PROGRESS"}] * 2]
    assert disturbances.rewrite_exports_during_imports(deployed, EXECUTION) == []
    assert [export["rotation"] for export in services.exports] == [0, 1]
    assert len({export["day"] for export in services.exports}) == 1
    assert deployed.written_export.rotation == 1, "the next scenario has to know it"


def test_a_run_that_ends_before_its_imports_is_not_disturbed(
    deployed, execution, imports, services
):
    execution.status = "FAILED"
    execution.jobs = IMPORTS
    imports += [{"status": "CREATE IN_PROGRESS"}] * 2
    assert disturbances.rewrite_exports_during_imports(deployed, EXECUTION) == []
    assert services.exports == []


def test_a_run_that_ends_before_its_training_is_not_disturbed(deployed, execution, imports_by_hand):
    execution.jobs = [import_job()]
    assert disturbances.import_during_training(deployed, EXECUTION) == []
    assert (execution.stopped, imports_by_hand) == ([], [])
