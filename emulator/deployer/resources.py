"""The table of the resource types that the deployer supports."""

from emulator.deployer import (
    resources_cloudwatch,
    resources_events,
    resources_iam,
    resources_lambda,
    resources_messages,
    resources_sfn,
)
from emulator.deployer.rows import Rows

ROWS: Rows = {
    **resources_cloudwatch.ROWS,
    **resources_events.ROWS,
    **resources_iam.ROWS,
    **resources_lambda.ROWS,
    **resources_messages.ROWS,
    **resources_sfn.ROWS,
}
