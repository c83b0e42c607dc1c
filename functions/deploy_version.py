"""Deploys a version to a campaign: polls, decides and acts until the campaign has an outcome.

The rules are in `rules/deployments.py`. This module reads the state for them, and carries out their
actions: an update to the *candidate*, which is then on *trial*, requests that *probe* it, and
perhaps an update back to the *good version*. What must outlive the run is the *record* in the
campaign's tags. Everything else is *progress*, which the run's document carries to the next
invocation.
"""

from dataclasses import replace
from functools import cache, partial
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError

from .bake_alarms import read_alarms
from .common import (
    clock,
    metrics,
)
from .common.aws import (
    cloudwatch,
    read_client,
    runtime_client,
    write_client,
)
from .common.errors import (
    AWS_ERRORS,
    RequestRefused,
    Throttled,
)
from .common.formatting import resource_name
from .common.log import (
    log_status,
    logger,
)
from .common.truncation import (
    truncate_middle,
    truncate_output,
)
from .contract import (
    DeploymentStatus,
    DeployVersionInput,
    ProbeSettings,
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
from .personalize.tags import (
    read_tags,
    write_tags,
)
from .personalize.trainings import (
    find_version,
    read_version,
)
from .reconcile import (
    REFUSAL_CODES,
    InvocationResult,
    deserialize,
    reconcile,
    serialize,
)
from .rules.campaigns import (
    CampaignState,
    Deploy,
    DeploymentProgress,
    DeploymentRecord,
    RequestApproval,
    RollBack,
    SaveRecord,
)
from .rules.deployments import (
    decide,
    pause_after_error,
)
from .rules.probing import (
    Probe,
    Response,
)
from .rules.steps import (
    Action,
    Step,
    fail,
    update_progress,
)
from .run.deployment_spec import build_deployment_spec

STATUS_KEYS = {
    "version_arn": "versionArn",
    "previous_version_arn": "previousVersionArn",
    "metrics": "metrics",
    "warnings": "warnings",
    "update_created_at": "createdAt",
    "update_ended_at": "endedAt",
}
"""Field of `DeploymentProgress` -> the key of the status that the report reads. A document with 50
campaigns has no room for these fields twice, so the status's `progress` omits them."""
PROBE_REQUEST_KEYS = ("userId", "itemId", "inputList", "filterArn", "filterValues", "context")
MAX_PROBE_ERROR_BYTES = 180
"""The most bytes of a probe's error. A run's document contains the error twice: as the probe's
failure, and as the reason for the rollback."""


@truncate_output
def handler(event: DeployVersionInput, _context: object) -> DeploymentStatus:
    """Deploy the version until there's an outcome, or the next poll is far off."""
    deployment = CampaignDeployment(event)
    status = deployment.proceed()
    if status["outcome"]:
        _write_metrics(status, event, deployment.solution["solutionArn"])
    log_status("deploy_version", event["run"], event["campaign"]["campaignArn"], status)
    return status


def _write_metrics(status: DeploymentStatus, event: DeployVersionInput, solution_arn: str) -> None:
    """Publish the new version's offline metrics that the quality gate compared."""
    # Two rules for the same metric have the same new value, so it's published once.
    values = {compared["metric"]: compared["new"] for compared in status["metrics"]}
    metrics.write(pipeline_name(event["settings"]), values, Solution=resource_name(solution_arn))


class CampaignDeployment:
    """The part of a deployment that one invocation handles."""

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
            candidate_arn=campaign.get("approvedVersionArn", training and training["arn"]),
            from_earlier_run=training is not None and not training["isNew"],
        )
        self.progress = _restore_progress(event["status"])

        # Each poll of a trial needs creation times, which never change.
        self._find_version = cache(partial(find_version, read_client()))

    def proceed(self) -> DeploymentStatus:
        """Poll, decide and act until the invocation ends, and return the status."""
        try:
            result = reconcile(self)
        except Exception as error:  # noqa: BLE001 - raised again if no version is on trial
            # Whatever failed, the run must not abandon a version on trial.
            step = self._decide_after_error(error)
            update_progress(self.progress, step)
            logger.exception("deploy_version: an error during the trial at %s", self.campaign_arn)
            return self._build_status(InvocationResult(None, step))

        self.progress.failing_since = None
        return self._build_status(result)

    def poll(self) -> CampaignState:
        """Read everything about the campaign that the rules need."""
        client = read_client()
        # An update repeats the settings in this description.
        self._campaign = describe_campaign(client, self.campaign_arn)
        tags = read_tags(client, self.campaign_arn)
        campaign = build_campaign_state(self._campaign, tags, self.solution["solutionArn"])

        # Alarms matter only while the version on trial is being served.
        is_watched = campaign.serves_version_on_trial and not campaign.update.is_running
        if self.spec.alarm_names and is_watched:
            campaign = replace(campaign, alarms=read_alarms(cloudwatch(), self.spec.alarm_names))

        return add_versions(
            campaign,
            self.spec,
            find=self._find_version,
            # This isn't cached, because a baseline may have been trained since the last poll.
            read=partial(read_version, client, self.solution),
            now=clock.now(),
        )

    def decide(self, state: CampaignState) -> Step:
        """Let the rules decide on the next step."""
        return decide(state, self.spec, self.progress, clock.now())

    def act(self, action: Action) -> None:
        """Carry out an action that the rules decided on."""
        match action:
            case Deploy(candidate_arn, record):
                self._deploy(candidate_arn, record)
            case RollBack(good_version_arn):
                self._send_update(good_version_arn)
            case SaveRecord(record):
                self._save(record)
            case RequestApproval(candidate_arn):
                tags = build_approval_tags("REQUESTED", clock.now())
                write_tags(write_client(), candidate_arn, tags)
            case Probe():
                self._probe()

    def _deploy(self, candidate_arn: str, record: DeploymentRecord) -> None:
        """Save the record of the trial, then send the update.

        In the other order, a run that dies in between would leave a served version without a trial.
        """
        self._save(record)

        try:
            self._send_update(candidate_arn)
        except (RequestRefused, ClientError, Throttled):
            # The update certainly hasn't begun, so there's no trial. After ServiceUnavailable, we
            # can't be certain, because the request may have arrived.
            self._save(record._replace(trial=None))
            raise

    def _send_update(self, version_arn: str) -> None:
        """Update the campaign to a version, and keep the settings from the last poll.

        Raises:
            RequestRefused: the campaign is busy, so the same update may succeed later.
        """
        request = build_update_request(self._campaign, version_arn)
        try:
            write_client().update_campaign(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSAL_CODES:
                raise RequestRefused(str(error)) from error
            raise

    def _save(self, record: DeploymentRecord) -> None:
        write_tags(write_client(), self.campaign_arn, build_record_tags(record))

    def _probe(self) -> None:
        """Send one request of the probe. The rules judge the response at the next poll."""
        probe_run = self.progress.probe_run
        assert self.spec.probe is not None, "the rules probe only campaigns with a probe"
        assert probe_run is not None, "the step with this action has a probe run"
        response = send_probe_request(self.campaign_arn, self.spec.probe)
        self.progress.probe_run = replace(probe_run, response=response)

    def _decide_after_error(self, error: Exception) -> Step:
        """Decide how to continue after an error in `poll()` or `act()`.

        Raises:
            Exception: the error, if no version is on trial or the deadline has passed.
        """
        client = read_client()
        try:
            # The poll may have failed, so look in the tags for a version on trial.
            tags = read_tags(client, self.campaign_arn)
        except client.exceptions.ResourceNotFoundException:
            return fail("ON_TRIAL", "the campaign was deleted")
        except AWS_ERRORS:
            trial = None
        else:
            trial = parse_record(tags, self.solution["solutionArn"]).trial
            if trial is None:
                # Fail at once, so that people notice a missing permission, for example.
                raise error

        warning = f"{type(error).__name__}: {error}"
        step = pause_after_error(trial, self.spec, self.progress, warning, clock.now())
        if step is None:
            raise error
        return step

    def _build_status(self, result: InvocationResult[Any]) -> DeploymentStatus:
        """Build the status, with STATUS_KEYS where the report reads them.

        `_restore_progress()` is the inverse.
        """
        progress = serialize(self.progress)
        reported = {key: progress.pop(field) for field, key in STATUS_KEYS.items()}

        status = {**result.build_status(self.progress), **reported, "cause": result.step.cause}
        if status["outcome"] is None:
            status["progress"] = progress
        return cast("DeploymentStatus", status)


def _restore_progress(status: DeploymentStatus | None) -> DeploymentProgress:
    """Restore the progress from the last invocation's status, or begin anew without one."""
    if status is None:
        return DeploymentProgress(began_at=clock.now())

    document = cast("dict[str, object]", status)
    reported = {field: document[key] for field, key in STATUS_KEYS.items()}
    return deserialize(DeploymentProgress, {**status["progress"], **reported})


def send_probe_request(campaign_arn: str, probe: ProbeSettings) -> Response:
    """Send one request of a probe, and check the response."""
    try:
        results = _request_results(campaign_arn, probe)
    except (ClientError, BotoCoreError) as error:
        return Response(failure=truncate_middle(str(error), MAX_PROBE_ERROR_BYTES), is_error=True)

    if not isinstance(results, list):
        return Response(failure="the response has no list of results")

    min_results = probe["minResults"]
    if len(results) < min_results:
        return Response(failure=f"{len(results)} results, fewer than minResults {min_results}")
    return Response()


def _request_results(campaign_arn: str, probe: ProbeSettings) -> object:
    """Request a ranking if the probe has items to rank, or else recommendations."""
    request: dict[str, Any] = {
        key: value for key, value in probe.items() if key in PROBE_REQUEST_KEYS and value
    }
    request["campaignArn"] = campaign_arn

    if "inputList" in request:
        return runtime_client().get_personalized_ranking(**request).get("personalizedRanking")

    # By default, there are at most 25 results, but minResults may be higher.
    request["numResults"] = probe["minResults"]
    return runtime_client().get_recommendations(**request).get("itemList")
