"""A stack of the program in a folder of its own, which is operated as a user operates it."""

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from tests.engine.stacks import ROOT, copy_program

FILES = Path(__file__).with_name("stacks")
COUNTS = re.compile(r"\b(\d+) (created|deleted|unchanged|updated)$", re.MULTILINE)


class CommandError(Exception):
    """A command or a call failed that has to succeed. The message is what was answered."""


class Stack:
    """A stack with a local state, in a copy of the checkout beside the list of the trial."""

    def __init__(self, account, virtual_environment):
        self.account = account
        self.name = account.trial.removeprefix("retraining-")
        self.folder = account.folder / "stack"
        copy_program(self.folder, virtual_environment=virtual_environment)
        for name in ("retrain", "emulator"):
            shutil.copytree(ROOT / name, self.folder / name)
        state = self.folder / ".state"
        state.mkdir()
        self.environment = {
            **os.environ,
            # The command `retrain` finds the checkout by the folder from which it is called.
            "PATH": f"{self.folder}/.venv/bin:{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(),
        }

    def create(self, name, **words):
        """Create the stack with this file of the folder `stacks`, in which words are replaced."""
        text = (FILES / f"{name}.yaml").read_text()
        account = self.account
        words |= {"TRIAL": account.trial, "REGION": account.region, "ACCOUNT": account.number}
        for word, value in words.items():
            text = text.replace(word, value)
        (self.folder / f"Pulumi.{self.name}.yaml").write_text(text)
        # A dashboard gets no tag, and Pulumi adds something to its name.
        account.list("Dashboard", f"{account.trial}-*")
        self.pulumi("stack", "init")

    def up(self):
        """Deploy the stack, and return how many resources were created, updated or unchanged."""
        return COUNTS.findall(self.pulumi("up", "--yes", "--skip-preview"))

    def destroy(self):
        """Destroy the stack, and return how many resources were deleted."""
        return COUNTS.findall(self.pulumi("destroy", "--yes", "--skip-preview"))

    def pulumi(self, *command):
        """Run a command of the Pulumi CLI, and return what it prints."""
        stack = ("--stack", self.name, "--non-interactive", "--color", "never")
        code, printed = self._run("pulumi", *command, *stack, stderr=subprocess.STDOUT)
        if code:
            raise CommandError(printed)
        return printed

    def retrain(self, *command):
        """Run a command of `retrain`, and return its exit code and the document it prints."""
        code, printed = self._run("retrain", *command, "--stack", self.name, "--json")
        return code, json.loads(printed or "null")

    def _run(self, *command, **options):
        """Run a command, and return its exit code and what it prints.

        Ctrl-C does not reach it: the Pulumi CLI has to end in good order, and loses its state if it
        gets the signal twice.
        """
        with subprocess.Popen(  # noqa: S603
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        ) as process:
            try:
                printed, _ = process.communicate()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                process.communicate()
                raise
        return process.returncode, printed
