"""Proves when a kept stack gets a newer export. The services are doubles."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from retrain.rehearsal import deployed_stack, kept_stack
from retrain.rehearsal.kept_stack import KeptStack
from tests.retrain.builders import STATE_MACHINE, import_job, training

SECOND = timedelta(seconds=1)


@pytest.fixture
def kept(deployed, monkeypatch):
    """Return a kept stack with one export, and with no executions yet."""
    monkeypatch.setattr(kept_stack, "CHECK_SECONDS", 0)
    stack = KeptStack(deployed)
    stack.write_export()
    start(monkeypatch, stack)
    return stack


def start(monkeypatch, stack, *executions, jobs=()):
    """Make Step Functions list executions, each a status and the seconds since the export."""

    def list_executions(**request):
        assert request == {"stateMachineArn": STATE_MACHINE}
        return {
            "executions": [
                {
                    "executionArn": f"arn:{number}",
                    "status": status,
                    "startDate": stack.written_at + seconds * SECOND,
                }
                for number, (status, seconds) in enumerate(executions)
            ]
        }

    client = SimpleNamespace(list_executions=list_executions)
    monkeypatch.setattr(stack.deployed, "step_functions", client)
    monkeypatch.setattr(kept_stack, "started_jobs", lambda *_: iter(jobs))


@pytest.mark.parametrize(
    ("executions", "jobs"),
    [
        ([], []),
        ([("SUCCEEDED", 1)], [training()]),
        ([("SUCCEEDED", -1)], [import_job()]),
        ([("SUCCEEDED", 1), ("RUNNING", 2)], [import_job()]),
    ],
    ids=["no run", "nothing imported", "imported before", "still running"],
)
def test_an_export_that_was_not_imported_is_not_replaced(
    kept, services, monkeypatch, executions, jobs
):
    start(monkeypatch, kept, *executions, jobs=jobs)
    kept.refresh()
    assert len(services.exports) == 1


def test_an_export_that_was_imported_is_followed_by_another(kept, services, monkeypatch):
    start(monkeypatch, kept, ("FAILED", 1), ("SUCCEEDED", 2), jobs=[training(), import_job()])
    kept.refresh()
    assert [export["rotation"] for export in services.exports] == [0, 1]


@pytest.mark.parametrize(("is_daily", "exports"), [(True, 2), (False, 1)])
def test_a_new_day_gets_an_export_if_locations_contain_the_date(
    kept, services, monkeypatch, is_daily, exports
):
    monkeypatch.setattr(KeptStack, "is_daily", is_daily)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    kept.day = "2026-11-29"
    monkeypatch.setattr(deployed_stack, "_today", lambda: tomorrow)
    kept.refresh()
    assert len(services.exports) == exports
    assert services.exports[-1]["day"] == (tomorrow if is_daily else services.exports[0]["day"])


def test_the_executions_are_not_listed_all_the_time(kept, monkeypatch):
    monkeypatch.setattr(kept_stack, "CHECK_SECONDS", 60)
    kept.refresh()
    monkeypatch.setattr(kept.deployed, "step_functions", None)
    kept.refresh()
