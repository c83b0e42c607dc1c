"""Several slots in a row: no promise is broken, whatever goes wrong in them and around them.

`tests/model` plays the rules. Here the real state machine and functions run on virtual time, so the
shell around the rules is tested: what a run remembers, retries, leaves and reports.

The stories are the same in every test run. The environment variable STORIES is the number of
stories of seven slots, and WEEKS the length of the long story, by default 12 and 8. `make faults`
tells many more stories and long stories of a year, which takes some minutes.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.workflow.pipeline import deploy
from tests.workflow.promises import broken_promises, missed_weeks, not_up_to_date
from tests.workflow.stories import (
    HARD,
    WEATHER,
    draw_story,
    draw_switches,
    draw_weeks,
    group_of,
)
from tests.workflow.storytelling import Storyteller
from tests.workflow.truth import Truth

STORIES = int(os.environ.get("STORIES", "12"))
LONG_STORIES = int(os.environ.get("LONG_STORIES", "1"))
WEEKS = int(os.environ.get("WEEKS", "8"))
SLOTS = 5
DURATIONS = {"solution-version": 600, "campaign-update": 300}
"""The jobs are short, because a long job only adds polls."""


@contextmanager
def storyteller(seed: int, **options: object) -> Iterator[Storyteller]:
    """Deploy the pipeline, and yield who tells a story of it."""
    with deploy(group_of(seed), durations=DURATIONS, switches=draw_switches(seed)) as pipeline:
        truth = Truth(pipeline)
        with truth.recording():
            yield Storyteller(pipeline, truth, seed, **options)


@pytest.mark.parametrize("seed", range(STORIES))
def test_no_promise_is_broken_whatever_goes_wrong(seed):
    story = draw_story(seed, SLOTS)
    with storyteller(seed) as teller:
        teller.tell(story)
        problems = [*broken_promises(teller), *not_up_to_date(teller)]
    assert problems == [], story


@pytest.mark.parametrize("seed", range(LONG_STORIES))
def test_a_pipeline_that_nobody_touches_trains_every_week(seed):
    story = draw_weeks(seed, WEEKS, probability=0.02)
    with storyteller(seed, weather=WEATHER) as teller:
        teller.tell(story)
        missed, problems = missed_weeks(teller), list(broken_promises(teller))
    assert problems == [], story
    unexplained = {
        week: reports
        for week, reports in missed.items()
        if not HARD & {item.kind for item in story[week] if item.seconds >= 0}
    }
    assert unexplained == {}, "nothing happened in these weeks because of which a run may not train"
