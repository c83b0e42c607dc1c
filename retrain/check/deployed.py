"""Checks problems of a deployed pipeline that Pulumi's comparison doesn't reveal.

For example, Pulumi doesn't notice a function that has failed, an alarm that has gone off, or an
additional policy of a role that denies what the role needs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from components import iam
from components.alarms import list_alarms
from components.function_configs import FUNCTION_CONFIGS
from functions.common import clock
from functions.common.formatting import format_list
from retrain.account.access import read_if_exists
from retrain.account.errors import join_lines
from retrain.account.permissions import list_arns_by_kind
from retrain.account.subscriptions import list_subscriptions, read_filter_policies
from retrain.account.triggers import describe_schedule
from retrain.check.deployed_pipeline import find_function_arns
from retrain.check.findings import Finding
from retrain.check.resource_policies import assess_policy, build_alarm_access
from retrain.check.role_policies import find_missing_permissions, list_added_policies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.iam import Grant
    from retrain.account.subscriptions import Subscription
    from retrain.check.deployed_pipeline import DeployedPipeline
    from retrain.check.examined_pipeline import ExaminedPipeline
    from retrain.check.findings import Level

SCHEDULED_ACTIONS = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction"}
"""Service -> the IAM action that a schedule needs to call it."""
CONFIGS_BY_HANDLER = {
    f"functions.{module}.handler": config for module, config in FUNCTION_CONFIGS.items()
}
"""Handler of a Lambda function -> its configuration, which includes its permissions."""


def check_functions(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that each function exists and can be invoked."""
    for name, config in pipeline.function_configs.items():
        if config is None:
            problem = "does not exist, or lacks the version that runs call"
            yield pipeline.report_resource(name, is_ok=False, problem=problem)
        else:
            is_ok = config["State"] != "Failed"
            yield pipeline.report_resource(name, is_ok=is_ok, problem="is Failed")


def check_roles(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that each role has the permissions that it needs. If it doesn't, explain why."""
    for role_arn, grants in sorted(_map_roles_to_grants(pipeline).items()):
        yield from _check_role(pipeline, role_arn, grants)


def _check_role(
    pipeline: ExaminedPipeline, role_arn: str, grants: Sequence[Grant]
) -> Iterator[Finding]:
    """Report the permissions that a role lacks. If it has them all, warn about added policies."""
    role_name = role_arn.rpartition("/")[2]
    if read_if_exists(pipeline.client("iam").get_role, RoleName=role_name) is None:
        yield pipeline.report_resource(role_name, is_ok=False)
        return

    missing_permissions = list(
        find_missing_permissions(pipeline, role_arn, grants, pipeline.deploy_command)
    )
    if missing_permissions:
        yield from missing_permissions
        return

    yield Finding("ok", role_name)
    for policy in list_added_policies(pipeline, role_name):
        text = f"{role_name}: {policy.description} is not from this stack; to take it away:"
        yield Finding("warn", text, policy.removal_command)


def _map_roles_to_grants(pipeline: DeployedPipeline) -> dict[str, list[Grant]]:
    """Map the ARN of each role to what a resource that assumes it has to be allowed."""
    grants_by_role: dict[str, list[Grant]] = defaultdict(list)
    state_machine = pipeline.target.state_machine
    function_arns = find_function_arns(state_machine["definition"])
    grants_by_role[state_machine["roleArn"]] += [(["lambda:InvokeFunction"], function_arns)]

    for service, schedule in pipeline.schedules.items():
        role_arn = schedule["Target"]["RoleArn"]
        grants_by_role[role_arn] += _list_schedule_grants(service, schedule["Target"])
    for config in filter(None, pipeline.function_configs.values()):
        grants_by_role[config["Role"]] += _list_function_grants(pipeline, config)
    return grants_by_role


def _list_schedule_grants(service: str, schedule_target: Mapping[str, Any]) -> Iterator[Grant]:
    """List what a schedule has to be allowed: to call its target, and to give up on a call."""
    yield [SCHEDULED_ACTIONS[service]], [schedule_target["Arn"]]
    if "DeadLetterConfig" in schedule_target:
        yield ["sqs:SendMessage"], [schedule_target["DeadLetterConfig"]["Arn"]]


def _list_function_grants(
    pipeline: DeployedPipeline, deployed_config: Mapping[str, Any]
) -> Iterator[Grant]:
    """List what a function has to be allowed, according to FUNCTION_CONFIGS."""
    log_group = deployed_config["LoggingConfig"]["LogGroup"]
    log_stream = f"log-group:{log_group}:log-stream:any"
    yield ["logs:PutLogEvents"], [iam.build_arn(pipeline.environment, "logs", log_stream)]

    # Another release may have other functions.
    config = CONFIGS_BY_HANDLER.get(deployed_config["Handler"])
    if config is None:
        return
    # The roles were created for the deployed settings, from which the stack's file may differ.
    arns_by_kind = list_arns_by_kind(replace(pipeline, settings=pipeline.target.settings))
    for kind, actions in config.permissions.items():
        yield actions, arns_by_kind[kind]


def check_schedule(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Say when the schedule starts the next run, or warn that the pipeline is paused."""
    if not pipeline.is_schedule_off:
        if schedule := pipeline.schedules.get("states"):
            yield Finding("ok", describe_schedule(schedule, clock.now()))
    elif pipeline.args is None or pipeline.args.paused:
        unpause_command = pipeline.config_command("set paused false")
        yield Finding("warn", "the pipeline is paused, so no run starts by itself", unpause_command)
    else:
        text = (
            "paused by hand, so no run starts by itself until somebody resumes it, or runs "
            f"`{pipeline.deploy_command}`"
        )
        yield Finding("warn", text, pipeline.command("resume"))


def check_other_pipelines(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Warn about other pipelines with the same name, because their alarms and charts mix with ours.

    Such a pipeline may be left over from a stack that was removed by force, which doesn't delete
    the stack's resources.
    """
    for machine_arn in pipeline.other_state_machine_arns:
        text = (
            f"{machine_arn} has the name {pipeline.name} too, so their alarms and charts "
            "mix; rename one stack, or if the other one was removed, end its schedules:"
        )
        delete_command = (
            f"aws scheduler delete-schedule-group --name {machine_arn.rpartition(':')[2]}"
        )
        yield Finding("warn", text, delete_command)


def check_ringing_alarms(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Warn about alarms in the state ALARM, with advice from the alarms' definitions."""
    for alarm in list_alarms(pipeline.target.settings):
        # The advice may contain commands with the placeholder STACK.
        advice = alarm.what_to_do.replace("STACK", pipeline.stack or "STACK")
        for deployed_alarm in pipeline.find_alarms(alarm.name):
            if deployed_alarm["StateValue"] == "ALARM":
                reason = join_lines(deployed_alarm["StateReason"])
                yield Finding("warn", f"{alarm.name} is in ALARM: {reason}. {advice}")


def check_messages(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that the SNS topic exists, alarms may publish to it, and somebody gets its messages."""
    topic_name = f"the topic {pipeline.topic_arn.rpartition(':')[2]}"
    client = pipeline.client("sns")
    response = read_if_exists(client.get_topic_attributes, TopicArn=pipeline.topic_arn)
    if response is None:
        yield pipeline.report_resource(topic_name, is_ok=False)
        return

    yield Finding("ok", topic_name)
    topic_policy = json.loads(response["Attributes"]["Policy"])
    yield _check_topic_policy(pipeline, topic_name, topic_policy)
    yield from _check_subscriptions(pipeline)


def _check_topic_policy(
    pipeline: ExaminedPipeline, topic_name: str, policy: Mapping[str, object]
) -> Finding:
    """Check that the topic's policy lets alarms publish messages."""
    topic_arn = pipeline.topic_arn
    repair_command = pipeline.deploy_command
    if pipeline.has_own_topic:
        # A deployment doesn't change the policy of a topic that it didn't create.
        repair_command = (
            f"aws sns set-topic-attributes --topic-arn {topic_arn} --attribute-name Policy "
            "--attribute-value {}"
        )

    publish_access = build_alarm_access(pipeline.environment, ["sns:Publish"], topic_arn)
    return assess_policy(f"the policy of {topic_name}", policy, repair_command, publish_access)


def _check_subscriptions(pipeline: ExaminedPipeline) -> Iterator[Finding]:
    """Check that the topic has subscribers, and that all of them get the alarms."""
    subscriptions = list_subscriptions(pipeline.access, pipeline.topic_arn)
    filter_policies = read_filter_policies(pipeline.access, subscriptions)
    recipients = [
        subscription.address
        for subscription in subscriptions
        if subscription.is_confirmed and subscription not in filter_policies
    ]
    # If at least somebody gets the alarms, it's only a warning that others don't.
    level: Level = "warn" if recipients else "missing"

    for subscription in subscriptions:
        if not subscription.is_confirmed:
            yield _explain_pending_subscription(level, subscription, pipeline.topic_arn)
    for subscription, filter_policy in filter_policies.items():
        yield _explain_filter(level, subscription, filter_policy)

    yield from _check_emails(pipeline, subscriptions)
    if recipients:
        yield Finding("ok", f"messages and alarms go to {format_list(recipients)}")


def _explain_pending_subscription(
    level: Level, subscription: Subscription, topic_arn: str
) -> Finding:
    """Report a subscription to which SNS sends nothing until somebody follows its link."""
    address = subscription.address
    text = f"{address} has not confirmed its subscription; to send the link again:"
    subscribe_command = (
        f"aws sns subscribe --topic-arn {topic_arn} --protocol {subscription.protocol} "
        f"--notification-endpoint {address}"
    )
    return Finding(level, text, subscribe_command)


def _explain_filter(level: Level, subscription: Subscription, filter_policy: str) -> Finding:
    """Report a subscription with a filter policy, which may drop the messages of alarms.

    These messages don't have attributes that a filter could match. If a filter applies to the body
    instead, we don't try to find out which messages it lets through.
    """
    text = (
        f"{subscription.address} gets no alarms, but only what its filter lets through, "
        f"{filter_policy}; to remove it:"
    )

    remove_command = (
        f"aws sns set-subscription-attributes --subscription-arn {subscription.arn} "
        "--attribute-name FilterPolicy --attribute-value '{}'"
    )
    return Finding(level, text, remove_command)


def _check_emails(
    pipeline: ExaminedPipeline, subscriptions: Sequence[Subscription]
) -> Iterator[Finding]:
    """Check that each email address in the stack's file is subscribed.

    If the file has none, and nothing else is subscribed either, warn that nobody gets the alarms.
    """
    emails: set[str] = set()
    if pipeline.args is not None:
        emails.update(pipeline.args.notifications.emails)

    subscribed_addresses = {subscription.address for subscription in subscriptions}
    for address in sorted(emails - subscribed_addresses):
        yield Finding("missing", f"{address} is not subscribed", pipeline.deploy_command)

    if not emails | subscribed_addresses:
        text = "nobody gets the messages and alarms; with your address:"
        config_change = "set --path 'notifications.emails[0]' team@example.com"
        yield Finding("warn", text, pipeline.config_command(config_change))
