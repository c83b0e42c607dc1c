"""The alarms and dashboards of CloudWatch, and the metric filters of its logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emulator.deployer import naming
from emulator.deployer.errors import GoneError, InputRefusedError
from emulator.deployer.rows import DeletionLimit, Identity, Row, Rows, Snapshot, Tagging
from emulator.deployer.translation import (
    DOCUMENT,
    TAGS,
    Converter,
    InputTable,
    Request,
    block,
    current_inputs,
    omit_values,
    pairs,
    pick_values,
    translate,
)

if TYPE_CHECKING:
    from emulator.deployer.aws import Aws, Response

DIMENSIONS = pairs("Name", "Value")
METRIC_INPUTS: InputTable = {
    "metricName": "MetricName",
    "namespace": "Namespace",
    "dimensions": ("Dimensions", DIMENSIONS),
    "period": "Period",
    "stat": "Stat",
    "unit": "Unit",
}
"""The inputs of the metric of a query. The API nests them in `MetricStat` and its `Metric`."""
NAMES_OF_METRIC = ("MetricName", "Namespace", "Dimensions")


def _metric_stat(value: object, path: str) -> object:
    """Return the `MetricStat` of a metric that the program declares."""
    if not isinstance(value, Mapping):
        raise InputRefusedError(path, f"a block was expected, not {value!r}")
    inputs = translate(value, METRIC_INPUTS, f"{path}.")
    metric = pick_values(inputs, *NAMES_OF_METRIC)
    return {"Metric": metric, **omit_values(inputs, *NAMES_OF_METRIC)}


def _declared_metric(metric_stat: object, declared: object) -> object:
    """Return the values of a `MetricStat` under the names that the program declares."""
    assert isinstance(metric_stat, Mapping), "the service returns a block"
    assert isinstance(declared, Mapping), "the program declared a block"
    return current_inputs(declared, {**metric_stat, **metric_stat["Metric"]}, METRIC_INPUTS)


QUERY_INPUTS: InputTable = {
    "id": "Id",
    "expression": "Expression",
    "label": "Label",
    "period": "Period",
    "returnData": "ReturnData",
    "metric": ("MetricStat", Converter(_metric_stat, _declared_metric)),
}


def _queries(value: object, path: str) -> object:
    """Return the `Metrics` of an alarm. Only a query with `returnData` returns its data."""
    if not isinstance(value, list):
        raise InputRefusedError(path, f"a list was expected, not {value!r}")
    return [
        {"ReturnData": False, **translate(query, QUERY_INPUTS, f"{path}[{place}].")}
        for place, query in enumerate(value)
    ]


def _declared_queries(queries: object, declared: object) -> object:
    """Return the queries of an alarm with the inputs that the program declares for each `id`."""
    assert isinstance(queries, list), "the service returns a list"
    assert isinstance(declared, list), "the program declared a list"
    by_id = {query["id"]: query for query in declared}
    return [current_inputs(by_id.get(query["Id"], {}), query, QUERY_INPUTS) for query in queries]


def _alarm_arn(name: str, aws: Aws) -> str:
    return aws.arn("cloudwatch", f"alarm:{name}")


def _put_alarm(operation: str, request: Request, aws: Aws) -> str:
    """Create or change an alarm, and return its name."""
    aws.call("cloudwatch", operation, request)
    return str(request["AlarmName"])


def _read_alarm(kind: str, name: str, aws: Aws) -> Snapshot:
    """Return an alarm of a kind, `MetricAlarm` or `CompositeAlarm`.

    A text or a list that is not set is empty in the response.
    """
    request = {"AlarmNames": [name], "AlarmTypes": [kind]}
    alarms = aws.call("cloudwatch", "DescribeAlarms", request)[f"{kind}s"]
    if not alarms:
        raise GoneError(name)
    arn = _alarm_arn(name, aws)
    tags = aws.call("cloudwatch", "ListTagsForResource", {"ResourceARN": arn})["Tags"]
    values = {key: value for key, value in alarms[0].items() if value not in ("", [])}
    return Snapshot({**values, "Tags": tags}, {"arn": arn})


def _delete_alarm(identity: Identity, aws: Aws, _limit: DeletionLimit) -> None:
    aws.call("cloudwatch", "DeleteAlarms", {"AlarmNames": [identity.id]})


def _put_dashboard(request: Request, aws: Aws) -> str:
    aws.call("cloudwatch", "PutDashboard", request)
    return str(request["DashboardName"])


def _read_dashboard(identity: Identity, aws: Aws) -> Snapshot:
    dashboard = aws.call("cloudwatch", "GetDashboard", {"DashboardName": identity.id})
    return Snapshot(dashboard, {"dashboardArn": dashboard["DashboardArn"]})


def _delete_dashboard(identity: Identity, aws: Aws, _limit: DeletionLimit) -> None:
    aws.call("cloudwatch", "DeleteDashboards", {"DashboardNames": [identity.id]})


TRANSFORMATION_INPUTS: InputTable = {
    "name": "metricName",
    "namespace": "metricNamespace",
    "value": "metricValue",
    "defaultValue": "defaultValue",
    "dimensions": "dimensions",
    "unit": "unit",
}


def _transformations(value: object, path: str) -> object:
    """Return the only transformation of a metric filter as a list, which the API wants."""
    if not isinstance(value, Mapping):
        raise InputRefusedError(path, f"a block was expected, not {value!r}")
    return [{"unit": "None", **translate(value, TRANSFORMATION_INPUTS, f"{path}.")}]


def _declared_transformation(transformations: object, declared: object) -> object:
    """Return the transformation of a metric filter under the names that the program declares."""
    assert isinstance(transformations, list), "the service returns a list"
    assert isinstance(declared, Mapping), "the program declared a block"
    return current_inputs(declared, transformations[0], TRANSFORMATION_INPUTS)


def _put_metric_filter(request: Request, aws: Aws) -> str:
    aws.call("logs", "PutMetricFilter", request)
    return str(request["filterName"])


def _metric_filter_key(identity: Identity) -> Request:
    """Return the two names that identify a metric filter."""
    return {"logGroupName": identity.request["logGroupName"], "filterName": identity.id}


def _read_metric_filter(identity: Identity, aws: Aws) -> Snapshot:
    """Return a metric filter. The service only searches for a prefix of names."""
    key = _metric_filter_key(identity)
    request = {"logGroupName": key["logGroupName"], "filterNamePrefix": identity.id}
    found: list[Response] = [
        metric_filter
        for metric_filter in aws.list_items("logs", "DescribeMetricFilters", request)
        if metric_filter["filterName"] == identity.id
    ]
    if not found:
        raise GoneError(identity.id)
    return Snapshot(found[0])


def _delete_metric_filter(identity: Identity, aws: Aws, _limit: DeletionLimit) -> None:
    aws.call("logs", "DeleteMetricFilter", _metric_filter_key(identity))


WARM_UP_INPUTS: InputTable = {
    "warmUpPeriodDurationInMinutes": "WarmUpPeriodDurationInMinutes",
    "onlyStartEvaluatingAfterWarmUpPeriodEnds": "OnlyStartEvaluatingAfterWarmUpPeriodEnds",
}
ALARM_INPUTS: InputTable = {
    "actionsEnabled": "ActionsEnabled",
    "alarmActions": "AlarmActions",
    "alarmDescription": "AlarmDescription",
    "insufficientDataActions": "InsufficientDataActions",
    "okActions": "OKActions",
    "tags": ("Tags", TAGS),
}
"""The inputs that both kinds of alarms have."""

ROWS: Rows = {
    # terraform-provider-aws, internal/service/cloudwatch/metric_alarm.go: ForceNew on alarm_name,
    # which is Pulumi's `name`.
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        inputs={
            **ALARM_INPUTS,
            "name": "AlarmName",
            "comparisonOperator": "ComparisonOperator",
            "datapointsToAlarm": "DatapointsToAlarm",
            "dimensions": ("Dimensions", DIMENSIONS),
            "evaluationPeriods": "EvaluationPeriods",
            "metricName": "MetricName",
            "metricQueries": ("Metrics", Converter(_queries, _declared_queries)),
            "namespace": "Namespace",
            "period": "Period",
            "statistic": "Statistic",
            "threshold": "Threshold",
            "treatMissingData": "TreatMissingData",
            "unit": "Unit",
            "warmUpConfiguration": ("WarmUpConfiguration", block(WARM_UP_INPUTS)),
        },
        name_rule=naming.ALARM,
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        create=lambda request, aws: _put_alarm("PutMetricAlarm", request, aws),
        read=lambda identity, aws: _read_alarm("MetricAlarm", identity.id, aws),
        not_found_codes=frozenset({"ResourceNotFound"}),
        computed_outputs=frozenset({"arn"}),
        # The operation ignores the tags of an alarm that exists:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        update=lambda change, aws: _put_alarm(
            "PutMetricAlarm", omit_values(change.request, "Tags"), aws
        ),
        replacing_inputs=frozenset({"name"}),
        tagging=Tagging("cloudwatch", "ResourceARN", _alarm_arn),
        delete=_delete_alarm,
    ),
    # internal/service/cloudwatch/composite_alarm.go: ForceNew on alarm_name and actions_enabled.
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": Row(
        inputs={**ALARM_INPUTS, "alarmName": "AlarmName", "alarmRule": "AlarmRule"},
        name_rule=naming.ALARM,
        name_input="alarmName",
        defaults={"actionsEnabled": True},
        create=lambda request, aws: _put_alarm("PutCompositeAlarm", request, aws),
        read=lambda identity, aws: _read_alarm("CompositeAlarm", identity.id, aws),
        not_found_codes=frozenset({"ResourceNotFound"}),
        computed_outputs=frozenset({"arn"}),
        update=lambda change, aws: _put_alarm(
            "PutCompositeAlarm", omit_values(change.request, "Tags"), aws
        ),
        replacing_inputs=frozenset({"alarmName", "actionsEnabled"}),
        tagging=Tagging("cloudwatch", "ResourceARN", _alarm_arn),
        delete=_delete_alarm,
    ),
    # internal/service/cloudwatch/dashboard.go: ForceNew on dashboard_name.
    "aws:cloudwatch/dashboard:Dashboard": Row(
        inputs={
            "dashboardName": "DashboardName",
            "dashboardBody": ("DashboardBody", DOCUMENT),
        },
        name_rule=naming.DASHBOARD,
        name_input="dashboardName",
        create=_put_dashboard,
        read=_read_dashboard,
        # The code in botocore's model, and the one of MiniStack.
        not_found_codes=frozenset({"ResourceNotFound", "DashboardNotFoundError"}),
        computed_outputs=frozenset({"dashboardArn"}),
        update=lambda change, aws: _put_dashboard(change.request, aws),
        replacing_inputs=frozenset({"dashboardName"}),
        delete=_delete_dashboard,
    ),
    # internal/service/logs/metric_filter.go: ForceNew on name and log_group_name.
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Row(
        inputs={
            "name": "filterName",
            "logGroupName": "logGroupName",
            "pattern": "filterPattern",
            "metricTransformation": (
                "metricTransformations",
                Converter(_transformations, _declared_transformation),
            ),
        },
        name_rule=naming.METRIC_FILTER,
        create=_put_metric_filter,
        read=_read_metric_filter,
        update=lambda change, aws: _put_metric_filter(change.request, aws),
        replacing_inputs=frozenset({"name", "logGroupName"}),
        delete=_delete_metric_filter,
    ),
}
