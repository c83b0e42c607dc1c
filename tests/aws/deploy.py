"""The level `deploy`: a stack with everything switched on, around a solution without a version."""

from functools import partial
from pathlib import Path

import jmespath
import yaml

from retrain.rehearsal.resources import build_policy, get_today
from tests.aws.stack import CommandError, Stack
from tests.aws.trial import Phase
from tests.aws.world import World
from tests.sample_data import sample_data

PRICE = "a few cents, 15 minutes"
RESOURCES = yaml.safe_load(Path(__file__).with_name("resources.yaml").read_text())
REASONS = "[outcome, [reasons, solutions[].reasons[], solutions[].campaigns[].reasons[]][][].text]"
"""Where a report has its outcome and its reasons (https://jmespath.org)."""
DATASETS = ("INTERACTIONS", "ITEMS", "USERS")


class Deployment(World):
    """A dataset group, and a stack for it."""

    def __init__(self, account, options):
        super().__init__(account)
        self.stack = Stack(account, options.virtual_environment)

    def create(self, calls):
        """Send calls that have to succeed."""
        for call, answer in zip(calls, self.ask(calls), strict=True):
            if answer != "accepted" and answer[-1] != "ACTIVE":
                raise CommandError(f"{call}: {answer}")

    def upload_exports(self, exports):
        """Upload an export of each dataset, and then the markers that say that all are complete."""
        for key in DATASETS:
            self.put(f"{key.lower()}/export.csv", exports[key])
        for key in DATASETS:
            self.put(f"ready/{get_today()}/{key.lower()}", b"")

    def report(self):
        """Start a run, and return its outcome with all reasons."""
        _, document = self.stack.retrain("start", "--watch")
        return jmespath.search(REASONS, document["report"])


def build_phases(account, options):
    """Return the phases of the level."""
    world = Deployment(account, options)
    stack = world.stack
    return [
        Phase("datasets, an untrained solution and a key", partial(create, world), "cents"),
        Phase("pulumi up", stack.up, "cents", stack.destroy),
        Phase("pulumi up again", stack.up),
        Phase("retrain doctor", partial(doctor, stack)),
        Phase("retrain plan", partial(plan, stack)),
        Phase("retrain test-alarm", lambda: stack.retrain("test-alarm")[0]),
        Phase("a run with an empty export", partial(run_empty_export, world)),
        Phase("pulumi destroy", stack.destroy),
    ]


def create(world):
    """Create what the stack names except its campaign, and the stack."""
    world.upload_exports(sample_data().older)
    world.create(RESOURCES["deploy"])
    world.stack.create("deploy", KEY=create_key(world.account))


def create_key(account):
    """Create a KMS key for exports, logs and messages, and return its ARN."""
    logs = f"logs.{account.region}.amazonaws.com"
    principal = {
        "AWS": f"arn:aws:iam::{account.number}:root",
        "Service": ["personalize.amazonaws.com", "cloudwatch.amazonaws.com", logs],
    }
    policy = build_policy(Principal=principal, Action="kms:*", Resource="*")
    return account.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]


def doctor(stack):
    """Return the exit code of `doctor`, and the checks that have found something."""
    code, document = stack.retrain("doctor")
    return [code, jmespath.search("checks[?level!='ok'].[check, level]", document)]


def plan(stack):
    """Return the exit code of `plan`, and why a run would be refused."""
    code, document = stack.retrain("plan")
    return [code, jmespath.search("problems[].text", document)]


def run_empty_export(world):
    """Return how a run ends whose export of interactions has a header only."""
    header = sample_data().older["INTERACTIONS"].partition(b"\n")[0]
    world.upload_exports({**sample_data().older, "INTERACTIONS": header + b"\n"})
    return world.report()
