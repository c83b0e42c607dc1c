"""Lets a function of your own approve the versions that wait for it."""

import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
state_machine_arn = config.require("stateMachineArn")
pipeline_name = config.require("pipeline")
solution_arns = config.require_object("solutionArns")

role = aws.iam.Role(
    "evaluate",
    assume_role_policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
    ),
    managed_policy_arns=["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
)
policy = aws.iam.RolePolicy(
    "evaluate",
    role=role.name,
    policy=json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["personalize:GetSolutionMetrics", "personalize:TagResource"],
                    "Resource": [f"{arn}/*" for arn in solution_arns],
                },
                {
                    "Effect": "Allow",
                    "Action": "states:StartExecution",
                    "Resource": state_machine_arn,
                },
            ],
        }
    ),
)
function = aws.lambda_.Function(
    "evaluate",
    runtime="python3.13",
    handler="evaluate.handler",
    role=role.arn,
    code=pulumi.AssetArchive({".": pulumi.FileArchive("function")}),
    environment={"variables": {"STATE_MACHINE_ARN": state_machine_arn}},
    timeout=60,
    opts=pulumi.ResourceOptions(depends_on=[policy]),
)

# A run reports its worst outcome, so look for the outcome of any campaign.
rule = aws.cloudwatch.EventRule(
    "awaiting-approval",
    event_pattern=json.dumps(
        {
            "source": ["personalize-retraining"],
            "detail-type": ["Retraining Run Report"],
            "detail": {
                "pipeline": [pipeline_name],
                "solutions": {"campaigns": {"outcome": ["AWAITING_APPROVAL"]}},
            },
        }
    ),
)
aws.cloudwatch.EventTarget("evaluate", rule=rule.name, arn=function.arn)
aws.lambda_.Permission(
    "evaluate",
    action="lambda:InvokeFunction",
    function=function.name,
    principal="events.amazonaws.com",
    source_arn=rule.arn,
)
