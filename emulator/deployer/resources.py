"""The table of the resource types that the deployer supports.

It has the inputs that the program of this repository uses, and the outputs that connect resources.
"""

from collections.abc import Mapping

from emulator.deployer import calls
from emulator.deployer.rows import OwnCall, Row, TagCalls

NAME = r"[0-9a-zA-Z\-_.]+"
"""The pattern of the names in EventBridge."""
IAM_NAME = r"[\w+=,.@-]+"
ALARM_NAME = r"[^\x00-\x1f\x7f]+"
PERMISSION_INPUTS = "statementId function action principal sourceArn"

ROWS: Mapping[str, Row] = {
    # terraform-provider-aws, internal/service/iam/role.go. IAM does not delete a role that has
    # policies, and its error is DeleteConflict.
    "aws:iam/role:Role": Row(
        service="iam",
        operation="CreateRole",
        inputs="name assumeRolePolicy permissionsBoundary tags",
        api_names={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
        documents="assumeRolePolicy",
        name_pattern=IAM_NAME,
        read="GetRole",
        found_in="Role",
        read_names={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        undeclared={"permissionsBoundary": None},
        outputs={"arn": "Arn"},
        own_calls={
            "assumeRolePolicy": OwnCall("UpdateAssumeRolePolicy", parameter="PolicyDocument"),
            "permissionsBoundary": OwnCall(
                "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary"
            ),
        },
        replacing="name",
        tag_calls=TagCalls("TagRole", "UntagRole", list=""),
        delete="DeleteRole",
    ),
    # internal/service/iam/role_policy.go
    "aws:iam/rolePolicy:RolePolicy": Row(
        service="iam",
        operation="PutRolePolicy",
        inputs="name role policy",
        api_names={"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument"},
        documents="policy",
        name_pattern=IAM_NAME,
        id="{RoleName}:{PolicyName}",
        read="GetRolePolicy",
        update="PutRolePolicy",
        replacing="name role",
        delete="DeleteRolePolicy",
    ),
    # internal/service/scheduler/schedule_group.go
    "aws:scheduler/scheduleGroup:ScheduleGroup": Row(
        service="scheduler",
        operation="CreateScheduleGroup",
        inputs="name tags",
        name_pattern=NAME,
        read="GetScheduleGroup",
        outputs={"arn": "Arn"},
        replacing="name",
        delete="DeleteScheduleGroup",
    ),
    # internal/service/scheduler/schedule.go. UpdateSchedule sets what the request leaves out to its
    # default: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
    "aws:scheduler/schedule:Schedule": Row(
        service="scheduler",
        operation="CreateSchedule",
        inputs="name groupName description scheduleExpression scheduleExpressionTimezone state "
        "flexibleTimeWindow target",
        name_pattern=NAME,
        defaults={"groupName": "default", "state": "ENABLED", "scheduleExpressionTimezone": "UTC"},
        id="{GroupName}/{Name}",
        read="GetSchedule",
        outputs={"arn": "Arn"},
        update="UpdateSchedule",
        replacing="name groupName",
        delete="DeleteSchedule",
    ),
    # internal/service/events/rule.go
    "aws:cloudwatch/eventRule:EventRule": Row(
        service="events",
        operation="PutRule",
        inputs="name description eventPattern scheduleExpression state tags",
        documents="eventPattern",
        name_pattern=NAME,
        read="DescribeRule",
        outputs={"arn": "Arn"},
        update="PutRule",
        unset={"description": ""},
        replacing="name",
        delete="DeleteRule",
    ),
    # internal/service/events/target.go
    "aws:cloudwatch/eventTarget:EventTarget": Row(
        service="events",
        operation="PutTargets",
        inputs="targetId rule arn input inputTransformer",
        api_names={
            "targetId": "Targets.0.Id",
            "inputTransformer.inputPaths": "InputPathsMap",
            "inputTransformer.inputTemplate": "InputTemplate",
        },
        within="Targets.0",
        name_input="targetId",
        name_pattern=NAME,
        id="{Rule}-{Id}",
        read="ListTargetsByRule",
        found_in="Targets",
        update="PutTargets",
        replacing="rule targetId",
        delete="RemoveTargets",
    ),
    # internal/service/cloudwatch/metric_alarm.go
    "aws:cloudwatch/metricAlarm:MetricAlarm": Row(
        service="cloudwatch",
        operation="PutMetricAlarm",
        inputs="name actionsEnabled alarmActions alarmDescription okActions tags "
        "comparisonOperator dimensions evaluationPeriods metricName namespace period statistic "
        "threshold treatMissingData warmUpConfiguration",
        api_names={"name": "AlarmName"},
        name_pattern=ALARM_NAME,
        defaults={"actionsEnabled": True, "treatMissingData": "missing"},
        read="DescribeAlarms",
        found_in="MetricAlarms",
        outputs={"arn": "AlarmArn"},
        update="PutMetricAlarm",
        replacing="name",
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
        name_pattern=r"[A-Za-z0-9_-]{1,255}",
        read="GetDashboard",
        update="PutDashboard",
        replacing="dashboardName",
        delete="DeleteDashboards",
    ),
    # internal/service/logs/group.go
    "aws:cloudwatch/logGroup:LogGroup": Row(
        service="logs",
        operation="CreateLogGroup",
        inputs="name kmsKeyId retentionInDays tags",
        api_names={"name": "logGroupName"},
        name_pattern=r"[.\-_/#A-Za-z0-9]+",
        read="DescribeLogGroups",
        found_in="logGroups",
        outputs={"arn": "logGroupArn"},
        own_calls={
            "kmsKeyId": OwnCall("AssociateKmsKey", "DisassociateKmsKey"),
            "retentionInDays": OwnCall("PutRetentionPolicy", "DeleteRetentionPolicy"),
        },
        replacing="name",
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
    # internal/service/sqs/queue.go
    "aws:sqs/queue:Queue": Row(
        service="sqs",
        operation="CreateQueue",
        inputs="name kmsMasterKeyId messageRetentionSeconds sqsManagedSseEnabled tags",
        api_names={
            "name": "QueueName",
            "messageRetentionSeconds": "Attributes.MessageRetentionPeriod",
        },
        within="Attributes",
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
        name_pattern=r"[A-Za-z0-9_-]{1,80}",
        defaults={"messageRetentionSeconds": 345600},
        constants={"AttributeNames": ["All"]},
        id_parameter="QueueUrl",
        read="GetQueueAttributes",
        outputs={"arn": "Attributes.QueueArn", "url": "QueueUrl"},
        update="SetQueueAttributes",
        unset={"kmsMasterKeyId": "", "sqsManagedSseEnabled": False},
        replacing="name",
        tag_calls=TagCalls("TagQueue", "UntagQueue", "ListQueueTags"),
        delete="DeleteQueue",
    ),
    # internal/service/sns/topic.go
    "aws:sns/topic:Topic": Row(
        service="sns",
        operation="CreateTopic",
        inputs="name displayName kmsMasterKeyId tags",
        within="Attributes",
        # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
        name_pattern=r"[A-Za-z0-9_-]{1,256}",
        id_parameter="TopicArn",
        read="GetTopicAttributes",
        outputs={"arn": "TopicArn"},
        update=calls.set_topic_attributes,
        unset={"displayName": "", "kmsMasterKeyId": ""},
        replacing="name",
        delete="DeleteTopic",
    ),
    # internal/service/sns/topic_policy.go. A policy is deleted with its topic.
    "aws:sns/topicPolicy:TopicPolicy": Row(
        service="sns",
        operation="SetTopicAttributes",
        inputs="arn policy",
        api_names={"arn": "TopicArn", "policy": "AttributeValue"},
        documents="policy",
        constants={"AttributeName": "Policy"},
        id="{TopicArn}",
        read="GetTopicAttributes",
        read_names={"policy": "Attributes.Policy"},
        update="SetTopicAttributes",
        replacing="arn",
        delete=None,
    ),
    # internal/service/sns/topic_subscription.go
    "aws:sns/topicSubscription:TopicSubscription": Row(
        service="sns",
        operation="Subscribe",
        inputs="topic protocol endpoint filterPolicy",
        api_names={"topic": "TopicArn", "filterPolicy": "Attributes.FilterPolicy"},
        documents="filterPolicy",
        constants={"ReturnSubscriptionArn": True},
        id_parameter="SubscriptionArn",
        read="GetSubscriptionAttributes",
        undeclared={"filterPolicy": "{}"},
        outputs={"arn": "SubscriptionArn"},
        update=calls.set_subscription_attributes,
        unset={"filterPolicy": "{}"},
        replacing="topic protocol endpoint",
        delete="Unsubscribe",
    ),
    # internal/service/lambda/function.go
    "aws:lambda/function:Function": Row(
        service="lambda",
        operation="CreateFunction",
        inputs="name code codeSha256 handler runtime architectures role timeout memorySize "
        "environment loggingConfig tracingConfig publish reservedConcurrentExecutions tags",
        api_names={"name": "FunctionName"},
        # The model's limit is for an ARN:
        # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
        name_pattern=r"[A-Za-z0-9_-]{1,64}",
        defaults={"timeout": 3, "memorySize": 128, "publish": False},
        read=calls.read_function,
        undeclared={"environment": {"variables": {}}, "reservedConcurrentExecutions": None},
        unreadable="code publish",
        outputs={
            "arn": "FunctionArn",
            "codeSha256": "CodeSha256",
            "qualifiedArn": "QualifiedArn",
            "version": "Version",
        },
        update=calls.update_function,
        own_calls={
            "reservedConcurrentExecutions": OwnCall(
                "PutFunctionConcurrency", "DeleteFunctionConcurrency"
            ),
        },
        unset={"environment": {}},
        replacing="name",
        recomputed_outputs="version qualifiedArn",
        tag_calls=TagCalls(list=""),
        delete="DeleteFunction",
    ),
    # internal/service/lambda/permission.go
    "aws:lambda/permission:Permission": Row(
        service="lambda",
        operation="AddPermission",
        inputs=PERMISSION_INPUTS,
        api_names={"function": "FunctionName"},
        name_input="statementId",
        name_pattern=r"[A-Za-z0-9_-]+",
        read=calls.read_permission,
        replacing=PERMISSION_INPUTS,
        delete="RemovePermission",
    ),
    # internal/service/sfn/state_machine.go
    "aws:sfn/stateMachine:StateMachine": Row(
        service="stepfunctions",
        operation="CreateStateMachine",
        inputs="name definition roleArn type loggingConfiguration tracingConfiguration tags",
        api_names={
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
        replacing="name type",
        delete="DeleteStateMachine",
    ),
}
"""Pulumi's type tokens -> rows."""
