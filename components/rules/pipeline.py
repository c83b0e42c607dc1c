"""Checks all arguments of a pipeline, and warns about some that are allowed.

`args.py` has the rules of single fields. Here are those that need more than one field.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from ..args import (
    DEFAULT_GATE,
    DatasetArgs,
    DatasetsArgs,
    NotificationsArgs,
    ProbeArgs,
    QualityRuleArgs,
    RetrainingPipelineArgs,
    SolutionArgs,
    config_keys,
)
from . import arns
from .fields import DATE_PLACEHOLDER, MAX_RESULTS, Problem
from .reading import Reader

Rule: TypeAlias = Callable[[Any, str], Iterator[Problem]]
"""A function that yields the problems of an object, or warnings about it. It also gets the key of
the object in the config."""
Rules: TypeAlias = dict[type, list[Rule]]
PROBLEMS: Rules = defaultdict(list)
WARNINGS: Rules = defaultdict(list)
"""Dataclass to its rules. Warnings are for settings that work, but perhaps not as intended."""

MAX_PROBE_CHARACTERS = 5_000
"""The most characters of the ids in all probes together. The state of an execution contains the
probes three times, and has at most 256 KiB (tests/workflow/test_sizes.py)."""
RESERVED_TAGS = "retraining-"
"""The beginning of the keys of the tags that the pipeline itself sets.

A tag on every resource has the name of the pipeline. The tags of jobs are in
`functions/personalize/tags.py`.
"""
TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
TAG_VALUE = re.compile(r"[\w .:/=+\-@]{1,256}")
"""A value that AWS allows. EventBridge Scheduler refuses an empty value."""
ENCRYPTED = (
    "is encrypted, but the state machine shows this setting to everyone who may read it; "
    "set it again with pulumi config set --plaintext -s <stack>"
)


class Checked(NamedTuple):
    """The arguments of a pipeline, with what was found out about them."""

    args: RetrainingPipelineArgs
    """The arguments without the settings that could not be read."""
    problems: list[Problem]
    """All problems, in the order of their keys. The arguments may be used if there are none."""
    warnings: list[Problem]
    """All warnings, if there are no problems."""
    regions: set[str]
    """The regions of the ARNs whose values are known."""


def check(
    given: RetrainingPipelineArgs | Mapping[str, object],
    *,
    region: str | None = None,
    secrets: Collection[str] = (),
) -> Checked:
    """Check arguments, or a config with keys in camelCase. Nothing calls AWS.

    `region` is the region of the stack, and `secrets` are the keys whose values are encrypted.
    Inputs that are not known yet are not checked: to check them, pass the result of `resolved()`.
    """
    if isinstance(given, Mapping):
        given = {key: value for key, value in given.items() if key not in secrets}
    reader = Reader(unread=[Problem(key, ENCRYPTED) for key in secrets])
    args = reader.read(RetrainingPipelineArgs, given, "")
    broken = {problem.key for problem in reader.broken}
    found = [*_found(PROBLEMS, reader), *arns.problems(reader.arns, region)]
    # A setting that could not be read was checked as missing, so its other problems are wrong.
    problems = [
        problem
        for problem in (*reader.broken, *(each for each in found if each.key not in broken))
        if not any(_overlap(problem.key, unread.key) for unread in reader.unread)
    ]
    problems = sorted([*reader.unread, *problems], key=lambda problem: problem.key)
    return Checked(
        args,
        problems,
        warnings=[] if problems else [*reader.warnings, *_found(WARNINGS, reader)],
        regions={setting.arn.region for setting in reader.arns if setting.arn.region},
    )


def _found(rules: Rules, reader: Reader) -> Iterator[Problem]:
    """Yield what the rules find in all objects that were read."""
    for key, found in reader.objects:
        for rule in rules[type(found)]:
            yield from rule(found, key)


def _overlap(first_key: str, second_key: str) -> bool:
    """Return True if two keys are equal, or if one setting contains the other.

    For example, `solutions[0]` contains `solutions[0].campaigns`.
    """
    outer, inner = sorted((first_key, second_key), key=len)
    return outer == inner or inner.startswith((f"{outer}.", f"{outer}["))


def _rule(rules: Rules, cls: type) -> Callable[[Rule], Rule]:
    """Return a decorator that adds a rule of a dataclass to the rules."""

    def add(rule: Rule) -> Rule:
        rules[cls].append(rule)
        return rule

    return add


@_rule(PROBLEMS, DatasetsArgs)
def _check_datasets(datasets: DatasetsArgs, key: str) -> Iterator[Problem]:
    """Check that there is a dataset, and that each has an ARN of its type and its own location."""
    if not datasets.configured():
        yield Problem(
            key, f"missing; configure at least one of {', '.join(config_keys(DatasetsArgs))}"
        )
    first_keys: dict[object, str] = {}
    for name, dataset in datasets.configured().items():
        location_key = f"{key}.{name}.dataLocation"
        arn, location = dataset.dataset_arn, dataset.data_location
        type_ = arns.dataset_type(name)
        if isinstance(arn, str) and not arns.DATASET(arn) and not arn.endswith(f"/{type_}"):
            right = f"{arn.rpartition('/')[0]}/{type_}"
            message = f"is not the ARN of the {type_} dataset; name it, '{right}'"
            yield Problem(f"{key}.{name}.datasetArn", message, arn)
        first_key = first_keys.setdefault(location, location_key)
        if location and first_key != location_key:
            message = (
                f"is also {first_key}, so each dataset would get the rows of both; give each "
                "dataset a location of its own"
            )
            yield Problem(location_key, message, location)


@_rule(PROBLEMS, DatasetsArgs)
def _check_folders(datasets: DatasetsArgs, key: str) -> Iterator[Problem]:
    """Check that no location and no marker lies in the folder of a dataset.

    A file in the folder would be imported into that dataset. A file in a subfolder would not, but
    each run would warn about it.
    """
    folders = {
        f"{key}.{name}.dataLocation": dataset.data_location
        for name, dataset in datasets.configured().items()
        if isinstance(dataset.data_location, str) and dataset.data_location.endswith("/")
    }
    for name, dataset in datasets.configured().items():
        for field, location in (
            ("dataLocation", dataset.data_location),
            ("readyMarker", dataset.ready_marker),
        ):
            for folder_key, folder in folders.items():
                if isinstance(location, str) and location != folder and location.startswith(folder):
                    message = f"lies inside {folder_key}; move it out of '{folder}'"
                    yield Problem(f"{key}.{name}.{field}", message, location)


@_rule(WARNINGS, DatasetArgs)
def _warn_about_repeated_files(dataset: DatasetArgs, key: str) -> Iterator[Problem]:
    """Warn about an INCREMENTAL import from the same location in every run."""
    location = dataset.data_location
    if dataset.import_mode != "INCREMENTAL" or not isinstance(location, str):
        return
    if DATE_PLACEHOLDER not in location:
        example = f"{location.rpartition('/')[0]}/{DATE_PLACEHOLDER}/"
        message = (
            "is the same location for every run, and INCREMENTAL would import the same files "
            "twice, so every run that finds old files is refused; export to a new location each "
            f"day, for example '{example}'"
        )
        yield Problem(f"{key}.dataLocation", message, location)


@_rule(PROBLEMS, SolutionArgs)
def _check_full_every(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Check that `fullEvery` is set only with UPDATE trainings."""
    if solution.full_every and solution.training_mode == "FULL":
        message = "has an effect only with trainingMode UPDATE; leave it out, or set that mode"
        yield Problem(f"{key}.fullEvery", message, solution.full_every)


@_rule(PROBLEMS, SolutionArgs)
def _check_gate(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Check that an enabled gate has a rule, and that each metric has only one."""
    if solution.quality_gate_enabled and not solution.quality_gate:
        message = (
            "an empty list; add a rule, or write 'qualityGateEnabled: false' to deploy every new "
            "version"
        )
        yield Problem(f"{key}.qualityGate", message)
    first_keys: dict[str, str] = {}
    for index, rule in enumerate(solution.quality_gate):
        metric_key = f"{key}.qualityGate[{index}].metric"
        first_key = first_keys.setdefault(rule.metric, metric_key)
        if first_key != metric_key:
            message = f"already has a rule in {first_key}; combine both rules into one"
            yield Problem(metric_key, message, rule.metric)


@_rule(WARNINGS, SolutionArgs)
def _warn_without_campaigns(solution: SolutionArgs, key: str) -> Iterator[Problem]:
    """Warn about a gate or an approval of a solution without campaigns."""
    has_gate = solution.quality_gate_enabled and solution.quality_gate != DEFAULT_GATE
    for name, is_set in (("qualityGate", has_gate), ("approval", solution.approval)):
        if is_set and not solution.campaigns:
            message = (
                "has no effect, because only campaigns get a new version and this solution has "
                "none; add campaigns or leave it out"
            )
            yield Problem(f"{key}.{name}", message)


@_rule(PROBLEMS, QualityRuleArgs)
def _check_thresholds(rule: QualityRuleArgs, key: str) -> Iterator[Problem]:
    """Check that a rule of a gate has a threshold."""
    if rule.max_drop is None and rule.minimum is None:
        message = "has no threshold; give maxDrop, minimum or both, as in 'maxDrop: 0.25'"
        yield Problem(key, message)


@_rule(PROBLEMS, ProbeArgs)
def _check_request(probe: ProbeArgs, key: str) -> Iterator[Problem]:
    """Check that a probe makes one request, and expects no more items than its list has."""
    given = {"userId": probe.user_id, "itemId": probe.item_id, "inputList": probe.input_list}
    names = [name for name, value in given.items() if value is not None]
    if names not in (["userId"], ["itemId"], ["userId", "inputList"]):
        message = (
            f"has {' and '.join(names) or 'nothing'} to request; set only userId, itemId, or "
            "userId with an inputList"
        )
        yield Problem(key, message)
    most = len(probe.input_list or ()) or MAX_RESULTS
    if most < probe.min_results <= MAX_RESULTS:
        message = f"is more than the inputList has; expected at most {most}"
        yield Problem(f"{key}.minResults", message, probe.min_results)


@_rule(PROBLEMS, NotificationsArgs)
def _check_emails(notifications: NotificationsArgs, key: str) -> Iterator[Problem]:
    """Check that each address is listed once."""
    for index, address in enumerate(notifications.emails):
        if address in notifications.emails[:index]:
            message = "is listed twice; leave one of them out"
            yield Problem(f"{key}.emails[{index}]", message, address)


@_rule(PROBLEMS, RetrainingPipelineArgs)
def _check_size_of_probes(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Check that the ids in all probes together fit into the state of an execution."""
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    probes = [campaign.probe for campaign in campaigns if campaign.probe is not None]
    ids = [
        each
        for probe in probes
        for each in (probe.user_id, probe.item_id, *(probe.input_list or ()))
        if each
    ]
    characters = sum(map(len, ids))
    if characters > MAX_PROBE_CHARACTERS:
        message = (
            f"has {characters} characters in the ids of all probes; shorten them to "
            f"{MAX_PROBE_CHARACTERS} together"
        )
        yield Problem("solutions", message)


@_rule(PROBLEMS, RetrainingPipelineArgs)
def _check_tags(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Check that AWS accepts each tag, and that the pipeline does not reserve its key."""
    first_spellings: dict[str, str] = {}
    for key, value in args.tags.items():
        first_spelling = first_spellings.setdefault(key.lower(), key)
        message = None
        if key.lower().startswith(("aws:", RESERVED_TAGS)):
            message = (
                f"has a reserved key; choose one that begins with neither aws: nor {RESERVED_TAGS}"
            )
        elif first_spelling != key:
            message = (
                f"differs from tags.{first_spelling} only in upper and lower case; remove one of "
                "them, because IAM allows only one"
            )
        elif not TAG_KEY.fullmatch(key) or not TAG_VALUE.fullmatch(value):
            message = (
                "is not a tag of AWS; write 1 to 128 characters as the key and 1 to 256 as the "
                "value: letters, digits, spaces and _ . : / = + - @"
            )
        if message:
            yield Problem(f"tags.{key}", message, value)


@_rule(PROBLEMS, RetrainingPipelineArgs)
def _check_trigger(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Check the settings that a run on the arrival of an export needs."""
    if not args.trigger.on_export:
        return
    datasets = args.datasets.configured()
    markers = {key: dataset.ready_marker for key, dataset in datasets.items()}
    if not any(markers.values()):
        message = (
            "needs a ready marker, whose arrival starts the run; set for example "
            "datasets.interactions.readyMarker to 's3://bucket/{date}.SUCCESS'"
        )
        yield Problem("trigger.onExport", message)
    for key, marker in markers.items():
        if isinstance(marker, str) and DATE_PLACEHOLDER not in marker:
            message = (
                "needs {date} with trigger.onExport, because the day in the marker says which "
                "exports belong together; write for example 's3://bucket/{date}.SUCCESS'"
            )
            yield Problem(f"datasets.{key}.readyMarker", message, marker)
    if args.limits.max_trainings_per_month is None:
        message = (
            "missing; trigger.onExport needs it, because the number of exports is not known; set "
            "for example 35, or 0 for no limit"
        )
        yield Problem("limits.maxTrainingsPerMonth", message)


@_rule(WARNINGS, RetrainingPipelineArgs)
def _warn_about_timezone(args: RetrainingPipelineArgs, _key: str) -> Iterator[Problem]:
    """Warn about a time zone without a cron."""
    is_set = args.timezone != RetrainingPipelineArgs.timezone
    if is_set and not args.schedule_expression.startswith("cron("):
        message = (
            f"has no effect with the rate '{args.retraining_rate}', which counts from the "
            "deployment; set a cron as retrainingRate to run at a local time, or leave timezone out"
        )
        yield Problem("timezone", message, args.timezone)
