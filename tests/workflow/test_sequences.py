"""Several slots in a row: no promise is broken, whatever goes wrong in them and around them.

The real state machine and functions run against the Personalize emulator on virtual time. The
stories are the same in every test run. The environment variable STORIES is the number of stories
of five slots, and WEEKS the length of the long story, by default 8 and 12. `make faults` tells many
more stories and long stories of a year, which takes some minutes.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from tests.workflow.kills import Kills
from tests.workflow.pipeline import deploy
from tests.workflow.promises import (
    broken_promises,
    imported_twice,
    missed_weeks,
    moved_to_older,
    paid_twice,
    wrong_report,
)
from tests.workflow.setups import draw_setup
from tests.workflow.stories import (
    HARD,
    WEATHER,
    Slot,
    draw_story,
    draw_switches,
    draw_weeks,
    quiet_slots,
)
from tests.workflow.storytelling import Storyteller
from tests.workflow.truth import Truth

STORIES = int(os.environ.get("STORIES", "8"))
ONCE_BROKEN = (186,)
"""Stories in which the pipeline once broke a promise: it took an update with which a person had
turned syncing on for the update to the new version."""
LONG_STORIES = int(os.environ.get("LONG_STORIES", "1"))
WEEKS = int(os.environ.get("WEEKS", "12"))
SLOTS = 5
HAPPENINGS_AT_MOST = 3
"""How much goes wrong in one slot."""
DURATIONS = {"solution-version": 600, "campaign-update": 300}
"""The jobs are short, because a long job only adds polls."""


@contextmanager
def storyteller(seed: int, **options: object) -> Iterator[Storyteller]:
    """Deploy the pipeline, and yield who tells a story of it."""
    kills, setup, switches = Kills(), draw_setup(seed), draw_switches(seed)
    with deploy(
        setup.group, durations=DURATIONS, handlers=kills.handlers(), switches=switches
    ) as pipeline:
        if setup.has_tracker:
            pipeline.client.create_event_tracker(name="events", datasetGroupArn=setup.group.arn)
        truth = Truth(pipeline, seed)
        with truth.recording():
            yield Storyteller(pipeline, truth, kills, seed, **options)


def tell(seed: int, story: Sequence[Slot]) -> list[str]:
    """Run a story, and return a message for each broken promise."""
    with storyteller(seed) as teller:
        teller.tell([*story, *quiet_slots(draw_setup(seed).daily)])
        return list(broken_promises(teller))


@pytest.mark.parametrize("seed", sorted({*range(STORIES), *ONCE_BROKEN}))
def test_no_promise_is_broken_in_five_slots(seed):
    story = draw_story(seed, SLOTS, at_most=HAPPENINGS_AT_MOST, daily=draw_setup(seed).daily)
    assert tell(seed, story) == [], story


@pytest.mark.parametrize("seed", range(LONG_STORIES))
def test_a_pipeline_that_nobody_touches_trains_every_week(seed):
    story = draw_weeks(seed, WEEKS, probability=0.02)
    with storyteller(seed, weather=WEATHER) as teller:
        teller.tell(story)
        missed = missed_weeks(teller)
        problems = [
            *paid_twice(teller.truth, asked=[]),
            *moved_to_older(teller.truth),
            *(
                problem
                for dataset in teller.truth.daily_datasets()
                for problem in imported_twice(teller, dataset)
            ),
            *(problem for ended in teller.ended for problem in wrong_report(ended)),
        ]
    assert problems == [], story
    unexplained = {
        week: reports
        for week, reports in missed.items()
        if not HARD & {happening.kind for happening in story[week] if happening.seconds >= 0}
    }
    assert unexplained == {}, "nothing happened in these weeks because of which a run may not train"
