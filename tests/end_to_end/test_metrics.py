"""The metrics of the first run and of the watcher really reach the log group."""

import pytest

from functions.metrics import METRICS, NAMESPACE
from tests.emf import data


@pytest.fixture
def written(stack, first_runs):
    """Return the values of all metrics in the log group of the sample stack."""
    assert first_runs.run.status == "SUCCEEDED"
    return [datum for record in stack.log() for datum in data(record)]


def values(written, name, **dimensions):
    """Return the values of a metric with these dimensions beside the pipeline's."""
    wanted = {"Pipeline": "retraining-dev", **dimensions}
    return [each.value for each in written if (each.name, each.dimensions) == (name, wanted)]


def test_the_run_has_written_its_metrics(stack, written):
    assert {datum.namespace for datum in written} == {NAMESPACE}
    assert 1 in values(written, "Runs", Outcome="DEPLOYED")
    solution = stack.solution_arn.rpartition("/")[2]
    for name in ("TrainingHours", "normalized_discounted_cumulative_gain_at_10"):
        assert values(written, name, Solution=solution)[0] > 0


def test_every_metric_of_the_table_is_written(written):
    found = {datum.name for datum in written}
    assert METRICS.keys() - found == set()


def test_the_ages_are_measured(stack, written):
    (first, *_) = [record for record in stack.log() if record.get("step") == "watch_pipeline"]
    assert (first["level"], first["unfinishedTrials"]) == ("INFO", 0)
    assert list(first["data"]) == ["interactions", "items", "users"]
    assert 0 <= values(written, "ModelAgeHours")[0] < 1, "the pipeline is new"
    assert values(written, "DataAgeHours") != []
    assert set(values(written, "UnfinishedTrials")) == {0}
