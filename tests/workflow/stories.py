"""Draw a pipeline, and what happens in and around several of its slots."""

from collections.abc import Mapping, Sequence
from random import Random

from components.args import LimitsArgs
from emulator.personalize import Switches
from tests.workflow.storytelling import (
    CAMPAIGNS,
    CREATES,
    DATASETS,
    DEATHS,
    FAULTS,
    FUNCTIONS,
    HAPPENINGS,
    JOBS,
    LISTS,
    PROBE,
    WRITES,
    Happening,
    Slot,
)
from tests.world import HOUR, MOVIES, DatasetGroup, campaign, solution

HOME, SHELF, PAGE = CAMPAIGNS
GROUP = (
    MOVIES.with_datasets(*DATASETS)
    .with_solutions(
        solution(
            "taste", campaigns=[campaign(HOME, user_id="u1", min_results=1, minutes=5), SHELF]
        ),
        solution("novel", campaigns=[campaign(PAGE, user_id="u3", min_results=1, minutes=5)]),
    )
    .with_options(
        limits=LimitsArgs(
            max_import_hours=1,
            max_training_hours=2,
            max_campaign_hours=1,
            max_trainings_per_month=0,
        )
    )
)
"""The pipeline of the stories. One of its campaigns has no probe."""
DAILY_GROUP = GROUP.with_dataset(
    "interactions",
    data_location="s3://exports/{date}/interactions.csv",
    import_mode="INCREMENTAL",
)
"""A pipeline that appends the interactions of each day."""

LAST_SECOND = 4000
"""The end of the time in which things happen after a slot. A run takes about half of it."""
IMPORTED_SECOND = 720
"""About the second at which the imports of a run have ended. Half of the things happen before."""
MOMENTS = (*CREATES, "TagResource", "UpdateCampaign", "UpdateCampaign", PROBE)
"""The calls after which things happen."""
DELAYS = (1, 1, 20, 300)
"""The seconds between such a call and what happens."""
OFTEN = ("abort", "killed", "lost")
"""The kinds of which a deck has three cards."""
SHARES = 4
"""The number of stories among which a deck of happenings is dealt."""
NOT_DAILY = ("upload", "upload-same", "worse-data", "foreign-import")
"""The kinds after which a person has to clear up if the dataset grows by appended exports."""
BEFORE = {"recreate": -2 * HOUR, "worse-data": 1 - HOUR}
"""The seconds at which some kinds happen before a slot."""
BY_HAND = ("move", "run", "recreate")
"""The kinds in which a person uses the pipeline or its campaigns."""
HARD = {
    *("abort", "deny", "deny-for-hours", "fail", "foreign-import", "hang", "late", "no-memory"),
    *("stop", "time-out", "too-many-tags", "upload", "upload-same", "worse-data"),
}
"""The kinds after which a person accepts that a run has not trained."""
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


def group_of(seed: int) -> DatasetGroup:
    """Return the pipeline of a story."""
    return DAILY_GROUP if seed % 5 == 1 else GROUP


def draw_story(seed: int, slots: int) -> list[Slot]:
    """Draw a story of several slots, and two quiet slots in which nothing goes wrong.

    Every four stories share a deck with all kinds of happenings, so each kind is in one of them.
    Most slots bring new data.
    """
    random = Random(seed)  # noqa: S311 - a reproducible story
    happenings: list[list[Happening]] = [[] for _ in range(slots)]
    is_daily = group_of(seed) is DAILY_GROUP
    for kind, where in _deck(seed // SHARES)[seed % SHARES :: SHARES]:
        if not (is_daily and kind in NOT_DAILY):
            random.choice(happenings).append(_draw(random, kind, where))
    story = []
    for slot in happenings:
        data = random.choice((*DATASETS, "none", *["both"] * 5))
        story.append([*_new_data(data, is_daily=is_daily and data != "none"), *slot])
    return [*story, _new_data("both"), _new_data("none", is_daily=is_daily)]


def draw_weeks(seed: int, weeks: int, *, probability: float) -> list[Slot]:
    """Draw so many slots that nobody touches, with new data in each of them.

    Each kind of happening has this probability in each slot, but no person uses the pipeline.
    """
    random = Random(seed)  # noqa: S311 - a reproducible story
    kinds = [kind for kind in HAPPENINGS if kind not in BY_HAND]
    return [
        [
            *_new_data("both"),
            *(
                _draw(random, kind, random.choice(HAPPENINGS[kind][0]))
                for kind in kinds
                if random.random() < probability
            ),
        ]
        for _ in range(weeks)
    ]


def draw_switches(seed: int) -> Switches:
    """Draw how Personalize behaves where its documentation says nothing."""
    random = Random(seed)  # noqa: S311 - a reproducible story
    return Switches(
        unique_version_names=random.random() < 0.5,
        update_visible_after=random.choice((0, 30, 90)),
        update_keeps_settings=random.random() < 0.5,
        underscore_in_stop_status=random.random() < 0.5,
        import_reads=random.choice(("start", "end")),
        list_order=random.choice(("oldest first", "newest first", "shuffled")),
    )


def _deck(number: int) -> list[tuple[str, str]]:
    """Return all kinds of happenings in random order. Successive decks have all places in turn."""
    deck = []
    for kind, (places, _) in HAPPENINGS.items():
        count = 3 if kind in OFTEN else 1
        cards = range(number * count, (number + 1) * count)
        deck += [(kind, places[card % len(places)]) for card in cards]
    Random(number).shuffle(deck)  # noqa: S311 - a reproducible story
    return deck


def _draw(random: Random, kind: str, where: str) -> Happening:
    """Draw one happening, after one of the moments or at any second.

    A fault or a death waits for its call, job or invocation, so it can be there from the start.
    """
    times = random.randint(1, 3)
    if kind in BEFORE:
        return Happening(kind, where, BEFORE[kind])
    if kind in ("abort", "time-out") or random.random() < 0.5:
        after = random.choice(CREATES if where in (*JOBS, *FUNCTIONS) else MOMENTS)
        return Happening(kind, where, random.choice(DELAYS), times, after)
    waits = kind in (*FAULTS, *DEATHS, "twice")
    last_second = 0 if waits else random.choice((IMPORTED_SECOND, LAST_SECOND))
    return Happening(kind, where, random.randint(0, last_second), times)


def _new_data(data: str, *, is_daily: bool = False) -> list[Happening]:
    """Return the uploads before a slot. Daily interactions have an export in any case."""
    datasets = {"both": DATASETS, "none": ()}.get(data, (data,))
    if is_daily and "interactions" not in datasets:
        datasets = (*datasets, "interactions")
    return [Happening("upload", dataset, -HOUR) for dataset in datasets]
