"""Checks that each resource of a deployed pipeline exists, if Pulumi couldn't compare the stack.

Without the stack's state, we derive the resources that should exist from tables in `components/`,
and from references between resources (see `deployed_account.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alarms import build_namespace, list_alarms
from retrain.account.access import read_if_exists
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alarms import Alarm
    from retrain.check.deployed_account import DeployedAccount


def check_settings(account: DeployedAccount) -> Iterator[Finding]:
    """Warn if the deployed settings differ from those in the stack's file."""
    pipeline = account.pipeline
    if pipeline.has_other_settings:
        text = f"the deployed pipeline has other settings than {pipeline.source}"
        yield Finding("warn", text, pipeline.deploy_command)


def check_schedules(account: DeployedAccount) -> Iterator[Finding]:
    """Check that both schedules exist, and that the watcher's schedule is enabled."""
    for service, purpose in (("states", "starts runs"), ("lambda", "watches the pipeline")):
        name = f"the schedule that {purpose}"
        schedule = account.schedules.get(service)

        problem = None
        if schedule is None:
            problem = "does not exist"
        elif schedule["State"] != "ENABLED" and service == "lambda":
            # Somebody may pause runs on purpose, but the watcher should never be off.
            problem = "is turned off"
        yield account.report_resource(name, problem)


def check_rules(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the event rules exist, are enabled, and have a target."""
    purpose_by_module = {"close_run": "reports runs that were stopped"}
    is_paused = account.pipeline.is_paused or account.is_paused_by_hand
    if account.target.settings.get("triggerOnExport") and not is_paused:
        purpose_by_module["start_on_export"] = "starts a run for a new export"

    for module, purpose in purpose_by_module.items():
        problem = None
        if not account.rule_target_arns[module]:
            problem = "does not exist, is disabled or calls nothing"
        yield account.report_resource(f"the event rule that {purpose}", problem)


def check_logs(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the log groups of the functions and the state machine exist."""
    names = {*account.log_group_names}
    logging = account.target.state_machine.get("loggingConfiguration", {})
    for destination in logging.get("destinations", []):
        names.add(destination["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6])

    for name in sorted(names):
        response = account.client("logs").describe_log_groups(logGroupNamePrefix=name)
        # The response may also contain other groups, whose names only begin like this one.
        exists = name in [group["logGroupName"] for group in response["logGroups"]]
        yield _report_existence(account, name, exists=exists)


def check_queue(account: DeployedAccount) -> Iterator[Finding]:
    """Check that the schedule's dead-letter queue exists. It gets runs that couldn't be started."""
    schedule = account.schedules.get("states", {"Target": {}})
    dead_letter_config = schedule["Target"].get("DeadLetterConfig")
    if dead_letter_config:
        name = dead_letter_config["Arn"].rpartition(":")[2]
        queue = read_if_exists(account.client("sqs").get_queue_url, QueueName=name)
        yield _report_existence(account, name, exists=queue is not None)


def _report_existence(account: DeployedAccount, name: str, *, exists: bool) -> Finding:
    """Build a finding: ok if a resource exists, or else with the command that creates it again."""
    if exists:
        return Finding("ok", name)
    return account.report_resource(name, "does not exist")


def check_alarms(account: DeployedAccount) -> Iterator[Finding]:
    """Check that each alarm exists, gets data, and notifies the topic."""
    for alarm in list_alarms(account.target.settings):
        yield account.report_resource(
            f"the alarm {alarm.name}", _find_alarm_problem(account, alarm)
        )


def _find_alarm_problem(account: DeployedAccount, alarm: Alarm) -> str | None:
    """Explain why an alarm couldn't send a message. Return None if it could."""
    topic_arn = account.pipeline.topic_arn
    notifies_topic = any(
        topic_arn in deployed_alarm["AlarmActions"] and deployed_alarm["ActionsEnabled"]
        for deployed_alarm in account.find_deployed_alarms(alarm.name)
    )
    if not notifies_topic:
        return "does not exist or does not notify the topic"

    # An alarm with a pattern counts log records, so it depends on a log group's metric filter.
    if not alarm.pattern:
        return None
    response = account.client("logs").describe_metric_filters(
        metricName=alarm.metric, metricNamespace=build_namespace(alarm, account.pipeline_name)
    )
    filtered_groups = {log_filter["logGroupName"] for log_filter in response["metricFilters"]}
    if filtered_groups.isdisjoint(account.log_group_names):
        return "gets nothing, because its log filter does not exist"
    return None
