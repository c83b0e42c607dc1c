"""Watch the requests about a campaign: which promise does one break, whatever the reports say?"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from components.args import CampaignArgs, SolutionArgs
from emulator.personalize.resources import Campaign, ImportJob, SolutionVersion
from functions.contract import find_solution_settings
from functions.personalize.campaigns import parse_pin, parse_record
from functions.personalize.tags import (
    APPROVAL_TAG,
    CONFIRMED_TAG,
    DIGEST_TAG,
    FINGERPRINT_TAG,
    RUN_TAG,
)
from functions.rules.campaigns import DeploymentRecord, Trial
from tests.workflow.summaries import ndcg

ALARM = "orders"
"""The alarm of each bake."""


class Witness:
    """Knows what the functions and people have done to one campaign, and what they may not do."""

    def __init__(self, teller, solution: SolutionArgs, campaign: CampaignArgs):
        self._teller = teller
        self.solution = solution
        self.campaign = campaign
        self.arn = campaign.campaign_arn
        self.problems = []
        self.tried = {self.served}
        """The versions that got a good answer here, or that a person has chosen."""
        self.passed = {self.served}
        """The versions that a run has kept, or that a person has chosen."""
        self.suspects = set()
        """The versions against which something speaks: an answer, an alarm, or a person."""
        self.blocked = set()
        """The versions that were rolled back, and that nobody has chosen since."""
        self.is_edited = False
        """Somebody has edited the tags, so that what they say is not true any more."""
        self._chosen_at = {}
        """Version -> when a person has moved the campaign there."""
        self._answer = None
        """The version that has answered the last request of a probe, and whether it did well."""
        self._record_before = DeploymentRecord()
        """The record before a run has written the present one."""

    @property
    def served(self) -> str:
        """The version that the campaign serves."""
        return self._teller.served(self.arn)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the campaign."""
        return self._teller.resources(Campaign)[self.arn].tags

    @property
    def record(self) -> DeploymentRecord:
        """What the tags say about versions."""
        return parse_record(self.tags, self.solution.solution_arn)

    @property
    def is_untried(self) -> bool:
        """True if nothing speaks for the served version, although there is a way back."""
        record = self.record
        is_stuck = record.good_version_arn is None and record.blocked_version_arn is not None
        return not (self.served in self.tried or self.is_edited or is_stuck)

    def note_answer(self, response: Mapping[str, object]) -> None:
        """Note the answer to a probe. It is empty after an error."""
        is_good = bool(response.get("itemList"))
        self._answer = (self.served, is_good)
        noted = self.tried if is_good else self.suspects
        noted.add(self.served)

    def note_alarm(self) -> None:
        """Note that the alarm went off."""
        self.suspects.add(self.served)

    def note_move(self, version: str, *, is_person: bool) -> None:
        """Note an update to a version."""
        if not is_person:
            self._note(f"{version} {problem}" for problem in self._wrong_move(version))
            return
        self._chosen_at[version] = self._teller.now
        self.tried.add(version)
        self.passed.add(version)
        self.blocked.discard(version)
        # The person may have left the version on trial, so a run may take it for a bad one.
        trial = self.record.trial
        self.suspects.add(self.served)
        if trial:
            self.suspects.add(trial.version_arn)

    def note_record(self, before: DeploymentRecord, *, is_person: bool) -> None:
        """Note that tags were written."""
        after = self.record
        if not is_person:
            self._note(self._wrong_record(before, after))
            self._record_before = before
        if before.trial and not after.trial and after.good_version_arn == before.trial.version_arn:
            self.passed.add(before.trial.version_arn)
        if after.blocked_version_arn is None:
            self.blocked.clear()
        else:
            self.blocked.add(after.blocked_version_arn)

    def _note(self, problems: Iterator[str]) -> None:
        if not self.is_edited:
            self.problems += [f"{self.arn} at {self._teller.now}: {text}" for text in problems]

    def _wrong_move(self, version: str) -> Iterator[str]:
        """Yield why no run may move the campaign to a version like this."""
        record = self.record
        if record.trial is None or record.trial.version_arn != version:
            if version != record.good_version_arn:
                yield "is deployed, but it is neither on trial nor the good version"
            return
        versions = self._teller.resources(SolutionVersion)
        created = self._creations()
        answer = versions[version].tags.get(APPROVAL_TAG, "").partition(" ")[0]
        gate = self.solution.quality_gate if self.solution.quality_gate_enabled else ()
        reasons = {
            "is not newer than what is served": created[version] <= created[self.served],
            "was rolled back": version == record.blocked_version_arn,
            "is older than one that was rolled back": any(
                created[version] < created[arn] for arn in self.blocked & created.keys()
            ),
            "is deployed to a pinned campaign": parse_pin(self.tags) is not None,
            "is not approved": self.solution.approval is not None and answer != "APPROVED",
            "replaces a person's choice": self._was_chosen_since(versions[version]),
            "does not wait for its baseline": any(
                rule.relative_to and self._is_baseline_in_training(version, rule.relative_to)
                for rule in gate
            ),
            "was trained on data that nobody has checked": self._is_unchecked(versions[version]),
            "is worse than what is served": any(
                rule.relative_to is None and self._has_fallen(version, rule.max_drop)
                for rule in gate
            ),
            "loses the way back": self.served in self.passed - self.blocked
            and record.good_version_arn != self.served,
        }
        yield from (reason for reason, is_broken in reasons.items() if is_broken)

    def _creations(self) -> Mapping[str, datetime]:
        """Return when each version was created."""
        versions = self._teller.resources(SolutionVersion)
        return {arn: item.timeline.created for arn, item in versions.items()}

    def _was_chosen_since(self, version: SolutionVersion) -> bool:
        """Return True if a person has moved the campaign while a version waited."""
        chosen_at = self._chosen_at.get(self.served)
        if chosen_at is None or version.tags.get(RUN_TAG) == self._teller.current_run:
            return False
        good = self._record_before.good_version_arn

        return chosen_at > version.timeline.created and good not in (None, self.served)

    def _is_unchecked(self, version: SolutionVersion) -> bool:
        """Return True if a version is neither a run's own, nor trained on what runs have imported.

        If the pipeline trains the solution, runs deploy only what a run has trained.
        """
        if RUN_TAG in version.tags:
            return False
        settings = self._teller.current_settings
        if find_solution_settings(settings, version.solution.arn)["trainedBy"] == "pipeline":
            return True

        jobs = self._teller.resources(ImportJob)
        learned = [
            jobs[arn]
            for dataset in settings["datasets"]
            for arn in version.trained_imports.get(dataset["datasetArn"], ())
        ]
        return not all(RUN_TAG in job.tags and is_confirmed(job) for job in learned)

    def _is_baseline_in_training(self, version: str, baseline_solution: str) -> bool:
        versions = self._teller.resources(SolutionVersion)
        imports = _imports_of(versions[version])

        return any(
            item.solution.arn == baseline_solution and _imports_of(item) == imports != ""
            for item in self._teller.versions("CREATE PENDING", "CREATE IN_PROGRESS")
        )

    def _has_fallen(self, version: str, max_drop: float) -> bool:
        with self._teller.without_faults():
            served = ndcg(self._teller.pipeline, self.served)
            return ndcg(self._teller.pipeline, version) < served * (1 - max_drop) - 1e-6

        return False  # Personalize has refused a request.

    def _wrong_record(self, before: DeploymentRecord, after: DeploymentRecord) -> Iterator[str]:
        """Yield what a run may not write on the campaign."""
        created = self._creations()
        old = before.blocked_version_arn
        new = after.blocked_version_arn
        if old in created and new in created and created[new] < created[old]:
            yield f"it is forgotten that {old} was rolled back"
        if after.trial and not before.trial and parse_pin(self.tags):
            yield f"is pinned, but {after.trial.version_arn} is on trial"
        if before.trial and not after.trial:
            version = before.trial.version_arn
            if after.good_version_arn == version:
                yield from self._wrong_praise(before.trial)
            elif self.served != version and new is not None and new != old:
                yield from self._wrong_blame(version)

    def _wrong_praise(self, trial: Trial) -> Iterator[str]:
        """Yield why a version may not be kept."""
        version = trial.version_arn
        if self.campaign.probe and self._answer != (version, True):
            yield f"{version} is kept without a good answer"
        if self.campaign.bake:
            if trial.bake_ends_at is None or self._teller.now < trial.bake_ends_at:
                yield f"{version} is kept before the end of its bake"
            if self._teller.pipeline.alarms.rings_since(ALARM, trial.began_at):
                yield f"{version} is kept although its alarm rings"

    def _wrong_blame(self, version: str) -> Iterator[str]:
        """Yield why a version may not be blocked."""
        if version not in self.suspects:
            yield f"{version} is blocked, but nothing speaks against it"
        if self.campaign.probe and self._answer == (self.served, False):
            yield f"{version} is blocked, but {self.served} answers as badly"


def is_confirmed(job: ImportJob) -> bool:
    """Return True if a run has found the export of an import unchanged after its end."""
    return job.tags.get(CONFIRMED_TAG) == job.tags.get(FINGERPRINT_TAG)


def _imports_of(version: SolutionVersion) -> str:
    """Return the part of a version's digest that is the same for all trainings on its imports."""
    return version.tags.get(DIGEST_TAG, "").partition("-")[0]
