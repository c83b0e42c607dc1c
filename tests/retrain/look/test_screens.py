"""Proves what `watch` and `history` print about runs: a good one, and each way to end badly."""

import io

import pytest
from rich.console import Console, Group
from rich.text import Text

from components.args import ApprovalArgs
from retrain.look import watch
from retrain.look.run_events import read_run
from retrain.look.runs import parse_execution
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT
from tests.world import HOUR, MOVIES, campaign, campaign_arn, interactions, solution

DAY = 24 * 3600
BY_HAND = {"trigger": None, "scheduledTime": None, "scheduleArn": None}
"""Changes of the input of a scheduled run, after which a person has started it."""


@pytest.fixture(autouse=True)
def _poll_each_minute(monkeypatch):
    monkeypatch.setattr(watch, "POLL_SECONDS", 60)


def progress(prod, command="watch"):
    """Return what `watch` prints, but for the report of the run."""
    result = prod.retrain(command)
    shown = result.out.partition("\n\nWh")[0].rstrip("\n")
    return f"$ retrain {command}\n{shown}\n{result.err}"


def test_the_golden_screens_of_a_good_run(golden):
    group = MOVIES.with_solutions(solution(campaigns=[campaign(user_id="u1")]))
    with account(group) as prod:
        prod.pipeline.start()
        prod.pipeline.sleep(60)
        during = prod.transcript("history"), progress(prod), prod.transcript("history")
        version = prod.pipeline.versions()[-1].rpartition("/")[2]
        traced = prod.transcript(f"history --version {version}")
        prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
        prod.pipeline.sleep(DAY)
        run = prod.pipeline.start(**BY_HAND)
        prod.pipeline.sleep(2 * HOUR)
        run.abort("Stopped", "by ops")
        stopped = frame(prod, run, width=100), prod.transcript("watch --json")
    golden("good_run.txt", "\n".join([*during, traced, *stopped]))


def read(prod, run):
    """Return a run as the commands show it now."""
    client = prod.client("stepfunctions")
    return read_run(client, parse_execution(client.describe_execution(executionArn=run.arn)))


def test_the_next_update_probably_takes_as_long_as_the_last_one():
    with account(MOVIES) as prod:
        pipeline = prod.pipeline
        expected = []
        for slot, shift in ((None, 0), (NEXT_SLOT, 1), ("2026-12-13T03:00:00Z", 2)):
            pipeline.bucket.put("interactions.csv", interactions(shift=shift))
            run = pipeline.start(**{"scheduledTime": slot} if slot else {})
            pipeline.sleep(600)
            view = read(prod, run)
            expected.append(view.get_or_add_job("update", campaign_arn("home")).expected_seconds)
            run.wait()

    assert expected[0] == 900, "the campaign was never updated before"
    assert expected[1:] == [930, 930]


def test_the_golden_screens_of_runs_that_ended_badly(golden):
    with account(MOVIES) as prod:
        pipeline = prod.pipeline

        def play(act=lambda _: None, **request):
            pipeline.sleep(DAY)
            run = pipeline.start(**BY_HAND, **request)
            act(run)
            run.wait()

        pipeline.inject_fault("fail", job="dataset-import-job", reason="line 7: no USER_ID")
        play()
        screens = [progress(prod)]
        pipeline.inject_fault("fail", job="solution-version", reason="too few items")
        play()
        play(lambda run: (pipeline.sleep(2700), run.abort("Stopped", "by ops")))
        screens.append(progress(prod))
        play(lambda run: (pipeline.sleep(600), run.time_out()))
        play(datasets=["films"])
        play()
        screens.append(prod.transcript("history"))
        documents = prod.retrain("history --json").document
    stages = [row["stage"] for row in documents]
    training = "retraining the solutions"
    assert stages == [None, "planning", training, training, None, None], "newest first"
    golden("bad_runs.txt", "\n".join(screens))


def test_the_golden_screens_of_versions_that_people_and_the_gate_judge(golden):
    waiting = solution("waiting", campaigns=["shelf"], approval=ApprovalArgs())
    with account(MOVIES.with_solutions(solution(), waiting)) as prod:
        pipeline = prod.pipeline

        def answer(*options):
            version = pipeline.versions("waiting")[-1].rpartition("solution/")[2]
            assert prod.retrain(" ".join(["approve", version, "--yes", *options])).code == 0

        def run_with(data, day):
            pipeline.bucket.put("interactions.csv", data)
            pipeline.sleep(DAY)
            pipeline.run(scheduledTime=f"2026-12-{day:02}T03:00:00Z")

        pipeline.run()
        screens = [prod.transcript("history")]
        answer()
        pipeline.run(**BY_HAND, only="deployments")
        run_with(interactions(shift=1), day=1)
        run_with(interactions(shift=2), day=2)
        answer("--refuse")
        assert prod.retrain("rollback --campaign home --yes").code == 0
        run_with(interactions(shuffled=True), day=3)
        screens.append(prod.transcript("history"))
        pipeline.client.delete_campaign(campaignArn=campaign_arn("home"))
        pipeline.sleep(DAY)
        assert prod.retrain("history").code == 0, "a campaign that was deleted has no notes"
    golden("judged_versions.txt", "\n".join(screens))


def frame(prod, run, *, width=80, height=24):
    """Return what is drawn in a terminal while a run is followed."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, _environ={})
    bars = watch.Screen(console, read(prod, run))
    console.print(Group(bars.render()))
    text = Text.from_ansi(file.getvalue()).plain
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width, "a line that is drawn again must not be wrapped"

    return "\n".join([f"-- {width} x {height} --", *lines, ""])


def test_the_golden_screens_of_a_terminal(golden, monkeypatch):
    names = ("taste", "movies-of-the-shop-in-germany")
    solutions = [solution(name, campaigns=[name], approval=ApprovalArgs()) for name in names]
    with account(MOVIES.with_solutions(*solutions)) as prod:
        pipeline = prod.pipeline
        frames = []
        pipeline.clock.sleep(DAY)
        pipeline.inject_fault("fail", job="solution-version", reason="too few items")
        run = pipeline.start()
        older = pipeline.start(scheduledTime=NEXT_SLOT)
        pipeline.sleep(60)
        frames.append(frame(prod, older))
        pipeline.sleep(840)
        frames.append(frame(prod, run, width=100))
        pipeline.sleep(3600)
        frames.append(frame(prod, run))
        run.wait()
        for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80"}.items():
            monkeypatch.setenv(name, value)
        frames.append(Text.from_ansi(prod.transcript("history -n 1")).plain)
    golden("terminal.txt", "\n".join(frames))
