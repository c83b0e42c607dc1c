"""Proves which rates, limits and hours of automatic training `retrain doctor` warns of."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from components.args import LimitsArgs
from functions.rules.imports import Import
from functions.rules.versions import NO_VERSION
from retrain.check.automatic_training import check_automatic_training
from tests.retrain.check import answers as a
from tests.world import HOUR, MOVIES, dataset_arn, solution, solution_arn

NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)
"""A Wednesday."""
SELF_TRAINED = MOVIES.with_datasets("interactions").with_solutions(
    solution(trained_by="personalize")
)


def job(dataset, time, *, is_running=False, run_id="run"):
    """Return an import that takes 20 minutes."""
    start = datetime.fromisoformat(f"{time}Z")
    end = start if is_running else start + timedelta(minutes=20)
    arn = f"arn:aws:personalize:eu-west-1:1:dataset-import-job/{dataset}"
    return Import(arn, dataset_arn(dataset), True, is_running, True, start, end, run_id)


def checked(group=SELF_TRAINED, *, rate="rate(7 days)", trained=None, imports=(), is_on=True):
    """Return the findings about a solution with this rate, this last training and these imports."""
    settings = group.settings()
    solution_settings = settings["solutions"][0]
    config = {"autoTrainingConfig": {"schedulingExpression": rate}} if rate else {}
    starts = [datetime.fromisoformat(f"{trained}Z")] if trained else []
    view = SimpleNamespace(
        arn=solution_settings["solutionArn"],
        solution_settings=solution_settings,
        is_trained_by_personalize=solution_settings["trainedBy"] == "personalize",
        trains_automatically=is_on,
        solution_snapshot=SimpleNamespace(description={"solutionConfig": config}),
        solution_state=SimpleNamespace(
            versions=[NO_VERSION._replace(created_at=start) for start in starts]
        ),
        data_snapshot=SimpleNamespace(now=NOW, imports=imports),
    )
    pipeline = SimpleNamespace(settings=settings, run_view=SimpleNamespace(solutions=[view]))
    return [*check_automatic_training(pipeline)]


def test_golden_findings_about_automatic_training(golden):
    """A question has the case and, as JSON, its settings, last training and last imports."""

    def answer(line):
        case = json.loads(line)
        del case["case"]
        limits = LimitsArgs(max_model_age_days=case.pop("limit", None))
        group = SELF_TRAINED.with_options(retraining_rate=case.pop("runs"), limits=limits)
        facts = {key: case.pop(key) for key in ("is_running", "run_id") if key in case}
        jobs = [job(*item, **facts) for item in case.pop("imports", {}).items()]
        return [f"{row.level}: {row.text}" for row in checked(group, imports=jobs, **case)]

    golden.answers("automatic_training.txt", answer)


def test_only_what_personalize_trains_is_checked():
    assert checked(MOVIES) == []
    assert checked(is_on=False) == [], "a guard says that nobody trains it"


def test_runs_that_have_got_another_hour_are_judged_by_it():
    jobs = [job("interactions", f"2026-12-0{day}T0{hour}:00") for day, hour in ((2, 0), (1, 3))]
    group = SELF_TRAINED.with_options(retraining_rate="1 day")
    assert len(checked(group, trained="2026-11-29T03:10", imports=jobs)) == 1


def test_doctor_warns_of_the_hour_before_the_next_training():
    with a.healthy(SELF_TRAINED.with_options(retraining_rate="1 day")) as prod:
        prod.pipeline.run()
        prod.pipeline.sleep(24 * HOUR + 5 * 60 - prod.pipeline.clock.now().timestamp() % HOUR)
        prod.pipeline.client.create_solution_version(solutionArn=solution_arn())
        checks = prod.retrain("doctor -s prod --json").document["checks"]

    (_, row) = [row for row in checks if row["check"] == "automatic training"]
    assert (row["level"], row["command"]) == (
        "warn",
        f"aws personalize create-solution-version --solution-arn {solution_arn()}",
    )
    assert row["text"].startswith("Personalize next trains taste at about 2026-12-07 03:05 UTC")
