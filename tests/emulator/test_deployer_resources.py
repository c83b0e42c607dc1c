"""Proves that every supported resource type comes to exist as declared, as boto3 sees it.

Does not prove that AWS or Pulumi's provider would accept the same: their own checks do not run.
"""

import inspect
import json
import re

import pulumi_aws
import pytest
from deployer_support import write_project

from emulator.deployer import deploy
from emulator.deployer.resources import ROWS
from emulator.deployer.translation import translate

PROGRAM = """
ACCOUNT = aws.get_caller_identity().account_id
REGION = aws.get_region().region
PARTITION = aws.get_partition().partition
key = config.require("kmsKeyArn")
tags = {"team": "ranking"}

provider = aws.Provider("here", region=REGION)


class Part(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("sample:index:Part", name, None, None)


part = Part("part")
child = pulumi.ResourceOptions(parent=part, provider=provider)

boundary = f"arn:{PARTITION}:iam::{ACCOUNT}:policy/boundary"
role = aws.iam.Role(
    "worker",
    assume_role_policy=trusts("lambda"),
    description="runs the function",
    permissions_boundary=boundary,
    managed_policy_arns=[boundary],
    max_session_duration=7200,
    path="/retraining/",
    tags=tags,
    opts=child,
)
aws.iam.RolePolicy(
    "worker",
    role=role.name,
    policy={"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
    ]},
)
machine_role = aws.iam.Role("machine", assume_role_policy=json.dumps(trusts("states")))
logs = aws.iam.RolePolicy(
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
statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
aws.sqs.QueuePolicy(
    "dead-letters",
    queue_url=queue.url,
    policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
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
    source_account=ACCOUNT,
)
machine = aws.sfn.StateMachine(
    "workflow",
    definition=pulumi.Output.json_dumps({
        "StartAt": "Work",
        "States": {"Work": {"Type": "Task", "Resource": function.qualified_arn, "End": True}},
    }),
    role_arn=machine_role.arn,
    opts=pulumi.ResourceOptions(depends_on=[logs]),
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
)
scheduler_role = aws.iam.Role("scheduler", assume_role_policy=trusts("scheduler"))
group = aws.scheduler.ScheduleGroup("nightly", tags=tags)
schedule = aws.scheduler.Schedule(
    "nightly",
    group_name=group.name,
    description="every night",
    schedule_expression="cron(0 3 * * ? *)",
    schedule_expression_timezone="Europe/Berlin",
    start_date="2099-01-01T00:00:00Z",
    end_date="2100-01-01T00:00:00Z",
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
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
         "Action": "sns:Publish", "Resource": arn}
    ]})),
)
aws.sns.TopicSubscription(
    "reports",
    topic=topic.arn,
    protocol="sqs",
    endpoint=queue.arn,
    raw_message_delivery=True,
    filter_policy=json.dumps({"outcome": ["FAILED"]}),
)
aws.cloudwatch.MetricAlarm(
    "failures",
    alarm_description="a run failed",
    namespace="AWS/States",
    metric_name="ExecutionsFailed",
    dimensions={"StateMachineArn": machine.arn},
    statistic="Sum",
    period=3600,
    evaluation_periods=3,
    datapoints_to_alarm=2,
    threshold=1,
    comparison_operator="GreaterThanOrEqualToThreshold",
    treat_missing_data="notBreaching",
    unit="Count",
    actions_enabled=True,
    alarm_actions=[topic.arn],
    ok_actions=[topic.arn],
    insufficient_data_actions=[topic.arn],
    tags=tags,
)
aws.cloudwatch.MetricAlarm(
    "silence",
    name="sample-silence",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=3,
    threshold=8.5,
    metric_queries=[
        {"id": "filled", "expression": "FILL(age, 100)", "label": "age", "return_data": True},
        {"id": "age", "return_data": False, "metric": {
            "namespace": "Retraining", "metric_name": "ModelAge", "period": 3600,
            "stat": "Maximum", "dimensions": {"Stack": "dev"}}},
    ],
)
dashboard = aws.cloudwatch.Dashboard(
    "overview",
    dashboard_name="sample-dev",
    dashboard_body=json.dumps({"widgets": []}),
)

pulumi.export("names", {
    "role": role.name, "machineRole": machine_role.name,
    "schedulerRole": scheduler_role.name, "function": function.name,
    "version": function.version, "rule": rule.name, "queue": queue.url, "group": group.name,
    "schedule": schedule.name, "topic": topic.arn, "machine": machine.arn,
})
pulumi.export("schedule", schedule.arn)
pulumi.export("partition", PARTITION)
"""

KEY = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
TAGS = [{"Key": "team", "Value": "ranking"}]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    (folder / "work.py").write_text("def handler(event, context):\n    return event\n")
    return write_project(
        folder,
        PROGRAM,
        f"config:\n  aws:region: eu-west-1\n  kmsKeyArn: {KEY}\n",
        name="everything",
    )


@pytest.fixture(scope="module")
def deployment(aws, project):
    aws.client("iam").create_policy(
        PolicyName="boundary",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
            }
        ),
    )
    return deploy("dev", endpoint=aws.endpoint, project_dir=project)


@pytest.fixture(scope="module")
def names(deployment):
    return deployment.outputs["names"]


def of(answer, *keys):
    """What an answer says of these keys."""
    return {key: answer.get(key) for key in keys}


def test_the_program_declares_every_supported_type(deployment):
    assert {resource.type for resource in deployment.resources} == {
        *ROWS,
        "sample:index:Part",
        "pulumi:providers:aws",
    }, "a type that no test deploys is not known to work"


def test_every_output_that_pulumi_knows_is_given(deployment):
    classes = {
        match[1]: kind
        for module in ("iam", "lambda_", "sfn", "scheduler", "cloudwatch", "sqs", "sns")
        for _, kind in inspect.getmembers(getattr(pulumi_aws, module), inspect.isclass)
        if (match := re.search(r"'(aws:[^']*)',\s*resource_name", _source(kind)))
    }
    missing = {
        (resource.type, output)
        for resource in deployment.resources
        if resource.type in ROWS
        for output in re.findall(r'__dict__\["(\w+)"\] = None', _source(classes[resource.type]))
        if re.sub(r"_(\w)", lambda m: m[1].upper(), output) not in resource.outputs
    }
    assert missing == set(), "the program would read None without a word"


def _source(kind):
    constructor = getattr(kind, "_internal_init", None)
    return inspect.getsource(constructor) if constructor else ""


def test_urns_are_those_of_pulumis_engine(deployment):
    urns = {
        resource.name: resource.urn for resource in deployment.resources if "Role" in resource.type
    }
    assert urns["machine"] == (
        "urn:pulumi:dev::everything::aws:iam/rolePolicy:RolePolicy::machine"
    ), "the stack's type is no part of a URN"
    role = next(
        r for r in deployment.resources if r.type == "aws:iam/role:Role" and r.name == "worker"
    )
    assert role.urn == "urn:pulumi:dev::everything::sample:index:Part$aws:iam/role:Role::worker", (
        "a parent's type stands before the resource's"
    )


def test_a_resource_without_a_name_gets_the_logical_one_and_seven_digits(names):
    assert re.fullmatch(r"nightly-[0-9a-f]{7}", names["schedule"]), "as Pulumi names"


def test_a_role_exists_as_declared(aws, names):
    iam = aws.client("iam")
    role = iam.get_role(RoleName=names["role"])["Role"]
    policy = "arn:aws:iam::123456789012:policy/boundary"
    assert of(role, "Arn", "Path", "Description", "MaxSessionDuration", "Tags") == {
        "Arn": f"arn:aws:iam::123456789012:role/retraining/{names['role']}",
        "Path": "/retraining/",
        "Description": "runs the function",
        "MaxSessionDuration": 7200,
        "Tags": TAGS,
    }, "the role's own properties"
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == policy, "the boundary"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "Service": "lambda.amazonaws.com"
    }, "who may assume it"
    attached = iam.list_attached_role_policies(RoleName=names["role"])["AttachedPolicies"]
    assert [each["PolicyArn"] for each in attached] == [policy], "managed policies"


def test_an_inline_policy_exists_as_declared(aws, names):
    iam = aws.client("iam")
    [name] = iam.list_role_policies(RoleName=names["role"])["PolicyNames"]
    policy = iam.get_role_policy(RoleName=names["role"], PolicyName=name)
    assert policy["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::data/*"}
    ], "a mapping becomes the document"


def test_a_log_group_exists_as_declared(aws, deployment):
    logs = aws.client("logs")
    [group] = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/sample")["logGroups"]
    assert of(group, "retentionInDays", "kmsKeyId", "logGroupClass") == {
        "retentionInDays": 90,
        "kmsKeyId": KEY,
        "logGroupClass": "STANDARD",
    }, "the log group's own properties"
    [declared] = [r for r in deployment.resources if r.type == "aws:cloudwatch/logGroup:LogGroup"]
    assert group["arn"] == f"{declared.arn}:*", "Pulumi leaves the asterisk out"
    assert logs.list_tags_for_resource(resourceArn=declared.arn)["tags"] == {"team": "ranking"}


def test_a_function_exists_as_declared(aws, names):
    client = aws.client("lambda")
    found = client.get_function(FunctionName=names["function"])
    assert of(
        found["Configuration"],
        "Handler",
        "Timeout",
        "MemorySize",
        "Architectures",
        "Description",
        "KMSKeyArn",
        "Environment",
        "LoggingConfig",
        "TracingConfig",
        "Runtime",
    ) == {
        "Handler": "functions.work.handler",
        "Timeout": 60,
        "MemorySize": 256,
        "Architectures": ["arm64"],
        "Description": "works",
        "KMSKeyArn": KEY,
        "Environment": {"Variables": {"MODE": "fast"}},
        "LoggingConfig": {
            "LogFormat": "JSON",
            "ApplicationLogLevel": "INFO",
            "SystemLogLevel": "WARN",
            "LogGroup": "/aws/lambda/sample",
        },
        "TracingConfig": {"Mode": "Active"},
        "Runtime": "provided.al2023",
    }, "all but the runtime is what the program says"
    assert found["Tags"] == {"team": "ranking"}, "tags"
    assert found["Concurrency"] == {"ReservedConcurrentExecutions": 3}, "reserved concurrency"
    assert names["version"] == "1", "it is published"


def test_a_permission_exists_as_declared(aws, names):
    answer = aws.client("lambda").get_policy(
        FunctionName=names["function"], Qualifier=names["version"]
    )
    [statement] = json.loads(answer["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}, "who may invoke"
    assert statement["Condition"] == {
        "StringEquals": {"AWS:SourceAccount": "123456789012"},
        "ArnLike": {"AWS:SourceArn": f"arn:aws:events:eu-west-1:123456789012:rule/{names['rule']}"},
    }, "on whose behalf"


def _queue_attributes(aws, names):
    sqs = aws.client("sqs")
    return sqs.get_queue_attributes(QueueUrl=names["queue"], AttributeNames=["All"])["Attributes"]


def test_a_rule_and_its_target_exist_as_declared(aws, names):
    events = aws.client("events")
    rule = events.describe_rule(Name=names["rule"])
    assert of(rule, "Description", "State", "EventBusName") == {
        "Description": "status changes",
        "State": "ENABLED",
        "EventBusName": "default",
    }, "the rule's own properties"
    assert json.loads(rule["EventPattern"]) == {"source": ["aws.states"]}, "the pattern"
    assert events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"] == TAGS, "tags"

    [target] = events.list_targets_by_rule(Rule=names["rule"])["Targets"]
    assert re.fullmatch(r"changes-[0-9a-f]{7}", target.pop("Id")), "an id is made up"
    assert target == {
        "Arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{names['function']}:1",
        "InputTransformer": {
            "InputPathsMap": {"arn": "$.detail.executionArn"},
            "InputTemplate": "<arn>",
        },
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 4},
        "DeadLetterConfig": {"Arn": _queue_attributes(aws, names)["QueueArn"]},
    }, "the target"


def test_a_queue_and_its_policy_exist_as_declared(aws, names):
    attributes = _queue_attributes(aws, names)
    assert of(
        attributes,
        "MessageRetentionPeriod",
        "VisibilityTimeout",
        "DelaySeconds",
        "MaximumMessageSize",
        "ReceiveMessageWaitTimeSeconds",
        "SqsManagedSseEnabled",
    ) == {
        "MessageRetentionPeriod": "1209600",
        "VisibilityTimeout": "45",
        "DelaySeconds": "5",
        "MaximumMessageSize": "2048",
        "ReceiveMessageWaitTimeSeconds": "10",
        "SqsManagedSseEnabled": "true",
    }, "the queue's own properties"
    assert json.loads(attributes["Policy"])["Statement"][0]["Action"] == "sqs:SendMessage"
    tags = aws.client("sqs").list_queue_tags(QueueUrl=names["queue"])["Tags"]
    assert tags == {"team": "ranking"}, "tags"


def test_a_state_machine_exists_as_declared(aws, names):
    states = aws.client("stepfunctions")
    machine = states.describe_state_machine(stateMachineArn=names["machine"])
    function = f"arn:aws:lambda:eu-west-1:123456789012:function:{names['function']}:1"
    assert json.loads(machine["definition"])["States"]["Work"]["Resource"] == function
    assert of(
        machine,
        "type",
        "roleArn",
        "loggingConfiguration",
        "tracingConfiguration",
        "encryptionConfiguration",
    ) == {
        "type": "STANDARD",
        "roleArn": f"arn:aws:iam::123456789012:role/{names['machineRole']}",
        "loggingConfiguration": {
            "level": "ERROR",
            "includeExecutionData": False,
            "destinations": [
                {
                    "cloudWatchLogsLogGroup": {
                        "logGroupArn": "arn:aws:logs:eu-west-1:123456789012:log-group:"
                        "/aws/lambda/sample:*"
                    }
                }
            ],
        },
        "tracingConfiguration": {"enabled": True},
        "encryptionConfiguration": {
            "type": "CUSTOMER_MANAGED_KMS_KEY",
            "kmsKeyId": KEY,
            "kmsDataKeyReusePeriodSeconds": 300,
        },
    }, "the machine's own properties"
    tags = states.list_tags_for_resource(resourceArn=names["machine"])["tags"]
    assert tags == [{"key": "team", "value": "ranking"}], "tags"


def test_a_schedule_and_its_group_exist_as_declared(aws, deployment, names):
    scheduler = aws.client("scheduler")
    schedule = scheduler.get_schedule(Name=names["schedule"], GroupName=names["group"])
    assert (
        schedule["Arn"]
        == deployment.outputs["schedule"]
        == (
            f"arn:aws:scheduler:eu-west-1:123456789012:schedule/{names['group']}/{names['schedule']}"
        )
    ), "the ARN holds group and name"
    assert of(
        schedule,
        "Description",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "State",
        "FlexibleTimeWindow",
        "KmsKeyArn",
    ) == {
        "Description": "every night",
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "State": "DISABLED",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "KmsKeyArn": KEY,
    }, "the schedule's own properties"
    assert [schedule[end].year for end in ("StartDate", "EndDate")] == [2099, 2100], "its time"
    assert schedule["Target"] == {
        "Arn": names["machine"],
        "RoleArn": f"arn:aws:iam::123456789012:role/{names['schedulerRole']}",
        "Input": '{"trigger": "schedule"}',
        "RetryPolicy": {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 9},
        "DeadLetterConfig": {"Arn": _queue_attributes(aws, names)["QueueArn"]},
    }, "its target"
    group = scheduler.get_schedule_group(Name=names["group"])
    assert scheduler.list_tags_for_resource(ResourceArn=group["Arn"])["Tags"] == TAGS, "tags"


def test_a_topic_its_policy_and_a_subscription_exist_as_declared(aws, names):
    sns = aws.client("sns")
    attributes = sns.get_topic_attributes(TopicArn=names["topic"])["Attributes"]
    assert of(attributes, "DisplayName", "KmsMasterKeyId") == {
        "DisplayName": "Reports",
        "KmsMasterKeyId": KEY,
    }, "the topic's own properties"
    assert json.loads(attributes["Policy"])["Statement"][0]["Resource"] == names["topic"]
    assert sns.list_tags_for_resource(ResourceArn=names["topic"])["Tags"] == TAGS, "tags"
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=names["topic"])["Subscriptions"]
    assert of(subscription, "Protocol", "Endpoint") == {
        "Protocol": "sqs",
        "Endpoint": _queue_attributes(aws, names)["QueueArn"],
    }, "the subscription's own properties"
    found = sns.get_subscription_attributes(SubscriptionArn=subscription["SubscriptionArn"])
    assert of(found["Attributes"], "RawMessageDelivery", "FilterPolicy") == {
        "RawMessageDelivery": "true",
        "FilterPolicy": '{"outcome": ["FAILED"]}',
    }, "the subscription's attributes"


def test_alarms_exist_as_declared(aws, names):
    cloudwatch = aws.client("cloudwatch")
    [failures] = cloudwatch.describe_alarms(AlarmNamePrefix="failures-")["MetricAlarms"]
    topic = [names["topic"]]
    assert of(
        failures,
        "AlarmDescription",
        "Namespace",
        "MetricName",
        "Dimensions",
        "Statistic",
        "Period",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
        "Unit",
        "ActionsEnabled",
        "AlarmActions",
        "OKActions",
        "InsufficientDataActions",
    ) == {
        "AlarmDescription": "a run failed",
        "Namespace": "AWS/States",
        "MetricName": "ExecutionsFailed",
        "Dimensions": [{"Name": "StateMachineArn", "Value": names["machine"]}],
        "Statistic": "Sum",
        "Period": 3600,
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": 2,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        "Unit": "Count",
        "ActionsEnabled": True,
        "AlarmActions": topic,
        "OKActions": topic,
        "InsufficientDataActions": topic,
    }, "an alarm on a metric"
    tags = cloudwatch.list_tags_for_resource(ResourceARN=failures["AlarmArn"])["Tags"]
    assert tags == TAGS, "tags"

    [silence] = cloudwatch.describe_alarms(AlarmNames=["sample-silence"])["MetricAlarms"]
    assert silence["Threshold"] == 8.5, "a fraction stays one"


def test_an_alarm_on_an_expression_is_asked_for_as_declared():
    shape = ROWS["aws:cloudwatch/metricAlarm:MetricAlarm"].shape
    queries = [
        {"id": "filled", "expression": "FILL(age, 100)", "label": "age", "returnData": True},
        {
            "id": "age",
            "returnData": False,
            "metric": {
                "namespace": "Retraining",
                "metricName": "ModelAge",
                "period": 3600,
                "stat": "Maximum",
                "dimensions": {"Stack": "dev"},
            },
        },
    ]
    assert translate({"metricQueries": queries}, shape) == {
        "Metrics": [
            {"Id": "filled", "Expression": "FILL(age, 100)", "Label": "age", "ReturnData": True},
            {
                "Id": "age",
                "ReturnData": False,
                "MetricStat": {
                    "Metric": {
                        "Namespace": "Retraining",
                        "MetricName": "ModelAge",
                        "Dimensions": [{"Name": "Stack", "Value": "dev"}],
                    },
                    "Period": 3600,
                    "Stat": "Maximum",
                },
            },
        ]
    }, "the emulator keeps no expressions, so the request is looked at"


def test_a_dashboard_exists_as_declared(aws, deployment):
    found = aws.client("cloudwatch").get_dashboard(DashboardName="sample-dev")
    assert json.loads(found["DashboardBody"]) == {"widgets": []}, "its body"
    [declared] = [r for r in deployment.resources if "dashboard" in r.type]
    assert declared.arn == found["DashboardArn"], "its ARN"


def test_a_second_run_changes_nothing(aws, project, deployment):
    def records():
        s3 = aws.client("s3")
        listed = s3.list_objects_v2(Bucket="pulumi-state")["Contents"]
        return {item["Key"]: item["LastModified"] for item in listed}

    before = records()
    again = deploy("dev", endpoint=aws.endpoint, project_dir=project)
    assert again.outputs == deployment.outputs, "the same exports"
    assert sorted(again.resources, key=lambda r: r.urn) == sorted(
        deployment.resources, key=lambda r: r.urn
    ), "the same resources"
    assert records() == before, "nothing is created"


def test_default_tags_are_on_every_resource_and_give_way_to_its_own(aws, tmp_path):
    program = """
    own = aws.sqs.Queue("own", tags={"team": "ranking"})
    role = aws.iam.Role("role", assume_role_policy=trusts("lambda"))
    aws.iam.RolePolicy(
        "untagged", role=role.name, policy={
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "logs:*", "Resource": "*"},
        }
    )
    pulumi.export("role", role.name)
    pulumi.export("queue", own.url)
    pulumi.export("tags", own.tags_all)
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
    assert {each["Key"]: each["Value"] for each in role["Tags"]} == {**tags, "team": "data"}
