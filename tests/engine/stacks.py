"""Runs a stack on Pulumi's real engine and returns what each operation did to which resource."""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("components", "functions", "settings.py", "__main__.py", "Pulumi.yaml")
"""The files of the program, without a stack file."""
PASSPHRASE = "a passphrase of the tests"  # noqa: S105
TIMEOUT_SECONDS = 300
STEPS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "same": "same",
    "replace": "replaced",
    "create-replacement": "replaced",
    "delete-replaced": "replaced",
}
"""The engine's words for steps -> the words that the tests use."""


class CommandError(Exception):
    """A command of the CLI failed. The message is all that the CLI printed."""


class Result(NamedTuple):
    """The result of an operation."""

    steps: dict[str, str]
    """Resource, for example `Schedule retraining-dev-schedule` -> `created`, `updated`, ..."""
    text: str
    """The output of the CLI."""

    @property
    def changes(self) -> dict[str, str]:
        """Return the steps of the resources that did not stay the same."""
        return {name: step for name, step in sorted(self.steps.items()) if step != "same"}


@dataclass(frozen=True)
class Stack:
    """A stack of the program in a folder. Each operation raises CommandError if it fails."""

    folder: Path
    """The folder of `Pulumi.yaml`."""
    name: str
    environment: Mapping[str, str]

    def preview(self) -> Result:
        """Preview an update."""
        return self._operate("preview")

    def up(self) -> Result:
        """Update the stack without a preview."""
        return self._operate("up", "--yes", "--skip-preview")

    def refresh(self) -> Result:
        """Update the state with what the provider reads."""
        return self._operate("refresh", "--yes", "--skip-preview")

    def destroy(self) -> Result:
        """Delete all resources of the stack."""
        return self._operate("destroy", "--yes", "--skip-preview")

    def output(self, name: str) -> str:
        """Return an output of the stack."""
        return self.pulumi("stack", "output", name).strip()

    def set(self, key: str, value: str) -> None:
        """Set the value at a path in the project's config."""
        self.pulumi("config", "set", "--path", f"personalize-retraining:{key}", value)

    def remove(self, key: str) -> None:
        """Remove the value at a path in the project's config."""
        self.pulumi("config", "rm", "--path", f"personalize-retraining:{key}")

    def state(self) -> list[dict[str, object]]:
        """Return the resources of the state."""
        exported = json.loads(self.pulumi("stack", "export"))
        return exported["deployment"].get("resources", [])

    def pulumi(self, *arguments: str) -> str:
        """Run a command of the CLI on this stack and return its standard output."""
        done = subprocess.run(  # noqa: S603
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive"],  # noqa: S607
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"{done.stdout}{done.stderr}")
        return done.stdout

    def _operate(self, command: str, *options: str) -> Result:
        log = self.folder / ".events"
        log.unlink(missing_ok=True)
        text = self.pulumi(command, *options, "--color", "never", "--event-log", str(log))
        steps: dict[str, set[str]] = defaultdict(set)
        for step in _steps(log):
            steps[step.resource].add(step.word)
        return Result({name: "/".join(sorted(words)) for name, words in steps.items()}, text)


class Step(NamedTuple):
    """A step of an operation on one resource."""

    resource: str
    word: str
    """A value of STEPS."""


def _steps(log: Path) -> Iterator[Step]:
    """Yield the steps in an event log, except those of the stack and of providers.

    The engine writes an event before each step and an event after it.
    """
    for line in log.read_text().splitlines():
        event = json.loads(line)
        is_finished = "resOutputsEvent" in event
        body = event.get("resOutputsEvent" if is_finished else "resourcePreEvent", {})
        step = body.get("metadata")
        if step is None or step["type"].startswith("pulumi:"):
            continue
        if step["op"] != "refresh":
            yield Step(short_name(step["urn"]), STEPS[step["op"]])
        elif is_finished:
            yield Step(short_name(step["urn"]), _refresh_word(step))


def _refresh_word(step: Mapping[str, object]) -> str:
    """Return what a refresh did to a resource in the state: `same`, `updated` or `deleted`."""
    if not step.get("new"):
        return "deleted"
    return "updated" if step.get("detailedDiff") or step.get("diffs") else "same"


def short_name(urn: str) -> str:
    """Return type and name of a resource, for example `Schedule retraining-dev-schedule`."""
    *_, kind, name = urn.split("::")
    return f"{kind.rpartition(':')[2]} {name}"


def copy_program(folder: Path, source: Path = ROOT) -> Path:
    """Copy the program from a checkout into a new folder and return the folder."""
    folder.mkdir(parents=True)
    for name in PROGRAM:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def environment(folder: Path, endpoint: str) -> dict[str, str]:
    """Return the variables of a CLI that has its home and its state in a folder.

    The endpoint is that of the emulator.
    """
    state, home = folder / ".state", folder / ".home"
    for directory in (state, home):
        directory.mkdir(exist_ok=True)
    return {
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_HOME": str(home),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
        "AWS_ENDPOINT_URL": endpoint,
    }


def create_stack(folder: Path, name: str, endpoint: str) -> Stack:
    """Create a stack of the program in a folder, without deploying it."""
    stack = Stack(folder, name, environment(folder, endpoint))
    stack.pulumi("stack", "init")
    return stack
