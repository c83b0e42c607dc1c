"""The level `run`: what runs do with good exports, bad ones, bad models and interruptions."""

import re
from functools import partial

from functions.personalize.campaigns import UNSET_VALUE
from functions.personalize.tags import TRIAL_TAG
from retrain.rehearsal.data import split_lines
from tests.aws.deploy import DATASETS, RESOURCES, Deployment
from tests.aws.trial import Phase
from tests.sample_data import sample_data

PRICE = "a few dollars for five trainings and a campaign, ten hours"
LATER_ITEMS = re.compile(rb"film-(2\d\d|300)")
"""The items that are not in a smaller catalog. It has 199 of the 300 items of the sample data."""
MOST_RESULTS = "200"
"""A probe asks for this many, which a version of the smaller catalog cannot recommend."""
PROBE = "personalize-retraining:solutions[0].campaigns[0].probe"


class Life(Deployment):
    """A dataset group with a campaign that serves a version of the older exports."""

    uploads = 0

    def run(self, damage="none"):
        """Upload a newer export of each dataset, and return how a run with them ends."""
        self.upload_exports(self.build_exports(damage))
        return self.report()

    def build_exports(self, damage="none"):
        """Build a newer export of each dataset. The interactions may be damaged.

        No two exports are equal, because a run would skip what has not changed.
        """
        self.uploads += 1
        more = {"only_new_rows": False, "rotate_by": self.uploads, "damage": damage}
        return {key: sample_data().build_export(key, **more) for key in DATASETS}

    def set_probe(self, **settings):
        """Change settings of the probe, and deploy the stack."""
        for key, value in settings.items():
            self.stack.pulumi("config", "set", "--path", f"{PROBE}.{key}", value)
        self.stack.up()

    @property
    def served_version(self):
        """The ARN of the version that the campaign serves."""
        return self.describe(self.arn("campaign/campaign"))["solutionVersionArn"]

    def wait_for_trial(self, *, begun):
        """Wait until the campaign's tags say that a version is on trial, or no longer."""
        show = f"tags[?tagKey=='{TRIAL_TAG}' && tagValue!='{UNSET_VALUE}']"
        call = ["ListTagsForResource", {"resourceArn": "<campaign/campaign>"}, show]
        for _ in self.account.poll():
            (tags,) = self.ask([call])
            if bool(tags) == begun:
                break


def build_phases(account, options):
    """Return the phases of the level."""
    world = Life(account, options)
    stack = world.stack
    return [
        Phase("datasets, a first version and a campaign", partial(create, world), "a training"),
        Phase("pulumi up", stack.up, "cents", stack.destroy),
        Phase("a first run", partial(run_first, world), "a training"),
        Phase("a run with a truncated export", partial(world.run, "truncated")),
        Phase("a run with a worse model", partial(world.run, "shuffled"), "a training"),
        Phase("a run whose probe fails", partial(fail_probe, world), "a training"),
        Phase("a run that is stopped, and the watcher", partial(stop, world), "a training"),
        Phase("pulumi destroy", stack.destroy),
    ]


def create(world):
    """Create what a user has before a stack, and the stack."""
    world.upload_exports(sample_data().older)
    world.put("batch/users.json", b'{"userId": "user-001"}\n')
    world.create([*RESOURCES["deploy"], *RESOURCES["run"]])
    world.stack.create("run")


def run_first(world):
    """Return how the first run ends, and whether its batch job has written anything."""
    outcome = world.run()
    written = world.s3.list_objects_v2(Bucket=world.bucket, Prefix="batch/results/")
    return [*outcome, written["KeyCount"] > 0]


def fail_probe(world):
    """Return how a run ends whose new version has too few results, and whether it is served.

    The catalog has shrunk, so the version is good, but not for a probe that asks for more.
    """
    before = world.served_version
    world.set_probe(minResults=MOST_RESULTS)
    exports = {
        key: b"".join(row for row in split_lines(export) if not LATER_ITEMS.search(row))
        for key, export in world.build_exports().items()
    }
    world.upload_exports(exports)
    return [*world.report(), world.served_version != before]


def stop(world):
    """Stop a run while a version is on trial, and let the watcher end the trial.

    Return how all runs have ended so far, the newest first, and whether the version is served.
    """
    before = world.served_version
    world.set_probe(minResults="1", minutes="0.1")
    world.upload_exports(world.build_exports())
    world.stack.retrain("start")
    world.wait_for_trial(begun=True)
    code, _ = world.stack.retrain("stop", "--yes")

    world.wait_for_trial(begun=False)  # AWS calls the watcher every 15 minutes.
    _, history = world.stack.retrain("history")
    return [code, [run["outcome"] for run in history], world.served_version != before]
