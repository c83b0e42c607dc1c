"""Formats times, durations, sizes and metrics for people, in messages and on screens."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from ..contract import ExportContent, MetricComparison

SECONDS_PER_MINUTE = 60
MINUTES_PER_HOUR = 60
HOURS_PER_DAY = 24
BYTES_PER_UNIT = 1000
MIN_WITHOUT_FRACTION = 1000
SHORT_METRIC_NAMES = {
    "normalized_discounted_cumulative_gain": "NDCG",
    "mean_reciprocal_rank": "MRR",
    "precision": "precision",
}
"""Name of a metric without the suffix `_at_<number>` -> its usual short name."""


def format_time(time: datetime) -> str:
    """Format a time in UTC to the minute, like `2026-11-29 03:00`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def format_duration(seconds: float) -> str:
    """Format a duration like `45 s`, `12 min` or `2 h 31 min`, and from 48 hours like `2 days`."""
    whole_seconds = max(round(seconds), 0)
    if whole_seconds < SECONDS_PER_MINUTE:
        return f"{whole_seconds} s"

    whole_minutes = round(seconds / SECONDS_PER_MINUTE)
    hours, minutes = divmod(whole_minutes, MINUTES_PER_HOUR)
    if hours >= 2 * HOURS_PER_DAY:
        return f"{hours // HOURS_PER_DAY} days"

    if not hours:
        return f"{minutes} min"
    if not minutes:
        return f"{hours} h"
    return f"{hours} h {minutes} min"


def format_size(byte_count: int) -> str:
    """Format a number of bytes like `912 bytes` or `1.23 GB`."""
    value = float(byte_count)
    for unit in ("bytes", "KB", "MB", "GB"):
        # 999,900 bytes would be rounded to 1,000 KB, so they are 1 MB.
        if float(f"{value:.3g}") < BYTES_PER_UNIT:
            return f"{format_number(value)} {unit}"
        value /= BYTES_PER_UNIT
    return f"{format_number(value)} TB"


def format_number(value: float) -> str:
    """Round a number to three digits, but keep all digits before the point: `0.417`, `1,230`."""
    rounded = float(f"{value:.3g}")
    if rounded < MIN_WITHOUT_FRACTION:
        return f"{rounded:g}"
    return f"{value:,.0f}"


def format_hours(hours: float) -> str:
    """Format a number of hours, like `1 hour`, `0.417 hours` or `1,230 hours`."""
    if hours == 1:
        return "1 hour"
    return f"{format_number(hours)} hours"


def describe_export_content(content: ExportContent) -> list[str]:
    """Describe the newest event and the rows of each event type, if the export has events."""
    if content["newestEventAt"] is None:
        return []

    newest_event_time = format_time(datetime.fromisoformat(content["newestEventAt"]))
    parts = [f"newest event {newest_event_time} UTC"]
    parts += [f"{rows:,} {event_type} events" for event_type, rows in content["eventTypes"].items()]
    if not content["areAllRowsRead"]:
        parts.append("in the rows that were read")
    return parts


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun, like `1 import` or `1,200 imports`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun}s"


def resource_name(arn: str) -> str:
    """Return the last part of an ARN: the name of a resource, or the ID of a version.

    For an S3 key, it's the file name.
    """
    return arn.rpartition("/")[2]


def format_list(words: Sequence[str]) -> str:
    """Join words as in a sentence, like `a`, `a and b` or `a, b and c`."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def format_metric_name(name: str) -> str:
    """Shorten a metric's name if it has a usual short form, like `NDCG@10`."""
    prefix, _, number = name.rpartition("_at_")
    if prefix not in SHORT_METRIC_NAMES:
        return name
    return f"{SHORT_METRIC_NAMES[prefix]}@{number}"


def format_metric_lines(comparisons: Iterable[MetricComparison], separator: str = " ") -> list[str]:
    """Format a line for each rule of the quality gate, without repeating a line."""
    lines = [
        f"{format_metric_name(comparison['metric'])}{separator}{format_metric(comparison)}"
        for comparison in comparisons
    ]
    # Unlike a set, a dict keeps the order.
    return list(dict.fromkeys(lines))


def format_metric(comparison: MetricComparison) -> str:
    """Format a metric's served and new value, like `0.2410 → 0.2492 (+3.4%)`.

    If the gate compared multiples of baselines, they're added, like `0.3100 → 0.2100
    (-32.3%; 1.55 → 1.5 times the baseline, -3.2%)`. The plain change is shown anyway, because a
    person should notice if the baseline fell too.
    """
    metric_values = f"{_format_value(comparison['served'])} → {_format_value(comparison['new'])}"
    changes = [*_describe_changes(comparison)]
    if not changes:
        return metric_values
    return f"{metric_values} ({'; '.join(changes)})"


def _format_value(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.4f}"


def _describe_changes(comparison: MetricComparison) -> Iterator[str]:
    """Yield how much a metric changed, for example "-32.3%", and how it changed per baseline."""
    metric_change = ComparedValues(comparison["served"], comparison["new"]).change
    if metric_change is not None:
        yield f"{metric_change:+.1%}"

    if comparison.get("hasBaselineDropped"):
        # The gate ignored the baselines, because a baseline that collapsed excuses nothing.
        served_baseline = f"{comparison['servedBaseline']:.4f}"
        yield f"even the baseline fell from {served_baseline} to {comparison['newBaseline']:.4f}"
    elif comparison.get("newBaseline") is not None:
        quotients = compute_compared_values(comparison)
        both_quotients = f"{quotients.served:.3g} → {quotients.new:.3g} times the baseline"
        # A change from 0 can't be given in percent.
        if quotients.change is None:
            yield both_quotients
        else:
            yield f"{both_quotients}, {quotients.change:+.1%}"


class ComparedValues(NamedTuple):
    """A metric's values for the served and the new version, or None for a missing value."""

    served: float | None
    new: float | None

    @property
    def change(self) -> float | None:
        """The change relative to the served value, or None if a value is missing or that is 0."""
        if self.new is None or not self.served:
            return None
        return round((self.new - self.served) / abs(self.served), 6)


def compute_compared_values(comparison: MetricComparison) -> ComparedValues:
    """Compute the values that a rule of the quality gate compares.

    If the baselines are known, the values are divided by them. But a baseline that fell too far
    can't excuse anything, so the plain values are compared then.
    """
    served = comparison["served"]
    new = comparison["new"]
    if served is None or new is None or comparison.get("hasBaselineDropped"):
        return ComparedValues(served, new)

    served_baseline = comparison.get("servedBaseline")
    new_baseline = comparison.get("newBaseline")
    # A baseline may be missing, or 0.
    if not served_baseline or not new_baseline:
        return ComparedValues(served, new)
    return ComparedValues(served / served_baseline, new / new_baseline)
