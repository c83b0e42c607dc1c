"""Proves that a change of config or code changes exactly the resources that it should.

The changes are applied to one stack, in the order of the table, and each deploys the stack again.
"""

import json
import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

from components.bundles import bundle
from components.state_machine.steps import STEPS
from tests.components.sample import STEPS_WITHOUT_TRIGGER
from tests.engine.stacks import Stack

ACTIONS = "arn:aws:personalize:eu-west-1:123456789012:dataset/movies/ACTIONS"
SECOND_SOLUTION = "arn:aws:personalize:eu-west-1:123456789012:solution/movies-related"
SECOND_CAMPAIGN = "arn:aws:personalize:eu-west-1:123456789012:campaign/movies-related"
IMPORT_ROLE = "arn:aws:iam::123456789012:role/personalize-import"
KMS_KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EMAIL = "team@example.com"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"

MACHINE = "StateMachine retraining-dev"
SCHEDULE = "Schedule retraining-dev-schedule"
DASHBOARD = "Dashboard retraining-dev"
AGE_ALARMS = ("MetricAlarm retraining-dev-model-too-old", "MetricAlarm retraining-dev-data-too-old")
LOG_GROUPS = ("LogGroup retraining-dev", "LogGroup retraining-dev-functions")
PIPELINE_IMPORT_ROLE = {"Role retraining-dev-import", "RolePolicy retraining-dev-import"}
"""The role that the pipeline creates if the config names no import role."""
TYPES_WITHOUT_TAGS = {
    *("RolePolicy", "Schedule", "EventTarget", "Permission", "TopicPolicy", "TopicSubscription"),
    *("Invocation", "Dashboard", "LogMetricFilter"),
    # The components:
    *("RetrainingPipeline", "LambdaFunctions", "ModelAge", "Monitoring", "Notifications"),
}


class Change(NamedTuple):
    """A change of config or code, and the resources that `pulumi up` must change because of it."""

    name: str
    apply: Callable[[Stack], None]
    """Makes the change in the stack's config or in its copy of the program."""
    updated: Callable[[set[str]], set[str]]
    """Takes all resources of the stack and returns those that are updated."""
    created: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()


def policies_of(*grants: str) -> set[str]:
    """Return the policies of the functions that have permissions on these kinds of resources."""
    return {
        f"RolePolicy retraining-dev-{step.replace('_', '-')}"
        for step in STEPS_WITHOUT_TRIGGER
        if set(grants) & set(STEPS[step].grants)
    }


def functions_with(module: str) -> set[str]:
    """Return the functions that are deployed with a module of `functions/`."""
    return {
        f"Function retraining-dev-{step.replace('_', '-')}"
        for step in STEPS_WITHOUT_TRIGGER
        if f"functions/{module}.py" in bundle(step).assets
    }


def set_key(key: str, value: str) -> Callable[[Stack], None]:
    """Return a change that sets a key of the stack's config."""
    return lambda stack: stack.set(key, value)


def remove_key(key: str) -> Callable[[Stack], None]:
    """Return a change that removes a key of the stack's config."""
    return lambda stack: stack.remove(key)


def set_number(file: str, key: str, number: int) -> Callable[[Stack], None]:
    """Return a change that sets the number of a key in each dict literal of a file."""

    def apply(stack: Stack) -> None:
        path = stack.folder / file
        text, count = re.subn(rf'("{key}": )\d+', rf"\g<1>{number}", path.read_text())
        assert count > 0, f"{file} must set {key!r} to a number"
        path.write_text(text)

    return apply


def append_line(file: str, line: str) -> Callable[[Stack], None]:
    """Return a change that appends a line to a file of the program."""

    def apply(stack: Stack) -> None:
        path = stack.folder / file
        path.write_text(f"{path.read_text()}{line}\n")

    return apply


def replace_in_step(step: str, field: str, value: object) -> Callable[[Stack], None]:
    """Return a change that gives a field of a row of STEPS another value."""
    row = f"STEPS[{step!r}]._replace({field}={value!r})"
    return append_line("components/state_machine/steps.py", f"STEPS = {{**STEPS, {step!r}: {row}}}")


def add_solution(stack: Stack) -> None:
    """Add a solution with a campaign."""
    stack.set("solutions[1].solutionArn", SECOND_SOLUTION)
    stack.set("solutions[1].campaigns[0].campaignArn", SECOND_CAMPAIGN)


def add_dataset(stack: Stack) -> None:
    """Add a dataset whose export is in a new bucket."""
    stack.set("datasets.actions.datasetArn", ACTIONS)
    stack.set("datasets.actions.dataLocation", "s3://movies-actions/actions/")


def only(*names: str) -> Callable[[set[str]], set[str]]:
    """Return the `updated` of a change that updates these resources."""
    return lambda _resources: set(names)


def with_tags(resources: set[str]) -> set[str]:
    """Return the resources whose type has tags."""
    return {name for name in resources if name.split()[0] not in TYPES_WITHOUT_TAGS}


def roles(resources: set[str]) -> set[str]:
    """Return the IAM roles among the resources."""
    return {name for name in resources if name.startswith("Role ")}


CHANGES = [
    Change("the rate", set_key("retrainingRate", "cron(0 4 ? * MON *)"), only(SCHEDULE)),
    Change("the time zone", set_key("timezone", "Europe/Paris"), only(SCHEDULE)),
    Change("paused", set_key("paused", "true"), only(SCHEDULE)),
    Change(
        "a limit",
        set_key("limits.maxTrainingHours", "30"),
        only(MACHINE, *AGE_ALARMS, DASHBOARD),
    ),
    Change(
        "the quality gate",
        set_key("solutions[0].qualityGate[0].maxDrop", "0.3"),
        only(MACHINE),
    ),
    Change("a probe", set_key("solutions[0].campaigns[0].probe.minResults", "5"), only(MACHINE)),
    Change("a tag", set_key("tags.owner", "films"), with_tags),
    Change(
        "another dataset",
        add_dataset,
        only(
            MACHINE,
            DASHBOARD,
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
        only(MACHINE, DASHBOARD, *policies_of("solutions", "solution versions", "campaigns")),
    ),
    Change(
        "an import role",
        set_key("importRoleArn", IMPORT_ROLE),
        only(MACHINE, *policies_of("import role")),
        deleted=frozenset(PIPELINE_IMPORT_ROLE),
    ),
    Change(
        "no import role, as before the last change",
        remove_key("importRoleArn"),
        only(MACHINE, *policies_of("import role")),
        created=frozenset(PIPELINE_IMPORT_ROLE),
    ),
    Change(
        "an address",
        set_key("notifications.emails[0]", EMAIL),
        only(),
        created=frozenset({f"TopicSubscription retraining-dev-{EMAIL}"}),
    ),
    Change("the retention of the logs", set_key("logRetentionDays", "30"), only(*LOG_GROUPS)),
    Change(
        "a key for logs, messages and dead letters",
        set_key("kmsKeyArn", KMS_KEY),
        only(
            *LOG_GROUPS,
            "Queue retraining-dev-dead-letters",
            "RolePolicy retraining-dev-schedule",
            "Topic retraining-dev",
            *policies_of("topic key"),
        ),
    ),
    Change(
        "a key of the exports",
        set_key("dataKmsKeyArn", KMS_KEY),
        only("RolePolicy retraining-dev-import", *policies_of("data key")),
    ),
    Change("a permissions boundary", set_key("permissionsBoundaryArn", BOUNDARY), roles),
    Change(
        "the code of one function",
        append_line("functions/report_outcome.py", "# changed"),
        only("Function retraining-dev-report-outcome", MACHINE),
    ),
    Change(
        "the code of the function that is not in the state machine",
        append_line("functions/close_run.py", "# changed"),
        only("Function retraining-dev-close-run"),
    ),
    Change(
        "code that some functions share",
        append_line("functions/personalize/gate.py", "# changed"),
        only(MACHINE, *functions_with("personalize/gate")),
    ),
    Change(
        "the memory of a function",
        replace_in_step("plan_retraining", "memory_megabytes", 512),
        only("Function retraining-dev-plan-retraining", MACHINE),
    ),
    Change(
        "an action that a function may do",
        replace_in_step("stop_solution_version", "grants", {"any": ("sns:ListTopics",)}),
        only("RolePolicy retraining-dev-stop-solution-version"),
    ),
    Change(
        "the retries of the schedules",
        set_number("components/schedule.py", "maximum_retry_attempts", 9),
        only(SCHEDULE, "Schedule retraining-dev-measure-model-age"),
    ),
]


@pytest.fixture(scope="module")
def deployed(stack, emulator):
    """Create the policy that a change takes as permissions boundary, and deploy the stack."""
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
        **dict.fromkeys(change.updated(set(deployed.steps)), "updated"),
        **dict.fromkeys(change.created, "created"),
        **dict.fromkeys(change.deleted, "deleted"),
    }


def test_the_changed_stack_is_destroyed_completely(stack):
    assert set(stack.destroy().steps.values()) == {"deleted"}
    assert stack.state() == []
