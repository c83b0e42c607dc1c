"""Checks what a deployed pipeline needs, and what Pulumi does not see of it."""

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
from retrain.account.errors import one_line
from retrain.account.permissions import list_arns_by_kind
from retrain.account.subscriptions import list_subscriptions, read_filter_policies
from retrain.account.triggers import describe_schedule
from retrain.check.findings import Finding
from retrain.check.resource_policies import build_alarm_access, judge_policy
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

ACTIONS_OF_SCHEDULES = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction"}
"""Service -> the action with which a schedule calls it."""
CONFIGS_BY_HANDLER = {
    f"functions.{module}.handler": config for module, config in FUNCTION_CONFIGS.items()
}


def check_functions(account: DeployedAccount) -> Iterator[Finding]:
    """Check that each function can be called."""
    for name, configs in account.functions.items():
        problem = None
        if None in configs:
            problem = "does not exist, or lacks the version that runs call"
        elif any(config["State"] == "Failed" for config in configs):
            problem = "is Failed"
        yield account.judge(name, problem)


def check_roles(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the roles may do what is needed, and name the policies that forbid it."""
    denied_requests: dict[str, list[Request]] = defaultdict(list)
    for needed in _list_needed_permissions(account):
        denied_requests[needed.role_arn] += find_denied_requests(account, *needed)

    for role_arn, denied in sorted(denied_requests.items()):
        yield from _check_role(account, role_arn.rpartition("/")[2], denied)


def _check_role(
    account: DeployedAccount, role_name: str, denied: Sequence[Request]
) -> Iterator[Finding]:
    """Say what a role lacks and why, and which policies don't belong to the stack."""
    if read_if_exists(account.client("iam").get_role, RoleName=role_name) is None:
        yield account.judge(role_name, "does not exist")
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
    """What a role has to be allowed."""

    role_arn: str
    actions: Sequence[str]
    arns: Sequence[str]
    """The resources of the actions. Perhaps there are none."""


def _list_needed_permissions(account: DeployedAccount) -> Iterator[NeededPermission]:
    """List what the roles of the state machine, the schedules and the functions need."""
    machine_role_arn = account.target.state_machine["roleArn"]
    yield NeededPermission(machine_role_arn, ["lambda:InvokeFunction"], account.published_arns)

    for service, schedule in account.schedules.items():
        target = schedule["Target"]
        action = ACTIONS_OF_SCHEDULES[service]
        yield NeededPermission(target["RoleArn"], [action], [target["Arn"]])
        if "DeadLetterConfig" in target:
            queue_arn = target["DeadLetterConfig"]["Arn"]
            yield NeededPermission(target["RoleArn"], ["sqs:SendMessage"], [queue_arn])

    yield from _list_function_permissions(account)


def _list_function_permissions(account: DeployedAccount) -> Iterator[NeededPermission]:
    """List what each function's newest code needs, according to the component's own table."""
    # The deployment has granted what the deployed settings need, not those in the stack's file.
    arns_by_kind = list_arns_by_kind(replace(account.pipeline, settings=account.target.settings))
    for deployed_config, *_ in account.functions.values():
        if deployed_config is None or deployed_config["Handler"] not in CONFIGS_BY_HANDLER:
            continue

        role_arn = deployed_config["Role"]
        config = CONFIGS_BY_HANDLER[deployed_config["Handler"]]
        for kind, actions in config.permissions.items():
            yield NeededPermission(role_arn, actions, arns_by_kind[kind])

        log_group = deployed_config["LoggingConfig"]["LogGroup"]
        log_stream = f"log-group:{log_group}:log-stream:any"
        log_arn = iam.build_arn(account.pipeline.home, "logs", log_stream)
        yield NeededPermission(role_arn, ["logs:PutLogEvents"], [log_arn])


def check_schedule(account: DeployedAccount) -> Iterator[Finding]:
    """Say when runs start by themselves, and warn if the pipeline is paused."""
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
        resume = pipeline.config_command("set paused false")
        yield Finding("warn", "the pipeline is paused, so no run starts by itself", resume)


def check_other_pipelines(account: DeployedAccount) -> Iterator[Finding]:
    """Warn of pipelines with the same name, perhaps of a stack that was removed by force."""
    for arn in account.other_machine_arns:
        text = (
            f"{arn} has the name {account.pipeline_name} too, so their alarms and charts mix; "
            "rename one stack, or if the other one was removed, end its schedules:"
        )
        command = f"aws scheduler delete-schedule-group --name {arn.rpartition(':')[2]}"
        yield Finding("warn", text, command)


def check_ringing_alarms(account: DeployedAccount) -> Iterator[Finding]:
    """Warn of each alarm that is in ALARM, and say what to do about it."""
    for alarm in list_alarms(account.target.settings):
        # The commands of the advice contain STACK instead of the stack's name.
        advice = alarm.what_to_do.replace("STACK", account.pipeline.stack or "STACK")
        for deployed_alarm in account.find_alarms(alarm.name):
            if deployed_alarm["StateValue"] == "ALARM":
                reason = one_line(deployed_alarm["StateReason"])
                yield Finding("warn", f"{alarm.name} is in ALARM: {reason}. {advice}")


def check_messages(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the topic exists, takes messages of alarms, and has subscribers."""
    topic_arn = account.pipeline.topic_arn
    topic_name = f"the topic {topic_arn.rpartition(':')[2]}"
    response = read_if_exists(account.client("sns").get_topic_attributes, TopicArn=topic_arn)
    if response is None:
        yield account.judge(topic_name, "does not exist")
        return

    yield Finding("ok", topic_name)
    topic_policy = json.loads(response["Attributes"]["Policy"])
    yield _judge_topic_policy(account.pipeline, topic_arn, topic_name, topic_policy)

    yield from _check_subscriptions(account.pipeline, topic_arn)


def _judge_topic_policy(
    pipeline: ExaminedPipeline, topic_arn: str, topic_name: str, policy: Mapping[str, object]
) -> Finding:
    """Judge whether the topic's policy lets the alarms publish."""
    mend = pipeline.deploy_command
    if pipeline.args and pipeline.args.notifications.topic_arn:
        # The topic isn't from the deployment, which leaves its policy as it is.
        mend = (
            f"aws sns set-topic-attributes --topic-arn {topic_arn} --attribute-name Policy "
            "--attribute-value {}"
        )

    publish = build_alarm_access(pipeline.home, ["sns:Publish"], topic_arn)
    return judge_policy(f"the policy of {topic_name}", policy, mend, publish)


def _check_subscriptions(pipeline: ExaminedPipeline, topic_arn: str) -> Iterator[Finding]:
    """Check that all addresses get the messages, and that there are any."""
    subscriptions = list_subscriptions(pipeline.access, topic_arn)
    yield from _check_filters(pipeline.access, subscriptions)
    yield from _check_emails(pipeline, subscriptions)
    yield from _list_unconfirmed(topic_arn, subscriptions)
    yield from _name_recipients(pipeline, subscriptions)


def _check_filters(access: Access, subscriptions: Sequence[Subscription]) -> Iterator[Finding]:
    """Warn of subscriptions that get no alarms, because they ask for attributes of messages.

    If a filter is about the body, nobody can know from here what it lets through.
    """
    filter_policies = read_filter_policies(access, subscriptions)
    confirmed = {subscription for subscription in subscriptions if subscription.is_confirmed}
    # If every subscription has a filter, nobody gets the alarms.
    level: Level = "missing" if filter_policies.keys() == confirmed else "warn"

    for subscription, filter_policy in filter_policies.items():
        text = (
            f"{subscription.address} gets no alarms, but only what its filter lets through, "
            f"{filter_policy}; to remove it:"
        )
        remove = (
            f"aws sns set-subscription-attributes --subscription-arn {subscription.arn} "
            "--attribute-name FilterPolicy --attribute-value '{}'"
        )
        yield Finding(level, text, remove)


def _check_emails(
    pipeline: ExaminedPipeline, subscriptions: Sequence[Subscription]
) -> Iterator[Finding]:
    """Check that each email address in the stack's file is subscribed."""
    if pipeline.args is None:
        return

    subscribed = {subscription.address for subscription in subscriptions}
    for address in sorted(set(pipeline.args.notifications.emails) - subscribed):
        yield Finding("missing", f"{address} is not subscribed", pipeline.deploy_command)


def _list_unconfirmed(topic_arn: str, subscriptions: Sequence[Subscription]) -> Iterator[Finding]:
    """List the addresses to which SNS sends nothing until somebody follows its link."""
    is_anybody_confirmed = any(subscription.is_confirmed for subscription in subscriptions)
    level: Level = "warn" if is_anybody_confirmed else "missing"
    for subscription in subscriptions:
        if subscription.is_confirmed:
            continue

        address = subscription.address
        text = f"{address} has not confirmed its subscription; to send the link again:"
        subscribe_again = (
            f"aws sns subscribe --topic-arn {topic_arn} --protocol {subscription.protocol} "
            f"--notification-endpoint {address}"
        )
        yield Finding(level, text, subscribe_again)


def _name_recipients(
    pipeline: ExaminedPipeline, subscriptions: Sequence[Subscription]
) -> Iterator[Finding]:
    """Say who gets the messages, and warn if nobody does, nor will after a deployment."""
    emails = pipeline.args.notifications.emails if pipeline.args else ()
    confirmed = [each.address for each in subscriptions if each.is_confirmed]

    if confirmed:
        yield Finding("ok", f"messages and alarms go to {format_list(confirmed)}")
    elif not subscriptions and not emails:
        text = "nobody gets the messages and alarms; with your address:"
        change = "set --path 'notifications.emails[0]' team@example.com"
        yield Finding("warn", text, pipeline.config_command(change))
