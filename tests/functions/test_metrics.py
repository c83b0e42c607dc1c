"""Tests of the metrics: which values are written, and that CloudWatch can read the records."""

import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import _RESERVED_FIELDS, JsonFormatter

from components.rules.single_settings import METRIC_NAMES
from docs.metric_table import METRICS
from functions.common import metrics
from functions.constants import PIPELINE_DIMENSION
from tests.emf import data
from tests.functions.samples import NDCG, NOW, settings
from tests.world import PIPELINE


@pytest.fixture
def written(caplog):
    """Return a function that reads the metrics which have been written, as Lambda writes them."""
    caplog.set_level(logging.INFO)

    def read():
        records = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
        return [datum for record in records for datum in data(record)]

    return read


def test_a_record_names_the_pipeline_and_the_time(written, caplog):
    metrics.publish(PIPELINE, {"Runs": 1}, Outcome="DEPLOYED")
    assert written() == [
        (
            "PersonalizeRetraining",
            "Runs",
            "Count",
            {"Pipeline": PIPELINE, "Outcome": "DEPLOYED"},
            1,
            int(NOW.timestamp() * 1000),
        )
    ]
    assert [record.getMessage() for record in caplog.records] == ["metrics: Runs"]


def test_a_metric_that_is_not_in_the_table_has_no_unit_and_a_missing_value_is_left_out(written):
    metrics.publish(PIPELINE, {NDCG: 0.3, "coverage": None}, Solution="taste")
    assert [(datum.name, datum.unit, datum.value) for datum in written()] == [(NDCG, "None", 0.3)]


def test_without_a_value_nothing_is_written(caplog):
    caplog.set_level(logging.INFO)
    metrics.publish(PIPELINE, {NDCG: None}, Solution="taste")
    assert caplog.records == []


AGES = {
    "models": {"taste": 12.5, "similar": 40},
    "data": {"interactions": 3, "items": 700},
    "unfinishedTrials": 0,
}


@pytest.mark.parametrize(
    "changes, models",
    [
        ({}, {"taste": 12.5, "similar": 40, "": 40}),
        ({"models": {"taste": 12.5, "similar": None}}, {"taste": 12.5}),
        ({"models": {}}, {}),
    ],
    ids=["known", "one is not known", "none"],
)
def test_ages_are_written_with_the_greatest_one_if_all_are_known(written, changes, models):
    metrics.publish_measurements(settings(), {**AGES, **changes})
    values = {name: {} for name in ("ModelAgeHours", "DataAgeHours", "UnfinishedTrials")}
    for datum in written():
        _, *second = datum.dimensions.values()
        values[datum.name]["".join(second)] = datum.value

    assert values == {
        "ModelAgeHours": models,
        "DataAgeHours": {"interactions": 3, "items": 700, "": 700},
        "UnfinishedTrials": {"": 0},
    }


@pytest.mark.parametrize("changes, values", [({}, []), ({"inactiveRecommenders": 2}, [2])])
def test_inactive_recommenders_are_written_if_they_were_counted(written, changes, values):
    metrics.publish_measurements(settings(), {**AGES, **changes})
    assert [datum.value for datum in written() if datum.name == "InactiveRecommenders"] == values


def test_no_metric_has_a_name_that_logging_or_the_runtime_client_does_not_write():
    reserved = _RESERVED_FIELDS | vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
    assert reserved & {*METRICS, *METRIC_NAMES, PIPELINE_DIMENSION} == set()
