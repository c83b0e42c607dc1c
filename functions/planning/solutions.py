"""Decides whether the run trains a solution, uses an earlier version, or does nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

from ..common.hashes import compute_short_hash
from ..common.messages import Message, get_text
from ..contract import (
    PlannedCampaign,
    PlannedSolution,
    ProbeSettings,
    Run,
    Settings,
    SolutionSettings,
    TrainingMode,
)
from ..personalize.statuses import is_active
from ..rules.trainings import (
    Deletion,
    SolutionState,
    choose_monthly_limit,
    explain_reached_monthly_limit,
    find_later_deletion,
    find_usable_version,
    list_full_versions,
)
from ..rules.versions import SolutionVersion
from ..run.execution_data import build_job_name, get_run_start
from .datasets import PlanDecision, list_recent_durations
from .earlier_versions import EarlierVersions
from .snapshot import DataSnapshot, SolutionSnapshot, parse_recipe_name

MAX_FULL_AGE = timedelta(days=6, hours=12)
"""Once the newest FULL version is this old, the next training is FULL even with mode UPDATE.

AWS advises a FULL training each week. A weekly run imports first, and creates its version up to 12
hours after it started, so last week's FULL version may be younger than 7 days.
"""
LEARNED_DELETED_USERS = "its newest version may have learned users who were deleted since then"


@dataclass(frozen=True)
class SolutionView:
    """A solution that the run may train, with its settings and snapshot."""

    settings: Settings
    run: Run
    data_snapshot: DataSnapshot
    solution_snapshot: SolutionSnapshot
    imports_anything: bool
    """True if the run imports a dataset, so no version was trained on all of its data yet."""

    @property
    def solution_settings(self) -> SolutionSettings:
        """The settings of the solution."""
        return self.solution_snapshot.solution_settings

    @property
    def arn(self) -> str:
        """The ARN of the solution."""
        return self.solution_settings["solutionArn"]

    @property
    def is_trained_by_personalize(self) -> bool:
        """True if Personalize trains the solution, and runs only deploy its versions."""
        return self.solution_settings["trainedBy"] == "personalize"

    @property
    def trains_automatically(self) -> bool:
        """True if automatic training is on. A missing solution has none."""
        description = self.solution_snapshot.description
        return description is not None and description.get("performAutoTraining", False)

    @property
    def solution_state(self) -> SolutionState:
        """The solution and its versions, newest first. A missing solution has no versions."""
        return self.solution_snapshot.state

    @property
    def recipe(self) -> str | None:
        """The recipe's name. "" for AutoML, or None if the solution doesn't exist."""
        if self.solution_snapshot.description is None:
            return None
        return parse_recipe_name(self.solution_snapshot.description)

    @cached_property
    def earlier_versions(self) -> EarlierVersions:
        """The versions that earlier runs trained, and what these runs left undone."""
        return EarlierVersions(
            self.settings, self.run, self.data_snapshot.now, self.solution_snapshot
        )

    @property
    def probes(self) -> list[tuple[str, ProbeSettings]]:
        """The ARN and the probe of each campaign that has a probe."""
        return [
            (campaign["campaignArn"], campaign["probe"])
            for campaign in self.solution_settings["campaigns"]
            if campaign["probe"] is not None
        ]

    @property
    def receives_events(self) -> bool:
        """True if records may reach the dataset group without an import."""
        is_streamed = any(dataset["streamed"] for dataset in self.settings["datasets"])
        return is_streamed or bool(self.data_snapshot.event_tracker_arns)

    @property
    def user_ids(self) -> frozenset[str] | None:
        """The IDs of all users with interactions, or None if some may be unknown."""
        if self.receives_events:
            return None

        for dataset in self.settings["datasets"]:
            export = self.data_snapshot.exports.get(dataset["datasetArn"])
            has_all_users = dataset["type"] == "interactions" and dataset["importMode"] == "FULL"
            # `row_count` is None unless all rows were read.
            if has_all_users and export and export.row_count is not None:
                return frozenset(export.count_values("USER_ID"))
        return None

    @property
    def retraining_cause(self) -> str | None:
        """Why the run trains even if a version was already trained on the present data.

        This is `force`, `events`, `skipWhenUnchanged` (if that setting is false) or None.
        """
        if self.run["request"].get("force"):
            return "force"
        if not self.settings["skipWhenUnchanged"]:
            return "skipWhenUnchanged"
        if self.receives_events:
            return "events"
        return None

    @property
    def requested_since(self) -> datetime | None:
        """The earliest time at which a usable version was created, or None if any age will do.

        With `force`, or without `skipWhenUnchanged`, this is the start of the run.
        """
        if self.retraining_cause is None:
            return None
        if self.retraining_cause == "events":
            # For streamed events, the version's age may be up to half the time between two runs.
            return self.data_snapshot.now - timedelta(seconds=self.settings["cadenceSeconds"] / 2)
        return get_run_start(self.run)

    @cached_property
    def usable_version(self) -> SolutionVersion | None:
        """The newest version that makes a training unnecessary, or None."""
        if self.imports_anything:
            return None
        return find_usable_version(self.solution_state, self.requested_since)

    @property
    def was_training_stopped(self) -> bool:
        """True if the training on the present data was stopped. No run repeats it by itself."""
        return self.usable_version is not None and self.usable_version.was_stopped

    @property
    def is_training_due(self) -> bool:
        """True if the run may train, and the usable version is missing or still in training."""
        if self.is_trained_by_personalize:
            return False

        version = self.usable_version
        is_missing = version is None or version.is_running
        return is_missing and "only" not in self.run["request"]

    @cached_property
    def limit_message(self) -> Message | None:
        """Why the monthly limit forbids a training that the solution needs, or None."""
        # A training in progress doesn't need another one.
        if not self.is_training_due or self.usable_version:
            return None

        max_trainings_per_month = choose_monthly_limit(self.settings, self.run)
        message = explain_reached_monthly_limit(
            self.solution_state.versions, max_trainings_per_month, self.data_snapshot.now
        )
        if message is None or self.later_deletion is None:
            return message
        return {**message, "text": f"{LEARNED_DELETED_USERS}; {message['text']}"}

    @property
    def gets_new_version(self) -> bool:
        """True if the run trains the solution, or waits for a training in progress."""
        return self.is_training_due and self.limit_message is None

    @property
    def later_deletion(self) -> Deletion | None:
        """The last deletion of users whom the candidate may have learned, or None."""
        candidate = self.earlier_versions.candidate
        if candidate is None:
            return None
        return find_later_deletion(candidate, self.solution_state)

    @property
    def training_mode(self) -> TrainingMode:
        """The configured mode, or FULL if an UPDATE would build on a bad or old model.

        An UPDATE adds new data to the newest model. So the new version would keep users who were
        deleted, or whatever made a run reject the newest version or roll it back.
        https://docs.aws.amazon.com/personalize/latest/dg/API_SolutionVersion.html
        """
        if self.solution_settings["trainingMode"] == "FULL" or self.later_deletion:
            return "FULL"

        # Foreign FULL versions count, too.
        since = self.data_snapshot.now - MAX_FULL_AGE
        full_versions = list_full_versions(self.solution_state.versions)
        if not any(version.created_at > since for version in full_versions):
            return "FULL"

        for deployment in self.earlier_versions.predicted_deployments.values():
            if deployment.first_step.outcome in ("REJECTED", "ROLLED_BACK"):
                return "FULL"
        return "UPDATE"

    @cached_property
    def decision(self) -> PlanDecision:
        """What the run does with the solution, and why."""
        if self.gets_new_version:
            if self.usable_version:
                return PlanDecision("wait", "a version is in training on the present data")
            return PlanDecision("train", self._explain_training())

        remaining_work = self._remaining_work
        if self.limit_message is None:
            return remaining_work or PlanDecision("keep", self._explain_no_work())

        # The run can't train, but it still does the work that earlier runs left undone.
        action = remaining_work.action if remaining_work else "hold back"
        return PlanDecision(action, self.limit_message["text"])

    @property
    def _remaining_work(self) -> PlanDecision | None:
        """The work that earlier runs left undone, or None."""
        earlier_versions = self.earlier_versions
        if earlier_versions.pending_versions:
            return PlanDecision("deploy", "an earlier version waits for a campaign")

        # Plan a batch job even if it's bound to fail. Otherwise, only a run with other work would
        # report the failure.
        batch_steps = earlier_versions.predicted_batch_steps.values()
        if any(step.outcome in (None, "FAILED") for step in batch_steps):
            return PlanDecision("use", "its newest version has to write a batch job")

        if earlier_versions.unreported_verdicts:
            return PlanDecision("report", "no report has told the verdict on its newest version")
        return None

    def _explain_training(self) -> str:
        """Explain why the run trains the solution."""
        if self.later_deletion:
            return LEARNED_DELETED_USERS

        if self.imports_anything:
            return "new data is imported"
        if self.retraining_cause == "events":
            return "events may have come since the last training"
        if self.retraining_cause:
            return f"{self.retraining_cause} asks for a training"
        return "no version was trained on the present data"

    def _explain_no_work(self) -> str:
        """Explain why the run has nothing to do for the solution."""
        if self.is_trained_by_personalize:
            reason = "Personalize trains it, and none of its campaigns waits for a version"
            return self._explain_skipped_batch_job() or reason
        if self.usable_version is None:
            return "the run only deploys versions"
        if self.was_training_stopped:
            reason = "the training on its data was stopped"
            return f"{LEARNED_DELETED_USERS}; {reason}" if self.later_deletion else reason

        reason = "it was trained on the present data"
        if self.retraining_cause == "events":
            reason = "it was trained recently enough for the events"
        return self._explain_skipped_batch_job() or reason

    def _explain_skipped_batch_job(self) -> str | None:
        """Explain why the run would skip the first of the batch jobs that it would skip, if any."""
        for step in self.earlier_versions.predicted_batch_steps.values():
            if step.outcome == "SKIPPED":
                return f"a batch job is not written, because {get_text(step.reasons[0])}"
        return None

    def plan_work(self) -> PlannedSolution | None:
        """Plan a training or the remaining work of earlier runs. Return None if there's neither."""
        if self.decision.action in ("keep", "hold back"):
            return None

        existing_version = None
        training_mode = self.training_mode
        if not self.gets_new_version:
            existing_version = self.earlier_versions.candidate
            assert existing_version is not None, "without a version, only a training is possible"
            training_mode = cast("TrainingMode", existing_version.training_mode)

        since = self.requested_since
        comparable_versions = [
            version
            for version in self.solution_state.versions
            if version.training_mode == training_mode
        ]
        return {
            "solutionArn": self.arn,
            "versionName": build_job_name(self.settings, self.run, compute_short_hash(self.arn, 8)),
            "trainedBy": self.solution_settings["trainedBy"],
            "trainingMode": training_mode,
            "recipe": self.recipe or "",
            "existingVersionArn": existing_version.arn if existing_version else None,
            "requestedSince": since.isoformat() if since else None,
            "durations": list_recent_durations(comparable_versions),
            "campaigns": [*self._plan_campaigns()],
            "batchJobs": [
                batch_job.settings["output"] for batch_job in self.solution_snapshot.batch_jobs
            ],
        }

    def _plan_campaigns(self) -> Iterator[PlannedCampaign]:
        """Yield the campaigns that get a version, or whose last verdict is still unreported."""
        earlier_versions = self.earlier_versions
        if self.gets_new_version:
            for arn in earlier_versions.updatable_campaign_arns:
                yield self._plan_campaign(arn)
            return

        pending_versions = earlier_versions.pending_versions
        for arn in dict.fromkeys([*pending_versions, *earlier_versions.unreported_verdicts]):
            campaign = self._plan_campaign(arn)
            version = pending_versions.get(arn)
            # The candidate is deployed by default, so only another version has to be named.
            if version is not None and version != earlier_versions.candidate:
                campaign["approvedVersionArn"] = version.arn
            yield campaign

    def _plan_campaign(self, arn: str) -> PlannedCampaign:
        """Plan a campaign, with the duration of its last update if it has had one."""
        campaign: PlannedCampaign = {"campaignArn": arn}
        update = self.solution_snapshot.campaigns[arn].get("latestCampaignUpdate")
        if update and is_active(update["status"]):
            duration = update["lastUpdatedDateTime"] - update["creationDateTime"]
            campaign["updateSeconds"] = round(duration.total_seconds())
        return campaign
