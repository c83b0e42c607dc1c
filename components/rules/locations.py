"""What is wrong with the datasets to import, alone and together, or worth a warning. Pure."""

from collections.abc import Iterator
from itertools import takewhile
from typing import get_args

from ..args import DatasetArgs, DatasetsArgs, ImportMode
from . import values
from .values import Judgement, Problem


def judgements(datasets: DatasetsArgs) -> Iterator[Judgement]:
    """Judge each setting of each dataset but its ARN."""
    for key, dataset in datasets.configured():
        yield from _of_one(datasets, key, dataset)


def appended_again(datasets: DatasetsArgs) -> Iterator[Problem]:
    """Warn of an INCREMENTAL import from a place that stays the same."""
    for key, dataset in datasets.configured():
        location = dataset.data_location
        if dataset.import_mode != "INCREMENTAL" or not isinstance(location, str):
            continue
        if values.DATE not in location:
            folder = location.rpartition("/")[0]
            message = (
                "is the same place for every run: INCREMENTAL would append what was imported "
                "before again, so a run that finds any of it is refused; export to a place of its "
                f"own each day, for example '{folder}/{values.DATE}/'"
            )
            yield Problem(f"datasets.{key}.dataLocation", location, message)


def _of_one(datasets: DatasetsArgs, key: str, dataset: DatasetArgs) -> Iterator[Judgement]:
    at, location, marker = f"datasets.{key}", dataset.data_location, dataset.ready_marker
    if isinstance(location, str):
        wrong = values.location_problem(location, f"s3://bucket/{key}.csv")
        wrong = wrong or _shared_problem(datasets, key, location)
        yield f"{at}.dataLocation", location or None, wrong
    mode, share = dataset.import_mode, dataset.min_relative_size
    yield f"{at}.importMode", mode, values.choice_problem(mode, get_args(ImportMode))
    yield f"{at}.minRelativeSize", share, values.share_problem(share, DatasetArgs.min_relative_size)
    if isinstance(marker, str):
        wrong = values.marker_problem(marker) or _imported_problem(datasets, marker)
        yield f"{at}.readyMarker", marker or None, wrong


def _shared_problem(datasets: DatasetsArgs, key: str, location: str) -> str | None:
    """Keep a location out of the other datasets': of two that are the same, tell of the later."""
    for other, dataset in takewhile(lambda each: each[0] != key, datasets.configured()):
        if dataset.data_location == location:
            return (
                f"is datasets.{other}.dataLocation as well, so that either dataset would get the "
                "other's rows; give each a place of its own"
            )
    return _imported_problem(datasets, location)


def _imported_problem(datasets: DatasetsArgs, place: str) -> str | None:
    """Keep a marker, or another dataset's files, out of a prefix: all files below are imported."""
    for key, dataset in datasets.configured():
        location = dataset.data_location
        if not isinstance(location, str) or place == location or not location.endswith("/"):
            continue
        if place.startswith(location):
            name = place.removeprefix(location).rstrip("/").rpartition("/")[2].lstrip("_")
            slash = "/" if place.endswith("/") else ""
            return (
                f"lies inside datasets.{key}.dataLocation, where every file is imported; "
                f"keep it beside, for example '{location[:-1]}.{name}{slash}'"
            )
    return None
