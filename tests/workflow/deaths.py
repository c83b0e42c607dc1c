"""Breaks a pipeline in many ways on virtual time, and measures which alarms ring and when.

`python -m tests.workflow.deaths` prints the table of docs/faults.md. A training takes two
hours, and a run begins seven hours after the pipeline was broken. The metrics come from the real
log records of the functions. The metrics of Step Functions come from the executions, and those of
the dead-letter queue are invented. The rules of the alarms are in `alarm_rules.py`.
"""

import contextlib
import itertools
import json
import logging
import re
from collections.abc import Callable
from contextlib import contextmanager
from datetime import datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from botocore.exceptions import ClientError

from components.alarms import ALARMS, FUNCTION_ERRORS_PATTERN, build_alarm_inputs
from components.args import LimitsArgs
from components.function_configs import FUNCTION_CONFIGS
from emulator.virtual.step_functions import LambdaFailure
from functions.constants import METRICS_NAMESPACE
from tests.emf import data
from tests.workflow.alarm_rules import Metrics, matches, ringing
from tests.workflow.pipeline import SLOT, deploy, handler
from tests.workflow.summaries import event_of
from tests.world import HOUR, MOVIES, PIPELINE, campaign_arn, exports

EXTRA_PERIODS = 2
"""In AWS's example, an alarm of 3 periods reads 5."""
FIRST = datetime.fromisoformat(SLOT)
WEEK = timedelta(weeks=1)
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
STATUSES = {"FAILED": "ExecutionsFailed", "TIMED_OUT": "ExecutionsTimedOut"}
LONG = {"solution-version": 2 * HOUR}
DELETED = "Lambda.ResourceNotFoundException"
"""The error of a state whose function was deleted. It is in no log of a function."""
BROKEN = "Runtime.ImportModuleError"
DENIED = {"Error": {"Code": "AccessDenied", "Message": "not authorized"}}


class Life(logging.Handler):
    """A pipeline with its watcher, which collects the log records of its functions."""

    def __init__(self, pipeline):
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.pipeline = pipeline
        self.metrics = Metrics()
        self.executions = []
        self.errors = {}
        """Step -> the error that each call of its function ends with."""
        self.silent = set()
        """The steps whose functions cannot write log records."""
        pipeline.handlers = {step: self._calling(step) for step in FUNCTION_CONFIGS}
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
            if name := self.errors.get(step):
                if step not in self.silent and name != DELETED:
                    self._read({"errorType": name})
                raise LambdaFailure(name)
            try:
                return handler(step)(event, context)
            except Exception as error:
                self._read({"errorType": type(error).__name__})
                raise

        return call

    def emit(self, record):
        """Read a record as Lambda writes it."""
        if getattr(record, "step", None) not in self.silent:
            self._read(json.loads(self.format(record)))

    def _read(self, record):
        """Add the metrics of a record, and those of the filters."""
        if self.silent >= FUNCTION_CONFIGS.keys():
            return
        for datum in data(record):
            time = datetime.fromtimestamp(datum.milliseconds / 1000, self.now.tzinfo)
            self.metrics.put(datum.namespace, datum.name, datum.dimensions, time, datum.value)
        if matches(FUNCTION_ERRORS_PATTERN, record):
            self.metrics.put(f"{METRICS_NAMESPACE}/{PIPELINE}", "FunctionErrors", {}, self.now, 1)

    def live(self, time, slots=(), step=timedelta(hours=1)):
        """Let time pass, call the watcher after each step, and start a run at each of the slots.

        An hour is four times as fast as the real step of 15 minutes.
        """
        end = self.now + time
        slots = sorted(slots)
        while self.now < end:
            next_call = self.now + step
            while slots and slots[0] <= next_call:
                self.sleep_until(slots[0])
                self.start(slots.pop(0))
            self.sleep_until(next_call)
            with contextlib.suppress(LambdaFailure):  # EventBridge only calls again
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
            at = since + timedelta(minutes=minute)
            name = "ApproximateNumberOfMessagesVisible"
            self.metrics.put("AWS/SQS", name, {"QueueName": self.watched["QueueName"]}, at, 1)

    def close_runs(self):
        """Report the runs that have ended without a report, as EventBridge lets `close_run` do."""
        for ended in self.executions:
            if ended.status in STATUSES:
                self.pipeline.handlers["close_run"](event_of(ended), None)

    @property
    def max_age(self):
        """Return the age at which an alarm rings."""
        return timedelta(days=self.pipeline.args.max_model_age_days)

    def first_rings(self, extra=EXTRA_PERIODS):
        """Return the time at which each alarm rings first, by the name of the alarm."""
        for ended in self.executions:
            if ended.status in STATUSES:
                dimensions = {"StateMachineArn": self.machine_arn}
                at = ended.events[-1]["timestamp"]
                self.metrics.put("AWS/States", STATUSES[ended.status], dimensions, at, 1)
        self.executions.clear()
        hours = self.pipeline.args.max_model_age_days * 24
        rings = {}
        for alarm in ALARMS:
            inputs = build_alarm_inputs(alarm, PIPELINE, self.watched, hours)
            times = ringing(inputs, self.metrics, self.created, self.now, extra=extra)
            if time := next(times, None):
                rings[alarm.name] = time

        return rings


@contextmanager
def living(group=MOVIES, durations=LONG):
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


class Origin(NamedTuple):
    """A time from which a person counts."""

    time: datetime
    words: str


class Death(NamedTuple):
    """A way in which a pipeline dies."""

    what: str
    happen: Callable[[Life], list[Origin]]
    """Returns the times from which the guide counts, in order."""
    mended_by: str


def broken(break_it: Callable[[Life], object], *, starts: bool = True):
    """Return what happens if something is broken between two runs."""

    def happen(life):
        life.live(timedelta(hours=6), [FIRST])
        life.pipeline.bucket.put("interactions.csv", exports(1300)["interactions.csv"])
        life.executions.clear()
        life.pipeline.inbox.messages.clear()
        break_it(life)
        broken_at = life.now
        run_at = life.now + timedelta(hours=7)
        life.live(timedelta(hours=11), [run_at] if starts else [], step=QUARTER)
        if not starts:
            life.dead_letter(run_at + timedelta(hours=1))  # Scheduler tries for an hour
        life.close_runs()

        return [Origin(broken_at, "later"), Origin(run_at, "into the next run")]

    return happen


def error(step: str, name: str):
    """Return what happens if each call of a function ends with an error."""
    return broken(lambda life: life.errors.update({step: name}))


def fault(**values: object):
    """Return what happens if Personalize always answers with a fault."""
    return broken(lambda life: life.pipeline.inject_fault(**values, times=None))


def no_policy(life):
    """Take the policy of a function away, without which it writes no log records either."""
    life.errors["deploy_version"] = "ClientError"
    life.silent.add("deploy_version")


def no_topic(life):
    """Let SNS refuse each message."""
    life.pipeline.inbox.failure = ClientError(DENIED, "Publish")


def no_schedule(life):
    """Let no run start any more."""
    life.live(3 * DAY, [FIRST])
    return [Origin(FIRST + life.max_age, "after `maxModelAgeDays`")]


def no_new_data(life):
    """Start runs that find nothing new."""
    life.live(3 * DAY, [FIRST, FIRST + DAY])
    return [Origin(FIRST + life.max_age, "after `maxModelAgeDays`")]


def refused_export(life):
    """Cut an export off."""
    life.pipeline.bucket.put("interactions.csv", b"USER_ID,ITEM_ID\n")


def endless_training(life):
    """Let a training hang."""
    life.pipeline.inject_fault("hang", job="solution-version")
    life.live(timedelta(hours=30), [FIRST])
    hours = life.pipeline.args.limits.max_training_hours
    (arn,) = [arn for arn in life.pipeline.versions() if arn != life.pipeline.served_version()]
    version = life.pipeline.client.describe_solution_version(solutionVersionArn=arn)
    began = version["solutionVersion"]["creationDateTime"]

    return [Origin(began + timedelta(hours=hours), "after `maxTrainingHours`")]


def unfinished_trial(life):
    """Stop a run that has moved a campaign, and let no other one read the campaign."""
    started = life.start()
    while not any(life.pipeline.requests("UpdateCampaign")):
        life.live(QUARTER, step=QUARTER)
    started.abort("Enough", "of this")
    stopped = life.now
    life.pipeline.inject_fault("deny", operation="DescribeCampaign", times=None)
    life.live(DAY / 2, step=QUARTER)

    return [Origin(stopped, "after the run was stopped")]


REFRESH = "[refresh](emergencies.md#deleted-or-changed-by-hand)"
"""A link to the command, which names the stack."""
DEATHS = (
    Death(
        "the schedule is deleted, or disabled",
        no_schedule,
        REFRESH,
    ),
    Death(
        "the state machine is deleted",
        broken(
            lambda life: life.errors.update(watch_pipeline="StateMachineDoesNotExist"),
            starts=False,
        ),
        REFRESH,
    ),
    Death("the role of the schedule may not start runs", broken(id, starts=False), REFRESH),
    Death("a function of an early step is deleted", error("plan_retraining", DELETED), REFRESH),
    Death("the code of a late step is broken", error("deploy_version", BROKEN), REFRESH),
    Death("the code of `report_outcome` is broken", error("report_outcome", BROKEN), REFRESH),
    Death("a late step has lost the policy of its role", broken(no_policy), REFRESH),
    Death(
        "a late step has lost one permission",
        fault(fault="deny", operation="UpdateCampaign"),
        REFRESH + ", or what your organization denies",
    ),
    Death(
        "the log group is deleted",
        broken(lambda life: life.silent.update(FUNCTION_CONFIGS)),
        REFRESH,
    ),
    Death("the topic is deleted", broken(no_topic), REFRESH + ", and confirm the address again"),
    Death("`watch_pipeline` or its schedule is deleted", error("watch_pipeline", DELETED), REFRESH),
    Death(
        "a campaign is deleted",
        broken(lambda life: life.pipeline.client.delete_campaign(campaignArn=campaign_arn("home"))),
        "[create it again](emergencies.md#a-campaign-was-deleted), or take it out of the config",
    ),
    Death(
        "the bucket policy or the import role is gone",
        fault(
            fault="fail",
            job="dataset-import-job",
            reason="Insufficient privileges for accessing data in S3",
        ),
        "the policy that `doctor` prints; for the role " + REFRESH,
    ),
    Death("an export is cut off", broken(refused_export), "a complete export"),
    Death("the exports do not change any more", no_new_data, "the job that writes them"),
    Death(
        "a training does not end", endless_training, "`retrain start` with `--skip-import --force`"
    ),
    Death(
        "a campaign is left on trial",
        unfinished_trial,
        "[A trial that has not ended](emergencies.md#a-trial-that-has-not-ended)",
    ),
)


def row(death: Death) -> str:
    """Return the row of the guide about a death: what rings, what the run says, what mends it."""
    slow_update = {"campaign-update": 2 * HOUR} if death.happen is unfinished_trial else {}
    group = MOVIES.with_options(limits=LimitsArgs(max_model_age_days=2))
    with living(group, durations={**LONG, **slow_update}) as life:
        origins = death.happen(life)
        messages = life.pipeline.inbox.messages
        rings = sorted((time, name) for name, time in life.first_rings().items())

    alarms = "; ".join(
        f"{', '.join(f'`{name}`' for _, name in same)} {told(time, origins)}"
        for time, same in itertools.groupby(rings, key=itemgetter(0))
    )
    said = reason(messages[-1].body) if messages else "no message"
    return f"| {death.what} | {alarms} | {said} | {death.mended_by} |"


def told(time: datetime, origins: list[Origin]) -> str:
    """Return a time as a person counts it."""
    origin = next(found for found in reversed(origins) if found.time <= time)
    hours, minutes = divmod((time - origin.time) // timedelta(minutes=1), 60)
    words = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]

    return f"{' '.join(filter(None, words))} {origin.words}"


def reason(message: str) -> str:
    """Return the outcome that a message names, what has failed first, and the name of the error."""
    outcome, _, first = message.partition("\n")[0].partition(": ")
    why = message.partition("\nWhy\n")[2].partition("\n\n")[0].partition(": made to fail")[0]
    if not why or first == "the run was refused.":
        return f"{outcome}: {first}"
    errors = re.findall(r"[\w.]+(?:Error|Exception|Failed|Refused)\b", why)
    subject = re.split("[:;] ", why.partition("\n")[0].strip("- "))[0]
    parts = [subject, *errors[-1:]]

    return f"{outcome}: {', '.join(part for part in dict.fromkeys(parts) if part != outcome)}"


def table() -> str:
    """Return the table of the guide."""
    head = (
        "| what is broken | alarms, at the latest | what a run says, if one is started "
        "| what fixes it |\n"
    )
    return head + "| --- | --- | --- | --- |\n" + "".join(f"{row(death)}\n" for death in DEATHS)


if __name__ == "__main__":
    print(table(), end="")
