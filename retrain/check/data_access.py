"""Checks that Personalize and other services may use the exports, the import role and the keys."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING

from components import iam
from functions.s3.exports import split_location
from retrain.account.access import read_if_exists
from retrain.account.permissions import build_policy_document, list_file_arns
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import build_service_context
from retrain.check.resource_policies import (
    NO_POLICY,
    RequiredAccess,
    build_account_access,
    build_alarm_access,
    build_personalize_access,
    judge_policy,
)
from retrain.check.role_policies import explain_denied_requests, find_denied_requests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from components.args import RetrainingPipelineArgs
    from components.rules.arns import Environment
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Account
    from retrain.check.policy_evaluation import Policy, Request

DATA_KEY_ACTIONS = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:ListGrants",
]
"""What Personalize does with the key of its data:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html."""
LOG_KEY_ACTIONS = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:DescribeKey",
    "kms:GenerateDataKey*",
]
"""What CloudWatch Logs does with the key of a log group:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
MESSAGE_KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey*"]
"""What roles and alarms need that publish to an encrypted topic:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html."""
LOG_GROUP_KEY = "kms:encryptioncontext:aws:logs:arn"
"""The condition key with the ARN of the log group that is encrypted."""


def check_bucket_policies(account: Account) -> Iterator[Finding]:
    """Check that the bucket policies let Personalize import the exports and run the batch jobs."""
    for bucket_arn in list_file_arns(account.pipeline)["s3:ListBucket"]:
        required = _list_bucket_access(account.pipeline, bucket_arn)
        yield _judge_bucket(account, bucket_arn.rpartition(":")[2], required)


def _list_bucket_access(pipeline: ExaminedPipeline, bucket_arn: str) -> Iterator[RequiredAccess]:
    """List what Personalize has to read or write in a bucket."""
    for action, arns in list_file_arns(pipeline).items():
        arns_in_bucket = [arn for arn in arns if arn.partition("/")[0] == bucket_arn]
        if arns_in_bucket:
            yield build_personalize_access(pipeline.home, [action], arns_in_bucket)


def _judge_bucket(account: Account, bucket: str, required: Iterable[RequiredAccess]) -> Finding:
    """Judge whether a bucket exists, and its policy allows the required access."""
    client = account.client("s3")
    if read_if_exists(client.head_bucket, Bucket=bucket) is None:
        create = f"aws s3 mb s3://{bucket} --region {account.pipeline.home.region}"
        return Finding("missing", f"{bucket} does not exist; correct its name, or:", create)

    policy = NO_POLICY
    response = read_if_exists(client.get_bucket_policy, Bucket=bucket)
    if response is not None:
        policy = json.loads(response["Policy"])

    write_command = f"aws s3api put-bucket-policy --bucket {bucket} --policy {{}}"
    return judge_policy(f"the policy of {bucket}", policy, write_command, *required)


def check_import_role(account: Account) -> Iterator[Finding]:
    """Check that Personalize may assume the import role, and that the role may read the exports."""
    pipeline = account.pipeline
    role_arn = pipeline.settings["importRoleArn"]
    if not role_arn:
        yield Finding("ok", "the deployment creates the import role")
        return

    role_name = role_arn.rpartition("/")[2]
    response = read_if_exists(account.client("iam").get_role, RoleName=role_name)
    if response is None:
        # Without the setting, the deployment creates a role.
        remove_setting = pipeline.config_command("rm importRoleArn")
        remedy = _choose_role_remedy(pipeline, remove_setting)
        yield Finding("missing", f"{role_arn} does not exist", remedy)
        return

    trust_policy = response["Role"]["AssumeRolePolicyDocument"]
    yield _judge_import_trust(pipeline, role_name, trust_policy)
    yield from _check_import_permissions(account, role_arn, role_name)


def _judge_import_trust(
    pipeline: ExaminedPipeline, role_name: str, trust_policy: Policy
) -> Finding:
    """Judge whether Personalize may assume the import role."""
    write_command = (
        f"aws iam update-assume-role-policy --role-name {role_name} --policy-document {{}}"
    )

    return judge_policy(
        f"the trust policy of {role_name}",
        trust_policy,
        _choose_role_remedy(pipeline, write_command),
        build_personalize_access(pipeline.home, ["sts:AssumeRole"], []),
    )


def _choose_role_remedy(pipeline: ExaminedPipeline, command: str) -> str:
    """Return the command that repairs an import role which the config names.

    If the stack creates the role instead, a deployment sets it right.
    """
    if pipeline.args is None or pipeline.args.import_role_arn is None:
        return pipeline.deploy_command
    return command


def _check_import_permissions(account: Account, role_arn: str, role_name: str) -> Iterator[Finding]:
    """Check that the import role may read the exports, and name the policies that forbid it."""
    pipeline = account.pipeline
    locations = [dataset["dataLocation"] for dataset in pipeline.settings["datasets"]]
    # The role needs no key: https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html
    arns_by_action = iam.map_s3_actions_to_arns(pipeline.home.partition, locations)

    denied: list[Request] = []
    for action, arns in arns_by_action.items():
        denied += find_denied_requests(account, role_arn, [action], arns)
    if not denied:
        yield Finding("ok", f"{role_name} may read the exports")
        return

    grant_command = _choose_role_remedy(pipeline, _build_grant_command(role_name, arns_by_action))
    yield from explain_denied_requests(account, role_name, denied, grant_command)


def _build_grant_command(role_name: str, arns_by_action: Mapping[str, Sequence[str]]) -> str:
    """Build the command that gives a role a policy with all these permissions.

    It also has those that the role has already, because the policy may replace one of that name.
    """
    grants = {action: [action] for action in arns_by_action}
    policy = json.dumps(build_policy_document(grants, arns_by_action))
    return (
        f"aws iam put-role-policy --role-name {role_name} --policy-name read-exports "
        f"--policy-document {shlex.quote(policy)}"
    )


def check_keys(account: Account) -> Iterator[Finding]:
    """Check that the services and roles that need a KMS key in the stack's file may use it."""
    pipeline = account.pipeline
    if pipeline.args is None:
        return

    # Both settings may name the same key. Its policy is judged once, as a single command writes it.
    required_by_key: dict[str, list[RequiredAccess]] = defaultdict(list)
    if pipeline.args.data_kms_key_arn:
        key_arn = str(pipeline.args.data_kms_key_arn)
        required_by_key[key_arn] += _list_data_key_access(pipeline.home, key_arn)
    if pipeline.args.kms_key_arn:
        key_arn = str(pipeline.args.kms_key_arn)
        required_by_key[key_arn] += _list_log_key_access(pipeline.home, key_arn, pipeline.args)

    for key_arn, required in required_by_key.items():
        yield _judge_key(account, key_arn, required)


def _list_data_key_access(home: Environment, key_arn: str) -> Iterator[RequiredAccess]:
    """List who needs the key with which Personalize encrypts the data."""
    yield build_personalize_access(home, DATA_KEY_ACTIONS, [key_arn])
    yield build_account_access(home, ["kms:Decrypt"], key_arn)


def _list_log_key_access(
    home: Environment, key_arn: str, args: RetrainingPipelineArgs
) -> Iterator[RequiredAccess]:
    """List who needs the key that encrypts the logs and the messages."""
    log_groups = {LOG_GROUP_KEY: iam.build_arn(home, "logs", "log-group:*")}

    yield RequiredAccess(
        "CloudWatch Logs",
        f"logs.{home.region}.amazonaws.com",
        LOG_KEY_ACTIONS,
        [key_arn],
        context={**build_service_context(home, "logs"), **log_groups},
        condition={"ArnLike": log_groups},
    )
    yield build_account_access(home, MESSAGE_KEY_ACTIONS, key_arn)

    # Only a topic that the deployment creates is encrypted with this key.
    if args.notifications.topic_arn is None:
        yield build_alarm_access(home, MESSAGE_KEY_ACTIONS, key_arn)


def _judge_key(account: Account, key_arn: str, required: Iterable[RequiredAccess]) -> Finding:
    """Judge whether a key is enabled, and its policy allows the required access."""
    client = account.client("kms")
    response = read_if_exists(client.describe_key, KeyId=key_arn)
    if response is None:
        return Finding("missing", f"{key_arn} is gone")

    state = response["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        enable = f"aws kms enable-key --key-id {key_arn}"
        if state == "PendingDeletion":
            enable = f"aws kms cancel-key-deletion --key-id {key_arn} && {enable}"
        return Finding("missing", f"{key_arn} is {state}", enable)

    response = client.get_key_policy(KeyId=key_arn, PolicyName="default")
    policy = json.loads(response["Policy"])
    write_command = f"aws kms put-key-policy --key-id {key_arn} --policy-name default --policy {{}}"
    return judge_policy(f"the policy of {key_arn}", policy, write_command, *required)


def check_export_events(account: Account) -> Iterator[Finding]:
    """Check that the buckets with ready markers send their events to EventBridge.

    If `trigger.onExport` is set, such an event starts a run.
    """
    settings = account.pipeline.settings
    if not settings.get("triggerOnExport"):
        return

    markers = [dataset["readyMarker"] for dataset in settings["datasets"]]
    buckets = {split_location(marker).bucket for marker in markers if marker}
    for bucket in sorted(buckets):
        yield _judge_bucket_events(account, bucket)


def _judge_bucket_events(account: Account, bucket: str) -> Finding:
    """Judge whether a bucket sends its events to EventBridge."""
    configuration = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    if "EventBridgeConfiguration" in configuration:
        return Finding("ok", bucket)

    # The command replaces the bucket's configuration, so it repeats what is in it.
    configuration["EventBridgeConfiguration"] = {}
    del configuration["ResponseMetadata"]
    turn_on = (
        f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
        f"--notification-configuration {shlex.quote(json.dumps(configuration))}"
    )
    return Finding("missing", f"{bucket} does not send its events to EventBridge", turn_on)
