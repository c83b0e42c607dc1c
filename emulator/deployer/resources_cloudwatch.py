"""CloudWatch: log groups, alarms and dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError
from emulator.deployer.rows import Created, Row, Rows
from emulator.deployer.translation import TAGS, Request, block, blocks, document, pairs, take

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws


def _log_group(request: Request, aws: Aws) -> Created:
    name = str(request["logGroupName"])
    days = request.pop("retentionInDays", 0)
    aws.call("logs", "CreateLogGroup", request)
    if days:  # 0 is Pulumi's word for: keep for ever
        aws.call("logs", "PutRetentionPolicy", {"logGroupName": name, "retentionInDays": days})
    arn = f"arn:{aws.partition}:logs:{aws.region}:{aws.account}:log-group:{name}"
    return Created(name, {"arn": arn, "retentionInDays": days})


def _metric_alarm(request: Request, aws: Aws) -> Created:
    name = str(request["AlarmName"])
    aws.call("cloudwatch", "PutMetricAlarm", request)
    found = aws.call("cloudwatch", "DescribeAlarms", {"AlarmNames": [name]})["MetricAlarms"]
    return Created(name, {"arn": found[0]["AlarmArn"]})


def _dashboard(request: Request, aws: Aws) -> Created:
    name = str(request["DashboardName"])
    answer = aws.call("cloudwatch", "PutDashboard", request)
    if answer.get("DashboardValidationMessages"):
        raise DeploymentError(f"PutDashboard: {answer['DashboardValidationMessages']}")
    found = aws.call("cloudwatch", "GetDashboard", {"DashboardName": name})
    return Created(name, {"dashboardArn": found["DashboardArn"]})


DIMENSIONS = pairs("Name", "Value")


def _metric(value: object, path: str) -> object:
    """Split what Pulumi keeps in one block: the metric, and the statistic that is taken of it."""
    whole = cast(
        "Request",
        block(
            {
                "namespace": "Namespace",
                "metricName": "MetricName",
                "dimensions": ("Dimensions", DIMENSIONS),
                "period": "Period",
                "stat": "Stat",
                "unit": "Unit",
            }
        )(value, path),
    )
    return {"Metric": take(whole, "Namespace", "MetricName", "Dimensions"), **whole}


ROWS: Rows = {
    "aws:cloudwatch/logGroup:LogGroup": Row(
        name=naming.LOG_GROUP,
        shape={
            "name": "logGroupName",
            "kmsKeyId": "kmsKeyId",
            "logGroupClass": "logGroupClass",
            "retentionInDays": "retentionInDays",
            "tags": "tags",
        },
        create=_log_group,
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        name=naming.ALARM,
        shape={
            "name": "AlarmName",
            "actionsEnabled": "ActionsEnabled",
            "alarmActions": "AlarmActions",
            "alarmDescription": "AlarmDescription",
            "comparisonOperator": "ComparisonOperator",
            "datapointsToAlarm": "DatapointsToAlarm",
            "dimensions": ("Dimensions", DIMENSIONS),
            "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
            "evaluationPeriods": "EvaluationPeriods",
            "extendedStatistic": "ExtendedStatistic",
            "insufficientDataActions": "InsufficientDataActions",
            "metricName": "MetricName",
            "metricQueries": (
                "Metrics",
                blocks(
                    {
                        "id": "Id",
                        "accountId": "AccountId",
                        "expression": "Expression",
                        "label": "Label",
                        "metric": ("MetricStat", _metric),
                        "period": "Period",
                        "returnData": "ReturnData",
                    }
                ),
            ),
            "namespace": "Namespace",
            "okActions": "OKActions",
            "period": "Period",
            "statistic": "Statistic",
            "threshold": "Threshold",
            "thresholdMetricId": "ThresholdMetricId",
            "treatMissingData": "TreatMissingData",
            "unit": "Unit",
            "tags": ("Tags", TAGS),
        },
        create=_metric_alarm,
    ),
    "aws:cloudwatch/dashboard:Dashboard": Row(
        name=naming.DASHBOARD,
        name_input="dashboardName",
        shape={
            "dashboardName": "DashboardName",
            "dashboardBody": ("DashboardBody", document),
        },
        create=_dashboard,
    ),
}
