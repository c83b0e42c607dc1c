"""CloudWatch: log groups, alarms and dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emulator.deployer import naming
from emulator.deployer.errors import DeploymentError, GoneError
from emulator.deployer.rows import Change, Found, Place, Row, Rows, Tagging
from emulator.deployer.translation import (
    DOCUMENT,
    SET,
    TAGS,
    Convert,
    Request,
    block,
    blocks,
    pairs,
    take,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from emulator.deployer.aws import Aws

FOR_EVER = 0
"""Pulumi's value for a retention without an end."""


def _log_group_arn(name: str, aws: Aws) -> str:
    return aws.arn("logs", f"log-group:{name}")


def _create_log_group(request: Request, aws: Aws) -> str:
    aws.call("logs", "CreateLogGroup", request)
    return str(request["logGroupName"])


def _read_log_group(place: Place, aws: Aws) -> Found:
    arn = _log_group_arn(place.id, aws)
    for group in aws.pages("logs", "DescribeLogGroups", {"logGroupNamePrefix": place.id}):
        if group["logGroupName"] == place.id:
            break
    else:
        raise GoneError(place.id)
    tags = aws.call("logs", "ListTagsForResource", {"resourceArn": arn})["tags"]
    return Found(
        {"retentionInDays": FOR_EVER, **group, "tags": tags},
        {"arn": arn, "logGroupClass": group.get("logGroupClass", "STANDARD")},
    )


def _update_log_group(change: Change, aws: Aws) -> None:
    group = {"logGroupName": change.place.id}
    if "retentionInDays" in change.names:
        retention = change.of("retentionInDays")
        if FOR_EVER in retention.values():
            aws.call("logs", "DeleteRetentionPolicy", group)
        else:
            aws.call("logs", "PutRetentionPolicy", group | retention)
    if key := change.of("kmsKeyId"):
        aws.call("logs", "AssociateKmsKey", group | key)
    elif "kmsKeyId" in change.names:
        aws.call("logs", "DisassociateKmsKey", group)


def _put_alarm(request: Request, aws: Aws) -> str:
    aws.call("cloudwatch", "PutMetricAlarm", request)
    return str(request["AlarmName"])


def _read_alarm(place: Place, aws: Aws) -> Found:
    found = aws.call("cloudwatch", "DescribeAlarms", {"AlarmNames": [place.id]})["MetricAlarms"]
    if not found:
        raise GoneError(place.id)
    [alarm] = found
    arn = {"ResourceARN": alarm["AlarmArn"]}
    tags = aws.call("cloudwatch", "ListTagsForResource", arn)["Tags"]
    return Found({**alarm, "Tags": tags}, {"arn": alarm["AlarmArn"]})


def _update_alarm(change: Change, aws: Aws) -> None:
    """Put the alarm again without its tags, which PutMetricAlarm ignores for an existing alarm.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    _put_alarm({name: change.new[name] for name in change.new.keys() - {"Tags"}}, aws)


def _put_dashboard(request: Request, aws: Aws) -> str:
    answer = aws.call("cloudwatch", "PutDashboard", request)
    if answer.get("DashboardValidationMessages"):
        raise DeploymentError(f"PutDashboard: {answer['DashboardValidationMessages']}")
    return str(request["DashboardName"])


def _read_dashboard(place: Place, aws: Aws) -> Found:
    found = aws.call("cloudwatch", "GetDashboard", {"DashboardName": place.id})
    return Found({**found, "DashboardName": place.id}, {"dashboardArn": found["DashboardArn"]})


DIMENSIONS = pairs("Name", "Value")
METRIC = block(
    {
        "namespace": "Namespace",
        "metricName": "MetricName",
        "dimensions": ("Dimensions", DIMENSIONS),
        "period": "Period",
        "stat": "Stat",
        "unit": "Unit",
    }
)


def _split_metric(value: object, path: str) -> object:
    """Split Pulumi's block into the metric and the statistic, as the API has them."""
    whole = cast("Request", METRIC.to_api(value, path))
    return {"Metric": take(whole, "Namespace", "MetricName", "Dimensions"), **whole}


def _join_metric(found: object, declared: object) -> object:
    statistic = cast("Mapping[str, object]", found)
    metric = cast("Mapping[str, object]", statistic["Metric"])
    return METRIC.from_api({**statistic, **metric}, declared)


ROWS: Rows = {
    # terraform-provider-aws, internal/service/logs/group.go: ForceNew on name and log_group_class.
    "aws:cloudwatch/logGroup:LogGroup": Row(
        name=naming.LOG_GROUP,
        shape={
            "name": "logGroupName",
            "kmsKeyId": "kmsKeyId",
            "logGroupClass": "logGroupClass",
            "retentionInDays": "retentionInDays",
            "tags": "tags",
        },
        defaults={"retentionInDays": FOR_EVER},
        replaces=frozenset({"name", "logGroupClass"}),
        create=_create_log_group,
        later=frozenset({"retentionInDays"}),
        read=_read_log_group,
        update=_update_log_group,
        delete=lambda place, aws, _: aws.call("logs", "DeleteLogGroup", {"logGroupName": place.id}),
        tagging=Tagging("logs", "resourceArn", _log_group_arn, tags="tags", keys="tagKeys"),
        decided=frozenset({"arn", "logGroupClass"}),
    ),
    # internal/service/cloudwatch/metric_alarm.go: ForceNew on alarm_name.
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        name=naming.ALARM,
        shape={
            "name": "AlarmName",
            "actionsEnabled": "ActionsEnabled",
            "alarmActions": ("AlarmActions", SET),
            "alarmDescription": "AlarmDescription",
            "comparisonOperator": "ComparisonOperator",
            "datapointsToAlarm": "DatapointsToAlarm",
            "dimensions": ("Dimensions", DIMENSIONS),
            "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
            "evaluationPeriods": "EvaluationPeriods",
            "extendedStatistic": "ExtendedStatistic",
            "insufficientDataActions": ("InsufficientDataActions", SET),
            "metricName": "MetricName",
            "metricQueries": (
                "Metrics",
                blocks(
                    {
                        "id": "Id",
                        "accountId": "AccountId",
                        "expression": "Expression",
                        "label": "Label",
                        "metric": ("MetricStat", Convert(_split_metric, _join_metric)),
                        "period": "Period",
                        "returnData": "ReturnData",
                    }
                ),
            ),
            "namespace": "Namespace",
            "okActions": ("OKActions", SET),
            "period": "Period",
            "statistic": "Statistic",
            "threshold": "Threshold",
            "thresholdMetricId": "ThresholdMetricId",
            "treatMissingData": "TreatMissingData",
            "unit": "Unit",
            "tags": ("Tags", TAGS),
        },
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        replaces=frozenset({"name"}),
        create=_put_alarm,
        read=_read_alarm,
        update=_update_alarm,
        delete=lambda place, aws, _: aws.call(
            "cloudwatch", "DeleteAlarms", {"AlarmNames": [place.id]}
        ),
        tagging=Tagging(
            "cloudwatch", "ResourceARN", lambda name, aws: aws.arn("cloudwatch", f"alarm:{name}")
        ),
        decided=frozenset({"arn"}),
    ),
    # internal/service/cloudwatch/dashboard.go: ForceNew on dashboard_name.
    "aws:cloudwatch/dashboard:Dashboard": Row(
        name=naming.DASHBOARD,
        name_input="dashboardName",
        shape={
            "dashboardName": "DashboardName",
            "dashboardBody": ("DashboardBody", DOCUMENT),
        },
        replaces=frozenset({"dashboardName"}),
        create=_put_dashboard,
        read=_read_dashboard,
        update=lambda change, aws: _put_dashboard(change.new, aws),
        delete=lambda place, aws, _: aws.call(
            "cloudwatch", "DeleteDashboards", {"DashboardNames": [place.id]}
        ),
        decided=frozenset({"dashboardArn"}),
    ),
}
