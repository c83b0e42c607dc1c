"""The rule that starts a run when the ready markers of a day are written."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .args import DatasetsArgs
from .lambda_functions import StepFunction
from .naming import step_name
from .rules.values import DATE_PLACEHOLDER

OBJECT_PATHS = {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"}
"""The fields of an event of S3 that the function gets:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""


@dataclass(frozen=True, kw_only=True)
class ExportTriggerArgs:
    """The arguments of ExportTrigger."""

    datasets: DatasetsArgs
    """The datasets with their ready markers."""
    paused: bool
    """True if the rule is disabled, like the schedule."""
    tags: pulumi.Input[Mapping[str, str]]
    """The tags of every resource."""
    state_machine_arn: pulumi.Output[str]
    start_on_export: StepFunction
    start_on_export_policy: aws.iam.RolePolicy
    """The policy with which the function starts executions. It must exist before the first event.
    """


class ExportTrigger(pulumi.ComponentResource):
    """A rule that calls `start_on_export` for each object that may be a ready marker.

    The bucket has to send its events to EventBridge, which the pipeline does not change:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
    """

    def __init__(
        self, name: str, args: ExportTriggerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("personalize-retraining:index:ExportTrigger", name, {}, opts)
        rule_name = step_name(name, "start_on_export")
        markers = [
            dataset.ready_marker
            for dataset in args.datasets.configured().values()
            if dataset.ready_marker is not None
        ]
        rule = aws.cloudwatch.EventRule(
            rule_name,
            description="Ready markers of exports",
            event_pattern=pulumi.Output.json_dumps(pulumi.Output.all(*markers).apply(_pattern)),
            state="DISABLED" if args.paused else "ENABLED",
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        function = args.start_on_export.function
        permission = aws.lambda_.Permission(
            rule_name,
            action="lambda:InvokeFunction",
            function=function.name,
            principal="events.amazonaws.com",
            source_arn=rule.arn,
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.cloudwatch.EventTarget(
            rule_name,
            rule=rule.name,
            arn=function.arn,
            input_transformer={
                "input_paths": OBJECT_PATHS,
                # EventBridge writes the quotes around a text that it fills in.
                "input_template": pulumi.Output.concat(
                    '{"stateMachineArn": "',
                    args.state_machine_arn,
                    '", "bucket": <bucket>, "key": <key>}',
                ),
            },
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permission, args.start_on_export_policy]
            ),
        )
        self.register_outputs({})


def _pattern(markers: list[str]) -> Mapping[str, object]:
    """Return the pattern of the events about objects that may be one of these markers.

    A key matches if it begins like a marker before `{date}`. The function looks at the rest.
    """
    locations = [marker.removeprefix("s3://").partition("/") for marker in markers]
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": sorted({bucket for bucket, _, _ in locations})},
            "object": {
                "key": [
                    {"prefix": prefix}
                    for prefix in sorted(
                        {key.partition(DATE_PLACEHOLDER)[0] for *_, key in locations}
                    )
                ]
            },
        },
    }
