"""Checks that each part of a deployed pipeline exists, if Pulumi cannot compare the parts.

What has to exist follows from two sources. The tables of the component name the steps and the
alarms. The resources name each other: the state machine names its functions, its role and its log
group, and a schedule names its target, its role and its queue. So the ARN of the state machine is
enough to find what is missing, without the state of the stack.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alarms import NAMESPACE_BY_DIMENSION, list_alarms
from retrain.account.access import read_if_exists
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alarms import Alarm
    from retrain.check.deployed_account import DeployedAccount


def check_settings(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the deployed pipeline has the settings of the stack's file."""
    pipeline = account.pipeline
    if pipeline.has_other_settings:
        text = f"the deployed pipeline has other settings than {pipeline.source}"
        yield Finding("warn", text, pipeline.deploy_command)


def check_schedules(account: DeployedAccount) -> Iterator[Finding]:
    """Check that both schedules exist, and that the watcher's is on."""
    for service, what in (("states", "starts runs"), ("lambda", "watches the pipeline")):
        name = f"the schedule that {what}"
        schedule = account.schedules.get(service)

        problem = None
        if schedule is None:
            problem = "does not exist"
        elif schedule["State"] != "ENABLED" and service == "lambda":
            # Runs may be paused on purpose, but the watcher may not.
            problem = "is turned off"
        yield account.judge(name, problem)


def check_rules(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the event rules are enabled and call their functions."""
    expected = {"close_run": "reports runs that were stopped"}
    is_paused = account.pipeline.is_paused or account.is_paused_by_hand
    if account.target.settings.get("triggerOnExport") and not is_paused:
        expected["start_on_export"] = "starts a run for a new export"

    for step, what in expected.items():
        problem = None
        if not account.called_arns[step]:
            problem = "does not exist, is disabled or calls nothing"
        yield account.judge(f"the event rule that {what}", problem)


def check_logs(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the log groups of the functions and of the state machine exist."""
    names = {*account.log_groups}
    logging = account.target.state_machine.get("loggingConfiguration", {})
    for destination in logging.get("destinations", []):
        names.add(destination["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6])

    for name in sorted(names):
        response = account.client("logs").describe_log_groups(logGroupNamePrefix=name)
        # The prefix also matches the longer names of other groups.
        exists = name in [group["logGroupName"] for group in response["logGroups"]]
        yield _judge_existence(account, name, exists=exists)


def check_queue(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the queue for runs that could not start exists."""
    schedule = account.schedules.get("states", {"Target": {}})
    dead_letters = schedule["Target"].get("DeadLetterConfig")
    if dead_letters:
        name = dead_letters["Arn"].rpartition(":")[2]
        queue = read_if_exists(account.client("sqs").get_queue_url, QueueName=name)
        yield _judge_existence(account, name, exists=queue is not None)


def _judge_existence(account: DeployedAccount, name: str, *, exists: bool) -> Finding:
    if exists:
        return Finding("ok", name)
    return account.judge(name, "does not exist")


def check_alarms(account: DeployedAccount) -> Iterator[Finding]:
    """Check that each alarm exists, with its log filter if it has one, and notifies the topic."""
    for alarm in list_alarms(account.target.settings):
        yield account.judge(f"the alarm {alarm.name}", _find_alarm_problem(account, alarm))


def _find_alarm_problem(account: DeployedAccount, alarm: Alarm) -> str | None:
    """Say why an alarm would not be heard, or return None if it would."""
    topic_arn = account.pipeline.topic_arn
    is_heard = any(
        topic_arn in deployed_alarm["AlarmActions"] and deployed_alarm["ActionsEnabled"]
        for deployed_alarm in account.find_alarms(alarm.name)
    )
    if not is_heard:
        return "does not exist or does not notify the topic"

    # Only the alarms that count log records have a pattern.
    if not alarm.pattern:
        return None
    response = account.client("logs").describe_metric_filters(
        metricName=alarm.metric, metricNamespace=NAMESPACE_BY_DIMENSION[alarm.dimension]
    )
    log_groups = {log_filter["logGroupName"] for log_filter in response["metricFilters"]}
    if log_groups.isdisjoint(account.log_groups):
        return "gets nothing, because its log filter does not exist"
    return None
