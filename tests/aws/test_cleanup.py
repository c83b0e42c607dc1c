"""Proves that the cleanup finds all that trials have left, and touches nothing else."""

from functools import partial
from types import SimpleNamespace

from botocore.exceptions import ClientError

from tests.aws import cleanup
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
    s3 = trial.emulator.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        s3.delete_bucket_tagging(Bucket=bucket["Name"])
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
    assert list(trial.folder.iterdir()) == []
    deletions = [call["action"] for call in trial.emulator.calls() if ":Delete" in call["action"]]
    assert deletions[0] == "personalize:DeleteCampaign"
    assert trial("clean") == 0


def test_without_a_list_only_what_has_no_tag_is_left(trial):
    before = trial.count()
    leave_everything(trial, Account)
    (list_file,) = trial.folder.glob("*/list")
    list_file.write_text("")
    assert trial("clean", "--yes") == 0
    assert (trial.count() - before).keys() == {"Schema", "Dashboard"}


def test_lists_of_another_region_are_kept_and_what_is_on_them_too(trial):
    account = Account("eu-west-3", trial.folder, sleep=trial.sleep)
    account.list("Schema", f"{account.trial}-a")
    assert trial("clean", "--yes") == 0
    assert account.folder.is_dir()


def test_a_key_whose_tags_cannot_be_read_for_a_moment_is_not_taken_for_a_strangers(trial):
    before = trial.count()
    account = Account(trial.emulator.region, trial.folder, sleep=trial.sleep)
    key_id = deployment.create_key(account).rpartition("/")[2]
    throttled = ClientError({"Error": {"Code": "ThrottlingException"}}, "ListResourceTags")
    responses = iter([throttled])

    def throttle(**_):
        for error in responses:
            raise error

    account.client("kms").meta.events.register("before-call.kms.ListResourceTags", throttle)
    assert cleanup.remove(account) == []
    assert trial.count() == before
    assert account.kept == [f"Key {key_id} is scheduled for deletion, in 30 days"]
