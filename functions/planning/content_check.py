"""Checks the content of an export that has changed since the run was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plan_run import GUARDS
from .situation import datasets_to_import, situation_of
from .world import read_data

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Run
    from ..workflow_settings import Settings


def checked_content(
    client: PersonalizeClient, settings: Settings, run: Run, dataset_type: str
) -> list[str]:
    """Return what the guards find in the present export of a dataset."""
    datasets = datasets_to_import(settings, run)
    dataset = next(dataset for dataset in datasets if dataset["type"] == dataset_type)
    world = read_data(client, [dataset["datasetArn"]], [dataset])
    situation = situation_of(settings, run, world).with_dataset(dataset)
    return [
        f"datasets.{dataset_type}: {message}"
        for guard in GUARDS
        if guard.verdict == "REFUSE" and guard.scope in ("dataset", "export")
        for message in guard.check(situation)
    ]
