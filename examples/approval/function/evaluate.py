"""Answers the pipeline's requests for approval with a check of your own.

The pipeline has judged a version by its offline metrics, and asks for an approval before a campaign
gets it. Replace `is_good_enough` by your own check, for example against a week of real clicks.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import boto3

TAG = "retraining-approval"
"""The tag of a version with the answer. docs/tags.md of the pipeline documents its value."""
MIN_COVERAGE = 0.05


def is_good_enough(version_arn: str) -> bool:
    """Check a version: here, whether it recommends enough of the catalog."""
    response = boto3.client("personalize").get_solution_metrics(solutionVersionArn=version_arn)
    return response["metrics"]["coverage"] >= MIN_COVERAGE


def handler(event: Mapping[str, Any], context: Any) -> dict[str, str]:  # noqa: ANN401 - of Lambda
    """Answer for each version that waits, and start the deployment if one is approved.

    `event` is the report of a run. Return the answer about each version.
    """
    answers = {}
    for version_arn in find_waiting_versions(event["detail"]):
        answer = "APPROVED" if is_good_enough(version_arn) else "REFUSED"
        write_answer(version_arn, answer, context.invoked_function_arn)
        answers[version_arn] = answer

    if "APPROVED" in answers.values():
        start_deployment(event["detail"]["executionArn"], answers)
    return answers


def find_waiting_versions(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield each version that the run has asked an approval for, once."""
    version_arns = {
        campaign["versionArn"]: None
        for solution in report["solutions"]
        for campaign in solution["campaigns"]
        if campaign["outcome"] == "AWAITING_APPROVAL"
    }
    yield from version_arns


def write_answer(version_arn: str, answer: str, answered_by: str) -> None:
    """Write the answer where each run looks for it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    value = f"{answer} {now} {answered_by}"
    boto3.client("personalize").tag_resource(
        resourceArn=version_arn, tags=[{"tagKey": TAG, "tagValue": value[:256]}]
    )


def start_deployment(execution_arn: str, answers: Mapping[str, str]) -> None:
    """Start a run that deploys what is approved, and trains nothing.

    EventBridge may send an event twice. The name makes Step Functions refuse a second execution.
    """
    request = f"{execution_arn} {json.dumps(answers, sort_keys=True)}"
    name = f"approved-{hashlib.sha256(request.encode()).hexdigest()[:16]}"
    client = boto3.client("stepfunctions")
    with suppress(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(
            stateMachineArn=os.environ["STATE_MACHINE_ARN"],
            name=name,
            input=json.dumps({"only": "deployments"}),
        )
