"""Finds the work for a solution that earlier runs left undone.

A campaign may be waiting for a version, a batch job may be missing, or a verdict may be unreported.
To predict this work, planning calls the same rules that decide during the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..personalize.campaigns import add_versions, build_campaign_state
from ..rules import batch_jobs
from ..rules.batch_jobs import BatchProgress, BatchSpec, BatchState
from ..rules.campaigns import CampaignState, DeploymentProgress
from ..rules.deployments import decide, needs_report, needs_run
from ..rules.trainings import MONTH, find_candidate, is_deployable
from ..run.deployment_spec import build_deployment_spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..contract import Run, Settings, TrainedBy
    from ..rules.steps import Step
    from ..rules.versions import SolutionVersion
    from .snapshot import BatchJobSnapshot, SolutionSnapshot


class PredictedDeployment(NamedTuple):
    """A version, and the first step that deploying it to a campaign would take."""

    version: SolutionVersion
    first_step: Step


@dataclass(frozen=True)
class EarlierVersions:
    """The versions of a solution that earlier runs trained, and what those runs left undone."""

    settings: Settings
    run: Run
    now: datetime
    solution_snapshot: SolutionSnapshot

    @property
    def candidate(self) -> SolutionVersion | None:
        """The version that runs deploy, or None."""
        return find_candidate(self.solution_snapshot.state.versions, self._trained_by)

    @property
    def _trained_by(self) -> TrainedBy:
        return self.solution_snapshot.solution_settings["trainedBy"]

    @property
    def approved_versions(self) -> list[SolutionVersion]:
        """The versions from the last month that a person approved, newest first."""
        if self.solution_snapshot.solution_settings["approval"] is None:
            return []

        # Who trains the solution may have changed since the approval.
        return [
            version
            for version in self.solution_snapshot.state.versions
            if is_deployable(version, self._trained_by)
            and version.approval == "APPROVED"
            and version.created_at > self.now - MONTH
        ]

    @cached_property
    def campaign_states(self) -> Mapping[str, CampaignState]:
        """Campaign ARN -> its state, as input for the rules.

        Missing campaigns are left out, because refuse_unusable_solution() reports them.
        """
        tags = self.solution_snapshot.campaign_tags
        solution_arn = self.solution_snapshot.solution_settings["solutionArn"]
        return {
            arn: build_campaign_state(campaign, tags.get(arn, {}), solution_arn)
            for arn, campaign in self.solution_snapshot.campaigns.items()
        }

    @property
    def updatable_campaign_arns(self) -> list[str]:
        """The ARNs of the campaigns without a version on trial. Only these may be updated."""
        return [arn for arn, state in self.campaign_states.items() if state.record.trial is None]

    @cached_property
    def predicted_deployments(self) -> dict[str, PredictedDeployment]:
        """Updatable campaign ARN -> the candidate, and the first step of its deployment there."""
        candidate = self.candidate
        if candidate is None:
            return {}
        return {
            arn: self._predict_deployment(arn, candidate) for arn in self.updatable_campaign_arns
        }

    @cached_property
    def pending_versions(self) -> dict[str, SolutionVersion]:
        """Campaign ARN -> the version that still has to be deployed there.

        Usually, this is the candidate. While the candidate awaits approval, or after its rejection,
        it may be an earlier version that a person has approved.
        """
        pending_versions = {}
        for campaign_arn, deployment in self.predicted_deployments.items():
            version = self._choose_pending_version(campaign_arn, deployment)
            if version is not None:
                pending_versions[campaign_arn] = version
        return pending_versions

    def _choose_pending_version(
        self, campaign_arn: str, candidate_deployment: PredictedDeployment
    ) -> SolutionVersion | None:
        """Choose the candidate, else the newest approved version that the campaign can get."""
        candidate, first_step = candidate_deployment
        if needs_run(first_step):
            return candidate
        if first_step.outcome not in ("REJECTED", "AWAITING_APPROVAL"):
            return None

        for version in self.approved_versions:
            if needs_run(self._predict_deployment(campaign_arn, version).first_step):
                return version
        return None

    @property
    def unreported_verdicts(self) -> dict[str, PredictedDeployment]:
        """Campaign ARN -> the candidate, and the step with the unreported verdict on it.

        A verdict is unreported if the run that reached it died before it could send its report.
        """
        return {
            arn: deployment
            for arn, deployment in self.predicted_deployments.items()
            if needs_report(
                deployment.first_step, self.campaign_states[arn], deployment.version.arn
            )
        }

    def _predict_deployment(
        self, campaign_arn: str, version: SolutionVersion
    ) -> PredictedDeployment:
        """Let the rules decide on the first step of deploying a version to a campaign."""
        versions_by_arn = {known.arn: known for known in self.solution_snapshot.state.versions}
        spec = build_deployment_spec(
            self.settings,
            self.solution_snapshot.solution_settings,
            campaign_arn,
            version.arn,
            is_candidate_from_earlier_run=True,
        )
        campaign_state = add_versions(
            self.campaign_states[campaign_arn],
            spec,
            find_version=versions_by_arn.get,
            read_version=self.solution_snapshot.read_version,
            now=self.now,
        )

        progress = DeploymentProgress(began_at=self.now)
        first_step = decide(campaign_state, spec, progress, self.now)
        return PredictedDeployment(version, first_step)

    @cached_property
    def predicted_batch_steps(self) -> dict[str, Step]:
        """Output of a batch job -> its first step if the run uses the candidate."""
        candidate = self.candidate
        if candidate is None:
            return {}
        return {
            batch_job.settings["output"]: self._predict_batch_step(batch_job, candidate)
            for batch_job in self.solution_snapshot.batch_jobs
        }

    def _predict_batch_step(self, batch_job: BatchJobSnapshot, version: SolutionVersion) -> Step:
        """Let the rules decide on the first step of a batch job that uses a version."""
        job_filter = self.solution_snapshot.filters.get(batch_job.settings["filterArn"] or "")
        filter_expression = job_filter["filterExpression"] if job_filter else None
        input_hash = batch_job.input.files_hash if batch_job.input.objects else None

        spec = BatchSpec(
            run_id=self.run["id"],
            newest_version_arn=version.arn,
            settings=batch_job.settings,
            gate=self.solution_snapshot.solution_settings["qualityGate"],
        )
        state = BatchState(
            jobs=batch_job.earlier_jobs,
            input_hash=input_hash,
            filter_expression=filter_expression,
            campaigns=[*self.campaign_states.values()],
        )
        state = batch_jobs.add_versions(state, spec, self.solution_snapshot.read_version)
        return batch_jobs.decide(state, spec, BatchProgress(self.now), self.now)
