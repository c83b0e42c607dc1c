"""Proves which rates, limits and hours of automatic training `retrain doctor` warns of."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from components.args import LimitsArgs
from functions.rules.imports import Import
from functions.rules.versions import NO_VERSION
from retrain.check.automatic_training import check_automatic_training
from tests.retrain.check import answers as a
from tests.world import HOUR, MOVIES, dataset_arn, solution, solution_arn

NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)
"""A Wednesday."""
SUNDAY = datetime(2026, 11, 29, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
TODAY = datetime(2026, 12, 2, tzinfo=UTC)
DAY = timedelta(days=1)
SELF_TRAINED = MOVIES.with_datasets("interactions").with_solutions(
    solution(trained_by="personalize")
)


def job(day, **changes):
    """Return an import of a run, from 03:00 to 03:20 on a day."""
    start = day.replace(hour=3)
    fields = {
        "arn": "arn:aws:personalize:eu-west-1:1:dataset-import-job/job",
        "dataset_arn": dataset_arn(),
        "is_full": True,
        "is_running": False,
        "is_active": True,
        "created_at": start,
        "ended_at": start + timedelta(minutes=20),
        "run_id": "run",
    }
    return Import(**{**fields, **changes})


def checked(group=SELF_TRAINED, *, rate="rate(7 days)", trained_at=(), imports=(), is_on=True):
    """Return the findings about a solution with this rate, these trainings and these imports."""
    settings = group.settings()
    solution_settings = settings["solutions"][0]
    config = {"autoTrainingConfig": {"schedulingExpression": rate}} if rate else {}
    view = SimpleNamespace(
        arn=solution_settings["solutionArn"],
        solution_settings=solution_settings,
        is_trained_by_personalize=solution_settings["trainedBy"] == "personalize",
        trains_automatically=is_on,
        solution_snapshot=SimpleNamespace(description={"solutionConfig": config}),
        solution_state=SimpleNamespace(
            versions=[NO_VERSION._replace(created_at=time) for time in trained_at]
        ),
        data_snapshot=SimpleNamespace(now=NOW, imports=imports),
    )
    pipeline = SimpleNamespace(settings=settings, run_view=SimpleNamespace(solutions=[view]))
    return [*check_automatic_training(pipeline)]


def daily(**options):
    return SELF_TRAINED.with_options(**{"retraining_rate": "1 day", **options})


def with_age_limit(days, rate="1 day"):
    return daily(limits=LimitsArgs(max_model_age_days=days), retraining_rate=rate)


@pytest.mark.parametrize(
    "rate, shown",
    [("rate(7 days)", "7 days"), ("rate(1 day)", "day"), (None, "7 days")],
    ids=["7 days", "1 day", "the default"],
)
def test_the_rate_of_automatic_training_is_named(rate, shown):
    (found,) = checked(daily(), rate=rate)
    assert (found.level, found.text) == ("ok", f"Personalize trains taste every {shown}")


def test_only_what_personalize_trains_is_checked():
    assert checked(MOVIES) == []
    assert checked(is_on=False) == [], "a guard says that nobody trains it"


@pytest.mark.parametrize(
    "runs, trainings, warns",
    [("7 days", 4, False), ("8 days", 4, True), ("1 hour", 1, False), ("2 days", 1, True)],
)
def test_runs_that_are_much_rarer_than_trainings_are_a_waste(runs, trainings, warns):
    plural = "s" if trainings > 1 else ""
    group = with_age_limit(100, rate=runs)
    found = checked(group, rate=f"rate({trainings} day{plural})")
    assert [row.level for row in found] == ["ok", "warn"][: 1 + warns]
    assert all("are paid for and never deployed" in row.text for row in found[1:])


@pytest.mark.parametrize(
    "limit, runs, advice",
    [
        (8, "1 day", None),
        (7.5, "1 day", "set limits.maxModelAgeDays to 9 or more, or let runs start more often"),
        (7, "1 day", "set limits.maxModelAgeDays to 9 or more"),
        (None, "1 day", None),
        (None, "7 days", "set limits.maxModelAgeDays to 15 or more, or let runs start more often"),
    ],
)
def test_a_limit_of_the_age_has_to_leave_time_for_a_training_and_a_run(limit, runs, advice):
    texts = [row.text for row in checked(with_age_limit(limit, rate=runs))[1:]]
    given = [text.rpartition("; ")[2].removesuffix(" (retrainingRate)") for text in texts]
    assert given == [advice] * (advice is not None)


RUNNING = {"is_running": True, "created_at": NOW - timedelta(minutes=10)}


@pytest.mark.parametrize(
    "runs, trained_at, last_import, warns",
    [
        ("1 day", SUNDAY.replace(hour=3, minute=10), job(TODAY), True),
        ("1 day", SUNDAY.replace(hour=2, minute=59), job(TODAY), False),
        ("1 day", SUNDAY.replace(hour=3, minute=21), job(TODAY), False),
        ("1 hour", SUNDAY.replace(hour=3, minute=10), job(TODAY), True),
        ("3 days", SUNDAY.replace(hour=3, minute=10), job(TODAY), True),
        ("7 days", SUNDAY.replace(hour=3, minute=10), job(MONDAY), False),
        ("7 days", SUNDAY.replace(hour=3, minute=10), job(SUNDAY), True),
        ("1 day", SUNDAY.replace(hour=11, minute=55), job(TODAY, **RUNNING), True),
        ("1 day", SUNDAY.replace(hour=11, minute=45), job(TODAY, **RUNNING), False),
        ("1 day", SUNDAY.replace(hour=3, minute=10), job(TODAY, run_id=None), False),
        ("1 day", None, job(TODAY), False),
    ],
    ids=[
        "same hour",
        "before the import",
        "after the import",
        "hourly runs, daily exports",
        "some day",
        "another weekday",
        "same weekday",
        "an import that runs now",
        "before an import that runs now",
        "a foreign import",
        "never trained",
    ],
)
def test_a_training_that_will_start_during_an_import_is_named(runs, trained_at, last_import, warns):
    starts = [trained_at] if trained_at else []
    group = with_age_limit(100, rate=runs)
    found = checked(group, trained_at=starts, imports=[last_import])[1:]
    assert len(found) == warns
    assert all("and runs import at this hour" in row.text for row in found)


def test_only_the_last_import_of_each_dataset_tells_when_runs_import():
    moved = [job(TODAY, created_at=TODAY, ended_at=TODAY + timedelta(minutes=20)), job(SUNDAY)]
    items = job(TODAY - DAY, dataset_arn=dataset_arn("items"))
    start = SUNDAY.replace(hour=3, minute=10)
    for imports, warnings in ((moved, 0), ([*moved, items], 1)):
        found = checked(daily(), trained_at=[start], imports=imports)
        assert len(found) == 1 + warnings, "the runs have another hour now"


def test_doctor_warns_of_the_hour_before_the_next_training():
    with a.healthy(daily()) as prod:
        prod.pipeline.run()
        prod.pipeline.sleep(24 * HOUR + 5 * 60 - prod.pipeline.clock.now().timestamp() % HOUR)
        prod.pipeline.client.create_solution_version(solutionArn=solution_arn())
        checks = prod.retrain("doctor -s prod --json").document["checks"]

    (_, row) = [row for row in checks if row["check"] == "automatic training"]
    assert row == {
        "check": "automatic training",
        "level": "warn",
        "text": "Personalize next trains taste at about 2026-12-07 03:05 UTC, and runs import at "
        "this hour, as 0a1b2c3d-20261129T030000Z-interactions did from 2026-11-29 03:01 UTC, so "
        "the version may lack rows; let runs start some hours earlier (retrainingRate), or train "
        "a version now:",
        "command": f"aws personalize create-solution-version --solution-arn {solution_arn()}",
    }
