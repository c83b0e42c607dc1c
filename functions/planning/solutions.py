"""Decides for one solution whether the run trains it, and which version its campaigns get."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

from ..contract import (
    CampaignSettings,
    PlannedSolution,
    ProbeSettings,
    Run,
    Settings,
    SolutionSettings,
    TrainingMode,
)
from ..executions import job_name, run_began_at, short_hash
from ..personalize.batch_jobs import BatchJobOfRun, batch_jobs_of
from ..personalize.campaigns import campaign_state, deployment_spec, with_version_facts
from ..personalize.trainings import wanted_training
from ..rules import batch_jobs
from ..rules.batch_jobs import BatchProgress, BatchSpec, BatchState
from ..rules.campaigns import CampaignState, DeploymentProgress
from ..rules.deployments import decide, needs_report, needs_run
from ..rules.steps import Step
from ..rules.trainings import (
    Deletion,
    SeenSolution,
    Training,
    WantedTraining,
    learned_deletion,
    newest_active,
    reached_limit,
    usable_version,
)
from .datasets import Decision, durations_of
from .world import World, recipe_name

MAX_FULL_AGE = timedelta(days=6, hours=12)
"""The age of the newest FULL version from which the next training is FULL although the mode is
UPDATE.

AWS advises a FULL training each week. A weekly run creates its version up to 12 hours after its
start, because it imports first. So last week's FULL version may be younger than 7 days.
"""
LEARNED_DELETED_USERS = "its newest version may have learned users who were deleted since then"
UNKNOWN_SOLUTION = SeenSolution(config="", imports=(), trainings=())


@dataclass(frozen=True)
class SolutionView:
    """A solution that the run may train, with its versions and its campaigns."""

    settings: Settings
    run: Run
    world: World
    solution: SolutionSettings
    imports_anything: bool
    """True if the run imports a dataset. Then no version was trained on the data of the run yet."""

    @property
    def arn(self) -> str:
        """The ARN of the solution."""
        return self.solution["solutionArn"]

    @property
    def seen(self) -> SeenSolution:
        """The solution and its versions, newest first. A solution that does not exist has none."""
        return self.world.seen_solutions.get(self.arn, UNKNOWN_SOLUTION)

    @property
    def recipe(self) -> str | None:
        """The name of the recipe, or "" without one. None if the solution does not exist."""
        solution = self.world.solutions.get(self.arn)
        return None if solution is None else recipe_name(solution)

    @property
    def probes(self) -> list[tuple[str, ProbeSettings]]:
        """The ARN of each campaign that has a probe, and the probe."""
        return [
            (campaign["campaignArn"], campaign["probe"])
            for campaign in self.solution["campaigns"]
            if campaign["probe"] is not None
        ]

    @property
    def receives_events(self) -> bool:
        """True if the dataset group receives records besides imports."""
        is_streamed = any(dataset["streamed"] for dataset in self.settings["datasets"])
        return is_streamed or bool(self.world.event_trackers)

    @property
    def user_ids(self) -> frozenset[str] | None:
        """All users with interactions, or None if no export shows all of them."""
        for dataset in self.settings["datasets"]:
            export = self.world.exports.get(dataset["datasetArn"])
            if export and (dataset["type"], dataset["importMode"]) == ("interactions", "FULL"):
                is_known = export.row_count is not None and not self.receives_events
                return frozenset(export.values("USER_ID")) if is_known else None
        return None

    @property
    def requested_by(self) -> str | None:
        """What asks for a training even if a version was trained on the present data, or None.

        It is a key of the request or of the settings, or `events`, which reach the dataset group
        without an import.
        """
        if self.run["request"].get("force"):
            return "force"
        if not self.settings["skipWhenUnchanged"]:
            return "skipWhenUnchanged"
        return "events" if self.receives_events else None

    @property
    def requested_since(self) -> datetime | None:
        """The time after which the version must have been created, or None if only its data count.

        A person asks for a version that is newer than the beginning of the run. Events ask for one
        that is younger than half of the time between two runs.
        """
        if self.requested_by == "events":
            return self.world.now - timedelta(seconds=self.settings["cadenceSeconds"] / 2)
        return run_began_at(self.run) if self.requested_by else None

    @property
    def wanted(self) -> WantedTraining:
        """What the run wants to do with the solution."""
        return wanted_training(self.settings, self.run, self.requested_since)

    @cached_property
    def version_to_use(self) -> Training | None:
        """The newest version that makes a training unnecessary, or None if the run imports."""
        return None if self.imports_anything else usable_version(self.seen, self.wanted)

    @property
    def needs_training(self) -> bool:
        """True if the run trains the solution, or waits for a training."""
        version = self.version_to_use
        return "only" not in self.run["request"] and (version is None or version.is_running)

    @property
    def newest(self) -> Training | None:
        """The newest ACTIVE version that a run has trained, or None."""
        return newest_active(self.seen.trainings)

    @property
    def deletion(self) -> Deletion | None:
        """The last deletion of users, if the newest version may have learned them, else None."""
        return learned_deletion(self.newest, self.seen) if self.newest else None

    @property
    def limit_message(self) -> str | None:
        """Why the monthly limit forbids the training that is needed, or None."""
        if not self.needs_training or self.version_to_use:
            return None
        limit = reached_limit(self.seen.trainings, self.wanted, self.world.now)
        return f"{limit}; {LEARNED_DELETED_USERS}" if limit and self.deletion else limit

    @property
    def training_mode(self) -> TrainingMode:
        """The mode in the settings.

        UPDATE becomes FULL if there is no FULL version, not even a foreign one, if the newest one
        is older than MAX_FULL_AGE, or if the newest version may have learned deleted users, or a
        campaign would reject it or has rolled it back. UPDATE adds new data to its model:
        https://docs.aws.amazon.com/personalize/latest/dg/API_SolutionVersion.html.
        """
        if self.solution["trainingMode"] == "FULL" or self.deletion:
            return "FULL"
        if any(step.outcome in ("REJECTED", "ROLLED_BACK") for _, step in self._first_steps):
            return "FULL"
        full = (item for item in self.seen.trainings if item.is_active and item.mode == "FULL")
        newest, since = next(full, None), self.world.now - MAX_FULL_AGE
        return "UPDATE" if newest and newest.created_at > since else "FULL"

    @property
    def campaigns(self) -> list[CampaignSettings]:
        """The campaigns that exist. A guard reports the others, after all decisions were made."""
        return [
            campaign
            for campaign in self.solution["campaigns"]
            if campaign["campaignArn"] in self.world.campaigns
        ]

    def campaign_state(self, campaign: CampaignSettings) -> CampaignState:
        """Return a campaign of the solution, as the rules of a deployment understand it."""
        campaign_arn = campaign["campaignArn"]
        tags = self.world.campaign_tags.get(campaign_arn, {})
        return campaign_state(self.world.campaigns[campaign_arn], tags, self.arn)

    @cached_property
    def decision(self) -> Decision:
        """What the run does with the solution, and why."""
        version, limit = self.version_to_use, self.limit_message or ""
        trains, by_events = self.needs_training and not limit, self.requested_by == "events"
        # A run that trains does not read whether a campaign waits for an earlier version.
        waits = not trains and self._waiting_campaigns
        untold = not trains and self.untold_verdicts
        newest = None if trains else self.newest
        steps = [self.first_batch_step(job, newest) for job in self.batch_jobs if newest]
        # A batch job that cannot be written fails in each run, not only beside other work.
        writes = any(step.outcome in (None, "FAILED") for step in steps)
        skipped = (step.reasons[0] for step in steps if step.outcome == "SKIPPED")
        obstacle = next(skipped, None)
        return Decision.first(
            (trains and version, "wait", "a version is in training on the present data"),
            (trains and self.deletion, "train", LEARNED_DELETED_USERS),
            (trains and self.imports_anything, "train", "new data is imported"),
            (trains and by_events, "train", "events may have come since the last training"),
            (trains and self.requested_by, "train", f"{self.requested_by} asks for a training"),
            (trains, "train", "no version was trained on the present data"),
            (waits, "deploy", limit or "its newest version waits for a campaign"),
            (writes, "use", limit or "its newest version has to write a batch job"),
            (untold, "report", limit or "no report has told the verdict on its newest version"),
            (limit, "hold back", limit),
            (not version, "keep", "the run only deploys versions"),
            (version and version.was_stopped, "keep", "the training on its data was stopped"),
            (obstacle, "keep", f"a batch job is not written, because {obstacle}"),
            (by_events, "keep", "it was trained recently enough for the events"),
            (True, "keep", "it was trained on the present data"),
        )

    def planned(self) -> PlannedSolution | None:
        """Return the training of the solution, or the use of a version that waits, or None."""
        if self.decision.action in ("keep", "hold back"):
            return None
        campaigns, existing = self._campaigns, None
        if self.decision.action in ("deploy", "use", "report"):
            campaigns = [
                *self._waiting_campaigns,
                *(campaign for campaign, _ in self.untold_verdicts),
            ]
            existing = self.newest
        mode = cast("TrainingMode", existing.mode) if existing else self.training_mode
        since = self.requested_since
        return {
            "solutionArn": self.arn,
            "versionName": job_name(self.settings, self.run, short_hash(self.arn, 8)),
            "trainingMode": mode,
            "recipe": self.recipe or "",
            "existingVersionArn": existing.arn if existing else None,
            "requestedSince": since.isoformat() if since else None,
            "durations": durations_of(job for job in self.seen.trainings if job.mode == mode),
            "campaigns": [{"campaignArn": campaign["campaignArn"]} for campaign in campaigns],
            "batchJobs": [job["output"] for job in self.batch_jobs],
        }

    @property
    def batch_jobs(self) -> list[BatchJobOfRun]:
        """The batch jobs of the solution."""
        return batch_jobs_of(self.solution, self.run)

    def first_batch_step(self, job: BatchJobOfRun, version: Training) -> Step:
        """Return the first step of a batch job, with the campaigns as they are now."""
        world = self.world
        batch_input = world.batch_inputs[job["input"]]
        used_filter = world.filters.get(job["filterArn"] or "")
        spec = BatchSpec(
            run=self.run["id"],
            version_arn=version.arn,
            job=job,
            gate=self.solution["qualityGate"],
        )
        state = BatchState(
            jobs=world.batch_jobs[job["slot"]],
            input_fingerprint=batch_input.fingerprint if batch_input.objects else None,
            filter_expression=used_filter["filterExpression"] if used_filter else None,
            campaigns=[self.campaign_state(campaign) for campaign in self.campaigns],
        )
        state = batch_jobs.with_version_facts(state, spec, world.version_readers[self.arn])
        return batch_jobs.decide(state, spec, BatchProgress(world.now), world.now)

    @property
    def _waiting_campaigns(self) -> list[CampaignSettings]:
        """The campaigns to which the run deploys the newest version of earlier runs."""
        return [campaign for campaign, step in self._first_steps if needs_run(step)]

    @property
    def untold_verdicts(self) -> list[tuple[CampaignSettings, Step]]:
        """The campaigns whose verdict on the newest version people don't know.

        The run that came to this verdict has died before its report.
        """
        return [
            (campaign, step)
            for campaign, step in self._first_steps
            if self.newest and needs_report(step, self.campaign_state(campaign), self.newest.arn)
        ]

    @cached_property
    def _first_steps(self) -> list[tuple[CampaignSettings, Step]]:
        """The campaigns that may be updated, with the first step towards the newest version."""
        return [
            (campaign, self.first_step(campaign, self.newest))
            for campaign in self._campaigns
            if self.newest
        ]

    @property
    def _campaigns(self) -> list[CampaignSettings]:
        """The campaigns that may be updated, because no trial is open there."""
        return [
            campaign
            for campaign in self.campaigns
            if self.campaign_state(campaign).record.trial is None
        ]

    def first_step(self, campaign: CampaignSettings, version: Training) -> Step:
        """Return the first step of the deployment of an earlier run's version to a campaign."""
        now = self.world.now
        spec = deployment_spec(
            self.settings,
            self.solution,
            campaign["campaignArn"],
            version.arn,
            from_earlier_run=True,
        )
        state = with_version_facts(
            self.campaign_state(campaign),
            spec,
            read_facts=self.world.version_readers[self.arn],
            creation_time_of={item.arn: item.created_at for item in self.seen.trainings}.get,
            now=now,
        )
        return decide(state, spec, DeploymentProgress(began_at=now), now)
