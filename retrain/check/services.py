"""Checks that AWS's services may read the exports, write logs, and send messages."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from components.iam import export_arns, resource_arn
from functions.exports import split_location
from retrain.account.permissions import policy_of, resource_arns
from retrain.check.findings import Finding, found
from retrain.check.policies import PERSONALIZE, root_arn, service_context
from retrain.check.questions import (
    Policy,
    Question,
    actions_text,
    denied_actions,
    policy_finding,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retrain.account.permissions import Grants
    from retrain.check.findings import Account

SERVICE = ("Service", PERSONALIZE)
DATA_KEY_ACTIONS = (
    *("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants"),
)
"""Actions on a key that AWS documents for Personalize:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html."""
LOG_ACTIONS = (
    *("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"),
    "kms:GenerateDataKey*",
)
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
MESSAGE_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey*")
"""The actions of the roles that send encrypted messages, and of CloudWatch's alarms:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html."""
ENCRYPTED_GROUP = "kms:EncryptionContext:aws:logs:arn"
IMPORT_GRANTS: Grants = {
    "exports": ("s3:GetObject",),
    "export buckets": ("s3:ListBucket",),
    "KMS keys": ("kms:Decrypt",),
}
"""What the import role needs."""


def check_bucket_policies(account: Account) -> Iterator[Finding]:
    """Find out whether the policy of each bucket lets Personalize read the exports."""
    home, client = account.pipeline.home, account.client("s3")
    context = service_context(home, "personalize")
    locations = [row["dataLocation"] for row in account.pipeline.settings["datasets"]]
    for bucket in sorted({split_location(location).bucket for location in locations}):
        arn = f"arn:{home.partition}:s3:::{bucket}"
        exports = export_arns(home.partition, locations)
        objects = [name for name in exports if name.startswith(f"{arn}/")]
        response = found(client.get_bucket_policy, Bucket=bucket)
        command = f"aws s3api {{}}-bucket-policy --bucket {bucket}"
        policy = Policy(
            f"the policy of {bucket}",
            json.loads(response["Policy"]) if response else None,
            show=command.format("get"),
            mend=f"{command.format('put')} --policy {{}}",
        )
        yield policy_finding(
            policy,
            Question("Personalize", SERVICE, ["s3:GetObject"], objects, context),
            Question("Personalize", SERVICE, ["s3:ListBucket"], [arn], context),
        )


def check_import_role(account: Account) -> Iterator[Finding]:
    """Find out whether Personalize may assume the import role, and whether it reads the exports."""
    pipeline, client = account.pipeline, account.client("iam")
    arn = pipeline.settings["importRoleArn"]
    name = arn.rpartition("/")[2]
    is_own = pipeline.args is None or pipeline.args.import_role_arn is None
    response = found(client.get_role, RoleName=name) if arn else None
    if response is None:
        missing = Finding("missing", f"{arn} does not exist", pipeline.restore_command)
        yield missing if arn else Finding("ok", "the deployment creates the import role")
        return
    mend_trust = mend_policy = pipeline.restore_command
    if not is_own:
        needed = shlex.quote(json.dumps(policy_of(pipeline, IMPORT_GRANTS)))
        named = f"--role-name {name} --policy"
        mend_trust = f"aws iam update-assume-role-policy {named}-document {{}}"
        mend_policy = (
            f"aws iam put-role-policy {named}-name read-exports --policy-document {needed}"
        )
    document = response["Role"]["AssumeRolePolicyDocument"]
    show = f"aws iam get-role --role-name {name}"
    trust = Policy(f"the trust policy of {name}", document, show, mend_trust)
    context = service_context(pipeline.home, "personalize")
    yield policy_finding(trust, Question("Personalize", SERVICE, ["sts:AssumeRole"], [], context))
    denied = denied_actions(account, arn, IMPORT_GRANTS, resource_arns(pipeline))
    if denied:
        yield Finding("missing", f"{name} may not call {actions_text(denied)}", mend_policy)
    else:
        yield Finding("ok", f"{name} may read the exports")


def check_data_key(account: Account) -> Iterator[Finding]:
    """Find out whether Personalize may use the KMS key of the exports."""
    args, home = account.pipeline.args, account.pipeline.home
    if args and args.data_kms_key_arn:
        key_arn, context = str(args.data_kms_key_arn), service_context(home, "personalize")
        yield from _key_findings(
            account,
            key_arn,
            Question("Personalize", SERVICE, DATA_KEY_ACTIONS, [key_arn], context),
            Question("IAM policies", ("AWS", root_arn(home)), DATA_KEY_ACTIONS[:1], [key_arn]),
        )


def check_log_key(account: Account) -> Iterator[Finding]:
    """Find out whether the key of the logs, the topic and the dead letters can be used."""
    args, home = account.pipeline.args, account.pipeline.home
    if not (args and args.kms_key_arn):
        return
    key_arn, groups = str(args.kms_key_arn), resource_arn(home, "logs", "log-group:*")
    logs, alarms = f"logs.{home.region}.amazonaws.com", "cloudwatch.amazonaws.com"
    context: Mapping[str, str | None] = {
        **service_context(home, "logs"),
        ENCRYPTED_GROUP.lower(): groups,
    }
    condition = {"ArnLike": {ENCRYPTED_GROUP: groups}}
    key, account_only = [key_arn], {"StringEquals": {"aws:SourceAccount": home.account}}
    questions = [
        Question("CloudWatch Logs", ("Service", logs), LOG_ACTIONS, key, context, condition),
        Question("IAM policies", ("AWS", root_arn(home)), MESSAGE_ACTIONS, key),
    ]
    if args.notifications.topic_arn is None:  # alarms use the key only for a topic with this key
        context, who = service_context(home, "cloudwatch"), ("Service", alarms)
        questions += [Question("alarms", who, MESSAGE_ACTIONS, key, context, account_only)]
    yield from _key_findings(account, key_arn, *questions)


def _key_findings(account: Account, key_arn: str, *questions: Question) -> Iterator[Finding]:
    """Yield whether a key is enabled, and whether its policy allows all of its users."""
    client = account.client("kms")
    response = found(client.describe_key, KeyId=key_arn)
    state = response["KeyMetadata"]["KeyState"] if response else "gone"
    if state != "Enabled":
        cancel = f"aws kms cancel-key-deletion --key-id {key_arn} && "
        fix = f"{cancel * (state == 'PendingDeletion')}aws kms enable-key --key-id {key_arn}"
        yield Finding("missing", f"{key_arn} is {state}", fix if response else None)
        return
    command = f"aws kms {{}}-key-policy --key-id {key_arn} --policy-name default"
    document = json.loads(client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    mend = f"{command.format('put')} --policy {{}}"
    yield policy_finding(
        Policy("the key policy", document, command.format("get"), mend), *questions
    )


def check_export_events(account: Account) -> Iterator[Finding]:
    """Find out whether the buckets of the ready markers send their events to EventBridge."""
    settings = account.pipeline.settings
    markers = [row["readyMarker"] for row in settings["datasets"] if row["readyMarker"]]
    buckets = {split_location(marker).bucket for marker in markers}
    for bucket in sorted(buckets) if settings.get("triggerOnExport") else ():
        config = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
        del config["ResponseMetadata"]
        if "EventBridgeConfiguration" in config:
            yield Finding("ok", f"{bucket} sends its events to EventBridge")
            continue
        mended = shlex.quote(json.dumps({**config, "EventBridgeConfiguration": {}}))
        yield Finding(
            "missing",
            f"{bucket} does not send its events to EventBridge, so no export starts a run",
            f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
            f"--notification-configuration {mended}",
        )
