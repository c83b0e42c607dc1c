"""Defines the scenarios of a rehearsal, and checks whether the pipeline passed them.

In each *scenario*, something goes wrong, except in the happy path, which always comes first. A
scenario is one run, or two if Personalize trains a solution in between (`play.py`). Scenarios
aren't independent, because each starts from the data, versions and campaigns that earlier runs
left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from functions.constants import DATE_PLACEHOLDER
from functions.report.model import find_worst_outcome
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.args import CampaignArgs, RetrainingPipelineArgs
    from functions.contract import Outcome
    from functions.report.model import Report, SolutionReport
    from retrain.rehearsal.data import Damage

OBSTACLES = {
    "exports": "the stack imports nothing, so no export can be missing",
    "FULL import": "the stack has no FULL import of interactions; set importMode to FULL in "
    "datasets.interactions",
    "fixed locations": f"the stack's locations contain {DATE_PLACEHOLDER}, so the export of each "
    "day is new, and this scenario needs an export that has not changed",
    "own training": "runs of the stack train no solution, because Personalize trains all of them",
    "campaign": "the stack has no campaigns; add the campaigns of a solution in the config",
    "probe": "no campaign has a probe; set solutions[].campaigns[].probe.userId of a campaign",
    "bake": "not every campaign has a bake; set solutions[].campaigns[].bake of each campaign",
    "no approval": "a version that needs an approval is not tried before a person has approved it",
}
"""What a scenario may need -> why a stack without it can't play the scenario."""
NO_RESULTS = {"fault": "no-results", "job": "solution-version", "times": 10_000}
"""A fault (see `emulator/personalize/faults.py`) with so many repetitions that it lasts until we
remove it."""


class ScenarioName(StrEnum):
    """The values of `--scenario`."""

    HAPPY_PATH = "happy-path"
    NOTHING_NEW = "nothing-new"
    DELETED_USER = "deleted-user"
    TRUNCATED_EXPORT = "truncated-export"
    WRONG_HEADER = "wrong-header"
    WORSE_MODEL = "worse-model"
    BAD_PROBE = "bad-probe"
    RINGING_ALARM = "ringing-alarm"
    ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A part of a rehearsal in which something may go wrong."""

    name: ScenarioName
    story: str
    """What goes wrong, in a sentence for the operator."""
    promise: str
    """What the pipeline should do about that, in a sentence for the operator."""
    prevented: str = ""
    """What would have happened without the pipeline's guards, or empty for the happy path."""
    hint: str = "no setting of a stack turns this off, so report it as a fault of the pipeline"
    """What the operator can do if the pipeline didn't prevent that."""
    outcome: Outcome
    """How the run should end if the stack has campaigns and none of them needs approval."""
    expected_reason: str = ""
    """What one of the reasons in the run's report should contain, or empty to check no reason."""
    damage: Damage = "none"
    """What is wrong with the export of interactions."""
    writes_exports: bool = True
    """False if no newer exports arrive, so S3 still has those of the previous run."""
    deletes_user: bool = False
    """True if a user is deleted before the run, which then trains without an import."""
    fault: Mapping[str, object] | None = None
    """A fault that the emulator injects during the run."""
    needs: Sequence[str] = ()
    """What the stack must have, as keys of OBSTACLES."""

    @property
    def trains(self) -> bool:
        """True if the run should train every solution."""
        return self.outcome in ("DEPLOYED", "REJECTED", "ROLLED_BACK")

    def find_expected_outcome(self, args: RetrainingPipelineArgs) -> Outcome:
        """Return the outcome that the run should have in a stack with these arguments.

        If the scenario expects DEPLOYED, but the stack requires approvals, or has no campaigns or
        no solutions, the run should have a different successful outcome.
        """
        if self.outcome != "DEPLOYED":
            return self.outcome

        if _list_campaigns_with_approval(args):
            return "AWAITING_APPROVAL"
        if list_campaigns(args):
            return "DEPLOYED"
        if args.solutions:
            return "TRAINED"
        return "IMPORTED"

    def find_obstacle(self, args: RetrainingPipelineArgs) -> str | None:
        """Explain why a stack can't play the scenario, or return None if it can.

        If the stack lacks several things, only the first of them is explained.
        """
        is_met = _check_needs(args)
        obstacles = [OBSTACLES[need] for need in self.needs if not is_met[need]]
        return next(iter(obstacles), None)


def list_campaigns(args: RetrainingPipelineArgs) -> list[CampaignArgs]:
    """List all campaigns of a stack."""
    return [campaign for solution in args.solutions for campaign in solution.campaigns]


def _list_campaigns_with_approval(args: RetrainingPipelineArgs) -> list[str]:
    """List the ARNs of campaigns whose new versions need approval."""
    return [
        str(campaign.campaign_arn)
        for solution in args.solutions
        if solution.approval
        for campaign in solution.campaigns
    ]


def _check_needs(args: RetrainingPipelineArgs) -> dict[str, bool]:
    """Check for each key of OBSTACLES whether a stack has what a scenario may need."""
    datasets = args.datasets.configured().values()
    interactions = args.datasets.interactions
    campaigns = list_campaigns(args)

    return {
        "exports": bool(datasets),
        "FULL import": interactions is not None and interactions.import_mode == "FULL",
        "fixed locations": not any(
            DATE_PLACEHOLDER in str(dataset.data_location) for dataset in datasets
        ),
        "own training": not args.trains_nothing,
        "campaign": bool(campaigns),
        "probe": any(campaign.probe for campaign in campaigns),
        "bake": all(campaign.bake for campaign in campaigns),
        "no approval": not _list_campaigns_with_approval(args),
    }


SCENARIOS = (
    Scenario(
        name=ScenarioName.HAPPY_PATH,
        story="Newer exports arrive, and nothing goes wrong.",
        promise="Every dataset is imported, every solution is trained, and every campaign gets its "
        "new version, unless a person has to approve it.",
        hint="do what the report says",
        outcome="DEPLOYED",
    ),
    Scenario(
        name=ScenarioName.NOTHING_NEW,
        story="The export is missing. S3 still has the files of the last import.",
        promise="The run is SKIPPED. It imports and trains nothing.",
        hint="set skipWhenUnchanged to true",
        prevented="the same data would have been imported, trained on and paid for again",
        writes_exports=False,
        outcome="SKIPPED",
        expected_reason="nothing is new",
        needs=["exports", "fixed locations"],
    ),
    Scenario(
        name=ScenarioName.DELETED_USER,
        story="A person deletes a user from the dataset group. No export is newer.",
        promise="The run waits until the user is deleted, and trains every solution without an "
        "import. The campaigns get the new versions.",
        hint="set skipWhenUnchanged to true, because an older export is not imported again",
        prevented="the model that knows the user would have been served until newer data arrived",
        writes_exports=False,
        deletes_user=True,
        outcome="DEPLOYED",
        needs=["campaign", "fixed locations", "own training"],
    ),
    Scenario(
        name=ScenarioName.TRUNCATED_EXPORT,
        story="The export of interactions is cut off. Only a fifth of its rows arrive.",
        promise="The run is refused (FAILED) before it imports anything.",
        hint="set datasets.interactions.minRelativeSize, for example to 0.5",
        prevented="a FULL import would have replaced the whole history",
        damage="truncated",
        outcome="FAILED",
        expected_reason="minRelativeSize",
        needs=["FULL import"],
    ),
    Scenario(
        name=ScenarioName.WRONG_HEADER,
        story="A column of the export of interactions has a new name.",
        promise="The run is refused (FAILED) before it imports anything.",
        prevented="the import would have failed late, or would have lost the column",
        damage="renamed",
        outcome="FAILED",
        expected_reason="which the dataset's schema requires",
        needs=["FULL import"],
    ),
    Scenario(
        name=ScenarioName.WORSE_MODEL,
        story="A broken join gives the items of the export to users at random.",
        promise="The new version is trained, but no campaign gets it (REJECTED).",
        hint="set solutions[].qualityGate, for example maxDrop 0.25, and do not set "
        "qualityGateEnabled to false",
        prevented="the campaign would have recommended random items",
        damage="shuffled",
        outcome="REJECTED",
        needs=["FULL import", "campaign"],
    ),
    Scenario(
        name=ScenarioName.BAD_PROBE,
        story="The new version has good metrics, but never has a result.",
        promise="Every campaign is rolled back to its previous version (ROLLED_BACK).",
        hint="give each campaign a probe: solutions[].campaigns[].probe",
        prevented="users would have seen no recommendations until someone noticed",
        fault=NO_RESULTS,
        outcome="ROLLED_BACK",
        needs=["campaign", "probe", "no approval"],
    ),
    Scenario(
        name=ScenarioName.RINGING_ALARM,
        story="The new version answers its probe, but then an alarm goes off at each campaign.",
        promise="Every campaign is rolled back to its previous version (ROLLED_BACK).",
        prevented="the errors would have gone on until someone had read the alarm",
        outcome="ROLLED_BACK",
        needs=["campaign", "bake", "no approval"],
    ),
)
"""All scenarios, in the order in which they're played."""


class Check(NamedTuple):
    """An expectation about a scenario's run, and whether the run met it."""

    text: str
    is_met: bool


def list_scenarios(names: Sequence[ScenarioName]) -> list[Scenario]:
    """List the happy path and the named scenarios, or all scenarios if the names include ALL."""
    if ScenarioName.ALL in names:
        return list(SCENARIOS)

    chosen_names = {ScenarioName.HAPPY_PATH, *names}
    return [scenario for scenario in SCENARIOS if scenario.name in chosen_names]


def merge_reports(import_report: Report, training_report: Report) -> Report:
    """Merge the reports of two runs, between which Personalize trained some of the solutions.

    The first run imported the exports, and trained the other solutions. The second run judged what
    Personalize trained, and its report says what all campaigns serve in the end.
    """
    own_solutions = [
        solution for solution in import_report["solutions"] if solution["trainedBy"] == "pipeline"
    ]
    other_solutions = [
        solution
        for solution in training_report["solutions"]
        if solution["trainedBy"] == "personalize"
    ]

    return {
        **training_report,
        "outcome": find_worst_outcome([import_report["outcome"], training_report["outcome"]]),
        "imports": import_report["imports"],
        "solutions": [*own_solutions, *other_solutions],
    }


def check_report(
    scenario: Scenario, args: RetrainingPipelineArgs, report: Report | None
) -> Iterator[Check]:
    """Yield checks that compare a run's report with what the scenario expects.

    Without a report, the only check is that of the outcome, which fails.
    """
    expected_outcome = scenario.find_expected_outcome(args)
    ended_as_expected = report is not None and report["outcome"] == expected_outcome
    yield Check(f"the run ended as {expected_outcome}", ended_as_expected)
    if report is None:
        return

    # If a run ends before it imports anything, its report has the reasons at the top level.
    if scenario.expected_reason:
        has_reason = any(scenario.expected_reason in reason["text"] for reason in report["reasons"])
        yield Check("its report has the reason", has_reason)

    if args.datasets.configured():
        yield _check_imports(scenario, args, report)
    if args.solutions:
        yield _check_trainings(scenario, args, report)
    yield from _check_campaigns(scenario, args, report)


def _check_imports(scenario: Scenario, args: RetrainingPipelineArgs, report: Report) -> Check:
    """Check that every dataset was imported, or that none was, if the scenario expects that."""
    # After a user was deleted, a run trains again, but has nothing new to import.
    if not scenario.trains or scenario.deletes_user:
        return Check("nothing was imported", not report["imports"])

    imported = {item["type"] for item in report["imports"] if item["outcome"] == "IMPORTED"}
    return Check("every dataset was imported", imported == args.datasets.configured().keys())


def _check_trainings(scenario: Scenario, args: RetrainingPipelineArgs, report: Report) -> Check:
    """Check that every solution was trained, or that none was, if the scenario expects that."""
    if not scenario.trains:
        is_trained = any(solution["isTrained"] for solution in report["solutions"])
        return Check("no training was paid for", not is_trained)

    new_version_count = len(_list_new_versions(report))
    return Check(
        "every solution has a new version, which is ACTIVE",
        new_version_count == len(args.solutions),
    )


def _check_campaigns(
    scenario: Scenario, args: RetrainingPipelineArgs, report: Report
) -> Iterator[Check]:
    """Check whether each campaign serves the version that it should, the new or the previous one.

    If new versions need approval, campaigns keep the previous version, even on the happy path.
    """
    new_version_arns = _list_new_versions(report)
    campaigns_with_approval = _list_campaigns_with_approval(args)

    for serving in report["serving"]:
        campaign_arn = serving["campaignArn"]
        version_arn = serving["servedVersionArn"]
        is_new = version_arn in new_version_arns

        if scenario.outcome == "DEPLOYED" and campaign_arn not in campaigns_with_approval:
            yield Check(f"{short_name(campaign_arn)} serves its new version", is_new)
        else:
            is_previous = version_arn is not None and not is_new
            yield Check(f"{short_name(campaign_arn)} serves its previous version", is_previous)


def _list_new_versions(report: Report) -> list[str | None]:
    """List the ARNs of the versions that weren't there before the scenario."""
    return [
        solution["solutionVersionArn"]
        for solution in report["solutions"]
        if _has_new_version(solution)
    ]


def _has_new_version(solution: SolutionReport) -> bool:
    """Return True if the run has judged a version that wasn't there before the scenario.

    Before a run judges what Personalize trains, the rehearsal lets it train a version.
    """
    if solution["trainedBy"] == "personalize":
        return solution["solutionVersionArn"] is not None

    # If a training failed, its trainingHours is None.
    return solution["isTrained"] and solution["trainingHours"] is not None
