"""What the rules of trainings, deployments and batch jobs know about a solution version."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple


class SolutionVersion(NamedTuple):
    """One version of a solution.

    The last fields take more requests, so they're only read of a version that is to be judged
    (`read_version()` in `personalize/trainings.py`).
    """

    arn: str
    is_running: bool
    """True until the training has ended, even while it is stopping."""
    is_active: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end if the training is not running."""
    run: str | None = None
    """The run that created the version, or None for a foreign version."""
    digest: str | None = None
    """A hash of the data and the configuration, as they were when the training began."""
    was_stopped: bool = False
    is_stopping: bool = False
    failure: str | None = None
    mode: str = "FULL"
    hours: float | None = None
    """The hours that Personalize charges for a training that has succeeded."""
    answer: str | None = None
    """APPROVED, REFUSED, ASKED, or None if nobody was asked or the request has expired."""
    metrics: Mapping[str, float] = MappingProxyType({})
    """The offline metrics. A version in training has none yet."""
    baselines: Mapping[str, "SolutionVersion | None"] = MappingProxyType({})
    """ARN of a baseline solution -> its version on the same imports, or None if there isn't one."""

    @property
    def imports(self) -> str:
        """The part of the digest that is the same for all trainings on the same imports."""
        return (self.digest or "").partition("-")[0]


LONG_AGO = datetime.min.replace(tzinfo=UTC)
NO_VERSION = SolutionVersion(
    arn="", is_running=False, is_active=False, created_at=LONG_AGO, ended_at=LONG_AGO
)
"""Stands for a version that doesn't exist: there's nothing to compare with, and it isn't newer."""
