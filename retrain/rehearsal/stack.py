"""Reads a stack for a rehearsal, with short probes and without a limit of trainings."""

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
"""About a second. A real probe takes minutes."""
BAKE_HOURS = 0.0015
"""About five seconds. A real bake takes hours."""


@dataclass(frozen=True)
class Stack:
    """A stack as it is rehearsed, and the data of its exports."""

    name: str
    folder: Path
    """The folder of a project in which the stack's file imports no environment."""
    args: RetrainingPipelineArgs
    """The arguments in the stack's file."""
    data: RehearsalData

    @property
    def overrides(self) -> dict[str, str]:
        """The settings that differ in a rehearsal, as the deployer takes them."""
        config = to_config(self.args, keep_none=False)

        for solution in config["solutions"]:
            for campaign in solution["campaigns"]:
                _shorten_trial(campaign)
            for batch_job in solution["batchJobs"]:
                _drop_unknown_settings(batch_job)

        for dataset in config["datasets"].values():
            # The sample data is old.
            dataset.pop("maxEventAge", None)

        # A rehearsal trains several times a minute.
        config["limits"]["maxTrainingsPerMonth"] = 0
        return {key: json.dumps(config[key]) for key in ("datasets", "solutions", "limits")}


def _shorten_trial(campaign: dict[str, Any]) -> None:
    """Let a campaign's probe take a second and its bake some seconds, instead of hours."""
    probe = campaign.get("probe")
    if probe:
        probe["minutes"] = PROBE_MINUTES
        # The expression of a filter is not known, so nothing is filtered. A context would need its
        # fields in the interactions, which the sample data lacks.
        for key in ("filterArn", "filterValues", "context"):
            probe.pop(key, None)

    if "bake" in campaign:
        # The stack creates no alarms but these. Other alarms exist only in the real account.
        campaign["bake"] = {"hours": BAKE_HOURS, "createAlarms": True}


def _drop_unknown_settings(batch_job: dict[str, Any]) -> None:
    """Remove a batch job's filter, whose expression isn't known, and its themes."""
    batch_job.pop("filterArn", None)
    batch_job.pop("themes", None)


@contextmanager
def open_stack(name: str, data_dir: Path | None) -> Iterator[Stack]:
    """Read a stack, and yield it for as long as the block runs. Raise OperatorError if it is wrong.

    `data_dir` contains CSV files to use instead of the sample data (`data.py`).
    """
    args = read_args(name)
    _check_partition(name, args)

    datasets = args.datasets.configured()
    import_modes = {key: dataset.import_mode for key, dataset in datasets.items()}
    data = read_data(data_dir or SAMPLE_FOLDER, import_modes)

    # The program of an installed package imports the modules that this process has already.
    sys.modules.setdefault("personalize_retraining", components)

    with open_readable_project(name) as folder, restore_environment():
        _hide_real_account()
        # When the emulator has ended, threads of an interrupted deployment give up at once.
        os.environ["AWS_MAX_ATTEMPTS"] = "2"
        yield Stack(name, folder, args, data)


def _check_partition(stack_name: str, args: RetrainingPipelineArgs) -> None:
    """Refuse a stack in China or GovCloud, because the emulator's ARNs all begin with arn:aws:."""
    partition = args.first_dataset_arn.split(":")[1]
    if partition != "aws":
        raise OperatorError(
            f"stack {stack_name} is in the partition {partition}, but the emulator has only aws; "
            "use a copy of the stack's file with arn:aws: and a region of this partition"
        )


def _hide_real_account() -> None:
    """Remove all AWS settings and proxies, so that nothing can reach a real account."""
    for variable in list(os.environ):
        if variable.startswith("AWS_") or variable.lower().endswith("_proxy"):
            del os.environ[variable]

    # Without these two, boto3 would read the files in the home directory.
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
