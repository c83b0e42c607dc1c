"""Draw what goes wrong around a run. `disturbing.py` makes it happen."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypothesis import strategies as st

from components.state_machine.steps import STEPS
from tests.workflow.stories import FAULTS as FAULTS_OF_STORIES
from tests.workflow.stories import JOBS, WRITES
from tests.world import HOUR

READS = (
    "DescribeDatasetImportJob",
    "DescribeSolutionVersion",
    "DescribeCampaign",
    "ListSolutionVersions",
    "ListDatasetImportJobs",
)
TIMES = (1, 2, 3)
MOMENTS = (0, 1, 60, 310, 450, 600, 680, 745, 770, 820, 8 * HOUR)
"""Seconds after the start of the run: while it imports, trains, updates, probes, rolls back (if
nothing delays it), and after its end."""
END_MOMENTS = (*MOMENTS[2:], 380, 550, 625, 720, 750, 756, 785, 814, 880)
"""Seconds after the start of the run at which it is ended from outside, mostly after a training."""
IMPORT_END_MOMENTS = (60, 302, 305, 310, 314, 500)
"""Seconds after the start of the run, close to the end of its imports."""
RESPONSE_AGES = (1, 60, 600, 2400, 8 * HOUR)
"""The ages of a stale response, in seconds."""
LIST_AGE = 60
"""The highest age of a list of versions, in seconds.

A create is retried after a pause. If the list is older than this pause, no check can find the
version that was created before."""
CAMPAIGNS = ("home", "shelf")


class Disturbance(NamedTuple):
    """One thing that goes wrong in or around a run.

    `where` is an operation, a kind of job, a step or a campaign. `times` is how often it happens,
    `seconds` is a moment, an age or a duration. `kind` says which of them has a meaning.
    """

    kind: str
    where: str
    times: int = 1
    seconds: float = 0


def _disturbances() -> dict[str, list[Disturbance]]:
    """Return all disturbances that do not end a run, by kind."""
    steps = [
        step for step in STEPS if step not in ("report_outcome", "close_run", "start_on_export")
    ]
    requests = [(call, n) for call in (*READS, *WRITES, "GetRecommendations") for n in TIMES]
    writes = [(call, n) for call in WRITES for n in TIMES]
    invocations = [(step, n) for step in steps for n in TIMES]
    campaign_moments = [(campaign, 1, moment) for campaign in CAMPAIGNS for moment in MOMENTS]
    jobs = [(job,) for job in JOBS]
    campaign_choices = [("home",), ("shelf",), ("both",)]
    fields = {
        "throttle": requests,
        "server-error": requests,
        "lost": writes,
        "lost-500": writes,
        "stale": [
            (call, n, age)
            for call in READS
            for n in TIMES
            for age in RESPONSE_AGES
            if call != "ListSolutionVersions" or age <= LIST_AGE
        ],
        "full": [("CreateDatasetImportJob", n) for n in TIMES],
        "fail": jobs,
        "hang": jobs,
        "unknown": jobs,
        "stop": [("solution-version",)],
        "take": [(job, 1, seconds) for job in JOBS for seconds in (1, 9 * HOUR)],
        "killed": invocations,
        "killed-before": invocations,
        "twice": invocations,
        "second-event": [("schedule", 1, moment) for moment in MOMENTS],
        "foreign-training": [("world", 1, moment) for moment in IMPORT_END_MOMENTS],
        "foreign-update": campaign_moments,
        "foreign-rival": campaign_moments,
        "worse-data": [("world",)],
        "behind": [("shelf",)],
        "bad-answers": campaign_choices,
        "no-way-back": campaign_choices,
    }
    return {kind: [Disturbance(kind, *row) for row in rows] for kind, rows in fields.items()}


DISTURBANCES = _disturbances()
CLOSINGS = ("once", "twice")
"""How often a run is closed."""
ENDINGS = {
    **{
        kind: [
            Disturbance(kind, closing, 1, moment) for closing in CLOSINGS for moment in END_MOMENTS
        ]
        for kind in ("abort", "time-out")
    },
    "no-report": [Disturbance("no-report", closing) for closing in CLOSINGS],
}
"""The disturbances that end a run without a report, by kind. `where` is one of `CLOSINGS`."""


def disturbances(kind: str, *, endings_in_ten: int) -> st.SearchStrategy[list[Disturbance]]:
    """Draw a disturbance of this kind, with up to four others of different kinds.

    `endings_in_ten` of ten examples also contain an ending, if `kind` is not an ending already.
    """
    by_kind = {**DISTURBANCES, **ENDINGS}
    others = st.lists(
        st.sampled_from([name for name in DISTURBANCES if name != kind]), max_size=4, unique=True
    )
    no_ending = st.just([])
    ending = st.sampled_from([[name] for name in ENDINGS])
    endings = st.integers(1, 10).flatmap(
        lambda n: ending if n <= endings_in_ten and kind not in ENDINGS else no_ending
    )
    kinds = st.tuples(endings, others).map(lambda drawn: [kind, *drawn[0], *drawn[1]])
    rows = kinds.flatmap(
        lambda names: st.tuples(*(st.sampled_from(by_kind[name]) for name in names))
    )
    return rows.map(_without_the_impossible)


def _without_the_impossible(drawn: tuple[Disturbance, ...]) -> list[Disturbance]:
    """Leave out an immediate second create if the list of versions does not show the first one."""
    places = {(item.kind, item.where) for item in drawn}
    if ("stale", "ListSolutionVersions") not in places:
        return list(drawn)
    second_create = ("twice", "train_solution")
    return [item for item in drawn if (item.kind, item.where) != second_create]


SHARED_KINDS = ("throttle", "server-error", "lost", "full", "fail", "hang")
"""The kinds whose faults `stories.py` also has. The other kinds here end or delay a single run."""
FAULTS: Mapping[str, Callable[[Disturbance], dict[str, object]]] = {
    **{kind: FAULTS_OF_STORIES[kind] for kind in SHARED_KINDS},
    "lost-500": lambda d: {
        "fault": "lost-answer",
        "operation": d.where,
        "times": d.times,
        "status": 500,
    },
    "stale": lambda d: {
        "fault": "stale",
        "operation": d.where,
        "times": d.times,
        "seconds": d.seconds,
    },
    "stop": lambda _: {"fault": "stop", "job": "solution-version"},
    "unknown": lambda d: {"fault": "unknown-status", "job": d.where},
    "take": lambda d: {"fault": "take", "job": d.where, "seconds": d.seconds},
}
"""The fault of the Personalize emulator for each kind of disturbance that is one."""
