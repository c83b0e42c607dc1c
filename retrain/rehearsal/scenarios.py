"""The scenarios of a rehearsal: what goes wrong in a run, and what the run should do about it.

Every rehearsal begins with the happy path. A scenario begins with what the runs before have left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from functions.constants import DATE_PLACEHOLDER
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from components.args import CampaignArgs, RetrainingPipelineArgs
    from functions.report.model import Report
    from retrain.rehearsal.data import Damage

Need: TypeAlias = Literal["FULL import", "campaign", "probe", "bake", "fixed locations"]
"""What a stack needs so that a scenario can be played."""
NO_RESULTS = {"fault": "no-results", "job": "solution-version", "times": 10_000}
"""A fault (`emulator/personalize/faults.py`) that happens until it is removed."""


class Name(StrEnum):
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
    """A run in which something goes wrong."""

    name: Name
    story: str
    """What goes wrong."""
    promise: str
    """What the pipeline should do, in words."""
    prevented: str = ""
    """What would have happened without the pipeline's guards. Empty for the happy path."""
    way_out: str = "no setting of a stack turns this off, so report it as a fault of the pipeline"
    """What to do if the pipeline does not prevent it."""
    outcomes: Sequence[str]
    """The outcomes that the report may have."""
    message: str = ""
    """A part of a reason in the report."""
    trains: bool = False
    """True if everything is imported and trained, false if nothing is."""
    serves_new_version: bool = False
    """True if every campaign gets its new version, false if each keeps its previous one."""
    damage: Damage = "none"
    """What is wrong with the export of interactions."""
    writes_exports: bool = True
    """False if the newer exports are missing, so that S3 has those of the run before."""
    deletes_user: bool = False
    """True if a data deletion job deletes a user, so the run trains without an import."""
    fault: Mapping[str, object] | None = None
    """The fault that the emulator plays."""
    needs: Sequence[Need] = ()

    def find_obstacle(self, args: RetrainingPipelineArgs) -> str | None:
        """Explain why a stack cannot play the scenario, or return None if it can."""
        for need in self.needs:
            obstacle = _explain_missing(need, args)
            if obstacle:
                return obstacle
        return None

    def adapt_to(self, args: RetrainingPipelineArgs) -> Scenario:
        """Promise no training without solutions, and no deployment without campaigns."""
        if not args.solutions:
            return replace(self, **WITHOUT_SOLUTIONS.get(self.name, {}))
        if not list_campaigns(args):
            return replace(self, **WITHOUT_CAMPAIGNS.get(self.name, {}))
        return self


def list_campaigns(args: RetrainingPipelineArgs) -> list[CampaignArgs]:
    """List the campaigns of all solutions of a stack."""
    return [campaign for solution in args.solutions for campaign in solution.campaigns]


def _explain_missing(need: Need, args: RetrainingPipelineArgs) -> str | None:
    """Explain why a stack lacks something that a scenario needs, or return None."""
    match need:
        case "FULL import":
            return _explain_missing_full_import(args)
        case "fixed locations":
            return _explain_dated_location(args)
        case _:
            return _explain_missing_trial(need, args)


def _explain_missing_full_import(args: RetrainingPipelineArgs) -> str | None:
    interactions = args.datasets.interactions
    if interactions is not None and interactions.import_mode == "FULL":
        return None
    return (
        "the stack has no FULL import of interactions; set importMode to FULL in "
        "datasets.interactions"
    )


def _explain_dated_location(args: RetrainingPipelineArgs) -> str | None:
    datasets = args.datasets.configured().values()
    if not any(DATE_PLACEHOLDER in str(dataset.data_location) for dataset in datasets):
        return None
    return (
        f"the stack's locations contain {DATE_PLACEHOLDER}, so the export of each day is new, "
        "and this scenario needs an export that has not changed"
    )


def _explain_missing_trial(need: Need, args: RetrainingPipelineArgs) -> str | None:
    """Explain why no campaign gets a version, or why none has to pass a probe or a bake."""
    campaigns = list_campaigns(args)

    if not campaigns:
        return "the stack has no campaigns; add the campaigns of a solution in the config"
    if need == "probe" and not any(campaign.probe for campaign in campaigns):
        return "no campaign has a probe; set solutions[].campaigns[].probe.userId of a campaign"
    if need == "bake" and not all(campaign.bake for campaign in campaigns):
        return "not every campaign has a bake; set solutions[].campaigns[].bake of each campaign"
    if need != "campaign" and any(solution.approval for solution in args.solutions):
        return "a version that needs an approval is not tried before a person has approved it"
    return None


SCENARIOS = (
    Scenario(
        name=Name.HAPPY_PATH,
        story="Newer exports arrive, and nothing goes wrong.",
        promise="Every solution is trained, and every campaign gets its new version, unless a "
        "person has to approve it.",
        way_out="do what the report says",
        outcomes=["DEPLOYED"],
        trains=True,
        serves_new_version=True,
    ),
    Scenario(
        name=Name.NOTHING_NEW,
        story="The export is missing. S3 still has the files of the last import.",
        promise="The run is SKIPPED. It imports and trains nothing.",
        way_out="set skipWhenUnchanged to true",
        prevented="the same model would have been trained and paid for again",
        writes_exports=False,
        outcomes=["SKIPPED"],
        message="nothing is new",
        needs=["fixed locations"],
    ),
    Scenario(
        name=Name.DELETED_USER,
        story="A person deletes a user from the dataset group. No export is newer.",
        promise="The run waits until the user is deleted, and trains every solution without an "
        "import. The campaigns get the new versions.",
        way_out="set skipWhenUnchanged to true, because an older export is not imported again",
        prevented="the model that knows the user would have been served until newer data arrived",
        writes_exports=False,
        deletes_user=True,
        outcomes=["DEPLOYED"],
        trains=True,
        serves_new_version=True,
        needs=["campaign", "fixed locations"],
    ),
    Scenario(
        name=Name.TRUNCATED_EXPORT,
        story="The export of interactions is cut off. Only a fifth of its rows arrive.",
        promise="The run is refused (FAILED) before it imports anything.",
        way_out="set datasets.interactions.minRelativeSize, for example to 0.5",
        prevented="a FULL import would have replaced the whole history",
        damage="truncated",
        outcomes=["FAILED"],
        message="minRelativeSize",
        needs=["FULL import"],
    ),
    Scenario(
        name=Name.WRONG_HEADER,
        story="A column of the export of interactions has a new name.",
        promise="The run is refused (FAILED) before it imports anything.",
        prevented="the import would have failed late, or would have lost the column",
        damage="renamed",
        outcomes=["FAILED"],
        message="which the dataset's schema requires",
        needs=["FULL import"],
    ),
    Scenario(
        name=Name.WORSE_MODEL,
        story="A broken join gives the items of the export to users at random.",
        promise="The new version is trained, but no campaign gets it (REJECTED).",
        way_out="set solutions[].qualityGate, for example maxDrop 0.25, and do not set "
        "qualityGateEnabled to false",
        prevented="the campaign would have recommended random items",
        damage="shuffled",
        outcomes=["REJECTED"],
        trains=True,
        needs=["FULL import", "campaign"],
    ),
    Scenario(
        name=Name.BAD_PROBE,
        story="The new version has good metrics, but never has a result.",
        promise="Every campaign is rolled back to its previous version (ROLLED_BACK).",
        way_out="give each campaign a probe: solutions[].campaigns[].probe",
        prevented="users would have seen no recommendations until someone noticed",
        fault=NO_RESULTS,
        outcomes=["ROLLED_BACK"],
        trains=True,
        needs=["probe"],
    ),
    Scenario(
        name=Name.RINGING_ALARM,
        story="The new version answers its probe, but then an alarm goes off at each campaign.",
        promise="Every campaign is rolled back to its previous version (ROLLED_BACK).",
        prevented="the errors would have gone on until someone had read the alarm",
        outcomes=["ROLLED_BACK"],
        trains=True,
        needs=["bake"],
    ),
)
"""In the order in which they are played."""
WITHOUT_CAMPAIGNS: Mapping[Name, Mapping[str, Any]] = {
    Name.HAPPY_PATH: {"promise": "Every solution is trained.", "outcomes": ["TRAINED"]},
}
WITHOUT_SOLUTIONS: Mapping[Name, Mapping[str, Any]] = {
    Name.HAPPY_PATH: {"promise": "Every dataset is imported.", "outcomes": ["IMPORTED"]},
    Name.NOTHING_NEW: {
        "promise": "The run is SKIPPED. It imports nothing.",
        "prevented": "the same data would have been imported and paid for again",
    },
}
"""Name of a scenario -> what differs for a stack without campaigns, or without solutions."""


class Snapshot(NamedTuple):
    """The state of the account before or after a run."""

    imports: Mapping[str, int]
    """The ARN of each configured dataset -> the number of its import jobs."""
    version_statuses: Mapping[str, str]
    """The ARN of each solution version -> its status."""
    served_versions: Mapping[str, str | None]
    """The ARN of each campaign -> the ARN of the version that it serves, if it's ACTIVE."""
    approved_campaigns: Collection[str] = ()
    """The ARNs of the campaigns that get a new version only after the approval of a person."""


class Check(NamedTuple):
    """A sentence that has to be true after a scenario."""

    text: str
    is_met: bool


def list_scenarios(names: Sequence[Name]) -> list[Scenario]:
    """List the happy path and the scenarios with these names, or all of them for ALL."""
    if Name.ALL in names:
        return list(SCENARIOS)

    chosen = {Name.HAPPY_PATH, *names}
    return [scenario for scenario in SCENARIOS if scenario.name in chosen]


def judge(
    scenario: Scenario, report: Report | None, before: Snapshot, after: Snapshot
) -> Iterator[Check]:
    """Compare a run and what it left in the account with what it should have done."""
    yield from _check_report(scenario, report, after)
    yield _check_imports(scenario, before, after)

    new_versions = {
        version_arn: status
        for version_arn, status in after.version_statuses.items()
        if version_arn not in before.version_statuses
    }
    yield from _check_trainings(scenario, new_versions, after)
    for campaign_arn in after.served_versions:
        yield _check_campaign(scenario, campaign_arn, new_versions, before, after)


def _check_report(scenario: Scenario, report: Report | None, after: Snapshot) -> Iterator[Check]:
    """Check the run's outcome, and the reason that its report gives."""
    expected_outcomes = scenario.outcomes
    if scenario.serves_new_version and after.approved_campaigns:
        expected_outcomes = ["AWAITING_APPROVAL"]

    has_outcome = report is not None and report["outcome"] in expected_outcomes
    yield Check(f"the run ended as {' or '.join(expected_outcomes)}", has_outcome)

    # Only a run that ends before it imports anything has its reason here.
    if scenario.message:
        reasons = report["reasons"] if report else []
        has_reason = any(scenario.message in reason["text"] for reason in reasons)
        yield Check("its report has the reason", has_reason)


def _check_imports(scenario: Scenario, before: Snapshot, after: Snapshot) -> Check:
    # After a deletion, the run trains without an import.
    if scenario.trains and not scenario.deletes_user:
        new_counts = [count > before.imports[arn] for arn, count in after.imports.items()]
        return Check("every dataset was imported", all(new_counts))
    return Check("nothing was imported", after.imports == before.imports)


def _check_trainings(
    scenario: Scenario, new_versions: Mapping[str, str], after: Snapshot
) -> Iterator[Check]:
    """Check the new versions, unless the stack only imports."""
    solution_arns = {_find_solution(arn) for arn in after.version_statuses}
    if not solution_arns:
        return

    if scenario.trains:
        active_arns = [arn for arn, status in new_versions.items() if status == "ACTIVE"]
        trained_arns = {_find_solution(arn) for arn in active_arns}
        yield Check(
            "every solution has a new version, which is ACTIVE", trained_arns == solution_arns
        )
    else:
        yield Check("no training was paid for", not new_versions)


def _find_solution(version_arn: str) -> str:
    """Return the ARN of a version's solution, with which the version's ARN begins."""
    return version_arn.rpartition("/")[0]


def _check_campaign(
    scenario: Scenario,
    campaign_arn: str,
    new_versions: Mapping[str, str],
    before: Snapshot,
    after: Snapshot,
) -> Check:
    """Check which version a campaign serves. Without an approval, it keeps the previous one."""
    campaign_name = short_name(campaign_arn)
    version_arn = after.served_versions[campaign_arn]

    if scenario.serves_new_version and campaign_arn not in after.approved_campaigns:
        return Check(f"{campaign_name} serves its new version", version_arn in new_versions)

    is_previous = version_arn == before.served_versions[campaign_arn]
    return Check(f"{campaign_name} serves its previous version", is_previous)
