"""Draws the dashboard from its real body, with the metrics of a month in virtual time.

The month has a run a week, on the emulator of Personalize: three that deploy a version, and one
whose export has bad data, so that its version is rejected.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from components.alarms import ALARMS
from components.dashboard import build_dashboard_body
from components.rules.arns import Environment
from docs.pictures.themes import Theme
from emulator.virtual.step_functions import Execution
from tests.workflow.deaths import FIRST, WEEK, Life, living
from tests.world import ACCOUNT, MOVIES, PIPELINE, REGION, exports

SHUFFLED_WEEK = 2
"""The week whose export gives the items to users at random."""
WEEKS = 4
COLUMN_WIDTH = 0.5
"""Inches for each of the 24 columns of a dashboard."""
ROW_HEIGHT = 0.42
GREEN = "#2ca02c"
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}


class Month(NamedTuple):
    """What the dashboard of a pipeline shows after a month."""

    widgets: list[dict[str, Any]]
    values: dict[tuple[Any, ...], list[tuple[float, float]]]
    """Metric -> its times, in seconds since 1970, with their values."""
    reports: list[str]
    """The last runs, newest first, with their outcomes."""
    start: datetime
    end: datetime


def live_a_month() -> Month:
    """Let a pipeline run every week for a month, which takes some seconds."""
    with living(MOVIES) as life:
        slots = [FIRST + number * WEEK for number in range(WEEKS)]
        for number, slot in enumerate(slots):
            export = _build_export(slot, is_shuffled=number == SHUFFLED_WEEK)
            life.pipeline.bucket.put("interactions.csv", export)
            life.live(slot + timedelta(days=3) - life.now, [slot])
        return Month(
            _build_widgets(life),
            dict(life.metrics.values),
            [_describe_run(execution) for execution in reversed(life.executions)],
            start=FIRST - timedelta(days=2),
            end=life.now,
        )


def _build_export(slot: datetime, *, is_shuffled: bool) -> bytes:
    """Return interactions whose newest event is from the evening before a run."""
    rows = exports(1200, shuffled=is_shuffled)["interactions.csv"].decode().splitlines()
    newest_event = slot - timedelta(hours=5)
    delay = int(newest_event.timestamp()) - int(rows[-1].rpartition(",")[2])
    for number, row in enumerate(rows[1:], start=1):
        user_and_item, _, time = row.rpartition(",")
        rows[number] = f"{user_and_item},{int(time) + delay}"
    return "\n".join(rows).encode()


def _build_widgets(life: Life) -> list[dict[str, Any]]:
    body = build_dashboard_body(
        pipeline_name=PIPELINE,
        settings=MOVIES.settings(),
        environment=Environment("aws", REGION, ACCOUNT),
        alarm_arns=[alarm.name for alarm in ALARMS],
        log_group="functions",
        state_machine_arn=life.machine_arn,
    )
    widgets: list[dict[str, Any]] = body["widgets"]  # type: ignore[assignment]
    return widgets


def _describe_run(execution: Execution) -> str:
    report = execution.output["report"]
    return f"{report['startedAt'][:16].replace('T', ' ')}  {report['outcome']}"


def describe(month: Month) -> str:
    """Return the picture as text."""
    lines = []
    for widget in month.widgets:
        properties = widget["properties"]
        if widget["type"] == "alarm":
            lines += [properties["title"], *(f"  OK  {name}" for name in properties["alarms"])]
        elif widget["type"] == "metric":
            lines.append(properties["title"])
            for series in _read_lines(widget, month):
                if series.values:
                    newest = f"{series.values[-1]:.4g}"
                    lines.append(f"  {series.label}: {newest} at the end of the month")
        elif widget["type"] == "log":
            lines += [properties["title"], *(f"  {text}" for text in _read_log(widget, month))]
    return "\n".join(lines) + "\n"


class Series(NamedTuple):
    """A line of a chart, or its bars of one color."""

    label: str
    color: str | None
    times: list[datetime]
    values: list[float]


def _read_lines(widget: dict[str, Any], month: Month) -> list[Series]:
    """Read the metrics of a chart in its periods."""
    properties = widget["properties"]
    period = properties["period"]
    all_series = []
    for namespace, name, *dimension_words, options in properties["metrics"]:
        dimensions = zip(dimension_words[::2], dimension_words[1::2], strict=True)
        values = month.values.get((namespace, name, frozenset(dimensions)), [])
        by_period: dict[int, list[float]] = {}
        for time, value in values:
            by_period.setdefault(int(time // period), []).append(value)
        times = [datetime.fromtimestamp(number * period, UTC) for number in by_period]
        statistic = STATISTICS[properties["stat"]]
        points = [statistic(group) for group in by_period.values()]
        all_series.append(Series(options["label"], options.get("color"), times, points))
    return all_series


def _read_log(widget: dict[str, Any], month: Month) -> list[str]:
    if widget["properties"]["title"] == "Recent reports":
        return month.reports
    return ["no records"]


def draw(month: Month, theme: Theme, path: Path) -> None:
    """Draw the dashboard as SVG. Each widget stands where its body puts it."""
    height = max(widget["y"] + widget["height"] for widget in month.widgets)
    style: dict[Any, Any] = {
        "figure.facecolor": theme.background,
        "axes.facecolor": theme.background,
        "axes.edgecolor": theme.faint,
        "text.color": theme.text,
        "axes.labelcolor": theme.text,
        "xtick.color": theme.faint,
        "ytick.color": theme.faint,
        "grid.alpha": 0.25,
        "font.size": 8,
        "date.converter": "concise",
        "svg.fonttype": "none",  # texts stay texts, and the file stays small
        "svg.hashsalt": "pictures",
    }
    with rc_context(style):
        figure = Figure(figsize=(24 * COLUMN_WIDTH, height * ROW_HEIGHT))
        for widget in month.widgets:
            _draw_widget(_add_axes(figure, widget, height), widget, month, theme)
        # Without a date, the same month always gives the same file.
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(path, format="svg", metadata=metadata)


def _add_axes(figure: Figure, widget: dict[str, Any], grid_height: int) -> Axes:
    """Give a widget its part of the figure. The y of a figure grows upwards."""
    left = widget["x"] / 24
    bottom = 1 - (widget["y"] + widget["height"]) / grid_height
    width = widget["width"] / 24
    height = widget["height"] / grid_height
    return figure.add_axes(
        (left + 0.16 * width, bottom + 0.17 * height, 0.78 * width, 0.64 * height)
    )


def _draw_widget(axes: Axes, widget: dict[str, Any], month: Month, theme: Theme) -> None:
    properties = widget["properties"]
    axes.set_title(properties.get("title", ""), loc="left", fontweight="bold", fontsize=9)
    if widget["type"] == "metric":
        _draw_chart(axes, widget, month)
        return

    axes.axis("off")
    if widget["type"] == "text":
        name = properties["markdown"].split("**")[1]
        axes.text(-0.18, 0, name, fontsize=12, fontweight="bold")
    elif widget["type"] == "alarm":
        for number, name in enumerate(properties["alarms"]):
            y = 1 - (number + 0.5) / len(properties["alarms"])
            axes.plot(0.02, y, "o", color=GREEN, clip_on=False)
            axes.text(0.08, y, name, va="center")
    else:
        for number, line in enumerate(_read_log(widget, month)):
            axes.text(0, 0.9 - 0.16 * number, line, color=theme.text)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)


def _draw_chart(axes: Axes, widget: dict[str, Any], month: Month) -> None:
    properties = widget["properties"]
    is_bar_chart = properties["view"] == "bar"
    for series in _read_lines(widget, month):
        if not series.values:
            continue
        if is_bar_chart:
            total = sum(series.values)
            axes.bar(series.label, total, color=series.color)
        else:
            # A line with few points, such as one training a week, needs its points to be seen.
            marker = "o" if len(series.values) < 40 else None  # noqa: PLR2004
            times: Any = series.times  # the stubs don't know that matplotlib draws dates
            axes.plot(times, series.values, label=series.label, marker=marker, markersize=3)
    for limit in properties.get("annotations", {}).get("horizontal", ()):
        axes.axhline(limit["value"], color=limit["color"], linewidth=1)
    axes.grid(visible=True)
    if is_bar_chart:
        axes.tick_params(axis="x", labelsize=7)
        return
    axes.set_xlim(month.start, month.end)  # type: ignore[arg-type]
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=6, loc="lower left", framealpha=0.7)
