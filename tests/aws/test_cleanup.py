"""Proves that the cleanup finds all that trials have left, and touches nothing else."""

from functools import partial
from types import SimpleNamespace

from tests.aws import deploy as deployment
from tests.aws.account import TAG, Account
from tests.aws.cleanup import KINDS
from tests.aws.conftest import InProcess
from tests.aws.live import Life, create

MORE = [
    ["CreateEventTracker", {"name": "a", "datasetGroupArn": "<dataset-group/group>"}],
    [
        "CreateFilter",
        {
            "name": "a",
            "datasetGroupArn": "<dataset-group/group>",
            "filterExpression": 'INCLUDE ItemID WHERE Items.GENRE IN ("Adventure")',
        },
    ],
    ["CreateSolutionVersion", {"solutionArn": "<solution/solution>", "name": "unfinished"}],
]


class Stranger(Account):
    """Creates resources whose names look like those of a trial. They have no tag, and no list."""

    def list(self, kind, name):
        """Do nothing."""

    def _mark(self, **_):
        """Do nothing."""


def leave_everything(trial, account_type, **words):
    """Create a resource of each type, as a trial that was killed has left them."""
    account = account_type(trial.emulator.region, trial.folder, sleep=trial.sleep)
    trial.patch.setattr(deployment, "Stack", InProcess)
    world = Life(account, SimpleNamespace(virtual_environment=trial.folder / "none"))
    world.stack.create = partial(world.stack.create, **words)
    create(world)
    world.stack.up()
    deployment.create_key(account)
    world.create(MORE)


def test_the_cleanup_removes_what_was_left_and_nothing_of_strangers(trial):
    leave_everything(trial, Stranger, **{TAG: "team"})
    all_types = trial.count()
    assert all_types.keys() == {kind["noun"] for kind in KINDS}
    copied = [{"tagKey": TAG, "tagValue": "copied"}]
    trial.emulator.client("personalize").create_dataset_group(name="other", tags=copied)
    strangers = trial.count()
    assert trial("clean") == 0

    leave_everything(trial, Account)
    assert trial.count() == strangers + all_types
    assert trial("clean") == 2, "nobody has said yes"
    assert trial.count() == strangers + all_types

    trial.emulator.control("DELETE", "calls")
    assert trial("clean", "--yes") == 0
    assert trial.count() == strangers
    deletions = [call["action"] for call in trial.emulator.calls() if ":Delete" in call["action"]]
    assert deletions[0] == "personalize:DeleteCampaign"
    assert trial("clean") == 0
