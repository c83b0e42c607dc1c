"""Checks a pipeline's arguments, and has the rules that involve several settings.

The rules for single settings are declared in `args.py`.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
    list_config_keys,
    to_config,
)
from ..args_reader import ArgsReader
from ..constants import DATE_PLACEHOLDER, EVENT_DATASETS, RESERVED_TAG_PREFIX
from . import arns, run_times
from .single_settings import Problem

MAX_LONG_VALUES_CHARACTERS = 5_000
"""The maximum total length of all probes, bakes, baselines and batch jobs. An execution's state
contains most of it three times, but must not exceed 256 KiB (tests/workflow/test_sizes.py)."""
CHARACTERS_PER_BATCH_JOB = 270
"""How much a batch job counts besides its strings, because its result has up to 800 bytes."""
TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
TAG_VALUE = re.compile(r"[\w .:/=+\-@]{1,256}")
"""Unlike other services, EventBridge Scheduler doesn't accept empty values."""
MAX_PATTERN_CHARACTERS = 4_096
"""The longest event pattern in EventBridge's API model."""


class CheckedArgs(NamedTuple):
    """A pipeline's arguments, and the problems with them."""

    args: RetrainingPipelineArgs
    """The arguments. Use them only if there are no problems."""
    problems: list[Problem]
    """All problems, sorted by key. Rules about settings that couldn't be read weren't applied."""
    regions: set[str]
    """The regions of all known ARNs."""


def check_args(
    args_or_config: RetrainingPipelineArgs | Mapping[str, object], *, secrets: Collection[str] = ()
) -> CheckedArgs:
    """Check arguments, or a config with camelCase keys.

    Outputs that aren't known yet stay unchecked. `secrets` are the keys of encrypted values.
    """
    reader = ArgsReader(secrets)
    args = reader.read(RetrainingPipelineArgs, to_config(args_or_config, keep_none=False), "")

    problems = [
        *reader.problems,
        *arns.find_inconsistencies(reader.arns),
        *_check_baselines(reader),
    ]
    for key, arguments in reader.objects:
        for rule in RULES_BY_CLASS.get(type(arguments), ()):
            problems += rule(arguments, key)

    return CheckedArgs(
        args,
        sorted(problems, key=lambda problem: problem.key),
        regions={setting.arn.region for setting in reader.arns if setting.arn.region},
    )


def _check_datasets(datasets: DatasetsArgs, key: str) -> Iterator[Problem]:
    """Require at least one dataset, each with an ARN and settings that fit its type."""
    configured_datasets = datasets.configured()
    if not configured_datasets:
        keys = ", ".join(list_config_keys(DatasetsArgs))
        yield Problem(key, f"has no dataset; configure at least one of {keys}")

    for name, dataset in configured_datasets.items():
        yield from _check_dataset_type(dataset.dataset_arn, name, f"{key}.{name}.datasetArn")

        if name not in EVENT_DATASETS and (dataset.max_event_age or dataset.strict_events):
            yield Problem(f"{key}.{name}", "has no events; remove maxEventAge and strictEvents")


def _check_dataset_type(dataset_arn: object, name: str, key: str) -> Iterator[Problem]:
    """Require that a dataset's ARN ends with the type that it is configured as."""
    # The field's own rule has reported anything that isn't a dataset's ARN.
    if not isinstance(dataset_arn, str) or arns.DATASET(dataset_arn):
        return

    group, _, actual_type = dataset_arn.rpartition("/")
    expected_type = arns.dataset_type(name)
    if actual_type != expected_type:
        right_arn = f"{group}/{expected_type}"
        yield Problem(
            key,
            f"is not the ARN of the {expected_type} dataset; expected '{right_arn}'",
            dataset_arn,
        )


def _check_quality_gate(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Reject an enabled gate without a rule, which would let every version pass."""
    if solution.quality_gate_enabled and not solution.quality_gate:
        yield Problem(
            f"{key}.qualityGate",
            "is empty; add a rule, or write 'qualityGateEnabled: false' to deploy every new "
            "version",
        )


def _check_approval(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Reject an approval for batch jobs alone, because nobody would be asked for it."""
    if solution.approval and solution.batch_jobs and not solution.campaigns:
        yield Problem(
            f"{key}.approval",
            "has no effect on batch jobs without a campaign; add a campaign or remove it",
        )


def _check_locations(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Reject locations whose files another import or batch job would read or replace."""
    exports = {}
    markers = {}
    for name, dataset in args.datasets.configured().items():
        exports[f"datasets.{name}.dataLocation"] = dataset.data_location
        markers[f"datasets.{name}.readyMarker"] = dataset.ready_marker

    inputs = {}
    outputs = {}
    for number, solution in enumerate(args.solutions):
        for index, job in enumerate(solution.batch_jobs):
            key = f"solutions[{number}].batchJobs[{index}]"
            inputs[f"{key}.input"] = job.input
            outputs[f"{key}.output"] = job.output

    # All files in a dataLocation are imported, and a file in a subfolder is refused.
    yield from _find_nested_locations(
        {**exports, **markers, **inputs, **outputs}, exports, _is_in_location
    )
    yield from _find_nested_locations(outputs, inputs, _is_read_by_batch_job)
    # Two batch jobs with the same output would replace each other's results.
    yield from _find_nested_locations(outputs, outputs, _is_in_location)


def _find_nested_locations(
    inner_locations: Mapping[str, object],
    outer_locations: Mapping[str, object],
    is_inside: Callable[[str, str], bool],
) -> Iterator[Problem]:
    """Report each inner location that is inside an outer one, if both are known."""
    for outer_key, outer in outer_locations.items():
        for key, inner in inner_locations.items():
            if (
                key != outer_key
                and isinstance(inner, str)
                and isinstance(outer, str)
                and is_inside(inner, outer)
            ):
                yield Problem(key, f"lies in {outer_key}; move it elsewhere", inner)


def _is_in_location(file: str, location: str) -> bool:
    """Return True if the location is this file, or a folder that contains it."""
    if location.endswith("/"):
        return file.startswith(location)
    return file == location


def _is_read_by_batch_job(output: str, batch_input: str) -> bool:
    """Return True if a batch job with this input would read results written to `output`.

    A job reads every object whose key begins with its input. The results for `users.json`, for
    example, are in `users.json.out`, which a job with the input `users.json` would read.
    """
    file_name = batch_input.rpartition("/")[2]
    return f"{output}{file_name}".startswith(batch_input)


def _check_quality_rule(rule: QualityRuleArgs, key: str) -> Iterator[Problem]:
    """Reject a quality rule without a threshold, or with a setting that has no effect."""
    if rule.max_drop is None and rule.minimum is None:
        yield Problem(key, "has no threshold; give maxDrop, minimum or both, as in 'maxDrop: 0.25'")
    elif rule.max_drop is None and rule.relative_to is not None:
        yield Problem(
            f"{key}{arns.BASELINE_KEY_ENDING}",
            "has no effect without maxDrop; add maxDrop, or remove relativeTo",
        )

    if rule.max_baseline_drop is not None and rule.relative_to is None:
        yield Problem(
            f"{key}.maxBaselineDrop",
            "has no effect without relativeTo; add relativeTo, or remove maxBaselineDrop",
        )


def _check_baselines(reader: ArgsReader) -> Iterator[Problem]:
    """Require that each baseline is another solution in the stack, so that runs train it, too.

    Otherwise, no version of the baseline would be trained on the same imports.
    """
    solutions = [args.solution_arn for _, args in reader.objects if isinstance(args, SolutionArgs)]
    has_unread = any(problem.key.startswith("solutions[") for problem in reader.problems)
    if has_unread or not all(isinstance(arn, str) for arn in solutions):
        # The baseline may be a solution that couldn't be read, or whose ARN isn't known yet.
        return

    keys = {arn: key for key, arn in reader.arns if key.endswith(".solutionArn")}
    for key, arn in reader.arns:
        own_key = f"{key.partition('.')[0]}.solutionArn"
        if key.endswith(arns.BASELINE_KEY_ENDING) and keys.get(arn, own_key) == own_key:
            yield Problem(
                key,
                "is not another solution of this stack; add it to solutions, so that each run "
                "trains it on the same imports",
                str(arn),
            )


def _check_probe(probe: ProbeArgs, key: str) -> Iterator[Problem]:
    """Reject settings of a probe that contradict each other."""
    # Which IDs a request without a list needs depends on the recipe, which is known at run time.
    if probe.input_list is not None and (probe.user_id is None or probe.item_id is not None):
        yield Problem(
            key, "cannot rank the items of inputList; set userId beside it, and no itemId"
        )

    if probe.filter_values and probe.filter_arn is None:
        yield Problem(
            f"{key}.filterValues",
            "has no effect without filterArn; add the filter, or remove filterValues",
        )


def _check_bake_has_alarms(bake: BakeArgs, key: str) -> Iterator[Problem]:
    """Reject a bake without an alarm, which would only delay the run."""
    if not bake.alarms and not bake.create_alarms:
        yield Problem(
            key,
            "has no alarm, so nothing could move a bad version back; list the ARNs of alarms in "
            "alarms, or write 'createAlarms: true'",
        )


def _check_campaign_of_created_alarms(campaign: CampaignArgs, key: str) -> Iterator[Problem]:
    """Require a plain ARN if alarms are created, because their names contain the campaign's."""
    bake = campaign.bake
    if bake and bake.create_alarms and not isinstance(campaign.campaign_arn, str):
        yield Problem(
            f"{key}.campaignArn",
            "is an Output, but bake.createAlarms names the alarms by the campaign; give a plain "
            "ARN, or create the alarms yourself and list them in bake.alarms",
        )


def _check_bake_hours(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Limit each bake to half the time between two runs, because the next run waits for it."""
    if run_times.find_rate_error(args.retraining_rate):
        return

    hours = run_times.find_shortest_interval_seconds(args.retraining_rate) / 2 / SECONDS_PER_HOUR
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    if any(campaign.bake and campaign.bake.hours > hours for campaign in campaigns):
        yield Problem(
            "retrainingRate",
            f"lets a bake take at most {hours:.3g} h, half of the time between two runs; "
            "shorten bake.hours, or let runs start less often",
            args.retraining_rate,
        )


def _check_total_length(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Limit the length of the settings, which must fit into an execution's state."""
    characters = 0
    for solution in args.solutions:
        characters += len(solution.batch_jobs) * CHARACTERS_PER_BATCH_JOB
        characters += sum(
            len(value) for value in _list_long_values(solution) if isinstance(value, str)
        )

    if characters > MAX_LONG_VALUES_CHARACTERS:
        yield Problem(
            "solutions",
            f"has {characters} characters in probes, ARNs of alarms, relativeTo and batch jobs, "
            f"with {CHARACTERS_PER_BATCH_JOB} besides the texts of each batch job; shorten them to "
            f"{MAX_LONG_VALUES_CHARACTERS}",
        )


def _list_long_values(solution: SolutionArgs) -> Iterator[object]:
    """Yield the values that may be long. Some are outputs or None, which have no length."""
    for rule in solution.quality_gate:
        yield rule.relative_to
    for job in solution.batch_jobs:
        yield from (job.input, job.output, job.filter_arn, job.themes)

    for campaign in solution.campaigns:
        if campaign.bake is not None:
            yield from campaign.bake.alarms
        if campaign.probe is not None:
            yield from _list_long_probe_values(campaign.probe)


def _list_long_probe_values(probe: ProbeArgs) -> Iterator[object]:
    yield from (probe.user_id, probe.item_id, *(probe.input_list or ()), probe.filter_arn)
    for values in (probe.filter_values, probe.context):
        yield from (*values, *values.values())


def _check_tags(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Reject tags that AWS refuses, and keys that are reserved for the pipeline."""
    yield from check_role_tags("tags", args.tags)

    for key, value in args.tags.items():
        if key.lower().startswith(RESERVED_TAG_PREFIX):
            yield Problem(
                f"tags.{key}",
                f"has a reserved key; choose one that does not begin with {RESERVED_TAG_PREFIX}",
                value,
            )
        elif not TAG_KEY.fullmatch(key) or not TAG_VALUE.fullmatch(value):
            yield Problem(
                f"tags.{key}",
                "is not a valid AWS tag; write 1 to 128 characters as the key and 1 to 256 as the "
                "value: letters, digits, spaces and _ . : / = + - @",
                value,
            )


def check_role_tags(
    setting: str, tags: Mapping[str, str], other_keys: Iterable[str] = ()
) -> Iterator[Problem]:
    """Find tags on a role that IAM would refuse halfway through a deployment.

    `others` are the keys of the role's other tags:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    role_keys = {other.casefold(): other for other in other_keys}
    for key, value in tags.items():
        similar_key = role_keys.setdefault(key.casefold(), key)
        if similar_key != key:
            yield Problem(
                f"{setting}.{key}",
                f"differs from the tag {similar_key} only in upper and lower case, so IAM refuses "
                "a role with both; remove one of them",
            )

        for part, text in {"key": key, "value": value}.items():
            if text.lower().startswith("aws:"):
                yield Problem(
                    f"{setting}.{key}",
                    f"has a {part} that begins with aws:, which IAM refuses; choose another",
                    value,
                )


def _check_trigger(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Require the settings that `trigger.onExport` needs."""
    if not args.trigger.on_export:
        return

    datasets = args.datasets.configured().values()
    yield from _check_ready_markers([dataset.ready_marker for dataset in datasets])

    if args.solutions and args.limits.max_trainings_per_month is None:
        yield Problem(
            "limits.maxTrainingsPerMonth",
            "missing; trigger.onExport needs it, because the number of exports is not known; set "
            "for example 35, or 0 for no limit",
        )


def _check_ready_markers(markers: Sequence[object]) -> Iterator[Problem]:
    """Require ready markers that contain `{date}` and fit into an event pattern."""
    known_markers = [marker for marker in markers if isinstance(marker, str)]
    if not any(markers) or any(DATE_PLACEHOLDER not in marker for marker in known_markers):
        yield Problem(
            "trigger.onExport",
            "needs a ready marker, whose arrival starts the run, and {date} in every ready marker, "
            "because the day says which exports belong together; set for example "
            "datasets.interactions.readyMarker to 's3://bucket/{date}.SUCCESS'",
        )

    characters = len(json.dumps(build_marker_pattern(known_markers)))
    if characters > MAX_PATTERN_CHARACTERS:
        yield Problem(
            "trigger.onExport",
            f"makes an event pattern of {characters:,} characters from the ready markers, but "
            f"EventBridge accepts {MAX_PATTERN_CHARACTERS:,}; shorten the part of each marker "
            "before {date}, or let the markers share it",
        )


def build_marker_pattern(markers: Sequence[str]) -> Mapping[str, object]:
    """Build an event pattern for objects that may be one of these markers.

    It can't express which dates are right, so `start_on_export` compares the whole key.
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


RULES_BY_CLASS: Mapping[type, Sequence[Callable[[Any, str], Iterator[Problem]]]] = {
    DatasetsArgs: (_check_datasets,),
    SolutionArgs: (_check_approval, _check_quality_gate),
    QualityRuleArgs: (_check_quality_rule,),
    ProbeArgs: (_check_probe,),
    BakeArgs: (_check_bake_has_alarms,),
    CampaignArgs: (_check_campaign_of_created_alarms,),
    RetrainingPipelineArgs: (
        _check_bake_hours,
        _check_locations,
        _check_total_length,
        _check_tags,
        _check_trigger,
    ),
}
"""Dataclass -> the rules for its instances. A rule takes an instance and its key in the config."""
