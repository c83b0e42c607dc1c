"""What a retraining pipeline takes, as frozen dataclasses.

Field names are the stack's config keys in snake_case; `settings.py` reads the config into these
classes, and a host program builds them itself. ARNs and locations are Pulumi inputs.
`rules.py` judges them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

import pulumi

from .rules import metrics, rates

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ImportMode = Literal["FULL", "INCREMENTAL"]
TrainingMode = Literal["FULL", "UPDATE"]
AutoTraining = Literal["warn", "refuse"]

HOUR = 3600
FULL_EVERY = "7 days"
"""How old the newest FULL version may grow beside UPDATE: AWS advises a weekly FULL."""


@dataclass(frozen=True, kw_only=True)
class DatasetArgs:
    """One dataset of the group and the CSV export that fills it."""

    dataset_arn: pulumi.Input[str]
    """ARN of the dataset."""
    data_location: pulumi.Input[str]
    """`s3://bucket/file.csv`, or a prefix ending in `/`: all files below it are imported.

    `{date}` stands for the day of the run in UTC, as 2026-11-29; also in the ready marker.
    """
    import_mode: ImportMode = "FULL"
    """FULL replaces all bulk data of the dataset, INCREMENTAL appends to it."""
    min_relative_size: float = 0.5
    """A FULL import of less than this share of what was imported last is refused; 0: of nothing.

    Has no effect beside INCREMENTAL.
    """
    ready_marker: pulumi.Input[str] | None = None
    """An object that is written after the export, beside it: `s3://bucket/_SUCCESS`.

    The run is refused where it is missing or older than the last import.
    """


@dataclass(frozen=True, kw_only=True)
class DatasetsArgs:
    """The datasets to import before each training; at least one."""

    interactions: DatasetArgs | None = None
    """The dataset of type Interactions."""
    items: DatasetArgs | None = None
    """The dataset of type Items."""
    users: DatasetArgs | None = None
    """The dataset of type Users."""
    actions: DatasetArgs | None = None
    """The dataset of type Actions."""
    action_interactions: DatasetArgs | None = None
    """The dataset of type Action_Interactions."""

    def configured(self) -> Iterator[tuple[str, DatasetArgs]]:
        """Give key (as in the stack's config) and dataset of each that is set, in a fixed order."""
        for each in fields(self):
            if (dataset := getattr(self, each.name)) is not None:
                yield camel_case(each.name), dataset


@dataclass(frozen=True, kw_only=True)
class ProbeArgs:
    """What a campaign is asked after its update: by user, by item, or to rank a list for a user."""

    user_id: str | None = None
    """The user to ask for."""
    item_id: str | None = None
    """The item to ask for, with a recipe of related items."""
    input_list: Sequence[str] | None = None
    """Items to rank for the user; for a recipe of the PERSONALIZED_RANKING type."""
    min_results: int = 1
    """An answer with fewer is a bad one."""
    minutes: float = 10
    """How long it is asked, again and again."""


@dataclass(frozen=True, kw_only=True)
class CampaignArgs:
    """A campaign that serves the solution's newest version."""

    campaign_arn: pulumi.Input[str]
    """ARN of the campaign."""
    probe: ProbeArgs | None = None
    """Asked for a while after each update; bad answers move the campaign back."""


@dataclass(frozen=True, kw_only=True)
class QualityRuleArgs:
    """One offline metric that a new version has to keep up, compared with the live one's."""

    metric: str
    """As GetSolutionMetrics names it."""
    max_drop: float | None = None
    """Share of the live version's value that may be lost: 0.25 accepts a fall from 0.4 to 0.3."""
    minimum: float | None = None
    """The least value, whatever the live version's is."""


DEFAULT_GATE = (QualityRuleArgs(metric=metrics.NDCG_AT_10, max_drop=0.25),)
"""Metrics are measured on a random tenth of the users, so a small drop says nothing."""


@dataclass(frozen=True, kw_only=True)
class SolutionArgs:
    """A solution to retrain, with the campaigns that shall serve its new version (may be none)."""

    solution_arn: pulumi.Input[str]
    """ARN of the solution, not of one of its versions."""
    training_mode: TrainingMode = "FULL"
    """FULL trains a new model, UPDATE adds new items and interactions to the last model."""
    full_every: str | None = None
    """Beside UPDATE: how old the newest FULL version may grow, as '7 days' (the default there)."""
    campaigns: Sequence[CampaignArgs] = ()
    """The campaigns to update. A solution without campaigns is only trained."""
    quality_gate: Sequence[QualityRuleArgs] = DEFAULT_GATE
    """All rules have to hold, or the campaign keeps its version."""
    quality_gate_enabled: bool = True
    """False deploys every new version and ignores the rules."""


@dataclass(frozen=True, kw_only=True)
class LimitsArgs:
    """How long each stage may take, in hours from the job's own creation; how often one trains."""

    max_import_hours: float = 6
    """Hours for the import of a dataset."""
    max_training_hours: float = 24
    """Hours for the training of a solution version. A longer training is stopped."""
    max_campaign_hours: float = 3
    """Hours for the update of a campaign."""
    max_trainings_per_month: int = 0
    """Runs are skipped once a solution has this many new versions within 30 days. 0 is no limit."""


@dataclass(frozen=True, kw_only=True)
class RetrainingPipelineArgs:
    """Everything that one dataset group's pipeline is told."""

    datasets: DatasetsArgs
    """The datasets to import before each training."""
    solutions: Sequence[SolutionArgs]
    """The solutions to retrain. There must be at least one."""
    import_role_arn: pulumi.Input[str] | None = None
    """Role that Personalize assumes to read the exports; left out, the component creates one."""
    retraining_rate: str = "7 days"
    """`7 days`, `rate(...)` or `cron(...)`."""
    timezone: str = "UTC"
    """Of a cron; has no effect beside a rate, which counts from its deployment."""
    paused: bool = False
    """Deploy the schedule disabled."""
    skip_when_unchanged: bool = True
    """A run that could only train the same model again is skipped."""
    auto_training: AutoTraining = "warn"
    """What to do about a solution that also trains automatically."""
    limits: LimitsArgs = field(default_factory=LimitsArgs)
    """How long each stage may take, and how often a solution is trained."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Keys that begin with `retraining-` are the pipeline's own."""
    permissions_boundary_arn: pulumi.Input[str] | None = None
    """ARN of the IAM policy that bounds the permissions of every role that is created."""
    log_retention_days: int = 90
    """How many days CloudWatch Logs keeps the logs."""
    kms_key_arn: pulumi.Input[str] | None = None
    """Encrypts the logs and the dead-letter queue."""
    data_kms_key_arn: pulumi.Input[str] | None = None
    """Encrypts the exports; the created import role and plan_retraining may decrypt with it."""

    @property
    def schedule_expression(self) -> str:
        """The retraining rate as EventBridge Scheduler takes it."""
        return rates.expression(self.retraining_rate)

    @property
    def backstop_seconds(self) -> int:
        """Seconds after which the state machine itself gives up, should every deadline fail.

        The sum of the stages' deadlines, plus two hours. An import may wait for a slot, and an
        update for its campaign, as long as it may run; after a probe there may be a rollback.
        """
        limits = self.limits
        probes = [
            each.probe for solution in self.solutions for each in solution.campaigns if each.probe
        ]
        updates = 2 if probes else 1
        stages = (
            2 * limits.max_import_hours
            + limits.max_training_hours
            + 2 * updates * limits.max_campaign_hours
        )
        asking = max((each.minutes for each in probes), default=0) * 60
        return round((stages + 2) * HOUR + asking)


def camel_case(name: str) -> str:
    """Give a field's name as the stack's config and the Personalize API write it."""
    return re.sub("_([a-z])", lambda letter: letter[1].upper(), name)


Dataclass = TypeVar("Dataclass", bound="DataclassInstance")


def resolved(args: Dataclass) -> pulumi.Output[Dataclass]:
    """Give the same arguments with every input awaited: all ARNs and locations are strings.

    While one of them is unknown, as in a preview, so is the whole.
    """
    parts = {each.name: _resolved(getattr(args, each.name)) for each in fields(args)}
    return pulumi.Output.all(**parts).apply(lambda known: replace(args, **known))


def _resolved(value: object) -> pulumi.Input[object]:
    if is_dataclass(value) and not isinstance(value, type):
        return resolved(value)
    if isinstance(value, list | tuple):
        return pulumi.Output.from_input(tuple(map(_resolved, value)))
    return value
