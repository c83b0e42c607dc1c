"""Proves within what time the alarms ring when a pipeline dies, and that they are silent otherwise.

The metrics come from the real log records of the functions, on virtual time. The metrics of Step
Functions come from the executions. Those of the dead-letter queue are invented. The rules by which
CloudWatch evaluates alarms are those of its documentation (`alarm_rules.py`).
"""

import json
import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.exceptions import ClientError

from components.alarms import ALARMS, FUNCTION_ERRORS_PATTERN, alarm_inputs
from components.dashboard import DashboardView
from components.rules.arns import Home
from components.state_machine.steps import STEPS
from docs import costs
from emulator.virtual.step_functions import Fails
from functions.contract import Outcome
from functions.metrics import METRICS, NAMESPACE
from tests.emf import data
from tests.workflow.alarm_rules import Metrics, is_in_alarm, matches, ringing
from tests.workflow.pipeline import SLOT, deploy, handler
from tests.world import HOUR, MOVIES, PIPELINE, exports, solution

ROOT = Path(__file__).resolve().parents[2]
EXTRA_PERIODS = 2
"""In AWS's example, an alarm of 3 periods reads 5. More are read in a test of their own."""
QUEUE = "dead-letters"
FIRST = datetime.fromisoformat(SLOT)
WEEK, DAY, QUARTER = timedelta(weeks=1), timedelta(days=1), timedelta(minutes=15)
STATUSES = {
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}
SHORT = {"solution-version": 900, "campaign-update": 300}


@dataclass
class Life:
    """A pipeline with its metrics, and its watcher."""

    pipeline: object
    records: list
    metrics: Metrics = field(default_factory=Metrics)
    measures: bool = True
    started: list = field(default_factory=list)
    created: datetime | None = None
    is_broken: bool = False
    """True if the module of plan_retraining cannot be imported."""

    @property
    def now(self):
        """Return the virtual time."""
        return self.pipeline.clock.now()

    def deploy(self):
        """Create the state machine, measure once as `pulumi up` does, and create the alarms."""
        assert self.pipeline.machine.arn
        self.measure()
        self.created = self.now

    def measure(self):
        """Measure the ages, unless the measurement is dead."""
        if self.measures:
            event = {"stateMachineArn": self.pipeline.machine.arn}
            called(self.pipeline, self.records, "watch_pipeline")(event, None)

    def live(self, until, slots=(), step=timedelta(hours=1)):
        """Let time pass, call the watcher after each step, and start a run at each of the slots.

        An hour is four times as fast as the real step of 15 minutes. Only trials need that.
        """
        slots = sorted(slots)
        while self.now < until:
            next_call = self.now + step
            while slots and slots[0] <= next_call:
                self.sleep_until(slots[0])
                self.start(slots.pop(0))
            self.sleep_until(next_call)
            self.measure()

    def sleep_until(self, time):
        """Sleep until a time, if it is in the future."""
        self.pipeline.sleep(max(0, (time - self.now).total_seconds()))

    def start(self, slot):
        """Start a run as the schedule does."""
        self.started.append(self.pipeline.start(scheduledTime=slot.isoformat()))
        return self.started[-1]

    def dead_letter(self, since):
        """Let the queue have a message since a time, which SQS measures each minute."""
        for minute in range(int((self.now - since).total_seconds() // 60)):
            at = since + timedelta(minutes=minute)
            name = "ApproximateNumberOfMessagesVisible"
            self.metrics.put("AWS/SQS", name, {"QueueName": QUEUE}, at, 1)

    def collect(self):
        """Return all metrics: those of the log, of the filters, and of the executions."""
        for at, record in self.records:
            for datum in data(record):
                time = datetime.fromtimestamp(datum.milliseconds / 1000, at.tzinfo)
                self.metrics.put(datum.namespace, datum.name, datum.dimensions, time, datum.value)
            if matches(FUNCTION_ERRORS_PATTERN, record):
                space = f"PersonalizeRetraining/{PIPELINE}"
                self.metrics.put(space, "FunctionErrors", {}, at, 1)
        self.records.clear()
        arn = self.pipeline.machine.arn
        for execution in self.started:
            ended = execution.now()
            if ended.status in STATUSES:
                dimensions = {"StateMachineArn": arn}
                at = ended.events[-1]["timestamp"]
                self.metrics.put("AWS/States", STATUSES[ended.status], dimensions, at, 1)
        self.started.clear()
        return self.metrics

    def first_rings(self, extra=EXTRA_PERIODS, after=None):
        """Return the time at which each alarm rings first, by the name of the alarm."""
        metrics = self.collect()
        rings = {}
        for alarm in ALARMS:
            times = ringing(self.inputs(alarm), metrics, self.created, self.now, extra=extra)
            time = next((time for time in times if after is None or time > after), None)
            if time is not None:
                rings[alarm.name] = time
        return rings

    def inputs(self, alarm):
        """Return the inputs of a deployed alarm."""
        watched = {"StateMachineArn": self.pipeline.machine.arn, "QueueName": QUEUE}
        hours = self.pipeline.args.max_model_age_days * 24
        return alarm_inputs(alarm, PIPELINE, watched, hours)


class Collector(logging.Handler):
    """Collects the log records as Lambda writes them, with the virtual time."""

    def __init__(self, now, records):
        super().__init__()
        self._now, self._records = now, records
        self.setFormatter(JsonFormatter())

    def emit(self, record):
        """Add the record."""
        self._records.append((self._now(), json.loads(self.format(record))))


def called(pipeline, records, step, replaced=None):
    """Return a function that writes the record of an error that ends its invocation."""

    def call(event, context):
        try:
            return (replaced or handler(step))(event, context)
        except Exception as error:
            name = error.error if isinstance(error, Fails) else type(error).__name__
            records.append((pipeline.clock.now(), {"level": "ERROR", "errorType": name}))
            raise

    return call


@contextmanager
def living(group=MOVIES, *, durations=SHORT, **options):
    """Yield the life of a pipeline that was deployed a minute ago."""
    records = []
    with deploy(group, durations=durations, **options) as pipeline:
        life = Life(pipeline, records)

        def plan(event, context):
            if life.is_broken:
                raise Fails("Runtime.ImportModuleError")
            return handler("plan_retraining")(event, context)

        replaced = {"plan_retraining": plan}
        pipeline.handlers = {
            step: called(pipeline, records, step, replaced.get(step)) for step in STEPS
        }
        collector = Collector(pipeline.clock.now, records)
        logger = logging.getLogger("retraining")
        level = logger.level
        logger.addHandler(collector)
        logger.setLevel(logging.INFO)
        try:
            life.deploy()
            yield life
        finally:
            logger.removeHandler(collector)
            logger.setLevel(level)


# Ways to die. Each returns the time from which the guide counts.


def no_schedule(life):
    life.live(FIRST + timedelta(hours=4), [FIRST])
    ended = life.now
    life.live(FIRST + 2 * WEEK)
    return ended


def broken_function(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    life.is_broken = True
    life.live(FIRST + DAY + timedelta(hours=6), [FIRST + DAY])
    return FIRST + DAY


def lost_permission(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    life.pipeline.inject_fault("deny", operation="DescribeDataset", times=None)
    life.live(FIRST + DAY + timedelta(hours=6), [FIRST + DAY])
    return FIRST + DAY


def no_state_machine(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    life.measures = False  # it cannot read the state machine
    slot = FIRST + WEEK
    life.live(slot + DAY)
    life.dead_letter(slot + timedelta(hours=1))  # Scheduler tries for an hour
    return slot


def no_new_data(life):
    life.live(FIRST + 2 * WEEK, [FIRST, FIRST + WEEK])
    return FIRST + timedelta(hours=1)


def refused_exports(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    life.pipeline.bucket.put("interactions.csv", b"USER_ID,ITEM_ID\n")
    life.live(FIRST + DAY + timedelta(hours=6), [FIRST + DAY])
    return FIRST + DAY


def endless_training(life):
    life.pipeline.inject_fault("hang", job="solution-version")
    life.live(FIRST + timedelta(hours=30), [FIRST])
    hours = life.pipeline.args.limits.max_training_hours
    (arn,) = [arn for arn in life.pipeline.versions() if arn != life.pipeline.served_version()]
    version = life.pipeline.client.describe_solution_version(solutionVersionArn=arn)
    created = version["solutionVersion"]["creationDateTime"]
    return created + timedelta(hours=hours)


def aborted_run(life):
    started = life.start(FIRST)
    life.pipeline.sleep(HOUR / 4)
    started.abort("Enough", "of this")
    aborted = life.now
    life.live(FIRST + timedelta(hours=6))
    return aborted


def no_topic(life):
    response = {"Error": {"Code": "NotFound", "Message": "Topic does not exist"}}
    life.pipeline.inbox.failure = ClientError(response, "Publish")
    life.live(FIRST + timedelta(hours=8), [FIRST])
    (run,) = life.started
    return run.now().events[-1]["timestamp"]


def dead_measurement(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    life.measures = False
    dead = life.now
    life.live(FIRST + DAY)
    return dead


def unfinished_trial(life):
    started = life.start(FIRST)
    while not any(life.pipeline.requests("UpdateCampaign")):
        life.pipeline.sleep(60)
    started.abort("Enough", "of this")
    aborted = life.now
    life.pipeline.inject_fault("deny", operation="DescribeCampaign", times=None)
    life.live(FIRST + DAY / 2, step=QUARTER)
    return aborted


def unreadable_campaign(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    life.pipeline.inject_fault("deny", operation="ListTagsForResource", times=None)
    denied = life.now
    life.live(life.now + timedelta(hours=2), step=QUARTER)
    return denied


def dead_letter(life):
    life.live(FIRST + timedelta(hours=6), [FIRST])
    arrived = life.now
    life.live(FIRST + DAY)
    life.dead_letter(arrived)
    return arrived


WAYS = {
    "the schedule is disabled or deleted": no_schedule,
    "a function cannot start": broken_function,
    "a role has lost a permission": lost_permission,
    "the state machine is deleted": no_state_machine,
    "the exports do not change any more": no_new_data,
    "every export is refused": refused_exports,
    "a training takes longer than": endless_training,
    "a run is aborted": aborted_run,
    "the topic is deleted": no_topic,
    "`watch_pipeline` does not run any more": dead_measurement,
    "a campaign is left on trial": unfinished_trial,
    "a campaign cannot be read": unreadable_campaign,
    "an event goes to the dead-letter queue": dead_letter,
}
"""The beginning of a row in the guide -> what happens."""
DURATIONS = {
    unfinished_trial: {**SHORT, "campaign-update": 2 * HOUR},
}


def promises():
    """Return the rows of the second table in "Alarms": what happens -> the alarms and the time."""
    guide = (ROOT / "docs" / "operations.md").read_text()
    section = guide.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    table = section.partition("| what goes wrong |")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {
        what: (re.findall(r"`([\w-]+)`", alarms), within)
        for what, alarms, within in rows
        if what != "---"
    }


def test_the_guide_names_each_way_to_die_once():
    rows = [*promises()]
    assert len(rows) == len(WAYS)
    assert all(sum(row.startswith(way) for row in rows) == 1 for way in WAYS)


@pytest.mark.parametrize("way", WAYS)
def test_a_dead_pipeline_rings_within_the_time_of_the_guide(way):
    die = WAYS[way]
    (promise,) = [promise for row, promise in promises().items() if row.startswith(way)]
    alarms, within = promise
    with living(durations=DURATIONS.get(die, SHORT)) as life:
        since = die(life)
        limit = promised_time(within, life.pipeline.args)
        rings = life.first_rings()
        # The metrics of an hour without a value replace nothing, however many AWS reads.
        assert life.first_rings(extra=0).keys() == rings.keys()
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


# Healthy pipelines


@pytest.mark.parametrize(
    ("rate", "gap", "runs"),
    [
        ("cron(0 3 ? * SUN *)", WEEK, 13),
        ("rate(1 day)", DAY, 14),
        ("rate(1 hour)", timedelta(hours=1), 30),
    ],
    ids=["weekly for a quarter", "daily for two weeks", "hourly for a day"],
)
def test_a_healthy_pipeline_never_rings(rate, gap, runs):
    short = {"solution-version": 600, "campaign-update": 120}
    group = MOVIES.with_solutions(solution(quality_gate=[])).with_options(retraining_rate=rate)
    with living(group, durations=short) as life:
        for number in range(runs):
            life.pipeline.bucket.put("interactions.csv", exports(1201 + number)["interactions.csv"])
            slot = max(FIRST + number * gap, life.now)
            life.live(slot + gap, [slot])
        assert all(run.now().status == "SUCCEEDED" for run in life.started)
        for extra in (0, EXTRA_PERIODS, 5):
            assert life.first_rings(extra=extra) == {}
        emitted = life.metrics.names()
    assert_monitored(emitted)


def assert_monitored(emitted):
    """Assert that the alarms about ages watch metrics that were written, under these dimensions."""
    for name in ("ModelAgeHours", "DataAgeHours", "UnfinishedTrials", "UndeliveredReports"):
        key = ("PersonalizeRetraining", name, frozenset({("Pipeline", PIPELINE)}))
        assert key in emitted, name


def test_a_new_pipeline_does_not_ring_although_its_first_measurement_arrives_late():
    with living() as life:
        life.metrics, life.records[:] = Metrics(), []
        life.live(FIRST + timedelta(hours=6))
        for extra in (0, EXTRA_PERIODS, 5):
            assert life.first_rings(extra=extra) == {}


# What the alarms and the dashboard read is what the functions write


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_watches_a_metric_that_the_functions_write(alarm):
    if alarm.dimension == "Pipeline" and not alarm.pattern:
        dimension = "Outcome" if alarm.outcome else None
        assert dimension in METRICS[alarm.metric].dimensions


def test_the_dashboard_draws_the_metrics_that_the_functions_write():
    names = ("taste", "similar")
    group = MOVIES.with_solutions(*(solution(name, campaigns=[f"of-{name}"]) for name in names))
    with living(group) as life:
        life.live(FIRST + timedelta(hours=4), [FIRST])
        written = {key for key in life.collect().names() if key[0] == NAMESPACE}
        view = DashboardView(
            pipeline=PIPELINE,
            home=Home("aws", "eu-west-1", "123456789012"),
            state_machine_arn=life.pipeline.machine.arn,
            log_group="log",
            alarm_arns=[],
            settings=group.settings(),
        )
    drawn = {
        (space, name, frozenset(zip(rest[:-1:2], rest[1::2], strict=True)))
        for widget in view.body()["widgets"]
        for space, name, *rest in widget["properties"].get("metrics", [])
    }

    def keys(metric, dimension, values):
        dimensions = [{"Pipeline": PIPELINE, dimension: value} for value in values]
        return {(NAMESPACE, metric, frozenset(items.items())) for items in dimensions}

    expected = keys("Runs", "Outcome", {*get_args(Outcome)} - {"DEPLOYED"})
    assert drawn - written == expected, "this run had no reason to write them"
    only_for_alarms = {name for _, name, _ in written - drawn if not name.endswith("_change")}
    assert only_for_alarms == {
        "ModelAgeHours",
        "DataAgeHours",
        "UnfinishedTrials",
        "UndeliveredReports",
    }, "and without a second dimension"


def test_the_log_of_a_month_is_as_large_as_the_page_about_metrics_says():
    def kilobytes(invocations):
        records = sum(len(json.dumps(record)) for _, record in life.records)
        life.records.clear()
        return records / 1000 + invocations * 1  # of Lambda itself

    with living() as life:
        life.records.clear()
        life.measure()
        of_measurement = kilobytes(1)
        execution = life.start(FIRST).wait()
        of_run = kilobytes(len(execution.calls))
        settings = life.pipeline.group.settings()
    month = costs.HOURS_PER_MONTH * of_measurement
    month += of_run * costs.HOURS_PER_MONTH / costs.HOURS_PER_WEEK
    assert costs.log_megabytes(settings, runs_per_week=1) == pytest.approx(month / 1000, rel=0.4)


# The rules themselves

PERIODS = {
    "namespace": "N",
    "metric_name": "M",
    "dimensions": {},
    "statistic": "Maximum",
    "period": 3600,
    "evaluation_periods": 3,
    "threshold": 1,
    "comparison_operator": "GreaterThanOrEqualToThreshold",
}
"""An alarm of three hours."""


@pytest.mark.parametrize(
    ("points", "missing", "extra", "is_bad"),
    [
        # AWS's table of examples: X is bad, 0 is good, - is missing. The last is the newest.
        ("0-X-X", "breaching", 2, False),
        ("0----", "breaching", 2, False),
        ("-----", "breaching", 2, True),
        ("-----", "notBreaching", 2, False),
        ("0XX-X", "breaching", 2, True),
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
    for place, point in enumerate(reversed(points)):
        if point != "-":
            at = FIRST - timedelta(hours=place, minutes=30)
            metrics.put("N", "M", {}, at, 1 if point == "X" else 0)
    alarm = {**PERIODS, "treat_missing_data": missing}
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
