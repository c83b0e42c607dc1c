"""Finds the work for a solution that earlier runs left undone.

A campaign may be waiting for a version, a batch job may be missing, or a verdict may be unreported.
To predict this work, planning calls the same rules that decide during the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..personalize.campaigns import (
    add_versions,
    build_campaign_state,
)
from ..rules import batch_jobs
from ..rules.batch_jobs import (
    BatchProgress,
    BatchSpec,
    BatchState,
)
from ..rules.campaigns import DeploymentProgress
from ..rules.deployments import (
    decide,
    needs_report,
    needs_run,
)
from ..rules.trainings import (
    MONTH,
    find_newest_active,
)
from ..run.deployment_spec import build_deployment_spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..contract import (
        Run,
        Settings,
    )
    from ..rules.campaigns import CampaignState
    from ..rules.steps import Step
    from ..rules.versions import SolutionVersion
    from .snapshot import (
        BatchJobSnapshot,
        SolutionSnapshot,
    )


class FirstStep(NamedTuple):
    """The first step of deploying a version to a campaign."""

    version: SolutionVersion
    step: Step

    @property
    def needs_run(self) -> bool:
        """True if the deployment changes something, or waits for something."""
        return needs_run(self.step)


@dataclass(frozen=True)
class EarlierVersions:
    """The versions of a solution that earlier runs trained, and what these runs left undone.

    The *candidate* is the newest ACTIVE version among these.
    """

    settings: Settings
    run: Run
    now: datetime
    snapshot: SolutionSnapshot

    @property
    def candidate(self) -> SolutionVersion | None:
        """The candidate, or None if no run has trained an ACTIVE version."""
        return find_newest_active(self.snapshot.state.versions)

    @property
    def approved(self) -> list[SolutionVersion]:
        """The versions from the last month that a person approved, newest first."""
        if self.snapshot.solution_settings["approval"] is None:
            return []

        return [
            version
            for version in self.snapshot.state.versions
            if version.is_active
            and version.approval == "APPROVED"
            and version.created_at > self.now - MONTH
        ]

    @cached_property
    def campaigns(self) -> Mapping[str, CampaignState]:
        """Campaign ARN -> the campaign's state, as input for the rules.

        Missing campaigns are left out, because refuse_unusable_solution() reports them.
        """
        tags = self.snapshot.campaign_tags
        solution_arn = self.snapshot.solution_settings["solutionArn"]
        return {
            arn: build_campaign_state(campaign, tags.get(arn, {}), solution_arn)
            for arn, campaign in self.snapshot.campaigns.items()
        }

    @property
    def open_campaigns(self) -> list[str]:
        """The ARNs of the campaigns without a version on trial. Only these may be updated."""
        return [arn for arn, state in self.campaigns.items() if state.record.trial is None]

    @cached_property
    def first_steps(self) -> dict[str, FirstStep]:
        """Campaign ARN -> the first step of deploying the candidate, for each open campaign."""
        candidate = self.candidate
        if candidate is None:
            return {}
        return {arn: self._predict_first_step(arn, candidate) for arn in self.open_campaigns}

    @cached_property
    def waiting(self) -> dict[str, SolutionVersion]:
        """Campaign ARN -> the version that the campaign is waiting for.

        Usually, this is the candidate. While the candidate awaits approval, or after its rejection,
        it may be an earlier version that a person has approved.
        """
        waiting = {}
        for arn, first in self.first_steps.items():
            steps = [first]
            if first.step.outcome in ("REJECTED", "AWAITING_APPROVAL"):
                steps += [self._predict_first_step(arn, version) for version in self.approved]

            versions = [step.version for step in steps if step.needs_run]
            if versions:
                waiting[arn] = versions[0]
        return waiting

    @property
    def unreported_verdicts(self) -> dict[str, FirstStep]:
        """Campaign ARN -> the step with an unreported verdict on the candidate.

        The run that reached this verdict died before its report.
        """
        return {
            arn: first
            for arn, first in self.first_steps.items()
            if needs_report(first.step, self.campaigns[arn], first.version.arn)
        }

    def _predict_first_step(self, campaign_arn: str, version: SolutionVersion) -> FirstStep:
        """Predict the first step of deploying a version to a campaign."""
        versions_by_arn = {known.arn: known for known in self.snapshot.state.versions}
        spec = build_deployment_spec(
            self.settings,
            self.snapshot.solution_settings,
            campaign_arn,
            version.arn,
            from_earlier_run=True,
        )
        campaign = add_versions(
            self.campaigns[campaign_arn],
            spec,
            find=versions_by_arn.get,
            read=self.snapshot.read_version,
            now=self.now,
        )

        progress = DeploymentProgress(began_at=self.now)
        return FirstStep(version, decide(campaign, spec, progress, self.now))

    @cached_property
    def batch_steps(self) -> dict[str, Step]:
        """Output of a batch job -> the job's first step if the run uses the candidate."""
        candidate = self.candidate
        if candidate is None:
            return {}
        return {
            batch_job.settings["output"]: self._predict_batch_step(batch_job, candidate)
            for batch_job in self.snapshot.batch_jobs
        }

    def _predict_batch_step(self, batch_job: BatchJobSnapshot, version: SolutionVersion) -> Step:
        """Predict the first step of a batch job with a version."""
        job_filter = self.snapshot.filters.get(batch_job.settings["filterArn"] or "")

        spec = BatchSpec(
            run_id=self.run["id"],
            version_arn=version.arn,
            job=batch_job.settings,
            gate=self.snapshot.solution_settings["qualityGate"],
        )
        state = BatchState(
            jobs=batch_job.earlier_jobs,
            input_hash=batch_job.input.files_hash if batch_job.input.objects else None,
            filter_expression=job_filter["filterExpression"] if job_filter else None,
            campaigns=[*self.campaigns.values()],
        )
        state = batch_jobs.add_versions(state, spec, self.snapshot.read_version)
        return batch_jobs.decide(state, spec, BatchProgress(self.now), self.now)
