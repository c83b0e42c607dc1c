"""Reads the stack to rehearse, and overrides settings that would slow or block the rehearsal."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import components
from components.args import to_config
from retrain.account.environment import restore_environment
from retrain.account.errors import OperatorError
from retrain.account.stack_config import open_readable_project, read_args
from retrain.rehearsal.data import SAMPLE_FOLDER, read_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from components.args import RetrainingPipelineArgs
    from retrain.rehearsal.data import RehearsalData

PROBE_MINUTES = 0.02
"""About a second, whereas a real probe takes minutes."""
BAKE_HOURS = 0.0015
"""About five seconds, whereas a real bake takes hours."""


@dataclass(frozen=True)
class Stack:
    """A stack to rehearse, and the data for its exports."""

    name: str
    folder: Path
    """A project folder that can be read without the Pulumi CLI."""
    args: RetrainingPipelineArgs
    """The arguments from the stack's config, without overrides."""
    data: RehearsalData

    @property
    def overrides(self) -> dict[str, str]:
        """The settings that a rehearsal replaces, serialized as JSON for the deployer's config."""
        config = to_config(self.args, keep_none=False)

        for solution in config["solutions"]:
            for campaign in solution["campaigns"]:
                _shorten_trial(campaign)
            for batch_job in solution["batchJobs"]:
                _drop_filter_and_themes(batch_job)

        for dataset in config["datasets"].values():
            # The events in the sample data are old, so runs would refuse the exports.
            dataset.pop("maxEventAge", None)

        # Turn the limit off, because a rehearsal trains several times a minute.
        config["limits"]["maxTrainingsPerMonth"] = 0
        # The schedule of a paused stack wouldn't start any runs.
        config["paused"] = False
        keys = ("datasets", "solutions", "limits", "paused")
        return {key: json.dumps(config[key]) for key in keys}


def _shorten_trial(campaign: dict[str, Any]) -> None:
    """Shorten a campaign's probe and bake to seconds, and drop what the emulator doesn't have."""
    probe = campaign.get("probe")
    if probe:
        probe["minutes"] = PROBE_MINUTES
        # We can't create the filter without its expression, and a context may need fields that the
        # sample data doesn't have.
        for key in ("filterArn", "filterValues", "context"):
            probe.pop(key, None)

    if "bake" in campaign:
        # Alarms that the stack doesn't create only exist in the real account.
        campaign["bake"] = {"hours": BAKE_HOURS, "createAlarms": True}


def _drop_filter_and_themes(batch_job: dict[str, Any]) -> None:
    """Remove a batch job's filter and themes.

    We can't create the filter without its expression, and the emulator doesn't support theme
    generation.
    """
    batch_job.pop("filterArn", None)
    batch_job.pop("themes", None)


@contextmanager
def open_stack(name: str, data_dir: Path | None) -> Iterator[Stack]:
    """Read a stack and its data, and hide real AWS accounts from this process until the block ends.

    `data_dir` contains CSV files that replace the sample data. Raises OperatorError if the stack or
    the data can't be used.
    """
    args = read_args(name)
    _check_partition(name, args)

    datasets = args.datasets.configured()
    import_modes = {key: dataset.import_mode for key, dataset in datasets.items()}
    data = read_data(data_dir or SAMPLE_FOLDER, import_modes)

    # The program of a project outside the repository imports `personalize_retraining`. The deployer
    # runs this program in our process, which has imported the same modules as `components`.
    sys.modules.setdefault("personalize_retraining", components)

    with open_readable_project(name) as folder, restore_environment():
        _hide_real_account()
        # If a deployment is interrupted, its threads shouldn't go on retrying after the emulator
        # has ended.
        os.environ["AWS_MAX_ATTEMPTS"] = "2"
        yield Stack(name, folder, args, data)


def _check_partition(stack_name: str, args: RetrainingPipelineArgs) -> None:
    """Reject a stack in China or GovCloud, because the emulator's ARNs all begin with arn:aws:."""
    partition = args.first_arn.partition
    if partition != "aws":
        raise OperatorError(
            f"stack {stack_name} is in the partition {partition}, but the emulator has only aws; "
            "use a copy of the stack's file with arn:aws: and a region of this partition"
        )


def _hide_real_account() -> None:
    """Remove AWS and proxy settings from the environment, so that no request can reach AWS."""
    for variable in list(os.environ):
        if variable.startswith("AWS_") or variable.lower().endswith("_proxy"):
            del os.environ[variable]

    # Otherwise, boto3 would fall back to the config files in the home directory.
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
