"""A stack on Pulumi's real engine: what each operation did to which resource."""

import json
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pulumi import automation
from pulumi.automation import OpType

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("components", "functions", "settings.py", "__main__.py", "Pulumi.yaml")
"""The program's own files, without a stack's."""
PASSPHRASE = "a passphrase of the tests"  # noqa: S105
STEPS = {
    OpType.CREATE: "created",
    OpType.UPDATE: "updated",
    OpType.DELETE: "deleted",
    OpType.SAME: "same",
    OpType.REPLACE: "replaced",
    OpType.CREATE_REPLACEMENT: "replaced",
    OpType.DELETE_REPLACED: "replaced",
}


class Result(NamedTuple):
    """What an operation did."""

    steps: dict[str, str]
    """Resource, as `Schedule retraining-dev-schedule`, to `created`, `updated` and so on."""
    text: str
    """What the CLI printed."""

    @property
    def changes(self) -> dict[str, str]:
        """The steps of the resources that did not stay the same."""
        return {name: step for name, step in sorted(self.steps.items()) if step != "same"}

    def count(self, step: str) -> int:
        """Count the resources that took a step."""
        return list(self.steps.values()).count(step)


@dataclass(frozen=True)
class Stack:
    """A stack of a program in a folder, with its state in a folder beside it."""

    folder: Path
    """Holds `Pulumi.yaml`."""
    name: str
    automation: automation.Stack

    def preview(self, **options) -> Result:
        """Preview an update."""
        return self._watch(self.automation.preview, **options)

    def up(self, **options) -> Result:
        """Update the stack without a preview."""
        return self._watch(self.automation.up, **options)

    def refresh(self) -> Result:
        """Compare the state with what the provider reads, and correct the state."""
        return self._watch(self.automation.refresh)

    def destroy(self) -> Result:
        """Delete all resources of the stack."""
        return self._watch(self.automation.destroy)

    def output(self, name: str) -> str:
        """Return an output of the stack."""
        return self.automation.outputs()[name].value

    def set(self, key: str, value: object) -> None:
        """Set a key of the project, as `pulumi config set --path` does."""
        self.automation.set_config(key, automation.ConfigValue(_text(value)), path=True)

    def remove(self, key: str) -> None:
        """Remove a key of the project, as `pulumi config rm --path` does."""
        self.automation.remove_config(key, path=True)

    def state(self) -> list[dict[str, object]]:
        """Return the resources of the state, as `pulumi stack export` prints them."""
        return self.automation.export_stack().deployment.get("resources", [])

    def _watch(self, operation, **options) -> Result:
        seen: dict[str, set[str]] = defaultdict(set)

        def record(event: automation.EngineEvent) -> None:
            step = event.resource_pre_event or event.res_outputs_event
            if step and step.metadata.type != "pulumi:pulumi:Stack":
                seen[short_name(step.metadata.urn)].add(STEPS[step.metadata.op])

        done = operation(on_event=record, color="never", **options)
        return Result({name: "/".join(sorted(steps)) for name, steps in seen.items()}, done.stdout)


def short_name(urn: str) -> str:
    """Return type and name of a resource, as `Schedule retraining-dev-schedule`."""
    *_, kind, name = urn.split("::")
    return f"{kind.rpartition(':')[2]} {name}"


def copy_program(folder: Path, source: Path = ROOT) -> Path:
    """Copy the program from a checkout into an empty folder; return the folder."""
    folder.mkdir(parents=True)
    for name in PROGRAM:
        copy = shutil.copytree if (source / name).is_dir() else shutil.copy
        copy(source / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def open_stack(folder: Path, name: str, endpoint: str) -> Stack:
    """Create a stack of the program in a folder, or select the one that is there.

    Its state is in `.state` and the CLI's home in `.home`, both inside the folder. `endpoint` is
    the emulator's.
    """
    state, home = folder / ".state", folder / ".home"
    for each in (state, home):
        each.mkdir(exist_ok=True)
    workspace = automation.LocalWorkspace(
        work_dir=str(folder),
        pulumi_home=str(home),
        env_vars={
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "AWS_ENDPOINT_URL": endpoint,
        },
    )
    return Stack(folder, name, automation.Stack.create_or_select(name, workspace))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
