"""Checks a pipeline's arguments, and has the rules that involve several settings.

The rules for single settings are declared in `args.py`.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..args import (
    MAX_BAKE_HOURS,
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
    config = to_config(args_or_config, keep_none=False)
    args = reader.read(RetrainingPipelineArgs, config, key="")

    problems = [
        *reader.problems,
        *arns.find_inconsistencies(reader.arns),
        *_check_baselines(reader),
    ]
    for key, instance in reader.objects:
        for rule in RULES_BY_CLASS.get(type(instance), ()):
            problems += rule(instance, key)

    return CheckedArgs(
        args,
        sorted(problems, key=lambda problem: problem.key),
        regions={setting.arn.region for setting in reader.arns if setting.arn.region},
    )


def _check_datasets(datasets: DatasetsArgs, key: str) -> Iterator[Problem]:
    """Require that each dataset's ARN and settings fit its type."""
    for name, dataset in datasets.configured().items():
        yield from _check_dataset_type(dataset.dataset_arn, name, f"{key}.{name}.datasetArn")

        if name not in EVENT_DATASETS and (dataset.max_event_age or dataset.strict_events):
            yield Problem(f"{key}.{name}", "has no events; remove maxEventAge and strictEvents")


def _check_dataset_count(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Require a dataset, unless Personalize trains all solutions from what applications stream."""
    if args.datasets.configured() or args.trains_nothing:
        return

    keys = ", ".join(list_config_keys(DatasetsArgs))
    yield Problem(
        "datasets",
        f"has no dataset; configure at least one of {keys}, or let Personalize train every "
        "solution (trainedBy)",
    )


def _check_import_role(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Report a role for imports if there are none."""
    if args.import_role_arn is not None and not args.datasets.configured():
        yield Problem("importRoleArn", "has no effect without a dataset; remove it")


def _check_training(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Report settings for trainings that runs never start."""
    if solution.trained_by == "personalize" and solution.training_mode != "FULL":
        yield Problem(
            f"{key}.trainingMode",
            "has no effect, because Personalize trains the solution; remove it",
        )


def _check_dataset_type(dataset_arn: object, name: str, key: str) -> Iterator[Problem]:
    """Require that a dataset's ARN ends with the type that it is configured as."""
    if not isinstance(dataset_arn, str):
        # It's an output, whose value isn't known yet.
        return

    if arns.DATASET(dataset_arn) is not None:
        # It isn't a dataset's ARN at all, which the setting's own rule has reported.
        return

    group, _, actual_type = dataset_arn.rpartition("/")
    expected_type = arns.to_dataset_type(name)
    if actual_type != expected_type:
        right_arn = f"{group}/{expected_type}"
        yield Problem(
            key,
            f"is not the ARN of the {expected_type} dataset; expected '{right_arn}'",
            dataset_arn,
        )


def _check_quality_gate(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Report an enabled gate without a rule, which would let every version pass."""
    if solution.quality_gate_enabled and not solution.quality_gate:
        yield Problem(
            f"{key}.qualityGate",
            "is empty; add a rule, or write 'qualityGateEnabled: false' to deploy every new "
            "version",
        )


def _check_approval(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Report an approval for batch jobs alone, because nobody would be asked for it."""
    if solution.approval and solution.batch_jobs and not solution.campaigns:
        yield Problem(
            f"{key}.approval",
            "has no effect on batch jobs without a campaign; add a campaign or remove it",
        )


def _check_locations(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Report locations whose files another import or batch job would read or replace."""
    exports = {}
    markers = {}
    for name, dataset in args.datasets.configured().items():
        exports[f"datasets.{name}.dataLocation"] = dataset.data_location
        markers[f"datasets.{name}.readyMarker"] = dataset.ready_marker

    inputs = {}
    outputs = {}
    for solution_index, solution in enumerate(args.solutions):
        for job_index, job in enumerate(solution.batch_jobs):
            key = f"solutions[{solution_index}].batchJobs[{job_index}]"
            inputs[f"{key}.input"] = job.input
            outputs[f"{key}.output"] = job.output

    # All files in a dataLocation are imported, and a file in a subfolder is refused.
    all_locations = {**exports, **markers, **inputs, **outputs}
    yield from _find_nested_locations(all_locations, exports, _is_in_location)
    # A batch job would take the results of another one for its input.
    yield from _find_nested_locations(outputs, inputs, _is_read_by_batch_job)
    # Two batch jobs with the same output would replace each other's results.
    yield from _find_nested_locations(outputs, outputs, _is_in_location)


def _find_nested_locations(
    inner_locations: Mapping[str, object],
    outer_locations: Mapping[str, object],
    is_inside: Callable[[str, str], bool],
) -> Iterator[Problem]:
    """Report each inner location that is inside an outer one, if both are known."""
    for outer_key, outer in _select_known_locations(outer_locations).items():
        for inner_key, inner in _select_known_locations(inner_locations).items():
            if inner_key != outer_key and is_inside(inner, outer):
                yield Problem(inner_key, f"lies in {outer_key}; move it elsewhere", inner)


def _select_known_locations(locations: Mapping[str, object]) -> dict[str, str]:
    """Leave out optional locations that aren't set, and outputs that aren't known yet."""
    return {key: location for key, location in locations.items() if isinstance(location, str)}


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
    """Report a quality rule without a threshold, or with a setting that has no effect."""
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
    """Report each baseline that isn't another solution of the stack.

    A run trains only the stack's solutions. So it would find no version of any other baseline that
    was trained on the same imports.
    """
    if not _are_all_solutions_known(reader):
        # The baseline may be one of the unknown solutions.
        return

    key_by_solution = {arn: key for key, arn in reader.arns if key.endswith(".solutionArn")}
    arns_trained_by_personalize = [
        args.solution_arn
        for _, args in reader.objects
        if isinstance(args, SolutionArgs) and args.trained_by == "personalize"
    ]
    for key, arn in reader.arns:
        if not key.endswith(arns.BASELINE_KEY_ENDING):
            continue

        # The key is like solutions[0].qualityGate[1].relativeTo.
        solution_key = key.partition(".")[0]
        own_arn_key = f"{solution_key}.solutionArn"
        if key_by_solution.get(arn) in (None, own_arn_key):
            yield Problem(
                key,
                "is not another solution of this stack; add it to solutions, so that each run "
                "trains it on the same imports",
                str(arn),
            )
        elif str(arn) in arns_trained_by_personalize:
            yield Problem(
                key,
                "is trained by Personalize, but a baseline has to be trained after each import; "
                "let the pipeline train it",
                str(arn),
            )


def _are_all_solutions_known(reader: ArgsReader) -> bool:
    """Return False if a solution couldn't be read, or if its ARN isn't known yet."""
    if any(problem.key.startswith("solutions[") for problem in reader.problems):
        return False

    solutions = [args for _, args in reader.objects if isinstance(args, SolutionArgs)]
    return all(isinstance(solution.solution_arn, str) for solution in solutions)


def _check_probe(probe: ProbeArgs, key: str) -> Iterator[Problem]:
    """Report settings of a probe that contradict each other."""
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
    """Report a bake without an alarm, which would only delay the run."""
    if not bake.alarms and not bake.create_alarms:
        yield Problem(
            key,
            "has no alarm, so nothing could move a bad version back; list the ARNs of alarms in "
            "alarms, or write 'createAlarms: true'",
        )


def _check_arn_for_created_alarms(campaign: CampaignArgs, key: str) -> Iterator[Problem]:
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
    if run_times.find_rate_error(args.retraining_rate) is not None:
        # The rate's own rule has reported it.
        return

    interval_seconds = run_times.find_shortest_interval_seconds(args.retraining_rate)
    max_hours = interval_seconds / SECONDS_PER_HOUR / 2
    if args.trains_nothing:
        # A run that meets an older one ends at once.
        max_hours = max(max_hours, MAX_BAKE_HOURS)
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    if any(campaign.bake and campaign.bake.hours > max_hours for campaign in campaigns):
        yield Problem(
            "retrainingRate",
            f"lets a bake take at most {max_hours:.3g} h, half of the time between two runs; "
            "shorten bake.hours, or let runs start less often",
            args.retraining_rate,
        )


def _check_total_length(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Limit the length of the settings, which must fit into an execution's state."""
    characters = 0
    for solution in args.solutions:
        characters += len(solution.batch_jobs) * CHARACTERS_PER_BATCH_JOB
        for value in _list_unlimited_values(solution):
            if isinstance(value, str):
                characters += len(value)

    if characters > MAX_LONG_VALUES_CHARACTERS:
        yield Problem(
            "solutions",
            f"has {characters} characters in probes, ARNs of alarms, relativeTo and batch jobs, "
            f"with {CHARACTERS_PER_BATCH_JOB} besides the texts of each batch job; shorten them to "
            f"{MAX_LONG_VALUES_CHARACTERS}",
        )


def _list_unlimited_values(solution: SolutionArgs) -> Iterator[object]:
    """Yield the values that have no limit of their own, but share the limit of all solutions.

    The caller skips None, and outputs, whose text isn't known yet.
    """
    for rule in solution.quality_gate:
        yield rule.relative_to
    for job in solution.batch_jobs:
        yield from (job.input, job.output, job.kms_key_arn, job.filter_arn, job.themes)

    for campaign in solution.campaigns:
        if campaign.bake is not None:
            yield from campaign.bake.alarms
        if campaign.probe is not None:
            yield from _list_unlimited_probe_values(campaign.probe)


def _list_unlimited_probe_values(probe: ProbeArgs) -> Iterator[object]:
    """Yield a probe's text: IDs, the ARN of its filter, and names and values of parameters."""
    yield from (probe.user_id, probe.item_id, probe.filter_arn)
    yield from probe.input_list or ()
    for parameters in (probe.filter_values, probe.context):
        yield from parameters.keys()
        yield from parameters.values()


def _check_tags(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Report tags that AWS refuses, and keys that are reserved for the pipeline."""
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
    """Report tags on a role that IAM would refuse halfway through a deployment.

    `other_keys` are the keys of the role's other tags. To IAM, keys that differ only in case are
    the same: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
    """
    role_keys = {other_key.casefold(): other_key for other_key in other_keys}
    for key, value in tags.items():
        similar_key = role_keys.setdefault(key.casefold(), key)
        if similar_key != key:
            yield Problem(
                f"{setting}.{key}",
                f"differs from the tag {similar_key} only in upper and lower case, so IAM refuses "
                "a role with both; remove one of them",
            )

        for part, text in (("key", key), ("value", value)):
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
    has_marker = any(markers)
    have_dates = all(DATE_PLACEHOLDER in marker for marker in known_markers)
    if not has_marker or not have_dates:
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

    The pattern compares only the part of a key before `{date}`, so `start_on_export` still has to
    compare the whole key.
    """
    buckets = set()
    prefixes = set()
    for marker in markers:
        bucket, _, key = marker.removeprefix("s3://").partition("/")
        buckets.add(bucket)
        prefixes.add(key.partition(DATE_PLACEHOLDER)[0])

    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": sorted(buckets)},
            "object": {"key": [{"prefix": prefix} for prefix in sorted(prefixes)]},
        },
    }


RULES_BY_CLASS: Mapping[type, Sequence[Callable[[Any, str], Iterator[Problem]]]] = {
    DatasetsArgs: (_check_datasets,),
    SolutionArgs: (_check_approval, _check_quality_gate, _check_training),
    QualityRuleArgs: (_check_quality_rule,),
    ProbeArgs: (_check_probe,),
    BakeArgs: (_check_bake_has_alarms,),
    CampaignArgs: (_check_arn_for_created_alarms,),
    RetrainingPipelineArgs: (
        _check_bake_hours,
        _check_dataset_count,
        _check_import_role,
        _check_locations,
        _check_total_length,
        _check_tags,
        _check_trigger,
    ),
}
"""Dataclass -> the rules for its instances. A rule takes an instance and its key in the config."""
