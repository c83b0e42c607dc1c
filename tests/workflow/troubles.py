"""What may go wrong around a run: troubles to draw; `causing.py` lets them happen."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypothesis import strategies as st

from components.state_machine.steps import STEPS

READS = (
    "DescribeDatasetImportJob",
    "DescribeSolutionVersion",
    "DescribeCampaign",
    "ListSolutionVersions",
    "ListDatasetImportJobs",
)
WRITES = (
    "CreateDatasetImportJob",
    "CreateSolutionVersion",
    "StopSolutionVersionCreation",
    "TagResource",
    "UpdateCampaign",
)
JOBS = ("dataset-import-job", "solution-version", "campaign-update")
HOUR = 3600
FEW = (1, 2, 3)
MOMENTS = (0, 1, 60, 310, 450, 600, 680, 745, 770, 820, 8 * HOUR)
"""Seconds since the run began: while it imports, has imported, trains, updates, probes, rolls back
(if nothing holds it up), and after it."""
BREAKS = (*MOMENTS[2:], 380, 550, 625, 720, 750, 756, 785, 814, 880)
"""Seconds since the run began, when it ends from outside: most of them after its training."""
DATA_COMPLETE = (60, 302, 305, 310, 314, 500)
"""Seconds since the run began: around the end of its imports."""
AGES = (1, 60, 600, 2400, 8 * HOUR)
"""Seconds; of an answer that is stale."""
LIST_AGE = 60
"""Seconds; nothing helps against a list of versions that is older than the pause before a retry."""
CAMPAIGNS = ("home", "shelf")


class Trouble(NamedTuple):
    """One thing that goes wrong; `kind` says which, the rest how."""

    kind: str
    where: str
    times: int = 1
    seconds: float = 0


def _each() -> dict[str, list[Trouble]]:
    """Give all troubles that may be drawn, by kind."""
    calls = READS + WRITES
    steps = [step for step in STEPS if step not in ("report_outcome", "close_run")]
    found = {
        **{
            kind: [(call, n) for call in (*calls, "GetRecommendations") for n in FEW]
            for kind in ("throttle", "server-error")
        },
        **{kind: [(call, n) for call in WRITES for n in FEW] for kind in ("lost", "lost-500")},
        "stale": [
            (call, n, age)
            for call in READS
            for n in FEW
            for age in AGES
            if call != "ListSolutionVersions" or age <= LIST_AGE
        ],
        "full": [("CreateDatasetImportJob", n) for n in FEW],
        **{kind: [(job,) for job in JOBS] for kind in ("fail", "hang", "unknown")},
        "stop": [("solution-version",)],
        "take": [(job, 1, seconds) for job in JOBS for seconds in (1, 9 * HOUR)],
        **{
            kind: [(step, n) for step in steps for n in FEW] for kind in ("killed", "killed-before")
        },
        "twice": [(step, n) for step in steps for n in FEW],
        "second-event": [("schedule", 1, moment) for moment in MOMENTS],
        "their-training": [("world", 1, moment) for moment in DATA_COMPLETE],
        **{
            kind: [(campaign, 1, moment) for campaign in CAMPAIGNS for moment in MOMENTS]
            for kind in ("their-update", "their-rival")
        },
        "worse-data": [("world",)],
        "behind": [("shelf",)],
        **{kind: [("home",), ("shelf",), ("both",)] for kind in ("bad-answers", "no-way-back")},
    }
    return {kind: [Trouble(kind, *how) for how in ways] for kind, ways in found.items()}


TROUBLES = _each()
ENDINGS = {
    **{
        kind: [
            Trouble(kind, closed, 1, moment)
            for closed in ("once", "twice", "late")
            for moment in BREAKS
        ]
        for kind in ("abort", "time-out")
    },
    "no-report": [Trouble("no-report", closed) for closed in ("once", "twice", "late")],
}
"""Ends without a report, by kind; `where` says how often the run is closed: "late" is once more
while a resumed execution is under way."""


def troubles(*, endings_in_ten: int) -> st.SearchStrategy[list[Trouble]]:
    """One to five troubles of a run, of different kinds, each kind as likely as the others.

    In so many of ten examples, at the most one ending is among them.
    """
    ways = {**TROUBLES, **ENDINGS}
    common = st.lists(st.sampled_from(list(TROUBLES)), min_size=1, max_size=5, unique=True)
    ends = st.integers(1, 10).flatmap(
        lambda n: st.sampled_from([(kind,) for kind in ENDINGS] if n <= endings_in_ten else [()])
    )
    return st.tuples(ends, common).flatmap(
        lambda drawn: st.tuples(
            *(st.sampled_from(ways[kind]) for kinds in drawn for kind in kinds)
        ).map(_without_the_impossible)
    )


def _without_the_impossible(found: tuple[Trouble, ...]) -> list[Trouble]:
    """Leave out a second create at once where lists do not show the first; nothing helps then."""
    places = {(trouble.kind, trouble.where) for trouble in found}
    stale = ("stale", "ListSolutionVersions") in places
    return [
        trouble
        for trouble in found
        if not (stale and (trouble.kind, trouble.where) == ("twice", "create_solution_version"))
    ]


ORDERS: Mapping[str, Callable[[Trouble], dict[str, object]]] = {
    "throttle": lambda t: {"fault": "throttle", "operation": t.where, "times": t.times},
    "server-error": lambda t: {"fault": "server-error", "operation": t.where, "times": t.times},
    "lost": lambda t: {"fault": "lost-answer", "operation": t.where, "times": t.times},
    "lost-500": lambda t: {
        "fault": "lost-answer",
        "operation": t.where,
        "times": t.times,
        "status": 500,
    },
    "stale": lambda t: {
        "fault": "stale",
        "operation": t.where,
        "times": t.times,
        "seconds": t.seconds,
    },
    "full": lambda t: {"fault": "limit-exceeded", "operation": t.where, "times": t.times},
    "fail": lambda t: {"fault": "fail", "job": t.where},
    "stop": lambda _: {"fault": "stop", "job": "solution-version"},
    "hang": lambda t: {"fault": "hang", "job": t.where},
    "unknown": lambda t: {"fault": "unknown-status", "job": t.where},
    "take": lambda t: {"fault": "take", "job": t.where, "seconds": t.seconds},
}
"""Troubles of the service: the fault that the emulator is given."""
