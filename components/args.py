"""What a retraining pipeline takes: frozen dataclasses, the rules they keep, the workflow's settings.

Field names are the stack's config keys in snake_case; `settings.py` reads the config into these
classes, and a host program builds them itself. ARNs and locations are Pulumi inputs: a value that
is still an output is checked once it is known, by the component.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Literal

import pulumi

ImportMode = Literal["FULL", "INCREMENTAL"]
TrainingMode = Literal["FULL", "UPDATE"]

HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class DatasetArgs:
    """One dataset of the group and the CSV export that fills it."""

    dataset_arn: pulumi.Input[str]
    data_location: pulumi.Input[str]
    """`s3://bucket/file.csv`, or a prefix ending in `/`: all files below it are imported."""
    import_mode: ImportMode = "FULL"
    """FULL replaces all bulk data of the dataset, INCREMENTAL appends to it."""


@dataclass(frozen=True, kw_only=True)
class DatasetsArgs:
    """The datasets to import before each training; at least one."""

    interactions: DatasetArgs | None = None
    items: DatasetArgs | None = None
    users: DatasetArgs | None = None
    actions: DatasetArgs | None = None
    action_interactions: DatasetArgs | None = None

    def configured(self) -> Iterator[tuple[str, DatasetArgs]]:
        """Give key (as in the stack's config) and dataset of each that is set, in a fixed order."""
        for each in fields(self):
            if (dataset := getattr(self, each.name)) is not None:
                yield camel_case(each.name), dataset


@dataclass(frozen=True, kw_only=True)
class CampaignArgs:
    """A campaign that serves the solution's newest version."""

    campaign_arn: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class SolutionArgs:
    """A solution to retrain, with the campaigns that shall serve its new version (may be none)."""

    solution_arn: pulumi.Input[str]
    training_mode: TrainingMode = "FULL"
    full_every: str | None = None
    """Beside UPDATE: how old the newest FULL version may grow, as '7 days' (the default there)."""
    campaigns: Sequence[CampaignArgs] = ()


@dataclass(frozen=True, kw_only=True)
class LimitsArgs:
    """How long each stage may take, in hours, counted from the job's own creation."""

    max_import_hours: float = 6
    max_training_hours: float = 24
    max_campaign_hours: float = 3


@dataclass(frozen=True, kw_only=True)
class RetrainingPipelineArgs:
    """Everything that one dataset group's pipeline is told."""

    datasets: DatasetsArgs
    solutions: Sequence[SolutionArgs]
    import_role_arn: pulumi.Input[str] | None = None
    """Role that Personalize assumes to read the exports; left out, the component creates one."""
    retraining_rate: str = "7 days"
    """`7 days`, `rate(...)` or `cron(...)`."""
    timezone: str = "UTC"
    paused: bool = False
    limits: LimitsArgs = field(default_factory=LimitsArgs)
    tags: Mapping[str, str] = MappingProxyType({})
    permissions_boundary_arn: pulumi.Input[str] | None = None
    log_retention_days: int = 90
    kms_key_arn: pulumi.Input[str] | None = None
    """Encrypts the logs and the dead-letter queue."""
    data_kms_key_arn: pulumi.Input[str] | None = None
    """Encrypts the exports; the created import role may decrypt with it."""

    @property
    def backstop_seconds(self) -> int:
        """Seconds after which the state machine itself gives up, should every deadline fail.

        The sum of the stages' deadlines (an import may wait for a slot as long as it may run),
        plus two hours.
        """
        limits = self.limits
        stages = 2 * limits.max_import_hours + limits.max_training_hours + limits.max_campaign_hours
        return round((stages + 2) * HOUR)
