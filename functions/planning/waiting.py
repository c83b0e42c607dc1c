"""Finds out what the versions of earlier runs still have to do for a solution.

A campaign may be waiting for a version, a batch job may be missing, or nobody was told a verdict.
All of it is predicted by the rules that decide during the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..personalize.campaigns import build_campaign_state, build_deployment_spec, with_versions
from ..rules import batch_jobs
from ..rules.batch_jobs import BatchProgress, BatchSpec, BatchState
from ..rules.campaigns import DeploymentProgress
from ..rules.deployments import decide, needs_report, needs_run
from ..rules.trainings import MONTH, find_newest_active

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..contract import Run, Settings
    from ..rules.campaigns import CampaignState
    from ..rules.steps import Step
    from ..rules.versions import SolutionVersion
    from .snapshot import BatchSnapshot, SolutionSnapshot


class FirstStep(NamedTuple):
    """The step with which the deployment of a version to a campaign begins."""

    version: SolutionVersion
    step: Step

    @property
    def needs_run(self) -> bool:
        """True if the deployment changes or waits for something."""
        return needs_run(self.step)


@dataclass(frozen=True)
class EarlierVersions:
    """The versions of a solution that earlier runs have trained, and what is left to do with them.

    The *candidate* is the newest of them that is ACTIVE.
    """

    settings: Settings
    run: Run
    now: datetime
    snapshot: SolutionSnapshot

    @property
    def candidate(self) -> SolutionVersion | None:
        """The candidate, or None if no run has trained a version."""
        return find_newest_active(self.snapshot.state.versions)

    @property
    def approved(self) -> list[SolutionVersion]:
        """The versions of the last month that a person has approved, newest first."""
        if self.snapshot.solution["approval"] is None:
            return []

        return [
            version
            for version in self.snapshot.state.versions
            if version.is_active
            and version.answer == "APPROVED"
            and version.created_at > self.now - MONTH
        ]

    @cached_property
    def campaigns(self) -> Mapping[str, CampaignState]:
        """The ARN of each campaign -> its state, in the form that the rules take.

        Campaigns that don't exist are left out, and refuse_unusable_solution() reports them.
        """
        tags = self.snapshot.campaign_tags
        solution_arn = self.snapshot.solution["solutionArn"]
        return {
            arn: build_campaign_state(campaign, tags.get(arn, {}), solution_arn)
            for arn, campaign in self.snapshot.campaigns.items()
        }

    @property
    def open_campaigns(self) -> list[str]:
        """The ARNs of the campaigns that may be updated, because they have no version on trial."""
        return [arn for arn, state in self.campaigns.items() if state.record.trial is None]

    @cached_property
    def first_steps(self) -> dict[str, FirstStep]:
        """The ARN of each open campaign -> the first step of deploying the candidate to it."""
        candidate = self.candidate
        if candidate is None:
            return {}
        return {arn: self.first_step(arn, candidate) for arn in self.open_campaigns}

    @cached_property
    def waiting(self) -> dict[str, SolutionVersion]:
        """The ARN of each campaign that is waiting for a version -> that version.

        Usually that's the candidate. If it was rejected, or a person hasn't answered yet, it's an
        earlier version that a person has approved meanwhile.
        """
        waiting = {}
        for arn, first in self.first_steps.items():
            steps = [first]
            if first.step.outcome in ("REJECTED", "AWAITING_APPROVAL"):
                steps += [self.first_step(arn, version) for version in self.approved]

            versions = [step.version for step in steps if step.needs_run]
            if versions:
                waiting[arn] = versions[0]
        return waiting

    @property
    def untold_verdicts(self) -> dict[str, FirstStep]:
        """The ARN of each campaign with a verdict that nobody was told -> the step that says it.

        The run that came to this verdict about the candidate died before its report.
        """
        return {
            arn: first
            for arn, first in self.first_steps.items()
            if needs_report(first.step, self.campaigns[arn], first.version.arn)
        }

    def first_step(self, campaign_arn: str, version: SolutionVersion) -> FirstStep:
        """Predict how the deployment of a version to a campaign begins."""
        versions = {known.arn: known for known in self.snapshot.state.versions}
        spec = build_deployment_spec(
            self.settings, self.snapshot.solution, campaign_arn, version.arn, from_earlier_run=True
        )
        campaign = with_versions(
            self.campaigns[campaign_arn],
            spec,
            find=versions.get,
            read=self.snapshot.read_version,
            now=self.now,
        )

        progress = DeploymentProgress(began_at=self.now)
        return FirstStep(version, decide(campaign, spec, progress, self.now))

    @cached_property
    def batch_steps(self) -> dict[str, Step]:
        """The output of each batch job -> its first step if the run uses the candidate."""
        candidate = self.candidate
        if candidate is None:
            return {}
        return {
            batch.job["output"]: self._batch_step(batch, candidate)
            for batch in self.snapshot.batch_jobs
        }

    def _batch_step(self, batch: BatchSnapshot, version: SolutionVersion) -> Step:
        """Predict the first step of a batch job."""
        job_filter = self.snapshot.filters.get(batch.job["filterArn"] or "")

        spec = BatchSpec(
            run=self.run["id"],
            version_arn=version.arn,
            job=batch.job,
            gate=self.snapshot.solution["qualityGate"],
        )
        state = BatchState(
            jobs=batch.jobs,
            input_hash=batch.input.files_hash if batch.input.objects else None,
            filter_expression=job_filter["filterExpression"] if job_filter else None,
            campaigns=[*self.campaigns.values()],
        )
        state = batch_jobs.with_versions(state, spec, self.snapshot.read_version)
        return batch_jobs.decide(state, spec, BatchProgress(self.now), self.now)
