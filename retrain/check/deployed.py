"""Checks what a deployed pipeline needs, and what Pulumi does not see of it."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from components import iam
from components.alarms import list_alarms
from components.function_configs import FUNCTION_CONFIGS
from functions.common.formatting import format_list
from retrain.account.errors import one_line
from retrain.account.permissions import resource_arns, topic_arn_of
from retrain.account.triggers import describe_schedule
from retrain.check.findings import Finding, has_logical_name, read_if_exists, read_subscriptions
from retrain.check.questions import build_alarms_question, format_actions, judge_policy
from retrain.check.role_policies import (
    find_blocking_policies,
    find_denied_requests,
    list_added_policies,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.check.findings import Account, Level
    from retrain.check.policies import Request

    Needs = Mapping[Any, Sequence[str]]

STEPS_OF_HANDLERS = {f"functions.{name}.handler": step for name, step in FUNCTION_CONFIGS.items()}


def check_functions(account: Account) -> Iterator[Finding]:
    """Check that each function can be called."""
    for name, versions in account.functions.items():
        problem = None
        if None in versions:
            problem = "does not exist, or lacks the version that runs call"
        elif any(config["State"] == "Failed" for config in versions):
            problem = "is Failed"
        yield account.finding(name, problem)


def check_roles(account: Account) -> Iterator[Finding]:
    """Check that the roles may do what is needed, and name the policies that forbid it."""
    denied: dict[str, list[Request]] = defaultdict(list)
    for role_arn, grants, arns in _needs(account):
        denied[role_arn] += find_denied_requests(account, role_arn, grants, arns)

    for role_arn, requests in sorted(denied.items()):
        name = role_arn.rpartition("/")[2]
        if read_if_exists(account.client("iam").get_role, RoleName=name) is None:
            yield account.finding(name, "does not exist")
            continue

        blocking = list(find_blocking_policies(account, name, requests)) if requests else []
        actions = {request.action for request in requests}
        problem = f"may not call {format_actions(actions)}" if actions else None
        yield from blocking or [account.finding(name, problem)]
        if not blocking:
            for policy in list_added_policies(account, name):
                text = f"{name}: {policy.description} is not from this stack; to take it away:"
                yield Finding("warn", text, policy.removal)


def _needs(account: Account) -> Iterator[tuple[str, Needs, Needs]]:
    """Yield the ARN of a role, the actions that it needs by kind, and their ARNs."""
    role, arns = account.machine["roleArn"], {"function": account.published}
    yield role, {"function": ["lambda:InvokeFunction"]}, arns
    for service, schedule in account.schedules.items():
        target = schedule["Target"]
        action = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction"}[service]
        queues = [target["DeadLetterConfig"]["Arn"]] if "DeadLetterConfig" in target else []
        grants = {"target": [action], "queue": ["sqs:SendMessage"]}
        arns = {"target": [target["Arn"]], "queue": queues}
        yield target["RoleArn"], grants, arns
    arns = {**resource_arns(account.pipeline.as_deployed)}
    for config in (versions[0] for versions in account.functions.values() if versions[0]):
        group = f"log-group:{config['LoggingConfig']['LogGroup']}:log-stream:any"
        arns["logs"] = [iam.build_arn(account.pipeline.home, "logs", group)]
        if step := STEPS_OF_HANDLERS.get(config["Handler"]):
            yield config["Role"], {**step.permissions, "logs": ["logs:PutLogEvents"]}, arns


def check_schedule(account: Account) -> Iterator[Finding]:
    """Say when runs start by themselves, and warn if the pipeline is paused."""
    schedule = account.schedules.get("states")
    if schedule is None:
        return

    if schedule["State"] == "ENABLED":
        yield Finding("ok", describe_schedule(schedule, account.now))
    elif account.is_paused_by_hand:
        ends = f"until somebody resumes it, or runs `{account.pipeline.deploy_command}`"
        text = f"paused by hand, so no run starts by itself {ends}"
        yield Finding("warn", text, account.pipeline.command("resume"))
    else:
        resume = account.pipeline.config_command("set paused false")
        yield Finding("warn", "the pipeline is paused, so no run starts by itself", resume)


def check_other_pipelines(account: Account) -> Iterator[Finding]:
    """Warn of pipelines with the same name, perhaps of a stack that was removed by force."""
    for arn in account.other_machine_arns:
        text = f"{arn} has the name {account.name} too, so their alarms and charts mix; rename one"
        end = f"aws scheduler delete-schedule-group --name {arn.rpartition(':')[2]}"
        more = "stack, or if the other one was removed, end its schedules:"
        yield Finding("warn", f"{text} {more}", end)


def check_ringing_alarms(account: Account) -> Iterator[Finding]:
    """Warn of each alarm that is in ALARM."""
    stack = account.pipeline.stack or "STACK"
    for alarm in list_alarms(account.target.settings):
        for item in account.alarms:
            is_it = has_logical_name(item["AlarmName"], f"{account.name}-{alarm.name}")
            if is_it and item["StateValue"] == "ALARM":
                reason = one_line(item["StateReason"])
                what_to_do = alarm.what_to_do.replace("STACK", stack)
                yield Finding("warn", f"{alarm.name} is in ALARM: {reason}. {what_to_do}")


def check_messages(account: Account) -> Iterator[Finding]:
    """Check that the topic exists, takes messages of alarms, and has subscribers."""
    pipeline = account.pipeline
    arn, args = str(topic_arn_of(pipeline)), pipeline.args
    response = read_if_exists(account.client("sns").get_topic_attributes, TopicArn=arn)
    topic = f"the topic {arn.rpartition(':')[2]}"
    yield account.finding(topic, None if response else "does not exist")
    if response is None:
        return
    if args and args.notifications.topic_arn:  # the deployment does not create this topic
        mend = f"aws sns set-topic-attributes --topic-arn {arn} --attribute-name Policy"
        fix = f"{mend} --attribute-value {{}}"
    else:
        fix = pipeline.deploy_command
    document = json.loads(response["Attributes"]["Policy"])
    publish = build_alarms_question(pipeline.home, ["sns:Publish"], arn)
    yield judge_policy(f"the policy of {topic}", document, fix, publish)
    confirmed, pending, arns = read_subscriptions(pipeline.access, arn)
    yield from _check_filters(account, {address: arns[address] for address in confirmed})
    emails = args.notifications.emails if args else ()
    for address in sorted({*emails} - {*confirmed, *pending}):
        yield Finding("missing", f"{address} is not subscribed", pipeline.deploy_command)
    for address in pending:
        protocol = address.partition("://")[0] if "://" in address else "email"
        subscribe = f"aws sns subscribe --topic-arn {arn} --protocol {protocol}"
        text = f"{address} has not confirmed its subscription; to send the link again:"
        fix = f"{subscribe} --notification-endpoint {address}"
        yield Finding("warn" if confirmed else "missing", text, fix)
    if confirmed:
        yield Finding("ok", f"messages and alarms go to {format_list(confirmed)}")
    elif not (pending or emails):
        add = "set --path 'notifications.emails[0]' team@example.com"
        fix = pipeline.config_command(add)
        yield Finding("warn", "nobody gets the messages and alarms; with your address:", fix)


def _check_filters(account: Account, arns: Mapping[str, str]) -> Iterator[Finding]:
    """Warn of subscriptions that get no alarms, because they ask for attributes of messages.

    The messages of CloudWatch have none. If a filter is about the body, nobody can know from here
    what it lets through.
    """
    client = account.client("sns")
    filters = {}
    for address, arn in arns.items():
        attributes = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        if attributes.get("FilterPolicy", "{}") != "{}":
            filters[address] = attributes["FilterPolicy"]

    for address, filter_policy in filters.items():
        text = f"{address} gets no alarms, but only what its filter lets through, {filter_policy}"
        remove = ["sns", "set-subscription-attributes", "--subscription-arn", arns[address]]
        remove += ["--attribute-name", "FilterPolicy", "--attribute-value", "{}"]
        level: Level = "missing" if filters.keys() == arns.keys() else "warn"
        yield Finding(level, f"{text}; to remove it:", shlex.join(["aws", *remove]))
