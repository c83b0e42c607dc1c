"""What can go wrong around a run, a row each: what happens, and how it has to end. Pure.

A scenario begins after a healthy run, with the next night's export.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from functions.planning.decide import DATE
from retrain.rehearsal import changes, judging

if TYPE_CHECKING:
    from components.args import RetrainingPipelineArgs

IMPORT_SLOTS = 5
"""Imports under way in a region: with more, runs wait for minutes."""
ALWAYS = 10_000
"""Times that a fault is ordered for: until it is withdrawn."""

Start = Literal["once", "twice", "beside another stack"]
Spoiling = Literal["none", "truncated", "renamed", "shuffled"]
Fault = Mapping[str, object]


class Name(StrEnum):
    """What can be asked for: a healthy run, what goes wrong after one, or all of it."""

    HAPPY_PATH = "happy-path"
    TRUNCATED_EXPORT = "truncated-export"
    WRONG_HEADER = "wrong-header"
    WORSE_MODEL = "worse-model"
    STUCK_TRAINING = "stuck-training"
    BAD_PROBE = "bad-probe"
    DUPLICATE_EVENT = "duplicate-event"
    NOTHING_NEW = "nothing-new"
    AUTO_TRAINING = "auto-training"
    TWO_STACKS = "two-stacks"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One thing that goes wrong."""

    name: Name
    story: str
    """What goes wrong."""
    prevented: str
    """What would have come of it."""
    judge: judging.Judge
    new_data: bool = True
    """Whether there is an export that night."""
    spoil: Spoiling = "none"
    """What becomes of the export of interactions."""
    faults: Sequence[Fault] = ()
    """Ordered from the emulator (`emulator/personalize/faults.py`)."""
    trains_automatically: bool = False
    change: changes.Change = changes.nothing
    """What the scenario needs to be otherwise in the stack's config."""
    start: Start = "once"
    needs: Callable[[RetrainingPipelineArgs], str | None] = lambda _: None
    """Why a stack cannot play it."""


def _imports_interactions(args: RetrainingPipelineArgs) -> str | None:
    dataset = args.datasets.interactions
    full = dataset is not None and dataset.import_mode == "FULL"
    return None if full else "the stack has no FULL import of interactions"


def _has_campaigns(args: RetrainingPipelineArgs) -> str | None:
    found = any(each.campaigns for each in args.solutions)
    return None if found else "the stack has no campaigns"


def _has_probes(args: RetrainingPipelineArgs) -> str | None:
    campaigns = [campaign for each in args.solutions for campaign in each.campaigns]
    if not campaigns or any(each.probe for each in campaigns):
        return _has_campaigns(args)
    return "no campaign has a probe; give one its solutions[].campaigns[].probe.userId"


def _judges_models(args: RetrainingPipelineArgs) -> str | None:
    return _imports_interactions(args) or _has_campaigns(args)


def _is_scheduled(args: RetrainingPipelineArgs) -> str | None:
    return "the stack is paused" if args.paused else None


def _has_room_for_another(args: RetrainingPipelineArgs) -> str | None:
    if len(args.datasets.configured()) >= IMPORT_SLOTS:
        return f"a region has {IMPORT_SLOTS} import slots, and the stack alone uses them"
    return _is_scheduled(args)


def _has_lasting_locations(args: RetrainingPipelineArgs) -> str | None:
    dated = any(DATE in str(each.data_location) for each in args.datasets.configured().values())
    return f"the stack's locations hold {DATE}: each day is a new export" if dated else None


SCENARIOS = (
    Scenario(
        name=Name.TRUNCATED_EXPORT,
        story="The export of interactions breaks off: a fifth of its rows arrive.",
        prevented="a FULL import of it would have replaced the whole history",
        spoil="truncated",
        judge=judging.refused("minRelativeSize"),
        needs=_imports_interactions,
    ),
    Scenario(
        name=Name.WRONG_HEADER,
        story="Somebody renames a column of the export of interactions.",
        prevented="the import would have failed after a while, or worse, succeeded without it",
        spoil="renamed",
        judge=judging.refused("which the dataset's schema requires"),
        needs=_imports_interactions,
    ),
    Scenario(
        name=Name.WORSE_MODEL,
        story="A join in the export goes wrong: who watched what is dealt out at random.",
        prevented="the campaign would have recommended at random",
        spoil="shuffled",
        judge=judging.rejected,
        needs=_judges_models,
    ),
    Scenario(
        name=Name.STUCK_TRAINING,
        story="A training hangs: its status stays CREATE IN_PROGRESS for ever.",
        prevented="it would have run, and been billed, until somebody noticed",
        faults=[{"fault": "hang", "job": "solution-version", "times": ALWAYS}],
        change=changes.impatient,
        judge=judging.stuck,
    ),
    Scenario(
        name=Name.BAD_PROBE,
        story="The new version is good by its metrics, and answers every question with an error.",
        prevented="users would have seen no recommendations until somebody woke up",
        faults=[
            {"fault": "server-error", "operation": operation, "times": ALWAYS}
            for operation in ("GetRecommendations", "GetPersonalizedRanking")
        ],
        judge=judging.rolled_back,
        needs=_has_probes,
    ),
    Scenario(
        name=Name.DUPLICATE_EVENT,
        story="The schedule's event is delivered twice, and somebody starts a run by hand as well.",
        prevented="the same model would have been trained, and paid for, more than once",
        start="twice",
        judge=judging.duplicate,
        needs=_is_scheduled,
    ),
    Scenario(
        name=Name.NOTHING_NEW,
        story="The night's export does not come: the files in S3 are those imported last.",
        prevented="the same model would have been trained, and paid for, again",
        new_data=False,
        judge=judging.nothing_new,
        needs=_has_lasting_locations,
    ),
    Scenario(
        name=Name.AUTO_TRAINING,
        story="Somebody turns automatic training on, and the stack says autoTraining: refuse.",
        prevented="every model would have been trained, and paid for, twice",
        trains_automatically=True,
        change=changes.refusing,
        judge=judging.refused("also trains automatically"),
    ),
    Scenario(
        name=Name.TWO_STACKS,
        story="A second stack retrains another dataset group of the account, in the same minute.",
        prevented="one would have adopted, stopped or deployed what is the other's",
        start="beside another stack",
        judge=judging.two_stacks,
        needs=_has_room_for_another,
    ),
)
"""In the order in which they are played."""


def chosen(names: Sequence[Name]) -> list[Scenario]:
    """Give the scenarios of these names, each once; the happy path is no row, and `all` are all."""
    return [each for each in SCENARIOS if each.name in names or Name.ALL in names]
