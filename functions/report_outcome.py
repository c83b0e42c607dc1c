"""Reports how a run ended."""

from functools import partial

from .common.aws import personalize_write_client
from .common.errors import AWS_ERRORS
from .common.log import logger
from .contract import ExecutionData, pipeline_name
from .personalize.tags import REPORTED_VERDICT_TAG, write_tags
from .report.send import ReportedRun, report_run
from .rules.deployments import REPORTED_OUTCOMES, format_verdict
from .run.execution_data import list_campaign_results


def handler(event: ExecutionData, _context: object) -> ReportedRun:
    """Send the report of the run, and return it as the output of the execution."""
    return report_run(
        "report_outcome",
        event,
        pipeline_name(event["settings"]),
        event["settings"]["notifications"],
        after_delivery=partial(tag_verdicts, event),
    )


def tag_verdicts(execution_data: ExecutionData) -> None:
    """Tag each campaign with its reported verdict, so that no later run reports it again.

    This comes after the report, because a verdict that's reported twice is better than one that's
    never reported. If a tag can't be written, this is only logged.
    """
    for result in list_campaign_results(execution_data):
        status = result["status"]
        if not status or not status["versionArn"] or status["outcome"] not in REPORTED_OUTCOMES:
            continue

        # Each run judges the newest version again, but not an earlier one that a person approved.
        if "approvedVersionArn" in result["campaign"]:
            continue

        campaign_arn = result["campaign"]["campaignArn"]
        version_arn = status["versionArn"]
        verdict = format_verdict(version_arn, status["outcome"], status["cause"])
        try:
            write_tags(personalize_write_client(), campaign_arn, {REPORTED_VERDICT_TAG: verdict})
        except AWS_ERRORS as error:
            logger.warning(
                "the verdict on %s at %s was not noted, so the next run reports it again: %s",
                version_arn,
                campaign_arn,
                error,
                extra={"runId": execution_data["run"].get("id")},
            )
