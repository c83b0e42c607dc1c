"""Finds out whether all exports of a day are ready, according to their ready markers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from .executions import DATE, short_hash
from .exports import list_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from .workflow_settings import Settings

DAY_PATTERN = r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"


class ReadyExports(NamedTuple):
    """The ready markers of a day."""

    day: str
    missing: Sequence[str]
    """The locations of the markers that do not exist yet."""
    written: str
    """The markers that exist, each with its ETag and the time at which it was written."""

    @property
    def execution_name(self) -> str:
        """The name of the execution that imports these exports.

        It is the same for each event about one of the markers, and another one after a marker was
        written again.
        """
        return f"export-{self.day}-{short_hash(self.written, 16)}"


def day_of_marker(settings: Settings, location: str) -> str | None:
    """Return the day in the location of a ready marker, or None if it is no ready marker."""
    for marker in _markers(settings):
        pattern = re.escape(marker).replace(re.escape(DATE), DAY_PATTERN, 1)
        pattern = pattern.replace(re.escape(DATE), "(?P=day)")
        if match := re.fullmatch(pattern, location):
            return match["day"]
    return None


def read_ready_exports(client: S3Client, settings: Settings, day: str) -> ReadyExports:
    """Return the ready markers of a day, after looking for each of them."""
    missing, written = [], []
    for marker in _markers(settings):
        location = marker.replace(DATE, day)
        objects = list_objects(client, location)
        missing += [] if objects else [location]
        written += [f"{location} {item.etag} {item.modified_at.isoformat()}" for item in objects]
    return ReadyExports(day, missing, "\n".join(written))


def _markers(settings: Settings) -> list[str]:
    """Return the locations of the ready markers, with `{date}`."""
    return [dataset["readyMarker"] for dataset in settings["datasets"] if dataset["readyMarker"]]
