"""Checks the KMS keys of the exports and of the logs, and who may use them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import ClientError

from functions.exports import split_location
from functions.words import list_text
from retrain.account.errors import code_of
from retrain.check.findings import Finding
from retrain.check.policies import (
    PERSONALIZE,
    Request,
    keys_of,
    root_arn,
    service_context,
    verdict,
    with_statements,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.rules.arns import Home
    from retrain.check.findings import Account
    from retrain.check.policies import Statement

PROJECT = "personalize-retraining"
KMS_ALGORITHMS = ("aws:kms", "aws:kms:dsse")
DATA_KEY_ACTIONS = [
    *("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants"),
]
"""The actions on a key that AWS documents for Personalize:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html."""
LOG_ACTIONS = [
    *("kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"),
]
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
MESSAGE_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey*"]
"""The actions of the roles that send encrypted messages, and of CloudWatch's alarms:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html."""
TRY_IMPORT = "start one import, which shows whether Personalize may decrypt"
STATE_COMMANDS = {
    "Disabled": "aws kms enable-key --key-id {key}",
    "PendingDeletion": (
        "aws kms cancel-key-deletion --key-id {key} && aws kms enable-key --key-id {key}"
    ),
}
"""State of a key that cannot be used -> the command that mends it."""


class KeyUser(NamedTuple):
    """Who has to be allowed to use a key: the requests to expect, and the statement for them."""

    name: str
    requests: Sequence[Request]
    statement: Statement


def check_data_key(account: Account) -> Iterator[Finding]:
    """Find out whether Personalize may use the KMS key of the exports."""
    args, home = account.pipeline.args, account.pipeline.home
    configured = str(args.data_kms_key_arn) if args and args.data_kms_key_arn else None
    used = _keys_of_exports(account)
    # The settings of a state machine do not name the key.
    for key in sorted(used - {configured}) if args else ():
        yield Finding(
            "missing",
            f"the exports are encrypted with {key}, which dataKmsKeyArn does not name",
            f"pulumi config set {PROJECT}:dataKmsKeyArn {key} --stack {account.pipeline.stack}",
        )
    key_arn = configured or next(iter(sorted(used)), None)
    if key_arn is None:
        yield Finding("ok", "no KMS key of yours encrypts the exports")
    else:
        yield from _key_findings(account, key_arn, [_personalize(home, key_arn)], TRY_IMPORT)


def _keys_of_exports(account: Account) -> set[str]:
    """Return the KMS keys that encrypt the newest file of each export."""
    client = account.access.session.client("s3", **account.access.client_options)
    keys = set()
    for export in account.view.world.exports.values():
        newest = max(export.objects, key=lambda file: file.modified_at, default=None)
        if newest is not None:
            bucket = split_location(export.location).bucket
            head = client.head_object(Bucket=bucket, Key=newest.key)
            if head.get("ServerSideEncryption") in KMS_ALGORITHMS and "SSEKMSKeyId" in head:
                keys.add(head["SSEKMSKeyId"])
    return keys


def check_log_key(account: Account) -> Iterator[Finding]:
    """Find out whether the key of the logs, the topic and the dead letters can be used.

    The settings of a state machine do not name the key.
    """
    args, home = account.pipeline.args, account.pipeline.home
    if args is None:
        return
    if not args.kms_key_arn:
        yield Finding("ok", "no KMS key of yours encrypts the logs and messages")
        return
    creates_topic = args.notifications.topic_arn is None
    users = log_key_users(home, str(args.kms_key_arn), creates_topic=creates_topic)
    advice = "deploy, which shows whether the log groups can be created"
    yield from _key_findings(account, str(args.kms_key_arn), users, advice)


def _personalize(home: Home, key_arn: str) -> KeyUser:
    """Return Personalize as a user of the key of the exports.

    The statement lets the account's IAM policies decide about the roles, also if the key belongs to
    another account.
    """
    request = Request(PERSONALIZE, "kms:Decrypt", key_arn, service_context(home, "personalize"))
    principal = {"AWS": root_arn(home), "Service": PERSONALIZE}
    return KeyUser("Personalize", [request], _statement(principal, DATA_KEY_ACTIONS))


def log_key_users(home: Home, key_arn: str, *, creates_topic: bool) -> Sequence[KeyUser]:
    """Return who uses the key of the logs. Alarms use it only for a topic that it encrypts."""
    logs, alarms = f"logs.{home.region}.amazonaws.com", "cloudwatch.amazonaws.com"
    root = root_arn(home)
    log_groups = f"arn:{home.partition}:logs:{home.region}:{home.account}:log-group:*"
    encrypted_group = "kms:EncryptionContext:aws:logs:arn"
    log_context = {**service_context(home, "logs"), encrypted_group.lower(): log_groups}
    users = [
        KeyUser(
            "CloudWatch Logs",
            [
                Request(logs, f"kms:{verb}", key_arn, log_context)
                for verb in ("Encrypt", "Decrypt", "ReEncryptFrom", "GenerateDataKey")
            ],
            {
                **_statement({"Service": logs}, LOG_ACTIONS),
                "Condition": {"ArnLike": {encrypted_group: log_groups}},
            },
        ),
        KeyUser(
            "IAM policies",
            _message_requests(root, key_arn, {}),
            _statement({"AWS": root}, MESSAGE_ACTIONS),
        ),
    ]
    if creates_topic:
        context = service_context(home, "cloudwatch")
        statement = {
            **_statement({"Service": alarms}, MESSAGE_ACTIONS),
            "Condition": {"StringEquals": {"aws:SourceAccount": home.account}},
        }
        users.append(KeyUser("alarms", _message_requests(alarms, key_arn, context), statement))
    return users


def _message_requests(
    principal: str, key_arn: str, context: Mapping[str, str | None]
) -> list[Request]:
    """Return the requests of a principal that sends encrypted messages."""
    return [
        Request(principal, action, key_arn, context)
        for action in ("kms:Decrypt", "kms:GenerateDataKey")
    ]


def _statement(principal: Mapping[str, str], actions: Sequence[str]) -> dict[str, object]:
    """Return a statement of a key policy."""
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}


def _key_findings(
    account: Account, key_arn: str, users: Sequence[KeyUser], advice: str
) -> Iterator[Finding]:
    """Yield whether a key can be used, and whether its policy allows all of its users.

    `advice` is what to do if a policy cannot be judged.
    """
    owner, statements = key_arn.split(":")[4], [user.statement for user in users]
    if owner != account.pipeline.home.account:
        text = f"the key belongs to account {owner}, so its policy cannot be read"
        yield Finding("warn", text, f"let the owner add {json.dumps(statements)}")
        return
    client = account.access.session.client("kms", **account.access.client_options)
    try:
        metadata = client.describe_key(KeyId=key_arn)["KeyMetadata"]
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        yield Finding("missing", f"{key_arn} does not exist", "correct it in the stack's file")
        return
    if metadata["KeySpec"] != "SYMMETRIC_DEFAULT":
        text = f"the key has the type {metadata['KeySpec']}, but AWS needs a symmetric key"
        fix = "name another key in the stack's file; `aws kms create-key` creates a key"
        yield Finding("missing", text, fix)
    elif metadata["KeyState"] != "Enabled":
        state = metadata["KeyState"]
        command = STATE_COMMANDS.get(state, "aws kms describe-key --key-id {key}")
        text = f"the key is not enabled, its state is {state}"
        yield Finding("missing", text, command.format(key=key_arn))
    document = json.loads(client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    yield _policy_finding(document, key_arn, users, advice)


def _policy_finding(
    document: Mapping[str, object], key_arn: str, users: Sequence[KeyUser], advice: str
) -> Finding:
    """Return the finding about a key policy."""
    verdicts = {
        user.name: [verdict(document, request) for request in user.requests] for user in users
    }

    def names(result: str) -> str:
        """Return the users with a result, for a message."""
        found = [
            name for name, rows in verdicts.items() if any(row.result == result for row in rows)
        ]
        return list_text(found)

    rows = [row for of_user in verdicts.values() for row in of_user]
    if denied := names("denied"):
        keys = keys_of(rows, "denied")
        return Finding(
            "missing",
            f"the key policy denies {denied}{f', by {keys}' if keys else ''}",
            "correct the statement with Deny, which "
            f"`aws kms get-key-policy --key-id {key_arn} --policy-name default` shows",
        )
    if not_allowed := names("not allowed"):
        added = [
            user.statement
            for user in users
            if any(row.result == "not allowed" for row in verdicts[user.name])
        ]
        policy = shlex.quote(json.dumps(with_statements(document, *added)))
        return Finding(
            "missing",
            f"the key policy does not allow {not_allowed}",
            f"aws kms put-key-policy --key-id {key_arn} --policy-name default --policy {policy}",
        )
    if keys := keys_of(rows, "uncertain"):
        return Finding("warn", f"{keys} in the key policy cannot be judged from here", advice)
    return Finding("ok", "the key policy allows everything that needs the key")
