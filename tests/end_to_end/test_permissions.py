"""Each statement of each role is needed: a call uses it, or a run fails without it."""

import json
import re

import pytest

from components.iam import LOG_DELIVERY_ACTIONS
from tests.components.sample import STEPS_WITHOUT_TRIGGER
from tests.end_to_end import sample_runs
from tests.end_to_end.stack import eventually
from tests.end_to_end.statements import (
    TRUST,
    permissions,
    roles,
    statements,
    without,
    without_permission,
)

UNENFORCED = {
    # AWS uses these permissions in the background. The emulator does not.
    ("kms:GenerateDataKey", "kms:Decrypt"): (
        "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
    ),
    ("kms:Decrypt", "kms:GenerateDataKey"): (
        "https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html"
    ),
    ("kms:Decrypt",): (
        "https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html"
    ),
}
"""The actions of the statements that the emulator does not enforce, and AWS's page about them."""

LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
WITHOUT_CALLS = {
    # The emulator checks these during another call, and records only that call.
    "personalize:TagResource",
    "iam:PassRole",
    # Only a probe with a list of items to rank calls this.
    "personalize:GetPersonalizedRanking",
    *LOG,
    *LOG_DELIVERY_ACTIONS,
    # Only if an import is running while a run lists imports.
    "personalize:DescribeDatasetImportJob",
    # Only if an export changes after the plan, so that it is read and checked again.
    "personalize:DescribeDataset",
    "personalize:DescribeDatasetGroup",
    "personalize:DescribeSchema",
    "personalize:ListDataDeletionJobs",
    "personalize:ListDatasets",
    "personalize:ListEventTrackers",
    "s3:GetObject",
    # Only for an overdue training, or a campaign on trial, of a run without a report
    # (`test_closing.py`).
    "personalize:StopSolutionVersionCreation",
    "states:StartExecution",
    # Only every 15 minutes, by the schedule of the watcher. The tests call it as root.
    "lambda:InvokeFunction",
    # Only for a solution whose recipe makes user segments.
    "personalize:CreateBatchSegmentJob",
    "personalize:ListBatchSegmentJobs",
    # Only for the batch job of a solution without campaigns.
    "personalize:DescribeSolutionVersion",
    "personalize:GetSolutionMetrics",
    # Only for the age of a solution without campaigns, and for a campaign on trial.
    "personalize:ListSolutionVersions",
    "states:ListExecutions",
    # Only if the schedule delivers an event while another execution is running.
    "states:GetExecutionHistory",
}
"""Actions that a role may use although it makes no such call."""

CREATE_BATCH_JOB = ("personalize:CreateBatchInferenceJob", "personalize:TagResource")
"""The actions on the batch job. The solution needs the first one too."""
FAILS_WITHOUT = {
    ("", TRUST): sample_runs.plan,
    ("", tuple(LOG_DELIVERY_ACTIONS)): sample_runs.update_machine,
    ("plan-retraining", TRUST): sample_runs.plan,
    ("schedule", TRUST): sample_runs.fire_twice,
    ("import", TRUST): sample_runs.import_datasets,
    ("import-dataset", ("iam:PassRole",)): sample_runs.import_datasets,
    ("batch", TRUST): sample_runs.import_datasets,
    ("run-batch-job", ("iam:PassRole",)): sample_runs.import_datasets,
    ("run-batch-job", CREATE_BATCH_JOB[:1]): sample_runs.import_datasets,
    ("run-batch-job", CREATE_BATCH_JOB): sample_runs.import_datasets,
}
"""Statements that no call shows to be needed, and a run that ends otherwise without each.

The role `""` is that of the state machine. The trust policies are one for each principal.
"""


NEEDED_RARELY = {
    ("schedule", ("lambda:InvokeFunction",)),
    ("import-dataset", ("personalize:DescribeDatasetGroup",)),
    ("import-dataset", ("personalize:DescribeSchema",)),
    ("import-dataset", ("s3:GetObject",)),
    # Only a quality gate that is relative to a baseline.
    ("deploy-version", ("personalize:ListSolutionVersions",)),
    # The emulator asks only for the permission on the dataset.
    ("import-dataset", ("personalize:CreateDatasetImportJob",)),
    # Only for user segments.
    ("run-batch-job", ("personalize:CreateBatchSegmentJob", "personalize:TagResource")),
    # Exports and the inputs of batch jobs have a statement each, and S3's calls show no keys.
    ("plan-retraining", ("s3:GetObject",)),
    # Only the age of a solution without campaigns needs its tags.
    ("watch-pipeline", ("personalize:ListTagsForResource",)),
    # Only a dataset with INCREMENTAL imports can be broken.
    ("train-solution", ("personalize:ListTagsForResource",)),
}
"""Statements that no run of this module needs, because nothing disturbs its imports."""


@pytest.fixture(scope="module", autouse=True)
def unenforced(films):
    """Remove the statements in UNENFORCED during all tests, and return them."""
    all_statements = [each for role in roles(films).values() for each in statements(films, role)]
    removed = [each for each in all_statements if each.actions in UNENFORCED]
    with without(films, *removed):
        yield removed


@pytest.fixture(scope="module")
def all_runs(films, result_of, unenforced):
    """Run everything that together needs all permissions. Return the results by name."""
    assert unenforced != []
    films.run(skipImport=True)  # writes what the runs of other modules have left
    runs = (
        sample_runs.plan,
        sample_runs.start_again,
        sample_runs.import_datasets,
        sample_runs.stop_overdue_training,
        sample_runs.roll_back,
        sample_runs.time_out,
        sample_runs.exceed_size,
        sample_runs.update_machine,
        sample_runs.fire_twice,
    )
    return {run.__name__: result_of(run) for run in runs}


@pytest.fixture(scope="module")
def calls(films, all_runs):
    """Return the successful calls by role: the action, and the ARNs in the request if known."""
    assert all_runs != {}
    by_role = {role: [] for role in roles(films).values()}
    for call in films.calls():
        if call["status"] in (200, 206):
            by_role[call["caller"].split("/")[1]].append((call["action"], None))
    for call in films.emulator.control("GET", "personalize/calls"):
        role = call["caller"].split("/")[1] if "/" in call["caller"] else ""
        if role in by_role:
            arns = re.findall(r'"(arn:[^"]+)"', json.dumps(call["request"]))
            by_role[role].append((f"personalize:{call['operation']}", arns))
    return by_role


def test_the_runs_end_as_expected_without_the_unenforced_statements(films, unenforced, all_runs):
    assert {statement.actions for statement in unenforced} == set(UNENFORCED)
    imported = all_runs["import_datasets"]
    assert (imported["status"], imported["outcomes"]) == (
        "SUCCEEDED",
        {
            "users": "IMPORTED",
            films.solution_arn: "DEPLOYED",
            films.campaign_arn: "DEPLOYED",
            "batch job": "WRITTEN",
        },
    )
    outcomes = [run["outcomes"] for run in all_runs["update_machine"]]
    assert None not in outcomes, "each has a report; the first may end the training of `time_out`"
    assert all_runs["fire_twice"] == {
        "results": ["SKIPPED", "ExecutionAlreadyExists"],
        "dead letters": 1,
    }
    assert all_runs["stop_overdue_training"] == "CREATE STOPPED"
    assert all_runs["roll_back"]["outcomes"][films.campaign_arn] == "ROLLED_BACK"


def test_iam_has_no_other_role_of_the_stack(films):
    pages = films.client("iam").get_paginator("list_roles").paginate()
    names = {role["RoleName"] for page in pages for role in page["Roles"]}
    stack_roles = {name for name in names if name.startswith("retraining-films")}
    assert set(roles(films).values()) == stack_roles
    assert {step.replace("_", "-") for step in STEPS_WITHOUT_TRIGGER} == set(roles(films)) - {
        *("", "schedule", "import", "batch")
    }


def test_every_allowed_action_is_called_in_some_run(films, calls):
    unused = {
        action
        for role, role_calls in calls.items()
        for statement in statements(films, role)
        if statement.policy != TRUST
        for action in set(statement.actions) - {action for action, _ in role_calls}
    }
    assert unused <= WITHOUT_CALLS


def is_used(statement, role_statements, role_calls):
    """Return True if a call needs this statement, because no other statement allows the call."""
    others = [each for each in role_statements if each != statement]
    return any(
        statement.allows(action, arns) and not any(other.allows(action, arns) for other in others)
        for action, arns in role_calls
    )


def test_a_call_uses_each_statement_or_a_run_fails_without_it(films, calls):
    unused = []
    for name, role in roles(films).items():
        role_statements = statements(films, role)
        for statement in role_statements:
            if statement.policy == TRUST or statement.actions == LOG:
                continue
            if not is_used(statement, role_statements, calls[role]):
                unused.append((name, statement.actions))
    expected = {key for key in FAILS_WITHOUT if key[1] != TRUST}
    assert set(unused) - NEEDED_RARELY == expected


@pytest.mark.parametrize(("name", "actions"), FAILS_WITHOUT, ids=str)
def test_a_run_fails_without_a_statement(films, result_of, all_runs, name, actions):
    assert all_runs != {}
    run = FAILS_WITHOUT[name, actions]
    (removed,) = [
        statement
        for statement in statements(films, roles(films)[name])
        if actions in (statement.policy, statement.actions)
    ]
    with without(films, removed):
        assert run(films) != result_of(run)


def test_a_step_without_its_statement_for_the_log_leaves_no_record(films, result_of, all_runs):
    assert all_runs != {}
    logged = {record["step"] for record in films.log() if "step" in record}
    assert logged == set(STEPS_WITHOUT_TRIGGER), "every step has logged something with its own role"
    log_statements = [
        statement
        for role in roles(films).values()
        for statement in statements(films, role)
        if statement.actions == LOG
    ]
    assert len(log_statements) == len(STEPS_WITHOUT_TRIGGER)
    with without(films, *log_statements):
        without_log = sample_runs.plan(films)
    assert [run["steps"] for run in without_log] == [[], []]
    assert [run["steps"] for run in result_of(sample_runs.plan)] == [
        ["plan_retraining", "report_outcome"]
    ] * 2


def test_only_the_rule_may_invoke_close_run(films, all_runs):
    assert all_runs != {}
    (permission,) = permissions(films)
    rule = films.resources("cloudwatch/eventRule:EventRule")["retraining-films-close-run"]
    assert permission.document["Principal"] == {"Service": "events.amazonaws.com"}
    assert permission.document["Condition"] == {"ArnLike": {"AWS:SourceArn": rule["arn"]}}
    with without_permission(films, permission):
        refused = len(refused_invocations(films))
        run = films.run(dataset=["users"])
        eventually(lambda: refused_invocations(films), lambda calls: len(calls) > refused)
        assert films.closing_records(run, run.report["runId"]) == []
    assert permissions(films) == [permission]


def refused_invocations(stack):
    """Return the invocations of functions that the emulator refused."""
    calls = stack.emulator.calls("lambda:InvokeFunction")
    return [call for call in calls if call["status"] >= 400]


def test_a_run_ends_as_before_when_every_statement_is_back(films, result_of, all_runs):
    assert all_runs != {}
    assert sample_runs.plan(films) == result_of(sample_runs.plan)
