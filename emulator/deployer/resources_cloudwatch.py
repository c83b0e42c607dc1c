"""The alarms and dashboards of CloudWatch, and the log groups and metric filters of its logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from emulator.deployer.rows import OwnCall, Row, Rows

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws, Response
    from emulator.deployer.translation import Request

ALARM_NAME = r"[^\x00-\x1f\x7f]+"
ALARM_INPUTS = "actionsEnabled alarmActions alarmDescription insufficientDataActions okActions tags"
"""The inputs that both kinds of alarms have."""


def _put_metric_alarm(values: Request, aws: Aws) -> Response:
    """Create or change an alarm. A query of it returns its data only with `returnData`."""
    queries = cast("list[Request]", values.get("Metrics", []))
    metrics = {"Metrics": [{"ReturnData": False, **query} for query in queries]} if queries else {}
    return aws.call("cloudwatch", "PutMetricAlarm", {**values, **metrics})


ROWS: Rows = {
    # terraform-provider-aws, internal/service/cloudwatch/metric_alarm.go
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        service="cloudwatch",
        operation="PutMetricAlarm",
        inputs=f"name {ALARM_INPUTS} comparisonOperator datapointsToAlarm dimensions "
        "evaluationPeriods metricName metricQueries namespace period statistic threshold "
        "treatMissingData unit warmUpConfiguration",
        api_names={
            "name": "AlarmName",
            "metricQueries": "Metrics",
            "metricQueries.metric": "MetricStat",
            "metricQueries.metric.dimensions": "Metric.Dimensions",
            "metricQueries.metric.metricName": "Metric.MetricName",
            "metricQueries.metric.namespace": "Metric.Namespace",
        },
        name_pattern=ALARM_NAME,
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        constants={"AlarmTypes": ["MetricAlarm"]},
        create=_put_metric_alarm,
        read="DescribeAlarms",
        found_in="MetricAlarms",
        outputs={"arn": "AlarmArn"},
        update=lambda alarm, aws: _put_metric_alarm(alarm.values, aws),
        replacing="name",
        delete="DeleteAlarms",
    ),
    # internal/service/cloudwatch/composite_alarm.go
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": Row(
        service="cloudwatch",
        operation="PutCompositeAlarm",
        inputs=f"alarmName {ALARM_INPUTS} alarmRule",
        name_input="alarmName",
        name_pattern=ALARM_NAME,
        defaults={"actionsEnabled": True},
        constants={"AlarmTypes": ["CompositeAlarm"]},
        read="DescribeAlarms",
        found_in="CompositeAlarms",
        outputs={"arn": "AlarmArn"},
        update="PutCompositeAlarm",
        replacing="alarmName actionsEnabled",
        delete="DeleteAlarms",
    ),
    # internal/service/cloudwatch/dashboard.go
    "aws:cloudwatch/dashboard:Dashboard": Row(
        service="cloudwatch",
        operation="PutDashboard",
        inputs="dashboardName dashboardBody",
        documents="dashboardBody",
        name_input="dashboardName",
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
        name_pattern=r"[A-Za-z0-9_-]+",
        longest_name=255,
        read="GetDashboard",
        outputs={"dashboardArn": "DashboardArn"},
        update="PutDashboard",
        replacing="dashboardName",
        delete="DeleteDashboards",
    ),
    # internal/service/logs/group.go
    "aws:cloudwatch/logGroup:LogGroup": Row(
        service="logs",
        operation="CreateLogGroup",
        inputs="name kmsKeyId logGroupClass retentionInDays tags",
        api_names={"name": "logGroupName"},
        name_pattern=r"[.\-_/#A-Za-z0-9]+",
        defaults={"retentionInDays": 0},  # 0 stands for ever.
        read="DescribeLogGroups",
        found_in="logGroups",
        outputs={"arn": "logGroupArn", "logGroupClass": "logGroupClass"},
        own_calls={
            "kmsKeyId": OwnCall("AssociateKmsKey", "DisassociateKmsKey"),
            "retentionInDays": OwnCall("PutRetentionPolicy", "DeleteRetentionPolicy"),
        },
        replacing="name logGroupClass",
        delete="DeleteLogGroup",
    ),
    # internal/service/logs/metric_filter.go
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Row(
        service="logs",
        operation="PutMetricFilter",
        inputs="name logGroupName pattern metricTransformation",
        api_names={
            "name": "filterName",
            "pattern": "filterPattern",
            "metricTransformation": "metricTransformations.0",
            "metricTransformation.name": "metricName",
            "metricTransformation.namespace": "metricNamespace",
            "metricTransformation.value": "metricValue",
        },
        # botocore's model also allows control characters, which no console shows.
        name_pattern=r"[^:*\x00-\x1f\x7f]+",
        read="DescribeMetricFilters",
        found_in="metricFilters",
        update="PutMetricFilter",
        replacing="name logGroupName",
        delete="DeleteMetricFilter",
    ),
}
