"""Proves within what time the alarms ring when a pipeline dies, and that they are silent otherwise.

The metrics come from the real log records of the functions, on virtual time. The metrics of Step
Functions come from the executions. Those of the dead-letter queue are invented. The rules by which
CloudWatch evaluates alarms are those of its documentation (`alarm_rules.py`).
"""

import json
import logging
import re
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.exceptions import ClientError

from components.alarms import ALARMS, FUNCTION_ERRORS_PATTERN, Alarm, alarm_inputs
from components.dashboard import dashboard_body
from components.rules.arns import Home
from components.state_machine.steps import STEPS
from emulator.virtual.step_functions import Fails
from functions.contract import Outcome
from functions.metrics import METRICS, NAMESPACE
from tests.emf import data
from tests.workflow.alarm_rules import Metrics, is_in_alarm, key, matches, ringing
from tests.workflow.pipeline import SLOT, deploy, handler
from tests.world import HOUR, MOVIES, PIPELINE, exports, solution

ROOT = Path(__file__).resolve().parents[2]
EXTRA_PERIODS = 2
"""In AWS's example, an alarm of 3 periods reads 5."""
FIRST = datetime.fromisoformat(SLOT)
WEEK, DAY, QUARTER = timedelta(weeks=1), timedelta(days=1), timedelta(minutes=15)
STATUSES = {"FAILED": "ExecutionsFailed", "TIMED_OUT": "ExecutionsTimedOut"}
SHORT = {"solution-version": 900, "campaign-update": 300}


class Life(logging.Handler):
    """A pipeline with its watcher, which collects the log records of its functions."""

    def __init__(self, pipeline):
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.pipeline, self.metrics, self.executions = pipeline, Metrics(), []
        self.broken_step = None
        """The step whose module cannot be imported."""
        pipeline.handlers = {step: self._calling(step) for step in STEPS}
        self.machine_arn = pipeline.machine.arn
        self.watched = {
            "Pipeline": PIPELINE,
            "StateMachineArn": self.machine_arn,
            "QueueName": "dead-letters",
        }
        self.created = self.now

    @property
    def now(self):
        """Return the virtual time."""
        return self.pipeline.clock.now()

    def _calling(self, step):
        """Return the function of a step. It writes the record of an error, as Lambda does."""

        def call(event, context):
            if step == self.broken_step:
                self._read({"errorType": "Runtime.ImportModuleError"})
                raise Fails("Runtime.ImportModuleError")
            try:
                return handler(step)(event, context)
            except Exception as error:
                self._read({"errorType": type(error).__name__})
                raise

        return call

    def emit(self, record):
        """Read a record as Lambda writes it."""
        self._read(json.loads(self.format(record)))

    def _read(self, record):
        """Add the metrics of a record, and those of the filters."""
        for datum in data(record):
            time = datetime.fromtimestamp(datum.milliseconds / 1000, self.now.tzinfo)
            self.metrics.put(datum.namespace, datum.name, datum.dimensions, time, datum.value)
        if matches(FUNCTION_ERRORS_PATTERN, record):
            self.metrics.put(f"{NAMESPACE}/{PIPELINE}", "FunctionErrors", {}, self.now, 1)

    def live(self, time, slots=(), step=timedelta(hours=1)):
        """Let time pass, call the watcher after each step, and start a run at each of the slots.

        An hour is four times as fast as the real step of 15 minutes. Only trials need that.
        """
        end, slots = self.now + time, sorted(slots)
        while self.now < end:
            next_call = self.now + step
            while slots and slots[0] <= next_call:
                self.sleep_until(slots[0])
                self.start(slots.pop(0))
            self.sleep_until(next_call)
            if self.broken_step != "watch_pipeline":
                self.pipeline.handlers["watch_pipeline"](
                    {"stateMachineArn": self.machine_arn}, None
                )

    def sleep_until(self, time):
        """Sleep until a time, if it is in the future."""
        self.pipeline.sleep(max(0, (time - self.now).total_seconds()))

    def start(self, slot=FIRST):
        """Start a run as the schedule does."""
        self.executions.append(self.pipeline.start(scheduledTime=slot.isoformat()))
        return self.executions[-1]

    def dead_letter(self, since):
        """Let the queue have a message since a time, which SQS measures each minute."""
        for minute in range(int((self.now - since).total_seconds() // 60)):
            at, name = since + timedelta(minutes=minute), "ApproximateNumberOfMessagesVisible"
            self.metrics.put("AWS/SQS", name, {"QueueName": self.watched["QueueName"]}, at, 1)

    def first_rings(self, extra=EXTRA_PERIODS):
        """Return the time at which each alarm rings first, by the name of the alarm."""
        for execution in self.executions:
            ended = execution.now()
            if ended.status in STATUSES:
                dimensions = {"StateMachineArn": self.machine_arn}
                at = ended.events[-1]["timestamp"]
                self.metrics.put("AWS/States", STATUSES[ended.status], dimensions, at, 1)
        self.executions.clear()
        hours = self.pipeline.args.max_model_age_days * 24
        rings = {}
        for alarm in ALARMS:
            inputs = alarm_inputs(alarm, PIPELINE, self.watched, hours)
            times = ringing(inputs, self.metrics, self.created, self.now, extra=extra)
            if time := next(times, None):
                rings[alarm.name] = time
        return rings


@contextmanager
def living(group=MOVIES, durations=SHORT):
    """Yield the life of a pipeline that was deployed a minute ago."""
    logger = logging.getLogger("retraining")
    level = logger.level
    with deploy(group, durations=durations) as pipeline:
        life = Life(pipeline)
        logger.addHandler(life)
        logger.setLevel(logging.INFO)
        try:
            yield life
        finally:
            logger.removeHandler(life)
            logger.setLevel(level)


# Ways to die. Each returns the time from which the guide counts.


def no_schedule(life):
    life.live(timedelta(hours=4), [FIRST])
    ended = life.now
    life.live(2 * WEEK)
    return ended


def broken_function(life):
    life.live(DAY, [FIRST])
    life.broken_step = "plan_retraining"
    life.live(timedelta(hours=6), [FIRST + DAY])
    return FIRST + DAY


def no_state_machine(life):
    life.live(timedelta(hours=6), [FIRST])
    life.broken_step = "watch_pipeline"  # it cannot read the state machine
    slot = FIRST + WEEK
    life.live(WEEK + DAY)
    life.dead_letter(slot + timedelta(hours=1))  # Scheduler tries for an hour
    return slot


def no_new_data(life):
    life.live(2 * WEEK, [FIRST, FIRST + WEEK])
    return FIRST + timedelta(hours=1)


def refused_exports(life):
    life.live(DAY, [FIRST])
    life.pipeline.bucket.put("interactions.csv", b"USER_ID,ITEM_ID\n")
    life.live(timedelta(hours=6), [FIRST + DAY])
    return FIRST + DAY


def endless_training(life):
    life.pipeline.inject_fault("hang", job="solution-version")
    life.live(timedelta(hours=30), [FIRST])
    hours = life.pipeline.args.limits.max_training_hours
    (arn,) = [arn for arn in life.pipeline.versions() if arn != life.pipeline.served_version()]
    version = life.pipeline.client.describe_solution_version(solutionVersionArn=arn)
    return version["solutionVersion"]["creationDateTime"] + timedelta(hours=hours)


def no_topic(life):
    response = {"Error": {"Code": "NotFound", "Message": "Topic does not exist"}}
    life.pipeline.inbox.failure = ClientError(response, "Publish")
    life.live(timedelta(hours=8), [FIRST])
    (run,) = life.executions
    return run.now().events[-1]["timestamp"]


def dead_measurement(life):
    life.live(timedelta(hours=6), [FIRST])
    life.broken_step = "watch_pipeline"
    dead = life.now
    life.live(DAY)
    return dead


def unfinished_trial(life):
    started = life.start()
    while not any(life.pipeline.requests("UpdateCampaign")):
        life.pipeline.sleep(60)
    started.abort("Enough", "of this")
    aborted = life.now
    life.pipeline.inject_fault("deny", operation="DescribeCampaign", times=None)
    life.live(DAY / 2, step=QUARTER)
    return aborted


WAYS = {
    "the schedule is disabled or deleted": no_schedule,
    "a function cannot start": broken_function,
    "the state machine is deleted": no_state_machine,
    "the exports do not change any more": no_new_data,
    "every export is refused": refused_exports,
    "a training takes longer than": endless_training,
    "the topic is deleted": no_topic,
    "`watch_pipeline` does not run any more": dead_measurement,
    "a campaign is left on trial": unfinished_trial,
}
"""The beginning of a row in the guide -> what happens."""


def promises():
    """Return the rows of the second table in "Alarms": what happens -> the alarms and the time."""
    guide = (ROOT / "docs" / "operations.md").read_text()
    table = guide.partition("\n## Alarms\n")[2].partition("| what goes wrong |")[2]
    rows = re.findall(
        r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", table.partition("\n\n")[0], re.MULTILINE
    )
    return {
        what: (re.findall(r"`([\w-]+)`", alarms), within)
        for what, alarms, within in rows
        if what != "---"
    }


@pytest.mark.parametrize("row", promises())
def test_a_dead_pipeline_rings_within_the_time_of_the_guide(row):
    alarms, within = promises()[row]
    (die,) = (die for beginning, die in WAYS.items() if row.startswith(beginning))
    slow_update = {"campaign-update": 2 * HOUR} if die is unfinished_trial else {}
    with living(durations={**SHORT, **slow_update}) as life:
        since = die(life)
        limit = promised_time(within, life.pipeline.args)
        rings = life.first_rings()
    assert set(alarms) <= rings.keys()
    for name in alarms:
        assert since - timedelta(minutes=10) <= rings[name] <= since + limit, name


def promised_time(text, args):
    """Return the time in a cell of the guide, for example `10 minutes after the next run ends`."""
    amount = {"minutes": 1, "hour": 60, "hours": 60}
    minutes = sum(
        int(number) * amount[unit] for number, unit in re.findall(r"(\d+) (minutes|hours?)\b", text)
    )
    assert minutes
    days = args.max_model_age_days if "maxModelAgeDays" in text else 0
    return timedelta(days=days, minutes=minutes)


@pytest.mark.parametrize(
    ("rate", "gap", "runs"),
    [("cron(0 3 ? * SUN *)", WEEK, 3), ("rate(1 hour)", timedelta(hours=1), 30)],
    ids=["weekly", "hourly"],
)
def test_a_healthy_pipeline_never_rings(rate, gap, runs):
    short = {"solution-version": 600, "campaign-update": 120}
    group = MOVIES.with_solutions(solution(quality_gate=[])).with_options(retraining_rate=rate)
    with living(group, durations=short) as life:
        for number in range(runs):
            life.pipeline.bucket.put("interactions.csv", exports(1201 + number)["interactions.csv"])
            slot = max(FIRST + number * gap, life.now)
            life.live(slot + gap - life.now, [slot])
        assert all(run.now().status == "SUCCEEDED" for run in life.executions)
        for extra in (0, EXTRA_PERIODS, 5):
            assert life.first_rings(extra=extra) == {}, "a new pipeline has no measurement yet"
    for name in ("ModelAgeHours", "DataAgeHours", "UnfinishedTrials", "UndeliveredReports"):
        assert key(NAMESPACE, name, {"Pipeline": PIPELINE}) in life.metrics.values, name


# What the alarms and the dashboard read is what the functions write


def test_an_alarm_watches_a_metric_that_the_functions_write():
    for alarm in ALARMS:
        if alarm.dimension == "Pipeline" and not alarm.pattern:
            assert None in METRICS[alarm.metric].dimensions, alarm.name


def test_the_dashboard_draws_the_metrics_that_the_functions_write():
    names = ("taste", "similar")
    group = MOVIES.with_solutions(*(solution(name, campaigns=[f"of-{name}"]) for name in names))
    with living(group) as life:
        life.live(timedelta(hours=4), [FIRST])
        body = dashboard_body(
            pipeline=PIPELINE,
            settings=group.settings(),
            home=Home("aws", "eu-west-1", "123456789012"),
            alarm_arns=[],
            log_group="log",
            state_machine_arn=life.machine_arn,
        )
    written = {metric for metric in life.metrics.values if metric[0] == NAMESPACE}
    drawn = {
        key(space, name, dict(zip(rest[:-1:2], rest[1::2], strict=True)))
        for widget in body["widgets"]
        for space, name, *rest in widget["properties"].get("metrics", [])
    }
    assert drawn - written == {
        key(NAMESPACE, "Runs", {"Pipeline": PIPELINE, "Outcome": outcome})
        for outcome in {*get_args(Outcome)} - {"DEPLOYED"}
    }, "this run had no reason to write them"
    assert written - drawn == {
        key(NAMESPACE, name, {"Pipeline": PIPELINE})
        for name, metric in METRICS.items()
        if None in metric.dimensions
    }, "they are only for alarms"


# The rules themselves

THREE_HOURS = Alarm("three-hours", "M", "", "", periods=3, period_seconds=3600)


@pytest.mark.parametrize(
    ("points", "missing", "extra", "is_bad"),
    [
        # AWS's table of examples: X is bad, 0 is good, - is missing. The last is the newest.
        ("0-X-X", "breaching", 2, False),
        ("0----", "breaching", 2, False),
        ("-----", "breaching", 2, True),
        ("0XX-X", "notBreaching", 2, True),
        ("--XX-", "breaching", 2, True),
        ("--XX-", "notBreaching", 2, False),
        ("XXX--", "notBreaching", 2, True),
        ("XXX--", "notBreaching", 0, False),
        ("XX0", "breaching", 0, False),
    ],
)
def test_the_rules_of_missing_data(points, missing, extra, is_bad):
    metrics = Metrics()
    for hours, point in enumerate(reversed(points)):
        if point != "-":
            at = FIRST - timedelta(hours=hours, minutes=30)
            metrics.put(NAMESPACE, "M", {"Pipeline": PIPELINE}, at, 1 if point == "X" else 0)
    inputs = alarm_inputs(THREE_HOURS, PIPELINE, {"Pipeline": PIPELINE}, 0)
    alarm = {**inputs, "treat_missing_data": missing}
    assert is_in_alarm(alarm, metrics, FIRST, extra=extra) == is_bad


@pytest.mark.parametrize(
    ("record", "counts"),
    [
        ({"errorType": "AccessDeniedException"}, True),
        ({"errorType": "Runtime.ImportModuleError"}, True),
        ({"errorType": "Throttled"}, False),
        ({"errorType": "RunRefused"}, False),
        ({"level": "ERROR", "message": "a campaign cannot be measured"}, False),
        ({"type": "platform.report", "record": {"status": "timeout"}}, True),
        ({"type": "platform.report", "record": {"status": "error"}}, False),
    ],
)
def test_the_records_that_count_as_errors_of_a_function(record, counts):
    assert matches(FUNCTION_ERRORS_PATTERN, record) == counts
