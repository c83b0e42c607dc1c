"""Decides for one solution whether the run trains it.

If the run doesn't train it, its newest version may still have work to do: campaigns may be waiting
for it, a batch job may be missing, or nobody was told the verdict on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

from ..contract import (
    PlannedSolution,
    ProbeSettings,
    Run,
    Settings,
    SolutionSettings,
    TrainingMode,
)
from ..executions import job_name, run_began_at, short_hash
from ..personalize.batch_jobs import BatchJobOfRun, batch_jobs_of
from ..personalize.campaigns import campaign_state, deployment_spec, with_versions
from ..rules import batch_jobs
from ..rules.batch_jobs import BatchProgress, BatchSpec, BatchState
from ..rules.campaigns import CampaignState, DeploymentProgress
from ..rules.deployments import decide, needs_report, needs_run
from ..rules.steps import Step
from ..rules.trainings import (
    Deletion,
    SolutionState,
    full_versions,
    learned_deletion,
    monthly_limit,
    newest_active,
    reached_limit,
    usable_version,
)
from ..rules.versions import SolutionVersion
from .datasets import Decision, durations_of
from .snapshot import Snapshot, recipe_name

MAX_FULL_AGE = timedelta(days=6, hours=12)
"""From this age of the newest FULL version on, the next training is FULL even in the mode UPDATE.

AWS advises a FULL training each week. A weekly run creates its version up to 12 hours after its
start, because it imports first, so last week's FULL version may be younger than 7 days.
"""
LEARNED_DELETED_USERS = "its newest version may have learned users who were deleted since then"
UNKNOWN_SOLUTION = SolutionState()


@dataclass(frozen=True)
class SolutionView:
    """A solution that the run may train, and what planning knows about it."""

    settings: Settings
    run: Run
    snapshot: Snapshot
    solution: SolutionSettings
    imports_anything: bool
    """True if the run imports any dataset, so no version was trained on the data of the run yet."""

    @property
    def arn(self) -> str:
        """The ARN of the solution."""
        return self.solution["solutionArn"]

    @property
    def state(self) -> SolutionState:
        """The solution and its versions, newest first. A missing solution has no versions."""
        return self.snapshot.solution_states.get(self.arn, UNKNOWN_SOLUTION)

    @property
    def recipe(self) -> str | None:
        """The name of the recipe, or "" with AutoML. None if the solution doesn't exist."""
        solution = self.snapshot.solutions.get(self.arn)
        return None if solution is None else recipe_name(solution)

    @property
    def probes(self) -> list[tuple[str, ProbeSettings]]:
        """The campaigns that have a probe: each one's ARN, and the probe."""
        return [
            (campaign["campaignArn"], campaign["probe"])
            for campaign in self.solution["campaigns"]
            if campaign["probe"] is not None
        ]

    @property
    def receives_events(self) -> bool:
        """True if records may reach the dataset group without an import."""
        is_streamed = any(dataset["streamed"] for dataset in self.settings["datasets"])
        return is_streamed or bool(self.snapshot.event_trackers)

    @property
    def user_ids(self) -> frozenset[str] | None:
        """All users with interactions, or None if the snapshot doesn't show all of them."""
        if self.receives_events:
            return None

        for dataset in self.settings["datasets"]:
            export = self.snapshot.exports.get(dataset["datasetArn"])
            has_all_users = dataset["type"] == "interactions" and dataset["importMode"] == "FULL"
            # The rows are counted only if all of them were read.
            if has_all_users and export and export.row_count is not None:
                return frozenset(export.values("USER_ID"))
        return None

    @property
    def requested_by(self) -> str | None:
        """What asks for a training although a version may have been trained on the present data.

        It's a key of the request or of the settings, or `events`, or None.
        """
        if self.run["request"].get("force"):
            return "force"
        if not self.settings["skipWhenUnchanged"]:
            return "skipWhenUnchanged"
        return "events" if self.receives_events else None

    @property
    def requested_since(self) -> datetime | None:
        """The time after which the version must have been created, or None if only its data counts.

        A person asks for a version that was created since the run began.
        """
        if self.requested_by == "events":
            # For events, it may be as old as half of the time between two runs.
            return self.snapshot.now - timedelta(seconds=self.settings["cadenceSeconds"] / 2)
        return run_began_at(self.run) if self.requested_by else None

    @cached_property
    def version_to_use(self) -> SolutionVersion | None:
        """The newest version that makes a training unnecessary, or None."""
        return None if self.imports_anything else usable_version(self.state, self.requested_since)

    @property
    def needs_training(self) -> bool:
        """True if the run has to train the solution, or to wait for a running training."""
        # A request with `only` trains nothing.
        version = self.version_to_use
        return "only" not in self.run["request"] and (version is None or version.is_running)

    @cached_property
    def limit_message(self) -> str | None:
        """Why the monthly limit forbids the training that is needed, or None."""
        if not self.needs_training or self.version_to_use:
            return None

        max_per_month = monthly_limit(self.settings, self.run)
        limit = reached_limit(self.state.trainings, max_per_month, self.snapshot.now)
        return f"{limit}; {LEARNED_DELETED_USERS}" if limit and self.deletion else limit

    @property
    def newest(self) -> SolutionVersion | None:
        """The newest ACTIVE version that a run has trained, or None."""
        return newest_active(self.state.trainings)

    @property
    def deletion(self) -> Deletion | None:
        """The last deletion of users, if the newest version may still know them, or None."""
        return learned_deletion(self.newest, self.state) if self.newest else None

    @cached_property
    def campaigns(self) -> Mapping[str, CampaignState]:
        """The ARN of each campaign -> its state, in the form that the rules take.

        Campaigns that don't exist are left out, and unusable_solution() reports them.
        """
        arns = [campaign["campaignArn"] for campaign in self.solution["campaigns"]]
        return {
            arn: campaign_state(campaign, self.snapshot.campaign_tags.get(arn, {}), self.arn)
            for arn, campaign in self.snapshot.campaigns.items()
            if arn in arns
        }

    @property
    def training_mode(self) -> TrainingMode:
        """The mode in the settings, but FULL if an UPDATE would build on a bad or an old model.

        An UPDATE adds new data to the newest model, so it keeps users who were deleted, and what
        made a campaign reject the version or roll it back.
        https://docs.aws.amazon.com/personalize/latest/dg/API_SolutionVersion.html
        """
        # The FULL version may be a foreign one.
        since = self.snapshot.now - MAX_FULL_AGE
        is_full_young = any(full.created_at > since for full in full_versions(self.state.trainings))
        if self.solution["trainingMode"] == "FULL" or self.deletion or not is_full_young:
            return "FULL"

        is_newest_bad = any(
            step.outcome in ("REJECTED", "ROLLED_BACK") for step in self._first_steps.values()
        )
        return "FULL" if is_newest_bad else "UPDATE"

    @cached_property
    def decision(self) -> Decision:
        """What the run does with the solution, and why."""
        # Only a run that doesn't train the solution has to know what its newest version has to do.
        if not self.needs_training or self.limit_message:
            return self._open_work() or Decision("keep", self._why_kept())

        if self.version_to_use:
            return Decision("wait", "a version is in training on the present data")
        return Decision("train", self._why_trained())

    def _why_trained(self) -> str:
        """Say what is new to the solution, or what asks for a training."""
        if self.deletion:
            return LEARNED_DELETED_USERS

        if self.imports_anything:
            return "new data is imported"
        if self.requested_by == "events":
            return "events may have come since the last training"
        if self.requested_by:
            return f"{self.requested_by} asks for a training"

        return "no version was trained on the present data"

    def _open_work(self) -> Decision | None:
        """Find what the newest version still has to do, or that the limit forbids a newer one."""
        limit = self.limit_message

        if self._waiting_campaigns:
            return Decision("deploy", limit or "its newest version waits for a campaign")
        # A batch job that can't be written fails in each run. Otherwise, only a run with other work
        # would report it.
        if any(step.outcome in (None, "FAILED") for step in self._batch_steps):
            return Decision("use", limit or "its newest version has to write a batch job")
        if self.untold_verdicts:
            return Decision(
                "report", limit or "no report has told the verdict on its newest version"
            )

        return Decision("hold back", limit) if limit else None

    def _why_kept(self) -> str:
        """Say why the run has nothing to do for the solution."""
        version = self.version_to_use
        if version is None:
            return "the run only deploys versions"
        if version.was_stopped:
            return "the training on its data was stopped"

        for step in self._batch_steps:
            if step.outcome == "SKIPPED":
                return f"a batch job is not written, because {step.reasons[0]}"

        if self.requested_by == "events":
            return "it was trained recently enough for the events"
        return "it was trained on the present data"

    def planned(self) -> PlannedSolution | None:
        """Plan a training of the solution, or the use of its newest version, or nothing (None)."""
        action = self.decision.action
        if action in ("keep", "hold back"):
            return None

        # A new version goes to all open campaigns, an earlier one only where it has work to do.
        version = None if action in ("wait", "train") else self.newest
        if version is None:
            mode = self.training_mode
            campaigns = self._open_campaigns
        else:
            mode = cast("TrainingMode", version.mode)
            campaigns = [*self._waiting_campaigns, *self.untold_verdicts]

        since = self.requested_since
        return {
            "solutionArn": self.arn,
            "versionName": job_name(self.settings, self.run, short_hash(self.arn, 8)),
            "trainingMode": mode,
            "recipe": self.recipe or "",
            "existingVersionArn": version.arn if version else None,
            "requestedSince": since.isoformat() if since else None,
            "durations": durations_of(job for job in self.state.trainings if job.mode == mode),
            "campaigns": [{"campaignArn": arn} for arn in campaigns],
            "batchJobs": [job["output"] for job in self.batch_jobs],
        }

    @property
    def batch_jobs(self) -> list[BatchJobOfRun]:
        """The batch jobs of the solution in this run."""
        return batch_jobs_of(self.solution, self.run)

    def first_batch_step(self, job: BatchJobOfRun, version: SolutionVersion) -> Step:
        """Predict the first step of a batch job, by the rules that decide during the run."""
        snapshot = self.snapshot
        batch_input = snapshot.batch_inputs[job["input"]]
        job_filter = snapshot.filters.get(job["filterArn"] or "")

        spec = BatchSpec(
            run=self.run["id"],
            version_arn=version.arn,
            job=job,
            gate=self.solution["qualityGate"],
        )
        state = BatchState(
            jobs=snapshot.batch_jobs[job["slot"]],
            input_fingerprint=batch_input.fingerprint if batch_input.objects else None,
            filter_expression=job_filter["filterExpression"] if job_filter else None,
            campaigns=[*self.campaigns.values()],
        )
        state = batch_jobs.with_versions(state, spec, snapshot.version_readers[self.arn])

        return batch_jobs.decide(state, spec, BatchProgress(snapshot.now), snapshot.now)

    @cached_property
    def _batch_steps(self) -> list[Step]:
        """The first step of each batch job if the run uses the newest version."""
        version = self.newest
        return [self.first_batch_step(job, version) for job in self.batch_jobs if version]

    @property
    def _open_campaigns(self) -> list[str]:
        """The ARNs of the campaigns that may be updated, because they have no version on trial."""
        return [arn for arn, state in self.campaigns.items() if state.record.trial is None]

    @cached_property
    def _first_steps(self) -> dict[str, Step]:
        """The ARN of each open campaign -> the first step of deploying the newest version to it."""
        version = self.newest
        return {arn: self.first_step(arn, version) for arn in self._open_campaigns if version}

    @property
    def _waiting_campaigns(self) -> list[str]:
        """The ARNs of the open campaigns to which the run has to deploy the newest version."""
        return [arn for arn, step in self._first_steps.items() if needs_run(step)]

    @property
    def untold_verdicts(self) -> dict[str, Step]:
        """The ARN of each campaign with a verdict that nobody was told -> the step that says it.

        The run that came to this verdict about the newest version died before its report.
        """
        return {
            arn: step
            for arn, step in self._first_steps.items()
            if self.newest and needs_report(step, self.campaigns[arn], self.newest.arn)
        }

    def first_step(self, campaign_arn: str, version: SolutionVersion) -> Step:
        """Predict the first step of deploying an earlier run's version to a campaign."""
        now = self.snapshot.now
        versions = {version.arn: version for version in self.state.trainings}
        spec = deployment_spec(
            self.settings, self.solution, campaign_arn, version.arn, from_earlier_run=True
        )
        state = with_versions(
            self.campaigns[campaign_arn],
            spec,
            find=versions.get,
            read=self.snapshot.version_readers[self.arn],
            now=now,
        )

        return decide(state, spec, DeploymentProgress(began_at=now), now)
