"""Compares the evidence of a scenario with what the pipeline should have done.

A judge yields the expectations of a scenario, and whether the evidence meets each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from retrain.names import short_name

if TYPE_CHECKING:
    from functions.report.model import Report
    from retrain.rehearsal.runs import Campaign, Run

SUCCESSES = ("DEPLOYED", "TRAINED")
"""The statuses of a run that has trained every solution."""
CHANGED_EXPORT = "the export changed while it was imported"
"""A part of the reason of an import (`functions/rules/imports.py`)."""


@dataclass(frozen=True)
class Expectation:
    """A sentence that has to be true after a scenario."""

    text: str
    is_met: bool


@dataclass(frozen=True)
class Evidence:
    """The runs of a scenario, and the state of the account afterwards."""

    runs: Sequence[Run]
    """In the order in which they were started."""
    campaigns: Sequence[Campaign]
    version_statuses: Mapping[str, str] = field(default_factory=dict)
    """The status of each version that the runs trained, by its ARN."""
    deliveries: Sequence[str] = ()
    """The ARN of the execution that each delivery of the schedule's event started or found."""
    foreign_calls: Sequence[str] = ()
    """The calls by one stack that name a resource of the other stack."""
    campaigns_without_probe: Sequence[str] = ()
    """The ARNs of the campaigns that the stack does not probe."""
    evaluation_users: int | None = None
    """The number of users on whom the metrics rest. None if the scenario does not need metrics."""

    def messages(self) -> list[str]:
        """Return the reasons in the reports, without repetitions."""
        reports = [run.report for run in self.runs if run.report]
        return list(dict.fromkeys(line for report in reports for line in reasons(report)))


Judge: TypeAlias = Callable[[Evidence], Iterator[Expectation]]


def refused(message_part: str) -> Judge:
    """Return the judge of a run that a guard has to refuse before any job is started.

    The report has to contain `message_part`.
    """

    def judge(evidence: Evidence) -> Iterator[Expectation]:
        yield _run_ended(evidence, "FAILED", message_part)
        yield _no_job_started(evidence)
        yield _previous_versions_served(evidence)

    return judge


def skipped(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run that is skipped because nothing is new."""
    yield _run_ended(evidence, "SKIPPED", "nothing is new")
    yield _no_job_started(evidence)
    yield _previous_versions_served(evidence)


def rejected(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run whose new versions fail the quality gate."""
    yield _versions_active(evidence)
    outcomes = set(_campaign_outcomes(evidence).values())
    yield Expectation(
        "the quality gate rejected the version for every campaign", outcomes == {"REJECTED"}
    )
    yield _previous_versions_served(evidence)


def rolled_back(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run whose new versions fail the probe.

    The pipeline does not roll back a campaign without a probe. The campaign serves the bad version
    then, so an expectation about this campaign is not met, and the user learns of it.
    """
    without_probe = evidence.campaigns_without_probe
    yield _versions_active(evidence)
    outcomes = {
        outcome for arn, outcome in _campaign_outcomes(evidence).items() if arn not in without_probe
    }
    campaigns = "every campaign that has one" if without_probe else "every campaign"
    yield Expectation(f"the probe rolled back {campaigns}", outcomes == {"ROLLED_BACK"})
    yield from _campaigns_without_probe(evidence)
    yield _previous_versions_served(evidence)


def finished_later(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run that is stopped while it deploys a version without results.

    Only the campaigns whose update was sent are on trial then. The function that the stopped run
    had called goes on, so it may move a campaign back before the next execution can (SKIPPED).
    """
    stopped_run, *later_runs = evidence.runs
    yield Expectation(
        "the run was stopped after it had sent the update of a campaign",
        stopped_run.report is None and any(job.kind == "update" for job in stopped_run.jobs),
    )
    trials = [trial for run in later_runs if run.report for trial in run.report["trials"]]
    yield Expectation("another execution finished the trial", bool(trials))
    yield Expectation(
        "its probe rolled the campaign back",
        all(
            trial["outcome"] in ("ROLLED_BACK", "SKIPPED")
            for trial in trials
            if trial["campaignArn"] not in evidence.campaigns_without_probe
        ),
    )
    yield from _campaigns_without_probe(evidence)
    yield _previous_versions_served(evidence)


def deployed_what_it_trained(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run whose training an import of somebody else meets."""
    yield _versions_active(evidence)
    outcomes = set(_campaign_outcomes(evidence).values())
    yield Expectation("every campaign got the version", outcomes == {"DEPLOYED"})


def failed_by_changed_exports(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run whose exports change while it imports them."""
    (run,) = evidence.runs
    yield Expectation(
        "the run failed, because the exports changed while they were imported",
        run.status == "FAILED" and any(CHANGED_EXPORT in text for text in evidence.messages()),
    )
    has_trained = any(job.kind == "train" for job in run.jobs)
    yield Expectation("nothing was trained on them", not has_trained)
    yield _previous_versions_served(evidence)


def stopped(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of a run whose trainings pass their deadline."""
    yield Expectation(
        "every training was stopped", _all_versions_have_status("CREATE STOPPED", evidence)
    )
    yield Expectation("the run ended as FAILED", evidence.runs[0].status == "FAILED")
    yield _previous_versions_served(evidence)


def started_once(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of an event that is delivered twice, and of a run beside it."""
    _, by_hand = evidence.runs
    yield Expectation(
        "the second delivery of the event started no second execution",
        len(set(evidence.deliveries)) == 1,
    )
    yield Expectation("the run by hand was skipped", by_hand.status == "SKIPPED")
    yield Expectation("the run by hand started no job", not by_hand.jobs)
    trained_solutions = [arn.rpartition("/")[0] for arn in evidence.version_statuses]
    is_trained_once = len(set(trained_solutions)) == len(trained_solutions)
    yield Expectation(
        "every solution was trained once", bool(trained_solutions) and is_trained_once
    )
    yield _new_versions_served(evidence)


def independent(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectations of the runs of two stacks, which must not touch each other."""
    yield Expectation("both runs succeeded", all(run.status in SUCCESSES for run in evidence.runs))
    first_jobs, second_jobs = ({job.arn for job in run.jobs} for run in evidence.runs)
    yield Expectation(
        "each run has jobs, and no job belongs to both",
        bool(first_jobs and second_jobs) and first_jobs.isdisjoint(second_jobs),
    )
    yield Expectation(
        "no call of one stack names a resource of the other", not evidence.foreign_calls
    )
    yield _new_versions_served(evidence)


def _campaigns_without_probe(evidence: Evidence) -> Iterator[Expectation]:
    """Yield the expectation that a campaign serves its previous version, if it has no probe."""
    for campaign in evidence.campaigns:
        if campaign.campaign_arn in evidence.campaigns_without_probe:
            name = short_name(campaign.campaign_arn)
            yield Expectation(
                f"{name}, which has no probe, serves its previous version",
                campaign.serves_previous_version,
            )


def _run_ended(evidence: Evidence, status: str, message_part: str) -> Expectation:
    """Return the expectation that the first run has a status and a message with this part."""
    verb = {"FAILED": "refused", "SKIPPED": "skipped"}[status]
    has_message = any(message_part in message for message in evidence.messages())
    is_met = evidence.runs[0].status == status and has_message
    return Expectation(f"the run was {verb}, and the report has the reason", is_met)


def _no_job_started(evidence: Evidence) -> Expectation:
    """Return the expectation that no run started an import job, a training or an update."""
    is_met = not any(run.jobs for run in evidence.runs)
    return Expectation("nothing was imported, and no training was paid for", is_met)


def _versions_active(evidence: Evidence) -> Expectation:
    """Return the expectation that the runs trained versions, and that all of them are ACTIVE."""
    is_met = _all_versions_have_status("ACTIVE", evidence)
    return Expectation("the new version was trained, and is ACTIVE", is_met)


def _previous_versions_served(evidence: Evidence) -> Expectation:
    is_met = all(campaign.serves_previous_version for campaign in evidence.campaigns)
    return Expectation("every campaign serves its previous version", is_met)


def _new_versions_served(evidence: Evidence) -> Expectation:
    is_met = all(campaign.serves_new_version for campaign in evidence.campaigns)
    return Expectation("every campaign serves its new version", is_met)


def _all_versions_have_status(status: str, evidence: Evidence) -> bool:
    """Return True if the runs trained versions, and all of them have this status."""
    return set(evidence.version_statuses.values()) == {status}


def _campaign_outcomes(evidence: Evidence) -> dict[str, str]:
    """Return the outcome of each campaign in the reports, by its ARN."""
    return {
        arn: outcome for run in evidence.runs for arn, outcome in run.campaign_outcomes().items()
    }


def reasons(report: Report) -> Iterator[str]:
    """Yield the reason in a report, and those of its jobs and campaigns.

    If guards refused the run, the reason is a heading above a line for each problem. Then yield
    the problems without the heading.
    """
    if report["reason"]:
        heading, *problems = report["reason"].split("\n")
        yield from (problem.strip() for problem in problems or [heading])
    campaigns = [campaign for solution in report["solutions"] for campaign in solution["campaigns"]]
    for part in (*report["imports"], *report["solutions"], *campaigns, *report["trials"]):
        if part["reason"]:
            yield part["reason"]
