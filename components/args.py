"""What a retraining pipeline takes: frozen dataclasses, their rules, the workflow's settings.

Field names are the stack's config keys in snake_case; `settings.py` reads the config into these
classes, and a host program builds them itself. ARNs and locations are Pulumi inputs: a value that
is still an output is passed over here and judged once it is known, by the component.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import pulumi

from . import arns, rates, values
from .values import Problem

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ImportMode = Literal["FULL", "INCREMENTAL"]
TrainingMode = Literal["FULL", "UPDATE"]

HOUR = 3600
FULL_EVERY = "7 days"
"""How old the newest FULL version may grow beside UPDATE: AWS advises a weekly FULL."""
LONGEST: Mapping[str, tuple[float, str]] = {
    "max_import_hours": (72, "an import takes minutes to hours, so one as long as that is stuck"),
    "max_training_hours": (8500, "a state machine ends after a year, with all its stages"),
    "max_campaign_hours": (24, "an update takes minutes, so one as long as that is stuck"),
}
"""Per limit, the longest deadline in hours, and why."""


@dataclass(frozen=True, kw_only=True)
class DatasetArgs:
    """One dataset of the group and the CSV export that fills it."""

    dataset_arn: pulumi.Input[str]
    data_location: pulumi.Input[str]
    """`s3://bucket/file.csv`, or a prefix ending in `/`: all files below it are imported."""
    import_mode: ImportMode = "FULL"
    """FULL replaces all bulk data of the dataset, INCREMENTAL appends to it."""
    min_relative_size: float = 0.5
    """A FULL import of less than this share of what was imported last is refused."""
    ready_marker: pulumi.Input[str] | None = None
    """An object that is written after the export, beside it: `s3://bucket/_SUCCESS`."""


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
class ProbeArgs:
    """What a campaign is asked after its update: for a user, an item, or a list to rank."""

    user_id: str | None = None
    item_id: str | None = None
    input_list: Sequence[str] | None = None
    """Items to rank for the user; for a recipe of the PERSONALIZED_RANKING type."""
    min_results: int = 1
    minutes: float = 10


@dataclass(frozen=True, kw_only=True)
class CampaignArgs:
    """A campaign that serves the solution's newest version."""

    campaign_arn: pulumi.Input[str]
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


NDCG = "normalized_discounted_cumulative_gain_at_10"


@dataclass(frozen=True, kw_only=True)
class SolutionArgs:
    """A solution to retrain, with the campaigns that shall serve its new version (may be none)."""

    solution_arn: pulumi.Input[str]
    training_mode: TrainingMode = "FULL"
    full_every: str | None = None
    """Beside UPDATE: how old the newest FULL version may grow, as '7 days' (the default there)."""
    campaigns: Sequence[CampaignArgs] = ()
    quality_gate: Sequence[QualityRuleArgs] | Literal[False] = (
        QualityRuleArgs(metric=NDCG, max_drop=0.25),
    )
    """All rules have to hold, or the campaign keeps its version; False turns the gate off."""


@dataclass(frozen=True, kw_only=True)
class LimitsArgs:
    """How long each stage may take, in hours, counted from the job's own creation."""

    max_import_hours: float = 6
    max_training_hours: float = 24
    max_campaign_hours: float = 3
    max_trainings_per_month: int | None = None
    """Versions of a solution, by whoever, within 30 days; further runs are skipped."""


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
    skip_when_unchanged: bool = True
    """A run that could only train the same model again is skipped."""
    auto_training: Literal["warn", "refuse"] = "warn"
    """What to do about a solution that also trains automatically."""
    limits: LimitsArgs = field(default_factory=LimitsArgs)
    tags: Mapping[str, str] = field(default_factory=dict)
    permissions_boundary_arn: pulumi.Input[str] | None = None
    log_retention_days: int = 90
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

        The sum of the stages' deadlines, plus two hours. An import may wait for a slot as long as
        it may run, and an update as long for a campaign that somebody else is updating.
        """
        limits = self.limits
        twice = limits.max_import_hours + limits.max_campaign_hours
        return round((2 * twice + limits.max_training_hours + 2) * HOUR)


def camel_case(name: str) -> str:
    """Give a field's name as the stack's config and the Personalize API write it."""
    return re.sub("_([a-z])", lambda letter: letter[1].upper(), name)


def problems(args: RetrainingPipelineArgs, *, region: str | None = None) -> list[Problem]:
    """Give everything that is wrong with the arguments, in the order of their keys.

    `region` is the stack's, where known. Inputs that are still outputs are passed over: judge
    them with `resolved()`. Nothing asks AWS.
    """
    found = [
        *(Problem(key, value, message) for key, value, message in _judgements(args) if message),
        *arns.problems(_arns(args), region=region),
    ]
    return sorted(found, key=lambda problem: problem.key)


def warnings(args: RetrainingPipelineArgs, *, today: date) -> list[Problem]:
    """Give what will work, but not as one may think; the arguments have no problems."""
    local = rates.skipped(args.retraining_rate, args.timezone, today=today)
    if local is None:
        return []
    message = (
        f"will not run on {local:%Y-%m-%d}, when daylight saving in {args.timezone} skips "
        f"{local:%H:%M}; choose an hour that every day has"
    )
    return [Problem("retrainingRate", args.retraining_rate, message)]


def document(
    args: RetrainingPipelineArgs,
    *,
    job_prefix: pulumi.Input[str],
    import_role_arn: pulumi.Input[str],
) -> dict[str, object]:
    """Give the settings that the workflow's first state holds (`functions/documents.py`).

    `job_prefix` begins the name of every job. Values may be outputs: serialise the document with
    `pulumi.Output.json_dumps`.
    """
    return {
        "prefix": job_prefix,
        "importRoleArn": import_role_arn,
        "datasets": [
            {
                "type": key,
                "datasetArn": dataset.dataset_arn,
                "dataLocation": dataset.data_location,
                "importMode": dataset.import_mode,
                "minRelativeSize": dataset.min_relative_size,
                "readyMarker": dataset.ready_marker,
            }
            for key, dataset in args.datasets.configured()
        ],
        "solutions": [
            {
                "solutionArn": solution.solution_arn,
                "trainingMode": solution.training_mode,
                **_full_every(solution),
                "qualityGate": [_given(rule) for rule in solution.quality_gate or ()],
                "campaigns": [
                    {
                        "campaignArn": each.campaign_arn,
                        "probe": _given(each.probe) if each.probe else None,
                    }
                    for each in solution.campaigns
                ],
            }
            for solution in args.solutions
        ],
        "limits": {
            camel_case(each.name): getattr(args.limits, each.name) for each in fields(args.limits)
        },
        "skipWhenUnchanged": args.skip_when_unchanged,
        "autoTraining": args.auto_training,
        "tags": dict(args.tags),
    }


def _given(part: "DataclassInstance") -> dict[str, object]:
    """Give the fields that are set, by the names of the config."""
    found = {camel_case(each.name): getattr(part, each.name) for each in fields(part)}
    return {key: value for key, value in found.items() if value is not None}


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


def _full_every(solution: SolutionArgs) -> dict[str, int]:
    if solution.training_mode != "UPDATE":
        return {}
    days = rates.days(solution.full_every or FULL_EVERY)
    assert days is not None, "problems() has found nothing wrong with it"
    return {"fullEveryDays": days}


def _judgements(args: RetrainingPipelineArgs) -> Iterator[tuple[str, object, str | None]]:
    """Give each setting that is judged by itself: key, value, and what is wrong, if anything."""
    if not list(args.datasets.configured()):
        keys = ", ".join(camel_case(each.name) for each in fields(args.datasets))
        yield "datasets", None, f"missing; at least one of {keys}"
    for key, dataset in args.datasets.configured():
        at, location = f"datasets.{key}", dataset.data_location
        if isinstance(location, str):
            example = f"s3://bucket/{key}.csv"
            message = values.location_problem(location, example)
            yield f"{at}.dataLocation", location or None, message
        mode = dataset.import_mode
        yield f"{at}.importMode", mode, values.choice_problem(mode, get_args(ImportMode))
    if not args.solutions:
        yield "solutions", None, "missing; at least one, each with its solutionArn"
    for index, solution in enumerate(args.solutions):
        at, trained = f"solutions[{index}]", solution.training_mode
        yield f"{at}.trainingMode", trained, values.choice_problem(trained, get_args(TrainingMode))
        yield f"{at}.fullEvery", solution.full_every, _full_every_problem(solution)
    yield "retrainingRate", args.retraining_rate, rates.problem(args.retraining_rate)
    yield "timezone", args.timezone, rates.zone_problem(args.timezone)
    for name, (most, reason) in LONGEST.items():
        hours = getattr(args.limits, name)
        yield f"limits.{camel_case(name)}", hours, values.hours_problem(hours, most, reason)
    retention = args.log_retention_days
    yield "logRetentionDays", retention, values.retention_problem(retention)
    if len(args.tags) > values.MAX_TAGS:
        yield "tags", None, f"{len(args.tags)} tags; at most {values.MAX_TAGS}"
    for name, value, message in values.tag_problems(args.tags):
        yield f"tags.{name}", value, message


def _full_every_problem(solution: SolutionArgs) -> str | None:
    if solution.full_every is None:
        return None
    if rates.days(solution.full_every) is None:
        return f"is no number of days; expected one like '{FULL_EVERY}'"
    if solution.training_mode == "FULL":
        return "says when an UPDATE gives way to a FULL training; leave it out beside FULL"
    return None


def _arns(args: RetrainingPipelineArgs) -> Iterator[arns.Named]:
    """Give every ARN that is a string by now."""
    for key, value, kind, wanted in _arn_settings(args):
        if isinstance(value, str):
            yield arns.Named(key, value, kind, wanted)


def _arn_settings(
    args: RetrainingPipelineArgs,
) -> Iterator[tuple[str, pulumi.Input[str] | None, arns.Kind, str]]:
    for key, dataset in args.datasets.configured():
        at = f"datasets.{key}.datasetArn"
        yield at, dataset.dataset_arn, arns.dataset(key), "missing; the dataset to fill"
    for index, solution in enumerate(args.solutions):
        at = f"solutions[{index}]"
        wanted = "missing; the solution to retrain"
        yield f"{at}.solutionArn", solution.solution_arn, arns.SOLUTION, wanted
        for number, campaign in enumerate(solution.campaigns):
            key = f"{at}.campaigns[{number}].campaignArn"
            yield key, campaign.campaign_arn, arns.CAMPAIGN, "missing; the campaign to update"
    for name, kind in (
        ("import_role_arn", arns.ROLE),
        ("permissions_boundary_arn", arns.POLICY),
        ("kms_key_arn", arns.KEY),
        ("data_kms_key_arn", arns.KEY),
    ):
        wanted = f"empty; leave it out or name a {kind.noun}"
        yield camel_case(name), getattr(args, name), kind, wanted
