"""Builds a pipeline's dashboard, whose first row shows whether the pipeline is healthy.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import pulumi_aws as aws
from pulumi import Output

from .alarms import compute_max_age_hours
from .args import SECONDS_PER_HOUR
from .constants import (
    CONSOLE_HOSTS,
    DATA_AGE_HOURS,
    DEFAULT_CONSOLE_HOST,
    EVENT_DATASETS,
    METRICS_NAMESPACE,
    MODEL_AGE_HOURS,
    NEWEST_EVENT_AGE_HOURS,
    PIPELINE_DIMENSION,
    RUNS,
    TRAINING_HOURS,
)
from .context import PipelineContext, call_when_known
from .rules.arns import Environment
from .state_machine.asl import KILLED_ERRORS

SECONDS_PER_DAY = 86400
COLUMNS = 24
"""The width of a dashboard's grid."""
HEIGHT = 6
"""The height of a widget, in grid units."""
MAX_WIDGET_ALARMS = 100
"""The most alarms that an alarm widget can show."""
RED = "#d62728"
COLORS = {
    "IMPORTED": "#17becf",
    "WRITTEN": "#bcbd22",
    "DEPLOYED": "#2ca02c",
    "TRAINED": "#1f77b4",
    "AWAITING_APPROVAL": "#9467bd",
    "REJECTED": "#ff7f0e",
    "ROLLED_BACK": "#8c564b",
    "SKIPPED": "#7f7f7f",
    "FAILED": RED,
}
"""Outcome of a run -> its color in the chart."""

QUERIES = {
    "Recent errors": (
        "fields @timestamp, coalesce(errorType, record.errorType, record.status) as error, "
        "coalesce(errorMessage, message) as what, @logStream "
        '| filter ispresent(errorType) or level = "ERROR" or record.status = "timeout" '
        f"or record.errorType in {json.dumps(KILLED_ERRORS)}"
    ),
    "Recent reports": (
        "fields @timestamp, outcome, message "
        '| filter step in ["report_outcome", "close_run"] and ispresent(outcome)'
    ),
}
"""Title -> a CloudWatch Logs Insights query on the functions' log."""

Widget: TypeAlias = dict[str, Any]


def create_dashboard(
    context: PipelineContext,
    settings: Mapping[str, Any],
    *,
    alarm_arns: Sequence[Output[str]],
    log_group_name: Output[str],
    state_machine_arn: Output[str],
) -> None:
    """Create the dashboard.

    Its name must be unique, because PutDashboard would replace a dashboard with the same name.
    """
    body = call_when_known(
        dashboard_body,
        pipeline=context.name,
        settings=settings,
        environment=context.environment,
        alarm_arns=alarm_arns,
        log_group=log_group_name,
        state_machine_arn=state_machine_arn,
    )

    aws.cloudwatch.Dashboard(
        context.name,
        dashboard_name=context.unique_name,
        dashboard_body=Output.json_dumps(body),
        opts=context.child_options,
    )


def dashboard_url(environment: Environment, name: str) -> str:
    """Link to a dashboard in the console."""
    page = f"cloudwatch/home?region={environment.region}#dashboards/dashboard/{name}"
    return f"{_console(environment)}/{page}"


def dashboard_body(
    *,
    pipeline: str,
    settings: Mapping[str, Any],
    environment: Environment,
    alarm_arns: Sequence[str],
    log_group: str,
    state_machine_arn: str,
) -> dict[str, object]:
    """Build the dashboard's body. It covers four weeks, because most pipelines run weekly."""
    line = partial(_line, pipeline)
    chart = partial(_chart, environment.region)

    gates = {
        solution["solutionArn"].rpartition("/")[2]: solution["qualityGate"]
        for solution in settings["solutions"]
    }
    datasets = [dataset["type"] for dataset in settings["datasets"]]
    model_ages = [line(MODEL_AGE_HOURS, "Solution", name) for name in gates]
    training_hours = [line(TRAINING_HOURS, "Solution", name) for name in gates]
    data_ages = [line(DATA_AGE_HOURS, "Dataset", name) for name in datasets]
    event_ages = [
        line(NEWEST_EVENT_AGE_HOURS, "Dataset", name, label=f"events: {name}")
        for name in datasets
        if name in EVENT_DATASETS
    ]
    outcomes = [line(RUNS, "Outcome", name, color=color) for name, color in COLORS.items()]

    limit = {"label": "alarm", "value": compute_max_age_hours(settings), "color": RED}
    # The watcher measures each age four times an hour. If it stops, a gap appears in the lines.
    highest_age = {
        "stat": "Maximum",
        "period": SECONDS_PER_HOUR,
        "annotations": {"horizontal": [limit]},
    }
    daily_mean = {"stat": "Average", "period": SECONDS_PER_DAY}
    daily_total = {"stat": "Sum", "period": SECONDS_PER_DAY}
    daily_bars = {**daily_total, "view": "bar", "setPeriodToTimeRange": True}
    alarms = alarm_arns[:MAX_WIDGET_ALARMS]

    rows: list[list[Widget]] = [
        [
            {"type": "alarm", "properties": {"title": "Is it healthy?", "alarms": alarms}},
            chart("Age of the models (hours)", model_ages, **highest_age),
            chart("Outcomes of the runs", outcomes, **daily_bars),
            chart("Age of the data (hours)", [*data_ages, *event_ages], **highest_age),
        ],
        [
            chart("Offline metrics", [*_offline_metrics(pipeline, gates)], **daily_mean),
            chart("Training hours a day", training_hours, **daily_total),
        ],
        [_table(environment.region, log_group, title, query) for title, query in QUERIES.items()],
    ]

    page = f"states/home?region={environment.region}#/statemachines/view/{state_machine_arn}"
    link = f"[executions]({_console(environment)}/{page})"
    head = {"type": "text", "properties": {"markdown": f"**{pipeline}** · {link}"}}
    widgets = [*_place([[head]], top=0, height=1), *_place(rows, top=1, height=HEIGHT)]
    return {"start": "-P28D", "periodOverride": "inherit", "widgets": widgets}


def _offline_metrics(pipeline: str, gates: Mapping[str, Any]) -> Iterator[object]:
    """Yield a line for each metric in each solution's quality gate."""
    for name, rules in gates.items():
        for rule in rules:
            metric = rule["metric"]
            yield _line(pipeline, metric, "Solution", name, label=f"{name} {metric}")


def _line(
    pipeline: str, metric: str, dimension: str, value: str, **options: object
) -> list[object]:
    """Build a line for a chart, labeled with its dimension's value."""
    return [
        METRICS_NAMESPACE,
        metric,
        PIPELINE_DIMENSION,
        pipeline,
        dimension,
        value,
        {"label": value, **options},
    ]


def _chart(region: str, title: str, lines: Sequence[object], **options: object) -> Widget:
    return {
        "type": "metric",
        "properties": {
            "view": "timeSeries",
            "title": title,
            "region": region,
            "metrics": lines,
            **options,
        },
    }


def _table(region: str, log_group: str, title: str, query: str) -> Widget:
    """Build a table of the newest log records that match a query."""
    return {
        "type": "log",
        "properties": {
            "title": title,
            "region": region,
            "query": f"SOURCE '{log_group}' | {query} | sort @timestamp desc | limit 20",
            "view": "table",
        },
    }


def _place(rows: Sequence[Sequence[Widget]], *, top: int, height: int) -> Iterator[Widget]:
    """Position the widgets so that all widgets in a row have the same width."""
    # CloudWatch rejects charts without lines.
    drawable_rows = [
        [widget for widget in row if widget["properties"].get("metrics") != []] for row in rows
    ]

    for number, row in enumerate(filter(None, drawable_rows)):
        width = COLUMNS // len(row)
        for column, widget in enumerate(row):
            yield {
                "x": column * width,
                "y": top + number * height,
                "width": width,
                "height": height,
                **widget,
            }


def _console(environment: Environment) -> str:
    """Link to the console in the pipeline's region."""
    host = CONSOLE_HOSTS.get(environment.partition, DEFAULT_CONSOLE_HOST)
    return f"https://{environment.region}.{host}"
