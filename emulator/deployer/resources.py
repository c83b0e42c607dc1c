"""The table of the resource types that the deployer supports."""

from emulator.deployer import (
    resources_cloudwatch,
    resources_events,
    resources_iam,
    resources_lambda,
    resources_logs,
    resources_sfn,
    resources_sns,
    resources_sqs,
)
from emulator.deployer.rows import Rows

ROWS: Rows = {
    **resources_iam.ROWS,
    **resources_lambda.ROWS,
    **resources_sfn.ROWS,
    **resources_events.ROWS,
    **resources_sqs.ROWS,
    **resources_sns.ROWS,
    **resources_logs.ROWS,
    **resources_cloudwatch.ROWS,
}
