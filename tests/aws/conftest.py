"""Proves that a trial of the program on AWS asks first, compares, and leaves nothing behind.

It runs against the emulator, on a clock that skips the waits. It does not prove how AWS answers.
"""

import json
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from emulator import running
from emulator.deployer.program import deploy
from emulator.personalize import Duration, FixedTimings
from retrain.account.project_files import read_project
from tests.aws import __main__ as program
from tests.aws.cleanup import KINDS, search
from tests.aws.page import Page
from tests.aws.stack import Stack

TIMINGS = FixedTimings(
    jobs=Duration(pending=20, in_progress=40),
    containers=Duration(pending=10, in_progress=20),
    stop=Duration(pending=0, in_progress=20),
)
"""The seconds that jobs take, on the clock that `sleep` moves. A trial polls every 15 seconds."""


class Caller:
    """Calls the program, and keeps its page."""

    environment = Path(sys.prefix)
    """The virtual environment of the stack."""

    def __init__(self, emulator, folder, patch):
        # A shell lets what it starts in the background ignore Ctrl-C, also these tests.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.emulator = emulator
        self.folder = folder
        self.file = folder / "aws.md"
        self.page = None
        self.patch = patch
        patch.setattr(program, "Page", self._create_page)
        patch.setattr(program, "FOLDER", folder)
        patch.setattr(program, "PAGE", self.file)
        patch.setattr(program, "which", lambda _: True)
        for name, value in emulator.exports.items():
            patch.setenv(name, value)

    def __call__(self, *arguments):
        """Call the program, which does not ask, and return its exit code."""
        return program.main(
            [*arguments, "--region", self.emulator.region],
            sleep=self.sleep,
            virtual_environment=self.environment,
        )

    def to_golden(self):
        """Return the answers on the page, for the file to which those of AWS are compared."""
        document = {
            check.name: {"answer": check.answer, "responses": sorted(check.responses)}
            for check in self.page.checks
        }
        return json.dumps(document, indent=1) + "\n"

    def sleep(self, seconds):
        """Let time pass for Personalize."""
        self.emulator.control("POST", "skip", {"seconds": seconds})

    def count(self):
        """Return how many resources of each type there are in the account, whoever owns them."""
        resources = [
            found
            for kind in KINDS
            for found in search(self.emulator.client(kind["service"]), kind)
            if found.name != "default" and not self._is_scheduled(found)
        ]
        return Counter(found.kind["noun"] for found in resources)

    def _is_scheduled(self, found):
        """Return True for a key that will be deleted."""
        if found.kind["noun"] != "Key":
            return False
        key = self.emulator.client("kms").describe_key(KeyId=found.id)
        return key["KeyMetadata"]["KeyState"] == "PendingDeletion"

    def _create_page(self, *arguments):
        self.page = Page(*arguments)
        return self.page


class InProcess(Stack):
    """A stack that is deployed without the Pulumi CLI."""

    def pulumi(self, command, *_):
        """Deploy the stack if this is the command."""
        if command != "up":
            return ""
        project = read_project(self.folder, self.name, {})
        deploy(
            self.name,
            project=project.name,
            program=project.program,
            config=project.config,
            endpoint=self.environment["AWS_ENDPOINT_URL"],
        )
        return ""


@pytest.fixture(scope="module")
def emulator():
    """Run an emulator."""
    with running(timings=TIMINGS) as emulator:
        yield emulator


@pytest.fixture
def trial(emulator, tmp_path, monkeypatch):
    """Return the caller of the program."""
    return Caller(emulator, tmp_path, monkeypatch)
