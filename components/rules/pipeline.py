"""Checks a pipeline's arguments.

The types in `args.py` declare the rules for single fields. Here are those that need several.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from ..args import (
    SECONDS_PER_HOUR,
    BakeArgs,
    CampaignArgs,
    DatasetsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    as_config,
    config_keys,
)
from ..constants import DATE_PLACEHOLDER, EVENT_DATASETS, RESERVED_TAG_PREFIX
from . import arns, rates
from .fields import Problem
from .reading import Reader

MAX_TEXT_CHARACTERS = 5_000
"""The most characters in all probes, bakes, baselines and batch jobs together. An execution's state
contains most of them three times, and has room for 256 KiB (tests/workflow/test_sizes.py)."""
CHARACTERS_PER_BATCH_JOB = 270
"""What a batch job counts in addition to its texts, because its result has up to 800 bytes."""
TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
TAG_VALUE = re.compile(r"[\w .:/=+\-@]{1,256}")
"""Tags may have empty values elsewhere, but not in EventBridge Scheduler."""
MAX_PATTERN_CHARACTERS = 4_096
"""The longest event pattern of a rule, in the API's model of EventBridge."""


class Checked(NamedTuple):
    """A pipeline's arguments, and what is wrong with them."""

    args: RetrainingPipelineArgs
    """The arguments, which may be used only if there are no problems."""
    problems: list[Problem]
    """All problems, sorted by key. A rule about several settings needs all of them to be read."""
    regions: set[str]
    """The regions of all ARNs whose values are known."""


def check(
    given: RetrainingPipelineArgs | Mapping[str, object], *, secrets: Collection[str] = ()
) -> Checked:
    """Check arguments, or a config with keys in camelCase.

    Outputs whose values aren't known yet are taken as they are. `secrets` are the keys of encrypted
    values.
    """
    reader = Reader(secrets)
    args = reader.read(RetrainingPipelineArgs, as_config(given, keep_none=False), "")

    problems = [
        *reader.problems,
        *arns.find_inconsistencies(reader.arns),
        *_check_baselines(reader),
    ]
    for key, arguments in reader.objects:
        for rule in RULES.get(type(arguments), ()):
            problems += rule(arguments, key)

    return Checked(
        args,
        sorted(problems, key=lambda problem: problem.key),
        regions={setting.arn.region for setting in reader.arns if setting.arn.region},
    )


def _check_datasets(datasets: DatasetsArgs, key: str) -> Iterator[Problem]:
    """Require a dataset, and for each dataset an ARN and settings of its type."""
    if not datasets.configured():
        keys = ", ".join(config_keys(DatasetsArgs))
        yield Problem(key, f"has no dataset; configure at least one of {keys}")

    for name, dataset in datasets.configured().items():
        arn = dataset.dataset_arn
        dataset_type = arns.dataset_type(name)
        # If it isn't the ARN of any dataset, then the rule of the field has said so.
        if isinstance(arn, str) and not arns.DATASET(arn) and not arn.endswith(f"/{dataset_type}"):
            right_arn = f"{arn.rpartition('/')[0]}/{dataset_type}"
            message = f"is not the ARN of the {dataset_type} dataset; expected '{right_arn}'"
            yield Problem(f"{key}.{name}.datasetArn", message, arn)

        if name not in EVENT_DATASETS and (dataset.max_event_age or dataset.strict_events):
            yield Problem(f"{key}.{name}", "has no events; remove maxEventAge and strictEvents")


def _check_gate(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Reject a gate without a rule, which would let every version pass although it's enabled."""
    if solution.quality_gate_enabled and not solution.quality_gate:
        message = (
            "is empty; add a rule, or write 'qualityGateEnabled: false' to deploy every new version"
        )
        yield Problem(f"{key}.qualityGate", message)


def _check_approval(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Reject an approval that nobody would be asked for, because only batch jobs wait for it."""
    if solution.approval and solution.batch_jobs and not solution.campaigns:
        message = "has no effect on batch jobs without a campaign; add a campaign or remove it"
        yield Problem(f"{key}.approval", message)


def _check_locations(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Reject files that lie where something else would read or replace them.

    All files in a dataLocation are imported, and a file in a subfolder is refused. Two batch jobs
    with the same output would replace each other's results.
    """
    datasets = {f"datasets.{key}": item for key, item in args.datasets.configured().items()}
    jobs = {
        f"solutions[{number}].batchJobs[{index}]": job
        for number, solution in enumerate(args.solutions)
        for index, job in enumerate(solution.batch_jobs)
    }
    exports = {f"{key}.dataLocation": dataset.data_location for key, dataset in datasets.items()}
    markers = {f"{key}.readyMarker": dataset.ready_marker for key, dataset in datasets.items()}
    inputs = {f"{key}.input": job.input for key, job in jobs.items()}
    outputs = {f"{key}.output": job.output for key, job in jobs.items()}

    for (outer_key, outer), (key, inner) in [
        *product(exports.items(), {**exports, **markers, **inputs}.items()),
        *product({**exports, **inputs, **outputs}.items(), outputs.items()),
    ]:
        if key == outer_key or not isinstance(outer, str) or not isinstance(inner, str):
            continue
        if _lies_in(inner, outer, is_input=outer_key in inputs):
            yield Problem(key, f"lies in {outer_key}; move it elsewhere", inner)


def _lies_in(inner: str, outer: str, *, is_input: bool) -> bool:
    """Return True if whoever reads `outer` would also read what lies at `inner`."""
    if is_input:
        # A batch job reads every object whose key begins with its input. So its own results must
        # not begin with it either: those for `users.json` are in `users.json.out`.
        file_name = outer.rpartition("/")[2]
        return f"{inner}{file_name}".startswith(outer)

    if outer.endswith("/"):
        return inner.startswith(outer)
    return inner == outer


def _check_thresholds(rule: QualityRuleArgs, key: str) -> Iterator[Problem]:
    """Reject a rule that would compare nothing."""
    if rule.max_drop is None and rule.minimum is None:
        message = "has no threshold; give maxDrop, minimum or both, as in 'maxDrop: 0.25'"
        yield Problem(key, message)
    elif rule.max_drop is None and rule.relative_to is not None:
        message = "has no effect without maxDrop; add maxDrop, or remove relativeTo"
        yield Problem(f"{key}{arns.BASELINE}", message)

    if rule.max_baseline_drop is not None and rule.relative_to is None:
        message = "has no effect without relativeTo; add relativeTo, or remove maxBaselineDrop"
        yield Problem(f"{key}.maxBaselineDrop", message)


def _check_baselines(reader: Reader) -> Iterator[Problem]:
    """Require that each baseline is another solution of the stack, so that runs train it as well.

    Otherwise, there would be no baseline that was trained on the same imports.
    """
    solutions = [item.solution_arn for _, item in reader.objects if isinstance(item, SolutionArgs)]
    is_unread = any(problem.key.startswith("solutions[") for problem in reader.problems)
    if is_unread or not all(isinstance(arn, str) for arn in solutions):
        # A solution that cannot be read now may be the right one.
        return

    keys = {arn: key for key, arn in reader.arns if key.endswith(".solutionArn")}
    for key, arn in reader.arns:
        own_key = f"{key.partition('.')[0]}.solutionArn"
        if key.endswith(arns.BASELINE) and keys.get(arn, own_key) == own_key:
            message = (
                "is not another solution of this stack; add it to solutions, so that each run "
                "trains it on the same imports"
            )
            yield Problem(key, message, str(arn))


def _check_request(probe: ProbeArgs, key: str) -> Iterator[Problem]:
    """Reject the settings of a probe that contradict each other."""
    # Which ids a request without a list needs is up to the recipe, which is known at run time.
    if probe.input_list is not None and (probe.user_id is None or probe.item_id is not None):
        message = "cannot rank the items of inputList; set userId beside it, and no itemId"
        yield Problem(key, message)

    if probe.filter_values and probe.filter_arn is None:
        message = "has no effect without filterArn; add the filter, or remove filterValues"
        yield Problem(f"{key}.filterValues", message)


def _check_alarms(bake: BakeArgs, key: str) -> Iterator[Problem]:
    """Reject a bake without an alarm, which would only delay the run."""
    if not bake.alarms and not bake.create_alarms:
        message = (
            "has no alarm, so nothing could move a bad version back; list the ARNs of alarms in "
            "alarms, or write 'createAlarms: true'"
        )
        yield Problem(key, message)


def _check_alarm_names(campaign: CampaignArgs, key: str) -> Iterator[Problem]:
    """Require a plain ARN if alarms are created, because runs find them by the campaign's name."""
    creates_alarms = campaign.bake is not None and campaign.bake.create_alarms
    if creates_alarms and not isinstance(campaign.campaign_arn, str):
        message = (
            "is an Output, but bake.createAlarms names the alarms by the campaign; give a plain "
            "ARN, or create the alarms yourself and list them in bake.alarms"
        )
        yield Problem(f"{key}.campaignArn", message)


def _check_bakes(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Limit each bake to half of the time between two runs, because the next run waits for it."""
    if rates.rate_error(args.retraining_rate):
        return

    hours = rates.shortest_seconds_between_runs(args.retraining_rate) / 2 / SECONDS_PER_HOUR
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    if any(campaign.bake and campaign.bake.hours > hours for campaign in campaigns):
        message = (
            f"lets a bake take at most {hours:.3g} h, half of the time between two runs; "
            "shorten bake.hours, or let runs start less often"
        )
        yield Problem("retrainingRate", message, args.retraining_rate)


def _check_size_of_texts(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Limit the texts in the settings, all of which have to fit into the state of an execution."""
    texts = [text for solution in args.solutions for text in _texts_of(solution)]
    characters = sum(len(text) for text in texts if isinstance(text, str))
    job_count = sum(len(solution.batch_jobs) for solution in args.solutions)
    characters += job_count * CHARACTERS_PER_BATCH_JOB

    if characters > MAX_TEXT_CHARACTERS:
        message = (
            f"has {characters} characters in probes, ARNs of alarms, relativeTo and batch jobs, "
            f"with {CHARACTERS_PER_BATCH_JOB} besides the texts of each batch job; shorten them to "
            f"{MAX_TEXT_CHARACTERS}"
        )
        yield Problem("solutions", message)


def _texts_of(solution: SolutionArgs) -> Iterator[object]:
    """Yield the settings that may be long. Some are outputs or None, and have no length."""
    for rule in solution.quality_gate:
        yield rule.relative_to
    for job in solution.batch_jobs:
        yield from (job.input, job.output, job.filter_arn, job.themes)

    for campaign in solution.campaigns:
        if campaign.bake is not None:
            yield from campaign.bake.alarms
        if campaign.probe is not None:
            yield from _texts_of_probe(campaign.probe)


def _texts_of_probe(probe: ProbeArgs) -> Iterator[object]:
    yield from (probe.user_id, probe.item_id, *(probe.input_list or ()), probe.filter_arn)
    for values in (probe.filter_values, probe.context):
        yield from (*values, *values.values())


def _check_tags(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Reject tags that AWS refuses, and those whose keys the pipeline reserves for itself."""
    yield from role_tag_problems("tags", args.tags)

    for key, value in args.tags.items():
        if key.lower().startswith(RESERVED_TAG_PREFIX):
            message = (
                f"has a reserved key; choose one that does not begin with {RESERVED_TAG_PREFIX}"
            )
            yield Problem(f"tags.{key}", message, value)
        elif not TAG_KEY.fullmatch(key) or not TAG_VALUE.fullmatch(value):
            message = (
                "is not a valid AWS tag; write 1 to 128 characters as the key and 1 to 256 as the "
                "value: letters, digits, spaces and _ . : / = + - @"
            )
            yield Problem(f"tags.{key}", message, value)


def role_tag_problems(
    setting: str, tags: Mapping[str, str], others: Iterable[str] = ()
) -> Iterator[Problem]:
    """Find the tags that IAM would refuse on a role. Every role would fail, in the middle of `up`.

    `others` are the keys of the tags that a role has besides:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    keys = {other.casefold(): other for other in others}
    for key, value in tags.items():
        twin = keys.setdefault(key.casefold(), key)
        if twin != key:
            message = (
                f"differs from the tag {twin} only in upper and lower case, so IAM refuses a role "
                "with both; remove one of them"
            )
            yield Problem(f"{setting}.{key}", message)

        for part, text in {"key": key, "value": value}.items():
            if text.lower().startswith("aws:"):
                message = f"has a {part} that begins with aws:, which IAM refuses; choose another"
                yield Problem(f"{setting}.{key}", message, value)


def _check_trigger(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Require what a run on the arrival of an export needs."""
    if not args.trigger.on_export:
        return

    markers = [dataset.ready_marker for dataset in args.datasets.configured().values()]
    known_markers = [marker for marker in markers if isinstance(marker, str)]
    if not any(markers) or any(DATE_PLACEHOLDER not in marker for marker in known_markers):
        message = (
            "needs a ready marker, whose arrival starts the run, and {date} in every ready marker, "
            "because the day says which exports belong together; set for example "
            "datasets.interactions.readyMarker to 's3://bucket/{date}.SUCCESS'"
        )
        yield Problem("trigger.onExport", message)

    characters = len(json.dumps(marker_pattern(known_markers)))
    if characters > MAX_PATTERN_CHARACTERS:
        message = (
            f"makes an event pattern of {characters:,} characters from the ready markers, but "
            f"EventBridge accepts {MAX_PATTERN_CHARACTERS:,}; shorten the part of each marker "
            "before {date}, or let the markers share it"
        )
        yield Problem("trigger.onExport", message)

    if args.solutions and args.limits.max_trainings_per_month is None:
        message = (
            "missing; trigger.onExport needs it, because the number of exports is not known; set "
            "for example 35, or 0 for no limit"
        )
        yield Problem("limits.maxTrainingsPerMonth", message)


def marker_pattern(markers: Sequence[str]) -> Mapping[str, object]:
    """Build the event pattern for objects that may be one of these markers.

    It can't say which dates are right, so `start_on_export` compares the whole key.
    """
    locations = [marker.removeprefix("s3://").partition("/") for marker in markers]
    prefixes = {key.partition(DATE_PLACEHOLDER)[0] for *_, key in locations}

    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": sorted({bucket for bucket, *_ in locations})},
            "object": {"key": [{"prefix": prefix} for prefix in sorted(prefixes)]},
        },
    }


RULES: Mapping[type, Sequence[Callable[[Any, str], Iterator[Problem]]]] = {
    DatasetsArgs: (_check_datasets,),
    SolutionArgs: (_check_approval, _check_gate),
    QualityRuleArgs: (_check_thresholds,),
    ProbeArgs: (_check_request,),
    BakeArgs: (_check_alarms,),
    CampaignArgs: (_check_alarm_names,),
    RetrainingPipelineArgs: (
        _check_bakes,
        _check_locations,
        _check_size_of_texts,
        _check_tags,
        _check_trigger,
    ),
}
"""Dataclass -> the functions that find its problems. They get an object and its key."""
