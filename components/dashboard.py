"""Builds the dashboard of a pipeline. Its first row says whether the pipeline is healthy.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .alarms import METRICS_NAMESPACE, PIPELINE
from .rules.arns import Home
from .rules.metrics import METRIC_NAMES

CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}
"""Partition -> the host of its console."""
HOUR, DAY = 3600, 86400
"""Periods in seconds."""
COLUMNS, HEIGHT = 24, 6
"""The columns of a dashboard, and the height of each widget."""
CHARTS_OF_A_ROW = 4
"""The most charts in a row. CloudWatch refuses a widget without a width."""
GREEN, BLUE, ORANGE, RED, GREY = "#2ca02c", "#1f77b4", "#ff7f0e", "#d62728", "#7f7f7f"
OUTCOME_COLORS = {
    "DEPLOYED": GREEN,
    "TRAINED": BLUE,
    "AWAITING_APPROVAL": "#9467bd",
    "REJECTED": ORANGE,
    "ROLLED_BACK": "#8c564b",
    "SKIPPED": GREY,
    "FAILED": RED,
}
"""The outcomes of a run, each with its color."""

Widget = dict[str, object]
Metric = list[object]
"""A metric as the body writes it: namespace, name, dimensions and options in one list."""
Options = Mapping[str, object]
LONGEST_OF_A_DAY: Options = {"stat": "Maximum", "period": DAY}
"""The options of a chart that shows durations."""


@dataclass(frozen=True, kw_only=True)
class DashboardView:
    """What the dashboard of a pipeline shows."""

    pipeline: str
    """The name of the component."""
    home: Home
    state_machine_arn: str
    log_group: str
    """The name of the log group of the functions."""
    alarm_arns: Sequence[str]
    """The ARNs of the alarms. The composite alarm comes first."""
    max_age_hours: float
    dataset_types: Sequence[str]
    solutions: Sequence[str]
    """The names of the solutions."""


def dashboard_url(home: Home, name: str) -> str:
    """Return the address of a dashboard in the console."""
    page = f"cloudwatch/home?region={home.region}#dashboards/dashboard/{name}"
    return f"{_console(home)}/{page}"


def dashboard_body(view: DashboardView) -> dict[str, object]:
    """Return the body of the dashboard. It shows four weeks."""
    charts = _quality(view)
    starts = range(0, len(charts), CHARTS_OF_A_ROW)
    quality = [charts[start : start + CHARTS_OF_A_ROW] for start in starts]
    rows = [_health(view), _stages(view), *quality, _amounts(view), _logs(view)]
    widgets = [_title(view)]
    y = 1
    for row in rows:
        width = COLUMNS // len(row)
        for place, widget in enumerate(row):
            position = {"x": place * width, "y": y, "width": width, "height": HEIGHT}
            widgets.append({**position, **widget})
        y += HEIGHT
    return {"start": "-P28D", "periodOverride": "inherit", "widgets": widgets}


def _title(view: DashboardView) -> Widget:
    """Return a line with the name of the pipeline and a link to its executions."""
    page = f"states/home?region={view.home.region}#/statemachines/view/{view.state_machine_arn}"
    markdown = f"**{view.pipeline}** · [executions]({_console(view.home)}/{page})"
    position = {"x": 0, "y": 0, "width": COLUMNS, "height": 1}
    return {"type": "text", **position, "properties": {"markdown": markdown}}


def _health(view: DashboardView) -> list[Widget]:
    """Return the first row: the alarms, the age of models and data, and the outcomes of runs."""
    outcomes = [
        _metric(view, "Runs", ("Outcome", outcome), color=color)
        for outcome, color in OUTCOME_COLORS.items()
    ]
    alarms: Widget = {
        "type": "alarm",
        "properties": {"title": "Is it healthy?", "alarms": [*view.alarm_arns]},
    }
    limit = {"label": "an alarm rings", "value": view.max_age_hours, "color": RED}
    # A measurement that has stopped is a gap in the line.
    age = {"stat": "Maximum", "period": HOUR, "annotations": {"horizontal": [limit]}}
    count = {"stat": "Sum", "period": DAY, "view": "bar", "setPeriodToTimeRange": True}
    return [
        alarms,
        _chart(view, "Age of the models in use (hours)", _by_solution(view, "ModelAgeHours"), age),
        _chart(view, "Outcomes of the runs in this time", outcomes, count),
        _chart(view, "Age of the data (hours)", _by_dataset(view, "DataAgeHours"), age),
    ]


def _stages(view: DashboardView) -> list[Widget]:
    """Return the row with the duration of each stage."""
    charts = {
        "Imports (seconds)": _by_dataset(view, "ImportSeconds"),
        "Trainings (seconds)": _by_solution(view, "TrainingSeconds"),
        "Campaign updates (seconds)": _by_solution(view, "CampaignUpdateSeconds"),
    }
    return [_chart(view, title, rows, LONGEST_OF_A_DAY) for title, rows in charts.items()]


def _quality(view: DashboardView) -> list[Widget]:
    """Return the charts with the offline metrics of each solution.

    The recipe decides which of the metrics exist.
    """
    return [
        _chart(
            view,
            f"Offline metrics of {name}",
            [_metric(view, metric, ("Solution", name), label=metric) for metric in METRIC_NAMES],
            {"stat": "Average", "period": DAY},
        )
        for name in view.solutions
    ]


def _amounts(view: DashboardView) -> list[Widget]:
    """Return the row with what the runs have trained and imported."""
    a_day = {"stat": "Sum", "period": DAY}
    return [
        _chart(view, "Training hours a day", _by_solution(view, "TrainingHours"), a_day),
        _chart(view, "Imported bytes a day", _by_dataset(view, "ImportedBytes"), a_day),
    ]


def _logs(view: DashboardView) -> list[Widget]:
    """Return the row with the last errors and reports in the log of the functions."""
    queries = {
        "Recent errors": (
            "fields @timestamp, errorType, coalesce(errorMessage, message) as what, @logStream "
            '| filter ispresent(errorType) or level = "ERROR" or record.status = "timeout"'
        ),
        "Recent reports": (
            "fields @timestamp, outcome, message "
            '| filter step in ["report_outcome", "close_run"] and ispresent(outcome)'
        ),
    }
    return [
        {
            "type": "log",
            "properties": {
                "title": title,
                "region": view.home.region,
                "query": f"SOURCE '{view.log_group}' | {query} | sort @timestamp desc | limit 20",
                "view": "table",
            },
        }
        for title, query in queries.items()
    ]


def _by_solution(view: DashboardView, name: str) -> list[Metric]:
    """Return a metric of each solution."""
    return [_metric(view, name, ("Solution", solution)) for solution in view.solutions]


def _by_dataset(view: DashboardView, name: str) -> list[Metric]:
    """Return a metric of each dataset."""
    return [_metric(view, name, ("Dataset", dataset_type)) for dataset_type in view.dataset_types]


def _metric(view: DashboardView, name: str, dimension: tuple[str, str], **options: str) -> Metric:
    """Return a metric of the pipeline with a second dimension, whose value is the default label."""
    labelled = {"label": dimension[1], **options}
    return [METRICS_NAMESPACE, name, PIPELINE, view.pipeline, *dimension, labelled]


def _chart(view: DashboardView, title: str, metrics: list[Metric], options: Options) -> Widget:
    """Return a chart of metrics over time, unless the options name another kind."""
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": view.home.region,
            "metrics": metrics,
            "view": "timeSeries",
            **options,
        },
    }


def _console(home: Home) -> str:
    """Return the address of the console of a region. Other partitions have the one of `aws`."""
    host = CONSOLES.get(home.partition, CONSOLES["aws"])
    return f"https://{home.region}.{host}"
