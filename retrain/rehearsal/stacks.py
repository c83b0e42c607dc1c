"""Reads a stack, and changes its settings for a rehearsal."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from components import settings
from components.rules import arns
from emulator.deployer.configuration import read_project
from retrain.rehearsal import config_changes
from retrain.rehearsal.data.custom_data import read_custom_data
from retrain.rehearsal.data.data_sets import evaluation_users, typical_user
from retrain.rehearsal.data.sample_data import SampleData
from retrain.rehearsal.environments import without_environments
from retrain.rehearsal.errors import RehearsalError
from retrain.rehearsal.runs import Item, User
from retrain.stack_files import STACK_NAME, missing_file_message, stack_file, stacks_hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from components.args import RetrainingPipelineArgs
    from retrain.rehearsal.config_changes import Change, Config
    from retrain.rehearsal.data.data_sets import DataSet


@dataclass(frozen=True)
class Stack:
    """A stack as it is rehearsed, and the data of its exports."""

    name: str
    project_dir: Path
    args: RetrainingPipelineArgs
    overrides: Mapping[str, str]
    """The settings that differ from the stack's file, as the deployer takes them.

    `args` contain them.
    """
    data: DataSet

    @property
    def home(self) -> arns.Home:
        """The account and the region of the stack's ARNs.

        Raises RehearsalError if their partition is not `aws`.
        """
        arn = arns.parse_arn(str(self.args.solutions[0].solution_arn))
        assert arn is not None, "settings with an invalid ARN are refused when the stack is read"
        if arn.partition != "aws":
            raise RehearsalError(
                f"{arn.partition} is the partition of the stack's ARNs, and the emulator supports "
                "only aws; copy the stack's file, and use ARNs and a region of aws in the copy"
            )
        return arn.home

    @cached_property
    def user(self) -> User:
        """The user for whom recommendations are requested, with the user's items."""
        user_id, item_ids = typical_user(self.data)
        return User(user_id, [self.item(item_id) for item_id in item_ids])

    @cached_property
    def evaluation_users(self) -> int:
        """The number of users on whom the metrics of a version rest."""
        return evaluation_users(self.data)

    def item(self, item_id: str) -> Item:
        """Return an item with its title and genres."""
        return Item(item_id, self._titles.get(item_id), self._genres.get(item_id, ""))

    def with_change(self, change: Change) -> Stack:
        """Read the stack again, and return it with a change of its settings."""
        return _read_stack(self.project_dir, self.name, change, self.data)

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        return self.data.titles()

    @cached_property
    def _genres(self) -> Mapping[str, str]:
        return self.data.genres()


@contextmanager
def open_stack(project_dir: Path, name: str, data_dir: Path | None) -> Iterator[Stack]:
    """Read a stack, and yield it for as long as the block runs.

    `data_dir` contains CSV files to use instead of the sample data (`data/custom_data.py`). During
    the block, the caller's AWS settings are removed from the environment. Raises RehearsalError,
    pulumi.RunError and DeploymentError if the stack cannot be used.
    """
    _require_file(project_dir, name)
    with without_environments(project_dir, name) as folder, without_aws_settings():
        stack = _read_stack(folder, name, config_changes.no_change, SampleData())
        if data_dir is None:
            yield stack
            return
        datasets = stack.args.datasets.configured()
        data = read_custom_data(data_dir, {key: row.import_mode for key, row in datasets.items()})
        yield replace(stack, data=data)


@contextmanager
def without_aws_settings() -> Iterator[None]:
    """Remove AWS settings and proxies from the environment during the block.

    Nothing in the block can reach a real account then.
    """
    environment = dict(os.environ)
    for name in environment:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    # When the emulator has ended, threads of an interrupted deployment give up at once.
    os.environ["AWS_MAX_ATTEMPTS"] = "2"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)


def _read_stack(project_dir: Path, name: str, change: Change, data: DataSet) -> Stack:
    """Read a stack with the settings of its rehearsal, which include `change`.

    The settings in the file are checked first, because the changes could hide a mistake.
    """
    project = read_project(project_dir, name, {})
    settings.parse_stack(project.name, name, project.config)
    overrides = _overrides(config_changes.decode(project.config, project.name), change)
    rehearsed_config = read_project(project_dir, name, overrides).config
    args = settings.parse_stack(project.name, name, rehearsed_config)
    return Stack(name, project_dir, args, overrides, data)


def _require_file(project_dir: Path, name: str) -> None:
    """Raise RehearsalError if no stack can have the name, or if the stack has no file."""
    if not STACK_NAME.fullmatch(name):
        raise RehearsalError(
            f"--stack {name!r}: a stack's name has 1 to 100 letters, digits, hyphens, underscores "
            f"and periods; {stacks_hint(project_dir)}"
        )
    if not os.path.lexists(stack_file(project_dir, name)):
        raise RehearsalError(missing_file_message(project_dir, name))


def _overrides(config: Config, change: Change) -> dict[str, str]:
    """Return the settings that differ from the stack's file: their keys and values as text.

    Every rehearsal shortens waits and probes and removes the monthly limit. `change` is applied
    last.
    """
    changed: dict[str, object] = {}
    for apply in (
        config_changes.shorten_probes,
        config_changes.remove_monthly_limit,
        change,
    ):
        changed |= apply({**config, **changed})
    return config_changes.encode(changed)
