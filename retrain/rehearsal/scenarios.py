"""The scenarios that can be rehearsed. In each scenario, something goes wrong.

A scenario begins after a run that succeeded, with the export for the next slot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from functions.executions import DATE
from retrain.rehearsal import config_changes, disturbances, judges

if TYPE_CHECKING:
    from components.args import RetrainingPipelineArgs
    from retrain.rehearsal.data.spoiling import Spoiling

IMPORT_SLOTS = 5
"""Import jobs that Personalize runs at a time in a region. More of them would wait for minutes."""
UNLIMITED = 10_000
"""The number of times that a fault happens if it stays until it is removed."""

Start: TypeAlias = Literal["once", "twice", "beside another stack"]
Fault: TypeAlias = Mapping[str, object]

NO_SETTING = "no setting of a stack turns this off, so report it as a fault of the pipeline"

PROBE_EACH_CAMPAIGN = "give each campaign a probe: solutions[].campaigns[].probe"


class Name(StrEnum):
    """The values of `--scenario`."""

    HAPPY_PATH = "happy-path"
    TRUNCATED_EXPORT = "truncated-export"
    WRONG_HEADER = "wrong-header"
    WORSE_MODEL = "worse-model"
    STUCK_TRAINING = "stuck-training"
    BAD_PROBE = "bad-probe"
    DUPLICATE_EVENT = "duplicate-event"
    NOTHING_NEW = "nothing-new"
    ABORTED_RUN = "aborted-run"
    FOREIGN_IMPORT = "foreign-import"
    REWRITTEN_EXPORT = "rewritten-export"
    AUTO_TRAINING = "auto-training"
    TWO_STACKS = "two-stacks"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A scenario in which something goes wrong."""

    name: Name
    story: str
    """What goes wrong."""
    expected: str
    """What the pipeline should do."""
    prevented: str
    """What would have happened without the pipeline's guards."""
    way_out: str = NO_SETTING
    """What to do if the pipeline does not prevent it."""
    judge: judges.Judge
    new_data: bool = True
    """False if the export of the slot is missing."""
    spoiling: Spoiling = "none"
    """How the export of interactions is spoiled."""
    faults: Sequence[Fault] = ()
    """The faults to inject (`emulator/personalize/faults.py`)."""
    trains_automatically: bool = False
    """True if automatic training is turned on for every solution."""
    change: config_changes.Change = config_changes.no_change
    """The change of the stack's config that the scenario needs."""
    start: Start = "once"
    disturb: disturbances.Disturbance = disturbances.no_disturbance
    """What happens while the first execution is running."""
    obstacle: Callable[[RetrainingPipelineArgs], str | None] = lambda _: None
    """Returns the reason why a stack cannot play the scenario, or None."""


@dataclass(frozen=True)
class ScenarioResult:
    """A scenario that was played, with its evidence and its expectations."""

    scenario: Scenario
    evidence: judges.Evidence
    expectations: Sequence[judges.Expectation]

    @property
    def is_as_designed(self) -> bool:
        """True if all expectations are met."""
        return all(expectation.is_met for expectation in self.expectations)


def _no_full_import_of_interactions(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if the stack does not import interactions with the mode FULL."""
    interactions = args.datasets.interactions
    if interactions is None or interactions.import_mode != "FULL":
        return (
            "the stack has no FULL import of interactions; set importMode to FULL in "
            "datasets.interactions"
        )
    return None


def _no_full_import(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if the stack imports no dataset with the mode FULL."""
    if any(dataset.import_mode == "FULL" for dataset in args.datasets.configured().values()):
        return None
    return "the stack has no FULL import; set importMode to FULL in a dataset"


def _no_campaigns(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if no solution has a campaign."""
    if any(solution.campaigns for solution in args.solutions):
        return None
    return "the stack has no campaigns; add the campaigns of a solution in the config"


def _no_probes(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if no campaign has a probe."""
    campaigns = [campaign for solution in args.solutions for campaign in solution.campaigns]
    if any(campaign.probe for campaign in campaigns):
        return None
    no_probe = "no campaign has a probe; set solutions[].campaigns[].probe.userId of a campaign"
    return _no_campaigns(args) or no_probe


def _no_interactions_or_campaigns(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if spoiled interactions cannot reach the model of a campaign."""
    return _no_full_import_of_interactions(args) or _no_campaigns(args)


def _paused(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if the schedule of the stack starts no run."""
    return "the stack is paused; set paused to false" if args.paused else None


def _no_run_by_hand_for_the_slot(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if a run by hand does not import the export of the schedule's run."""
    if _has_daily_locations(args):
        return (
            f"the stack's locations contain {DATE}, so a run by hand imports the export of today, "
            "and this scenario needs two runs for one export"
        )
    return _paused(args)


def _no_second_stack(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if a second stack could not run at the same time."""
    if len(args.datasets.configured()) >= IMPORT_SLOTS:
        return f"a region has {IMPORT_SLOTS} import slots, and the stack uses them all"
    return _paused(args)


def _daily_locations(args: RetrainingPipelineArgs) -> str | None:
    """Return a reason if the stack reads the export of each day from another location."""
    if _has_daily_locations(args):
        return (
            f"the stack's locations contain {DATE}, so the export of each day is new, and this "
            "scenario needs an export that has not changed"
        )
    return None


def _has_daily_locations(args: RetrainingPipelineArgs) -> bool:
    datasets = args.datasets.configured().values()
    return any(DATE in str(dataset.data_location) for dataset in datasets)


SCENARIOS = (
    Scenario(
        name=Name.TRUNCATED_EXPORT,
        story="The export of interactions is cut off. Only a fifth of its rows arrive.",
        expected="The run is refused (FAILED) before it imports anything.",
        way_out="set datasets.interactions.minRelativeSize, for example to 0.5",
        prevented="a FULL import would have replaced the whole history",
        spoiling="truncated",
        judge=judges.refused("minRelativeSize"),
        obstacle=_no_full_import_of_interactions,
    ),
    Scenario(
        name=Name.WRONG_HEADER,
        story="A column of the export of interactions has a new name.",
        expected="The run is refused (FAILED) before it imports anything.",
        prevented="the import would have failed late, or would have lost the column",
        spoiling="renamed",
        judge=judges.refused("which the dataset's schema requires"),
        obstacle=_no_full_import_of_interactions,
    ),
    Scenario(
        name=Name.WORSE_MODEL,
        story="A broken join gives the items of the export to users at random.",
        expected="The new version is trained, but no campaign gets it (REJECTED).",
        way_out="set solutions[].qualityGate, for example maxDrop 0.25, and do not set "
        "qualityGateEnabled to false",
        prevented="the campaign would have recommended random items",
        spoiling="shuffled",
        judge=judges.rejected,
        obstacle=_no_interactions_or_campaigns,
    ),
    Scenario(
        name=Name.STUCK_TRAINING,
        story="A training hangs. Its status stays CREATE IN_PROGRESS for ever.",
        expected="The training is stopped at its deadline, and the run is FAILED.",
        prevented="the training would have cost money until someone noticed",
        faults=[{"fault": "hang", "job": "solution-version", "times": UNLIMITED}],
        change=config_changes.shorten_trainings,
        judge=judges.stopped,
    ),
    Scenario(
        name=Name.BAD_PROBE,
        story="The new version has good metrics, but never has a result.",
        expected="Every campaign moves back to its previous version (ROLLED_BACK).",
        way_out=PROBE_EACH_CAMPAIGN,
        prevented="users would have seen no recommendations until someone noticed",
        faults=[{"fault": "no-results", "job": "solution-version", "times": UNLIMITED}],
        judge=judges.rolled_back,
        obstacle=_no_probes,
    ),
    Scenario(
        name=Name.DUPLICATE_EVENT,
        story="The schedule's event is delivered twice, and someone also starts a run by hand.",
        expected="One run retrains. The run by hand is SKIPPED.",
        prevented="the same model would have been trained and paid for more than once",
        start="twice",
        judge=judges.started_once,
        obstacle=_no_run_by_hand_for_the_slot,
    ),
    Scenario(
        name=Name.NOTHING_NEW,
        story="The export is missing. S3 still has the files of the last import.",
        expected="The run is SKIPPED. It imports and trains nothing.",
        way_out="set skipWhenUnchanged to true",
        prevented="the same model would have been trained and paid for again",
        new_data=False,
        judge=judges.skipped,
        obstacle=_daily_locations,
    ),
    Scenario(
        name=Name.ABORTED_RUN,
        story="Someone stops the run while a campaign moves to a version that never has a result.",
        expected="Another execution finishes the trial: it moves the campaign back (ROLLED_BACK).",
        way_out=PROBE_EACH_CAMPAIGN,
        prevented="users would have seen no recommendations until the next run, or longer",
        faults=[
            {"fault": "no-results", "job": "solution-version", "times": UNLIMITED},
            # So the update is still running when the execution is stopped.
            {"fault": "take", "job": "campaign-update", "seconds": 4},
        ],
        disturb=disturbances.stop_during_update,
        judge=judges.finished_later,
        obstacle=_no_probes,
    ),
    Scenario(
        name=Name.FOREIGN_IMPORT,
        story="Someone else imports into a dataset while the new version is trained.",
        expected="The run deploys its version, which has learned the data from before the import.",
        prevented="hours of training would have been thrown away",
        faults=[{"fault": "take", "job": "solution-version", "seconds": 6, "times": UNLIMITED}],
        disturb=disturbances.import_during_training,
        judge=judges.deployed_what_it_trained,
        obstacle=_no_full_import,
    ),
    Scenario(
        name=Name.REWRITTEN_EXPORT,
        story="The export job writes the exports again while the run imports them.",
        expected="The run is FAILED before it trains, and the next run imports them again.",
        prevented="the model would have learned parts of two exports",
        faults=[{"fault": "take", "job": "dataset-import-job", "seconds": 4, "times": UNLIMITED}],
        disturb=disturbances.rewrite_exports_during_imports,
        judge=judges.failed_by_changed_exports,
    ),
    Scenario(
        name=Name.AUTO_TRAINING,
        story="Someone turns automatic training on, and the stack has autoTraining: refuse.",
        expected="The run is refused (FAILED) before it trains anything.",
        prevented="every model would have been trained and paid for twice",
        trains_automatically=True,
        change=config_changes.refuse_automatic_training,
        judge=judges.refused("also trains automatically"),
    ),
    Scenario(
        name=Name.TWO_STACKS,
        story="A second stack retrains another dataset group of the account at the same time.",
        expected="Each stack retrains its own solutions, and touches nothing of the other.",
        prevented="one stack would have adopted, stopped or deployed a job of the other",
        start="beside another stack",
        judge=judges.independent,
        obstacle=_no_second_stack,
    ),
)
"""In the order in which they are played."""


def select(names: Sequence[Name]) -> list[Scenario]:
    """Return the scenarios with these names, or every scenario if ALL is among the names.

    They are in the order of SCENARIOS. No scenario has the name HAPPY_PATH.
    """
    return [row for row in SCENARIOS if row.name in names or Name.ALL in names]
