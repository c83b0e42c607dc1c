"""Proves how a deployed stack is prepared and started, and what its first run returns.

The services are doubles.
"""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from rich.console import Console

from retrain.rehearsal import deployed_stack, stacks
from retrain.rehearsal.errors import FailedError
from tests.program.sample_stack import CAMPAIGN, SOLUTION
from tests.retrain.builders import (
    EXECUTION,
    EXECUTION_BY_HAND,
    NEW,
    OLD,
    STATE_MACHINE,
    run_report,
    solution_report,
)
from tests.retrain.conftest import SLOTS


def export(day, rotation, spoiling="none"):
    return {"day": day, "rotation": rotation, "spoiling": spoiling}


def today():
    return datetime.now(UTC).date().isoformat()


def test_each_run_has_a_later_slot_and_another_export(deployed, services):
    deployed.prepare_run()
    deployed.prepare_run(spoiling="shuffled")
    assert services.earlier_slots == [None, SLOTS[0]]
    assert services.exports == [export("2026-11-30", 0), export("2026-12-07", 1, "shuffled")]


def test_without_new_data_the_export_that_was_imported_last_is_written(deployed, services):
    services.slots.append("2026-12-14T03:00:00+00:00")
    deployed.prepare_run()
    deployed.follow(EXECUTION)
    deployed.prepare_run(spoiling="shuffled")
    deployed.prepare_run(new_data=False)
    assert services.exports[2] == export("2026-12-14", 0)


def test_the_schedule_starts_the_run(deployed, services):
    deployed.prepare_run()
    assert deployed.start() == EXECUTION
    assert services.emulator.requests == [("fire", "nightly", "retraining-dev", SLOTS[0])]


def test_a_schedule_that_starts_no_run_is_a_failure(deployed, services):
    services.emulator.refusal = "AccessDeniedException: the role may not"
    deployed.prepare_run()
    with pytest.raises(FailedError) as caught:
        deployed.start()
    assert str(caught.value) == (
        "the schedule starts no run: AccessDeniedException: the role may not"
    )


def test_a_paused_stack_is_started_by_hand_with_the_export_of_today(deployed, services):
    services.slots = [None]
    deployed.prepare_run()
    assert deployed.start() == EXECUTION_BY_HAND
    assert services.exports == [export(today(), 0)]


def test_a_run_by_hand_has_an_empty_input(deployed, monkeypatch):
    monkeypatch.undo()
    requests = []

    def start_execution(**request):
        requests.append(request)
        return {"executionArn": EXECUTION}

    deployed.step_functions = SimpleNamespace(start_execution=start_execution)
    assert deployed.start_by_hand() == EXECUTION
    assert requests == [{"stateMachineArn": STATE_MACHINE, "input": "{}"}]


def test_each_run_by_hand_has_another_export(deployed, services):
    assert [deployed.write_export_for_today() for _ in range(2)] == [today()] * 2
    assert services.exports == [export(today(), 0), export(today(), 1)]


def test_a_first_run_returns_versions_campaigns_and_recommendations(deployed):
    summary = deployed.first_run()
    assert [(version.solution_version_arn, version.age) for version in summary.versions] == [
        (OLD, "old"),
        (NEW, "new"),
    ]
    assert summary.trained
    (campaign,) = summary.campaigns
    assert (campaign.previous_version_arn, campaign.new_version_arn) == (OLD, NEW)
    assert [item.title for item in campaign.recommendations] == ["The Lost Island"]
    assert not summary.succeeded, "the campaign still serves the old version"


def test_a_first_run_whose_training_failed_shows_only_the_old_version(deployed, monkeypatch):
    report = run_report(solution_report(SOLUTION, version=None))
    monkeypatch.setattr(deployed_stack.runs, "read_report", lambda *_: report)
    summary = deployed.first_run()
    assert [version.age for version in summary.versions] == ["old"]
    assert not summary.trained


@pytest.mark.parametrize(
    ("recipe", "related", "item_ids"),
    [
        ("aws-user-personalization-v2", False, ["film-001"]),
        ("aws-similar-items", True, ["film-002"]),
        ("aws-personalized-ranking-v2", False, []),
    ],
)
def test_a_campaign_is_asked_for_what_its_recipe_recommends(
    deployed, monkeypatch, recipe, related, item_ids
):
    requests = []

    def related_to(_runtime, *request):
        requests.append(request)
        return ["film-002"]

    monkeypatch.setattr(deployed_stack, "recipe_of", lambda _: recipe)
    monkeypatch.setattr(deployed_stack.runs, "related_to", related_to)
    (campaign,) = deployed.first_run().campaigns
    last_item = deployed.stack.user.items[0]
    assert campaign.related_to == (last_item if related else None)
    assert requests == [(CAMPAIGN, last_item.item_id)] * related
    assert [item.item_id for item in campaign.recommendations] == item_ids


def test_a_campaign_has_the_recipe_of_its_own_solution(deployed, monkeypatch):
    (solution,) = deployed.stack.args.solutions
    first = replace(solution, solution_arn=f"{SOLUTION}-2", campaigns=())
    args = replace(deployed.stack.args, solutions=[first, solution])
    monkeypatch.setattr(deployed, "stack", replace(deployed.stack, args=args))
    solutions = []
    monkeypatch.setattr(deployed_stack, "recipe_of", lambda row: solutions.append(row) or "")
    deployed.first_run()
    assert solutions == [solution]


@pytest.mark.parametrize(
    ("changes", "is_awaited"),
    [
        ({"retrainingRate": "7 days"}, True),
        ({"retrainingRate": "7 days", "paused": True}, False),
        ({"retrainingRate": "cron(0 3 ? * MON *)"}, False),
    ],
    ids=["rate", "paused rate", "cron"],
)
def test_the_first_event_of_a_rate_is_awaited(services, project, monkeypatch, changes, is_awaited):
    awaited = []
    monkeypatch.setattr(deployed_stack, "wait_for_first_event", lambda _, arn: awaited.append(arn))
    with stacks.open_stack(project(**changes), "dev", None) as stack:
        deployed_stack.deploy_stack(stack, services.emulator, Console(quiet=True))
    assert awaited == [STATE_MACHINE] * is_awaited
