"""A run's summary as one JSON document, for programs; keys are camelCase, as in the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrain.rehearsal.summary import Audience, Summary


def document(summary: Summary, *, stack: str, audience: Audience) -> dict[str, object]:
    """Give it all; every key is always there, with null or an empty list where there is nothing."""
    return {
        "stack": stack,
        "succeeded": summary.succeeded,
        "executionArn": summary.execution_arn,
        "ended": summary.ended,
        "report": summary.report,
        "steps": [
            {
                "seconds": each.seconds,
                "step": each.step,
                "arn": each.arn,
                "status": each.status,
                "failure": each.failure,
            }
            for each in summary.steps
        ],
        "jobs": [
            {
                "kind": each.kind,
                "arn": each.arn,
                "solutionVersionArn": each.target,
                "statuses": each.statuses,
                "seconds": round(each.seconds, 1),
            }
            for each in summary.jobs
        ],
        "solutionVersions": [
            {
                "solutionVersionArn": each.arn,
                "age": each.age,
                "status": each.status,
                "metrics": each.metrics,
            }
            for each in summary.versions
        ],
        "campaigns": [
            {
                "campaignArn": each.arn,
                "solutionVersionArn": each.now,
                "previousVersionArn": each.before,
                "servesNewVersion": each.moved,
                "relatedTo": each.related_to,
                "recommendations": [
                    {"itemId": item, "title": audience.titles.get(item)}
                    for item in each.recommended
                ],
            }
            for each in summary.campaigns
        ],
        "user": {
            "userId": audience.user_id,
            "lastMet": [audience.title(each) for each in audience.met],
        },
    }
