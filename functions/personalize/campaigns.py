"""Reads campaigns and versions for the rules of deployments, and builds their tags and updates.

While a campaign is updated, its status stays ACTIVE. `latestCampaignUpdate` shows the state of the
update, and `solutionVersionArn` shows which version is served.
"""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from .. import clock
from ..contract import pipeline_name
from ..rules.deployments import Deployment, Notes, SeenCampaign, Trial, Update, Version
from ..rules.gate import Baseline
from ..rules.trainings import imports_of
from .statuses import is_active, is_running
from .tags import APPROVAL, BAD, BAKE, DIGEST, GOOD, PINNED, PREVIOUS, TRIAL, past_time, tags_of
from .trainings import describe_version, list_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_personalize.type_defs import CampaignTypeDef, UpdateCampaignRequestTypeDef

    from ..contract import ApprovalSettings, CampaignSettings, Settings, SolutionSettings, Tags

Answer = Literal["ASKED", "APPROVED", "REFUSED"]
LATEST = "/$LATEST"
"""A campaign with syncWithLatestSolutionVersion may show `<solution>/$LATEST` as its version."""
NONE = "-"
"""The value of a tag without a fact. All tags are always written, because a resource can have at
most 50, and a trial must be able to end even if a person has added tags since it began."""
BAKE_PAUSE, BAKE_LOOKS = 300, 600
"""The seconds between two looks at the alarms of a bake, and about the most looks of all bakes of a
run. A look is 9 events, and a run may bake twice, because it also ends the trials of earlier runs.
Of the 25,000 events of an execution, the largest pipeline may need 13,200 for everything else."""
CREATED_ALARMS = ("4xx", "5xx", "latency")
"""The alarms of a bake that `createAlarms` creates (`components/alarms.py`)."""
SERVED = "served"
"""The last word of the tag about a trial, once a run has seen that the campaign serves the version.
Without it, nobody can have taken the version back."""


def describe_campaign(client: PersonalizeClient, campaign_arn: str) -> CampaignTypeDef:
    """Return a campaign as DescribeCampaign shows it."""
    return client.describe_campaign(campaignArn=campaign_arn)["campaign"]


def live_version(campaign: CampaignTypeDef) -> str | None:
    """Return the version that a campaign serves, or None if its creation has failed."""
    return campaign["solutionVersionArn"] if is_active(campaign["status"]) else None


def follows_newest(campaign: CampaignTypeDef) -> bool:
    """Return True if Personalize itself moves the campaign to each new version."""
    return campaign.get("campaignConfig", {}).get("syncWithLatestSolutionVersion", False)


def seen_campaign(
    campaign: CampaignTypeDef, tags: Tags, solution_arn: str, versions: Mapping[str, Version]
) -> SeenCampaign:
    """Return what the rules of deployments need to know about a campaign of a solution."""
    latest = campaign.get("latestCampaignUpdate", campaign)
    update = Update(
        version=latest["solutionVersionArn"],
        is_running=is_running(latest["status"]),
        created_at=latest["creationDateTime"],
        ended_at=latest["lastUpdatedDateTime"],
        failure=latest.get("failureReason"),
    )
    return SeenCampaign(
        serves=live_version(campaign),
        update=update,
        notes=read_notes(tags, solution_arn),
        versions=versions,
        pin=read_pin(tags),
    )


def read_notes(tags: Tags, solution_arn: str) -> Notes:
    """Return what the tags of a campaign say. A value that no run has written counts as missing."""
    known = {key: value for key, value in tags.items() if value.startswith(f"{solution_arn}/")}
    version, written_at, served, *_ = [*known.get(TRIAL, "").split(" "), "", "", ""]
    at = past_time(written_at)
    baked_until = past_time(tags.get(BAKE, ""), timedelta(hours=12))  # the longest bake
    trial = Trial(version, at, served == SERVED, baked_until) if at else None
    return Notes(trial, known.get(GOOD), known.get(PREVIOUS), known.get(BAD))


def notes_as_tags(notes: Notes) -> Tags:
    """Return the tags of a campaign with these notes."""
    trial = notes.trial
    baked_until = trial.baked_until if trial else None
    served = f" {SERVED}" if trial and trial.was_served else ""
    return {
        TRIAL: f"{trial.version} {trial.at.isoformat()}{served}" if trial else NONE,
        BAKE: baked_until.isoformat() if baked_until else NONE,
        GOOD: notes.good or NONE,
        PREVIOUS: notes.previous or NONE,
        BAD: notes.bad or NONE,
    }


def read_pin(tags: Tags) -> str | None:
    """Return since when and by whom a campaign is pinned, or None if it is not pinned."""
    value = tags.get(PINNED, NONE)
    return None if value in ("", NONE) else f"pinned {value}"


class Approval(NamedTuple):
    """The tag of a version about its approval: a run's request, or the answer that replaced it."""

    answer: Answer
    at: datetime
    by: str = ""
    """The ARN of the person or role that has answered."""

    def end(self, settings: ApprovalSettings) -> datetime:
        """Return when a request expires."""
        return self.at + timedelta(hours=settings["timeoutHours"])


def read_approval(tags: Tags) -> Approval | None:
    """Return what the tags of a version say about its approval, or None. People may edit them."""
    answer, at, by, *_ = [*tags.get(APPROVAL, "").split(" ", 2), "", "", ""]
    known = next((word for word in get_args(Answer) if word == answer), None)
    time = past_time(at)
    return Approval(known, time, by) if known and time else None


def approval_tags(answer: Answer, now: datetime, by: str = "") -> Tags:
    """Return the tag for a request or an answer that is given now."""
    return {APPROVAL: f"{answer} {now.isoformat(timespec='seconds')} {by}".rstrip()}


def current_answer(tags: Tags, settings: ApprovalSettings | None, now: datetime) -> Answer | None:
    """Return the answer about a version, or None. An expired request counts as none."""
    approval = read_approval(tags)
    if approval is None:
        return None
    is_over = approval.answer == "ASKED" and settings is not None and now > approval.end(settings)
    return None if is_over else approval.answer


class Versions(dict[str, Version]):
    """What is known about a solution's versions. Each is read when a rule first asks for it."""

    def __init__(self, client: PersonalizeClient, solution: SolutionSettings) -> None:
        super().__init__()
        self._client, self._solution = client, solution

    def __missing__(self, arn: str) -> Version:
        """Read a version. A batch job outlives its solution, so its version may be gone."""
        client, solution = self._client, self._solution
        try:
            version, tags = describe_version(client, arn), tags_of(client, arn)
        except client.exceptions.ResourceNotFoundException:
            return Version(datetime.min.replace(tzinfo=UTC), {})
        created_at = version["creationDateTime"]
        baselines = {rule.get("relativeTo") for rule in solution["qualityGate"]}
        self[arn] = Version(
            created_at,
            metrics_of(client, arn) if solution["qualityGate"] else {},
            current_answer(tags, solution["approval"], clock.now()),
            version["lastUpdatedDateTime"],
            {item: read_baseline(client, item, tags, created_at) for item in baselines if item},
        )
        return self[arn]


def read_baseline(
    client: PersonalizeClient, solution_arn: str, tags: Tags, created_at: datetime
) -> Baseline | None:
    """Return the version of a solution that was trained on the same imports as another version.

    `tags` and `created_at` are those of the other version. Of several versions, the one that was
    created at the nearest time counts. The data of a group never goes back to earlier imports, so
    no version beyond one with other imports is read.
    """
    imports, passed_directions = imports_of(tags.get(DIGEST, "")), set()
    with suppress(client.exceptions.ResourceNotFoundException):
        for item in sorted(
            list_versions(client, solution_arn) if imports else (),
            key=lambda item: abs(item["creationDateTime"] - created_at),
        ):
            arn, began_at = item["solutionVersionArn"], item["creationDateTime"]
            is_later, running = began_at > created_at, is_running(item["status"])
            if is_later in passed_directions or not (running or is_active(item["status"])):
                continue
            digest = tags_of(client, arn).get(DIGEST)
            if digest and imports_of(digest) == imports:
                return Baseline(arn, began_at, running, {} if running else metrics_of(client, arn))
            if digest:
                passed_directions.add(is_later)
    return None


def metrics_of(client: PersonalizeClient, version_arn: str) -> dict[str, float]:
    """Return the offline metrics of a version by name. The result is empty if there are none.

    A value that is not a number becomes NaN. JSON has no NaN, so Personalize may send it as a text.
    """
    metrics = client.get_solution_metrics(solutionVersionArn=version_arn).get("metrics", {})
    return {
        name: value if isinstance(value, int | float) else math.nan
        for name, value in metrics.items()
    }


def alarm_names(settings: Settings, campaign: CampaignSettings) -> list[str]:
    """Return the names of the alarms that decide about a version of a campaign during its bake."""
    bake = campaign["bake"]
    if bake is None:
        return []
    campaigns = [item for solution in settings["solutions"] for item in solution["campaigns"]]
    start, end = f"{pipeline_name(settings)}-bake-{campaigns.index(campaign)}", settings["prefix"]
    created = [f"{start}-{name}-{end}" for name in CREATED_ALARMS if bake["createAlarms"]]
    return [*(arn.partition(":alarm:")[2] for arn in bake["alarms"]), *created]


def wanted_deployment(
    settings: Settings,
    solution: SolutionSettings,
    campaign_arn: str,
    version: str | None,
    *,
    waited: bool,
) -> Deployment:
    """Return the deployment that a run wants for a campaign. See `Deployment` for its fields."""
    (campaign,) = (item for item in solution["campaigns"] if item["campaignArn"] == campaign_arn)
    bake, approval = campaign["bake"], solution["approval"]
    bakes = [item for other in settings["solutions"] for item in other["campaigns"] if item["bake"]]
    hours = bake["hours"] if bake else 0
    return Deployment(
        version=version,
        waited=waited,
        gate=solution["qualityGate"],
        approval_hours=approval["timeoutHours"] if approval else None,
        probe=campaign["probe"],
        bake=timedelta(hours=hours),
        bake_pause=max(BAKE_PAUSE, hours * 3600 * len(bakes) / BAKE_LOOKS),
        alarms=alarm_names(settings, campaign),
        max_hours=settings["limits"]["maxCampaignHours"],
    )


def update_request(campaign: CampaignTypeDef, target: str) -> UpdateCampaignRequestTypeDef:
    """Return the request that moves the campaign to a version and keeps its other settings.

    The request repeats the other settings, because the API does not promise to keep a setting that
    a request leaves out. DescribeCampaign may show two things that UpdateCampaign refuses: fewer
    than one provisioned transaction per second, and empty settings. They are left out. If the
    campaign follows the newest version, the request turns that off, so that the campaign stays.
    """
    request: dict[str, object] = {
        "campaignArn": campaign["campaignArn"],
        "solutionVersionArn": target,
    }
    if campaign.get("minProvisionedTPS", 0) >= 1:
        request["minProvisionedTPS"] = campaign["minProvisionedTPS"]
    shown = campaign.get("campaignConfig", {})
    config = {key: value for key, value in shown.items() if value not in ({}, None)}
    if follows_newest(campaign):
        config["syncWithLatestSolutionVersion"] = False
    if config:
        request["campaignConfig"] = config
    return cast("UpdateCampaignRequestTypeDef", request)
