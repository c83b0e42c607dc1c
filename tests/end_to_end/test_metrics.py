"""The metrics of the first run and of the watcher really reach the log group."""

from docs.metric_table import METRICS
from functions.constants import INACTIVE_RECOMMENDERS, METRICS_NAMESPACE
from tests.emf import data


def test_every_metric_of_the_table_is_written(stack):
    written = [datum for record in stack.log() for datum in data(record)]
    assert {datum.namespace for datum in written} == {METRICS_NAMESPACE}
    not_written = METRICS.keys() - {datum.name for datum in written}
    assert not_written == {INACTIVE_RECOMMENDERS}, "only a stack without solutions writes it"
