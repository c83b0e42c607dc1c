"""The alarms of a pipeline as a table: what each of them watches, and what it tells a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pulumi

METRICS_NAMESPACE = "PersonalizeRetraining"
"""The namespace of the metrics in the log of the functions (`functions/metrics.py`)."""
PIPELINE = "Pipeline"
"""The dimension with the name of the pipeline."""
FIVE_MINUTES, HOUR = 300, 3600
"""Seconds. Step Functions, SQS and Lambda publish their metrics each minute. The ages are measured
each hour, and an alarm looks back at most a day if its period is shorter than an hour:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"""
NO_MEASUREMENT = 100_000
"""The age in hours that stands for an hour without a measurement. It is more than any threshold."""
WARM_UP_MINUTES = 90
"""How long a new alarm about an age waits for the first measurements, which come every hour.

Without it, the alarm would ring if CloudWatch evaluated it before the measurement that `pulumi up`
makes has arrived: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
"""

EXPECTED_ERRORS = ("Throttled", "ServiceUnavailable", "RunRefused", "NameTaken")
"""The exceptions of `functions/errors.py`. They are retried, or they are a result of the run."""
FUNCTION_ERRORS_PATTERN = (
    '{ ($.errorType = "*" && '
    + " && ".join(f'$.errorType != "{name}"' for name in EXPECTED_ERRORS)
    + ') || $.record.status = "timeout" }'
)
"""The records of the functions' log that count as errors of a function.

Lambda's runtime writes the class of an exception that ends an invocation as `errorType`. The record
of an invocation has the status:
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report"""

Subject = Literal["pipeline", "state machine", "dead-letter queue", "functions' log"]
Severity = Literal["unhealthy", "notice"]


class Alarm(NamedTuple):
    """One row of the table of alarms. It rings if each of the last `periods` periods is bad."""

    name: str
    """The end of the alarm's name. It is permanent, because it identifies the deployed alarm."""
    subject: Subject
    """What the metric is about. It decides about the dimension."""
    namespace: str
    metric: str
    severity: Severity
    """`unhealthy`: the pipeline does not do its job. `notice`: it did, and a person should look."""
    meaning: str
    """What happened. The first sentence of the alarm's description."""
    advice: str
    """What to do. The rest of the description."""
    statistic: Literal["Sum", "Maximum"] = "Sum"
    """`Sum` counts events. `Maximum` measures a state, which lasts until a person or a run ends it,
    so that this alarm also tells that it is over."""
    period_seconds: int = FIVE_MINUTES
    periods: int = 1
    is_age: bool = False
    """True if the threshold is the age in `limits.maxModelAgeDays`. Then hours without a
    measurement are bad as well. Any other alarm rings at 1, and missing data are good."""
    outcome: str | None = None
    """The value of the dimension `Outcome`, if the metric has it."""
    pattern: str | None = None
    """The filter pattern of the log records that are counted, for the subject `functions' log`."""

    @property
    def is_state(self) -> bool:
        """Return True if the alarm is about a state, and False if it is about an event."""
        return self.statistic == "Maximum"


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The resources that the alarms of a pipeline watch."""

    pipeline: str
    """The name of the component."""
    state_machine_arn: pulumi.Input[str]
    dead_letter_queue_name: pulumi.Input[str]


def _execution_alarm(name: str, metric: str, meaning: str, advice: str) -> Alarm:
    """Return an alarm about executions of the state machine that did not succeed."""
    return Alarm(name, "state machine", "AWS/States", metric, "unhealthy", meaning, advice)


ALARMS = (
    _execution_alarm(
        "run-failed",
        "ExecutionsFailed",
        "A run failed. The campaigns serve what they served before, unless the report says "
        "otherwise.",
        "Read the report, solve the problem, and resume the run with retrain start -s STACK "
        "--resume RUN.",
    ),
    _execution_alarm(
        "run-timed-out",
        "ExecutionsTimedOut",
        "A run took longer than all its deadlines together, and Step Functions ended it.",
        "Read the report of close_run, which says what is still running, and resume the run.",
    ),
    _execution_alarm(
        "run-aborted",
        "ExecutionsAborted",
        "A person or a program stopped a run. Its trainings go on, and the next run uses them.",
        "If nobody wanted this, resume the run with retrain start -s STACK --resume RUN.",
    ),
    Alarm(
        "start-failed",
        "dead-letter queue",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        "unhealthy",
        "The schedule could not start a run for an hour. The run is missing.",
        "Read the message in the dead-letter queue, which names the error. Correct it, start a run "
        "with retrain start -s STACK, and delete the message.",
        statistic="Maximum",
    ),
    Alarm(
        "model-too-old",
        "pipeline",
        METRICS_NAMESPACE,
        "ModelAgeHours",
        "unhealthy",
        "A campaign serves a model that is too old, or nothing has measured its age for 3 hours.",
        "Users get recommendations without the newest items. retrain history -s STACK shows what "
        "the last runs did, and retrain doctor -s STACK shows whether the schedule is enabled. If "
        "the dashboard shows no age, look at the errors of measure_model_age in the log.",
        statistic="Maximum",
        period_seconds=HOUR,
        periods=3,
        is_age=True,
    ),
    Alarm(
        "data-too-old",
        "pipeline",
        METRICS_NAMESPACE,
        "DataAgeHours",
        "unhealthy",
        "A dataset has got no new data for too long, or nothing has measured it for 3 hours.",
        "Check the job that writes the exports. Runs without new data are skipped and train "
        "nothing.",
        statistic="Maximum",
        period_seconds=HOUR,
        periods=3,
        is_age=True,
    ),
    Alarm(
        "trial-unfinished",
        "pipeline",
        METRICS_NAMESPACE,
        "UnfinishedTrials",
        "unhealthy",
        "A campaign serves a new version that no probe has judged, and no execution will end its "
        "trial before the next run.",
        'Start an execution with the input {"trigger": "trial"}, or go back at once with retrain '
        "rollback -s STACK.",
        statistic="Maximum",
        period_seconds=HOUR,
        periods=3,
    ),
    Alarm(
        "report-undelivered",
        "pipeline",
        METRICS_NAMESPACE,
        "UndeliveredReports",
        "unhealthy",
        "A message or an event with the report of a run could not be sent. The run itself is not "
        "affected.",
        "Read the report with retrain watch -s STACK. Check the SNS topic, its policy and its key.",
    ),
    Alarm(
        "function-error",
        "functions' log",
        METRICS_NAMESPACE,
        "FunctionErrors",
        "unhealthy",
        "A function ended with an error that is no result of a run, or exceeded its timeout.",
        "The dashboard lists the errors in the log of the functions. An error of AccessDenied "
        "names the permission that is missing.",
        pattern=FUNCTION_ERRORS_PATTERN,
    ),
    Alarm(
        "version-rejected",
        "pipeline",
        METRICS_NAMESPACE,
        "Runs",
        "notice",
        "The quality gate rejected a new version. The campaigns keep the previous version.",
        "Compare the metrics in the report, and look at the export of that day.",
        outcome="REJECTED",
    ),
    Alarm(
        "version-rolled-back",
        "pipeline",
        METRICS_NAMESPACE,
        "Runs",
        "notice",
        "A new version answered badly, and its campaign was moved back to the previous version.",
        "The report has the bad answer. The same version is not deployed again.",
        outcome="ROLLED_BACK",
    ),
)
"""The alarms in the order of the docs. `docs/operations.md` explains each of them."""

UNHEALTHY = "unhealthy"
"""The end of the name of the composite alarm."""
UNHEALTHY_DESCRIPTION = (
    "At least one alarm says that the pipeline does not do its job. It sends no message itself, "
    "because each of its alarms does."
)


def description(alarm: Alarm) -> str:
    """Return the description of an alarm, which every notification contains."""
    return f'{alarm.meaning} {alarm.advice} See "Alarms" in docs/operations.md.'


def alarm_inputs(alarm: Alarm, watched: Watched, *, max_age_hours: float) -> dict[str, Any]:
    """Return the inputs of a MetricAlarm, except its actions and tags."""
    threshold = max_age_hours if alarm.is_age else 1
    inputs: dict[str, Any] = {
        "alarm_description": description(alarm),
        # An age of exactly the limit is too old already.
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": threshold,
        "evaluation_periods": alarm.periods,
    }
    metric = {
        "namespace": metric_namespace(alarm, watched),
        "metric_name": alarm.metric,
        # CloudWatch shows no dimensions if there are none, and an empty block would differ from
        # that: each refresh would find a change.
        "dimensions": dimensions(alarm, watched) or None,
    }
    if not alarm.is_age:
        statistic = {"statistic": alarm.statistic, "period": alarm.period_seconds}
        return {**inputs, **metric, **statistic, "treat_missing_data": "notBreaching"}
    measured = {**metric, "stat": alarm.statistic, "period": alarm.period_seconds}
    return {
        **inputs,
        "metric_queries": [
            {
                "id": "age",
                # An alarm uses older values in place of missing ones, so a measurement that has
                # stopped would be noticed late:
                # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
                "expression": f"FILL(measured, {NO_MEASUREMENT})",
                "label": f"hours, {NO_MEASUREMENT} without a measurement",
                "return_data": True,
            },
            {"id": "measured", "metric": measured},
        ],
        "treat_missing_data": "breaching",
        "warm_up_configuration": {
            "warm_up_period_duration_in_minutes": WARM_UP_MINUTES,
            "only_start_evaluating_after_warm_up_period_ends": True,
        },
    }


def metric_namespace(alarm: Alarm, watched: Watched) -> str:
    """Return the namespace of an alarm's metric.

    A metric filter can take dimensions only from the log records, and the records of Lambda do not
    name the pipeline. So each pipeline has a namespace of its own for what its filters count.
    """
    return alarm.namespace if alarm.pattern is None else f"{alarm.namespace}/{watched.pipeline}"


def dimensions(alarm: Alarm, watched: Watched) -> Mapping[str, pulumi.Input[str]]:
    """Return the dimensions of an alarm's metric."""
    by_subject: Mapping[Subject, Mapping[str, pulumi.Input[str]]] = {
        "state machine": {"StateMachineArn": watched.state_machine_arn},
        "dead-letter queue": {"QueueName": watched.dead_letter_queue_name},
        "pipeline": {PIPELINE: watched.pipeline},
        "functions' log": {},
    }
    outcome = {"Outcome": alarm.outcome} if alarm.outcome else {}
    return {**by_subject[alarm.subject], **outcome}
