"""Shows what campaigns and batch jobs recommend after a successful run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from functions.report.model import list_batch_job_reports
from functions.s3.exports import split_location
from retrain.look.lines import Line
from retrain.names import short_name
from retrain.rehearsal.recipes import RANKING, build_query, choose_recipe
from retrain.rehearsal.resources import BATCH_USERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from functions.report.model import Report
    from retrain.rehearsal.data import User
    from retrain.rehearsal.resources import StackResources

SHOWN_ITEMS = 3
"""How many of the items to show that the user chose last."""
RECOMMENDED_ITEMS = 5
"""How many recommendations to show from each campaign and for each line of a batch job."""


def list_recommendation_lines(resources: StackResources, report: Report) -> Iterator[Line]:
    """Yield the last items of a typical user, and what campaigns and batch jobs recommend.

    A recipe for related items gets the user's last item, and recommends others that are related.
    """
    user = resources.data.list_typical_users()[0]
    recommended_items = _request_recommendations(resources, user)
    recommended_items |= _read_batch_results(resources, report)
    if not recommended_items:
        return

    labels = resources.data.build_item_labels()
    chosen_items = {f"{user.id} chose last": user.item_ids[:SHOWN_ITEMS]}
    for heading, item_ids in (chosen_items | recommended_items).items():
        item_labels = [labels.get(item_id, item_id) for item_id in item_ids]
        yield Line(1, heading, "\n".join(item_labels))


def _request_recommendations(resources: StackResources, user: User) -> dict[str, list[str]]:
    """Request recommendations for a user from all campaigns, except for rankings.

    Maps a heading for each campaign to the IDs of the recommended items.
    """
    runtime: Any = resources.emulator.client("personalize-runtime")

    recommended_items = {}
    for solution in resources.args.solutions:
        recipe_name = choose_recipe(solution)
        # A ranking only reorders the user's own items, so there's nothing new to show.
        if recipe_name == RANKING:
            continue

        query = build_query(user, recipe_name)
        for campaign in solution.campaigns:
            campaign_arn = str(campaign.campaign_arn)
            response = runtime.get_recommendations(
                campaignArn=campaign_arn, numResults=RECOMMENDED_ITEMS, **query
            )
            heading = f"{short_name(campaign_arn)} recommends"
            recommended_items[heading] = [item["itemId"] for item in response["itemList"]]

    return recommended_items


def _read_batch_results(resources: StackResources, report: Report) -> dict[str, list[str]]:
    """Read the results of a run's batch jobs.

    Maps a heading for each user or item in a job's input to the IDs of the recommended items.
    """
    recommended_items = {}
    for batch_job in list_batch_job_reports(report["solutions"]):
        for line in _read_output(resources, batch_job["output"])[:BATCH_USERS]:
            # The first value in the input is a user ID or an item ID. Items to rank may follow.
            subject = next(iter(line["input"].values()))
            item_ids = line["output"]["recommendedItems"]
            recommended_items[f"a batch job wrote for {subject}"] = item_ids[:RECOMMENDED_ITEMS]

    return recommended_items


def _read_output(resources: StackResources, output: str) -> list[dict[str, Any]]:
    """Parse all output files of a batch job, which contain a JSON document per line."""
    bucket, folder = split_location(output)

    lines = []
    for file in resources.s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", ()):
        content = resources.s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read()
        lines += [json.loads(line) for line in content.splitlines()]
    return lines
