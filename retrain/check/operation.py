"""Checks the deployed pipeline: its schedule, its last run and the events of S3."""

from __future__ import annotations

import json
import shlex
from itertools import islice
from typing import TYPE_CHECKING, cast

from functions.exports import split_location
from functions.words import time_text
from retrain.check.findings import Finding
from retrain.look.run_view import read_run
from retrain.look.runs import executions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

    from retrain.account.target import Target
    from retrain.check.findings import Account


def check_deployment(account: Account) -> Iterator[Finding]:
    """Find out whether the pipeline is deployed as the stack's file says."""
    pipeline = account.pipeline
    if pipeline.target is None:
        reason = str(pipeline.why_not_deployed)
        if not pipeline.is_created:  # the rest of the reason is the command
            reason = reason.partition("; ")[0]
        text = f"the deployed pipeline was not found: {reason}"
        yield Finding("warn", text, pipeline.deploy_command)
    elif pipeline.has_other_settings:
        text = f"the deployed pipeline has other settings than {pipeline.source}"
        yield Finding("warn", text, pipeline.deploy_command)
    else:
        yield Finding("ok", f"{pipeline.target.name} is deployed")


def check_schedule(account: Account) -> Iterator[Finding]:
    """Find out whether the schedule is enabled, and when it fires."""
    target = account.pipeline.target
    if target is None:
        return
    schedule = _schedule_of(target)
    if schedule is None:
        yield Finding(
            "missing", f"no schedule starts {target.name}", account.pipeline.deploy_command
        )
    elif schedule["State"] == "DISABLED":
        stack_option = f" --stack {target.stack}" if target.stack else ""
        yield Finding(
            "warn",
            "the schedule is disabled, so no run starts by itself",
            f"pulumi config set paused false{stack_option} && {account.pipeline.deploy_command}",
        )
    else:
        zone = schedule.get("ScheduleExpressionTimezone", "UTC")
        yield Finding("ok", f"the schedule is enabled: {schedule['ScheduleExpression']} in {zone}")


def _schedule_of(target: Target) -> GetScheduleOutputTypeDef | None:
    """Return the schedule that starts the state machine, or None if there is none."""
    client = target.access.session.client("scheduler", **target.access.client_options)
    for page in client.get_paginator("list_schedules").paginate():
        for summary in page["Schedules"]:
            if summary.get("Target", {}).get("Arn") == target.state_machine_arn:
                return client.get_schedule(GroupName=summary["GroupName"], Name=summary["Name"])
    return None


def check_last_run(account: Account) -> Iterator[Finding]:
    """Find out how the newest run has ended."""
    target = account.pipeline.target
    if target is None:
        return
    newest = next(islice(executions(target), 1), None)
    if newest is None:
        text = "the pipeline has not run yet"
        yield Finding("warn", text, account.pipeline.command("start"))
        return
    run = f"the newest run, {newest.name}, started at {time_text(newest.started_at)} UTC"
    if newest.is_running:
        yield Finding("ok", f"{run} and is still running")
        return
    view = read_run(target.access.step_functions, newest.arn)
    text = f"{run} and ended with the outcome {view.outcome}"
    if newest.status == "SUCCEEDED":
        yield Finding("ok", text)
    else:
        yield Finding("warn", text, account.pipeline.command("watch", "--run", newest.name))


def check_export_events(account: Account) -> Iterator[Finding]:
    """Find out whether the buckets of the ready markers send their events to EventBridge."""
    settings = account.pipeline.settings
    if not settings.get("triggerOnExport"):
        return
    client = account.access.session.client("s3", **account.access.client_options)
    markers = [row["readyMarker"] for row in settings["datasets"] if row["readyMarker"]]
    for bucket in sorted({split_location(marker).bucket for marker in markers}):
        response = client.get_bucket_notification_configuration(Bucket=bucket)
        config = {
            key: value
            for key, value in cast("Mapping[str, object]", response).items()
            if key != "ResponseMetadata"
        }
        if "EventBridgeConfiguration" in config:
            yield Finding("ok", f"{bucket} sends its events to EventBridge")
        else:
            mended = shlex.quote(json.dumps({**config, "EventBridgeConfiguration": {}}))
            yield Finding(
                "missing",
                f"{bucket} does not send its events to EventBridge, so no export starts a run",
                f"aws s3api put-bucket-notification-configuration --bucket {bucket} "
                f"--notification-configuration {mended}",
            )
