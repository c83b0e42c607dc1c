"""Imports the export of a dataset: looks, decides and acts until the dataset holds it."""

from .aws import read_client
from .contract import DatasetIteration, ImportItem
from .log import log_item
from .personalize.imports import DatasetImport
from .planning.plan_run import GUARDS
from .planning.situation import datasets_to_import, situation_of
from .planning.world import read_data
from .texts import with_short_texts


@with_short_texts()
def handler(event: DatasetIteration, _context: object) -> ImportItem:
    """Import the dataset until it has an outcome, or has to wait for long."""
    item = DatasetImport(event, lambda: _content_problems(event)).item()
    location = event["dataset"]["dataLocation"]
    return log_item("import_dataset", event["run"], item["arn"] or location, item)


def _content_problems(event: DatasetIteration) -> list[str]:
    """Return what the guards find in the export of the dataset, which has changed."""
    settings, run, dataset_type = event["settings"], event["run"], event["dataset"]["type"]
    datasets = datasets_to_import(settings, run)
    dataset = next(dataset for dataset in datasets if dataset["type"] == dataset_type)
    world = read_data(read_client(), [dataset["datasetArn"]], [dataset])
    situation = situation_of(settings, run, world).with_dataset(dataset)
    return [
        f"datasets.{dataset_type}: {message}"
        for guard in GUARDS
        if guard.verdict == "REFUSE" and guard.scope in ("dataset", "export")
        for message in guard.check(situation)
    ]
