"""Checks all arguments of a pipeline, and finds those that deserve a warning. Pure."""

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
from . import arns, locations, metrics, plain, rates, values
from .values import Check, Problem


class Limit(NamedTuple):
    """The longest deadline of a stage."""

    hours: float
    reason: str


LONGEST_DEADLINES: Mapping[str, Limit] = {
    "max_import_hours": Limit(72, "an import takes minutes to hours, so a longer import is stuck"),
    "max_training_hours": Limit(8400, "a state machine ends after a year, with all its stages"),
    "max_campaign_hours": Limit(24, "an update takes minutes, so a longer update is stuck"),
}
"""Field of LimitsArgs to the longest deadline."""
MAX_RESULTS = 500
"""The most results of GetRecommendations, and the most items of GetPersonalizedRanking, in their
models."""
MAX_INPUT_LIST_CHARACTERS = 30_000
"""The most characters of the lists of all probes. The state of an execution has at most 256 KiB and
holds the lists three times."""
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
    args, output_problems = plain.without_outputs(args)
    argument_problems = [
        *(
            Problem(check.key, check.value, check.error)
            for check in _checks(args, today)
            if check.error
        ),
        *arns.problems(_arn_settings(args), region=region),
    ]
    replaced_keys = [problem.key for problem in output_problems]
    of_known_values = [
        problem
        for problem in argument_problems
        if not any(values.is_same_or_part(problem.key, key) for key in replaced_keys)
    ]
    return sorted([*output_problems, *of_known_values], key=lambda problem: problem.key)


def warnings(args: RetrainingPipelineArgs, *, today: date) -> list[Problem]:
    """Return what works, but perhaps not as intended. The arguments must have no problems."""
    return [
        *locations.incremental_warnings(args.datasets),
        *_skipped_hour_warnings(args, today),
        *_timezone_warnings(args),
        *_gate_warnings(args),
    ]


def regions(args: RetrainingPipelineArgs) -> set[str]:
    """Return the regions of the ARNs whose values are known."""
    parsed = (arns.parse_arn(setting.text) for setting in _arn_settings(args))
    return {arn.region for arn in parsed if arn and arn.region}


def _skipped_hour_warnings(args: RetrainingPipelineArgs, today: date) -> Iterator[Problem]:
    skipped = rates.first_skipped_time(args.retraining_rate, args.timezone, today=today)
    if skipped is not None:
        message = (
            f"will not run on {skipped:%Y-%m-%d}, when daylight saving in {args.timezone} skips "
            f"{skipped:%H:%M}; choose an hour that every day has"
        )
        yield Problem("retrainingRate", args.retraining_rate, message)


def _timezone_warnings(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    """Yield a warning for a time zone that is set, but has no effect because there is no cron."""
    default = RetrainingPipelineArgs.timezone
    if args.timezone != default and not args.schedule_expression.startswith("cron("):
        message = (
            f"has no effect with the rate '{args.retraining_rate}', which counts from the "
            "deployment; set a cron as retrainingRate to run at a local time, or leave timezone out"
        )
        yield Problem("timezone", args.timezone, message)


def _gate_warnings(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    """Yield a warning for each quality gate of a solution without campaigns."""
    for index, solution in enumerate(args.solutions):
        # The default gate is one object, so a gate that is another object is in the config.
        is_configured = solution.quality_gate is not DEFAULT_GATE
        if solution.quality_gate_enabled and is_configured and not solution.campaigns:
            message = (
                "has no effect, because a new version is compared for each campaign and this "
                "solution has none; add campaigns or leave the gate out"
            )
            yield Problem(f"solutions[{index}].qualityGate", None, message)


def _checks(args: RetrainingPipelineArgs, today: date | None) -> Iterator[Check]:
    """Yield a check for each setting except the ARNs."""
    if not args.datasets.configured():
        keys = ", ".join(config_keys(DatasetsArgs))
        yield Check("datasets", None, f"missing; at least one of {keys}")
    yield from locations.checks(args.datasets)
    if not args.solutions:
        yield Check("solutions", None, "missing; at least one, each with its solutionArn")
    for index, solution in enumerate(args.solutions):
        yield from _solution_checks(f"solutions[{index}]", solution)
    yield _input_lists_check(args.solutions)
    rate, timezone = args.retraining_rate, args.timezone
    yield Check("retrainingRate", rate, rates.rate_error(rate, today=today))
    yield Check("timezone", timezone, rates.timezone_error(timezone))
    auto_training = args.auto_training
    error = values.choice_error(auto_training, get_args(AutoTraining))
    yield Check("autoTraining", auto_training, error)
    yield from _limit_checks(args.limits)
    retention = args.log_retention_days
    yield Check("logRetentionDays", retention, values.retention_error(retention))
    if len(args.tags) > values.MAX_TAGS:
        yield Check("tags", None, f"{len(args.tags)} tags; at most {values.MAX_TAGS}")
    yield from values.tag_checks(args.tags)


def _limit_checks(limits: LimitsArgs) -> Iterator[Check]:
    for name, longest in LONGEST_DEADLINES.items():
        hours, default = getattr(limits, name), getattr(LimitsArgs, name)
        error = values.hours_error(hours, longest.hours, longest.reason, example=default)
        yield Check(f"limits.{camel_case(name)}", hours, error)
    name, count = "maxTrainingsPerMonth", limits.max_trainings_per_month
    error = values.old_form_error(name, count) or values.trainings_error(count)
    yield Check(f"limits.{name}", count, error)


def _solution_checks(key: str, solution: SolutionArgs) -> Iterator[Check]:
    mode = solution.training_mode
    yield Check(f"{key}.trainingMode", mode, values.choice_error(mode, get_args(TrainingMode)))
    yield Check(f"{key}.fullEvery", solution.full_every, _full_every_error(solution))
    yield from _gate_checks(f"{key}.qualityGate", solution)
    for index, campaign in enumerate(solution.campaigns):
        if campaign.probe is not None:
            yield from _probe_checks(f"{key}.campaigns[{index}].probe", campaign.probe)


def _full_every_error(solution: SolutionArgs) -> str | None:
    if solution.full_every is None:
        return None
    if rates.number_of_days(solution.full_every) is None:
        return f"is not a number of days; expected for example '{DEFAULT_FULL_EVERY}'"
    if solution.training_mode == "FULL":
        return "has a meaning only with trainingMode UPDATE; leave it out, or set UPDATE"
    return None


def _input_lists_check(solutions: Sequence[SolutionArgs]) -> Check:
    """Check the length of the lists of all probes together."""
    probes = [campaign.probe for solution in solutions for campaign in solution.campaigns]
    characters = sum(len(item) for probe in probes if probe for item in probe.input_list or ())
    error = None
    if characters > MAX_INPUT_LIST_CHARACTERS:
        error = (
            f"the inputLists of all probes have {characters} characters, and an execution carries "
            f"at most {MAX_INPUT_LIST_CHARACTERS}; shorten them, because a few items show whether "
            "a campaign ranks"
        )
    return Check("solutions", None, error)


def _gate_checks(key: str, solution: SolutionArgs) -> Iterator[Check]:
    rules = solution.quality_gate
    if old_form := values.old_form_error("qualityGate", rules):
        yield Check(key, None, old_form)
        return
    if solution.quality_gate_enabled and not rules:
        message = "an empty list; to deploy every new version, write 'qualityGateEnabled: false'"
        yield Check(key, None, message)
    first_keys: dict[str, str] = {}
    for index, rule in enumerate(rules):
        metric_key = f"{key}[{index}].metric"
        first_key = first_keys.setdefault(rule.metric, metric_key)
        error = metrics.metric_error(rule.metric)
        if not error and first_key != metric_key:
            error = f"has a rule already, {first_key}; combine both rules"
        yield Check(metric_key, rule.metric or None, error)
        yield from _threshold_checks(f"{key}[{index}]", rule)


def _threshold_checks(key: str, rule: QualityRuleArgs) -> Iterator[Check]:
    if rule.max_drop is None and rule.minimum is None:
        error = "has no threshold; give maxDrop, minimum or both, as in 'maxDrop: 0.25'"
        yield Check(key, None, error)
    if rule.max_drop is not None:
        yield Check(f"{key}.maxDrop", rule.max_drop, values.share_error(rule.max_drop, 0.25))
    if rule.minimum is not None and not 0 < rule.minimum <= 1:
        error = "is not a value that a metric can have to reach; expected above 0 and at most 1"
        yield Check(f"{key}.minimum", rule.minimum, error)


def _probe_checks(key: str, probe: ProbeArgs) -> Iterator[Check]:
    yield from _request_checks(key, probe)
    max_results = MAX_RESULTS
    if probe.input_list is not None:
        yield from _input_list_checks(f"{key}.inputList", probe.input_list)
        max_results = min(len(probe.input_list) or MAX_RESULTS, MAX_RESULTS)
    if not 1 <= probe.min_results <= max_results:
        error = f"is not a possible number of results; expected 1 to {max_results}"
        yield Check(f"{key}.minResults", probe.min_results, error)
    if not 0 < probe.minutes <= MAX_PROBE_MINUTES:
        error = f"is not a time to probe; expected above 0 and at most {MAX_PROBE_MINUTES}, a day"
        yield Check(f"{key}.minutes", probe.minutes, error)


def _request_checks(key: str, probe: ProbeArgs) -> Iterator[Check]:
    """Check that the fields of a probe make one request."""
    allowed = "userId, itemId, or userId with an inputList"
    request = {
        camel_case(name): getattr(probe, name)
        for name in ("user_id", "item_id", "input_list")
        if getattr(probe, name) is not None
    }
    if not request:
        yield Check(key, None, f"requests nothing; give {allowed}")
    elif list(request) == ["inputList"]:
        yield Check(f"{key}.inputList", None, "is ranked for a user; add userId")
    elif "itemId" in request and len(request) > 1:
        error = f"makes two requests, with {' and '.join(request)}; keep {allowed}"
        yield Check(key, None, error)
    for name in ("userId", "itemId"):
        if name in request:
            text = request[name]
            yield Check(f"{key}.{name}", text or None, values.id_error(text))


def _input_list_checks(key: str, items: Sequence[str]) -> Iterator[Check]:
    if not 1 <= len(items) <= MAX_RESULTS:
        yield Check(key, None, f"a list of {len(items)} items; expected 1 to {MAX_RESULTS}")
    for index, item in enumerate(items):
        yield Check(f"{key}[{index}]", item or None, values.id_error(item))


def _arn_settings(args: RetrainingPipelineArgs) -> Iterator[arns.ArnSetting]:
    """Yield every setting with an ARN whose value is known."""
    for key, value, kind, message_if_empty in _arn_inputs(args):
        if isinstance(value, str):
            yield arns.ArnSetting(key, value, kind, message_if_empty)


class _ArnInput(NamedTuple):
    key: str
    value: pulumi.Input[str] | None
    kind: arns.Kind
    message_if_empty: str


def _arn_inputs(args: RetrainingPipelineArgs) -> Iterator[_ArnInput]:
    for key, dataset in args.datasets.configured().items():
        yield _ArnInput(
            f"datasets.{key}.datasetArn",
            dataset.dataset_arn,
            arns.dataset(key),
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
    for name, kind in (
        ("import_role_arn", arns.ROLE),
        ("permissions_boundary_arn", arns.POLICY),
        ("kms_key_arn", arns.KEY),
        ("data_kms_key_arn", arns.KEY),
    ):
        message = f"empty; leave it out or name {arns.with_article(kind.noun)}"
        yield _ArnInput(camel_case(name), getattr(args, name), kind, message)
