"""Reads and builds the verdicts about versions, which are tags of campaigns.

A verdict holds for one campaign, as long as the rules and the live version are those with which the
version was judged. A campaign keeps the last verdict only.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from ..executions import short_hash
from ..workflow_settings import solution_of_campaign
from .campaigns import describe_campaign, live_version
from .tags import VERDICT, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient

    from ..workflow_settings import Settings, Tags

VerdictName = Literal["REJECTED", "ROLLED_BACK"]
HASH_LENGTH = 8


def verdict_tags(
    settings: Settings, campaign_arn: str, version_arn: str, verdict: VerdictName, live: str | None
) -> Tags:
    """Return the tag for a verdict about a version.

    Args:
        settings: the settings of the pipeline.
        campaign_arn: the campaign for which the version was judged.
        version_arn: the version.
        verdict: REJECTED by the gate, or ROLLED_BACK after the probe.
        live: the version that the campaign serves instead.
    """
    return {VERDICT: _tag_value(settings, campaign_arn, version_arn, verdict, live)}


def valid_verdict(
    settings: Settings, campaign_arn: str, tags: Tags, version_arn: str, live: str | None
) -> VerdictName | None:
    """Return the verdict that a campaign has about a version, or None.

    Return None also if the rules or the live version have changed since the verdict.
    """
    written = tags.get(VERDICT, "")
    if not written.startswith(f"{version_arn} "):
        return None
    for verdict in ("REJECTED", "ROLLED_BACK"):
        if written == _tag_value(settings, campaign_arn, version_arn, verdict, live):
            return verdict
    return None


def rollback_reasons(
    client: PersonalizeClient, settings: Settings, campaign_arn: str, version_arn: str
) -> Iterator[str]:
    """Yield a reason for each campaign of the solution that was rolled back from the version.

    Earlier releases wrote the verdict as a tag of the version. A campaign that does not exist any
    more has no verdict.
    """
    if tags_of(client, version_arn).get(VERDICT) == "ROLLED_BACK":
        yield f"a campaign was rolled back from {version_arn}"
    for campaign in solution_of_campaign(settings, campaign_arn)["campaigns"]:
        arn = campaign["campaignArn"]
        with suppress(client.exceptions.ResourceNotFoundException):
            tags = tags_of(client, arn)
            if not tags.get(VERDICT, "").startswith(f"{version_arn} "):
                continue
            live = live_version(describe_campaign(client, arn))
            if valid_verdict(settings, arn, tags, version_arn, live) == "ROLLED_BACK":
                yield f"{arn} was rolled back from {version_arn}"


def _tag_value(
    settings: Settings, campaign_arn: str, version_arn: str, verdict: str, live: str | None
) -> str:
    """Return the value of the tag: the version, the verdict, and what the verdict depends on."""
    rules = _rules(settings, campaign_arn, verdict)
    hashes = f"{short_hash(rules, HASH_LENGTH)} {short_hash(str(live), HASH_LENGTH)}"
    return f"{version_arn} {verdict} {hashes}"


def _rules(settings: Settings, campaign_arn: str, verdict: str) -> str:
    """Return the rules of the gate, or after a rollback the probe of the campaign, as JSON."""
    solution = solution_of_campaign(settings, campaign_arn)
    if verdict == "REJECTED":
        return json.dumps(solution["qualityGate"], sort_keys=True)
    probes = [
        campaign["probe"]
        for campaign in solution["campaigns"]
        if campaign["campaignArn"] == campaign_arn
    ]
    return json.dumps(probes, sort_keys=True)
