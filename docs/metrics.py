"""Prints the page of the metrics, which are the table in `functions/metrics.py`.

Use: `python -m docs.metrics > docs/metrics.md`.
"""

import sys
from typing import cast, get_args

from components.rules.metrics import METRIC_NAMES
from docs.state_machine import sample_definition
from functions.contract import Outcome
from functions.metrics import CHANGE, METRICS, NAMESPACE, PIPELINE, Metric
from functions.workflow_settings import Settings

DOLLARS_PER_METRIC = 0.30
"""The price of a custom metric for a month (the first 10,000 metrics, us-east-1):
https://aws.amazon.com/cloudwatch/pricing/."""
HOURS_PER_WEEK = 7 * 24
OFFLINE = {
    "`precision_at_5`, …": Metric(
        "None", ("Solution",), "the offline metrics of a new version, under the names of the API"
    ),
    f"`{CHANGE.format('precision_at_5')}`, …": Metric(
        "None",
        ("Solution",),
        "the change of an offline metric against the version that the campaign serves, as a share "
        "of its value. -0.25 means a quarter less",
    ),
}
"""The rows of the offline metrics."""
OFFLINE_COUNT = len([name for name in METRIC_NAMES if name.rpartition("_")[2].isdecimal()]) + 1
"""The number of offline metrics of most recipes: `coverage`, and those at 5, 10 or 25 items."""

PAGE = """\
# Metrics

This page is generated from `functions/metrics.py`: `python -m docs.metrics > docs/metrics.md`.

The functions write metrics into their log group in the
[embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html).
CloudWatch reads them there, so no request is sent and no permission is needed. Their namespace is
`{namespace}`. Each metric has the dimension `{pipeline}`, which is the name of the pipeline, for
example `retraining-dev`. The second dimension is the name of a solution, the type of a dataset, or
the outcome of a run.

| metric | unit | second dimension | value |
| --- | --- | --- | --- |
{rows}

- The unit `None` stands for hours and shares, for which CloudWatch has no unit.
- A job is measured by the run that sees its end. A job that ends while no run is active is not
  measured, and neither is a rollback.
- A version has offline metrics if a quality gate judges it. They have the names of
  [GetSolutionMetrics](https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html).
  The gate judges a version for each campaign, so the metrics of a solution with three campaigns are
  written three times.

To read a metric:

```console
aws cloudwatch get-metric-statistics --namespace {namespace} --metric-name TrainingSeconds \\
  --dimensions Name={pipeline},Value=retraining-dev Name=Solution,Value=movies-for-you \\
  --start-time "$(date -u -d '-30 days' +%FT%TZ)" --end-time "$(date -u +%FT%TZ)" \\
  --period 86400 --statistics Maximum
```

## What they cost

CloudWatch charges ${price:.2f} for a metric and a month
([prices](https://aws.amazon.com/cloudwatch/pricing/)), and counts only the hours in which the
metric has a value. The ages and the unfinished trials have a value in every hour. In the sample
stack these are {hourly} metrics, which cost ${dollars:.2f} a month. Its weekly runs write at most
{by_runs} metrics once a week, which costs ${weekly:.2f} a month. To count the metrics of a
pipeline:

```console
aws cloudwatch list-metrics --namespace {namespace} \\
  --dimensions Name={pipeline},Value=retraining-dev --query 'length(Metrics)'
```
"""


def page() -> str:
    """Return the page, with the number of metrics of the sample stack."""
    rows = {**{f"`{name}`": metric for name, metric in METRICS.items()}, **OFFLINE}
    sample = _settings_of_sample_stack()
    hourly = metric_count(sample, only_hourly=True)
    by_runs = metric_count(sample) - hourly
    return PAGE.format(
        namespace=NAMESPACE,
        pipeline=PIPELINE,
        rows="\n".join(
            f"| {name} | {metric.unit} | {_dimensions(metric)} | {metric.meaning} |"
            for name, metric in rows.items()
        ),
        price=DOLLARS_PER_METRIC,
        hourly=hourly,
        by_runs=by_runs,
        dollars=hourly * DOLLARS_PER_METRIC,
        weekly=by_runs * DOLLARS_PER_METRIC / HOURS_PER_WEEK,
    )


def metric_count(settings: Settings, *, only_hourly: bool = False) -> int:
    """Return the most metrics that a pipeline with these settings has.

    A version without a gate or without a campaign is not judged, so it has no offline metrics.
    """
    judged_solutions = [
        solution
        for solution in settings["solutions"]
        if solution["qualityGate"] and solution["campaigns"]
    ]
    counts = {
        None: 1,
        "Outcome": len(get_args(Outcome)),
        "Dataset": len(settings["datasets"]),
        "Solution": len(settings["solutions"]),
    }
    offline_count = 0 if only_hourly else 2 * OFFLINE_COUNT * len(judged_solutions)
    return offline_count + sum(
        counts[dimension]
        for metric in METRICS.values()
        for dimension in metric.dimensions
        if metric.is_hourly or not only_hourly
    )


def _dimensions(metric: Metric) -> str:
    """Return the second dimensions of a metric, for example `none, or Solution`."""
    return ", or ".join(dimension or "none" for dimension in metric.dimensions)


def _settings_of_sample_stack() -> Settings:
    """Return the settings in the first state of the sample stack's state machine."""
    states = cast("dict[str, dict[str, dict[str, object]]]", sample_definition()["States"])
    return cast("Settings", states["Configure run"]["Parameters"]["settings"])


if __name__ == "__main__":
    sys.stdout.write(page())
