"""Runs the Pulumi CLI on a stack, and returns what each operation did to each resource."""

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
PROGRAM_FILES = ("components", "functions", "__main__.py", "Pulumi.yaml")
"""The files and folders of the program, without a stack file."""
PASSPHRASE = "a passphrase of the tests"  # noqa: S105
TIMEOUT_SECONDS = 300
"""The longest time that one command of the CLI may take."""
STEP_WORDS = {
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
    """What an operation did, for example `pulumi up`."""

    steps: dict[str, str]
    """Type and name of each resource, for example `Schedule retraining-dev-schedule` -> what was
    done to it, for example `created`. A preview has what `up` would do."""
    text: str
    """The output of the CLI."""

    @property
    def changes(self) -> dict[str, str]:
        """Return the steps of the resources that did not stay the same."""
        return {name: step for name, step in sorted(self.steps.items()) if step != "same"}


@dataclass(frozen=True)
class Stack:
    """A stack of a program. Each method runs the CLI, and raises CommandError if that fails."""

    folder: Path
    """The folder of `Pulumi.yaml`."""
    name: str
    environment: Mapping[str, str]
    """The variables that are set for the CLI beside those of this process."""

    def preview(self, *options: str) -> Result:
        """Return what `up` would do."""
        return self._operate("preview", *options)

    def up(self) -> Result:
        """Deploy the program."""
        return self._operate("up", "--yes", "--skip-preview")

    def mend(self) -> Result:
        """Read all resources into the state, and deploy the program."""
        return self._operate("up", "--refresh", "--yes", "--skip-preview")

    def destroy(self) -> Result:
        """Delete all resources of the stack."""
        return self._operate("destroy", "--yes", "--skip-preview")

    def output(self, name: str) -> str:
        """Return an exported output of the program."""
        return self.pulumi("stack", "output", name).strip()

    def set(self, values: Mapping[str, str]) -> None:
        """Set the values at paths in the project's config."""
        options = (
            option
            for key, value in values.items()
            for option in ("--plaintext", f"personalize-retraining:{key}={value}")
        )
        self.pulumi("config", "set-all", "--path", *options)

    def remove(self, key: str) -> None:
        """Remove the value at a path in the project's config."""
        self.pulumi("config", "rm", "--path", f"personalize-retraining:{key}")

    def state(self) -> list[dict[str, object]]:
        """Return the resources in the state, with those of the engine itself."""
        exported = json.loads(self.pulumi("stack", "export"))
        return exported["deployment"].get("resources", [])

    def pulumi(self, *arguments: str) -> str:
        """Run a command of the CLI on this stack and return its standard output."""
        process = subprocess.run(  # noqa: S603
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive"],  # noqa: S607
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        if process.returncode:
            raise CommandError(f"{process.stdout}{process.stderr}")

        return process.stdout

    def _operate(self, command: str, *options: str) -> Result:
        """Run an operation. A resource with different steps gets all their words, joined by `/`."""
        log = self.folder / ".events"
        log.unlink(missing_ok=True)
        text = self.pulumi(command, *options, "--color", "never", "--event-log", str(log))
        words_of: dict[str, set[str]] = defaultdict(set)
        for resource, word in _steps(log):
            words_of[resource].add(word)
        return Result({name: "/".join(sorted(words)) for name, words in words_of.items()}, text)


def _steps(log: Path) -> Iterator[tuple[str, str]]:
    """Yield the resource and the word of each step in an event log, not of stacks and providers.

    The engine writes an event before each step and an event after it. Only the event after a
    refresh holds its result.
    """
    for line in log.read_text().splitlines():
        event = json.loads(line)
        is_finished = "resOutputsEvent" in event
        body = event.get("resOutputsEvent" if is_finished else "resourcePreEvent", {})
        step = body.get("metadata")
        if step is None or step["type"].startswith("pulumi:"):
            continue
        if step["op"] != "refresh":
            yield short_name(step["urn"]), STEP_WORDS[step["op"]]
        elif is_finished:
            yield short_name(step["urn"]), _refresh_word(step)


def _refresh_word(step: Mapping[str, object]) -> str:
    """Return what a refresh did to a resource in the state: `same`, `updated` or `deleted`."""
    if not step.get("new"):
        return "deleted"
    return "updated" if step.get("detailedDiff") or step.get("diffs") else "same"


def short_name(urn: str) -> str:
    """Return type and name of a resource, for example `Schedule retraining-dev-schedule`."""
    *_, kind, name = urn.split("::")
    return f"{kind.rpartition(':')[2]} {name}"


def copy_program(
    folder: Path, source: Path = ROOT, virtual_environment: Path = Path(sys.prefix)
) -> Path:
    """Copy the program from a checkout into a new folder and return the folder."""
    folder.mkdir(parents=True)
    for name in PROGRAM_FILES:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, folder / name)
    (folder / ".venv").symlink_to(virtual_environment)
    return folder


def environment(folder: Path, endpoint: str) -> dict[str, str]:
    """Return the variables with which the CLI deploys to the emulator at an endpoint.

    The CLI then keeps its plugins and the state of its stacks in the folder.
    """
    state = folder / ".state"
    home = folder / ".home"
    for directory in (state, home):
        directory.mkdir(exist_ok=True)
    return {
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_HOME": str(home),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
        # The state is written once per operation. The CLI would write it twice for each resource.
        "PULUMI_EXPERIMENTAL": "true",
        "PULUMI_SKIP_CHECKPOINTS": "true",
        "AWS_ENDPOINT_URL": endpoint,
    }


def create_stack(folder: Path, name: str, endpoint: str) -> Stack:
    """Create a stack of the program in a folder, without deploying it."""
    stack = Stack(folder, name, environment(folder, endpoint))
    stack.pulumi("stack", "init")
    return stack
