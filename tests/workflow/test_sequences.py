"""Several slots in a row: no promise is broken, whatever goes wrong in them and around them.

The real state machine and functions run on virtual time, among late lists, lost answers, deaths and
people: they import, train, delete users, approve, pin, move and roll back campaigns, edit tags. In
some more stories, Personalize trains.

The stories are the same in every test run. The environment variable STORIES is their number, by
default 10, and WEEKS the length of the long story. `make faults` tells many more and longer ones,
which takes some minutes.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from components.args import ApprovalArgs, BakeArgs, BatchJobArgs, LimitsArgs, QualityRuleArgs
from components.rules.single_settings import NDCG_AT_10
from emulator.personalize import Switches
from functions.personalize.tags import RUN_TAG
from tests.workflow.pipeline import SLOT, deploy
from tests.workflow.promises import (
    broken_promises,
    learned_unconfirmed,
    not_up_to_date,
    wrongly_appended,
)
from tests.workflow.storytelling import (
    CAMPAIGNS,
    DATASETS,
    DEATHS,
    DURING_TRIALS,
    FAULTS,
    HAPPENINGS,
    LISTS,
    SELF_TRAINED_HAPPENINGS,
    SOLUTIONS,
    WRITES,
    Happening,
    Slot,
    Storyteller,
)
from tests.workflow.witness import ALARM
from tests.world import (
    HOUR,
    MOVIES,
    DatasetGroup,
    alarm_arn,
    campaign,
    exports,
    solution,
    solution_arn,
)

STORIES = int(os.environ.get("STORIES", "10"))
WEEKS = int(os.environ.get("WEEKS", "4"))
SLOTS = 4
DURATIONS = {"solution-version": 600, "campaign-update": 300, "data-deletion-job": HOUR}
"""The jobs are short, because a long job only adds polls."""
HOME, SHELF, PAGE = CAMPAIGNS
PROBE = {"min_results": 1, "minutes": 5}
BAKE = BakeArgs(hours=0.3, alarms=[alarm_arn(ALARM)])
"""Its alarm does not exist until it goes off."""
RELATIVE = QualityRuleArgs(metric=NDCG_AT_10, max_drop=0.25, relative_to=solution_arn("novel"))
WRITTEN = BatchJobArgs(input="s3://exports/batch/", output="s3://exports/out/")
LIMITS = LimitsArgs(
    max_import_hours=1, max_training_hours=2, max_campaign_hours=1, max_trainings_per_month=0
)
GROUP = (
    MOVIES.with_datasets(*DATASETS)
    .with_dataset("items", data_location="s3://exports/items/")
    .with_solutions(
        solution(
            "taste",
            campaigns=[campaign(HOME, user_id="u1", **PROBE), SHELF],
            quality_gate=[RELATIVE],
        ),
        solution(
            "novel",
            campaigns=[campaign(PAGE, bake=BAKE, user_id="u3", **PROBE)],
            batch_jobs=[WRITTEN],
        ),
    )
    .with_options(limits=LIMITS)
)
"""The pipeline of the stories. One of its campaigns has no probe."""
TASTE, NOVEL = GROUP.solutions
ASKING = GROUP.with_solutions(TASTE, replace(NOVEL, approval=ApprovalArgs(timeout_hours=1000)))
"""The pipeline of every second story. A person has to approve the versions of one solution."""
LAST_SECOND = 2400
"""The end of the time in which things happen after a slot. A run takes about as long."""
OFTEN = (
    "abort",
    "killed",
    "lost",
    "stray-file",
    "answer",
    "hide",
    "move",
    "overtake",
    "pin",
    "ring",
    "roll-back",
    "two-rollbacks",
)
"""The kinds of which a deck has three cards."""
SHARES = 4
"""The number of stories among which a deck of happenings is dealt."""
TIMES = {
    "recreate": -2 * HOUR,
    "answer": -HOUR / 2,
    "two-rollbacks": -HOUR,
    "worse-data": 1 - HOUR,
    "stray-file": 300,
    "ring": DURING_TRIALS + 600,
}
"""The seconds after the start of a slot at which some kinds happen."""
LAST_REASONS = (
    Happening("delete-users", "group", -HOUR / 2),
    Happening("answer", "APPROVED", -HOUR / 2),
    Happening("configure", "taste", -HOUR / 2, times=2),
    Happening("answer", "APPROVED", -HOUR / 2),
)
"""What the last slot has to do, without any new data. A person answers in every second story."""
AT_ONCE = (*FAULTS, *DEATHS, "hide", "overtake", "twice")
"""The kinds that wait for their call, job or invocation, so they are there from the start."""
WEATHER: Sequence[Mapping[str, object]] = [
    {"times": None, "operation": operation, **fault}
    for operations, fault in (
        (("*",), {"fault": "throttle", "rate": 0.01}),
        (("*",), {"fault": "server-error", "rate": 0.003}),
        (WRITES, {"fault": "lost-answer", "rate": 0.02}),
        (LISTS, {"fault": "stale", "rate": 0.1, "seconds": 85}),
    )
    for operation in operations
]
"""Faults that may happen to every call, at a low rate."""


def draw_story(random: Random, seed: int) -> list[Slot]:
    """Draw a story of several slots, and two quiet slots in which nothing goes wrong.

    Every four stories share a deck with all kinds of happenings, so each kind is in one of them.
    Most slots bring new data.
    """
    deck = [kind for kind in HAPPENINGS for _ in range(3 if kind in OFTEN else 1)]
    Random(seed // SHARES).shuffle(deck)  # noqa: S311 - a reproducible story
    slots: list[list[Happening]] = []
    for _ in range(SLOTS):
        data = random.choice((*([dataset] for dataset in DATASETS), [], *[DATASETS] * 5))
        slots.append(_new_data(*data))
    for kind in deck[seed % SHARES :: SHARES]:
        where = random.choice(HAPPENINGS[kind][0])
        seconds = 0 if kind in AT_ONCE else TIMES.get(kind, random.randint(0, LAST_SECOND))
        random.choice(slots).append(Happening(kind, where, seconds, random.randint(1, 3)))
    last = LAST_REASONS[seed % len(LAST_REASONS)]

    return [*slots, _new_data(*DATASETS), [last]]


def _new_data(*datasets: str) -> list[Happening]:
    """Return the uploads before a slot."""
    return [Happening("upload", dataset, -HOUR) for dataset in datasets]


def draw_switches(random: Random) -> Switches:
    """Draw how Personalize behaves where its documentation says nothing."""
    return Switches(
        unique_version_names=random.random() < 0.5,
        update_visible_after=random.choice((0, 30, 90)),
        update_keeps_settings=random.random() < 0.5,
        update_verb=random.choice(("CREATE", "UPDATE")),
        describe_shows_invalid_settings=random.random() < 0.5,
        page_size=random.choice((2, 100, 100)),
        unknown_user=random.choice(("popular", "nothing")),
        underscore_in_stop_status=random.random() < 0.5,
        import_reads=random.choice(("start", "end")),
        deletions_exclude_jobs=random.random() < 0.5,
        list_order=random.choice(("oldest first", "newest first", "shuffled")),
    )


@contextmanager
def storyteller(random: Random, group: DatasetGroup = GROUP, **options: object):
    """Deploy a pipeline, and yield who tells a story of it."""
    with deploy(group, durations=DURATIONS, switches=draw_switches(random)) as pipeline:
        yield Storyteller(pipeline, random, **options)


@pytest.mark.parametrize("seed", range(STORIES))
def test_no_promise_is_broken_whatever_goes_wrong(seed):
    random = Random(seed)  # noqa: S311 - a reproducible story
    story = draw_story(random, seed)
    with storyteller(random, ASKING if seed % 2 else GROUP) as teller:
        teller.tell(story)
        problems = [*broken_promises(teller), *not_up_to_date(teller)]

    assert problems == [], story


JUDGED_TASTE = replace(TASTE, trained_by="personalize")
JUDGED_NOVEL = replace(NOVEL, trained_by="personalize")
JUDGED = GROUP.with_solutions(JUDGED_TASTE, JUDGED_NOVEL)
SELF_TRAINED = {
    "exports": JUDGED,
    "no datasets": JUDGED.with_datasets().with_options(retraining_rate="1 hour"),
    "one of two": JUDGED.with_solutions(JUDGED_TASTE, NOVEL),
    "approval": JUDGED.with_solutions(
        JUDGED_TASTE, replace(JUDGED_NOVEL, approval=ApprovalArgs(timeout_hours=1000))
    ),
    "baseline": JUDGED.with_solutions(TASTE, JUDGED_NOVEL),
}
"""The pipelines of solutions that Personalize trains. Runs judge and deploy the versions."""
SELF_TRAINED_KINDS = ("stream", "switch", "second-stack") * 4
"""What happens in each of their stories, besides a share of a deck."""


def draw_self_trained_story(random: Random, seed: int) -> list[Slot]:
    """Draw a story in which Personalize trains, at rates that do not fit the slots."""
    *slots, last_data, last = draw_story(random, seed)
    for kind in SELF_TRAINED_KINDS:
        where = random.choice(SELF_TRAINED_HAPPENINGS[kind][0])
        seconds = random.randint(-HOUR, LAST_SECOND)
        random.choice(slots).append(Happening(kind, where, seconds, random.randint(1, 3)))
    rates = [Happening("rate", name, -2 * HOUR) for name in SOLUTIONS]

    return [[*rates, *slots[0]], *slots[1:], [*rates, *last_data], last]


@pytest.mark.parametrize("seed", range(STORIES * 3 // 10))
def test_no_promise_is_broken_by_what_personalize_trains(seed):
    random = Random(seed)  # noqa: S311 - a reproducible story
    kind = [*SELF_TRAINED][seed % len(SELF_TRAINED)]
    story = draw_self_trained_story(random, seed)
    cadence = timedelta(days=random.choice((2, 3, 5, 7)))
    with storyteller(random, SELF_TRAINED[kind], cadence=cadence) as teller:
        teller.add_second_stack()
        teller.tell(story)
        problems = [*broken_promises(teller), *not_up_to_date(teller)]

    assert problems == [], (kind, cadence, story)


DAILY = {
    "interactions": "INCREMENTAL",
    "items": "FULL",
    "users": "INCREMENTAL",
    "actions": "FULL",
    "action_interactions": "INCREMENTAL",
}
"""The import mode of each dataset whose export of a day has a folder of its own."""
APPENDING = replace(
    GROUP,
    datasets={
        dataset: {"import_mode": mode, "data_location": f"s3://exports/{{date}}/{dataset}/"}
        for dataset, mode in DAILY.items()
    },
)
MISHAPS = ("nothing", "stray file", "written again", "abort", "abort and written again")


@pytest.mark.parametrize("seed", range(STORIES // 2))
def test_no_day_is_appended_twice_and_nothing_is_learned_that_nobody_has_checked(seed):
    random = Random(seed)  # noqa: S311 - a reproducible story
    mishaps = [(random.choice(MISHAPS), random.choice([*DAILY])) for _ in range(SLOTS)]
    with storyteller(random, APPENDING) as teller:
        pipeline = teller.pipeline
        bucket = teller.pipeline.bucket
        for number, (mishap, dataset) in enumerate(mishaps):
            day = (datetime.fromisoformat(SLOT) + timedelta(days=number)).date().isoformat()
            stray = f"{day}/{dataset}/stray.csv"
            for name in DAILY:
                bucket.put(f"{day}/{name}/{name}.csv", exports(shift=number)[f"{name}.csv"])
            started = pipeline.start(scheduledTime=f"{day}T03:00:00Z")
            pipeline.sleep(random.randint(60, 900))
            if "abort" in mishap:
                started.abort()
            content = exports(shift=10 + number)[f"{dataset}.csv"] + b"\n"
            if "written again" in mishap:
                bucket.put(f"{day}/{dataset}/{dataset}.csv", content)
            if mishap == "stray file":
                bucket.put(stray, content)
            started.wait()
            pipeline.sleep(random.randint(0, 2400))
            bucket.objects.pop(stray, None)
            pipeline.start(scheduledTime=f"{day}T09:00:00Z").wait()
            pipeline.sleep(15 * HOUR)
        problems = [*learned_unconfirmed(teller, accepts_foreign=True), *wrongly_appended(teller)]

    assert problems == [], mishaps


def test_a_pipeline_that_nobody_touches_trains_every_week():
    with storyteller(Random(0), weather=WEATHER) as teller:  # noqa: S311 - a reproducible story
        teller.tell([_new_data(*DATASETS)] * WEEKS)
        problems = [*broken_promises(teller), *not_up_to_date(teller)]
        trained = [version for version in teller.versions("ACTIVE") if RUN_TAG in version.tags]

    assert problems == []
    assert len(trained) == WEEKS * len(SOLUTIONS)
