"""Proves which inputs of which resources a change of the arguments changes.

`golden/changes.txt` has what is removed and added. Nothing is replaced: the resource types
of the emulator's deployer say which inputs replace a resource, as the source of the AWS provider
does. Changes of the code are made on the real engine (`tests/engine`). `python -m tests.golden`
rewrites the file.
"""

from dataclasses import replace

from components import CampaignArgs, LimitsArgs, ProbeArgs, QualityRuleArgs
from emulator.deployer.resources import RESOURCE_TYPES
from tests.components.conftest import deploy
from tests.components.documents import changes
from tests.components.sample import BOUNDARY, minimal
from tests.world import MOVIES, campaign_arn, solution

GROUP = MOVIES.with_datasets("interactions", "users").with_options(
    import_role_arn=None, retraining_rate="cron(0 3 ? * MON *)", timezone="Europe/Berlin"
)
(SOLUTION,) = GROUP.solutions
STRICTER = replace(
    SOLUTION,
    quality_gate=[QualityRuleArgs(metric="precision_at_5", max_drop=0.3)],
    campaigns=[CampaignArgs(campaign_arn=campaign_arn(), probe=ProbeArgs(user_id="u1"))],
)
CHANGES = {
    "Another rate and time zone, and a pause": GROUP.with_options(
        retraining_rate="cron(0 4 ? * MON *)", timezone="Europe/Paris", paused=True
    ),
    "Another limit": GROUP.with_options(limits=LimitsArgs(max_training_hours=30)),
    "Another quality gate and a probe": GROUP.with_solutions(STRICTER),
    "One more dataset, in another bucket": GROUP.with_dataset(
        "actions", data_location="s3://actions/actions.csv"
    ),
    "One more solution": GROUP.with_solutions(SOLUTION, solution("related", campaigns=["related"])),
    "A tag and a permissions boundary": GROUP.with_options(
        tags={"owner": "films"}, permissions_boundary_arn=BOUNDARY
    ),
}
"""Title -> the group above after a change."""


def replaced(before, after):
    """Return the resources with a change of an input that AWS cannot change."""
    return [
        resource.name
        for urn, resource in before.registered.items()
        if resource.type in RESOURCE_TYPES and urn in after.registered
        for name in RESOURCE_TYPES[resource.type].replace_on_changes.split()
        if resource.inputs.get(name) != after.registered[urn].inputs.get(name)
    ]


def test_a_change_changes_what_the_golden_file_has_and_replaces_nothing(
    deployed, smallest, with_users_arns, datasets_only, golden
):
    group = deploy(lambda: GROUP.args)
    pairs = {
        "Without options": (deployed, smallest),
        "With ARNs and one more address of the user, and running": (deployed, with_users_arns),
        "Without solutions": (deploy(minimal), datasets_only),
    }
    for title, changed in CHANGES.items():
        pairs[title] = (group, deploy(lambda changed=changed: changed.args))
        assert replaced(*pairs[title]) == [], title
    golden(
        "changes.txt",
        "\n".join("\n".join([title, *changes(*pair), ""]) for title, pair in pairs.items()),
    )
