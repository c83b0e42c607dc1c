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
GRID_COLUMNS = 24
"""The width of a dashboard's grid."""
WIDGET_HEIGHT = 6
"""The height of a widget, in grid units."""
MAX_WIDGET_ALARMS = 100
"""The most alarms that an alarm widget can show."""
RED = "#d62728"
COLOR_BY_OUTCOME = {
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

LOG_QUERIES = {
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

    It needs the pipeline's unique name, because PutDashboard would replace another dashboard that
    has the same name.
    """
    body = call_when_known(
        build_dashboard_body,
        pipeline_name=context.name,
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


def build_dashboard_url(environment: Environment, name: str) -> str:
    """Link to a dashboard in the console."""
    page = f"cloudwatch/home?region={environment.region}#dashboards/dashboard/{name}"
    return f"{_build_console_url(environment)}/{page}"


def build_dashboard_body(
    *,
    pipeline_name: str,
    settings: Mapping[str, Any],
    environment: Environment,
    alarm_arns: Sequence[str],
    log_group: str,
    state_machine_arn: str,
) -> dict[str, object]:
    """Build the dashboard's body, which shows four weeks, because most pipelines run weekly."""
    build_line = partial(_build_chart_line, pipeline_name)
    build_chart = partial(_build_chart, environment.region)

    gate_by_solution = {
        solution["solutionArn"].rpartition("/")[2]: solution["qualityGate"]
        for solution in settings["solutions"]
    }
    dataset_types = [dataset["type"] for dataset in settings["datasets"]]
    model_ages = [build_line(MODEL_AGE_HOURS, "Solution", name) for name in gate_by_solution]
    training_hours = [build_line(TRAINING_HOURS, "Solution", name) for name in gate_by_solution]
    data_ages = [build_line(DATA_AGE_HOURS, "Dataset", name) for name in dataset_types]
    event_ages = [
        build_line(NEWEST_EVENT_AGE_HOURS, "Dataset", name, label=f"events: {name}")
        for name in dataset_types
        if name in EVENT_DATASETS
    ]
    outcomes = [
        build_line(RUNS, "Outcome", name, color=color) for name, color in COLOR_BY_OUTCOME.items()
    ]

    alarm_threshold = {"label": "alarm", "value": compute_max_age_hours(settings), "color": RED}
    # `watch_pipeline` measures each age four times an hour. If it stops, the lines have a gap.
    hourly_maximum = {
        "stat": "Maximum",
        "period": SECONDS_PER_HOUR,
        "annotations": {"horizontal": [alarm_threshold]},
    }
    daily_mean = {"stat": "Average", "period": SECONDS_PER_DAY}
    daily_total = {"stat": "Sum", "period": SECONDS_PER_DAY}
    daily_bars = {**daily_total, "view": "bar", "setPeriodToTimeRange": True}
    alarms = alarm_arns[:MAX_WIDGET_ALARMS]

    rows: list[list[Widget]] = [
        [
            {"type": "alarm", "properties": {"title": "Is it healthy?", "alarms": alarms}},
            build_chart("Age of the models (hours)", model_ages, **hourly_maximum),
            build_chart("Outcomes of the runs", outcomes, **daily_bars),
            build_chart("Age of the data (hours)", [*data_ages, *event_ages], **hourly_maximum),
        ],
        [
            build_chart(
                "Offline metrics",
                [*_build_gate_lines(pipeline_name, gate_by_solution)],
                **daily_mean,
            ),
            build_chart("Training hours a day", training_hours, **daily_total),
        ],
        [
            _build_log_table(environment.region, log_group, title, query)
            for title, query in LOG_QUERIES.items()
        ],
    ]

    page = f"states/home?region={environment.region}#/statemachines/view/{state_machine_arn}"
    executions_link = f"[executions]({_build_console_url(environment)}/{page})"
    markdown = f"**{pipeline_name}** · {executions_link}"
    header = {"type": "text", "properties": {"markdown": markdown}}
    widgets = [
        *_place_widgets([[header]], top=0, height=1),
        *_place_widgets(_remove_empty_charts(rows), top=1, height=WIDGET_HEIGHT),
    ]
    return {"start": "-P28D", "periodOverride": "inherit", "widgets": widgets}


def _build_gate_lines(pipeline_name: str, gate_by_solution: Mapping[str, Any]) -> Iterator[object]:
    """Yield a line for each metric in each solution's quality gate."""
    for solution, rules in gate_by_solution.items():
        for rule in rules:
            metric = rule["metric"]
            yield _build_chart_line(
                pipeline_name, metric, "Solution", solution, label=f"{solution} {metric}"
            )


def _build_chart_line(
    pipeline_name: str, metric: str, dimension: str, value: str, **options: object
) -> list[object]:
    """Build a line for a chart, labeled with its dimension's value."""
    return [
        METRICS_NAMESPACE,
        metric,
        PIPELINE_DIMENSION,
        pipeline_name,
        dimension,
        value,
        {"label": value, **options},
    ]


def _build_chart(region: str, title: str, lines: Sequence[object], **options: object) -> Widget:
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


def _build_log_table(region: str, log_group: str, title: str, query: str) -> Widget:
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


def _remove_empty_charts(rows: Sequence[Sequence[Widget]]) -> list[list[Widget]]:
    """Leave out charts without lines, which CloudWatch rejects, and rows without widgets."""
    # Only charts have metrics.
    drawable_rows = [
        [widget for widget in row if widget["properties"].get("metrics") != []] for row in rows
    ]
    return [row for row in drawable_rows if row]


def _place_widgets(rows: Sequence[Sequence[Widget]], *, top: int, height: int) -> Iterator[Widget]:
    """Position the widgets so that all widgets in a row have the same width."""
    for row_number, row in enumerate(rows):
        width = GRID_COLUMNS // len(row)
        for column, widget in enumerate(row):
            yield {
                "x": column * width,
                "y": top + row_number * height,
                "width": width,
                "height": height,
                **widget,
            }


def _build_console_url(environment: Environment) -> str:
    """Build the address of the AWS console in the pipeline's region."""
    host = CONSOLE_HOSTS.get(environment.partition, DEFAULT_CONSOLE_HOST)
    return f"https://{environment.region}.{host}"
