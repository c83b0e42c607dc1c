"""Proves that a change of the arguments changes exactly the resources that it should.

Nothing else of the stack is touched, and nothing is replaced. The rows of the emulator's deployer
say which inputs replace a resource, as the source of the AWS provider does. `golden/changes.txt`
has what other options change. Changes of the code are made on the real engine (`tests/engine`).
"""

from dataclasses import replace
from typing import NamedTuple

import pytest

from components import CampaignArgs, LimitsArgs, ProbeArgs, QualityRuleArgs
from components.state_machine.steps import STEPS
from emulator.deployer.resources import ROWS
from tests.components.conftest import deploy
from tests.components.sample import BOUNDARY, NAME, STEPS_WITHOUT_TRIGGER
from tests.world import MOVIES, DatasetGroup, campaign_arn, solution

GROUP = MOVIES.with_datasets("interactions", "users").with_options(
    import_role_arn=None, retraining_rate="cron(0 3 ? * MON *)", timezone="Europe/Berlin"
)
(SOLUTION,) = GROUP.solutions
MACHINE = f"StateMachine {NAME}"
SCHEDULE = f"Schedule {NAME}-schedule"
DASHBOARD = f"Dashboard {NAME}"
IMPORT_POLICY = f"RolePolicy {NAME}-import"
AGE_ALARMS = (f"MetricAlarm {NAME}-model-too-old", f"MetricAlarm {NAME}-data-too-old")
TYPES_WITHOUT_TAGS = {
    *("RolePolicy", "Schedule", "EventTarget", "Permission", "TopicPolicy"),
    *("Dashboard", "LogMetricFilter"),
    "RetrainingPipeline",
}


class Change(NamedTuple):
    """A change of the group above, and what an update of its stack does because of it."""

    name: str
    group: DatasetGroup
    updated: set[str]


def policies_of(*grants):
    """Return the policies of the functions that have permissions on these kinds of resources."""
    return {
        f"RolePolicy {NAME}-{step.replace('_', '-')}"
        for step in STEPS_WITHOUT_TRIGGER
        if set(grants) & set(STEPS[step].grants)
    }


def with_solution(**changes):
    """Return the group with changed fields of its solution."""
    return GROUP.with_solutions(replace(SOLUTION, **changes))


CHANGES = [
    Change(
        "the rate, the time zone and a pause",
        GROUP.with_options(
            retraining_rate="cron(0 4 ? * MON *)", timezone="Europe/Paris", paused=True
        ),
        {SCHEDULE},
    ),
    Change(
        "a limit",
        GROUP.with_options(limits=LimitsArgs(max_training_hours=30)),
        {MACHINE, *AGE_ALARMS, DASHBOARD},
    ),
    Change(
        "the quality gate and a probe",
        with_solution(
            quality_gate=[QualityRuleArgs(metric="precision_at_5", max_drop=0.3)],
            campaigns=[CampaignArgs(campaign_arn=campaign_arn(), probe=ProbeArgs(user_id="u1"))],
        ),
        {MACHINE, DASHBOARD},
    ),
    Change(
        "another dataset, in another bucket",
        GROUP.with_dataset("actions", data_location="s3://actions/actions.csv"),
        {MACHINE, DASHBOARD, IMPORT_POLICY, *policies_of("datasets", "exports", "export buckets")},
    ),
    Change(
        "another solution",
        GROUP.with_solutions(SOLUTION, solution("related", campaigns=["related"])),
        {MACHINE, DASHBOARD, *policies_of("solutions", "solution versions", "campaigns")},
    ),
]


def deployed_resources(group):
    """Deploy a group's pipeline. Return type and name of each resource -> the resource."""
    return {
        f"{resource.type.rpartition(':')[2]} {resource.name}": resource
        for resource in deploy(lambda: group.args).registered.values()
        if not resource.type.startswith("pulumi:")
    }


@pytest.fixture(scope="module")
def before():
    """Return the resources of the group before a change."""
    return deployed_resources(GROUP)


def change_of(before, after):
    """Return `updated` or `replaced`, or None if the inputs did not change."""
    names = {*before.inputs, *after.inputs} - {"code"}
    changed = {name for name in names if before.inputs.get(name) != after.inputs.get(name)}
    if not changed:
        return None
    return "replaced" if changed & {*ROWS[after.type].replacing.split()} else "updated"


def changes(before, after):
    """Return what happens to each resource that does not stay as it is."""
    assert before.keys() == after.keys()
    steps = {name: change_of(before[name], after[name]) for name in before}
    return {name: step for name, step in steps.items() if step}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_changes_exactly_the_resources_that_it_should(before, change):
    after = deployed_resources(change.group)
    assert changes(before, after) == dict.fromkeys(change.updated, "updated")


def test_a_tag_and_a_permissions_boundary_update_each_resource_that_has_them(before):
    after = deployed_resources(
        GROUP.with_options(tags={"owner": "films"}, permissions_boundary_arn=BOUNDARY)
    )
    with_tags = {name for name in before if name.split()[0] not in TYPES_WITHOUT_TAGS}
    assert changes(before, after) == dict.fromkeys(with_tags, "updated")
