"""Tests of the metrics: which values are written, and that CloudWatch can read the records."""

import json
import logging

import pytest
from awslambdaric.lambda_runtime_log_utils import _RESERVED_FIELDS, JsonFormatter

from functions import metrics
from functions.rules.deployments import Update
from tests.emf import data
from tests.functions.samples import (
    NDCG,
    NOW,
    SOLUTION,
    VERSION,
    ago,
    import_item,
    iso,
    planned_solution,
    run,
    settings,
    training_item,
)
from tests.world import PIPELINE

STARTED = run(startedAt=iso(2))
"""A run that began an hour before the sample jobs were created."""


@pytest.fixture
def written(caplog):
    """Return a function that reads the metrics which have been written, as Lambda writes them."""
    caplog.set_level(logging.INFO)

    def read():
        records = [json.loads(JsonFormatter().format(record)) for record in caplog.records]
        return [datum for record in records for datum in data(record)]

    return read


def values(written):
    """Return name -> value of the metrics that have been written."""
    return {datum.name: datum.value for datum in written()}


def dimensions(written):
    """Return the dimensions of all metrics, which must be the same."""
    (of_all,) = {tuple(datum.dimensions.items()) for datum in written()}
    return dict(of_all)


def test_a_record_names_the_pipeline_and_the_time(written):
    metrics.write_run(PIPELINE, "DEPLOYED")
    (datum,) = written()
    assert datum == (
        "PersonalizeRetraining",
        "Runs",
        "Count",
        {"Pipeline": PIPELINE, "Outcome": "DEPLOYED"},
        1,
        int(NOW.timestamp() * 1000),
    )


def test_a_record_says_in_its_message_what_it_is(caplog):
    caplog.set_level(logging.INFO)
    metrics.write_run(PIPELINE, "DEPLOYED")
    assert [record.getMessage() for record in caplog.records] == ["metrics: Runs"]


def test_the_number_of_undelivered_reports_is_of_the_pipeline(written):
    metrics.write_undelivered_reports(PIPELINE, 2)
    assert dimensions(written) == {"Pipeline": PIPELINE}
    assert values(written) == {"UndeliveredReports": 2}


# Imports


def test_an_import_has_a_duration_and_bytes(written):
    metrics.write_import(settings(), STARTED, "interactions", import_item(endedAt=iso(0.25)))
    assert dimensions(written) == {"Pipeline": PIPELINE, "Dataset": "interactions"}
    assert values(written) == {"ImportSeconds": 2700, "ImportedBytes": 1000}


@pytest.mark.parametrize(
    "item",
    [
        import_item(outcome=None, endedAt=None),
        import_item(outcome=None, phase="CONFIRMING"),
        import_item(outcome="FAILED"),
    ],
    ids=["running", "not confirmed yet", "failed"],
)
def test_an_import_that_has_not_succeeded_has_no_metrics(written, item):
    metrics.write_import(settings(), STARTED, "interactions", item)
    assert written() == []


def test_an_import_that_ended_before_the_run_began_is_not_measured_again(written):
    began = run(startedAt=iso(minutes=29))
    metrics.write_import(settings(), began, "interactions", import_item())
    assert written() == []


# Trainings


def write_training(**changes):
    metrics.write_training(settings(), planned_solution(), training_item(**changes))


def test_a_training_has_a_duration_and_the_hours_that_are_charged(written):
    write_training(trainingHours=1.5)
    assert dimensions(written) == {"Pipeline": PIPELINE, "Solution": "taste"}
    assert values(written) == {"TrainingSeconds": 1800, "TrainingHours": 1.5}
    assert {datum.name: datum.unit for datum in written()}["TrainingHours"] == "None"


def test_a_training_that_was_stopped_is_charged_until_its_end(written):
    write_training(outcome="FAILED", memory={"stopping_since": iso(0.6)})
    assert values(written) == {"TrainingHours": 0.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "FAILED"},
        {"outcome": None},
        {"isOfRun": False, "trainingHours": 1.5},
        {"arn": None, "createdAt": None, "endedAt": None, "outcome": "SKIPPED"},
    ],
    ids=["failed", "running", "of an earlier run", "not created"],
)
def test_only_trainings_of_this_run_that_cost_something_are_measured(written, changes):
    write_training(**changes)
    assert written() == []


# Campaigns and offline metrics


def campaign_update(**changes):
    """Return an update that took half an hour."""
    times = {"created_at": ago(0.6), "ended_at": ago(0.1)}
    return Update(
        **{"version": VERSION, "is_running": False, "has_failed": False, **times} | changes
    )


def test_a_campaign_update_is_measured_from_its_creation(written):
    metrics.write_update(settings(), SOLUTION, campaign_update())
    assert dimensions(written) == {"Pipeline": PIPELINE, "Solution": "taste"}
    assert values(written) == {"CampaignUpdateSeconds": 1800}


def test_an_update_that_failed_is_not_measured(written):
    metrics.write_update(settings(), SOLUTION, campaign_update(has_failed=True))
    assert written() == []


def test_every_offline_metric_of_a_new_version_is_written_with_its_change(written):
    new = {NDCG: 0.3, "coverage": 0.5, "precision_at_5": 0.1}
    live = {NDCG: 0.4, "coverage": 0.5}
    metrics.write_offline_metrics(settings(), SOLUTION, new, live)
    assert dimensions(written) == {"Pipeline": PIPELINE, "Solution": "taste"}
    assert values(written) == {
        **new,
        f"{NDCG}_change": pytest.approx(-0.25),
        "coverage_change": 0,
    }


def test_there_is_no_change_from_zero(written):
    metrics.write_offline_metrics(settings(), SOLUTION, {NDCG: 0.3}, {NDCG: 0.0})
    assert values(written) == {NDCG: 0.3}


def test_values_and_names_that_would_break_the_record_are_left_out(written):
    new = {
        NDCG: float("nan"),
        "coverage": float("inf"),
        "huge": 1e200,
        "name": 0.1,
        "message": 0.1,
        "requestId": 0.1,
        "precision_at_5": 0.2,
    }
    metrics.write_offline_metrics(settings(), SOLUTION, new, {"coverage": 0.5, "huge": 1})
    assert values(written) == {"precision_at_5": 0.2}


@pytest.mark.parametrize("new", [{}, {NDCG: float("nan")}])
def test_without_a_value_nothing_is_written(written, new):
    metrics.write_offline_metrics(settings(), SOLUTION, new, {NDCG: 0.5})
    assert written() == []


def test_a_record_has_at_most_a_hundred_metrics(written):
    metrics.write_offline_metrics(settings(), SOLUTION, {f"metric_{n}": n for n in range(150)}, {})
    assert len(written()) == 100


# Ages

AGES = {
    "models": {"taste": 12.5, "similar": 40},
    "data": {"interactions": 3, "items": 700},
    "unfinishedTrials": 0,
}


def by_dimension(written, name):
    """Return the value of the second dimension -> the value of a metric. "" is the pipeline's."""
    found = {}
    for datum in written():
        if datum.name == name:
            _, *second = datum.dimensions.values()
            found["".join(second)] = datum.value
    return found


def test_every_age_is_written_and_the_greatest_one_for_the_pipeline(written):
    metrics.write_ages(settings(), AGES)
    assert by_dimension(written, "ModelAgeHours") == {"taste": 12.5, "similar": 40, "": 40}
    assert by_dimension(written, "DataAgeHours") == {"interactions": 3, "items": 700, "": 700}
    assert by_dimension(written, "UnfinishedTrials") == {"": 0}


def test_an_unknown_age_is_not_written_and_neither_is_the_greatest(written):
    models = {**AGES["models"], "similar": None}
    metrics.write_ages(settings(), {**AGES, "models": models, "unfinishedTrials": None})
    assert by_dimension(written, "ModelAgeHours") == {"taste": 12.5}
    assert by_dimension(written, "DataAgeHours")[""] == 700
    assert by_dimension(written, "UnfinishedTrials") == {}


# The table


def write_everything():
    """Write every metric once."""
    metrics.write_run(PIPELINE, "DEPLOYED")
    metrics.write_import(settings(), STARTED, "interactions", import_item())
    write_training(trainingHours=1.5)
    metrics.write_update(settings(), SOLUTION, campaign_update())
    metrics.write_ages(settings(), AGES)
    metrics.write_undelivered_reports(PIPELINE, 0)


def test_the_functions_write_the_metrics_of_the_table_and_no_others(written):
    write_everything()
    found = {(datum.name, datum.unit, tuple(datum.dimensions)) for datum in written()}
    assert found == {
        (name, metric.unit, (metrics.PIPELINE, *([dimension] if dimension else [])))
        for name, metric in metrics.METRICS.items()
        for dimension in metric.dimensions
    }


def test_no_dimension_is_an_arn(written):
    write_everything()
    values_of_dimensions = {value for datum in written() for value in datum.dimensions.values()}
    assert values_of_dimensions == {
        *(PIPELINE, "DEPLOYED", "interactions", "items", "taste", "similar")
    }


# Reserved names


def test_every_field_that_the_runtime_client_does_not_write_is_reserved():
    assert sorted(_RESERVED_FIELDS - metrics.RESERVED - {"_frame_type"}) == []


@pytest.mark.parametrize("name", sorted(metrics.RESERVED))
def test_a_metric_with_a_reserved_name_breaks_no_record(written, name):
    metrics.write_offline_metrics(settings(), SOLUTION, {name: 0.1, "coverage": 0.5}, {})
    assert values(written) == {"coverage": 0.5}
