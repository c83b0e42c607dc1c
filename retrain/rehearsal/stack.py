"""Reads a stack for a rehearsal, with short probes and without a limit of trainings."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

import components
from components.args import to_config
from retrain.account.errors import OperatorError
from retrain.account.stack_config import read_args, readable_project
from retrain.rehearsal.data import read_custom_data
from retrain.rehearsal.films import film_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from components.args import RetrainingPipelineArgs
    from retrain.rehearsal.data import Data

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
    data: Data

    @property
    def overrides(self) -> dict[str, str]:
        """The settings that differ in a rehearsal, as the deployer takes them.

        Probes take a second. Bakes take some seconds, with the alarms of `createAlarms`, because
        the stack creates no others. The expressions of filters are not known, so nothing is
        filtered. Batch jobs have no themes. The number of trainings is not limited, because a
        rehearsal trains several times a minute. Events may be old, because the sample data is.
        """
        config = to_config(self.args, keep_none=False)
        solutions = config["solutions"]
        for campaign in (item for solution in solutions for item in solution["campaigns"]):
            if "probe" in campaign:
                campaign["probe"]["minutes"] = PROBE_MINUTES
                for key in ("filterArn", "filterValues", "context"):
                    campaign["probe"].pop(key, None)
            if "bake" in campaign:
                campaign["bake"] = {"hours": BAKE_HOURS, "createAlarms": True}
        for batch_job in (job for solution in solutions for job in solution["batchJobs"]):
            batch_job.pop("filterArn", None)
            batch_job.pop("themes", None)
        for dataset in config["datasets"].values():
            dataset.pop("maxEventAge", None)
        config["limits"]["maxTrainingsPerMonth"] = 0
        return {key: json.dumps(config[key]) for key in ("datasets", "solutions", "limits")}


@contextmanager
def open_stack(project_dir: Path, name: str, data_dir: Path | None) -> Iterator[Stack]:
    """Read a stack, and yield it for as long as the block runs. Raise OperatorError if it is wrong.

    `data_dir` contains CSV files to use instead of the sample data (`data.py`).
    """
    args, data = read_args(project_dir, name), film_service()
    partition = args.first_dataset_arn.split(":")[1]
    if partition != "aws":
        raise OperatorError(
            f"stack {name} is in the partition {partition}, but the emulator has only aws; use a "
            "copy of the stack's file with arn:aws: and a region of this partition"
        )
    if data_dir is not None:
        datasets = args.datasets.configured()
        modes = {key: dataset.import_mode for key, dataset in datasets.items()}
        data = read_custom_data(data_dir, modes)
    # The program of an installed package imports the modules that this process has already.
    sys.modules.setdefault("personalize_retraining", components)
    # Without AWS settings and proxies, nothing in the block can reach a real account.
    kept = {
        key: value
        for key, value in os.environ.items()
        if not (key.startswith("AWS_") or key.lower().endswith("_proxy"))
    }
    with readable_project(project_dir, name) as folder, patch.dict(os.environ, kept, clear=True):
        os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        # When the emulator has ended, threads of an interrupted deployment give up at once.
        os.environ["AWS_MAX_ATTEMPTS"] = "2"
        yield Stack(name, folder, args, data)
