"""Draw a pipeline, and what happens in and around several of its slots."""

from collections.abc import Mapping, Sequence
from random import Random

from components.args import LimitsArgs
from emulator.personalize import Switches
from tests.workflow.storytelling import (
    CAMPAIGNS,
    CREATES,
    DATASETS,
    HAPPENINGS,
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
MOMENTS = (*CREATES, "TagResource", "UpdateCampaign", PROBE)
"""The calls after which things happen."""
DELAYS = (1, 1, 20, 300)
"""The seconds between such a call and what happens."""
OFTEN = ("abort", "killed", "lost")
"""The kinds of which a deck has three cards."""
DECKS = 4
"""The number of stories that share a deck of happenings."""
NOT_DAILY = ("upload", "upload-same", "worse-data", "foreign-import")
"""The kinds after which a person has to clear up if the dataset grows by appended exports."""
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
    Most slots bring new data, and some bring data from which a model learns nothing.
    """
    random = Random(seed)  # noqa: S311 - a reproducible story
    deck = [*HAPPENINGS, *OFTEN, *OFTEN]
    Random(seed // DECKS).shuffle(deck)  # noqa: S311 - (as above)
    happenings: list[list[Happening]] = [[] for _ in range(slots)]
    is_daily = group_of(seed) is DAILY_GROUP
    for kind in deck[seed % DECKS :: DECKS]:
        if not (is_daily and kind in NOT_DAILY):
            random.choice(happenings).append(_draw(random, kind))
    story = []
    for slot in happenings:
        data = random.choice((*DATASETS, "both", "both", "both", "worse", "none"))
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
            *(_draw(random, kind) for kind in kinds if random.random() < probability),
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


def _draw(random: Random, kind: str) -> Happening:
    """Draw one happening, after one of the moments or at any second."""
    where, times = random.choice(HAPPENINGS[kind][0]), random.randint(1, 3)
    if kind == "recreate":
        return Happening(kind, where, -2 * HOUR)
    if random.random() < 0.5:
        return Happening(kind, where, random.choice(DELAYS), times, random.choice(MOMENTS))
    seconds = random.randint(0, random.choice((0, IMPORTED_SECOND, LAST_SECOND)))
    return Happening(kind, where, seconds, times)


def _new_data(data: str, *, is_daily: bool = False) -> list[Happening]:
    """Return the uploads before a slot. Daily interactions have an export in any case."""
    datasets = {"both": DATASETS, "worse": (), "none": ()}.get(data, (data,))
    uploads = [Happening("upload", dataset, -HOUR) for dataset in datasets]
    if data == "worse":
        uploads.append(Happening("worse-data", "interactions", -HOUR))
    elif is_daily and "interactions" not in datasets:
        uploads.append(Happening("upload", "interactions", -HOUR))
    return uploads
