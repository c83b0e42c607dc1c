"""Proves that a deployed program has the resources that it declares, as boto3 sees them.

Does not prove that AWS accepts them, nor that Pulumi's provider would: its own checks do not run.
"""

import inspect
import json
import re
from typing import NamedTuple

import pulumi_aws
import pytest
from deployer_support import write_project
from small_stack import ACCOUNT, REGION

from emulator.deployer import deploy
from emulator.deployer.resources import ROWS

PROGRAM = """
key = config.require("kmsKeyArn")
tags = {"team": "ranking"}
account = aws.get_caller_identity().account_id
provider = aws.Provider("here", region=aws.get_region().region)


class Part(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("sample:index:Part", name, None, None)


role = aws.iam.Role(
    "worker",
    assume_role_policy=trusts("lambda"),
    description="runs the function",
    permissions_boundary=f"arn:aws:iam::{account}:policy/boundary",
    max_session_duration=7200,
    path="/retraining/",
    tags=tags,
    opts=pulumi.ResourceOptions(parent=Part("part"), provider=provider),
)
aws.iam.RolePolicy(
    "worker",
    role=role.name,
    policy={"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
    ]},
)
machine_role = aws.iam.Role("machine", assume_role_policy=json.dumps(trusts("states")))
machine_policy = aws.iam.RolePolicy(
    "machine",
    role=machine_role.name,
    policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    ]}),
)
log_group = aws.cloudwatch.LogGroup(
    "functions",
    name="/aws/lambda/sample",
    retention_in_days=90,
    log_group_class="STANDARD",
    kms_key_id=key,
    tags=tags,
)
function = aws.lambda_.Function(
    "worker",
    code=pulumi.AssetArchive({
        "functions/__init__.py": pulumi.StringAsset(""),
        "functions/work.py": pulumi.FileAsset("work.py"),
        "lib": pulumi.AssetArchive({"data.txt": pulumi.StringAsset("data")}),
    }),
    handler="functions.work.handler",
    runtime="python3.12",
    role=role.arn,
    timeout=60,
    memory_size=256,
    architectures=["arm64"],
    publish=True,
    environment={"variables": {"MODE": "fast"}},
    logging_config={
        "log_group": log_group.name,
        "log_format": "JSON",
        "application_log_level": "INFO",
        "system_log_level": "WARN",
    },
    tracing_config={"mode": "Active"},
    description="works",
    kms_key_arn=key,
    reserved_concurrent_executions=3,
    tags=tags,
)
rule = aws.cloudwatch.EventRule(
    "changes",
    description="status changes",
    event_pattern=json.dumps({"source": ["aws.states"]}),
    event_bus_name="default",
    role_arn=role.arn,
    state="ENABLED",
    tags=tags,
)
queue = aws.sqs.Queue(
    "dead-letters",
    message_retention_seconds=1209600,
    visibility_timeout_seconds=45,
    delay_seconds=5,
    max_message_size=2048,
    receive_wait_time_seconds=10,
    sqs_managed_sse_enabled=True,
    tags=tags,
)
aws.cloudwatch.EventTarget(
    "changes",
    rule=rule.name,
    event_bus_name="default",
    arn=function.qualified_arn,
    input_transformer={"input_paths": {"arn": "$.detail.executionArn"}, "input_template": "<arn>"},
    retry_policy={"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 4},
    dead_letter_config={"arn": queue.arn},
)
aws.lambda_.Permission(
    "changes",
    function=function.name,
    qualifier=function.version,
    action="lambda:InvokeFunction",
    principal="events.amazonaws.com",
    source_arn=rule.arn,
    source_account=account,
)
machine = aws.sfn.StateMachine(
    "workflow",
    definition=pulumi.Output.json_dumps({
        "StartAt": "Work",
        "States": {"Work": {"Type": "Task", "Resource": function.qualified_arn, "End": True}},
    }),
    role_arn=machine_role.arn,
    type="STANDARD",
    logging_configuration={
        "level": "ERROR",
        "include_execution_data": False,
        "log_destination": log_group.arn.apply("{}:*".format),
    },
    tracing_configuration={"enabled": True},
    encryption_configuration={
        "type": "CUSTOMER_MANAGED_KMS_KEY",
        "kms_key_id": key,
        "kms_data_key_reuse_period_seconds": 300,
    },
    tags=tags,
    opts=pulumi.ResourceOptions(depends_on=[machine_policy]),
)
scheduler_role = aws.iam.Role("scheduler", assume_role_policy=trusts("scheduler"))
group = aws.scheduler.ScheduleGroup("nightly", tags=tags)
schedule = aws.scheduler.Schedule(
    "nightly",
    group_name=group.name,
    description="every night",
    schedule_expression="cron(0 3 * * ? *)",
    schedule_expression_timezone="Europe/Berlin",
    state="DISABLED",
    flexible_time_window={"mode": "FLEXIBLE", "maximum_window_in_minutes": 5},
    target={
        "arn": machine.arn,
        "role_arn": scheduler_role.arn,
        "input": json.dumps({"trigger": "schedule"}),
        "retry_policy": {"maximum_event_age_in_seconds": 3600, "maximum_retry_attempts": 9},
        "dead_letter_config": {"arn": queue.arn},
    },
    kms_key_arn=key,
)
topic = aws.sns.Topic("reports", display_name="Reports", kms_master_key_id=key, tags=tags)
aws.sns.TopicPolicy(
    "reports",
    arn=topic.arn,
    policy=topic.arn.apply(lambda arn: json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"},
         "Action": "sns:Publish", "Resource": arn}
    ]})),
)
subscription = aws.sns.TopicSubscription(
    "reports",
    topic=topic.arn,
    protocol="sqs",
    endpoint=queue.arn,
    filter_policy=json.dumps({"outcome": ["FAILED"]}),
    raw_message_delivery=True,
)
alarm = aws.cloudwatch.MetricAlarm(
    "errors",
    alarm_description="A function ended with an error.",
    metric_name="Errors",
    namespace="Sample",
    dimensions={"Pipeline": "sample"},
    statistic="Sum",
    period=300,
    evaluation_periods=3,
    datapoints_to_alarm=2,
    threshold=1,
    comparison_operator="GreaterThanOrEqualToThreshold",
    treat_missing_data="notBreaching",
    alarm_actions=[topic.arn],
    ok_actions=[topic.arn],
    tags=tags,
)
age_alarm = aws.cloudwatch.MetricAlarm(
    "age",
    metric_queries=[
        {"id": "age", "expression": "FILL(m1, 100000)", "label": "hours", "return_data": True},
        {"id": "m1", "metric": {
            "namespace": "Sample", "metric_name": "AgeHours", "dimensions": {"Pipeline": "sample"},
            "period": 3600, "stat": "Maximum",
        }},
    ],
    evaluation_periods=3,
    threshold=100,
    comparison_operator="GreaterThanThreshold",
)
composite = aws.cloudwatch.CompositeAlarm(
    "unhealthy",
    alarm_name="sample-unhealthy",
    alarm_rule=pulumi.Output.concat("ALARM(", alarm.name, ") OR ALARM(", age_alarm.name, ")"),
    alarm_description="The pipeline is unhealthy.",
    tags=tags,
)
dashboard = aws.cloudwatch.Dashboard(
    "health", dashboard_name="sample-health", dashboard_body=json.dumps({"widgets": []})
)
metric_filter = aws.cloudwatch.LogMetricFilter(
    "errors",
    log_group_name=log_group.name,
    pattern='{ $.level = "ERROR" }',
    metric_transformation={"name": "Errors", "namespace": "Sample", "value": "1"},
)
pulumi.export("names", {
    "role": role.name, "roleArn": role.arn, "machineRoleArn": machine_role.arn,
    "schedulerRoleArn": scheduler_role.arn, "function": function.name,
    "functionArn": function.qualified_arn, "version": function.version, "rule": rule.name,
    "ruleArn": rule.arn, "queue": queue.url, "queueArn": queue.arn, "group": group.name,
    "groupArn": group.arn, "schedule": schedule.name, "scheduleArn": schedule.arn,
    "machine": machine.arn, "logGroupArn": log_group.arn, "topic": topic.arn,
    "subscription": subscription.arn, "alarm": alarm.name, "alarmArn": alarm.arn,
    "ageAlarm": age_alarm.name, "composite": composite.alarm_name,
    "compositeArn": composite.arn, "dashboard": dashboard.dashboard_name,
    "logGroup": log_group.name, "metricFilter": metric_filter.name,
})
"""

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
TAG = {"team": "ranking"}
TAGS = [{"Key": "team", "Value": "ranking"}]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return the folder of the program."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "work.py").write_text("def handler(event, context):\n    return event\n")
    stack = f"config:\n  aws:region: {REGION}\n  kmsKeyArn: {KEY}\n"
    return write_project(folder, PROGRAM, stack, name="everything")


@pytest.fixture(scope="module")
def deployment(aws, project):
    """Deploy the program."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    aws.client("iam").create_policy(
        PolicyName="boundary",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
    )
    return deploy("dev", endpoint=aws.endpoint, project_dir=project)


@pytest.fixture(scope="module")
def names(deployment):
    """Return the names and ARNs of the resources, which the program exports."""
    return deployment.outputs["names"]


def test_the_program_declares_every_supported_type(deployment):
    # The whole program invokes a function while it is deployed (tests/end_to_end/test_metrics.py).
    rows = set(ROWS) - {"aws:lambda/invocation:Invocation"}
    assert {resource.type for resource in deployment.resources} == {
        *rows,
        "sample:index:Part",
        "pulumi:providers:aws",
    }, "a type that no test deploys is not known to work"


def test_every_output_that_pulumi_knows_has_a_value(deployment):
    missing = {
        (resource.type, output)
        for resource in deployment.resources
        if resource.type in ROWS
        for output in outputs_of(resource.type) - resource.outputs.keys()
    }
    assert missing == set(), "a program would read None without an error"


def outputs_of(type_token):
    """Return the outputs that Pulumi's class sets to None before the resource is created."""
    _, module, _, name = re.split("[:/]", type_token)  # for example aws:iam/role:Role
    package = getattr(pulumi_aws, {"lambda": "lambda_"}.get(module, module))
    constructor = inspect.getsource(getattr(package, name)._internal_init)  # noqa: SLF001
    outputs = re.findall(r'__dict__\["(\w+)"\] = None', constructor)
    return {re.sub(r"_(\w)", lambda letter: letter[1].upper(), output) for output in outputs}


def test_a_resource_gets_the_urn_of_pulumis_engine(deployment):
    urns = {(resource.type, resource.name): resource.urn for resource in deployment.resources}
    assert urns["aws:iam/rolePolicy:RolePolicy", "machine"] == (
        "urn:pulumi:dev::everything::aws:iam/rolePolicy:RolePolicy::machine"
    ), "the stack's type is no part of a URN"
    assert urns["aws:iam/role:Role", "worker"] == (
        "urn:pulumi:dev::everything::sample:index:Part$aws:iam/role:Role::worker"
    ), "the parent's type stands before the resource's"


def test_a_resource_without_a_name_gets_the_logical_one_and_seven_digits(names):
    assert re.fullmatch(r"nightly-[0-9a-f]{7}", names["schedule"]), "as Pulumi names"


class View(NamedTuple):
    """A request of boto3 that shows a resource, and values that its response contains.

    `[name]` in a value stands for the name or the ARN that the program exports as `name`.
    """

    service: str
    operation: str
    request: dict
    values: dict
    """Path in the response, as `Role.Path`, to the value there. JSON in the response is parsed."""


VIEWS = {
    "role": View(
        *("iam", "get_role", {"RoleName": "[role]"}),
        {
            "Role.Arn": f"arn:aws:iam::{ACCOUNT}:role/retraining/[role]",
            "Role.Path": "/retraining/",
            "Role.Description": "runs the function",
            "Role.MaxSessionDuration": 7200,
            "Role.PermissionsBoundary.PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy"
            "/boundary",
            "Role.AssumeRolePolicyDocument.Statement.0.Principal.Service": "lambda.amazonaws.com",
            "Role.Tags": TAGS,
        },
    ),
    "log group": View(
        *("logs", "describe_log_groups", {"logGroupNamePrefix": "/aws/lambda/sample"}),
        {
            "logGroups.0.retentionInDays": 90,
            "logGroups.0.kmsKeyId": KEY,
            "logGroups.0.logGroupClass": "STANDARD",
            "logGroups.0.arn": "[logGroupArn]:*",
        },
    ),
    "tags of the log group": View(
        *("logs", "list_tags_for_resource", {"resourceArn": "[logGroupArn]"}), {"tags": TAG}
    ),
    "function": View(
        *("lambda", "get_function", {"FunctionName": "[function]"}),
        {
            "Configuration.Handler": "functions.work.handler",
            "Configuration.Timeout": 60,
            "Configuration.MemorySize": 256,
            "Configuration.Architectures": ["arm64"],
            "Configuration.Description": "works",
            "Configuration.Role": "[roleArn]",
            "Configuration.KMSKeyArn": KEY,
            "Configuration.Environment.Variables": {"MODE": "fast"},
            "Configuration.LoggingConfig": {
                "LogFormat": "JSON",
                "ApplicationLogLevel": "INFO",
                "SystemLogLevel": "WARN",
                "LogGroup": "/aws/lambda/sample",
            },
            "Configuration.TracingConfig.Mode": "Active",
            "Concurrency.ReservedConcurrentExecutions": 3,
            "Tags": TAG,
        },
    ),
    "published version": View(
        *("lambda", "get_function", {"FunctionName": "[functionArn]"}),
        {"Configuration.Version": 1},
    ),
    "permission": View(
        *("lambda", "get_policy", {"FunctionName": "[function]", "Qualifier": "[version]"}),
        {
            "Policy.Statement.0.Action": "lambda:InvokeFunction",
            "Policy.Statement.0.Principal": {"Service": "events.amazonaws.com"},
            "Policy.Statement.0.Condition": {
                "StringEquals": {"AWS:SourceAccount": ACCOUNT},
                "ArnLike": {"AWS:SourceArn": "[ruleArn]"},
            },
        },
    ),
    "rule": View(
        *("events", "describe_rule", {"Name": "[rule]"}),
        {
            "Description": "status changes",
            "State": "ENABLED",
            "EventBusName": "default",
            "RoleArn": "[roleArn]",
            "EventPattern": {"source": ["aws.states"]},
        },
    ),
    "tags of the rule": View(
        *("events", "list_tags_for_resource", {"ResourceARN": "[ruleArn]"}), {"Tags": TAGS}
    ),
    "target": View(
        *("events", "list_targets_by_rule", {"Rule": "[rule]"}),
        {
            "Targets.0.Arn": "[functionArn]",
            "Targets.0.InputTransformer": {
                "InputPathsMap": {"arn": "$.detail.executionArn"},
                "InputTemplate": "<arn>",
            },
            "Targets.0.RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 4},
            "Targets.0.DeadLetterConfig.Arn": "[queueArn]",
        },
    ),
    "queue": View(
        *("sqs", "get_queue_attributes", {"QueueUrl": "[queue]", "AttributeNames": ["All"]}),
        {
            "Attributes.MessageRetentionPeriod": 1209600,
            "Attributes.VisibilityTimeout": 45,
            "Attributes.DelaySeconds": 5,
            "Attributes.MaximumMessageSize": 2048,
            "Attributes.ReceiveMessageWaitTimeSeconds": 10,
            "Attributes.SqsManagedSseEnabled": True,
        },
    ),
    "tags of the queue": View(*("sqs", "list_queue_tags", {"QueueUrl": "[queue]"}), {"Tags": TAG}),
    "state machine": View(
        *("stepfunctions", "describe_state_machine", {"stateMachineArn": "[machine]"}),
        {
            "definition.States.Work.Resource": "[functionArn]",
            "type": "STANDARD",
            "roleArn": "[machineRoleArn]",
            "loggingConfiguration": {
                "level": "ERROR",
                "includeExecutionData": False,
                "destinations": [
                    {"cloudWatchLogsLogGroup": {"logGroupArn": "[logGroupArn]:*"}},
                ],
            },
            "tracingConfiguration.enabled": True,
            "encryptionConfiguration": {
                "type": "CUSTOMER_MANAGED_KMS_KEY",
                "kmsKeyId": KEY,
                "kmsDataKeyReusePeriodSeconds": 300,
            },
        },
    ),
    "tags of the state machine": View(
        *("stepfunctions", "list_tags_for_resource", {"resourceArn": "[machine]"}),
        {"tags": [{"key": "team", "value": "ranking"}]},
    ),
    "schedule": View(
        *("scheduler", "get_schedule", {"Name": "[schedule]", "GroupName": "[group]"}),
        {
            "Arn": "[scheduleArn]",
            "Description": "every night",
            "ScheduleExpression": "cron(0 3 * * ? *)",
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "State": "DISABLED",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
            "KmsKeyArn": KEY,
            "Target.Arn": "[machine]",
            "Target.RoleArn": "[schedulerRoleArn]",
            "Target.Input": {"trigger": "schedule"},
            "Target.RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 9},
            "Target.DeadLetterConfig.Arn": "[queueArn]",
        },
    ),
    "topic and its policy": View(
        *("sns", "get_topic_attributes", {"TopicArn": "[topic]"}),
        {
            "Attributes.DisplayName": "Reports",
            "Attributes.KmsMasterKeyId": KEY,
            "Attributes.Policy.Statement.0.Resource": "[topic]",
        },
    ),
    "tags of the topic": View(
        *("sns", "list_tags_for_resource", {"ResourceArn": "[topic]"}), {"Tags": TAGS}
    ),
    "subscription": View(
        *("sns", "get_subscription_attributes", {"SubscriptionArn": "[subscription]"}),
        {
            "Attributes.TopicArn": "[topic]",
            "Attributes.Protocol": "sqs",
            "Attributes.Endpoint": "[queueArn]",
            "Attributes.FilterPolicy": {"outcome": ["FAILED"]},
            "Attributes.RawMessageDelivery": True,
        },
    ),
    "alarm": View(
        *("cloudwatch", "describe_alarms", {"AlarmNames": ["[alarm]"]}),
        {
            "MetricAlarms.0.AlarmArn": "[alarmArn]",
            "MetricAlarms.0.AlarmDescription": "A function ended with an error.",
            "MetricAlarms.0.MetricName": "Errors",
            "MetricAlarms.0.Namespace": "Sample",
            "MetricAlarms.0.Dimensions": [{"Name": "Pipeline", "Value": "sample"}],
            "MetricAlarms.0.Statistic": "Sum",
            "MetricAlarms.0.Period": 300,
            "MetricAlarms.0.EvaluationPeriods": 3,
            "MetricAlarms.0.DatapointsToAlarm": 2,
            "MetricAlarms.0.Threshold": 1,
            "MetricAlarms.0.ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "MetricAlarms.0.TreatMissingData": "notBreaching",
            "MetricAlarms.0.AlarmActions": ["[topic]"],
            "MetricAlarms.0.OKActions": ["[topic]"],
        },
    ),
    "tags of the alarm": View(
        *("cloudwatch", "list_tags_for_resource", {"ResourceARN": "[alarmArn]"}), {"Tags": TAGS}
    ),
    "alarm on metric math": View(
        *("cloudwatch", "describe_alarms", {"AlarmNames": ["[ageAlarm]"]}),
        {
            "MetricAlarms.0.MetricName": None,
            "MetricAlarms.0.Metrics": [
                {
                    "Id": "age",
                    "Expression": "FILL(m1, 100000)",
                    "Label": "hours",
                    "ReturnData": True,
                },
                {
                    "Id": "m1",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "Sample",
                            "MetricName": "AgeHours",
                            "Dimensions": [{"Name": "Pipeline", "Value": "sample"}],
                        },
                        "Period": 3600,
                        "Stat": "Maximum",
                    },
                    "ReturnData": False,
                },
            ],
        },
    ),
    "composite alarm": View(
        *(
            "cloudwatch",
            "describe_alarms",
            {"AlarmNamePrefix": "sample-", "AlarmTypes": ["CompositeAlarm"]},
        ),
        {
            "CompositeAlarms.0.AlarmName": "sample-unhealthy",
            "CompositeAlarms.0.AlarmRule": "ALARM([alarm]) OR ALARM([ageAlarm])",
            "CompositeAlarms.0.AlarmDescription": "The pipeline is unhealthy.",
        },
    ),
    "dashboard": View(
        *("cloudwatch", "get_dashboard", {"DashboardName": "[dashboard]"}),
        {"DashboardBody": {"widgets": []}},
    ),
    "metric filter": View(
        *("logs", "describe_metric_filters", {"logGroupName": "[logGroup]"}),
        {
            "metricFilters.0.filterName": "[metricFilter]",
            "metricFilters.0.filterPattern": '{ $.level = "ERROR" }',
            "metricFilters.0.metricTransformations": [
                {
                    "metricName": "Errors",
                    "metricNamespace": "Sample",
                    "metricValue": "1",
                    "unit": "None",
                }
            ],
        },
    ),
    "tags of the schedule group": View(
        *("scheduler", "list_tags_for_resource", {"ResourceArn": "[groupArn]"}), {"Tags": TAGS}
    ),
}


def filled(value, names):
    """Return a value with the exported names and ARNs filled in."""
    if isinstance(value, str):
        return re.sub(r"\[(\w+)\]", lambda match: names[match[1]], value)
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    return [filled(item, names) for item in value] if isinstance(value, list) else value


def value_at(response, path):
    """Return the value at a path, for example `Targets.0.Arn`. Parse JSON on the way."""
    value = response
    for step in path.split("."):
        value = value[int(step)] if step.isdigit() else value.get(step)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                continue
    return value


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_boto3_sees_what_the_program_declares(aws, names, view):
    operation = getattr(aws.client(view.service), view.operation)
    response = operation(**filled(view.request, names))
    expected = filled(view.values, names)
    assert {path: value_at(response, path) for path in expected} == expected


def test_an_inline_policy_that_is_a_mapping_becomes_the_document(aws, names):
    iam = aws.client("iam")
    [policy_name] = iam.list_role_policies(RoleName=names["role"])["PolicyNames"]
    policy = iam.get_role_policy(RoleName=names["role"], PolicyName=policy_name)
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
    ]


def test_a_second_run_changes_nothing(aws, project, deployment):
    def records():
        objects = aws.client("s3").list_objects_v2(Bucket="pulumi-state")["Contents"]
        return {item["Key"]: item["LastModified"] for item in objects}

    def by_urn(resources):
        return {resource.urn: resource for resource in resources}

    before = records()
    again = deploy("dev", endpoint=aws.endpoint, project_dir=project)
    assert again.outputs == deployment.outputs
    assert by_urn(again.resources) == by_urn(deployment.resources)
    assert records() == before, "nothing is created"


def test_default_tags_are_on_every_resource_and_give_way_to_its_own(aws, tmp_path):
    program = """
    queue = aws.sqs.Queue("queue", tags={"team": "ranking"})
    role = aws.iam.Role("role", assume_role_policy=trusts("lambda"))
    pulumi.export("role", role.name)
    pulumi.export("queue", queue.url)
    pulumi.export("tags", queue.tags_all)
    """
    stack = """
    config:
      aws:defaultTags:
        tags: {team: data, cost-center: 4711}
    """
    folder = write_project(tmp_path, program, stack, name="default-tags")
    outputs = deploy("dev", endpoint=aws.endpoint, project_dir=folder).outputs
    tags = {"team": "ranking", "cost-center": "4711"}
    assert outputs["tags"] == tags, "the program sees them"
    assert aws.client("sqs").list_queue_tags(QueueUrl=outputs["queue"])["Tags"] == tags
    role = aws.client("iam").get_role(RoleName=outputs["role"])["Role"]
    role_tags = {tag["Key"]: tag["Value"] for tag in role["Tags"]}
    assert role_tags == {"team": "data", "cost-center": "4711"}
