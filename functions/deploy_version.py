"""Deploys a version to a campaign: judge it, put it on trial, then keep it or go back."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from . import clock, metrics
from .aws import cloudwatch, read_client, runtime_client, write_client
from .contract import (
    CampaignIteration,
    DeploymentItem,
    ProbeSettings,
    pipeline_name,
    solution_of_campaign,
)
from .errors import Refused, ServiceUnavailable, Throttled
from .log import log_item
from .personalize.campaigns import (
    Versions,
    approval_tags,
    describe_campaign,
    notes_as_tags,
    read_notes,
    seen_campaign,
    update_request,
    wanted_deployment,
)
from .personalize.tags import GOOD, tags_of, write_tags
from .reconcile import REFUSALS, Progress, from_document, reconcile, to_document
from .rules import deployments
from .rules.deployments import Alarm, Ask, Deploy, GoBack, Memory, Notes, SeenCampaign, WriteNotes
from .rules.probing import Probe, Response
from .rules.steps import BUSY_PAUSE, Action, Step
from .texts import shortened, with_short_texts
from .words import name_of

REPORTED_FIELDS = {
    "version": "versionArn",
    "previous": "previousVersionArn",
    "metrics": "metrics",
    "warnings": "warnings",
    "created_at": "createdAt",
    "ended_at": "endedAt",
}
"""Field of `Memory` -> the item's key under which the report reads it. The item's `memory` lacks
these fields, because the document of 50 campaigns has no room for them twice."""
MAX_FAILURE_BYTES = 180
"""The most bytes of a probe's error. The document of a run contains the error twice: as the probe's
failure, and as the reason why the campaign goes back."""


@with_short_texts
def handler(event: CampaignIteration, _context: object) -> DeploymentItem:
    """Deploy the version until the campaign has an outcome, or has to wait for long."""
    work = CampaignDeployment(event)
    try:
        item = work.item(
            reconcile(work.look, deployments.decide, work.act, work.wanted, work.memory)
        )
    except (ClientError, Throttled, ServiceUnavailable) as error:
        item = work.item(work.pause_after(error))
    if item["outcome"]:
        values = {name: compared["new"] for name, compared in item["metrics"].items()}
        solution = name_of(work.solution["solutionArn"])
        metrics.write(pipeline_name(event["settings"]), values, Solution=solution)
    return log_item("deploy_version", event["run"], event["campaign"]["campaignArn"], item)


class CampaignDeployment:
    """The deployment to one campaign in one invocation. The item carries its memory to the next."""

    def __init__(self, event: CampaignIteration) -> None:
        settings, training, item = event["settings"], event["training"], event["item"]
        self.arn = event["campaign"]["campaignArn"]
        self.solution = solution_of_campaign(settings, self.arn)
        self.wanted = wanted_deployment(
            settings,
            self.solution,
            self.arn,
            training["arn"] if training else None,
            waited=training is not None and not training["isOfRun"],
        )
        self.memory = Memory(clock.now())
        if item:
            document = cast("dict[str, object]", item)
            reported = {field: document[key] for field, key in REPORTED_FIELDS.items()}
            self.memory = from_document(Memory, {**item["memory"], **reported})

    def look(self) -> SeenCampaign:
        """Return the campaign as it is now. Its versions are read again: a baseline may be new."""
        campaign = describe_campaign(read_client(), self.arn)
        tags, versions = tags_of(read_client(), self.arn), Versions(read_client(), self.solution)
        seen = seen_campaign(campaign, tags, self.solution["solutionArn"], versions)
        names, trial = self.wanted.alarms, seen.notes.trial
        if not (names and trial) or trial.version != seen.serves or seen.update.is_running:
            return seen
        return replace(seen, alarms=read_alarms(names))

    def pause_after(self, error: Exception) -> Progress[None]:
        """Return a pause after an error, if a version is on trial.

        The run may go on for hours with another solution, and nobody else would look at the
        version. The pauses grow with the time, so that they do not fill the history.

        Raises:
            Exception: the error, if no version is on trial, or at the deadline of the trial.
        """
        memory = self.memory
        if is_missing(error, "DescribeCampaign", "ListTagsForResource"):
            deleted = Step("TRYING", outcome="FAILED", reasons=("the campaign was deleted",))
            return Progress(None, deleted, 0)
        waited = clock.now() - memory.began_at
        remaining = deployments.LONGEST_TRIAL + self.wanted.bake - waited
        if not memory.is_on_trial or remaining <= timedelta():
            raise error
        memory.warnings = sorted({*memory.warnings, f"{type(error).__name__}: {error}"})
        pause = max(timedelta(seconds=BUSY_PAUSE), waited * deployments.OVERDUE_SHARE)
        return Progress(None, Step("TRYING"), math.ceil(min(pause, remaining).total_seconds()))

    def act(self, action: Action) -> None:
        """Send the request of an action."""
        match action:
            case Deploy(version, notes):
                self._update(version, notes)
            case GoBack(version):
                self._go_back(version)
            case WriteNotes(notes):
                self._write(notes)
            case Ask(version):
                write_tags(write_client(), version, approval_tags("ASKED", clock.now()))
            case Probe():
                probe, probing = self.wanted.probe, self.memory.probing
                assert probe, "the rules probe only campaigns with a probe"
                assert probing, "the rules remember what they probe"
                probing.response = request_recommendations(self.arn, probe)

    def item(self, progress: Progress[SeenCampaign] | Progress[None]) -> DeploymentItem:
        """Return how far the deployment has come, with what the report needs."""
        item, memory = progress.item(self.memory), to_document(self.memory)
        reported = {key: memory.pop(field) for field, key in REPORTED_FIELDS.items()}
        memory = {} if item["outcome"] else memory
        return cast("DeploymentItem", {**item, **reported, "memory": memory})

    def _update(self, version: str, notes: Notes | None = None) -> None:
        request = update_request(describe_campaign(read_client(), self.arn), version)
        if notes:
            self._write(notes)
        try:
            write_client().update_campaign(**request)
        except (ClientError, Throttled) as error:
            # After ServiceUnavailable the request may have arrived.
            if notes:
                self._write(notes._replace(trial=None))
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else None
            if code in REFUSALS:
                raise Refused(str(error)) from error
            raise

    def _go_back(self, version: str) -> None:
        """Send the update to the good version. A person may have edited the tag that names it."""
        try:
            self._update(version)
        except ClientError as error:
            if not is_missing(error, "UpdateCampaign"):
                raise
            named = f"the tag {GOOD} named {version}, which does not exist"
            self.memory.warnings = sorted({*self.memory.warnings, named})
            notes = read_notes(tags_of(read_client(), self.arn), self.solution["solutionArn"])
            self._write(notes._replace(good=None))

    def _write(self, notes: Notes) -> None:
        write_tags(write_client(), self.arn, notes_as_tags(notes))


def is_missing(error: Exception, *operations: str) -> bool:
    """Return True if one of these operations has found no such resource."""
    if not isinstance(error, ClientError) or error.operation_name not in operations:
        return False
    return error.response["Error"]["Code"] == "ResourceNotFoundException"


def read_alarms(names: Sequence[str]) -> list[Alarm]:
    """Return the alarms with these names. An error becomes a state and stops no deployment."""
    try:
        response = cloudwatch().describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except (ClientError, ServiceUnavailable, Throttled) as error:
        return [Alarm(name, shortened(str(error))) for name in names]
    found = {}
    for alarm in (*response["MetricAlarms"], *response["CompositeAlarms"]):
        since = alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]
        found[alarm["AlarmName"]] = Alarm(alarm["AlarmName"], alarm["StateValue"], since)
    return [found.get(name, Alarm(name, "does not exist")) for name in names]


def request_recommendations(campaign_arn: str, probe: ProbeSettings) -> Response:
    """Send one request of a probe, and judge its response. An error is not a bad response."""
    try:
        results = _results(campaign_arn, probe)
    except (ClientError, BotoCoreError) as error:
        return Response(shortened(str(error), MAX_FAILURE_BYTES), is_error=True)
    if not isinstance(results, list):
        return Response("the response has no list of results")
    if len(results) < probe["minResults"]:
        return Response(f"{len(results)} results, fewer than minResults {probe['minResults']}")
    return Response()


def _results(campaign_arn: str, probe: ProbeSettings) -> object:
    """Request a ranking or recommendations. Return the list in the response, or None."""
    keys = ("userId", "itemId", "inputList", "filterArn", "filterValues", "context")
    request: dict[str, Any] = {key: value for key, value in probe.items() if key in keys and value}
    request["campaignArn"] = campaign_arn
    if "inputList" in request:
        return runtime_client().get_personalized_ranking(**request).get("personalizedRanking")
    # Without numResults a response has at most 25 results.
    request["numResults"] = probe["minResults"]
    return runtime_client().get_recommendations(**request).get("itemList")
