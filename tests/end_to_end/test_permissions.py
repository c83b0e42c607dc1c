"""Each statement of each role is needed: without it, some run does not come to its usual end."""

from collections.abc import Callable

import pytest

from components.state_machine.steps import STEPS
from tests.end_to_end import scenarios
from tests.end_to_end.stack import Stack
from tests.end_to_end.statements import (
    TRUST,
    permissions,
    roles,
    statements,
    without,
    without_permission,
)

Scenario = Callable[[Stack], object]

RUNS: dict[str, Scenario] = {
    "": scenarios.deploy_machine,
    "schedule": scenarios.fire,
    "import": scenarios.import_datasets,
    "plan-retraining": scenarios.plan,
    "create-dataset-import-job": scenarios.import_datasets,
    "watch-dataset-import-job": scenarios.import_datasets,
    "create-solution-version": scenarios.train,
    "watch-solution-version": scenarios.train,
    "evaluate-solution-version": scenarios.train,
    "update-campaign": scenarios.train,
    "probe-campaign": scenarios.train,
    "roll-back-campaign": scenarios.roll_back,
    "watch-campaign-update": scenarios.train,
    "stop-solution-version": scenarios.overdue,
    "report-outcome": scenarios.plan,
    "close-run": scenarios.timed_out,
}
"""Role (`""` is the state machine's) -> the run that needs all of its statements."""

UNENFORCED = {
    # What these statements allow, AWS does in the background, and the emulator does not do.
    ("xray:PutTraceSegments", "xray:PutTelemetryRecords"): (
        "https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html"
    ),
    (
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
    ): "https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html",
    ("kms:GenerateDataKey", "kms:Decrypt"): (
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
    ),
    ("kms:Decrypt",): (
        "https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html"
    ),
}
"""Actions of the statements that the emulator cannot enforce -> AWS's page about them."""

LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
WITHIN_OTHERS = {
    # Asked for in the course of another call, under whose name the emulator notes it.
    "personalize:TagResource",
    "iam:PassRole",
    # Asked by a probe with a list to rank, which takes a solution of another recipe.
    "personalize:GetPersonalizedRanking",
    # Of what a function prints, and of a state machine's log.
    *LOG,
    "logs:CreateLogDelivery",
    "logs:GetLogDelivery",
    "logs:UpdateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:DescribeResourcePolicies",
    "logs:DescribeLogGroups",
}
"""Actions that leave no call of their own."""


@pytest.fixture(scope="module", autouse=True)
def unenforced(films):
    """Take out what the list names: all that follows is seen without it."""
    everything = [each for role in roles(films).values() for each in statements(films, role)]
    listed = [each for each in everything if each.actions in UNENFORCED]
    with without(films, *listed):
        yield listed


@pytest.fixture(scope="module")
def usual(films):
    """Give what is seen of a scenario where nothing that is enforced is missing."""
    known = {}

    def look(scenario: Scenario) -> object:
        if scenario not in known:
            known[scenario] = scenario(films)
        return known[scenario]

    return look


def test_every_role_of_the_stack_has_a_run_that_needs_it(films):
    names = films.client("iam").get_paginator("list_roles").paginate()
    made = {each["RoleName"] for page in names for each in page["Roles"]}
    ours = {name for name in made if name.startswith("retraining-films")}
    assert set(roles(films).values()) == ours, "IAM has no further role of this stack"
    assert set(roles(films)) == set(RUNS), "each role is looked at below"
    assert {step.replace("_", "-") for step in STEPS} < set(RUNS)


@pytest.mark.parametrize("role", RUNS, ids=lambda role: role or "state-machine")
def test_a_run_notices_when_a_role_lacks_any_of_its_statements(films, usual, role):
    step, scenario, superfluous = role.replace("-", "_"), RUNS[role], []
    log_is_below = step in usual(scenarios.import_datasets)["steps"]
    for statement in statements(films, roles(films)[role]):
        if statement.actions != LOG or not log_is_below:
            expected = usual(scenario)
            with without(films, statement):
                if scenario(films) == expected:
                    superfluous.append(statement)
    assert superfluous == [], "no run needs these"


def test_the_rule_reaches_close_run_by_the_statement_of_the_function_s_own_policy(films, usual):
    found = permissions(films)
    rule = films.resources("cloudwatch/eventRule:EventRule")["retraining-films-close-run"]
    assert [(each.document["Principal"], each.document["Condition"]) for each in found] == [
        ({"Service": "events.amazonaws.com"}, {"ArnLike": {"AWS:SourceArn": rule["arn"]}})
    ], "nobody else may call any function by its policy"
    expected = usual(scenarios.timed_out)
    for each in found:
        with without_permission(films, each):
            assert scenarios.timed_out(films) != expected, "the run is never closed"
    assert permissions(films) == found, "put back"


@pytest.mark.parametrize("half", [0, 1])
def test_a_step_that_may_not_write_its_log_leaves_no_record(films, usual, half):
    """Its run goes on all the same, so that several steps can be silenced in one."""
    steps = usual(scenarios.import_datasets)["steps"]
    silent = steps[half::2]
    log = [
        statement
        for step in silent
        for statement in statements(films, roles(films)[step.replace("_", "-")])
        if statement.actions == LOG
    ]
    assert len(log) == len(silent), "each step has this statement"
    with without(films, *log):
        assert scenarios.import_datasets(films)["steps"] == steps[1 - half :: 2]


def test_what_is_listed_as_unenforced_exists_and_no_run_needs_it(films, usual, unenforced):
    assert {each.actions for each in unenforced} == set(UNENFORCED), "the list names what there is"
    solution = films.args.solutions[0]
    outcomes = {
        "users": "IMPORTED",
        solution.solution_arn: "DEPLOYED",
        solution.campaigns[0].campaign_arn: "DEPLOYED",
    }
    healthy = usual(scenarios.import_datasets)
    assert (healthy["run"], healthy["outcomes"]) == ("SUCCEEDED", outcomes)
    assert [each["run"] for each in usual(scenarios.deploy_machine)] == ["SUCCEEDED"] * 2
    fired = {"first": "SKIPPED", "again": "ExecutionAlreadyExists", "dead letters": 1}
    assert usual(scenarios.fire) == fired
    assert usual(scenarios.overdue)["version"] == "CREATE STOPPED"
    assert usual(scenarios.timed_out) == {
        "run": "TIMED_OUT",
        "closed": ["FAILED"],
        "version": "CREATE STOPPED",
    }


@pytest.fixture(scope="module")
def afterwards(films, usual):
    """A run with every statement back; `usual` has seen all scenarios by then."""
    for scenario in RUNS.values():
        usual(scenario)
    return films.run(datasets=["users"], force=True)


def test_with_every_statement_back_all_is_as_before(films, usual, afterwards):
    assert scenarios.seen(films, afterwards) == usual(scenarios.import_datasets)


def test_every_action_that_a_role_may_do_is_done_in_some_run(films, afterwards):
    films.run(resume=afterwards.report["runId"], datasets=["users"])
    done = {
        (call["caller"].split("/")[1], call["action"])
        for call in films.emulator.calls()
        if call["status"] in (200, 206) and ":assumed-role/" in call["caller"]
    }
    allowed = {
        (role, action)
        for role in roles(films).values()
        for statement in statements(films, role)
        if statement.policy != TRUST
        for action in statement.actions
    }
    assert {action for _, action in allowed - done} == WITHIN_OTHERS
