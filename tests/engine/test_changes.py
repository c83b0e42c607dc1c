"""Proves that a change of config or code changes exactly the resources that it should.

The changes are applied one after another to one stack. A row that removes a setting undoes the row
before it.
"""

import json
from collections.abc import Callable
from typing import NamedTuple

import pytest

from components.bundles import bundle
from components.state_machine.steps import STEPS
from tests.engine.stacks import Stack

ACTIONS = "arn:aws:personalize:eu-west-1:123456789012:dataset/movies/ACTIONS"
SECOND = "arn:aws:personalize:eu-west-1:123456789012:{}/movies-related"
ROLE = "arn:aws:iam::123456789012:role/personalize-import"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"

MACHINE = "StateMachine retraining-dev"
SCHEDULE = "Schedule retraining-dev-schedule"
LOG_GROUPS = ("LogGroup retraining-dev", "LogGroup retraining-dev-functions")
UNTAGGED = ("RolePolicy", "Schedule", "EventTarget", "Permission")
"""The types that have no tags."""


class Change(NamedTuple):
    """A change, and the resources that it may change."""

    name: str
    apply: Callable[[Stack], None]
    updated: Callable[[dict[str, str]], set[str]]
    """Returns the resources that are updated. The keys of the argument are all resources."""
    created: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


def policies_of(*grants: str) -> set[str]:
    """Return the policies of the steps that have permissions for these kinds of resources."""
    return {
        f"RolePolicy retraining-dev-{step.replace('_', '-')}"
        for step, row in STEPS.items()
        if set(grants) & set(row.grants)
    }


def functions_with(module: str) -> set[str]:
    """Return the functions whose bundle contains a module."""
    return {
        f"Function retraining-dev-{step.replace('_', '-')}"
        for step in STEPS
        if f"functions/{module}.py" in bundle(step).assets
    }


def set_key(key: str, value: str) -> Callable[[Stack], None]:
    """Return a change that sets a key of the stack's config."""
    return lambda stack: stack.set(key, value)


def remove_key(key: str) -> Callable[[Stack], None]:
    """Return a change that removes a key of the stack's config."""
    return lambda stack: stack.remove(key)


def edit_file(file: str, before: str, after: str) -> Callable[[Stack], None]:
    """Return a change that replaces text in a file of the program."""

    def apply(stack: Stack) -> None:
        path = stack.folder / file
        text = path.read_text()
        assert text.count(before) == 1, f"{before} must be in {file} once"
        path.write_text(text.replace(before, after))

    return apply


def append_comment(file: str) -> Callable[[Stack], None]:
    """Return a change that appends a comment to a file of the program."""

    def apply(stack: Stack) -> None:
        path = stack.folder / file
        path.write_text(f"{path.read_text()}# changed\n")

    return apply


def add_solution(stack: Stack) -> None:
    """Add a solution with a campaign."""
    stack.set("solutions[1].solutionArn", SECOND.format("solution"))
    stack.set("solutions[1].campaigns[0].campaignArn", SECOND.format("campaign"))


def add_dataset(stack: Stack) -> None:
    """Add a dataset whose export is in a new bucket."""
    stack.set("datasets.actions.datasetArn", ACTIONS)
    stack.set("datasets.actions.dataLocation", "s3://movies-actions/actions/")


def only(*names: str) -> Callable[[object], set[str]]:
    """Return a function that always returns these resources."""
    return lambda _resources: set(names)


COMPONENTS = ("RetrainingPipeline", "LambdaFunctions", "Monitoring")


def tagged(resources: dict[str, str]) -> set[str]:
    """Return the resources that have tags."""
    return {name for name in resources if name.split()[0] not in (*UNTAGGED, *COMPONENTS)}


IMPORT = {"Role retraining-dev-import", "RolePolicy retraining-dev-import"}

CHANGES = [
    Change("the rate", set_key("retrainingRate", "cron(0 4 ? * MON *)"), only(SCHEDULE)),
    Change("the time zone", set_key("timezone", "Europe/Paris"), only(SCHEDULE)),
    Change("paused", set_key("paused", "true"), only(SCHEDULE)),
    Change("a limit", set_key("limits.maxTrainingHours", "30"), only(MACHINE)),
    Change(
        "the quality gate",
        set_key("solutions[0].qualityGate[0].maxDrop", "0.3"),
        only(MACHINE),
    ),
    Change("a probe", set_key("solutions[0].campaigns[0].probe.minResults", "5"), only(MACHINE)),
    Change("a tag", set_key("tags.owner", "films"), tagged),
    Change(
        "another dataset",
        add_dataset,
        only(
            MACHINE,
            "RolePolicy retraining-dev-import",
            *policies_of("datasets", "exports", "export buckets"),
        ),
    ),
    Change(
        "another location",
        set_key("datasets.users.dataLocation", "s3://movies-users/users.csv"),
        only(
            MACHINE, "RolePolicy retraining-dev-import", *policies_of("exports", "export buckets")
        ),
    ),
    Change(
        "another solution",
        add_solution,
        only(MACHINE, *policies_of("solutions", "solution versions", "campaigns")),
    ),
    Change(
        "an import role",
        set_key("importRoleArn", ROLE),
        only(MACHINE, *policies_of("import role")),
        deleted=frozenset(IMPORT),
    ),
    Change(
        "no import role",
        remove_key("importRoleArn"),
        only(MACHINE, *policies_of("import role")),
        created=frozenset(IMPORT),
    ),
    Change("the retention of the logs", set_key("logRetentionDays", "30"), only(*LOG_GROUPS)),
    Change(
        "a key for logs and dead letters",
        set_key("kmsKeyArn", KEY),
        only(
            *LOG_GROUPS,
            "Queue retraining-dev-dead-letters",
            "RolePolicy retraining-dev-schedule",
        ),
    ),
    Change(
        "a key of the exports",
        set_key("dataKmsKeyArn", KEY),
        only("RolePolicy retraining-dev-import", *policies_of("data key")),
    ),
    Change(
        "a permissions boundary",
        set_key("permissionsBoundaryArn", BOUNDARY),
        lambda resources: {name for name in resources if name.startswith("Role ")},
    ),
    Change(
        "the code of one function",
        append_comment("functions/report_outcome.py"),
        only("Function retraining-dev-report-outcome", MACHINE),
    ),
    Change(
        "the code of the function that is not in the state machine",
        append_comment("functions/close_run.py"),
        only("Function retraining-dev-close-run"),
    ),
    Change(
        "code that some functions share",
        append_comment("functions/personalize/gate.py"),
        only(MACHINE, *functions_with("personalize/gate")),
    ),
    Change(
        "the memory of a function",
        edit_file(
            "components/state_machine/steps.py", "memory_megabytes=256", "memory_megabytes=512"
        ),
        only("Function retraining-dev-plan-retraining", MACHINE),
    ),
    Change(
        "an action that a function may do",
        # Only the row of report_outcome has no actions.
        edit_file(
            "components/state_machine/steps.py", "grants={}", 'grants={"any": ("sns:ListTopics",)}'
        ),
        only("RolePolicy retraining-dev-report-outcome"),
    ),
    Change(
        "the retries of the schedule",
        edit_file(
            "components/schedule.py", '"maximum_retry_attempts": 30', '"maximum_retry_attempts": 9'
        ),
        only(SCHEDULE),
    ),
]


@pytest.fixture(scope="module")
def deployed(stack, emulator):
    """Create the permissions boundary of a later change, and deploy the stack."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    emulator.client("iam").create_policy(
        PolicyName=BOUNDARY.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return stack.up()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_changes_exactly_the_resources_that_it_should(stack, deployed, change):
    change.apply(stack)
    result = stack.up()
    assert result.changes == {
        **dict.fromkeys(change.updated(deployed.steps), "updated"),
        **dict.fromkeys(change.created, "created"),
        **dict.fromkeys(change.deleted, "deleted"),
    }


def test_the_changed_stack_is_destroyed_completely(stack):
    assert set(stack.destroy().steps.values()) == {"deleted"}
    assert stack.state() == []
