"""Solution versions, as the rules for trainings, deployments and batch jobs see them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple


class SolutionVersion(NamedTuple):
    """One version of a solution.

    The last fields take extra requests, so they're only read for versions to judge
    (`read_version()` in `personalize/trainings.py`).
    """

    arn: str
    is_running: bool
    """True until the training has ended, even while it's being stopped."""
    is_active: bool
    created_at: datetime
    ended_at: datetime
    """When the version last changed. Its training has only ended if it isn't running."""
    run_id: str | None = None
    """The run that created the version, or None for a foreign version."""
    digest: str | None = None
    """A hash of the data and the configuration at the start of the training
    (`training_data.compute_digest()`)."""
    was_stopped: bool = False
    is_stopping: bool = False
    failure: str | None = None
    training_mode: str = "FULL"
    training_hours: float | None = None
    """The training hours that Personalize bills, or None before the training has succeeded."""
    approval: str | None = None
    """REQUESTED, APPROVED or REFUSED. None if approval wasn't requested, or the request expired."""
    metrics: Mapping[str, float] = MappingProxyType({})
    """The offline metrics. Empty during the training."""
    baselines: Mapping[str, "SolutionVersion | None"] = MappingProxyType({})
    """Baseline solution ARN -> its version on the same imports, or None if there isn't one."""
    untrusted_data: str | None = None
    """Why the pipeline doesn't trust the training data, or None if it does. Runs check their own
    data before the training, so only other versions may have such a reason."""
    data_warnings: Sequence[str] = ()
    """What a person should know about the training data of such a version."""

    @property
    def imports_hash(self) -> str:
        """The hash of the imports, which is the first part of the digest, or "" without one."""
        return (self.digest or "").partition("-")[0]


LONG_AGO = datetime.min.replace(tzinfo=UTC)
NO_VERSION = SolutionVersion(
    arn="", is_running=False, is_active=False, created_at=LONG_AGO, ended_at=LONG_AGO
)
"""A placeholder for a missing version. It has no metrics, and is older than any other."""
