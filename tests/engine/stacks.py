"""A stack on Pulumi's real engine: what each operation did to which resource."""

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
"""The program's own files, without a stack's."""
PASSPHRASE = "a passphrase of the tests"  # noqa: S105
PATIENCE_SECONDS = 300
STEPS = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "same": "same",
    "replace": "replaced",
    "create-replacement": "replaced",
    "delete-replaced": "replaced",
}
"""The engine's word for a step, and the word that the tests use."""


class CommandError(Exception):
    """A command of the CLI failed; the message is all that it printed."""


class Result(NamedTuple):
    """What an operation did."""

    steps: dict[str, str]
    """Resource, as `Schedule retraining-dev-schedule`, to `created`, `updated` and so on."""
    text: str
    """What the CLI printed."""

    @property
    def changes(self) -> dict[str, str]:
        """Return the steps of the resources that did not stay the same."""
        return {name: step for name, step in sorted(self.steps.items()) if step != "same"}


@dataclass(frozen=True)
class Stack:
    """A stack of the program in a folder. Each operation raises CommandError if it fails."""

    folder: Path
    """Holds `Pulumi.yaml`."""
    name: str
    environment: Mapping[str, str]

    def preview(self) -> Result:
        """Preview an update."""
        return self._operate("preview")

    def up(self) -> Result:
        """Update the stack without a preview."""
        return self._operate("up", "--yes", "--skip-preview")

    def refresh(self) -> Result:
        """Compare the state with what the provider reads, and correct the state."""
        return self._operate("refresh", "--yes", "--skip-preview")

    def destroy(self) -> Result:
        """Delete all resources of the stack."""
        return self._operate("destroy", "--yes", "--skip-preview")

    def output(self, name: str) -> str:
        """Return an output of the stack."""
        return self.pulumi("stack", "output", name).strip()

    def set(self, key: str, value: str) -> None:
        """Set a key of the project at a path."""
        self.pulumi("config", "set", "--path", f"personalize-retraining:{key}", value)

    def remove(self, key: str) -> None:
        """Remove a key of the project at a path."""
        self.pulumi("config", "rm", "--path", f"personalize-retraining:{key}")

    def state(self) -> list[dict[str, object]]:
        """Return the resources of the state."""
        exported = json.loads(self.pulumi("stack", "export"))
        return exported["deployment"].get("resources", [])

    def pulumi(self, *arguments: str) -> str:
        """Run a command of the CLI on this stack. Return its standard output."""
        done = subprocess.run(  # noqa: S603
            ["pulumi", *arguments, "--stack", self.name, "--non-interactive"],  # noqa: S607
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"{done.stdout}{done.stderr}")
        return done.stdout

    def _operate(self, command: str, *options: str) -> Result:
        log = self.folder / ".events"
        log.unlink(missing_ok=True)
        text = self.pulumi(command, *options, "--color", "never", "--event-log", str(log))
        seen: dict[str, set[str]] = defaultdict(set)
        for resource, step in _steps(log):
            seen[resource].add(step)
        return Result({name: "/".join(sorted(steps)) for name, steps in seen.items()}, text)


def _steps(log: Path) -> Iterator[tuple[str, str]]:
    """Yield resource and step of each event of an operation, except for stack and providers."""
    for line in log.read_text().splitlines():
        event = json.loads(line)
        ended = "resOutputsEvent" in event
        step = event.get("resOutputsEvent" if ended else "resourcePreEvent", {}).get("metadata")
        if step is None or step["type"].startswith("pulumi:"):
            continue
        if step["op"] != "refresh":
            yield short_name(step["urn"]), STEPS[step["op"]]
        elif ended:
            yield short_name(step["urn"]), _found(step)


def _found(step: Mapping[str, object]) -> str:
    """Return what a refresh found of a resource: `same`, `updated` or `deleted`."""
    if not step.get("new"):
        return "deleted"
    return "updated" if step.get("detailedDiff") or step.get("diffs") else "same"


def short_name(urn: str) -> str:
    """Return type and name of a resource, as `Schedule retraining-dev-schedule`."""
    *_, kind, name = urn.split("::")
    return f"{kind.rpartition(':')[2]} {name}"


def copy_program(folder: Path, source: Path = ROOT) -> Path:
    """Copy the program from a checkout into a new folder. Return the folder."""
    folder.mkdir(parents=True)
    for name in PROGRAM:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def environment(folder: Path, endpoint: str) -> dict[str, str]:
    """Return the variables of a CLI whose home and state are in a folder.

    `endpoint` is the emulator's.
    """
    state, home = folder / ".state", folder / ".home"
    for each in (state, home):
        each.mkdir(exist_ok=True)
    return {
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_HOME": str(home),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
        "AWS_ENDPOINT_URL": endpoint,
    }


def create_stack(folder: Path, name: str, endpoint: str) -> Stack:
    """Create a stack of the program in a folder."""
    stack = Stack(folder, name, environment(folder, endpoint))
    stack.pulumi("stack", "init")
    return stack
