"""Writes times, durations, sizes and metrics for people, in messages and on screens."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from .contract import ExportContent, MetricValues

SECONDS_PER_MINUTE = 60
MINUTES_PER_HOUR = 60
HOURS_PER_DAY = 24
BYTES_PER_UNIT = 1000
SHORT_METRICS = {
    "normalized_discounted_cumulative_gain": "NDCG",
    "mean_reciprocal_rank": "MRR",
    "precision": "precision",
}
"""A metric's name without `_at_<number>` at the end -> its usual short name."""


def format_time(time: datetime) -> str:
    """Write a time in UTC to the minute, like `2026-11-29 03:00`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def format_duration(seconds: float) -> str:
    """Write a duration like `45 s`, `12 min` or `2 h 31 min`. From two days on, only days count."""
    if seconds < SECONDS_PER_MINUTE:
        return f"{max(seconds, 0):.0f} s"

    hours, minutes = divmod(round(seconds / SECONDS_PER_MINUTE), MINUTES_PER_HOUR)
    if hours >= 2 * HOURS_PER_DAY:
        return f"{hours // HOURS_PER_DAY} days"
    if not hours:
        return f"{minutes} min"
    if not minutes:
        return f"{hours} h"
    return f"{hours} h {minutes} min"


def format_size(size: int) -> str:
    """Write a number of bytes like `912 bytes` or `1.23 GB`."""
    value = float(size)
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < BYTES_PER_UNIT:
            return f"{value:.3g} {unit}"
        value /= BYTES_PER_UNIT
    return f"{value:.3g} TB"


def describe_content(content: ExportContent) -> list[str]:
    """Describe an export by its newest event and the rows of each type, if it has events."""
    if content["newestEventAt"] is None:
        return []

    newest_event_time = format_time(datetime.fromisoformat(content["newestEventAt"]))
    facts = [f"newest event {newest_event_time} UTC"]
    facts += [f"{rows:,} {event_type}" for event_type, rows in content["eventTypes"].items()]
    if not content["areAllRowsRead"]:
        facts.append("in the rows that were read")
    return facts


def format_count(count: int, noun: str) -> str:
    """Write a number with its noun, like `1 import` or `2 imports`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}s"


def resource_name(arn: str) -> str:
    """Extract the last part of an ARN: the name of a resource, or the id of a version.

    The last part of an S3 key is the name of the file.
    """
    return arn.rpartition("/")[2]


def format_list(items: Sequence[str]) -> str:
    """Enumerate items as in a sentence, like `a`, `a and b` or `a, b and c`."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def format_metric_name(name: str) -> str:
    """Shorten the name of a metric, like `NDCG@10`, if there is a usual short name."""
    prefix, _, number = name.rpartition("_at_")
    if prefix not in SHORT_METRICS:
        return name
    return f"{SHORT_METRICS[prefix]}@{number}"


def format_metrics(metrics: Iterable[MetricValues], separator: str = " ") -> list[str]:
    """Write a line for each rule of a gate. Rules that have compared the same share a line."""
    lines = [
        f"{format_metric_name(rule['metric'])}{separator}{format_metric(rule)}" for rule in metrics
    ]
    return list(dict.fromkeys(lines))


def format_metric(values: MetricValues) -> str:
    """Compare a metric of the live and of the new version, like `0.2410 → 0.2492 (+3.4%)`.

    If the gate has compared multiples of baselines, the text adds them, like `0.3100 → 0.2100
    (-32.3%; 1.55 → 1.5 times the baseline, -3.2%)`. The plain change stays visible, because a
    person should see it if the baseline has fallen too.
    """
    comparison = f"{_format_value(values['live'])} → {_format_value(values['new'])}"
    facts = [*_change_facts(values)]
    if not facts:
        return comparison
    return f"{comparison} ({'; '.join(facts)})"


def _format_value(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.4f}"


def _change_facts(values: MetricValues) -> Iterator[str]:
    """Yield by how much a metric has changed, alone and relative to its baselines."""
    plain_change = ComparedValues(values["live"], values["new"]).change
    if plain_change is not None:
        yield f"{plain_change:+.1%}"

    if values.get("hasBaselineDropped"):
        fall = f"from {values['liveBaseline']:.4f} to {values['newBaseline']:.4f}"
        yield f"even the baseline fell {fall}"
    elif values.get("newBaseline") is not None:
        judged = judged_values(values)
        multiples = f"{judged.live:.3g} → {judged.new:.3g} times the baseline"
        # There's no share of 0.
        if judged.change is None:
            yield multiples
        else:
            yield f"{multiples}, {judged.change:+.1%}"


class ComparedValues(NamedTuple):
    """A metric's values for the served version and for the new one, None if a version has none."""

    live: float | None
    new: float | None

    @property
    def change(self) -> float | None:
        """The change as a share of the live value, or None if a value is missing or live is 0."""
        if self.new is None or not self.live:
            return None
        return round((self.new - self.live) / abs(self.live), 6)


def judged_values(values: MetricValues) -> ComparedValues:
    """Turn the values of a rule into those that the quality gate compares.

    The values are divided by their baselines if all four are known. If the new baseline has
    collapsed, it excuses nothing, and the plain values count.
    """
    live = values["live"]
    new = values["new"]
    if live is None or new is None or values.get("hasBaselineDropped"):
        return ComparedValues(live, new)

    live_baseline = values.get("liveBaseline")
    new_baseline = values.get("newBaseline")
    # A baseline may be missing, or 0.
    if not live_baseline or not new_baseline:
        return ComparedValues(live, new)
    return ComparedValues(live / live_baseline, new / new_baseline)
