"""Looks at a campaign for the rules of a deployment, and does what they decide."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .. import clock
from ..aws import read_client, runtime_client, write_client
from ..errors import ServiceUnavailable
from ..memory import from_document, to_document
from ..reconcile import reconcile
from ..rules.deployments import (
    Ask,
    Deploy,
    GoBack,
    Memory,
    Notes,
    Probe,
    Version,
    WriteNotes,
    decide,
)
from ..rules.gate import Gate
from ..workflow_settings import campaign_settings, solution_of_campaign
from .approvals import approval_tags
from .campaigns import (
    describe_campaign,
    read_version,
    seen_campaign,
    update_campaign,
    wanted_deployment,
)
from .notes import tags_of_notes
from .probe import request_recommendations
from .statuses import status_warnings
from .tags import tags_of, write_tags

if TYPE_CHECKING:
    from ..contract import CampaignIteration, DeploymentItem
    from ..reconcile import Progress
    from ..rules.deployments import SeenCampaign, Update
    from ..rules.steps import Action


class Deploying:
    """One invocation for a campaign. The item of the invocation before has the memory."""

    def __init__(self, event: CampaignIteration) -> None:
        settings, planned, item = event["settings"], event["campaign"], event["item"]
        self.arn = planned["campaignArn"]
        self.solution = solution_of_campaign(settings, self.arn)
        self.gate = Gate(self.solution["qualityGate"])
        self._wanted = wanted_deployment(
            settings, self.solution, planned, event["versionArn"], self.gate
        )
        self._probe = campaign_settings(settings, self.arn)["probe"]
        self._item = item
        self._memory = from_document(Memory, item["memory"]) if item else Memory(clock.now())
        self._began_at = datetime.fromisoformat(event["run"]["startedAt"])
        self._first: SeenCampaign | None = None
        self.ended_update: Update | None = None
        """The update to the version, if it has ended in this invocation."""
        self._versions: dict[str, Version] = {}
        self._warnings = set(item["warnings"]) if item else set()

    def deploy(self) -> DeploymentItem:
        """Look, decide and act. Return how far the deployment has come."""
        progress = reconcile(
            self._look,
            lambda seen: decide(seen, self._wanted, self._memory, clock.now()),
            self._act,
        )
        return self._item_after(progress)

    def _look(self) -> SeenCampaign:
        """Return the campaign as Personalize shows it now."""
        client = read_client()
        campaign = describe_campaign(client, self.arn)
        tags = tags_of(client, self.arn)
        seen = seen_campaign(campaign, tags, self.solution["solutionArn"], self._version)
        self._first = self._first or seen
        self._note_end(seen.update)
        shown = campaign.get("latestCampaignUpdate", campaign)
        self._warnings.update(status_warnings(shown["status"]))
        return seen

    def _note_end(self, update: Update | None) -> None:
        """Remember an update to the version that has ended during the run."""
        is_noted = self._item is not None and "endedAt" in self._item
        if update is None or update.is_running or is_noted:
            return
        if update.version == self._version_arn and update.ended_at >= self._began_at:
            self.ended_update = update

    def _version(self, arn: str) -> Version:
        """Return what is known about a version. It is read once in an invocation."""
        if arn not in self._versions:
            self._versions[arn] = read_version(read_client(), arn, self.solution, clock.now())
        return self._versions[arn]

    def _act(self, action: Action) -> None:
        """Send the request of an action."""
        match action:
            case Deploy(notes):
                self._deploy(notes)
            case WriteNotes(notes):
                self._write(notes)
            case GoBack(version):
                update_campaign(write_client(), self.arn, version)
            case Ask(version):
                write_tags(write_client(), version, approval_tags("ASKED", clock.now()))
            case Probe():
                assert self._probe is not None, "the rules probe only campaigns with a probe"
                self._memory.response = request_recommendations(
                    runtime_client(), self.arn, self._probe
                )

    def _write(self, notes: Notes) -> None:
        write_tags(write_client(), self.arn, tags_of_notes(notes))

    def _deploy(self, notes: Notes) -> None:
        """Write the tags, and send the update. Remember if it was certainly not sent."""
        assert notes.trial is not None, "a version is deployed on trial"
        self._memory.is_refused = True
        self._write(notes)
        try:
            update_campaign(write_client(), self.arn, notes.trial.version)
        except ServiceUnavailable:
            # The request may have arrived.
            self._memory.is_refused = False
            raise
        except ClientError:
            # It would be refused again, so nothing is on trial.
            self._write(notes._replace(trial=None))
            raise
        self._memory.is_refused = False

    @property
    def _version_arn(self) -> str | None:
        """The version that the item is about: the wanted one, or the one on trial."""
        known = self._item["versionArn"] if self._item else None
        trial = self._first.notes.trial if self._first else None
        return self._wanted.version or known or (trial and trial.version)

    @property
    def _previous_version(self) -> str | None:
        """The version that the campaign served before, or its good one if it serves this one."""
        if self._item:
            return self._item["previousVersionArn"]
        if self._first is None:
            return None
        serves, good = self._first.serves, self._first.notes.good
        if serves != self._version_arn:
            return serves
        return good if good != self._version_arn else None

    def _item_after(self, progress: Progress) -> DeploymentItem:
        """Return the item with what the report needs."""
        step, before, last = progress.step, self._item, self.gate.last
        # A response that was not judged yet is asked for again. It would make the document larger.
        self._memory.response = None
        item: DeploymentItem = {
            "phase": step.phase,
            "seconds": progress.seconds,
            "outcome": step.outcome,
            "reasons": list(step.reasons),
            "warnings": sorted(self._warnings.union(last.notes if last else [])),
            "memory": {} if step.outcome else to_document(self._memory),
            "versionArn": self._version_arn,
            "previousVersionArn": self._previous_version,
            "metrics": dict(last.values) if last else before["metrics"] if before else {},
        }
        if before and "endedAt" in before:
            item["createdAt"], item["endedAt"] = before["createdAt"], before["endedAt"]
        elif update := self.ended_update:
            item["createdAt"] = update.created_at.isoformat()
            item["endedAt"] = update.ended_at.isoformat()
        return item
