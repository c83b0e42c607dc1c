"""Checks that everything that was deployed still exists, as it was deployed.

What has to exist follows from two sources. The tables of the component name the steps and the
alarms. The resources name each other: the state machine names its functions, its role and its log
group, and a schedule names its target, its role and its queue. So the ARN of the state machine is
enough to find what is missing, without the state of the stack.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from components import iam
from components.alarms import NAMESPACES, build_alarm_inputs, list_alarms, max_age_hours
from components.schedules import EXECUTION_INPUT
from components.state_machine.steps import STEPS
from functions.common.formatting import format_list
from retrain.account.errors import one_line
from retrain.account.permissions import resource_arns, topic_arn_of
from retrain.check.findings import Finding, found, is_named, subscriptions_of
from retrain.check.policies import Request, service_context, verdict
from retrain.check.questions import actions_text, alarms_question, denied_actions, policy_finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retrain.check.findings import Account

    Needs = Mapping[Any, Sequence[str]]

COMPARED_INPUTS = ("metric_name", "namespace", "period", "threshold", "treat_missing_data")
"""The inputs of an alarm without which it would not notice a fault."""
REFUSED = ("denied", "not allowed")
STEPS_OF_HANDLERS = {f"functions.{name}.handler": step for name, step in STEPS.items()}


def check_functions(account: Account) -> Iterator[Finding]:
    """Check that each function exists, can be called, and has the code of all others."""
    hashes = Counter(config["CodeSha256"] for config in account.configs).most_common(1)
    for name, versions in account.functions.items():
        problem = None
        if None in versions:
            problem = "does not exist, or lacks the version that runs call"
        elif any(config["State"] == "Failed" for config in versions):
            problem = "is Failed"
        elif any(config["Handler"] not in STEPS_OF_HANDLERS for config in versions):
            problem = "has another handler than was deployed"
        elif any(config["CodeSha256"] != hashes[0][0] for config in versions):
            problem = "has other code than was deployed with the other functions"
        yield account.finding(name, problem)


def check_roles(account: Account) -> Iterator[Finding]:
    """Check that services may assume the roles, and that the roles may do what is needed."""
    denied: dict[tuple[str, str], set[str]] = defaultdict(set)
    for service, role, grants, arns in _needs(account):
        actions = found(denied_actions, account=account, principal=role, grants=grants, arns=arns)
        denied[role.rpartition("/")[2], service] |= {"anything"} if actions is None else actions
    for (name, service), actions in sorted(denied.items()):
        problem = f"may not call {actions_text(actions)}" if actions else None
        context = service_context(account.pipeline.home, service)
        request = Request(f"{service}.amazonaws.com", "sts:AssumeRole", "", context)
        if response := found(account.client("iam").get_role, RoleName=name):
            trust = verdict(response["Role"]["AssumeRolePolicyDocument"], request).result
            problem = f"does not trust {request.principal}" if trust in REFUSED else problem
        yield account.finding(name, problem)


def _needs(account: Account) -> Iterator[tuple[str, str, Needs, Needs]]:
    """Yield who assumes a role, its ARN, the actions that it needs by kind, and their ARNs."""
    role, arns = account.machine["roleArn"], {"function": account.published}
    yield "states", role, {"function": ["lambda:InvokeFunction"]}, arns
    for service, schedule in account.schedules.items():
        target = schedule["Target"]
        action = {"states": "states:StartExecution", "lambda": "lambda:InvokeFunction"}[service]
        queues = [target["DeadLetterConfig"]["Arn"]] if "DeadLetterConfig" in target else []
        grants = {"target": [action], "queue": ["sqs:SendMessage"]}
        arns = {"target": [target["Arn"]], "queue": queues}
        yield "scheduler", target["RoleArn"], grants, arns
    arns = {**resource_arns(account.pipeline.as_deployed)}
    for config in (versions[0] for versions in account.functions.values() if versions[0]):
        group = f"log-group:{config['LoggingConfig']['LogGroup']}:log-stream:any"
        arns["logs"] = [iam.resource_arn(account.pipeline.home, "logs", group)]
        if step := STEPS_OF_HANDLERS.get(config["Handler"]):
            yield "lambda", config["Role"], {**step.grants, "logs": ["logs:PutLogEvents"]}, arns


def check_schedules(account: Account) -> Iterator[Finding]:
    """Check that both schedules are as deployed, and enabled unless the pipeline is paused."""
    pipeline, runs = account.pipeline, account.schedules.get("states")
    for service, what in (("states", "starts runs"), ("lambda", "watches the pipeline")):
        schedule, problem = account.schedules.get(service), None
        if schedule is None:
            problem = "does not exist"
        elif schedule["State"] != "ENABLED" and service == "lambda":
            problem = "is disabled"
        elif service == "states":
            target, args = schedule["Target"], pipeline.args
            expected = (account.target.state_machine_arn, json.dumps(EXECUTION_INPUT))
            if (target["Arn"], target.get("Input")) != expected or "DeadLetterConfig" not in target:
                problem = "has another target or input than was deployed, or no dead-letter queue"
            elif args and schedule["ScheduleExpression"] != args.schedule_expression:
                problem = f"does not fire at the times in {pipeline.source}"
        times = f" ({schedule['ScheduleExpression']})" if schedule else ""
        yield account.finding(f"the schedule that {what}{times}", problem)
    if account.is_paused_by_hand:
        ends = f"until somebody resumes it, or runs `{pipeline.deploy_command}`"
        text = f"paused by hand, so no run starts by itself {ends}"
        yield Finding("warn", text, pipeline.command("resume"))
    elif runs and runs["State"] != "ENABLED":
        fix = pipeline.config_command("set paused false")
        yield Finding("warn", "the pipeline is paused, so no run starts by itself", fix)


def check_rules(account: Account) -> Iterator[Finding]:
    """Check that the event rules are enabled and call their functions."""
    expected = {"close_run": "reports runs that were stopped"}
    is_paused = account.is_paused or account.is_paused_by_hand
    if account.target.settings.get("triggerOnExport") and not is_paused:
        expected["start_on_export"] = "starts a run for a new export"
    for step, what in expected.items():
        problem = None if account.rules[step] else "does not exist, is disabled or calls nothing"
        yield account.finding(f"the event rule that {what}", problem)


def check_logs(account: Account) -> Iterator[Finding]:
    """Check that the log groups exist and delete old records."""
    names = {*account.log_groups}
    for destination in account.machine.get("loggingConfiguration", {}).get("destinations", []):
        names.add(destination["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6])
    for name in sorted(names):
        groups = account.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        days = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
        problem = "never deletes records" if name in days else "does not exist"
        yield account.finding(name, None if days.get(name) else problem)


def check_queue(account: Account) -> Iterator[Finding]:
    """Check that the queue for runs that could not start exists."""
    schedule = account.schedules.get("states", {"Target": {}})
    if letters := schedule["Target"].get("DeadLetterConfig"):
        name = letters["Arn"].rpartition(":")[2]
        exists = found(account.client("sqs").get_queue_url, QueueName=name)
        yield account.finding(name, None if exists else "does not exist")


def check_alarms(account: Account) -> Iterator[Finding]:
    """Check that each alarm is as deployed, notifies the topic, and is not in ALARM."""
    pages, name = account.client("cloudwatch").get_paginator("describe_alarms"), account.name
    found_pages = pages.paginate(AlarmNamePrefix=f"{name}-")
    existing = [item for page in found_pages for item in page["MetricAlarms"]]
    topic, values = topic_arn_of(account.pipeline), dict.fromkeys(NAMESPACES, name)
    logs = account.client("logs")
    failed = [item for item in existing if is_named(item["AlarmName"], f"{name}-run-failed")]
    watched = {dimension["Value"] for item in failed for dimension in item["Dimensions"]}
    for other in sorted(watched - {account.target.state_machine_arn}):
        text = f"{other} has the name {name} too, so their alarms and charts mix; rename one stack"
        fix = f"aws scheduler delete-schedule-group --name {other.rpartition(':')[2]}"
        yield Finding("warn", f"{text}, or if the other one was removed, end its schedules:", fix)
        existing = [item for item in existing if other not in str(item["Dimensions"])]
    for alarm in list_alarms(account.target.settings):
        named = [item for item in existing if is_named(item["AlarmName"], f"{name}-{alarm.name}")]
        heard = [item for item in named if item["ActionsEnabled"] and topic in item["AlarmActions"]]
        problem = None if heard else "does not exist or does not notify the topic"
        inputs = build_alarm_inputs(alarm, name, values, max_age_hours(account.target.settings))
        expected = {key.title().replace("_", ""): inputs[key] for key in COMPARED_INPUTS}
        if heard and not any(expected.items() <= item.items() for item in heard):
            problem = "has other settings than this program deploys"
        asked = {"metricName": alarm.metric, "metricNamespace": inputs["namespace"]}
        filters = logs.describe_metric_filters(**asked)["metricFilters"] if alarm.pattern else []
        if alarm.pattern and not account.log_groups & {item["logGroupName"] for item in filters}:
            problem = "gets nothing, because its log filter does not exist"
        yield account.finding(f"the alarm {alarm.name}", problem)
        for item in heard:
            if item["StateValue"] == "ALARM":
                what_to_do = alarm.what_to_do.replace("STACK", account.pipeline.stack or "STACK")
                reason = one_line(item["StateReason"])
                yield Finding("warn", f"{alarm.name} is in ALARM: {reason}. {what_to_do}")


def check_messages(account: Account) -> Iterator[Finding]:
    """Check that the topic exists, takes messages of alarms, and has subscribers."""
    pipeline = account.pipeline
    arn, args = str(topic_arn_of(pipeline)), pipeline.args
    response = found(account.client("sns").get_topic_attributes, TopicArn=arn)
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
    publish = alarms_question(pipeline.home, ["sns:Publish"], arn)
    yield policy_finding(f"the policy of {topic}", document, fix, publish)
    confirmed, pending = subscriptions_of(pipeline.access, arn)
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
