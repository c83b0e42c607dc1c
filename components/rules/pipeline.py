"""What is wrong with a pipeline's arguments, or worth a warning: each rule in one place. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import get_args

import pulumi

from ..args import (
    DEFAULT_GATE,
    FULL_EVERY,
    AutoTraining,
    LimitsArgs,
    ProbeArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    TrainingMode,
    camel_case,
)
from . import arns, locations, metrics, plain, rates, values
from .values import Judgement, Problem

LONGEST: Mapping[str, tuple[float, str]] = {
    "max_import_hours": (72, "an import takes minutes to hours, so one as long as that is stuck"),
    "max_training_hours": (8400, "a state machine ends after a year, with all its stages"),
    "max_campaign_hours": (24, "an update takes minutes, so one as long as that is stuck"),
}
"""Per limit, the longest deadline in hours, and why."""
MOST_RESULTS = 500
"""What GetRecommendations gives, and GetPersonalizedRanking takes, at most; by their model."""
MOST_LISTED = 30_000
"""Characters of all probes' lists: a workflow's state holds 256 KiB, and them three times over."""
MOST_MINUTES = 24 * 60
"""Of a probe: a run that asks for days hides that it is stuck."""


def problems(
    args: RetrainingPipelineArgs, *, region: str | None = None, today: date | None = None
) -> list[Problem]:
    """Return everything that is wrong with the arguments, in the order of their keys.

    `region` is the stack's, where known; without `today`, a cron whose years are over passes.
    Inputs that are still outputs are not checked: pass the result of `args.resolved()` to check
    them. Nothing calls AWS.
    """
    args, outputs = plain.plain(args)
    judged = _judgements(args, today)
    found = [
        *(Problem(key, value, message) for key, value, message in judged if message),
        *arns.problems(_arns(args), region=region),
    ]
    known = [
        each
        for each in found
        if not any(values.one_holds_the_other(each.key, output.key) for output in outputs)
    ]
    return sorted([*outputs, *known], key=lambda problem: problem.key)


def warnings(args: RetrainingPipelineArgs, *, today: date) -> list[Problem]:
    """Give what will work, but not as one may think; the arguments have no problems."""
    return [
        *locations.appended_again(args.datasets),
        *_skipped_hours(args, today),
        *_zone_without_cron(args),
        *_gates_without_campaigns(args),
    ]


def regions(args: RetrainingPipelineArgs) -> set[str]:
    """Return the regions that the ARNs name, as far as they are known."""
    found = (arns.parse(each.text) for each in _arns(args))
    return {arn.region for arn in found if arn and arn.region}


def _skipped_hours(args: RetrainingPipelineArgs, today: date) -> Iterator[Problem]:
    local = rates.first_skipped_time(args.retraining_rate, args.timezone, today=today)
    if local is not None:
        message = (
            f"will not run on {local:%Y-%m-%d}, when daylight saving in {args.timezone} skips "
            f"{local:%H:%M}; choose an hour that every day has"
        )
        yield Problem("retrainingRate", args.retraining_rate, message)


def _zone_without_cron(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    """Yield a warning for a time zone that is set, but has no effect because there is no cron."""
    default = RetrainingPipelineArgs.timezone
    if args.timezone != default and not args.schedule_expression.startswith("cron("):
        message = (
            f"has no effect with the rate '{args.retraining_rate}', which counts from the "
            "deployment; set a cron as retrainingRate to run at a local time, or leave timezone out"
        )
        yield Problem("timezone", args.timezone, message)


def _gates_without_campaigns(args: RetrainingPipelineArgs) -> Iterator[Problem]:
    for index, solution in enumerate(args.solutions):
        # The default gate is one object, so a gate that is another object is in the config.
        configured = solution.quality_gate is not DEFAULT_GATE
        asked_for = solution.quality_gate_enabled and configured
        if asked_for and not solution.campaigns:
            message = (
                "has nothing to compare with: a new version is judged for each campaign, and this "
                "solution has none; add campaigns or leave the gate out"
            )
            yield Problem(f"solutions[{index}].qualityGate", None, message)


def _judgements(args: RetrainingPipelineArgs, today: date | None) -> Iterator[Judgement]:
    """Judge each setting but the ARNs."""
    if not list(args.datasets.configured()):
        keys = ", ".join(camel_case(each.name) for each in fields(args.datasets))
        yield "datasets", None, f"missing; at least one of {keys}"
    yield from locations.judgements(args.datasets)
    if not args.solutions:
        yield "solutions", None, "missing; at least one, each with its solutionArn"
    for index, solution in enumerate(args.solutions):
        yield from _of_solution(f"solutions[{index}]", solution)
    yield from _of_lists(args.solutions)
    rate = args.retraining_rate
    yield "retrainingRate", rate, rates.rate_error(rate, today=today)
    yield "timezone", args.timezone, rates.timezone_error(args.timezone)
    training = args.auto_training
    yield "autoTraining", training, values.choice_problem(training, get_args(AutoTraining))
    for name, (most, reason) in LONGEST.items():
        hours = getattr(args.limits, name)
        wrong = values.hours_problem(hours, most, reason, example=getattr(LimitsArgs, name))
        yield f"limits.{camel_case(name)}", hours, wrong
    most = args.limits.max_trainings_per_month
    wrong = values.former_form("maxTrainingsPerMonth", most) or values.trainings_problem(most)
    yield "limits.maxTrainingsPerMonth", most, wrong
    retention = args.log_retention_days
    yield "logRetentionDays", retention, values.retention_problem(retention)
    if len(args.tags) > values.MAX_TAGS:
        yield "tags", None, f"{len(args.tags)} tags; at most {values.MAX_TAGS}"
    for name, value, message in values.tag_problems(args.tags):
        yield f"tags.{name}", value, message


def _of_solution(at: str, solution: SolutionArgs) -> Iterator[Judgement]:
    trained = solution.training_mode
    yield f"{at}.trainingMode", trained, values.choice_problem(trained, get_args(TrainingMode))
    yield f"{at}.fullEvery", solution.full_every, _full_every_problem(solution)
    if former := values.former_form("qualityGate", solution.quality_gate):
        yield f"{at}.qualityGate", None, former
    else:
        yield from _of_gate(f"{at}.qualityGate", solution)
    for number, campaign in enumerate(solution.campaigns):
        if campaign.probe is not None:
            yield from _of_probe(f"{at}.campaigns[{number}].probe", campaign.probe)


def _full_every_problem(solution: SolutionArgs) -> str | None:
    if solution.full_every is None:
        return None
    if rates.number_of_days(solution.full_every) is None:
        return f"is no number of days; expected one like '{FULL_EVERY}'"
    if solution.training_mode == "FULL":
        return "says when an UPDATE gives way to a FULL training; leave it out beside FULL"
    return None


def _of_lists(solutions: Sequence[SolutionArgs]) -> Iterator[Judgement]:
    probes = (each.probe for solution in solutions for each in solution.campaigns)
    listed = sum(len(text) for probe in probes if probe for text in probe.input_list or ())
    if listed > MOST_LISTED:
        message = (
            f"their probes' inputLists hold {listed} characters, and the workflow carries at most "
            f"{MOST_LISTED}; a few items show whether a campaign ranks"
        )
        yield "solutions", None, message


def _of_gate(at: str, solution: SolutionArgs) -> Iterator[Judgement]:
    rules = solution.quality_gate
    if solution.quality_gate_enabled and not rules:
        message = "an empty list; to deploy every new version, write 'qualityGateEnabled: false'"
        yield at, None, message
    seen: dict[str, str] = {}
    for number, rule in enumerate(rules):
        key, metric = f"{at}[{number}]", rule.metric
        wrong = metrics.problem(metric)
        if not wrong and metric in seen:
            wrong = f"is judged twice; {seen[metric]} is the same"
        yield f"{key}.metric", metric or None, wrong
        seen.setdefault(metric, f"{key}.metric")
        if rule.max_drop is None and rule.minimum is None:
            yield key, None, "judges nothing; give maxDrop, minimum or both, as in 'maxDrop: 0.25'"
        if rule.max_drop is not None:
            yield f"{key}.maxDrop", rule.max_drop, values.share_problem(rule.max_drop, 0.25)
        if rule.minimum is not None and not 0 < rule.minimum <= 1:
            message = "is no value that a metric has to reach; expected one above 0 and at most 1"
            yield f"{key}.minimum", rule.minimum, message


def _of_probe(at: str, probe: ProbeArgs) -> Iterator[Judgement]:
    given = {
        camel_case(name): getattr(probe, name)
        for name in ("user_id", "item_id", "input_list")
        if getattr(probe, name) is not None
    }
    one_of = "userId, itemId, or userId with an inputList"
    if not given:
        yield at, None, f"asks for nothing; give {one_of}"
    elif list(given) == ["inputList"]:
        yield f"{at}.inputList", None, "is ranked for a user; add userId"
    elif "itemId" in given and len(given) > 1:
        yield at, None, f"asks in two ways, with {' and '.join(given)}; keep {one_of}"
    items = given.pop("inputList", None)
    for key, text in given.items():
        yield f"{at}.{key}", text or None, values.id_problem(text)
    most = MOST_RESULTS
    if items is not None:
        if not 1 <= len(items) <= MOST_RESULTS:
            message = f"a list of {len(items)} items; expected 1 to {MOST_RESULTS}"
            yield f"{at}.inputList", None, message
        for number, text in enumerate(items):
            yield f"{at}.inputList[{number}]", text or None, values.id_problem(text)
        most = len(items) or MOST_RESULTS
    if not 1 <= probe.min_results <= min(most, MOST_RESULTS):
        message = f"is not what an answer may have; expected 1 to {min(most, MOST_RESULTS)}"
        yield f"{at}.minResults", probe.min_results, message
    if not 0 < probe.minutes <= MOST_MINUTES:
        message = f"is no time to ask in; expected above 0 and at most {MOST_MINUTES}, a day"
        yield f"{at}.minutes", probe.minutes, message


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
