"""Checks each dataset of a pipeline, and all of them together."""

from collections.abc import Iterator
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
            continue  # a location that is not a text is an Output
        if values.DATE_PLACEHOLDER not in location:
            folder = location.rpartition("/")[0]
            message = (
                "is the same location for every run, and INCREMENTAL would import the same files "
                "twice, so every run that finds old files is refused; export to a new location "
                f"each day, for example '{folder}/{values.DATE_PLACEHOLDER}/'"
            )
            yield Problem(f"datasets.{key}.dataLocation", message, location)


def _dataset_checks(datasets: DatasetsArgs, key: str, dataset: DatasetArgs) -> Iterator[Check]:
    """Yield a check for each setting of a dataset that is not an ARN or an Output."""
    prefix = f"datasets.{key}"
    location = dataset.data_location
    if isinstance(location, str):
        error = (
            values.location_error(location, f"s3://bucket/{key}.csv")
            or _shared_location_error(datasets, key, location)
            or _below_prefix_error(datasets, location)
        )
        yield Check(f"{prefix}.dataLocation", error, value=location or None)
    mode = dataset.import_mode
    error = values.choice_error(mode, get_args(ImportMode))
    yield Check(f"{prefix}.importMode", error, value=mode)
    share = dataset.min_relative_size
    error = values.share_error(share, example=DatasetArgs.min_relative_size)
    yield Check(f"{prefix}.minRelativeSize", error, value=share)
    marker = dataset.ready_marker
    if isinstance(marker, str):
        error = values.marker_error(marker) or _below_prefix_error(datasets, marker)
        yield Check(f"{prefix}.readyMarker", error, value=marker or None)


def _shared_location_error(datasets: DatasetsArgs, key: str, location: str) -> str | None:
    """Return an error message if a dataset before the dataset `key` has the same location."""
    keys_with_location = [
        other_key
        for other_key, dataset in datasets.configured().items()
        if dataset.data_location == location
    ]
    first_key = keys_with_location[0]
    if first_key == key:
        return None
    return (
        f"is also datasets.{first_key}.dataLocation, so each dataset would get the rows of both; "
        "give each dataset a location of its own"
    )


def _below_prefix_error(datasets: DatasetsArgs, location: str) -> str | None:
    """Return an error message if this location or marker is below the prefix of a dataset.

    A file in the prefix would be imported into that dataset. A file in a subfolder would not, but
    each run would warn about it.
    """
    for key, dataset in datasets.configured().items():
        prefix = dataset.data_location
        if not isinstance(prefix, str) or not prefix.endswith("/"):
            continue
        if location != prefix and location.startswith(prefix):
            return (
                f"lies inside datasets.{key}.dataLocation; "
                f"move it outside, for example to '{_location_outside(location, prefix)}'"
            )
    return None


def _location_outside(location: str, prefix: str) -> str:
    """Return `s3://bucket/items.SUCCESS` for `s3://bucket/items/_SUCCESS`, as an example."""
    slash = "/" if location.endswith("/") else ""
    name = location.rstrip("/").rpartition("/")[2].lstrip("_")
    return f"{prefix.removesuffix('/')}.{name}{slash}"
