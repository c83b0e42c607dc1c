"""Checks problems of a deployed pipeline that Pulumi's comparison doesn't reveal.

For example, Pulumi doesn't notice a function that has failed, an alarm that has gone off, or an
additional policy of a role that denies what the role needs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from components import iam
from components.alarms import list_alarms
from components.function_configs import FUNCTION_CONFIGS
from functions.common.formatting import format_list
from retrain.account.access import read_if_exists
from retrain.account.errors import join_lines
from retrain.account.permissions import list_arns_by_kind
from retrain.account.subscriptions import list_subscriptions, read_filter_policies
from retrain.account.triggers import describe_schedule
from retrain.check.findings import Finding
from retrain.check.resource_policies import assess_policy, build_alarm_access
from retrain.check.role_policies import (
    explain_denied_requests,
    find_denied_requests,
    list_added_policies,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.account.access import Access
    from retrain.account.subscriptions import Subscription
    from retrain.check.deployed_account import DeployedAccount
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Level
    from retrain.check.policy_evaluation import Request

SCHEDULED_ACTIONS = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction"}
"""Service -> the IAM action that a schedule needs to call it."""
CONFIGS_BY_HANDLER = {
    f"functions.{module}.handler": config for module, config in FUNCTION_CONFIGS.items()
}
"""Handler of a Lambda function -> its configuration, which includes its permissions."""


def check_functions(account: DeployedAccount) -> Iterator[Finding]:
    """Check that each function exists and can be invoked."""
    for name, configs in account.function_configs.items():
        problem = None
        if None in configs:
            problem = "does not exist, or lacks the version that runs call"
        elif any(config["State"] == "Failed" for config in configs):
            problem = "is Failed"
        yield account.report_resource(name, problem)


def check_roles(account: DeployedAccount) -> Iterator[Finding]:
    """Check that each role has the permissions that it needs. If it doesn't, explain why."""
    denied_requests: dict[str, list[Request]] = defaultdict(list)
    for permission in _list_needed_permissions(account):
        denied_requests[permission.role_arn] += find_denied_requests(account, *permission)

    for role_arn, denied in sorted(denied_requests.items()):
        yield from _check_role(account, role_arn.rpartition("/")[2], denied)


def _check_role(
    account: DeployedAccount, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Report the permissions that a role lacks. If it has them all, warn about added policies."""
    if read_if_exists(account.client("iam").get_role, RoleName=role_name) is None:
        yield account.report_resource(role_name, "does not exist")
        return

    if denied:
        deploy_command = account.pipeline.deploy_command
        yield from explain_denied_requests(account, role_name, denied, deploy_command)
        return

    yield Finding("ok", role_name)
    for policy in list_added_policies(account, role_name):
        text = f"{role_name}: {policy.description} is not from this stack; to take it away:"
        yield Finding("warn", text, policy.removal_command)


class NeededPermission(NamedTuple):
    """IAM actions that a role has to be allowed on certain resources."""

    role_arn: str
    actions: Sequence[str]
    arns: Sequence[str]
    """The ARNs of the resources. Empty if the pipeline has no such resource."""


def _list_needed_permissions(account: DeployedAccount) -> Iterator[NeededPermission]:
    """List the permissions that the state machine, the schedules and the functions need."""
    machine_role_arn = account.target.state_machine["roleArn"]
    yield NeededPermission(
        machine_role_arn, ["lambda:InvokeFunction"], account.published_version_arns
    )

    for service, schedule in account.schedules.items():
        target = schedule["Target"]
        action = SCHEDULED_ACTIONS[service]
        yield NeededPermission(target["RoleArn"], [action], [target["Arn"]])
        if "DeadLetterConfig" in target:
            queue_arn = target["DeadLetterConfig"]["Arn"]
            yield NeededPermission(target["RoleArn"], ["sqs:SendMessage"], [queue_arn])

    yield from _list_function_permissions(account)


def _list_function_permissions(account: DeployedAccount) -> Iterator[NeededPermission]:
    """List the permissions that FUNCTION_CONFIGS defines for the latest code of each function."""
    # The roles were created for the deployed settings, from which the stack's file may differ.
    arns_by_kind = list_arns_by_kind(replace(account.pipeline, settings=account.target.settings))
    # Each function's first configuration belongs to its latest code.
    for deployed_config, *_ in account.function_configs.values():
        if deployed_config is None or deployed_config["Handler"] not in CONFIGS_BY_HANDLER:
            continue

        role_arn = deployed_config["Role"]
        config = CONFIGS_BY_HANDLER[deployed_config["Handler"]]
        for kind, actions in config.permissions.items():
            yield NeededPermission(role_arn, actions, arns_by_kind[kind])

        log_group = deployed_config["LoggingConfig"]["LogGroup"]
        log_stream = f"log-group:{log_group}:log-stream:any"
        log_arn = iam.build_arn(account.pipeline.environment, "logs", log_stream)
        yield NeededPermission(role_arn, ["logs:PutLogEvents"], [log_arn])


def check_schedule(account: DeployedAccount) -> Iterator[Finding]:
    """Say when the schedule starts the next run, or warn that the pipeline is paused."""
    pipeline = account.pipeline
    schedule = account.schedules.get("states")
    if schedule is None:
        return

    if schedule["State"] == "ENABLED":
        yield Finding("ok", describe_schedule(schedule, account.now))
    elif account.is_paused_by_hand:
        text = (
            "paused by hand, so no run starts by itself until somebody resumes it, or runs "
            f"`{pipeline.deploy_command}`"
        )
        yield Finding("warn", text, pipeline.command("resume"))
    else:
        unpause_command = pipeline.config_command("set paused false")
        yield Finding("warn", "the pipeline is paused, so no run starts by itself", unpause_command)


def check_other_pipelines(account: DeployedAccount) -> Iterator[Finding]:
    """Warn about other pipelines with the same name, because their alarms and charts mix with ours.

    Such a pipeline may be left over from a stack that was removed by force, which doesn't delete
    the stack's resources.
    """
    for machine_arn in account.other_state_machine_arns:
        text = (
            f"{machine_arn} has the name {account.pipeline_name} too, so their alarms and charts "
            "mix; rename one stack, or if the other one was removed, end its schedules:"
        )
        delete_command = (
            f"aws scheduler delete-schedule-group --name {machine_arn.rpartition(':')[2]}"
        )
        yield Finding("warn", text, delete_command)


def check_ringing_alarms(account: DeployedAccount) -> Iterator[Finding]:
    """Warn about alarms in the state ALARM, with advice from the alarms' definitions."""
    for alarm in list_alarms(account.target.settings):
        # The advice may contain commands with the placeholder STACK.
        advice = alarm.what_to_do.replace("STACK", account.pipeline.stack or "STACK")
        for deployed_alarm in account.find_deployed_alarms(alarm.name):
            if deployed_alarm["StateValue"] == "ALARM":
                reason = join_lines(deployed_alarm["StateReason"])
                yield Finding("warn", f"{alarm.name} is in ALARM: {reason}. {advice}")


def check_messages(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the SNS topic exists, alarms may publish to it, and somebody gets its messages."""
    topic_arn = account.pipeline.topic_arn
    topic_name = f"the topic {topic_arn.rpartition(':')[2]}"
    response = read_if_exists(account.client("sns").get_topic_attributes, TopicArn=topic_arn)
    if response is None:
        yield account.report_resource(topic_name, "does not exist")
        return

    yield Finding("ok", topic_name)
    topic_policy = json.loads(response["Attributes"]["Policy"])
    yield _check_topic_policy(account.pipeline, topic_arn, topic_name, topic_policy)

    yield from _check_subscriptions(account.pipeline, topic_arn)


def _check_topic_policy(
    pipeline: ExaminedPipeline, topic_arn: str, topic_name: str, policy: Mapping[str, object]
) -> Finding:
    """Check that the topic's policy lets alarms publish messages."""
    repair_command = pipeline.deploy_command
    if pipeline.args and pipeline.args.notifications.topic_arn:
        # A deployment doesn't change the policy of a topic that it didn't create.
        repair_command = (
            f"aws sns set-topic-attributes --topic-arn {topic_arn} --attribute-name Policy "
            "--attribute-value {}"
        )

    publish_access = build_alarm_access(pipeline.environment, ["sns:Publish"], topic_arn)
    return assess_policy(f"the policy of {topic_name}", policy, repair_command, publish_access)


def _check_subscriptions(pipeline: ExaminedPipeline, topic_arn: str) -> Iterator[Finding]:
    """Check that the topic has subscribers, and that all of them get the messages."""
    subscriptions = list_subscriptions(pipeline.access, topic_arn)
    yield from _check_filters(pipeline.access, subscriptions)
    yield from _check_emails(pipeline, subscriptions)
    yield from _check_confirmations(topic_arn, subscriptions)
    yield from _report_recipients(pipeline, subscriptions)


def _check_filters(access: Access, subscriptions: Sequence[Subscription]) -> Iterator[Finding]:
    """Report subscriptions with a filter policy, which may drop the messages of alarms.

    These messages don't have attributes that a filter could match. If a filter applies to the body
    instead, we don't try to find out which messages it lets through.
    """
    filter_policies = read_filter_policies(access, subscriptions)
    confirmed = {subscription for subscription in subscriptions if subscription.is_confirmed}
    # If every confirmed subscription has a filter, perhaps nobody gets the alarms.
    level: Level = "missing" if filter_policies.keys() == confirmed else "warn"

    for subscription, filter_policy in filter_policies.items():
        text = (
            f"{subscription.address} gets no alarms, but only what its filter lets through, "
            f"{filter_policy}; to remove it:"
        )
        remove_command = (
            f"aws sns set-subscription-attributes --subscription-arn {subscription.arn} "
            "--attribute-name FilterPolicy --attribute-value '{}'"
        )
        yield Finding(level, text, remove_command)


def _check_emails(
    pipeline: ExaminedPipeline, subscriptions: Sequence[Subscription]
) -> Iterator[Finding]:
    """Check that the topic has a subscription for each email address in the stack's file."""
    if pipeline.args is None:
        return

    subscribed_addresses = {subscription.address for subscription in subscriptions}
    for address in sorted(set(pipeline.args.notifications.emails) - subscribed_addresses):
        yield Finding("missing", f"{address} is not subscribed", pipeline.deploy_command)


def _check_confirmations(
    topic_arn: str, subscriptions: Sequence[Subscription]
) -> Iterator[Finding]:
    """Report subscriptions that aren't confirmed.

    SNS sends no messages to an address until somebody follows the confirmation link. If another
    subscription is confirmed, that's only a warning, because at least somebody gets the messages.
    """
    is_anybody_confirmed = any(subscription.is_confirmed for subscription in subscriptions)
    level: Level = "warn" if is_anybody_confirmed else "missing"
    for subscription in subscriptions:
        if subscription.is_confirmed:
            continue

        address = subscription.address
        text = f"{address} has not confirmed its subscription; to send the link again:"
        subscribe_command = (
            f"aws sns subscribe --topic-arn {topic_arn} --protocol {subscription.protocol} "
            f"--notification-endpoint {address}"
        )
        yield Finding(level, text, subscribe_command)


def _report_recipients(
    pipeline: ExaminedPipeline, subscriptions: Sequence[Subscription]
) -> Iterator[Finding]:
    """Report who gets the messages.

    If there's no subscription, and no email address in the stack's file either, warn that nobody
    gets them.
    """
    emails = pipeline.args.notifications.emails if pipeline.args else ()
    confirmed = [
        subscription.address for subscription in subscriptions if subscription.is_confirmed
    ]

    if confirmed:
        yield Finding("ok", f"messages and alarms go to {format_list(confirmed)}")
    elif not subscriptions and not emails:
        text = "nobody gets the messages and alarms; with your address:"
        config_change = "set --path 'notifications.emails[0]' team@example.com"
        yield Finding("warn", text, pipeline.config_command(config_change))
