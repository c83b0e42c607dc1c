"""Checks access to the data: buckets, the import role, KMS keys, and events for new exports."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from components import iam
from functions.s3.exports import split_location
from retrain.account.access import read_if_exists
from retrain.account.permissions import build_policy_document, map_s3_actions_to_arns
from retrain.check.findings import Finding
from retrain.check.policy_evaluation import UNKNOWN, build_service_context
from retrain.check.resource_policies import (
    NO_POLICY,
    RequiredAccess,
    assess_policy,
    build_account_access,
    build_alarm_access,
    build_personalize_access,
)
from retrain.check.role_policies import find_missing_permissions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.rules.arns import Environment
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.policy_evaluation import Policy

DATA_KEY_ACTIONS = [
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:DescribeKey",
    "kms:CreateGrant",
    "kms:ListGrants",
]
"""The actions that Personalize performs with the key that encrypts its data:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html."""
LOG_KEY_ACTIONS = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:DescribeKey",
    "kms:GenerateDataKey*",
]
"""The actions that CloudWatch Logs performs with the key that encrypts a log group:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
TOPIC_KEY_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey*"]
"""The actions that roles and alarms need to publish to an encrypted topic:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html."""
LOG_GROUP_CONDITION_KEY = "kms:encryptioncontext:aws:logs:arn"
"""The condition key that contains the ARN of the encrypted log group."""


def check_bucket_policies(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that the bucket policies let Personalize import the exports and run batch jobs."""
    for bucket_arn in map_s3_actions_to_arns(pipeline)["s3:ListBucket"]:
        required_access = _list_bucket_access(pipeline, bucket_arn)
        yield _check_bucket(pipeline, bucket_arn.rpartition(":")[2], required_access)


def _list_bucket_access(pipeline: ExaminedPipeline, bucket_arn: str) -> Iterator[RequiredAccess]:
    """List the access that Personalize needs to a bucket and its objects."""
    for action, arns in map_s3_actions_to_arns(pipeline).items():
        arns_in_bucket = [arn for arn in arns if arn.partition("/")[0] == bucket_arn]
        if arns_in_bucket:
            yield build_personalize_access(pipeline.environment, [action], arns_in_bucket)


def _check_bucket(
    pipeline: ExaminedPipeline, bucket: str, required_access: Iterable[RequiredAccess]
) -> Finding:
    """Check that a bucket exists, and that its policy allows the required access."""
    client = pipeline.client("s3")
    if read_if_exists(client.head_bucket, Bucket=bucket) is None:
        create_command = f"aws s3 mb s3://{bucket} --region {pipeline.environment.region}"
        return Finding("missing", f"{bucket} does not exist; correct its name, or:", create_command)

    policy = NO_POLICY
    response = read_if_exists(client.get_bucket_policy, Bucket=bucket)
    if response is not None:
        policy = json.loads(response["Policy"])

    command_template = f"aws s3api put-bucket-policy --bucket {bucket} --policy {{}}"
    return assess_policy(f"the policy of {bucket}", policy, command_template, *required_access)


def check_import_role(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that Personalize may assume the import role, and that the role may read the exports."""
    role_arn = pipeline.settings["importRoleArn"]
    if not role_arn:
        yield Finding("ok", "the deployment creates the import role")
        return

    role_name = role_arn.rpartition("/")[2]
    response = read_if_exists(pipeline.client("iam").get_role, RoleName=role_name)
    if response is None:
        # Without the setting, a deployment creates the role.
        remove_setting_command = pipeline.config_command("rm importRoleArn")
        repair_command = _choose_role_command(pipeline, remove_setting_command)
        yield Finding("missing", f"{role_arn} does not exist", repair_command)
        return

    trust_policy = response["Role"]["AssumeRolePolicyDocument"]
    yield _check_import_trust(pipeline, role_name, trust_policy)
    yield from _check_import_permissions(pipeline, role_arn)


def _check_import_trust(
    pipeline: ExaminedPipeline, role_name: str, trust_policy: Policy
) -> Finding:
    """Check that Personalize may assume the import role."""
    command_template = (
        f"aws iam update-assume-role-policy --role-name {role_name} --policy-document {{}}"
    )

    return assess_policy(
        f"the trust policy of {role_name}",
        trust_policy,
        _choose_role_command(pipeline, command_template),
        build_personalize_access(pipeline.environment, ["sts:AssumeRole"], []),
    )


def _choose_role_command(pipeline: ExaminedPipeline, manual_command: str) -> str:
    """Choose how to repair the import role: with a deployment, or with `manual_command`.

    A deployment only repairs a role that the stack created, but not an existing role that the
    stack's config names.
    """
    if pipeline.args is None or pipeline.args.import_role_arn is None:
        return pipeline.deploy_command
    return manual_command


def _check_import_permissions(pipeline: ExaminedPipeline, role_arn: str) -> Iterator[Finding]:
    """Check that the import role may read the exports. If it may not, explain why."""
    role_name = role_arn.rpartition("/")[2]
    locations = [dataset["dataLocation"] for dataset in pipeline.settings["datasets"]]
    # The role doesn't need permissions for a KMS key:
    # https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html
    arns_by_action = iam.map_s3_actions_to_arns(pipeline.environment.partition, locations)

    # The command overwrites an existing policy with the same name, so the new policy repeats the
    # permissions that the role already has.
    policy = build_policy_document({action: [action] for action in arns_by_action}, arns_by_action)
    put_policy_command = (
        f"aws iam put-role-policy --role-name {role_name} --policy-name read-exports "
        f"--policy-document {shlex.quote(json.dumps(policy))}"
    )
    missing_permissions = find_missing_permissions(
        pipeline,
        role_arn,
        [([action], arns) for action, arns in arns_by_action.items()],
        _choose_role_command(pipeline, put_policy_command),
    )
    yield from list(missing_permissions) or [Finding("ok", f"{role_name} may read the exports")]


def check_keys(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that services and roles may use the KMS keys of data, batch jobs, logs and messages."""
    for key_arn in pipeline.key_arns:
        yield _check_key(pipeline, key_arn)


def _list_key_access(pipeline: ExaminedPipeline, key_arn: str) -> Iterator[RequiredAccess]:
    """List the access that services and roles need to a key.

    Several settings may name the same key. A command that repairs it replaces the whole key policy,
    so we need to know everything that the policy has to allow.
    """
    environment = pipeline.environment
    is_batch_key = key_arn in pipeline.batch_key_arns
    if is_batch_key or key_arn == pipeline.data_key_arn:
        yield build_personalize_access(environment, DATA_KEY_ACTIONS, [key_arn])
        role_actions = iam.BATCH_KEY_ACTIONS if is_batch_key else ["kms:Decrypt"]
        yield build_account_access(environment, role_actions, key_arn)

    if key_arn == pipeline.log_key_arn:
        yield _build_log_access(environment, key_arn)
        yield build_account_access(environment, TOPIC_KEY_ACTIONS, key_arn)
        # A topic that the deployment doesn't create isn't encrypted with this key.
        if not pipeline.has_own_topic:
            yield build_alarm_access(environment, TOPIC_KEY_ACTIONS, key_arn)


def _build_log_access(environment: Environment, key_arn: str) -> RequiredAccess:
    """Describe the access that CloudWatch Logs needs to the key that encrypts log groups."""
    context = build_service_context(environment, "logs")
    context[LOG_GROUP_CONDITION_KEY] = iam.build_arn(environment, "logs", f"log-group:{UNKNOWN}")

    log_groups = {LOG_GROUP_CONDITION_KEY: iam.build_arn(environment, "logs", "log-group:*")}
    return RequiredAccess(
        f"logs.{environment.region}.amazonaws.com",
        LOG_KEY_ACTIONS,
        [key_arn],
        context,
        condition={"ArnLike": log_groups},
    )


def _check_key(pipeline: ExaminedPipeline, key_arn: str) -> Finding:
    """Check that a key is enabled, and that its policy allows the required access."""
    client = pipeline.client("kms")
    response = read_if_exists(client.describe_key, KeyId=key_arn)
    if response is None:
        return Finding("missing", f"{key_arn} is gone")

    state = response["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        enable_command = f"aws kms enable-key --key-id {key_arn}"
        if state == "PendingDeletion":
            # Canceling the deletion leaves the key disabled.
            enable_command = f"aws kms cancel-key-deletion --key-id {key_arn} && {enable_command}"
        return Finding("missing", f"{key_arn} is {state}", enable_command)

    required_access = _list_key_access(pipeline, key_arn)
    response = client.get_key_policy(KeyId=key_arn, PolicyName="default")
    policy = json.loads(response["Policy"])
    command_template = (
        f"aws kms put-key-policy --key-id {key_arn} --policy-name default --policy {{}}"
    )
    return assess_policy(f"the policy of {key_arn}", policy, command_template, *required_access)


def check_export_events(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that buckets send the events for new ready markers to EventBridge.

    A ready marker is the object that an export job writes last. With `trigger.onExport`, its event
    starts a run. Without that setting, there's nothing to check.
    """
    settings = pipeline.settings
    if not settings.get("triggerOnExport"):
        return

    markers = [dataset["readyMarker"] for dataset in settings["datasets"]]
    buckets = {split_location(marker).bucket for marker in markers if marker}
    for bucket in sorted(buckets):
        yield _check_bucket_events(pipeline, bucket)


def _check_bucket_events(pipeline: ExaminedPipeline, bucket: str) -> Finding:
    """Check that a bucket sends its events to EventBridge."""
    configuration = pipeline.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    if "EventBridgeConfiguration" in configuration:
        return Finding("ok", bucket)

    # The command replaces the bucket's whole configuration, so it has to repeat the current one.
    configuration["EventBridgeConfiguration"] = {}
    del configuration["ResponseMetadata"]
    enable_command = (
        f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
        f"--notification-configuration {shlex.quote(json.dumps(configuration))}"
    )
    return Finding("missing", f"{bucket} does not send its events to EventBridge", enable_command)
