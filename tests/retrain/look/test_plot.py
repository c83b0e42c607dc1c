"""Proves what the plot of `history` and `status` shows, by its data, and that it is an SVG."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from components.args import QualityRuleArgs
from retrain.look import plot
from retrain.look.measured import MeasuredVersion
from tests.retrain.in_process import account
from tests.world import HOUR, MOVIES, interactions, solution, solution_arn

DAY = 24 * HOUR
BY_HAND = {"trigger": None, "scheduledTime": None, "scheduleArn": None}
"""Changes of the input of a scheduled run, after which a person has started it."""
NDCG = "normalized_discounted_cumulative_gain_at_10"
RULE = QualityRuleArgs(metric=NDCG, max_drop=0.8, relative_to=solution_arn("popular"))
JUDGED = MOVIES.with_solutions(solution(quality_gate=[RULE]), solution("popular", campaigns=[]))
GROUP = replace(JUDGED, baseline="popular")
T = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def drawn(monkeypatch):
    """Return the list of the data that is drawn."""
    data = []
    draw = plot.draw
    monkeypatch.setattr(plot, "draw", lambda each, file: data.append(each) or draw(each, file))
    return data


def test_the_plot_has_each_version_and_what_became_of_it(drawn, tmp_path):
    file = tmp_path / "plot.svg"
    with account(GROUP) as prod:
        for number, shuffled in enumerate([False, False, True]):
            data = interactions(shift=number, shuffled=shuffled)
            prod.pipeline.bucket.put("interactions.csv", data)
            prod.pipeline.run(**BY_HAND)
            prod.pipeline.sleep(DAY)
        assert prod.retrain("rollback --yes").code == 0
        result = prod.retrain(f"history --limit 50 --plot {file}")
        assert prod.retrain(f"status --json --plot {file}").code == 0
        runs = prod.retrain("history --json").document[::-1]
        versions = prod.pipeline.versions()
        baselines = prod.pipeline.versions("popular")
        metrics = [
            prod.pipeline.client.get_solution_metrics(solutionVersionArn=arn)["metrics"]
            for arn in versions
        ]
    assert (result.code, result.err) == (0, f"{file} has the plot\n")
    shown, of_status = drawn
    assert shown == of_status, "both commands have read the same runs"

    judged = shown.versions["taste NDCG@10"]
    assert [version.arn for version in judged] == versions, "the oldest first"
    assert [version.value for version in judged] == [values[NDCG] for values in metrics]
    assert [version.arn for version in shown.versions["popular NDCG@10"]] == baselines
    of_first_solution = [shown.became.get(arn) for arn in versions]
    assert of_first_solution == [None, "DEPLOYED", "ROLLED_BACK", "REJECTED"], "by a person"
    assert [shown.became.get(arn) for arn in baselines] == [None, *["BASELINE"] * 3]
    assert list(shown.ages) == ["home"]
    assert shown.hours == [
        (datetime.fromisoformat(run["report"]["startedAt"]), run["report"]["trainingHours"])
        for run in runs
    ]


def test_the_last_report_that_judges_a_version_says_what_became_of_it():
    def report(outcome, version, trials=()):
        solution_report = {
            "solutionArn": solution_arn(),
            "solutionVersionArn": version,
            "outcome": outcome,
            "campaigns": [{}],
        }
        return {"trials": [*trials], "solutions": [solution_report]}

    trial = {"versionArn": "c", "outcome": "ROLLED_BACK"}
    reports = [
        *[report("DEPLOYED", "a"), report("SKIPPED", "a"), report("AWAITING_APPROVAL", "b")],
        *[report("DEPLOYED", "b"), report("SKIPPED", "c"), report("FAILED", None, [trial])],
    ]
    became = plot.find_outcomes(reports, MOVIES.settings()["solutions"])
    assert became == {"a": "DEPLOYED", "b": "DEPLOYED", "c": "ROLLED_BACK"}, (
        "a run that skips a version has not judged it"
    )


def test_a_model_grows_older_until_a_newer_one_is_served():
    def report(day, version):
        serving = {"campaignArn": "campaign/home", "servedVersionArn": version}
        return {"endedAt": (T + timedelta(days=day)).isoformat(), "serving": [serving]}

    created = {"old": T - timedelta(days=3), "new": T + timedelta(days=6)}
    reports = [report(1, None), report(2, "old"), report(4, "old"), report(7, "new")]
    ages = plot.find_ages(reports, created, now=T + timedelta(days=9))
    assert {name: [((time - T).days, age) for time, age in row] for name, row in ages.items()} == {
        "home": [(2, 5), (4, 7), (4, 7), (7, 10), (7, 1), (9, 3)]
    }


def test_the_picture_is_an_svg_with_every_name_and_the_same_for_the_same_data(tmp_path):
    versions = {
        "taste NDCG@10": [MeasuredVersion(name, T, 0.2) for name in plot.MARKERS]
        + [MeasuredVersion("in training", T, None)]
    }
    became = {name: name for name in plot.MARKERS}
    data = plot.PlotData("prod", versions, became, {"home": [(T, 1.0)]}, [(T, 2.0)])
    files = [tmp_path / "a.svg", tmp_path / "b.svg"]
    for file in files:
        plot.draw(data, file)
    first, second = (file.read_text() for file in files)
    assert first == second
    assert ET.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  # ours
    words = {name.lower().replace("_", " ") for name in plot.MARKERS}
    comments = set(re.findall("<!-- (.*?) -->", first))
    assert words | {"prod", "taste NDCG@10", "home"} <= comments, "the texts that are drawn"


def test_one_version_has_no_plot():
    with account(MOVIES) as prod:
        result = prod.retrain("history --version taste/1a2b --plot plot.svg")
    message = "--plot shows all versions; leave --version or --plot out\n"
    assert result == (2, "", message)
