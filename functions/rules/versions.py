"""What the rules for trainings, deployments and batch jobs know about a solution version."""

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
    """True until the training has ended, even while it's being stopped."""
    is_active: bool
    created_at: datetime
    ended_at: datetime
    """The time of the last change, which is the end if the training isn't running."""
    run: str | None = None
    """The run that created the version, or None for a foreign version."""
    digest: str | None = None
    """A hash of the data and the configuration at the start of the training
    (`trainings.digest()`)."""
    was_stopped: bool = False
    is_stopping: bool = False
    failure: str | None = None
    mode: str = "FULL"
    hours: float | None = None
    """The training hours that Personalize charges. Known only once the training has succeeded."""
    answer: str | None = None
    """APPROVED, REFUSED, ASKED, or None if nobody was asked or the request has expired."""
    metrics: Mapping[str, float] = MappingProxyType({})
    """The offline metrics. A version in training has none yet."""
    baselines: Mapping[str, "SolutionVersion | None"] = MappingProxyType({})
    """ARN of a baseline solution -> its version on the same imports, or None if there isn't one."""

    @property
    def imports(self) -> str:
        """The part of the digest that all trainings on the same imports share."""
        return (self.digest or "").partition("-")[0]


LONG_AGO = datetime.min.replace(tzinfo=UTC)
NO_VERSION = SolutionVersion(
    arn="", is_running=False, is_active=False, created_at=LONG_AGO, ended_at=LONG_AGO
)
"""Stands for a version that doesn't exist: there's nothing to compare with, and it isn't newer."""
