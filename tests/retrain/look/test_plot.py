"""Proves what the plot of `history` and `status` shows, by what is drawn."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from matplotlib.dates import num2date

from components.args import QualityRuleArgs
from retrain.look import plot
from retrain.look.pipeline_status import MeasuredVersion, SolutionStatus
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
def figures(monkeypatch):
    """Return the list of the figures that are drawn."""
    drawn = []
    draw = plot.draw_figure
    monkeypatch.setattr(plot, "draw_figure", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    return drawn


def report(day=0, **keys):
    time = (T + timedelta(days=day)).isoformat()
    times = {"startedAt": time, "endedAt": time}
    return {**times, "trainingHours": 0, "trials": [], "solutions": [], "serving": [], **keys}


def test_the_plot_has_each_version_and_what_became_of_it(figures, tmp_path):
    files = [tmp_path / "history.svg", tmp_path / "status.svg"]
    with account(GROUP) as prod:
        for number, shuffled in enumerate([False, False, True]):
            data = interactions(shift=number, shuffled=shuffled)
            prod.pipeline.bucket.put("interactions.csv", data)
            prod.pipeline.run(**BY_HAND)
            prod.pipeline.sleep(DAY)
        assert prod.retrain("rollback --yes").code == 0
        result = prod.retrain(f"history --limit 50 --plot {files[0]}")
        assert prod.retrain(f"status --json --plot {files[1]}").code == 0
        runs = prod.retrain("history --json").document[::-1]
        values = [
            prod.pipeline.client.get_solution_metrics(solutionVersionArn=arn)["metrics"][NDCG]
            for arn in prod.pipeline.versions()
        ]
    assert (result.code, result.err) == (0, f"{files[0]} has the plot\n")
    text, text_of_status = (file.read_text() for file in files)
    assert text == text_of_status, "the same runs give the same file"
    assert "retraining-0a1b2c3d, 2026-12-02" in text

    metric_axes, age_axes, hour_axes = figures[0].axes
    line, line_of_baseline = metric_axes.lines
    assert (line.get_label(), line_of_baseline.get_label()) == ("taste NDCG@10", "popular NDCG@10")
    assert [*line.get_ydata()] == values[::-1]
    times = [*line.get_xdata()][::-1]
    markers = {each.get_label(): each.get_offsets().tolist() for each in metric_axes.collections}
    (rejected,) = markers["rejected"]
    (rolled_back,) = markers["rolled back"]
    assert [num2date(time) for time, _ in (rolled_back, rejected)] == times[2:]
    assert rejected[1] == values[-1]
    counts = {label: len(points) for label, points in markers.items()}
    others = {"deployed": 1, "trained": 3, "no verdict": 2}
    assert counts == {"rejected": 1, "rolled back": 1, **others}, "a person has rolled it back"

    assert [line.get_label() for line in age_axes.lines] == ["home"]
    bars = hour_axes.collections[0].get_segments()
    assert [bar[1][1] for bar in bars] == [run["report"]["trainingHours"] for run in runs]


def test_the_last_report_that_judges_a_version_says_what_became_of_it():
    def judged(outcome, version, **keys):
        return report(solutions=[{"solutionVersionArn": version, "outcome": outcome}], **keys)

    trial = {"versionArn": "c", "outcome": "ROLLED_BACK"}
    reports = [
        *[judged("DEPLOYED", "a"), judged("SKIPPED", "a"), judged("AWAITING_APPROVAL", "b")],
        *[judged("DEPLOYED", "b"), judged("SKIPPED", "c"), judged("FAILED", "d", trials=[trial])],
    ]
    assert plot.find_outcomes(reports, []) == {
        "a": "DEPLOYED",
        "b": "DEPLOYED",
        "c": "ROLLED_BACK",
        "d": "FAILED",
    }, "a run that skips a version has not judged it"


def test_a_model_grows_older_until_a_newer_one_is_served():
    def run(day, version):
        return report(day, serving=[{"campaignArn": "campaign/home", "servedVersionArn": version}])

    versions = [
        MeasuredVersion("new", T + timedelta(days=6), None),
        MeasuredVersion("old", T - timedelta(days=3), None),
    ]
    status = SolutionStatus("solution/taste", NDCG, versions, [], [])
    reports = [run(1, None), run(2, "old"), run(4, "old"), run(7, "new")]
    figure = plot.draw_figure([status], reports, T + timedelta(days=9))
    (line,) = figure.axes[1].lines
    days = [(time - T).days for time in line.get_xdata()]
    assert [*zip(days, line.get_ydata(), strict=True)] == [
        *[(2, 5), (4, 7), (4, 7), (7, 10), (7, 1), (9, 3)]
    ]


def test_a_pipeline_without_versions_and_runs_has_an_empty_plot():
    assert [axes.get_legend() for axes in plot.draw_figure([], [], T).axes] == [None] * 3


@pytest.mark.parametrize(
    "file, problem",
    [
        ("plot.png", "'plot.png' must end with .svg, because the plot is an SVG file"),
        ("missing/plot.svg", "there is no folder 'missing'; create it first"),
    ],
)
def test_a_file_that_cannot_get_the_plot_is_refused_before_anything_is_read(file, problem):
    with account(MOVIES) as prod:
        result = prod.retrain(f"history --plot {file}")
    assert result == (2, "", f"Invalid value for '--plot': {problem}\n")


def test_one_version_has_no_plot():
    with account(MOVIES) as prod:
        result = prod.retrain("history --version taste/1a2b --plot plot.svg")
    message = "--plot shows all versions; leave --version or --plot out\n"
    assert result == (2, "", message)
