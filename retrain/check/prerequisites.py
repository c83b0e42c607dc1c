"""Checks what a pipeline needs to be deployed: the caller, the data, and AWS's services."""

from __future__ import annotations

import json
import re
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING

from components import iam
from functions.bake_alarms import read_alarms
from functions.personalize.campaigns import find_served_version_arn, parse_record
from functions.personalize.statuses import is_active
from functions.planning.plan_run import GUARDS, find_problems
from functions.rules.versions import LONG_AGO
from functions.s3.exports import split_location
from retrain.account.permissions import (
    COMMANDS,
    file_arns,
    merged,
    policy_with,
    resource_arns,
)
from retrain.account.pulumi_cli import NotDeployedError
from retrain.check.findings import Finding, finding_of, found
from retrain.check.policies import PERSONALIZE, root_arn, service_context
from retrain.check.questions import (
    Question,
    actions_text,
    alarms_question,
    denied_actions,
    policy_finding,
)
from retrain.check.role_policies import find_blocking_policies, find_denied_requests
from retrain.look.lost_campaigns import describe_lost_campaigns
from retrain.look.runs import running_executions
from retrain.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrain.check.findings import Account, Level

SESSION = re.compile(r"arn:([^:]+):sts::(\d+):assumed-role/([^/]+)/.+")

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
ENCRYPTED_GROUP = "kms:encryptioncontext:aws:logs:arn"


def check_caller(account: Account) -> Iterator[Finding]:
    """Check that the caller belongs to the account in the ARNs, and may run each command."""
    home, principal = account.pipeline.home, account.caller
    if principal.split(":")[4] != home.account:
        text = f"{principal} is not of the pipeline's account {home.account}"
        yield Finding("missing", f"{text}; choose other credentials with --profile")
        return
    yield Finding("ok", f"{principal}, region {home.region}")
    if principal.endswith(":root"):
        return
    if session := SESSION.fullmatch(principal):
        partition, number, name = session.groups()
        # The ARN of a session lacks the path of its role.
        response = found(account.client("iam").get_role, RoleName=name)
        unknown = f"arn:{partition}:iam::{number}:role/{name}"
        principal = response["Role"]["Arn"] if response else unknown
    grants = merged(*COMMANDS.values())
    denied = denied_actions(account, principal, grants, resource_arns(account.pipeline))
    policy_command = account.pipeline.command("doctor", "--policy")
    for command, needed in COMMANDS.items():
        lacking = denied & {action for actions in needed.values() for action in actions}
        if lacking:
            text = f"`retrain {command}` lacks {actions_text(lacking)}"
            yield Finding("warn", text, policy_command)
    if not denied:
        yield Finding("ok", "every command is allowed")


def check_campaigns(account: Account) -> Iterator[Finding]:
    """Check that each campaign exists. Otherwise, its users get errors now."""
    for message in describe_lost_campaigns(account.view, account.pipeline.target):
        yield finding_of("missing", message, account.pipeline.options)


def check_guards(account: Account) -> Iterator[Finding]:
    """Yield a finding for each message of a guard, or one that no guard stops a run."""
    if day := account.view.run["request"].get("day"):
        yield Finding("ok", f"today's exports are not all there, so those of {day} were checked")

    is_ok = True
    for guard in GUARDS:
        for message in find_problems(guard, account.view):
            is_ok = False
            level: Level = "warn" if guard.effect == "WARN" else "missing"
            yield finding_of(level, message, account.pipeline.options)
    if is_ok:
        yield Finding("ok", "the datasets, exports, solutions and campaigns are ready for a run")


def check_incremental_updates(account: Account) -> Iterator[Finding]:
    """Warn of solutions whose versions Personalize updates by itself.

    Each update is billed, and no gate and no probe judges it:
    https://docs.aws.amazon.com/personalize/latest/dg/native-recipe-semantic-similarity.html
    """
    for solution in account.view.solutions:
        description = solution.solution_snapshot.description or {}
        if description.get("performIncrementalUpdate"):
            text = "updates its versions by itself, which costs money and passes by every gate"
            stop = f"aws personalize update-solution --solution-arn {solution.arn}"
            stop += " --no-perform-incremental-update"
            yield Finding("warn", f"{solution.arn}: {text}; turn that off:", stop)


def check_way_back(account: Account) -> Iterator[Finding]:
    """Check that each campaign has a probe or a bake, and a version to be rolled back to."""
    client = account.client("personalize")
    pipeline = account.pipeline
    for solution in account.view.solutions:
        snapshot = solution.solution_snapshot
        for configured in solution.solution_settings["campaigns"]:
            arn = configured["campaignArn"]
            name = arn.rpartition("/")[2]
            if configured["probe"] is None and configured["bake"] is None:
                text = f"{name} has no probe and no bake, so nothing moves a bad version back"
                yield Finding("warn", f"{text}; add a probe to the campaign in the stack's file")
            if arn not in snapshot.campaigns:
                continue
            record = parse_record(snapshot.campaign_tags[arn], solution.arn)
            if record.trial and pipeline.target and not running_executions(pipeline.target):
                trial = short_name(record.trial.version_arn)
                text = f"{trial} is on trial at {name}, but no run is active;"
                start = 'aws stepfunctions start-execution --input \'{"only": "trials"}\''
                fix = f"{start} --state-machine-arn {pipeline.target.state_machine_arn}"
                yield Finding("warn", f"{text} the watcher starts one soon, or start one:", fix)
            version = record.find_rollback_target_arn(
                find_served_version_arn(snapshot.campaigns[arn])
            )
            if version is None:
                yield Finding("ok", f"{name} gets a way back with its next version")
                continue
            response = found(client.describe_solution_version, solutionVersionArn=version)
            status = response["solutionVersion"]["status"] if response else "gone"
            problem = (
                None if is_active(status) else f"is {status}, so {name} cannot be rolled back to it"
            )
            fix = pipeline.command("start", "--skip-import", "--force")
            yield account.finding(short_name(version), problem, fix)


def check_bakes(account: Account) -> Iterator[Finding]:
    """Check the alarms in the config. A deployment creates those of `createAlarms`."""
    client = account.client("cloudwatch")
    solutions = account.pipeline.settings["solutions"]
    bakes = [campaign["bake"] for item in solutions for campaign in item["campaigns"]]
    for arn in sorted({arn for bake in bakes if bake for arn in bake["alarms"]}):
        name = arn.partition(":alarm:")[2]
        (alarm,) = read_alarms(client, [name])
        if alarm.state_changed_at > LONG_AGO:
            yield Finding("ok", f"the alarm {name}")
        else:
            text = (
                f"the alarm {name} {alarm.state}, so it moves nothing back; create the alarm, or "
                "take its ARN out of bake.alarms in the stack's file"
            )
            yield Finding("missing", text)
        if alarm.state == "ALARM":
            text = (
                f"the alarm {name} is in ALARM, so it cannot go off during a bake; solve its "
                "problem before the next run, or change the alarm"
            )
            yield Finding("warn", text)


def check_bucket_policies(account: Account) -> Iterator[Finding]:
    """Check that the policy of each bucket lets Personalize read the exports.

    It also has to read the inputs of batch jobs, and to write their results.
    """
    client = account.client("s3")
    context = service_context(account.pipeline.home, "personalize")
    needed = file_arns(account.pipeline)

    for bucket_arn in needed["s3:ListBucket"]:
        bucket = bucket_arn.rpartition(":")[2]
        if found(client.head_bucket, Bucket=bucket) is None:
            region = account.pipeline.home.region
            create = f"aws s3 mb s3://{bucket} --region {region}"
            yield Finding("missing", f"{bucket} does not exist; correct its name, or:", create)
            continue

        response = found(client.get_bucket_policy, Bucket=bucket)
        document = json.loads(response["Policy"]) if response else None
        mend = f"aws s3api put-bucket-policy --bucket {bucket} --policy {{}}"
        yield policy_finding(
            *(f"the policy of {bucket}", document, mend),
            *(
                Question("Personalize", PERSONALIZE, [action], in_bucket, context)
                for action, arns in needed.items()
                if (in_bucket := [arn for arn in arns if arn.partition("/")[0] == bucket_arn])
            ),
        )


def check_import_role(account: Account) -> Iterator[Finding]:
    """Check that Personalize may assume the import role, and that the role may read the exports."""
    pipeline, client = account.pipeline, account.client("iam")
    arn = pipeline.settings["importRoleArn"]
    name = arn.rpartition("/")[2]
    mend_role = pipeline.config_command("rm importRoleArn")
    locations = [dataset["dataLocation"] for dataset in pipeline.settings["datasets"]]
    # It needs no key: https://docs.aws.amazon.com/personalize/latest/dg/granting-personalize-key-access.html
    needed = iam.map_s3_actions_to_arns(pipeline.home.partition, locations)
    grants = {action: [action] for action in needed}
    document = shlex.quote(json.dumps(policy_with(grants, needed)))
    named = f"--role-name {name} --policy"
    mend_trust = f"aws iam update-assume-role-policy {named}-document {{}}"
    mend_policy = f"aws iam put-role-policy {named}-name read-exports --policy-document {document}"
    if pipeline.args is None or pipeline.args.import_role_arn is None:
        mend_role = mend_trust = mend_policy = pipeline.deploy_command
    response = found(client.get_role, RoleName=name) if arn else None
    if response is None:
        missing = Finding("missing", f"{arn} does not exist", mend_role)
        yield missing if arn else Finding("ok", "the deployment creates the import role")
        return
    trust = response["Role"]["AssumeRolePolicyDocument"]
    context = service_context(pipeline.home, "personalize")
    assume = Question("Personalize", PERSONALIZE, ["sts:AssumeRole"], [], context)
    yield policy_finding(f"the trust policy of {name}", trust, mend_trust, assume)

    denied = find_denied_requests(account, arn, grants, needed)
    if not denied:
        yield Finding("ok", f"{name} may read the exports")
        return

    text = f"{name} may not call {actions_text({request.action for request in denied})}"
    blocking = list(find_blocking_policies(account, name, denied))
    yield from blocking or [Finding("missing", text, mend_policy)]


def check_keys(account: Account) -> Iterator[Finding]:
    """Check that everyone who needs a KMS key of the stack's file may use it."""
    args, home = account.pipeline.args, account.pipeline.home
    questions_of: dict[str, list[Question]] = defaultdict(list)
    if args and args.data_kms_key_arn:
        arn, context = str(args.data_kms_key_arn), service_context(home, "personalize")
        questions_of[arn] += [
            Question("Personalize", PERSONALIZE, DATA_KEY_ACTIONS, [arn], context),
            Question("IAM policies", root_arn(home), DATA_KEY_ACTIONS[:1], [arn]),
        ]
    if args and args.kms_key_arn:
        arn, logs = str(args.kms_key_arn), f"logs.{home.region}.amazonaws.com"
        group = {ENCRYPTED_GROUP: iam.build_arn(home, "logs", "log-group:*")}
        context = {**service_context(home, "logs"), **group}
        questions_of[arn] += [
            Question("CloudWatch Logs", logs, LOG_ACTIONS, [arn], context, {"ArnLike": group}),
            Question("IAM policies", root_arn(home), MESSAGE_ACTIONS, [arn]),
        ]
        if args.notifications.topic_arn is None:  # alarms use the key only for a topic with it
            questions_of[arn].append(alarms_question(home, MESSAGE_ACTIONS, arn))
    client = account.client("kms")
    for arn, questions in questions_of.items():
        response = found(client.describe_key, KeyId=arn)
        state = response["KeyMetadata"]["KeyState"] if response else "gone"
        if state != "Enabled":
            fix = f"aws kms enable-key --key-id {arn}"
            if state == "PendingDeletion":
                fix = f"aws kms cancel-key-deletion --key-id {arn} && {fix}"
            yield Finding("missing", f"{arn} is {state}", fix if response else None)
            continue
        document = json.loads(client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
        mend = f"aws kms put-key-policy --key-id {arn} --policy-name default --policy {{}}"
        yield policy_finding(f"the policy of {arn}", document, mend, *questions)


def check_export_events(account: Account) -> Iterator[Finding]:
    """Check that the buckets of the ready markers send their events to EventBridge."""
    settings = account.pipeline.settings
    markers = [dataset["readyMarker"] for dataset in settings["datasets"]]
    buckets = {split_location(marker).bucket for marker in markers if marker}
    for bucket in sorted(buckets) if settings.get("triggerOnExport") else ():
        config = account.client("s3").get_bucket_notification_configuration(Bucket=bucket)
        del config["ResponseMetadata"]
        sends = "EventBridgeConfiguration" in config
        mended = shlex.quote(json.dumps({**config, "EventBridgeConfiguration": {}}))
        mend = f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
        mend += f"--notification-configuration {mended}"
        problem = None if sends else "does not send its events to EventBridge"
        yield account.finding(bucket, problem, mend)


def check_deployment(account: Account) -> Iterator[Finding]:
    """Check that the pipeline is deployed, and that its state machine can run."""
    pipeline = account.pipeline
    if pipeline.error is not None:
        # A pipeline that was deployed and cannot be read may have lost any of its parts.
        level: Level = "warn" if isinstance(pipeline.error, NotDeployedError) else "missing"
        yield Finding(level, pipeline.error.text, pipeline.error.command)
        return

    name = account.target.name
    status = account.machine["status"]
    if status == "ACTIVE":
        yield Finding("ok", f"{name} is deployed")
    else:
        yield Finding("missing", f"{name} is {status}", pipeline.deploy_command)
