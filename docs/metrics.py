"""Prints the page of the metrics: the table in `docs/metric_table.py`, and what they cost.

Use: `python -m docs.metrics > docs/metrics.md`.
"""

import sys
from typing import cast

from docs import costs
from docs.metric_table import METRICS, Metric
from docs.state_machine import sample_definition
from functions.common.metrics import COUNTS
from functions.constants import METRICS_NAMESPACE, PIPELINE_DIMENSION
from functions.contract import Settings

OFFLINE = Metric(("Solution",), "an offline metric of a new version that the quality gate compares")
SHAPES = ((1, 3), (3, 3), (10, 5))
"""The numbers of solutions and datasets for which the page has the whole cost."""

PAGE = """\
# Metrics

This page is generated from `docs/metric_table.py`:
`python -m docs.metrics > docs/metrics.md`.

The functions write metrics into their log group in the
[embedded metric format](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html).
CloudWatch reads them there, so no request is sent and no permission is needed. Their namespace is
`{namespace}`. Each metric has the dimension `{pipeline}`, which is the name of the pipeline, for
example `retraining-dev`. The second dimension is the name of a solution, the type of a dataset, or
the outcome of a run.

| metric | unit | second dimension | value |
| --- | --- | --- | --- |
{rows}

- The unit `None` stands for hours and scores, for which CloudWatch has no unit.
- A training is measured by the run that sees its end. How long each job took is in the report of
  the run.
- Offline metrics have the names of
  [GetSolutionMetrics](https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html).
  The gate judges a version for each campaign, so the metrics of a solution with three campaigns are
  written three times.

To read a metric:

```console
aws cloudwatch get-metric-statistics --namespace {namespace} --metric-name TrainingHours \\
  --dimensions Name={pipeline},Value=retraining-dev Name=Solution,Value=movies-for-you \\
  --start-time "$(date -u -d '-30 days' +%FT%TZ)" --end-time "$(date -u +%FT%TZ)" \\
  --period 86400 --statistics Maximum
```

## What it costs

CloudWatch charges about ${dollars:.2f} a month for the alarms, the dashboard and the metrics of
the sample stack ([prices]({prices}) of us-east-1, without the free
tier of an account). The log of the functions has about 3 MB a month, which costs less than a cent.

| part | number | dollars a month |
| --- | --- | --- |
{costs}

CloudWatch counts a metric only in the hours in which it has a value. The ages, the unfinished
trials and the inactive recommenders have a value in every hour. The other metrics have one in the
hours of a run, here once a week. A further solution costs ${solution:.2f} a month, a further
dataset ${dataset:.2f}, and a further campaign nothing:

| solutions and datasets | weekly runs | daily runs |
| --- | --- | --- |
{shapes}

To count the metrics of a pipeline:

```console
aws cloudwatch list-metrics --namespace {namespace} \\
  --dimensions Name={pipeline},Value=retraining-dev --query 'length(Metrics)'
```
"""


def page() -> str:
    """Return the page, with the number of metrics of the sample stack."""
    rows = [
        _row(f"`{name}`", "Count" if name in COUNTS else "None", metric)
        for name, metric in METRICS.items()
    ]
    sample_costs = costs.monthly_costs(settings_of_sample_stack())
    dollars = costs.total(sample_costs)
    return PAGE.format(
        namespace=METRICS_NAMESPACE,
        pipeline=PIPELINE_DIMENSION,
        rows="\n".join([*rows, _row("`precision_at_5`, …", "None", OFFLINE)]),
        dollars=dollars,
        prices=costs.PRICES,
        costs="\n".join(
            f"| {cost.subject} | {cost.number} | {max(0.01, cost.dollars):.2f} |"
            for cost in sample_costs
        ),
        solution=_dollars(2, 3) - dollars,
        dataset=_dollars(1, 4) - dollars,
        shapes="\n".join(
            f"| {solutions} and {datasets} | ${_dollars(solutions, datasets):.2f} "
            f"| ${_dollars(solutions, datasets, runs_per_week=7):.2f} |"
            for solutions, datasets in SHAPES
        ),
    )


def _dollars(solutions: int, datasets: int, *, runs_per_week: float = 1) -> float:
    """Return the cost of a pipeline whose solutions and datasets are like those of the sample."""
    sample = settings_of_sample_stack()
    settings: Settings = {
        **sample,
        "solutions": [sample["solutions"][0]] * solutions,
        "datasets": [sample["datasets"][0]] * datasets,
    }
    return costs.total(costs.monthly_costs(settings, runs_per_week=runs_per_week))


def _row(name: str, unit: str, metric: Metric) -> str:
    """Return a row of the table. Its second dimensions are, for example, `none, or Solution`."""
    dimensions = ", or ".join(dimension or "none" for dimension in metric.dimensions)
    return f"| {name} | {unit} | {dimensions} | {metric.meaning} |"


def settings_of_sample_stack() -> Settings:
    """Return the settings in the first state of the sample stack's state machine."""
    states = cast("dict[str, dict[str, dict[str, object]]]", sample_definition()["States"])
    return cast("Settings", states["Configure run"]["Parameters"]["settings"])


if __name__ == "__main__":
    sys.stdout.write(page())
