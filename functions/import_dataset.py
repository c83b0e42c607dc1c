"""Imports the export of a dataset: looks, decides and acts until the dataset holds it."""

from .aws import read_client
from .contract import DatasetIteration, ImportItem
from .log import log_item
from .personalize.imports import DatasetImport
from .planning.content_check import checked_content
from .texts import with_short_texts


@with_short_texts()
def handler(event: DatasetIteration, _context: object) -> ImportItem:
    """Import the dataset until it has an outcome, or has to wait for long."""
    settings, run, planned = event["settings"], event["run"], event["dataset"]
    item = DatasetImport(
        event, lambda: checked_content(read_client(), settings, run, planned["type"])
    ).item()
    return log_item("import_dataset", run, item["arn"] or planned["dataLocation"], item)
