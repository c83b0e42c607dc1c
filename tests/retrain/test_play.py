"""Proves how scenarios are played, and which evidence they collect. The services are doubles."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from retrain.rehearsal import deployed_stack, play, waiting
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.runs import campaign_arns
from retrain.rehearsal.scenarios import SCENARIOS
from tests.program.sample_stack import CAMPAIGN, SOLUTION
from tests.retrain.builders import EXECUTION, EXECUTION_BY_HAND, NEW, OLD, training
from tests.retrain.conftest import SLOTS

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
CALLER = "arn:aws:sts::123456789012:assumed-role/retraining-dev-plan/plan"
SECOND_CALLER = CALLER.replace("-dev-", "-dev2-")


def evidence_of(deployed, name):
    return play.play(deployed, BY_NAME[name]).evidence


def test_the_faults_of_a_scenario_are_injected_and_removed(deployed):
    scenario = BY_NAME["stuck-training"]
    play.play(deployed, scenario)
    assert deployed.emulator.requests == [
        ("POST", "faults", scenario.faults[0]),
        ("fire", "nightly", "retraining-dev", SLOTS[0]),
        ("DELETE", "faults", None),
    ]


def test_the_evidence_has_the_run_its_versions_and_the_campaigns(deployed):
    result = play.play(deployed, BY_NAME["stuck-training"])
    (run,) = result.evidence.runs
    assert (run.execution_arn, run.ending) == (EXECUTION, "SUCCEEDED")
    assert [job.arn for job in run.jobs] == [NEW]
    assert result.evidence.version_statuses == {NEW: "ACTIVE"}
    (campaign,) = result.evidence.campaigns
    assert (campaign.solution_version_arn, campaign.new_version_arn) == (OLD, NEW)
    assert result.evidence.campaigns_without_probe == []
    assert not result.is_as_designed, "the training was not stopped"


def test_the_evidence_names_the_campaigns_without_a_probe(deployed, monkeypatch):
    (solution,) = deployed.stack.args.solutions
    campaigns = [replace(campaign, probe=None) for campaign in solution.campaigns]
    solutions = [replace(solution, campaigns=campaigns)]
    args = replace(deployed.stack.args, solutions=solutions)
    monkeypatch.setattr(deployed, "stack", replace(deployed.stack, args=args))
    assert evidence_of(deployed, "bad-probe").campaigns_without_probe == [CAMPAIGN]


def test_only_the_evidence_about_metrics_has_the_number_of_users(deployed, services):
    services.slots.append("2026-12-14T03:00:00+00:00")
    assert evidence_of(deployed, "worse-model").evaluation_users == 50
    assert evidence_of(deployed, "wrong-header").evaluation_users is None


def test_a_duplicate_event_has_two_deliveries_and_a_run_by_hand(deployed):
    evidence = evidence_of(deployed, "duplicate-event")
    assert evidence.deliveries == [EXECUTION, EXECUTION]
    assert [run.execution_arn for run in evidence.runs] == [EXECUTION, EXECUTION_BY_HAND]


def test_a_run_is_disturbed_and_the_executions_that_follow_are_evidence(deployed):
    disturbed = []

    def disturb(stack, execution_arn):
        disturbed.append((stack, execution_arn))
        return [EXECUTION_BY_HAND]

    scenario = replace(BY_NAME["aborted-run"], disturb=disturb)
    evidence = play.play(deployed, scenario).evidence
    assert disturbed == [(deployed, EXECUTION)]
    assert [run.execution_arn for run in evidence.runs] == [EXECUTION, EXECUTION_BY_HAND]


def automatic_training(*answers):
    """Return a Personalize that answers so when it is asked whether a solution trains itself."""
    updates, remaining = [], list(answers)
    return SimpleNamespace(
        updates=updates,
        remaining=remaining,
        update_solution=lambda **request: updates.append(request),
        describe_solution=lambda **_: {"solution": {"performAutoTraining": remaining.pop(0)}},
    )


def test_automatic_training_is_turned_on_for_every_solution(deployed, monkeypatch):
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0)
    (solution,) = deployed.stack.args.solutions
    second = replace(solution, solution_arn=f"{SOLUTION}-2", campaigns=())
    args = replace(deployed.stack.args, solutions=[solution, second])
    monkeypatch.setattr(deployed, "stack", replace(deployed.stack, args=args))
    deployed.personalize = automatic_training(False, True, False, True)
    play.play(deployed, BY_NAME["auto-training"])
    assert deployed.personalize.updates == [
        {"solutionArn": SOLUTION, "performAutoTraining": True},
        {"solutionArn": f"{SOLUTION}-2", "performAutoTraining": True},
    ]
    assert deployed.personalize.remaining == [], "each solution is polled until it is on"


def test_automatic_training_that_stays_off_is_an_error(deployed, monkeypatch):
    monkeypatch.setattr(play, "SWITCH_SECONDS", -1)
    deployed.personalize = automatic_training(False)
    with pytest.raises(RehearsalError, match="automatic training is still off"):
        play.play(deployed, BY_NAME["auto-training"])


@pytest.fixture
def two_stacks(deployed, services, monkeypatch):
    """Give two stacks the same slot, and one job each."""
    monkeypatch.setattr(
        deployed_stack.DeployedStack,
        "served_versions",
        lambda self: dict.fromkeys(campaign_arns(self.stack.args), OLD),
    )
    jobs = iter(["arn:job-1", "arn:job-2"])
    monkeypatch.setattr(deployed_stack, "follow_jobs", lambda *_: [training(arn=next(jobs))])
    services.slots = [SLOTS[0], SLOTS[0]]
    return SimpleNamespace(first=deployed, services=services)


@pytest.mark.parametrize(
    ("caller", "arn", "foreign_calls"),
    [
        (SECOND_CALLER, f"{SOLUTION}3", []),
        (
            SECOND_CALLER,
            SOLUTION,
            [f"{SECOND_CALLER} named {SOLUTION}, a resource of the other stack"],
        ),
        (
            SECOND_CALLER,
            "arn:job-1",
            [f"{SECOND_CALLER} named arn:job-1, a resource of the other stack"],
        ),
        (SECOND_CALLER, "arn:job-2", []),
        ("root", SOLUTION, ["stack dev2 sent no request to Personalize"]),
    ],
    ids=["no foreign ARN", "foreign solution", "foreign job", "its own job", "no call"],
)
def test_the_calls_of_two_stacks_are_compared(two_stacks, caller, arn, foreign_calls):
    two_stacks.services.emulator.calls_to_personalize = [
        {"caller": CALLER, "request": {"arn": "arn:of:nobody"}},
        {"caller": caller, "request": {"arn": arn}},
    ]
    evidence = evidence_of(two_stacks.first, "two-stacks")
    assert evidence.foreign_calls == foreign_calls


def test_two_stacks_run_for_one_slot(two_stacks):
    evidence = evidence_of(two_stacks.first, "two-stacks")
    assert [campaign.campaign_arn for campaign in evidence.campaigns] == [
        CAMPAIGN,
        f"{CAMPAIGN}2",
    ]
    assert [[job.arn for job in run.jobs] for run in evidence.runs] == [
        ["arn:job-1"],
        ["arn:job-2"],
    ]
    assert [name for name, _ in two_stacks.services.deployments] == ["dev", "dev2"]
    fired = [request[-1] for request in two_stacks.services.emulator.requests if "fire" in request]
    assert fired == [SLOTS[0]] * 2
