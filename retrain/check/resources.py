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


def check_settings(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Warn if the deployed settings differ from those in the stack's file."""
    if pipeline.has_other_settings:
        text = f"the deployed pipeline has other settings than {pipeline.source}"
        yield Finding("warn", text, pipeline.deploy_command)


def check_schedules(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that both schedules exist, and that the watcher's schedule is enabled."""
    for service, purpose in (("states", "starts runs"), ("lambda", "watches the pipeline")):
        name = f"the schedule that {purpose}"
        schedule = pipeline.schedules.get(service)
        # Somebody may pause runs on purpose, but the watcher should never be off.
        if schedule and service == "lambda" and schedule["State"] != "ENABLED":
            yield pipeline.report_resource(name, is_ok=False, problem="is turned off")
        else:
            yield pipeline.report_resource(name, is_ok=schedule is not None)


def check_rules(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that the event rules exist, are enabled, and have a target."""
    purpose_by_module = {"close_run": "reports runs that were stopped"}
    # A pause turns off both the schedule and the rule for exports.
    if pipeline.target.settings.get("triggerOnExport") and not pipeline.is_schedule_off:
        purpose_by_module["start_on_export"] = "starts a run for a new export"

    for module, purpose in purpose_by_module.items():
        yield pipeline.report_resource(
            f"the event rule that {purpose}",
            is_ok=bool(pipeline.rule_target_arns[module]),
            problem="does not exist, is disabled or calls nothing",
        )


def check_logs(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that the log groups of the functions and the state machine exist."""
    client = pipeline.client("logs")
    for name in sorted(_list_log_groups(pipeline)):
        response = client.describe_log_groups(logGroupNamePrefix=name)
        # The response may also contain other groups, whose names only begin like this one.
        existing_names = [group["logGroupName"] for group in response["logGroups"]]
        yield pipeline.report_resource(name, is_ok=name in existing_names)


def _list_log_groups(pipeline: DeployedPipeline) -> Iterator[str]:
    """List the names of the log groups to which the functions and the state machine write."""
    configs = filter(None, pipeline.function_configs.values())
    yield from {config["LoggingConfig"]["LogGroup"] for config in configs}

    logging = pipeline.target.state_machine.get("loggingConfiguration", {})
    for destination in logging.get("destinations", []):
        yield destination["cloudWatchLogsLogGroup"]["logGroupArn"].split(":")[6]


def check_queue(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that the schedule's dead-letter queue exists. It gets runs that couldn't be started."""
    schedule = pipeline.schedules.get("states")
    if schedule is None or "DeadLetterConfig" not in schedule["Target"]:
        return

    name = schedule["Target"]["DeadLetterConfig"]["Arn"].rpartition(":")[2]
    queue = read_if_exists(pipeline.client("sqs").get_queue_url, QueueName=name)
    yield pipeline.report_resource(name, is_ok=queue is not None)


def check_alarms(pipeline: DeployedPipeline) -> Iterator[Finding]:
    """Check that each alarm exists, gets data, and notifies the topic."""
    for alarm in list_alarms(pipeline.target.settings):
        is_active = any(row["ActionsEnabled"] for row in pipeline.find_alarms(alarm.name))
        problem = "does not exist or does not notify the topic"
        if is_active and alarm.pattern:
            # The alarm counts log records, so it depends on a log group's metric filter.
            is_active = _has_metric_filter(pipeline, alarm)
            problem = "gets nothing, because its log filter does not exist"
        yield pipeline.report_resource(f"the alarm {alarm.name}", is_ok=is_active, problem=problem)


def _has_metric_filter(pipeline: DeployedPipeline, alarm: Alarm) -> bool:
    """Return True if a log group has the metric filter that provides an alarm with data."""
    response = pipeline.client("logs").describe_metric_filters(
        metricName=alarm.metric, metricNamespace=build_namespace(alarm, pipeline.name)
    )
    return bool(response["metricFilters"])
