"""Defines the resource types that the deployer supports.

Each type has the inputs that the program in this repository uses, and the outputs that other
resources refer to. The comment above a type names the source file in the real provider, relative to
internal/service in hashicorp/terraform-provider-aws.
"""

from collections.abc import Mapping
from functools import partial

from emulator.deployer import calls
from emulator.deployer.resource_type import InputOperations, ResourceType, TagOperations

PERMISSION_INPUTS = "statementId function action principal sourceArn"

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    # iam/role.go. IAM refuses to delete a role that still has policies (DeleteConflict).
    "aws:iam/role:Role": ResourceType(
        service="iam",
        create="CreateRole",
        inputs="name assumeRolePolicy permissionsBoundary tags",
        api_paths={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
        json_inputs="assumeRolePolicy",
        read="GetRole",
        response_field="Role",
        response_paths={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        drift_inputs={"permissionsBoundary": None},
        outputs={"arn": "Arn"},
        input_operations={
            "assumeRolePolicy": InputOperations(
                "UpdateAssumeRolePolicy", parameter="PolicyDocument"
            ),
            "permissionsBoundary": InputOperations(
                "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"
            ),
        },
        replace_on_changes="name",
        tag_operations=TagOperations("TagRole", "UntagRole", list=""),
        delete="DeleteRole",
    ),
    # iam/role_policy.go
    "aws:iam/rolePolicy:RolePolicy": ResourceType(
        service="iam",
        create="PutRolePolicy",
        inputs="name role policy",
        api_paths={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
        json_inputs="policy",
        id_template="{RoleName}:{PolicyName}",
        read="GetRolePolicy",
        update="PutRolePolicy",
        replace_on_changes="name role",
        delete="DeleteRolePolicy",
    ),
    # scheduler/schedule_group.go
    "aws:scheduler/scheduleGroup:ScheduleGroup": ResourceType(
        service="scheduler",
        create="CreateScheduleGroup",
        inputs="name tags",
        read="GetScheduleGroup",
        outputs={"arn": "Arn"},
        replace_on_changes="name",
        delete="DeleteScheduleGroup",
    ),
    # scheduler/schedule.go. UpdateSchedule resets whatever the request leaves out to its default:
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
    "aws:scheduler/schedule:Schedule": ResourceType(
        service="scheduler",
        create="CreateSchedule",
        inputs="name groupName description scheduleExpression scheduleExpressionTimezone state "
        "flexibleTimeWindow target",
        defaults={"groupName": "default", "state": "ENABLED", "scheduleExpressionTimezone": "UTC"},
        id_template="{GroupName}/{Name}",
        read="GetSchedule",
        outputs={"arn": "Arn"},
        update="UpdateSchedule",
        replace_on_changes="name groupName",
        delete="DeleteSchedule",
    ),
    # events/rule.go
    "aws:cloudwatch/eventRule:EventRule": ResourceType(
        service="events",
        create="PutRule",
        inputs="name description eventPattern scheduleExpression state tags",
        json_inputs="eventPattern",
        read="DescribeRule",
        outputs={"arn": "Arn"},
        update="PutRule",
        removal_values={"description": ""},
        replace_on_changes="name",
        delete="DeleteRule",
    ),
    # events/target.go
    "aws:cloudwatch/eventTarget:EventTarget": ResourceType(
        service="events",
        create="PutTargets",
        inputs="targetId rule arn input inputTransformer",
        api_paths={
            "targetId": "Targets.0.Id",
            "arn": "Targets.0.Arn",
            "input": "Targets.0.Input",
            "inputTransformer": "Targets.0.InputTransformer",
            "inputTransformer.inputPaths": "InputPathsMap",
            "inputTransformer.inputTemplate": "InputTemplate",
        },
        container_path="Targets.0",
        name_input="targetId",
        id_template="{Rule}-{Id}",
        read="ListTargetsByRule",
        response_field="Targets",
        update="PutTargets",
        replace_on_changes="rule targetId",
        delete="RemoveTargets",
    ),
    # cloudwatch/metric_alarm.go
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceType(
        service="cloudwatch",
        create="PutMetricAlarm",
        inputs="name actionsEnabled alarmActions alarmDescription okActions tags "
        "comparisonOperator dimensions evaluationPeriods metricName namespace period statistic "
        "threshold treatMissingData warmUpConfiguration",
        api_paths={"name": "AlarmName"},
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        read="DescribeAlarms",
        response_field="MetricAlarms",
        outputs={"arn": "AlarmArn"},
        update="PutMetricAlarm",
        replace_on_changes="name",
        delete="DeleteAlarms",
    ),
    # cloudwatch/dashboard.go
    "aws:cloudwatch/dashboard:Dashboard": ResourceType(
        service="cloudwatch",
        create="PutDashboard",
        inputs="dashboardName dashboardBody",
        json_inputs="dashboardBody",
        name_input="dashboardName",
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
        name_pattern=r"[A-Za-z0-9_-]{1,255}",
        read="GetDashboard",
        update="PutDashboard",
        replace_on_changes="dashboardName",
        delete="DeleteDashboards",
    ),
    # logs/group.go
    "aws:cloudwatch/logGroup:LogGroup": ResourceType(
        service="logs",
        create="CreateLogGroup",
        inputs="name kmsKeyId retentionInDays tags",
        api_paths={"name": "logGroupName"},
        read="DescribeLogGroups",
        response_field="logGroups",
        outputs={"arn": "logGroupArn"},
        input_operations={
            "kmsKeyId": InputOperations("AssociateKmsKey", "DisassociateKmsKey"),
            "retentionInDays": InputOperations("PutRetentionPolicy", "DeleteRetentionPolicy"),
        },
        replace_on_changes="name",
        delete="DeleteLogGroup",
    ),
    # logs/metric_filter.go
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": ResourceType(
        service="logs",
        create="PutMetricFilter",
        inputs="name logGroupName pattern metricTransformation",
        api_paths={
            "name": "filterName",
            "pattern": "filterPattern",
            "metricTransformation": "metricTransformations.0",
            "metricTransformation.name": "metricName",
            "metricTransformation.namespace": "metricNamespace",
            "metricTransformation.value": "metricValue",
        },
        read="DescribeMetricFilters",
        response_field="metricFilters",
        update="PutMetricFilter",
        replace_on_changes="name logGroupName",
        delete="DeleteMetricFilter",
    ),
    # sqs/queue.go
    "aws:sqs/queue:Queue": ResourceType(
        service="sqs",
        create="CreateQueue",
        inputs="name kmsMasterKeyId messageRetentionSeconds sqsManagedSseEnabled tags",
        api_paths={
            "name": "QueueName",
            "kmsMasterKeyId": "Attributes.KmsMasterKeyId",
            "messageRetentionSeconds": "Attributes.MessageRetentionPeriod",
            "sqsManagedSseEnabled": "Attributes.SqsManagedSseEnabled",
        },
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
        name_pattern=r"[A-Za-z0-9_-]{1,80}",
        defaults={"messageRetentionSeconds": 345600},
        fixed_parameters={"AttributeNames": ["All"]},
        id_parameter="QueueUrl",
        read="GetQueueAttributes",
        outputs={"arn": "Attributes.QueueArn", "url": "QueueUrl"},
        update="SetQueueAttributes",
        removal_values={"kmsMasterKeyId": "", "sqsManagedSseEnabled": False},
        replace_on_changes="name",
        tag_operations=TagOperations("TagQueue", "UntagQueue", "ListQueueTags"),
        delete="DeleteQueue",
    ),
    # sns/topic.go
    "aws:sns/topic:Topic": ResourceType(
        service="sns",
        create="CreateTopic",
        inputs="name displayName kmsMasterKeyId tags",
        api_paths={
            "displayName": "Attributes.DisplayName",
            "kmsMasterKeyId": "Attributes.KmsMasterKeyId",
        },
        # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
        name_pattern=r"[A-Za-z0-9_-]{1,256}",
        id_parameter="TopicArn",
        read="GetTopicAttributes",
        outputs={"arn": "TopicArn"},
        update=partial(calls.set_attributes, "SetTopicAttributes"),
        removal_values={"displayName": "", "kmsMasterKeyId": ""},
        replace_on_changes="name",
        delete="DeleteTopic",
    ),
    # sns/topic_policy.go. A policy is deleted together with its topic.
    "aws:sns/topicPolicy:TopicPolicy": ResourceType(
        service="sns",
        create="SetTopicAttributes",
        inputs="arn policy",
        name_input="",
        api_paths={"arn": "TopicArn", "policy": "AttributeValue"},
        json_inputs="policy",
        fixed_parameters={"AttributeName": "Policy"},
        id_template="{TopicArn}",
        read="GetTopicAttributes",
        response_paths={"policy": "Attributes.Policy"},
        update="SetTopicAttributes",
        replace_on_changes="arn",
        delete=None,
    ),
    # sns/topic_subscription.go
    "aws:sns/topicSubscription:TopicSubscription": ResourceType(
        service="sns",
        create="Subscribe",
        inputs="topic protocol endpoint filterPolicy",
        name_input="",
        api_paths={"topic": "TopicArn", "filterPolicy": "Attributes.FilterPolicy"},
        json_inputs="filterPolicy",
        fixed_parameters={"ReturnSubscriptionArn": True},
        id_parameter="SubscriptionArn",
        read="GetSubscriptionAttributes",
        drift_inputs={"filterPolicy": "{}"},
        outputs={"arn": "SubscriptionArn"},
        update=partial(calls.set_attributes, "SetSubscriptionAttributes"),
        removal_values={"filterPolicy": "{}"},
        replace_on_changes="topic protocol endpoint",
        delete="Unsubscribe",
    ),
    # lambda/function.go
    "aws:lambda/function:Function": ResourceType(
        service="lambda",
        create="CreateFunction",
        inputs="name code codeSha256 handler runtime architectures role timeout memorySize "
        "environment loggingConfig tracingConfig publish reservedConcurrentExecutions tags",
        api_paths={"name": "FunctionName"},
        # botocore's limit is higher because the field may also contain an ARN:
        # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
        name_pattern=r"[A-Za-z0-9_-]{1,64}",
        defaults={"timeout": 3, "memorySize": 128, "publish": False},
        read=calls.read_function,
        drift_inputs={"environment": {"variables": {}}, "reservedConcurrentExecutions": None},
        write_only="code publish",
        outputs={
            "arn": "FunctionArn",
            "codeSha256": "CodeSha256",
            "qualifiedArn": "QualifiedArn",
            "version": "Version",
        },
        update=calls.update_function,
        input_operations={
            "reservedConcurrentExecutions": InputOperations(
                "PutFunctionConcurrency", "DeleteFunctionConcurrency"
            ),
        },
        removal_values={"environment": {}},
        replace_on_changes="name",
        recomputed_outputs="version qualifiedArn",
        tag_operations=TagOperations(list=""),
        delete="DeleteFunction",
    ),
    # lambda/permission.go
    "aws:lambda/permission:Permission": ResourceType(
        service="lambda",
        create="AddPermission",
        inputs=PERMISSION_INPUTS,
        api_paths={"function": "FunctionName"},
        name_input="statementId",
        read=calls.read_permission,
        replace_on_changes=PERMISSION_INPUTS,
        delete="RemovePermission",
    ),
    # sfn/state_machine.go
    "aws:sfn/stateMachine:StateMachine": ResourceType(
        service="stepfunctions",
        create="CreateStateMachine",
        inputs="name definition roleArn type loggingConfiguration tracingConfiguration tags",
        api_paths={
            "loggingConfiguration.logDestination": (
                "destinations.0.cloudWatchLogsLogGroup.logGroupArn"
            )
        },
        # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
        name_pattern=r'[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+',
        defaults={"type": "STANDARD"},
        id_parameter="stateMachineArn",
        read="DescribeStateMachine",
        outputs={"arn": "stateMachineArn"},
        update="UpdateStateMachine",
        replace_on_changes="name type",
        delete="DeleteStateMachine",
    ),
}
"""The supported resource types, by Pulumi's type token."""
