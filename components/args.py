"""All settings of a pipeline, each defined once with its type, default, rule and explanation.

A field is named after its key in the stack's config, but in snake_case. `settings.py` turns a
config into these classes, while other programs create them directly. Rules that involve several
fields are in `rules/several_settings.py`. docs/configuration.md is generated from this module.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

from pulumi import Input

from .rules import arns, run_times
from .rules import single_settings as rules
from .rules.single_settings import ElementCount, NumberRange, positive_up_to

SECONDS_PER_HOUR = 3600
HOURS_PER_DAY = 24
DEFAULT_AUTO_TRAINING_DAYS = 7
"""How often Personalize trains automatically by default:
https://docs.aws.amazon.com/personalize/latest/dg/solution-config-auto-training.html"""
MODEL_AGE_FACTOR = 1.5
"""The alarm about a model's age allows for this multiple of the longest gap between two runs, so a
single late run doesn't set it off."""

MAX_BAKE_HOURS = 12
"""The longest bake."""

# At these limits, an execution's state stays within the 256 KiB that AWS allows
# (tests/workflow/test_sizes.py measures it):
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MAX_SOLUTIONS = 10
"""The most solutions in a pipeline."""
MAX_CAMPAIGNS = 5
"""The most campaigns for a solution."""
MAX_GATE_RULES = 5
"""The most rules in a solution's quality gate."""
MAX_BATCH_JOBS = 5
"""The most batch jobs for a solution."""
MAX_TAGS = 30
"""The most tags on a pipeline."""


@dataclass(frozen=True, kw_only=True)
class DatasetArgs:
    """A dataset and the CSV export that fills it."""

    dataset_arn: Annotated[Input[str], arns.DATASET]
    """ARN of the dataset to fill."""
    data_location: Annotated[Input[str], rules.EXPORT_LOCATION]
    """`s3://bucket/file.csv`, or a folder that ends in `/`, whose files are imported.

    Files in subfolders are refused. The files must be plain CSV in UTF-8. Each dataset needs a
    separate location. `{date}` stands for the day of the run in UTC, for example 2026-11-29.
    """
    import_mode: Literal["FULL", "INCREMENTAL"] = "FULL"
    """`FULL` replaces all bulk data in the dataset. `INCREMENTAL` adds to it.

    `INCREMENTAL` needs a `FULL` import first. An export of interactions needs at least 1,000 rows,
    and so does an `INCREMENTAL` export of action interactions.
    """
    min_relative_size: Annotated[float, NumberRange(0, 1, "write a share, for example 0.5")] = 0.5
    """A `FULL` export is refused if it is smaller than this share of the last `FULL` import.

    Sizes are compared in bytes. 0 accepts every export. Has no effect with `INCREMENTAL`.
    """
    ready_marker: Annotated[Input[str] | None, rules.find_marker_error] = None
    """`s3://bucket/file`, which the export job writes last, outside the data location.

    A run is refused if this object is missing or older than any object in the export. May contain
    `{date}`.
    """
    streamed: bool = False
    """`true` if records also reach the dataset through the API, for example with PutItems.

    Solutions are then retrained even if no export has changed. Event trackers are detected without
    this setting.
    """
    max_event_age: Annotated[str | None, run_times.find_age_error] = None
    """An export is refused if its newest event is older, for example `3 days` or `36 hours`."""
    publish_attribution_metrics_to_s3: bool = False
    """`true` makes each import publish its metric attributions to S3.

    The dataset group needs a metric attribution with an S3 path.
    """
    strict_events: bool = False
    """`true` refuses an export that lacks one of the last import's five most common event types.

    For this, a run reads every row of exports of up to 8 MB and 500 files. It warns if it has
    nothing to compare.
    """


@dataclass(frozen=True, kw_only=True)
class DatasetsArgs:
    """The datasets to import before each training.

    There must be at least one, unless Personalize trains every solution.
    """

    interactions: DatasetArgs | None = None
    """The dataset of type Interactions: who did what, and when."""
    items: DatasetArgs | None = None
    """The dataset of type Items: the catalog."""
    users: DatasetArgs | None = None
    """The dataset of type Users."""
    actions: DatasetArgs | None = None
    """The dataset of type Actions, for next best actions: what can be offered."""
    action_interactions: DatasetArgs | None = None
    """The dataset of type Action_Interactions, for next best actions: what was accepted."""

    def configured(self) -> dict[str, DatasetArgs]:
        """Map the config key of each dataset that is set to its arguments."""
        datasets = {}
        for field_ in fields(self):
            dataset = getattr(self, field_.name)
            if dataset is not None:
                datasets[to_camel_case(field_.name)] = dataset
        return datasets


@dataclass(frozen=True, kw_only=True)
class ProbeArgs:
    """A request to a campaign after its update: by user, by item, or to rank items for a user.

    The recipe determines which IDs it needs. Popular items need none.
    """

    user_id: Annotated[str | None, rules.find_id_error] = None
    """The user to request recommendations for. Popular and related items need one for a filter."""
    item_id: Annotated[str | None, rules.find_id_error] = None
    """The item to request related items for."""
    input_list: Annotated[
        Sequence[Annotated[str, rules.find_id_error]] | None,
        ElementCount(1, rules.MAX_RESULTS, "list 1 to 500 items"),
    ] = None
    """Items to rank for the user, for a recipe of the type PERSONALIZED_RANKING.

    The text in all probes, bakes, baselines and batch jobs may total 5,000 characters.
    """
    filter_arn: Annotated[Input[str] | None, arns.FILTER] = None
    """ARN of the filter that the application uses."""
    filter_values: Annotated[Mapping[str, str], rules.find_filter_values_error] = field(
        default_factory=dict
    )
    """The filter's parameters. Put strings in double quotes: `{GENRE: '"Drama","Comedy"'}`."""
    context: Annotated[Mapping[str, str], rules.find_parameters_error] = field(default_factory=dict)
    """The context of the request, for example `{DEVICE: mobile}`."""
    min_results: Annotated[int, NumberRange(1, rules.MAX_RESULTS, "set for example 10")] = 1
    """A response with fewer results fails the probe."""
    minutes: Annotated[
        float,
        positive_up_to(240, "set for example 10, because an alarm reports a trial of 5 hours"),
    ] = 10
    """How many minutes to keep repeating the request."""


@dataclass(frozen=True, kw_only=True)
class BakeArgs:
    """Alarms that can roll a new version back in the hours after an update."""

    hours: Annotated[
        float, positive_up_to(MAX_BAKE_HOURS, "set for example 1, because the run waits for it")
    ]
    """How many hours the bake lasts: at most half the time between two runs.

    If Personalize trains every solution, runs may start more often.
    """
    alarms: Annotated[
        Sequence[Annotated[Input[str], arns.ALARM]],
        ElementCount(0, 10, "keep at most 10 alarms, or combine them in a composite alarm"),
    ] = ()
    """ARNs of CloudWatch alarms. An alarm that went off before the update does not count."""
    create_alarms: bool = False
    """`true` creates three alarms for the campaign: on its 4xx errors, 5xx errors and latency.

    Each goes off after two 5-minute periods in a row with at least 10 errors, or with a mean
    latency of 1 second. They watch GetPersonalizedRanking if the probe has an `inputList`,
    otherwise GetRecommendations. A run is refused if the recipe needs another operation.
    """


@dataclass(frozen=True, kw_only=True)
class CampaignArgs:
    """A campaign that serves the newest version of the solution."""

    campaign_arn: Annotated[Input[str], arns.CAMPAIGN]
    """ARN of the campaign to update.

    Remove a campaign only while no version is on trial there. No later run would finish the trial.
    """
    probe: ProbeArgs | None = None
    """A request that is sent after each update. If it fails, the campaign is rolled back."""
    bake: BakeArgs | None = None
    """Alarms that watch a new version for some hours, in addition to the probe."""


@dataclass(frozen=True, kw_only=True)
class QualityRuleArgs:
    """A rule for one offline metric of a new version: `maxDrop`, `minimum` or both."""

    metric: Annotated[str, rules.find_metric_error]
    """The name of the metric in GetSolutionMetrics, for example `coverage`."""
    max_drop: Annotated[float | None, NumberRange(0, 1, "write a share, for example 0.25")] = None
    """The largest accepted drop, as a share of the live version's value.

    0.25 accepts a drop from 0.4 to 0.3. A version that lacks a metric of the live version is
    rejected.
    """
    minimum: Annotated[
        float | None, positive_up_to(1, "set for example 0.1, because metrics are shares")
    ] = None
    """The lowest value that passes. The value of the live version does not matter."""
    relative_to: Annotated[Input[str] | None, arns.SOLUTION] = None
    """ARN of another solution of this stack, whose versions are the baselines of `maxDrop`.

    Each value is then divided by the value of the baseline trained on the same imports, so no
    version is rejected for data that is harder for every model. AWS recommends
    aws-popularity-count.
    """
    max_baseline_drop: Annotated[
        float | None, NumberRange(0, 1, "write a share, for example 0.5")
    ] = None
    """The largest accepted drop of a baseline, as a share of the live version's baseline.

    The default is 0.5. If the baseline drops further, the exports are probably broken, so the plain
    values are compared.
    """


DEFAULT_GATE = (QualityRuleArgs(metric=rules.NDCG_AT_10, max_drop=0.25),)
"""The quality gate of a solution without its own.

Personalize measures metrics on a random tenth of the users, so a smaller drop can be chance.
"""


@dataclass(frozen=True, kw_only=True)
class ApprovalArgs:
    """A person must approve each new version before the solution's campaigns move to it."""

    timeout_hours: Annotated[
        float,
        positive_up_to(24 * 90, "set for example 72, because it is better to train again later"),
    ] = 72
    """How many hours a version can be approved after the last request."""


@dataclass(frozen=True, kw_only=True)
class BatchJobArgs:
    """A job that writes recommendations to S3, or user segments if the recipe makes them."""

    input: Annotated[Input[str], rules.BATCH_INPUT]
    """`s3://bucket/users.json`, or a folder that ends in `/`. May contain `{date}`.

    Each line is a JSON object, for example `{"userId": "105"}`. Personalize reads every S3 object
    with this prefix.
    """
    output: Annotated[Input[str], rules.BATCH_OUTPUT]
    """`s3://bucket/recommendations/{date}/`, the folder for the results. `{date}` is optional.

    Without `{date}`, each job replaces the previous results.
    """
    num_results: Annotated[int | None, NumberRange(1, 5_000_000, "set for example 25")] = None
    """How many items to recommend, or how many users a segment gets. AWS's default is 25."""
    filter_arn: Annotated[Input[str] | None, arns.FILTER] = None
    """ARN of a filter. If it has parameters, each input line needs `filterValues`."""
    kms_key_arn: Annotated[Input[str] | None, arns.KMS_KEY] = None
    """ARN of the KMS key that encrypts the input and the results, if not `dataKmsKeyArn`."""
    themes: str | None = None
    """The column with item names, for example `TITLE`. If set, each list of similar items gets a
    theme.

    Needs the recipe aws-similar-items and costs extra.
    """
    exploration_weight: Annotated[
        float | None, NumberRange(0, 1, "write a share, for example 0.3")
    ] = None
    """How much the recipe aws-user-personalization explores new items. AWS's default is 0.3.

    The recipe aws-user-personalization-v2 decides that itself.
    """
    exploration_item_age_cut_off: Annotated[
        float | None, NumberRange(1, 3650, "set days, for example 30")
    ] = None
    """The age in days up to which an item counts as new. AWS's default is 30."""
    on_rejected: Literal["skip", "live"] = "skip"
    """If the newest version has not passed, `live` uses the live one, and `skip` skips the job."""
    max_hours: Annotated[
        float, positive_up_to(96, "set for example 12, because a batch job takes minutes to hours")
    ] = 12
    """Hours for the job. A longer job fails the run but keeps running: it cannot be stopped."""


@dataclass(frozen=True, kw_only=True)
class SolutionArgs:
    """A solution to retrain, with the campaigns that serve its new version."""

    solution_arn: Annotated[Input[str], arns.SOLUTION]
    """ARN of the solution to retrain, not of one of its versions."""
    trained_by: Literal["pipeline", "personalize"] = "pipeline"
    """`personalize` leaves trainings to automatic training: runs only judge and deploy.

    Runs then deploy the newest version of the solution, whoever trained it, unless it was trained
    on data that no run has confirmed. Automatic training must be on.
    """
    training_mode: Literal["FULL", "UPDATE"] = "FULL"
    """`FULL` trains a new model. `UPDATE` adds new items and interactions to the existing model.

    With `UPDATE`, a training is still `FULL` once a week, as AWS advises, and after a version was
    rejected, rolled back or refused. The recipes aws-user-personalization and aws-hrnn-coldstart
    support `UPDATE`.
    """
    campaigns: Annotated[
        Sequence[CampaignArgs],
        ElementCount(
            0,
            MAX_CAMPAIGNS,
            f"keep at most {MAX_CAMPAIGNS} campaigns, and use another stack for more",
        ),
    ] = ()
    """The campaigns to update. A solution without campaigns is only trained."""
    quality_gate: Annotated[
        Sequence[QualityRuleArgs],
        ElementCount(0, MAX_GATE_RULES, f"keep at most {MAX_GATE_RULES} rules"),
    ] = DEFAULT_GATE
    """The rules that a new version must pass before a campaign moves to it."""
    quality_gate_enabled: bool = True
    """`false` deploys every new version and ignores the rules."""
    approval: ApprovalArgs | None = None
    """If set, even to `{}`, a person must approve each version that passes the gate."""
    batch_jobs: Annotated[
        Sequence[BatchJobArgs],
        ElementCount(0, MAX_BATCH_JOBS, f"keep at most {MAX_BATCH_JOBS} batch jobs"),
    ] = ()
    """The recommendations or user segments to write to S3 once the campaigns are updated."""


@dataclass(frozen=True, kw_only=True)
class NotificationsArgs:
    """Who gets run reports and alarms through Amazon SNS."""

    emails: Sequence[Annotated[str, rules.find_email_error]] = ()
    """The email addresses that get each message. AWS asks each one to confirm."""
    topic_arn: Annotated[Input[str] | None, arns.TOPIC] = None
    """ARN of the SNS topic to publish to. Without it, the pipeline creates a topic.

    The topic's policy must let `cloudwatch.amazonaws.com` publish the alarms.
    """
    on: Literal["always", "problems"] = "always"
    """Which runs send a message: `always` is all runs, `problems` only runs that need a person."""


@dataclass(frozen=True, kw_only=True)
class TriggerArgs:
    """What starts a run besides the schedule."""

    on_export: bool = False
    """`true` also starts a run when all of a day's ready markers are written.

    Each ready marker must then contain `{date}`, and `limits.maxTrainingsPerMonth` is required. The
    bucket must send its events to EventBridge.
    """


@dataclass(frozen=True, kw_only=True)
class LimitsArgs:
    """How long each stage may take, how often a run may train, and how old a model may get."""

    max_import_hours: Annotated[
        float, positive_up_to(72, "set for example 6, because an import takes minutes to hours")
    ] = 6
    """Hours to import a dataset. A longer import fails the run."""
    max_training_hours: Annotated[
        float, positive_up_to(4000, "set for example 24, because an execution ends after a year")
    ] = 24
    """Hours to train a solution version. A longer training is stopped."""
    max_campaign_hours: Annotated[
        float, positive_up_to(12, "set for example 3, because an update takes minutes")
    ] = 3
    """Hours to update a campaign."""
    max_trainings_per_month: Annotated[
        int | None, NumberRange(0, 10_000, "set for example 35, or 0 for no limit")
    ] = None
    """How often a solution may be trained within 30 days. 0 means no limit.

    The default is twice the number of times that the schedule fires within 30 days, plus 2.
    """
    max_model_age_days: Annotated[
        float | None, positive_up_to(3650, "set days, for example 14")
    ] = None
    """How many days old a campaign's model may get before an alarm goes off.

    The age counts from the training, or from the last run that found the model up to date. The
    default is 1.5 times the longest gap in the schedule, plus `maxTrainingHours`. If Personalize
    trains a solution, 7 days are added to the gap, because a version waits for the next run.
    """


@dataclass(frozen=True, kw_only=True)
class RetrainingPipelineArgs:
    """The arguments of a pipeline, which retrains one dataset group."""

    datasets: DatasetsArgs = field(default_factory=DatasetsArgs)
    """The datasets to import before each training.

    There must be at least one, unless Personalize trains every solution.
    """
    solutions: Annotated[
        Sequence[SolutionArgs],
        ElementCount(
            0,
            MAX_SOLUTIONS,
            f"list at most {MAX_SOLUTIONS}, or [] for none, and use another stack for more",
        ),
    ]
    """The solutions to retrain, in parallel. With `[]` a run only imports.

    `[]` is for the recommenders of a Domain dataset group, which Personalize retrains itself.
    """
    import_role_arn: Annotated[Input[str] | None, arns.ROLE] = None
    """ARN of the role that Personalize assumes to read the exports.

    Without it, the pipeline creates a role that may read only the configured exports.
    """
    batch_role_arn: Annotated[Input[str] | None, arns.ROLE] = None
    """ARN of the role that Personalize assumes to read the inputs of batch jobs and write results.

    Without it, a pipeline with batch jobs creates a role that may read only the configured inputs
    and write only to the configured outputs.
    """
    retraining_rate: Annotated[str, run_times.find_rate_error] = "7 days"
    """`7 days`, `rate(12 hours)` or `cron(0 3 ? * MON *)`, and at most once an hour."""
    timezone: Annotated[str, run_times.find_timezone_error] = "UTC"
    """The IANA time zone of a cron expression. A rate counts from the deployment and needs none.

    When the clocks go forward, a run in the skipped hour is left out.
    """
    paused: bool = False
    """`true` deploys the schedule disabled. Runs can still be started by hand."""
    skip_when_unchanged: bool = True
    """`true` skips a run that could only train the same model again."""
    auto_training: Literal["warn", "refuse"] = "warn"
    """What to do if runs train a solution that also trains automatically: `warn` or `refuse`.

    Only automatic training optimizes the hyperparameters of the v2 recipes. See `trainedBy`.
    """
    limits: LimitsArgs = field(default_factory=LimitsArgs)
    """How long each stage may take, and how often a solution may be trained."""
    notifications: NotificationsArgs = field(default_factory=NotificationsArgs)
    """Who gets run reports and alarms."""
    trigger: TriggerArgs = field(default_factory=TriggerArgs)
    """What starts a run besides the schedule."""
    training_hour_price: Annotated[
        float | None, NumberRange(0, 1_000, "set a price in dollars, for example 0.24")
    ] = None
    """The price of a training hour in dollars. With it, reports and `retrain plan` show costs."""
    tags: Annotated[
        Mapping[str, str], ElementCount(0, MAX_TAGS, f"keep at most {MAX_TAGS} tags")
    ] = field(default_factory=dict)
    """Tags for every resource, import job and solution version.

    Keys that begin with `retraining-` are reserved. `aws:defaultTags` would not reach import jobs
    and solution versions.
    """
    permissions_boundary_arn: Annotated[Input[str] | None, arns.POLICY] = None
    """ARN of the IAM policy to set as the permissions boundary of every created role."""
    log_retention_days: Annotated[int, rules.find_retention_error] = 90
    """How many days CloudWatch Logs keeps the logs. It accepts 30, 90, 365 and a few others."""
    kms_key_arn: Annotated[Input[str] | None, arns.KMS_KEY] = None
    """ARN of the KMS key that encrypts the logs, the topic and the dead-letter queue."""
    data_kms_key_arn: Annotated[Input[str] | None, arns.KMS_KEY] = None
    """ARN of the KMS key that encrypts the exports, and the inputs and results of batch jobs.

    The created roles may use it, and the functions that read these files may decrypt with it.
    """

    @property
    def first_arn(self) -> arns.Arn:
        """The ARN of the first dataset or solution, which shows the region and the account."""
        dataset_arns = [dataset.dataset_arn for dataset in self.datasets.configured().values()]
        solution_arns = [solution.solution_arn for solution in self.solutions]
        first_arn = arns.parse_arn(str([*dataset_arns, *solution_arns][0]))
        assert first_arn is not None, "check_args() has found that it is an ARN"
        return first_arn

    @property
    def trains_nothing(self) -> bool:
        """True if Personalize trains all solutions, so that runs only deploy."""
        trained_by = {solution.trained_by for solution in self.solutions}
        return trained_by == {"personalize"}

    @property
    def schedule_expression(self) -> str:
        """The retraining rate in EventBridge Scheduler's syntax."""
        rate = self.retraining_rate
        if "(" in rate:
            return rate
        return f"rate({rate})"

    @property
    def max_trainings_per_month(self) -> int:
        """How often a solution may be trained within 30 days, or 0 for no limit.

        By default, people may start as many runs as the schedule does, plus two.
        """
        limit = self.limits.max_trainings_per_month
        if limit is not None:
            return limit
        return 2 * run_times.count_most_runs_in_30_days(self.retraining_rate) + 2

    @property
    def max_model_age_days(self) -> float:
        """The age in days at which the alarm about a model goes off."""
        if self.limits.max_model_age_days is not None:
            return self.limits.max_model_age_days

        gap_seconds = run_times.find_longest_interval_seconds(self.retraining_rate)
        gap_hours = gap_seconds / SECONDS_PER_HOUR
        if any(solution.trained_by == "personalize" for solution in self.solutions):
            # Personalize trains every 7 days by default, and the version waits for the next run.
            gap_hours += DEFAULT_AUTO_TRAINING_DAYS * HOURS_PER_DAY
        max_age_hours = gap_hours * MODEL_AGE_FACTOR + self.limits.max_training_hours
        return round(max_age_hours / HOURS_PER_DAY, 2)


def to_camel_case(name: str) -> str:
    """Turn a field name into its config key, for example `data_location` into `dataLocation`."""
    return re.sub("_([a-z])", lambda letter: letter[1].upper(), name)


def list_config_keys(cls: Any) -> list[str]:  # noqa: ANN401 - a dataclass
    """Return the config keys of a dataclass's fields, in order."""
    return [to_camel_case(field_.name) for field_ in fields(cls)]


def parse_attribute_docstrings(cls: type) -> dict[str, str]:
    """Parse a class's attribute docstrings from its source, because Python discards them."""
    source = textwrap.dedent(inspect.getsource(cls))
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.ClassDef)

    docstrings = {}
    # An attribute's docstring is the string after the attribute.
    for pair in pairwise(definition.body):
        match pair:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                docstrings[name] = inspect.cleandoc(text)
    return docstrings


def to_config(value: Any, *, keep_none: bool = True) -> Any:  # noqa: ANN401 - JSON
    """Convert arguments into config, with camelCase keys. Outputs stay outputs.

    With `keep_none=False`, arguments that are None are left out, as if they weren't set.
    """
    if is_dataclass(value):
        config = {}
        for field_ in fields(value):
            argument = getattr(value, field_.name)
            if keep_none or argument is not None:
                config[to_camel_case(field_.name)] = to_config(argument, keep_none=keep_none)
        return config

    if isinstance(value, list | tuple):
        return [to_config(element, keep_none=keep_none) for element in value]
    return value
