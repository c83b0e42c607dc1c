"""Checks what a pipeline needs to be deployed: the caller, the data, and AWS's services."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

from components import iam
from functions.bake_alarms import read_alarms
from functions.personalize.campaigns import find_served_version_arn, parse_record
from functions.personalize.statuses import is_active
from functions.planning.plan_run import GUARDS, find_problems
from functions.rules.versions import LONG_AGO
from functions.s3.exports import split_location
from retrain.account.access import read_if_exists
from retrain.account.permissions import (
    COMMANDS,
    file_arns,
    merged,
    policy_with,
    resource_arns,
)
from retrain.account.pulumi_cli import NotDeployedError
from retrain.check.findings import Finding, build_finding
from retrain.check.policies import PERSONALIZE, build_root_arn, build_service_context
from retrain.check.questions import (
    Question,
    build_alarms_question,
    format_actions,
    judge_policy,
    list_denied_actions,
)
from retrain.check.role_policies import find_blocking_policies, find_denied_requests
from retrain.look.lost_campaigns import describe_lost_campaigns, find_lost_campaigns
from retrain.look.runs import list_running_executions
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.rules.arns import Environment
    from functions.rules.campaigns import Trial
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Account, Level

SESSION = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.+")

DATA_KEY_ACTIONS = (
    *("kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:CreateGrant", "kms:ListGrants"),
)
"""What Personalize may do with the key of its data, as AWS documents it:
https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html."""
LOG_ACTIONS = (
    *("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"),
    "kms:GenerateDataKey*",
)
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html."""
MESSAGE_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey*")
"""The actions of the roles that send encrypted messages, and of CloudWatch's alarms:
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html."""
ENCRYPTED_GROUP = "kms:encryptioncontext:aws:logs:arn"


def check_caller(account: Account) -> Iterator[Finding]:
    """Check that the caller belongs to the account in the ARNs, and may run each command."""
    home = account.pipeline.home
    if account.caller.split(":")[4] != home.account:
        text = (
            f"{account.caller} is not of the pipeline's account {home.account}; choose other "
            "credentials with --profile"
        )
        yield Finding("missing", text)
        return

    yield Finding("ok", f"{account.caller}, region {home.region}")

    # IAM simulates requests of users and roles only.
    if not account.caller.endswith(":root"):
        yield from _check_commands(account, _find_principal_arn(account))


def _find_principal_arn(account: Account) -> str:
    """Find the caller's user or role, because IAM doesn't simulate a role's session."""
    session = SESSION.fullmatch(account.caller)
    if session is None:
        return account.caller

    partition, account_id, role_name = session.groups()
    response = read_if_exists(account.client("iam").get_role, RoleName=role_name)
    if response is None:
        return f"arn:{partition}:iam::{account_id}:role/{role_name}"
    # The ARN of a session lacks the path of its role.
    return str(response["Role"]["Arn"])


def _check_commands(account: Account, principal_arn: str) -> Iterator[Finding]:
    """Warn of each command that the caller may not run."""
    grants = merged(*COMMANDS.values())
    denied = list_denied_actions(account, principal_arn, grants, resource_arns(account.pipeline))
    if not denied:
        yield Finding("ok", "every command is allowed")

    policy_command = account.pipeline.command("doctor", "--policy")
    for command, needed in COMMANDS.items():
        lacking = denied.intersection(chain.from_iterable(needed.values()))
        if lacking:
            text = f"`retrain {command}` lacks {format_actions(lacking)}"
            yield Finding("warn", text, policy_command)


def check_campaigns(account: Account) -> Iterator[Finding]:
    """Check that each campaign exists. Otherwise, its users get errors now."""
    for message in describe_lost_campaigns(account.view, account.pipeline.target):
        yield build_finding("missing", message, account.pipeline.options)


def check_guards(account: Account) -> Iterator[Finding]:
    """Yield a finding for each message of a guard, or one that no guard stops a run."""
    if day := account.view.run["request"].get("day"):
        yield Finding("ok", f"today's exports are not all there, so those of {day} were checked")

    lost_campaign_arns = find_lost_campaigns(account.view).keys()
    is_ok = True
    for guard in GUARDS:
        for message in find_problems(guard, account.view):
            is_ok = False
            # `check_campaigns` has named it, with the command that creates it again.
            if message["text"].partition(": ")[0] in lost_campaign_arns:
                continue
            level: Level = "warn" if guard.effect == "WARN" else "missing"
            yield build_finding(level, message, account.pipeline.options)
    if is_ok:
        yield Finding("ok", "the datasets, exports, solutions and campaigns are ready for a run")


def check_incremental_updates(account: Account) -> Iterator[Finding]:
    """Warn of solutions whose versions Personalize updates by itself.

    Each update is billed, and no gate and no probe judges it:
    https://docs.aws.amazon.com/personalize/latest/dg/native-recipe-semantic-similarity.html
    """
    for solution in account.view.solutions:
        description = solution.solution_snapshot.description
        if description and description.get("performIncrementalUpdate"):
            text = (
                f"{solution.arn}: updates its versions by itself, which costs money and passes by "
                "every gate; turn that off:"
            )
            command = (
                f"aws personalize update-solution --solution-arn {solution.arn} "
                "--no-perform-incremental-update"
            )
            yield Finding("warn", text, command)


def check_way_back(account: Account) -> Iterator[Finding]:
    """Check that each campaign has a probe or a bake, and a version to be rolled back to."""
    for solution in account.view.solutions:
        snapshot = solution.solution_snapshot
        for campaign_settings in solution.solution_settings["campaigns"]:
            campaign_arn = campaign_settings["campaignArn"]
            name = short_name(campaign_arn)
            if campaign_settings["probe"] is None and campaign_settings["bake"] is None:
                text = (
                    f"{name} has no probe and no bake, so nothing moves a bad version back; add a "
                    "probe to the campaign in the stack's file"
                )
                yield Finding("warn", text)

            # `check_campaigns` reports campaigns that don't exist.
            if campaign_arn in snapshot.campaigns:
                record = parse_record(snapshot.campaign_tags[campaign_arn], solution.arn)
                served_arn = find_served_version_arn(snapshot.campaigns[campaign_arn])
                yield from _check_trial(account, name, record.trial)
                yield _judge_rollback_target(
                    account, name, record.find_rollback_target_arn(served_arn)
                )


def _check_trial(account: Account, campaign_name: str, trial: Trial | None) -> Iterator[Finding]:
    """Warn of a version on trial if no run is active that could finish the trial."""
    target = account.pipeline.target
    if trial is None or target is None or list_running_executions(target):
        return

    text = (
        f"{short_name(trial.version_arn)} is on trial at {campaign_name}, but no run is active; "
        "the watcher starts one soon, or start one:"
    )
    command = (
        'aws stepfunctions start-execution --input \'{"only": "trials"}\' '
        f"--state-machine-arn {target.state_machine_arn}"
    )
    yield Finding("warn", text, command)


def _judge_rollback_target(
    account: Account, campaign_name: str, version_arn: str | None
) -> Finding:
    """Judge whether a campaign could still be rolled back to its last good version."""
    if version_arn is None:
        return Finding("ok", f"{campaign_name} gets a way back with its next version")

    client = account.client("personalize")
    response = read_if_exists(client.describe_solution_version, solutionVersionArn=version_arn)
    status = response["solutionVersion"]["status"] if response else "gone"
    if is_active(status):
        return Finding("ok", short_name(version_arn))

    text = f"{short_name(version_arn)} is {status}, so {campaign_name} cannot be rolled back to it"
    # A training needs no import, and the run would be refused if the next export isn't there yet.
    train = account.pipeline.command("start", "--skip-import", "--force")
    return Finding("missing", text, train)


def check_bakes(account: Account) -> Iterator[Finding]:
    """Check the alarms in the config. A deployment creates those of `createAlarms`."""
    alarm_arns = set()
    for solution_settings in account.pipeline.settings["solutions"]:
        for campaign_settings in solution_settings["campaigns"]:
            if campaign_settings["bake"]:
                alarm_arns.update(campaign_settings["bake"]["alarms"])

    for alarm_arn in sorted(alarm_arns):
        yield from _check_bake_alarm(account, alarm_arn.partition(":alarm:")[2])


def _check_bake_alarm(account: Account, alarm_name: str) -> Iterator[Finding]:
    """Check that an alarm can still go off during a bake."""
    (alarm,) = read_alarms(account.client("cloudwatch"), [alarm_name])
    if alarm.state_changed_at > LONG_AGO:
        yield Finding("ok", f"the alarm {alarm_name}")
    else:
        text = (
            f"the alarm {alarm_name} {alarm.state}, so it moves nothing back; create the alarm, or "
            "take its ARN out of bake.alarms in the stack's file"
        )
        yield Finding("missing", text)

    if alarm.state == "ALARM":
        text = (
            f"the alarm {alarm_name} is in ALARM, so it cannot go off during a bake; solve its "
            "problem before the next run, or change the alarm"
        )
        yield Finding("warn", text)


def check_bucket_policies(account: Account) -> Iterator[Finding]:
    """Check that the policy of each bucket lets Personalize read the exports.

    It also has to read the inputs of batch jobs, and to write their results.
    """
    arns_by_action = file_arns(account.pipeline)
    for bucket_arn in arns_by_action["s3:ListBucket"]:
        arns_in_bucket = {
            action: [arn for arn in arns if arn.partition("/")[0] == bucket_arn]
            for action, arns in arns_by_action.items()
        }
        yield _judge_bucket(account, bucket_arn.rpartition(":")[2], arns_in_bucket)


def _judge_bucket(
    account: Account, bucket: str, arns_by_action: Mapping[str, Sequence[str]]
) -> Finding:
    """Judge whether a bucket exists, and its policy allows each action on its ARNs."""
    client = account.client("s3")
    home = account.pipeline.home
    if read_if_exists(client.head_bucket, Bucket=bucket) is None:
        create = f"aws s3 mb s3://{bucket} --region {home.region}"
        return Finding("missing", f"{bucket} does not exist; correct its name, or:", create)

    response = read_if_exists(client.get_bucket_policy, Bucket=bucket)
    document = json.loads(response["Policy"]) if response else None
    context = build_service_context(home, "personalize")
    questions = [
        Question("Personalize", PERSONALIZE, [action], arns, context)
        for action, arns in arns_by_action.items()
        if arns
    ]
    mend = f"aws s3api put-bucket-policy --bucket {bucket} --policy {{}}"
    return judge_policy(f"the policy of {bucket}", document, mend, *questions)


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
        mend = _choose_role_remedy(pipeline, pipeline.config_command("rm importRoleArn"))
        yield Finding("missing", f"{role_arn} does not exist", mend)
        return

    trust_policy = response["Role"]["AssumeRolePolicyDocument"]
    yield _judge_import_trust(pipeline, role_name, trust_policy)
    yield from _check_import_permissions(account, role_arn, role_name)


def _judge_import_trust(
    pipeline: ExaminedPipeline, role_name: str, trust_policy: Mapping[str, object]
) -> Finding:
    """Judge whether the trust policy of the import role lets Personalize assume the role."""
    mend = f"aws iam update-assume-role-policy --role-name {role_name} --policy-document {{}}"
    context = build_service_context(pipeline.home, "personalize")
    return judge_policy(
        f"the trust policy of {role_name}",
        trust_policy,
        _choose_role_remedy(pipeline, mend),
        Question("Personalize", PERSONALIZE, ["sts:AssumeRole"], [], context),
    )


def _choose_role_remedy(pipeline: ExaminedPipeline, user_command: str) -> str:
    """Choose between a command for the user's own role, and the deployment that creates one."""
    if pipeline.args is None or pipeline.args.import_role_arn is None:
        return pipeline.deploy_command
    return user_command


def _check_import_permissions(account: Account, role_arn: str, role_name: str) -> Iterator[Finding]:
    """Check that the import role may read the exports, and name the policies that forbid it."""
    pipeline = account.pipeline
    locations = [dataset["dataLocation"] for dataset in pipeline.settings["datasets"]]
    # It needs no key: https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html
    arns_by_action = iam.map_s3_actions_to_arns(pipeline.home.partition, locations)
    grants = {action: [action] for action in arns_by_action}

    denied = find_denied_requests(account, role_arn, grants, arns_by_action)
    if not denied:
        yield Finding("ok", f"{role_name} may read the exports")
        return

    blocking = list(find_blocking_policies(account, role_name, denied))
    if blocking:
        yield from blocking
        return

    document = json.dumps(policy_with(grants, arns_by_action))
    mend = (
        f"aws iam put-role-policy --role-name {role_name} --policy-name read-exports "
        f"--policy-document {shlex.quote(document)}"
    )
    denied_actions = {request.action for request in denied}
    text = f"{role_name} may not call {format_actions(denied_actions)}"
    yield Finding("missing", text, _choose_role_remedy(pipeline, mend))


def check_keys(account: Account) -> Iterator[Finding]:
    """Check that everyone who needs a KMS key of the stack's file may use it."""
    args = account.pipeline.args
    if args is None:
        return

    home = account.pipeline.home
    # Both settings may name the same key.
    questions_by_key: dict[str, list[Question]] = defaultdict(list)
    if args.data_kms_key_arn:
        key_arn = str(args.data_kms_key_arn)
        questions_by_key[key_arn] += _build_data_key_questions(home, key_arn)
    if args.kms_key_arn:
        key_arn = str(args.kms_key_arn)
        creates_topic = args.notifications.topic_arn is None
        questions_by_key[key_arn] += _build_log_key_questions(
            home, key_arn, creates_topic=creates_topic
        )

    for key_arn, questions in questions_by_key.items():
        yield _judge_key(account, key_arn, questions)


def _build_data_key_questions(home: Environment, key_arn: str) -> list[Question]:
    """Build the questions about the key with which Personalize encrypts the data."""
    context = build_service_context(home, "personalize")
    return [
        Question("Personalize", PERSONALIZE, DATA_KEY_ACTIONS, [key_arn], context),
        Question("IAM policies", build_root_arn(home), ["kms:Decrypt"], [key_arn]),
    ]


def _build_log_key_questions(
    home: Environment, key_arn: str, *, creates_topic: bool
) -> list[Question]:
    """Build the questions about the key that encrypts the logs and the messages."""
    log_service = f"logs.{home.region}.amazonaws.com"
    log_groups = {ENCRYPTED_GROUP: iam.build_arn(home, "logs", "log-group:*")}
    context = {**build_service_context(home, "logs"), **log_groups}
    condition = {"ArnLike": log_groups}
    questions = [
        Question("CloudWatch Logs", log_service, LOG_ACTIONS, [key_arn], context, condition),
        Question("IAM policies", build_root_arn(home), MESSAGE_ACTIONS, [key_arn]),
    ]
    # Only a topic that the deployment creates is encrypted with this key.
    if creates_topic:
        questions.append(build_alarms_question(home, MESSAGE_ACTIONS, key_arn))
    return questions


def _judge_key(account: Account, key_arn: str, questions: Sequence[Question]) -> Finding:
    """Judge whether a key is enabled, and its policy allows what the questions ask for."""
    client = account.client("kms")
    response = read_if_exists(client.describe_key, KeyId=key_arn)
    if response is None:
        return Finding("missing", f"{key_arn} is gone")

    state = response["KeyMetadata"]["KeyState"]
    if state != "Enabled":
        mend = f"aws kms enable-key --key-id {key_arn}"
        if state == "PendingDeletion":
            mend = f"aws kms cancel-key-deletion --key-id {key_arn} && {mend}"
        return Finding("missing", f"{key_arn} is {state}", mend)

    document = json.loads(client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    mend = f"aws kms put-key-policy --key-id {key_arn} --policy-name default --policy {{}}"
    return judge_policy(f"the policy of {key_arn}", document, mend, *questions)


def check_export_events(account: Account) -> Iterator[Finding]:
    """Check that the buckets of the ready markers send their events to EventBridge."""
    settings = account.pipeline.settings
    if not settings.get("triggerOnExport"):
        return

    markers = [dataset["readyMarker"] for dataset in settings["datasets"]]
    buckets = {split_location(marker).bucket for marker in markers if marker}
    for bucket in sorted(buckets):
        yield _judge_bucket_events(account, bucket)


def _judge_bucket_events(account: Account, bucket: str) -> Finding:
    """Judge whether a bucket sends its events to EventBridge."""
    config = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    del config["ResponseMetadata"]
    if "EventBridgeConfiguration" in config:
        return Finding("ok", bucket)

    # A new configuration replaces the bucket's, so the command repeats what is in it.
    mended = json.dumps({**config, "EventBridgeConfiguration": {}})
    command = (
        f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
        f"--notification-configuration {shlex.quote(mended)}"
    )
    return Finding("missing", f"{bucket} does not send its events to EventBridge", command)


def check_deployment(account: Account) -> Iterator[Finding]:
    """Check that the pipeline is deployed, and that its state machine can run."""
    pipeline = account.pipeline
    if pipeline.error is not None:
        # A pipeline that was deployed and cannot be read may have lost any of its parts.
        level: Level = "warn" if isinstance(pipeline.error, NotDeployedError) else "missing"
        yield Finding(level, pipeline.error.text, pipeline.error.command)
    elif pipeline.target is not None:
        name = pipeline.target.name
        status = pipeline.target.state_machine["status"]
        if status == "ACTIVE":
            yield Finding("ok", f"{name} is deployed")
        else:
            yield Finding("missing", f"{name} is {status}", pipeline.deploy_command)
