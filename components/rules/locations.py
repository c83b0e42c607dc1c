"""Checks each dataset of a pipeline, and all of them together. Pure."""

from collections.abc import Iterator
from itertools import takewhile
from typing import get_args

from ..args import DatasetArgs, DatasetsArgs, ImportMode
from . import values
from .values import Check, Problem


def checks(datasets: DatasetsArgs) -> Iterator[Check]:
    """Yield a check for each setting of each dataset except its ARN."""
    for key, dataset in datasets.configured().items():
        yield from _dataset_checks(datasets, key, dataset)


def incremental_warnings(datasets: DatasetsArgs) -> Iterator[Problem]:
    """Yield a warning for each INCREMENTAL import whose location is the same for every run."""
    for key, dataset in datasets.configured().items():
        location = dataset.data_location
        if dataset.import_mode != "INCREMENTAL" or not isinstance(location, str):
            continue
        if values.DATE not in location:
            folder = location.rpartition("/")[0]
            message = (
                "is the same location for every run, and INCREMENTAL would import the same files "
                "twice, so every run that finds old files is refused; export to a new location "
                f"each day, for example '{folder}/{values.DATE}/'"
            )
            yield Problem(f"datasets.{key}.dataLocation", location, message)


def _dataset_checks(datasets: DatasetsArgs, key: str, dataset: DatasetArgs) -> Iterator[Check]:
    prefix, location, marker = f"datasets.{key}", dataset.data_location, dataset.ready_marker
    if isinstance(location, str):
        error = (
            values.location_error(location, f"s3://bucket/{key}.csv")
            or _shared_location_error(datasets, key, location)
            or _below_prefix_error(datasets, location)
        )
        yield Check(f"{prefix}.dataLocation", location or None, error)
    mode, share = dataset.import_mode, dataset.min_relative_size
    yield Check(f"{prefix}.importMode", mode, values.choice_error(mode, get_args(ImportMode)))
    error = values.share_error(share, DatasetArgs.min_relative_size)
    yield Check(f"{prefix}.minRelativeSize", share, error)
    if isinstance(marker, str):
        error = values.marker_error(marker) or _below_prefix_error(datasets, marker)
        yield Check(f"{prefix}.readyMarker", marker or None, error)


def _shared_location_error(datasets: DatasetsArgs, key: str, location: str) -> str | None:
    """Return an error message if a dataset before this one has the same location."""
    previous_datasets = takewhile(lambda item: item[0] != key, datasets.configured().items())
    for previous_key, dataset in previous_datasets:
        if dataset.data_location == location:
            return (
                f"is also datasets.{previous_key}.dataLocation, so each dataset would get the rows "
                "of both; give each dataset a location"
            )
    return None


def _below_prefix_error(datasets: DatasetsArgs, location: str) -> str | None:
    """Return an error message if this location or marker is below the prefix of a dataset.

    Every file below a prefix is imported.
    """
    for key, dataset in datasets.configured().items():
        prefix = dataset.data_location
        if not isinstance(prefix, str) or location == prefix or not prefix.endswith("/"):
            continue
        if location.startswith(prefix):
            name = location.removeprefix(prefix).rstrip("/").rpartition("/")[2].lstrip("_")
            slash = "/" if location.endswith("/") else ""
            return (
                f"lies inside datasets.{key}.dataLocation, where every file is imported; "
                f"move it outside, for example to '{prefix[:-1]}.{name}{slash}'"
            )
    return None
