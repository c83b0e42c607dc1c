"""The dashboard of a pipeline. Its first row says whether the pipeline is healthy.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pulumi
import pulumi_aws as aws

from .alarms import METRICS_NAMESPACE, PIPELINE, max_age_hours
from .rules.arns import Home
from .rules.fields import RANKING_METRICS
from .shared import Shared

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
CHARTS_PER_ROW = 4
"""The most charts in a row. CloudWatch refuses a widget without a width."""
RED = "#d62728"
OUTCOME_COLORS = {
    "DEPLOYED": "#2ca02c",
    "TRAINED": "#1f77b4",
    "AWAITING_APPROVAL": "#9467bd",
    "REJECTED": "#ff7f0e",
    "ROLLED_BACK": "#8c564b",
    "SKIPPED": "#7f7f7f",
    "FAILED": RED,
}
"""The outcomes of a run, each with its color."""

QUERIES = {
    "Recent errors": (
        "fields @timestamp, errorType, coalesce(errorMessage, message) as what, @logStream "
        '| filter ispresent(errorType) or level = "ERROR" or record.status = "timeout"'
    ),
    "Recent reports": (
        "fields @timestamp, outcome, message "
        '| filter step in ["report_outcome", "close_run"] and ispresent(outcome)'
    ),
}
"""Title -> a query of the functions' log."""


Widget: TypeAlias = dict[str, object]
Options: TypeAlias = Mapping[str, object]


def create_dashboard(
    shared: Shared,
    settings: Mapping[str, Any],
    *,
    alarm_arns: Sequence[pulumi.Output[str]],
    log_group_name: pulumi.Output[str],
    state_machine_arn: pulumi.Output[str],
) -> None:
    """Create the dashboard. Its name is unique, because PutDashboard replaces any other."""
    body = pulumi.Output.all(
        pipeline=shared.name,
        settings=settings,
        home=shared.home,
        alarm_arns=alarm_arns,
        log_group=log_group_name,
        state_machine_arn=state_machine_arn,
    ).apply(lambda values: DashboardView(**values).body())
    aws.cloudwatch.Dashboard(
        shared.name,
        dashboard_name=shared.group.name,
        dashboard_body=pulumi.Output.json_dumps(body),
        opts=pulumi.ResourceOptions(parent=shared.component),
    )


def dashboard_url(home: Home, name: str) -> str:
    """Return the address of a dashboard in the console."""
    page = f"cloudwatch/home?region={home.region}#dashboards/dashboard/{name}"
    return f"{_console(home)}/{page}"


@dataclass(frozen=True, kw_only=True)
class DashboardView:
    """What the dashboard of a pipeline shows."""

    pipeline: str
    """The name of the component."""
    settings: Mapping[str, Any]
    """The settings of the state machine."""
    home: Home
    state_machine_arn: str
    log_group: str
    """The name of the log group of the functions."""
    alarm_arns: Sequence[str]
    """The ARNs of the alarms. The composite alarm comes first."""

    def body(self) -> dict[str, object]:
        """Return the body. It shows four weeks, because most pipelines run once a week."""
        page = f"states/home?region={self.home.region}#/statemachines/view/{self.state_machine_arn}"
        title = f"**{self.pipeline}** · [executions]({_console(self.home)}/{page})"
        position = {"x": 0, "y": 0, "width": COLUMNS, "height": 1}
        widgets = [{"type": "text", **position, "properties": {"markdown": title}}]
        for number, row in enumerate(self._rows()):
            width = COLUMNS // len(row)
            for column, widget in enumerate(row):
                position = {"x": column * width, "y": 1 + number * HEIGHT}
                widgets.append({**position, "width": width, "height": HEIGHT, **widget})
        return {"start": "-P28D", "periodOverride": "inherit", "widgets": widgets}

    def _rows(self) -> list[list[Widget]]:
        """Return the widgets of each row, from the top and from the left."""
        alarms = {"title": "Is it healthy?", "alarms": [*self.alarm_arns]}
        limit = {"label": "an alarm rings", "value": max_age_hours(self.settings), "color": RED}
        # A measurement that has stopped is a gap in the line.
        age = {"stat": "Maximum", "period": HOUR, "annotations": {"horizontal": [limit]}}
        outcomes = {"stat": "Sum", "period": DAY, "view": "bar", "setPeriodToTimeRange": True}
        longest = {"stat": "Maximum", "period": DAY}
        total = {"stat": "Sum", "period": DAY}
        chart, lines = self._chart, self._lines
        quality = [
            chart(
                f"Offline metrics of {name}",
                [self._line(metric, "Solution", name, label=metric) for metric in RANKING_METRICS],
                {"stat": "Average", "period": DAY},
            )
            for name in self._values("Solution")
        ]
        return [
            [
                {"type": "alarm", "properties": alarms},
                chart("Age of the models in use (hours)", lines("ModelAgeHours", "Solution"), age),
                chart("Outcomes of the runs in this time", lines("Runs", "Outcome"), outcomes),
                chart("Age of the data (hours)", lines("DataAgeHours", "Dataset"), age),
            ],
            [
                chart("Imports (seconds)", lines("ImportSeconds", "Dataset"), longest),
                chart("Trainings (seconds)", lines("TrainingSeconds", "Solution"), longest),
                chart(
                    "Campaign updates (seconds)",
                    lines("CampaignUpdateSeconds", "Solution"),
                    longest,
                ),
            ],
            *(
                quality[start : start + CHARTS_PER_ROW]
                for start in range(0, len(quality), CHARTS_PER_ROW)
            ),
            [
                chart("Training hours a day", lines("TrainingHours", "Solution"), total),
                chart("Imported bytes a day", lines("ImportedBytes", "Dataset"), total),
            ],
            [self._log(title, query) for title, query in QUERIES.items()],
        ]

    def _values(self, dimension: str) -> list[str]:
        """Return the values of a metric's second dimension in this pipeline."""
        if dimension == "Outcome":
            return [*OUTCOME_COLORS]
        if dimension == "Dataset":
            return [dataset["type"] for dataset in self.settings["datasets"]]
        return [row["solutionArn"].rpartition("/")[2] for row in self.settings["solutions"]]

    def _lines(self, metric: str, dimension: str) -> list[list[object]]:
        """Return a line of a chart for each dataset, solution or outcome."""
        return [self._line(metric, dimension, value) for value in self._values(dimension)]

    def _line(self, metric: str, dimension: str, value: str, label: str = "") -> list[object]:
        """Return a metric as the body writes it. Its label is the value unless one is given."""
        color = {"color": OUTCOME_COLORS[value]} if dimension == "Outcome" else {}
        options = {"label": label or value, **color}
        return [METRICS_NAMESPACE, metric, PIPELINE, self.pipeline, dimension, value, options]

    def _chart(self, title: str, lines: list[list[object]], options: Options) -> Widget:
        """Return a chart of metrics over time, unless the options name another kind."""
        properties = {"title": title, "region": self.home.region, "metrics": lines}
        return {"type": "metric", "properties": {**properties, "view": "timeSeries", **options}}

    def _log(self, title: str, query: str) -> Widget:
        """Return a table with the last 20 records that a query finds in the functions' log."""
        whole_query = f"SOURCE '{self.log_group}' | {query} | sort @timestamp desc | limit 20"
        properties = {"title": title, "region": self.home.region, "query": whole_query}
        return {"type": "log", "properties": {**properties, "view": "table"}}


def _console(home: Home) -> str:
    """Return the address of the console of a region. Other partitions have the one of `aws`."""
    host = CONSOLES.get(home.partition, CONSOLES["aws"])
    return f"https://{home.region}.{host}"
