"""Deploys a version to a campaign: polls, decides and acts until the campaign has an outcome.

The rules are in `rules/deployments.py`. This module reads what they need and carries out their
actions. First it updates the campaign to the *candidate*, which is then on *trial*. Then it sends
*probe* requests. If they fail or an alarm goes off, it rolls back to the last known *good version*.
What must outlive the run is the *record* in the campaign's tags. What only the next invocation
needs is the *progress*, which is part of the handler's output.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from .bake_alarms import read_alarms
from .common import clock, metrics
from .common.aws import (
    cloudwatch,
    personalize_read_client,
    personalize_runtime_client,
    personalize_write_client,
)
from .common.errors import AWS_ERRORS, RequestRefused, Throttled
from .common.formatting import resource_name
from .common.log import log_status, logger
from .common.truncation import truncate_middle, truncate_output
from .contract import (
    DeploymentStatus,
    DeployVersionInput,
    PlannedCampaign,
    ProbeSettings,
    TrainingStatus,
    find_solution_of_campaign,
    pipeline_name,
)
from .personalize.approvals import build_approval_tags
from .personalize.campaigns import (
    add_versions,
    build_campaign_state,
    build_record_tags,
    build_update_request,
    describe_campaign,
    parse_record,
)
from .personalize.imports import ImportReader
from .personalize.tags import read_tags, write_tags
from .personalize.trainings import find_version, read_version
from .reconcile import REFUSAL_CODES, InvocationResult, deserialize, reconcile, serialize
from .rules.campaigns import (
    CampaignState,
    Deploy,
    DeploymentProgress,
    DeploymentRecord,
    RequestApproval,
    RollBack,
    SaveRecord,
)
from .rules.deployments import decide, pause_after_error
from .rules.probing import Probe, Response
from .rules.steps import Action, Step, fail, update_progress
from .run.deployment_spec import build_deployment_spec

STATUS_KEYS = {
    "version_arn": "versionArn",
    "previous_version_arn": "previousVersionArn",
    "metrics": "metrics",
    "warnings": "warnings",
    "update_created_at": "createdAt",
    "update_ended_at": "endedAt",
}
"""Field of `DeploymentProgress` -> the status key that already contains it, because the report
needs it there. With 50 campaigns, there's no room to repeat these fields under `progress`."""
PROBE_REQUEST_KEYS = ("userId", "itemId", "inputList", "filterArn", "filterValues", "context")
MAX_PROBE_ERROR_BYTES = 180
"""The size limit of a probe's error, which a status contains twice: as the probe's failure, and as
the reason for the rollback."""


@truncate_output
def handler(event: DeployVersionInput, _context: object) -> DeploymentStatus:
    """Go on with the deployment of a version, and return its status.

    The state machine invokes the function again until the status has an outcome.
    """
    deployment = CampaignDeployment(event)
    status = deployment.run()

    if status["outcome"]:
        _publish_offline_metrics(status, event, deployment.solution["solutionArn"])
    log_status("deploy_version", event["run"], event["campaign"]["campaignArn"], status)
    return status


def _publish_offline_metrics(
    status: DeploymentStatus, event: DeployVersionInput, solution_arn: str
) -> None:
    """Publish those of the new version's offline metrics that the quality gate compared."""
    # If two rules of the gate compare the same metric, its value is published once.
    values = {comparison["metric"]: comparison["new"] for comparison in status["metrics"]}
    metrics.publish(pipeline_name(event["settings"]), values, Solution=resource_name(solution_arn))


class CampaignDeployment:
    """One invocation's share of a deployment."""

    def __init__(self, event: DeployVersionInput) -> None:
        settings = event["settings"]
        campaign = event["campaign"]
        training = event["training"]

        self.campaign_arn = campaign["campaignArn"]
        self.solution = find_solution_of_campaign(settings, self.campaign_arn)

        self.spec = build_deployment_spec(
            settings,
            self.solution,
            self.campaign_arn,
            candidate_arn=_find_candidate_arn(campaign, training),
            is_candidate_from_earlier_run=training is not None and not training["isNew"],
        )
        self.progress = _restore_progress(event["status"])
        self._import_reader = ImportReader(personalize_read_client(), settings["datasets"])

        # Each poll needs creation times of versions, which never change.
        self._find_version = cache(partial(find_version, personalize_read_client()))

    def run(self) -> DeploymentStatus:
        """Poll, decide and act until the invocation ends, and return the status.

        Raises:
            Exception: anything failed, and no version is on trial or the deadline has passed.
        """
        try:
            result = reconcile(self, decide)
        except Exception as error:  # noqa: BLE001 - raised again if no version is on trial
            # Whatever failed, don't abandon a version that's on trial.
            step = self._decide_after_error(error)
            update_progress(self.progress, step)
            logger.exception("deploy_version: an error during the trial at %s", self.campaign_arn)
            return self._build_status(InvocationResult(state=None, step=step))

        self.progress.failing_since = None
        return self._build_status(result)

    def poll(self) -> CampaignState:
        """Read everything about the campaign that the rules need."""
        client = personalize_read_client()
        # Keep the description, because an update repeats the campaign's settings.
        self._campaign = describe_campaign(client, self.campaign_arn)
        tags = read_tags(client, self.campaign_arn)
        state = build_campaign_state(self._campaign, tags, self.solution["solutionArn"])

        # Alarms matter only while the version on trial is being served.
        are_alarms_needed = state.serves_version_on_trial and not state.update.is_running
        if self.spec.alarm_names and are_alarms_needed:
            state = replace(state, alarms=read_alarms(cloudwatch(), self.spec.alarm_names))

        return add_versions(
            state,
            self.spec,
            find_version=self._find_version,
            # Don't cache this, because a baseline may have been trained since the last poll.
            read_version=partial(read_version, client, self.solution, self._import_reader),
            now=clock.now(),
        )

    def act(self, action: Action) -> None:
        """Carry out the action of a step."""
        match action:
            case Deploy(candidate_arn, record):
                self._deploy(candidate_arn, record)
            case RollBack(good_version_arn):
                self._send_update(good_version_arn)
            case SaveRecord(record):
                self._save_record(record)
            case RequestApproval(candidate_arn):
                approval_tags = build_approval_tags("REQUESTED", clock.now())
                write_tags(personalize_write_client(), candidate_arn, approval_tags)
            case Probe():
                self._probe()

    def _deploy(self, candidate_arn: str, record: DeploymentRecord) -> None:
        """Save the record of the trial, then send the update.

        In the other order, if the run died in between, no later run would know that the served
        version is on trial.
        """
        self._save_record(record)

        try:
            self._send_update(candidate_arn)
        except (RequestRefused, ClientError, Throttled):
            # The update certainly hasn't begun, so there's no trial. After ServiceUnavailable, it
            # may have begun, because only the response may be missing.
            self._save_record(record._replace(trial=None))
            raise

    def _send_update(self, version_arn: str) -> None:
        """Update the campaign to a version, with the settings that it already has.

        Raises:
            RequestRefused: the campaign is busy, so the same update may succeed later.
        """
        request = build_update_request(self._campaign, version_arn)
        try:
            personalize_write_client().update_campaign(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSAL_CODES:
                raise RequestRefused(str(error)) from error
            raise

    def _save_record(self, record: DeploymentRecord) -> None:
        """Write the record into the campaign's tags."""
        write_tags(personalize_write_client(), self.campaign_arn, build_record_tags(record))

    def _probe(self) -> None:
        """Send one probe request, and keep the response for the rules, which judge it later."""
        assert self.spec.probe is not None, "the rules probe only campaigns with a probe"
        probe_run = self.progress.probe_run
        assert probe_run is not None, "the step with this action has a probe run"

        response = send_probe_request(self.campaign_arn, self.spec.probe)
        self.progress.probe_run = replace(probe_run, response=response)

    def _decide_after_error(self, error: Exception) -> Step:
        """Decide how to continue after an error in `poll()` or `act()`.

        Raises:
            Exception: `error` itself, if no version is on trial or the deadline has passed.
        """
        client = personalize_read_client()
        trial = None
        try:
            # The poll may have failed, so look for a trial in the tags.
            tags = read_tags(client, self.campaign_arn)
        except client.exceptions.ResourceNotFoundException:
            return fail("ON_TRIAL", "the campaign was deleted")
        except AWS_ERRORS:
            pass  # A version may be on trial, so continue as if one was.
        else:
            trial = parse_record(tags, self.solution["solutionArn"]).trial
            if trial is None:
                # Fail right away, so that somebody notices a missing permission, for example.
                raise error

        warning = f"{type(error).__name__}: {error}"
        step = pause_after_error(trial, self.spec, self.progress, warning, clock.now())
        if step is None:
            raise error
        return step

    def _build_status(self, result: InvocationResult[Any]) -> DeploymentStatus:
        """Build the status, with the fields in STATUS_KEYS at the top instead of in the progress.

        `_restore_progress()` is the inverse.
        """
        progress = serialize(self.progress)
        status: dict[str, Any] = {**result.build_status(self.progress)}
        for field, status_key in STATUS_KEYS.items():
            status[status_key] = progress.pop(field)
        status["cause"] = result.step.cause

        # Only the next invocation needs the progress.
        if status["outcome"] is None:
            status["progress"] = progress
        return cast("DeploymentStatus", status)


def _find_candidate_arn(campaign: PlannedCampaign, training: TrainingStatus | None) -> str | None:
    """Find the version for a campaign: the one that a person approved for it, or the trained one.

    Without either, the run only ends a trial.
    """
    if "approvedVersionArn" in campaign:
        return campaign["approvedVersionArn"]
    if training is not None:
        return training["arn"]
    return None


def _restore_progress(status: DeploymentStatus | None) -> DeploymentProgress:
    """Restore the progress from the last invocation's status, or begin a new deployment."""
    if status is None:
        return DeploymentProgress(began_at=clock.now())

    status_fields = cast("dict[str, object]", status)
    progress = {**status["progress"]}
    for field, status_key in STATUS_KEYS.items():
        progress[field] = status_fields[status_key]
    return deserialize(DeploymentProgress, progress)


def send_probe_request(campaign_arn: str, probe: ProbeSettings) -> Response:
    """Send one probe request to a campaign, and check the response."""
    try:
        results = _request_results(campaign_arn, probe)
    except (ClientError, BotoCoreError) as error:
        failure = truncate_middle(str(error), MAX_PROBE_ERROR_BYTES)
        return Response(failure=failure, is_error=True)

    min_results = probe["minResults"]
    if len(results) < min_results:
        return Response(failure=f"{len(results)} results, fewer than minResults {min_results}")
    return Response()


def _request_results(campaign_arn: str, probe: ProbeSettings) -> Sequence[object]:
    """Request a ranking if the probe has items to rank, otherwise recommendations."""
    client = personalize_runtime_client()
    request: dict[str, Any] = {
        key: value for key, value in probe.items() if key in PROBE_REQUEST_KEYS and value
    }
    request["campaignArn"] = campaign_arn

    if "inputList" in request:
        return client.get_personalized_ranking(**request).get("personalizedRanking", [])

    # The default is 25, but minResults may be higher.
    request["numResults"] = probe["minResults"]
    return client.get_recommendations(**request).get("itemList", [])
