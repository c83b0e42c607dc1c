"""Draw what happens in and around several slots. `storytelling.py` makes it happen."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from components.state_machine.steps import STEPS
from emulator.personalize import Switches
from tests.world import HOUR

WEEK = 7 * 24 * HOUR
READS = (
    "DescribeCampaign",
    "DescribeDatasetImportJob",
    "DescribeSolutionVersion",
    "GetSolutionMetrics",
    "ListDatasetImportJobs",
    "ListSolutionVersions",
    "ListTagsForResource",
)
WRITES = (
    "CreateDatasetImportJob",
    "CreateSolutionVersion",
    "StopSolutionVersionCreation",
    "TagResource",
    "UpdateCampaign",
)
CALLS = (*READS, *WRITES, "GetRecommendations")
LISTS = ("ListDatasetImportJobs", "ListSolutionVersions")
EXECUTION_LISTS = ("DescribeExecution", "ListExecutions")
DATASETS = ("interactions", "items")
SOLUTIONS = ("taste", "novel")
CAMPAIGNS = ("home", "shelf", "page")
JOBS = ("dataset-import-job", "solution-version", "campaign-update")
FUNCTIONS = tuple(step for step in STEPS if step != "close_run")
LAST_SECOND = 4000
"""The end of the time in which things happen after a slot. A run takes about half of it."""
IMPORTED_SECOND = 720
"""About the second at which the imports of a run have ended. Half of the things happen before."""


class Happening(NamedTuple):
    """One thing that happens `seconds` after the start of a slot, or before it if negative.

    `where` is an operation, a kind of job, a function, a dataset, a solution or a campaign. `kind`
    says which of them. `times` is how often it happens.
    """

    kind: str
    where: str
    seconds: int = 0
    times: int = 1


Slot = tuple[Happening, ...]

PLACES: Mapping[str, Iterable[str]] = {
    # What goes wrong in the services
    "throttle": CALLS,
    "server-error": CALLS,
    "deny": CALLS,
    "lost": WRITES,
    "old-list": LISTS,
    "old-executions": EXECUTION_LISTS,
    "too-many-tags": ("TagResource",),
    "no-tags-for-hours": ("TagResource",),
    "full": ("CreateDatasetImportJob", "CreateSolutionVersion"),
    "in-use": ("CreateDatasetImportJob", "CreateSolutionVersion"),
    "no-item-list": CAMPAIGNS,
    "fail": JOBS,
    "fail-one": SOLUTIONS,
    "late": JOBS,
    "hang": ("solution-version",),
    # What goes wrong in the functions and executions
    "killed": FUNCTIONS,
    "killed-before": FUNCTIONS,
    "twice": FUNCTIONS,
    "abort": ("execution",),
    "time-out": ("execution",),
    # What other programs and people do
    "upload": DATASETS,
    "upload-same": DATASETS,
    "foreign-import": DATASETS,
    "foreign-training": SOLUTIONS,
    "automatic-training": SOLUTIONS,
    "move": CAMPAIGNS,
    "probe-fault": CAMPAIGNS,
    "configure": SOLUTIONS,
    "duplicate": ("schedule",),
    "run": ("manual", "force"),
    "recreate": ("stack",),
}
"""The places of each kind of happening."""
RARE_PLACES: Mapping[str, Iterable[str]] = {
    "follow-latest": CAMPAIGNS,
    "run-day": ("1", "2", "3"),
    "run-update": ("manual",),
}
"""The places of the kinds that few pipelines meet: a person lets a campaign follow `$LATEST`,
brings back the exports of some slots ago, or trains UPDATE."""
RARE_PROBABILITY = 0.08
"""The probability of each rare kind in a slot."""
STAY_PROBABILITY = 0.3
"""The probability that the campaigns stay at their versions again from a slot on."""
EARLY = ("old-list", "old-executions", "fail", "fail-one", "late", "hang", "full", "in-use")
"""The kinds that wait for a call or job, so they happen at the start of the slot."""

BY_HAND = ("move", "run", "recreate")
"""The kinds in which a person uses the pipeline or its campaigns."""
HARD = {
    "abort",
    "deny",
    "fail",
    "fail-one",
    "foreign-import",
    "hang",
    "late",
    "no-tags-for-hours",
    "time-out",
    "too-many-tags",
    "upload",
    "upload-same",
}
"""The kinds after which a person accepts that a run has not trained."""


def draw_story(seed: int, slots: int, *, at_most: int, daily: Collection[str] = ()) -> list[Slot]:
    """Draw a story of several slots, with at most so many things that go wrong in each of them.

    Most slots bring new data. Some bring data from which a model learns nothing. The `daily`
    datasets have an export in each slot with data. A slot may also have rare happenings.
    """
    random, rare = Random(seed), Random(f"rare {seed}")  # noqa: S311 - a reproducible story
    return [
        (*_draw_slot(random, at_most, daily), *_draw_rare_happenings(rare)) for _ in range(slots)
    ]


def _draw_slot(random: Random, at_most: int, daily: Collection[str]) -> Slot:
    happenings = [
        _draw(random, kind) for kind in random.sample(list(PLACES), random.randint(0, at_most))
    ]
    data = random.choice(("both", "both", "both", "interactions", "worse", "none"))
    exports = _new_data(data, () if data == "none" else daily)
    return (*exports, *sorted(happenings, key=lambda item: item.seconds))


def _draw_rare_happenings(random: Random) -> list[Happening]:
    stay = [Happening("stay", name, -HOUR) for name in CAMPAIGNS]
    return [
        *(stay if random.random() < STAY_PROBABILITY else ()),
        *(_draw(random, kind) for kind in RARE_PLACES if random.random() < RARE_PROBABILITY),
    ]


def quiet_slots(daily: Collection[str]) -> list[Slot]:
    """Return the slots at the end of each story, in which nothing goes wrong.

    The first one has new data, and before it a person corrects the campaigns that follow $LATEST.
    In the second one only the daily exports are new.
    """
    stay = [Happening("stay", name, -HOUR) for name in CAMPAIGNS]
    return [(*_new_data("both"), *stay), tuple(_new_data("none", daily))]


def _draw(random: Random, kind: str) -> Happening:
    seconds = (
        0 if kind in EARLY else random.randint(0, random.choice((IMPORTED_SECOND, LAST_SECOND)))
    )
    if kind == "recreate":
        seconds = -2 * HOUR
    places = tuple({**PLACES, **RARE_PLACES}[kind])
    return Happening(kind, random.choice(places), seconds, random.randint(1, 3))


def _new_data(data: str, daily: Collection[str] = ()) -> list[Happening]:
    """Return the uploads before a slot: `data`, and the other exports of the day."""
    datasets = {"both": DATASETS, "interactions": DATASETS[:1], "worse": (), "none": ()}[data]
    worse = [Happening("worse-data", "interactions", -HOUR)] if data == "worse" else []
    uploaded = {*datasets, *(happening.where for happening in worse)}
    missing = [dataset for dataset in daily if dataset not in uploaded]
    return worse + [Happening("upload", dataset, -HOUR) for dataset in (*datasets, *missing)]


def draw_weeks(seed: int, weeks: int, *, probability: float) -> list[Slot]:
    """Draw so many slots that nobody touches, with new data in each of them.

    Each kind of happening has this probability in each slot, but no person uses the pipeline.
    """
    random = Random(seed)  # noqa: S311 - a reproducible story
    kinds = [kind for kind in PLACES if kind not in BY_HAND]
    return [
        (
            *_new_data("both"),
            *(_draw(random, kind) for kind in kinds if random.random() < probability),
        )
        for _ in range(weeks)
    ]


def draw_switches(seed: int) -> Switches:
    """Draw how Personalize behaves where its documentation says nothing."""
    random = Random(seed)  # noqa: S311 - a reproducible story
    return Switches(
        unique_version_names=random.random() < 0.5,
        update_visible_after=random.choice((0, 30, 60)),
        update_keeps_settings=random.random() < 0.5,
        underscore_in_stop_status=random.random() < 0.5,
        import_reads=random.choice(("start", "end")),
        list_order=random.choice(("oldest first", "newest first", "shuffled")),
    )


FAULTS: Mapping[str, Callable[[Happening], dict[str, object]]] = {
    "throttle": lambda h: {"fault": "throttle", "operation": h.where, "times": h.times},
    "server-error": lambda h: {"fault": "server-error", "operation": h.where, "times": h.times},
    "deny": lambda h: {"fault": "deny", "operation": h.where, "times": h.times},
    "lost": lambda h: {"fault": "lost-answer", "operation": h.where, "times": h.times},
    "old-list": lambda h: {
        "fault": "stale",
        "operation": h.where,
        "seconds": 85,
        "times": None,
        "rate": 0.5,
    },
    "too-many-tags": lambda h: {"fault": "too-many-tags", "operation": h.where, "times": h.times},
    "full": lambda h: {"fault": "limit-exceeded", "operation": h.where, "times": h.times},
    "in-use": lambda h: {"fault": "resource-in-use", "operation": h.where, "times": h.times},
    "fail": lambda h: {"fault": "fail", "job": h.where},
    "late": lambda h: {"fault": "take", "job": h.where, "seconds": 3 * HOUR},
    "hang": lambda h: {"fault": "hang", "job": h.where},
}
"""The fault of the Personalize emulator for each kind of happening that is one."""
WEATHER: Sequence[Mapping[str, object]] = (
    {"fault": "throttle", "operation": "*", "times": None, "rate": 0.01},
    {"fault": "server-error", "operation": "*", "times": None, "rate": 0.003},
    *(
        {"fault": "lost-answer", "operation": operation, "times": None, "rate": 0.02}
        for operation in WRITES
    ),
    *(
        {"fault": "stale", "operation": operation, "times": None, "rate": 0.1, "seconds": 85}
        for operation in LISTS
    ),
)
"""Faults that may happen to every call, at a low rate."""
