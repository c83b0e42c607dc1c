"""Checks that each resource of a deployed pipeline exists, if Pulumi couldn't compare the stack.

Without the stack's state, we derive the resources that should exist from tables in `components/`,
and from references between resources (see `deployed_pipeline.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.alarms import build_namespace, list_alarms
from retrain.account.access import read_if_exists
from retrain.check.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.alarms import Alarm
    from retrain.check.deployed_pipeline import DeployedPipeline


def check_settings(deployed: DeployedPipeline) -> Iterator[Finding]:
    """Warn if the deployed settings differ from those in the stack's file."""
    pipeline = deployed.pipeline
    if pipeline.has_other_settings:
        text = f"the deployed pipeline has other settings than {pipeline.source}"
        yield Finding("warn", text, pipeline.deploy_command)


def check_schedules(deployed: DeployedPipeline) -> Iterator[Finding]:
    """Check that both schedules exist, and that the watcher's schedule is enabled."""
    for service, purpose in (("states", "starts runs"), ("lambda", "watches the pipeline")):
        schedule = deployed.schedules.get(service)

        problem = None
        if schedule is None:
            problem = "does not exist"
        elif service == "lambda" and schedule["State"] != "ENABLED":
            # Somebody may pause runs on purpose, but the watcher should never be off.
            problem = "is turned off"
        yield deployed.pipeline.report_resource(f"the schedule that {purpose}", problem)


def check_rules(deployed: DeployedPipeline) -> Iterator[Finding]:
    """Check that the event rules exist, are enabled, and have a target."""
    purpose_by_module = {"close_run": "reports runs that were stopped"}
    is_paused = deployed.pipeline.is_paused or deployed.is_paused_by_hand
    if deployed.target.settings.get("triggerOnExport") and not is_paused:
        purpose_by_module["start_on_export"] = "starts a run for a new export"

    for module, purpose in purpose_by_module.items():
        problem = None
        if not deployed.rule_target_arns[module]:
            problem = "does not exist, is disabled or calls nothing"
        yield deployed.pipeline.report_resource(f"the event rule that {purpose}", problem)


def check_logs(deployed: DeployedPipeline) -> Iterator[Finding]:
    """Check that the log groups of the functions and the state machine exist."""
    configs = filter(None, deployed.function_configs.values())
    group_names = {config["LoggingConfig"]["LogGroup"] for config in configs}
    logging = deployed.target.state_machine.get("loggingConfiguration", {})
    for destination in logging.get("destinations", []):
        group_names.add(destination["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6])

    client = deployed.target.access.client("logs")
    for group_name in sorted(group_names):
        response = client.describe_log_groups(logGroupNamePrefix=group_name)
        # The response may also contain other groups, whose names only begin like this one.
        found_names = [group["logGroupName"] for group in response["logGroups"]]
        problem = None
        if group_name not in found_names:
            problem = "does not exist"
        yield deployed.pipeline.report_resource(group_name, problem)


def check_queue(deployed: DeployedPipeline) -> Iterator[Finding]:
    """Check that the schedule's dead-letter queue exists. It gets runs that couldn't be started."""
    schedule = deployed.schedules.get("states")
    if schedule is None or "DeadLetterConfig" not in schedule["Target"]:
        return

    queue_name = schedule["Target"]["DeadLetterConfig"]["Arn"].rpartition(":")[2]
    client = deployed.target.access.client("sqs")
    problem = None
    if read_if_exists(client.get_queue_url, QueueName=queue_name) is None:
        problem = "does not exist"
    yield deployed.pipeline.report_resource(queue_name, problem)


def check_alarms(deployed: DeployedPipeline) -> Iterator[Finding]:
    """Check that each alarm exists, gets data, and notifies the topic."""
    for alarm in list_alarms(deployed.target.settings):
        problem = _find_alarm_problem(deployed, alarm)
        yield deployed.pipeline.report_resource(f"the alarm {alarm.name}", problem)


def _find_alarm_problem(deployed: DeployedPipeline, alarm: Alarm) -> str | None:
    """Explain why an alarm couldn't send a message. Return None if it could."""
    if not any(
        deployed_alarm["ActionsEnabled"] for deployed_alarm in deployed.find_alarms(alarm.name)
    ):
        return "does not exist or does not notify the topic"

    # An alarm with a pattern counts log records, so it depends on a log group's metric filter.
    if alarm.pattern:
        namespace = build_namespace(alarm, deployed.name)
        response = deployed.target.access.client("logs").describe_metric_filters(
            metricName=alarm.metric, metricNamespace=namespace
        )
        if not response["metricFilters"]:
            return "gets nothing, because its log filter does not exist"
    return None
