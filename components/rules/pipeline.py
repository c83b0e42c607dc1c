"""Checks all arguments of a pipeline, and warns about some that are allowed."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple, get_args

import pulumi

from ..args import (
    DEFAULT_FULL_EVERY,
    DEFAULT_GATE,
    AutoTraining,
    DatasetsArgs,
    LimitsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    TrainingMode,
    camel_case,
    config_keys,
)
from . import arns, locations, metrics, operation, rates, values
from .reading import Reader
from .values import Check, Problem


class LongestDeadline(NamedTuple):
    """The longest deadline that a stage may have."""

    hours: float
    reason: str


LONGEST_DEADLINES: Mapping[str, LongestDeadline] = {
    "max_import_hours": LongestDeadline(
        72, "an import takes minutes to hours, and a longer import is stuck"
    ),
    "max_training_hours": LongestDeadline(
        4000, "an execution with all its stages ends after a year"
    ),
    "max_campaign_hours": LongestDeadline(
        24, "an update takes minutes, and a longer update is stuck"
    ),
}
"""Field of LimitsArgs to its largest value."""
MAX_RESULTS = 500
"""The most results that GetRecommendations returns, and the most items that GetPersonalizedRanking
accepts. The numbers are in the models of their requests."""
MAX_SOLUTIONS, MAX_CAMPAIGNS, MAX_GATE_RULES = 10, 5, 5
"""The most solutions of a pipeline, campaigns of a solution, and rules of a quality gate. The state
of an execution with all of them has at most 256 KiB, as AWS requires (tests/workflow/test_sizes.py
measures it):
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""
MAX_PROBE_CHARACTERS = 5_000
"""The most characters of the ids in all probes together. The state of an execution contains the
probes three times."""
OTHER_STACK = "give the others a stack of their own"
"""The way out if there are too many solutions or campaigns."""
MAX_PROBE_MINUTES = 24 * 60
"""A probe of several days would hide that the run is stuck."""


def problems(
    args: RetrainingPipelineArgs, *, region: str | None = None, today: date | None = None
) -> list[Problem]:
    """Return all problems of the arguments, in the order of their keys.

    `region` is the region of the stack. Without `today`, a cron whose years are in the past is no
    problem. Inputs that are not known yet are not checked: to check them, pass the result of
    `resolved()`. Nothing calls AWS.
    """
    reader = Reader()
    readable = reader.read(RetrainingPipelineArgs, args, "")
    failed_checks = (check for check in _checks(readable, today) if check.error)
    rule_problems = [
        *(Problem(check.key, str(check.error), check.value) for check in failed_checks),
        *arns.problems(_arn_settings(readable), region=region),
    ]
    # A setting that could not be read was checked as missing, so its other problems are wrong.
    unread_keys = [problem.key for problem in reader.unread]
    problems_of_read_values = [
        problem
        for problem in rule_problems
        if not any(values.keys_overlap(problem.key, key) for key in unread_keys)
    ]
    return sorted([*reader.unread, *problems_of_read_values], key=lambda problem: problem.key)


def warnings(args: RetrainingPipelineArgs, *, today: date) -> list[Problem]:
    """Return a warning for each setting that works, but perhaps not as the user intends.

    The arguments must have no problems.
    """
    return [
        *locations.incremental_warnings(args.datasets),
        *_skipped_time_warnings(args, today),
        *_timezone_warnings(args),
        *_gate_warnings(args),
        *operation.warnings(args),
    ]


def regions(args: RetrainingPipelineArgs) -> set[str]:
    """Return the regions of the ARNs whose values are known."""
    parsed = (arns.parse_arn(setting.text) for setting in _arn_settings(args))
    return {arn.region for arn in parsed if arn and arn.region}


def _skipped_time_warnings(args: RetrainingPipelineArgs, today: date) -> Iterator[Problem]:
    """Yield a warning if the change to summer time skips a run."""
    skipped_time = rates.first_skipped_time(args.retraining_rate, args.timezone, today=today)
    if skipped_time is not None:
        message = (
            f"will not run on {skipped_time:%Y-%m-%d}, when daylight saving in {args.timezone} "
            f"skips {skipped_time:%H:%M}; choose an hour that every day has"
        )
        yield Problem("retrainingRate", message, args.retraining_rate)


def _timezone_warnings(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    """Yield a warning if a time zone is set that has no effect, because there is no cron."""
    is_set = args.timezone != RetrainingPipelineArgs.timezone
    if is_set and not args.schedule_expression.startswith("cron("):
        message = (
            f"has no effect with the rate '{args.retraining_rate}', which counts from the "
            "deployment; set a cron as retrainingRate to run at a local time, or leave timezone out"
        )
        yield Problem("timezone", message, args.timezone)


def _gate_warnings(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    """Yield a warning for each quality gate that is set for a solution without campaigns."""
    for index, solution in enumerate(args.solutions):
        # The config cannot contain this object, only an equal one.
        is_configured = solution.quality_gate is not DEFAULT_GATE
        if solution.quality_gate_enabled and is_configured and not solution.campaigns:
            message = (
                "has no effect, because a new version is compared for each campaign and this "
                "solution has none; add campaigns or leave the gate out"
            )
            yield Problem(f"solutions[{index}].qualityGate", message)


def _checks(args: RetrainingPipelineArgs, today: date | None) -> Iterator[Check]:
    """Yield a check for each setting except the ARNs."""
    if not args.datasets.configured():
        keys = ", ".join(config_keys(DatasetsArgs))
        yield Check("datasets", f"missing; configure at least one of {keys}")
    yield from locations.checks(args.datasets)
    if not args.solutions:
        yield Check("solutions", "missing; configure at least one solution with its solutionArn")
    count = len(args.solutions)
    yield Check("solutions", values.count_error(count, MAX_SOLUTIONS, "solutions", OTHER_STACK))
    for index, solution in enumerate(args.solutions):
        yield from _solution_checks(f"solutions[{index}]", solution)
    yield Check("solutions", _probes_error(args.solutions))
    rate, timezone = args.retraining_rate, args.timezone
    yield Check("retrainingRate", rates.rate_error(rate, today=today), value=rate)
    yield Check("timezone", rates.timezone_error(timezone), value=timezone)
    auto_training = args.auto_training
    error = values.choice_error(auto_training, get_args(AutoTraining))
    yield Check("autoTraining", error, value=auto_training)
    yield from _limit_checks(args.limits)
    yield from operation.checks(args)
    retention = args.log_retention_days
    yield Check("logRetentionDays", values.retention_error(retention), value=retention)
    error = values.count_error(len(args.tags), values.MAX_TAGS, "tags", "remove some of them")
    yield Check("tags", error)
    yield from values.tag_checks(args.tags)


def _limit_checks(limits: LimitsArgs) -> Iterator[Check]:
    for field, longest in LONGEST_DEADLINES.items():
        hours, default = getattr(limits, field), getattr(LimitsArgs, field)
        error = values.hours_error(hours, longest.hours, longest.reason, example=default)
        yield Check(f"limits.{camel_case(field)}", error, value=hours)
    key, trainings = "maxTrainingsPerMonth", limits.max_trainings_per_month
    error = None if trainings is None else values.trainings_error(trainings)
    yield Check(f"limits.{key}", error, value=trainings)
    settle_seconds = limits.settle_seconds
    error = values.settle_seconds_error(settle_seconds)
    yield Check("limits.settleSeconds", error, value=settle_seconds)


def _solution_checks(key: str, solution: SolutionArgs) -> Iterator[Check]:
    """Yield the checks of a solution. `key` is its key, for example `solutions[0]`."""
    mode = solution.training_mode
    error = values.choice_error(mode, get_args(TrainingMode))
    yield Check(f"{key}.trainingMode", error, value=mode)
    yield Check(f"{key}.fullEvery", _full_every_error(solution), value=solution.full_every)
    yield from _gate_checks(f"{key}.qualityGate", solution)
    count = len(solution.campaigns)
    error = values.count_error(count, MAX_CAMPAIGNS, "campaigns", OTHER_STACK)
    yield Check(f"{key}.campaigns", error)
    for index, campaign in enumerate(solution.campaigns):
        if campaign.probe is not None:
            yield from _probe_checks(f"{key}.campaigns[{index}].probe", campaign.probe)


def _full_every_error(solution: SolutionArgs) -> str | None:
    if solution.full_every is None:
        return None
    if rates.number_of_days(solution.full_every) is None:
        return f"is not a number of days; expected for example '{DEFAULT_FULL_EVERY}'"
    if solution.training_mode == "FULL":
        return "has an effect only with trainingMode UPDATE; leave it out, or set that mode"
    return None


def _probes_error(solutions: Sequence[SolutionArgs]) -> str | None:
    """Return an error message if the ids in all probes together are too long."""
    campaigns = [campaign for solution in solutions for campaign in solution.campaigns]
    probes = [campaign.probe for campaign in campaigns if campaign.probe is not None]
    ids = [
        each
        for probe in probes
        for each in (probe.user_id, probe.item_id, *(probe.input_list or ()))
    ]
    characters = sum(len(each) for each in ids if each)
    if characters <= MAX_PROBE_CHARACTERS:
        return None
    return (
        f"the ids in all probes have {characters} characters, and an execution carries at most "
        f"{MAX_PROBE_CHARACTERS}; shorten the inputLists, because a few items show whether a "
        "campaign ranks"
    )


def _gate_checks(key: str, solution: SolutionArgs) -> Iterator[Check]:
    """Yield the checks of the quality gate of a solution, or one check if it is no list."""
    rules = solution.quality_gate
    if old_form := values.old_form_error("qualityGate", rules):
        yield Check(key, old_form)
        return
    if solution.quality_gate_enabled and not rules:
        message = (
            "an empty list; add a rule, or write 'qualityGateEnabled: false' to deploy every new "
            "version"
        )
        yield Check(key, message)
    error = values.count_error(len(rules), MAX_GATE_RULES, "rules", "remove some of them")
    yield Check(key, error)
    first_keys: dict[str, str] = {}
    for index, rule in enumerate(rules):
        metric_key = f"{key}[{index}].metric"
        first_key = first_keys.setdefault(rule.metric, metric_key)
        error = metrics.metric_error(rule.metric)
        if not error and first_key != metric_key:
            error = f"already has a rule in {first_key}; combine both rules into one"
        yield Check(metric_key, error, value=rule.metric or None)
        yield from _threshold_checks(f"{key}[{index}]", rule)


def _threshold_checks(key: str, rule: QualityRuleArgs) -> Iterator[Check]:
    """Yield the checks of `maxDrop` and `minimum`. `key` is the key of the rule."""
    if rule.max_drop is None and rule.minimum is None:
        yield Check(key, "has no threshold; give maxDrop, minimum or both, as in 'maxDrop: 0.25'")
    if rule.max_drop is not None:
        error = values.share_error(rule.max_drop, example=0.25)
        yield Check(f"{key}.maxDrop", error, value=rule.max_drop)
    if rule.minimum is not None and not 0 < rule.minimum <= 1:
        error = "is not a possible minimum of a metric; expected a number above 0 and at most 1"
        yield Check(f"{key}.minimum", error, value=rule.minimum)


def _probe_checks(key: str, probe: ProbeArgs) -> Iterator[Check]:
    """Yield the checks of a probe. `key` is its key, which ends in `.probe`."""
    yield from _request_checks(key, probe)
    max_results = MAX_RESULTS
    if probe.input_list is not None:
        yield from _input_list_checks(f"{key}.inputList", probe.input_list)
        # A ranking returns as many items as the list has. An empty list is reported above.
        max_results = min(len(probe.input_list) or MAX_RESULTS, MAX_RESULTS)
    if not 1 <= probe.min_results <= max_results:
        error = f"is not a possible number of results; expected 1 to {max_results}"
        yield Check(f"{key}.minResults", error, value=probe.min_results)
    if not 0 < probe.minutes <= MAX_PROBE_MINUTES:
        error = (
            "is not a possible number of minutes; expected a number above 0 and at most "
            f"{MAX_PROBE_MINUTES}, which is a day"
        )
        yield Check(f"{key}.minutes", error, value=probe.minutes)


def _request_checks(key: str, probe: ProbeArgs) -> Iterator[Check]:
    """Yield the checks of the fields that make the request. They must make exactly one request."""
    allowed = "userId, itemId, or userId with an inputList"
    fields = {"userId": probe.user_id, "itemId": probe.item_id, "inputList": probe.input_list}
    request_keys = [name for name, value in fields.items() if value is not None]
    if not request_keys:
        yield Check(key, f"has nothing to request; set {allowed}")
    elif request_keys == ["inputList"]:
        yield Check(f"{key}.inputList", "needs the user for whom it is ranked; add userId")
    elif "itemId" in request_keys and len(request_keys) > 1:
        yield Check(
            key, f"has {' and '.join(request_keys)}, which are two requests; keep only {allowed}"
        )
    for name, text in (("userId", probe.user_id), ("itemId", probe.item_id)):
        if text is not None:
            yield Check(f"{key}.{name}", values.id_error(text), value=text or None)


def _input_list_checks(key: str, items: Sequence[str]) -> Iterator[Check]:
    if not 1 <= len(items) <= MAX_RESULTS:
        yield Check(key, f"a list of {len(items)} items; expected 1 to {MAX_RESULTS} items")
    for index, item in enumerate(items):
        yield Check(f"{key}[{index}]", values.id_error(item), value=item or None)


def _arn_settings(args: RetrainingPipelineArgs) -> Iterator[arns.ArnSetting]:
    """Yield every setting with an ARN whose value is known."""
    for key, value, kind, message_if_empty in _arn_inputs(args):
        if isinstance(value, str):
            yield arns.ArnSetting(key, value, kind, message_if_empty)


class _ArnInput(NamedTuple):
    """A setting that holds an ARN, as in arns.ArnSetting. Its value may be missing or an Output."""

    key: str
    value: pulumi.Input[str] | None
    kind: arns.Kind
    message_if_empty: str


def _arn_inputs(args: RetrainingPipelineArgs) -> Iterator[_ArnInput]:
    """Yield every setting that holds an ARN."""
    for key, dataset in args.datasets.configured().items():
        yield _ArnInput(
            f"datasets.{key}.datasetArn",
            dataset.dataset_arn,
            arns.dataset_kind(key),
            "missing; the dataset to fill",
        )
    for index, solution in enumerate(args.solutions):
        key = f"solutions[{index}]"
        yield _ArnInput(
            f"{key}.solutionArn",
            solution.solution_arn,
            arns.SOLUTION,
            "missing; the solution to retrain",
        )
        for number, campaign in enumerate(solution.campaigns):
            yield _ArnInput(
                f"{key}.campaigns[{number}].campaignArn",
                campaign.campaign_arn,
                arns.CAMPAIGN,
                "missing; the campaign to update",
            )
    yield _ArnInput(
        "notifications.topicArn",
        args.notifications.topic_arn,
        arns.TOPIC,
        f"empty; leave it out or name {arns.with_article(arns.TOPIC.noun)}",
    )
    for name, kind in (
        ("import_role_arn", arns.ROLE),
        ("permissions_boundary_arn", arns.POLICY),
        ("kms_key_arn", arns.KEY),
        ("data_kms_key_arn", arns.KEY),
    ):
        message = f"empty; leave it out or name {arns.with_article(kind.noun)}"
        yield _ArnInput(camel_case(name), getattr(args, name), kind, message)
