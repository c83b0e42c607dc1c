"""Plans an import again if its export has changed since the run was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import aws, exports
from ..errors import RunRefused
from ..personalize.fingerprint import fingerprint_of
from ..personalize.tags import PLANNED
from ..workflow_settings import dataset_settings
from .guards import GUARDS
from .planned_imports import planned_import
from .situation import datasets_to_import, situation_of
from .world import read_data

if TYPE_CHECKING:
    from mypy_boto3_personalize import PersonalizeClient

    from ..contract import Job, PlannedImport, Run
    from ..workflow_settings import Settings


def current_import(
    client: PersonalizeClient,
    settings: Settings,
    run: Run,
    planned: PlannedImport,
    last_try: Job | None,
) -> PlannedImport:
    """Return the planned import, or a new plan for the export as it is now.

    The import is planned again if the export has changed since the run was planned, or if it
    changed during the first import.

    Raises:
        RunRefused: a guard refuses the changed export.
    """
    location = planned["dataLocation"]
    export = exports.Export(location=location, objects=exports.list_objects(aws.s3(), location))
    mode = dataset_settings(settings, planned["type"])["importMode"]
    is_unchanged = fingerprint_of(export, mode, planned["schemaArn"]) == planned["tags"][PLANNED]
    must_repeat = last_try is not None and last_try["phase"] == "CHANGED"
    if is_unchanged and not must_repeat:
        return planned
    (dataset,) = (
        dataset
        for dataset in datasets_to_import(settings, run)
        if dataset["type"] == planned["type"]
    )
    world = read_data(client, [dataset["datasetArn"]], [dataset])
    situation = situation_of(settings, run, world).with_dataset(dataset)
    problems = [
        f"datasets.{dataset['type']}: {message}"
        for guard in GUARDS
        if guard.verdict == "REFUSE" and guard.scope in ("dataset", "export")
        for message in guard.check(situation)
    ]
    if problems:
        raise RunRefused(problems)
    return planned_import(situation)
