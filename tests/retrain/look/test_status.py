"""Proves what `status` shows of a pipeline, and with how many requests."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from components.args import MAX_CAMPAIGNS, ApprovalArgs, BakeArgs, LimitsArgs, TriggerArgs
from functions.rules.campaigns import CampaignState, CampaignUpdate, DeploymentRecord
from retrain.account.access import Access
from retrain.account.target import Target
from retrain.look import status
from retrain.look.pipeline_status import CampaignStatus, PipelineStatus, SolutionStatus
from tests.retrain.check import answers
from tests.retrain.in_process import account
from tests.workflow.clients import CURRENT, OPERATOR
from tests.world import HOUR, MOVIES, TOPIC, campaign, campaign_arn, interactions, solution

DAY = 24 * HOUR
NOW = datetime(2026, 11, 29, 3, tzinfo=UTC)
BY_HAND = {"trigger": None, "scheduledTime": None, "scheduleArn": None}
"""Changes of the input of a scheduled run, after which a person has started it."""
EAGER = MOVIES.with_datasets("interactions", ready_marker="s3://exports/{date}.DONE").with_options(
    trigger=TriggerArgs(on_export=True), limits=LimitsArgs(max_trainings_per_month=0)
)
ASKING = solution(approval=ApprovalArgs(timeout_hours=24))


def services(prod, state="ENABLED", alarms=()):
    """Return the services for what starts runs, and for alarms."""
    machine = prod.pipeline.machine.arn
    changes = {
        "State": state,
        "LastModificationDate": prod.pipeline.clock.now(),
        "Target": {"Arn": machine},
    }
    rule = {"Name": "retraining-start-on-export-0a1b2c3", "State": state}
    return {
        "scheduler": answers.Client(
            list_schedules={"Schedules": [{"Name": "runs", "Target": {"Arn": machine}}]},
            get_schedule=lambda **request: answers.schedule(**request, **changes),
        ),
        "events": answers.Client(
            list_rules={"Rules": [rule]},
            list_targets_by_rule={"Targets": [{"Arn": "function", "Input": machine}]},
        ),
        "cloudwatch": answers.Client(describe_alarms={"MetricAlarms": [*alarms]}),
    }


def ringing(prod, name, topic=TOPIC):
    now = prod.pipeline.clock.now()
    return {
        "AlarmName": f"{name}-0a1b2c3",
        "AlarmActions": [topic],
        "StateTransitionedTimestamp": now,
        "StateUpdatedTimestamp": now + timedelta(hours=1),
    }


@contextmanager
def eager_account(*solutions):
    """Yield an account whose runs also start on exports. The first export is ready."""
    with account(EAGER.with_solutions(*solutions)) as prod:
        mark_ready(prod)
        prod.services = services(prod)
        yield prod


def mark_ready(prod):
    prod.pipeline.bucket.put(f"{prod.pipeline.clock.now():%Y-%m-%d}.DONE", b"")


def run_with(prod, data, **request):
    prod.pipeline.bucket.put("interactions.csv", data)
    prod.pipeline.sleep(DAY)
    mark_ready(prod)
    return prod.pipeline.run(**BY_HAND, **request)


def test_the_golden_screens_of_a_pipeline(golden):
    baking = solution(
        "baking", campaigns=[campaign("shelf", bake=BakeArgs(hours=2, create_alarms=True))]
    )
    with eager_account(ASKING, baking) as prod:
        screens = [prod.transcript("status -s prod")]
        run = prod.pipeline.start()
        prod.pipeline.sleep(0.5 * HOUR)
        screens.append(prod.transcript("status -s prod"))
        prod.pipeline.sleep(2 * HOUR)
        assert prod.retrain("pin -s prod --campaign shelf").code == 0
        alarms = [
            ringing(prod, "retraining-run-failed"),
            ringing(prod, "retraining-eu-run-failed", topic=f"{TOPIC}-eu"),
        ]
        prod.services = services(prod, alarms=alarms)
        screens.append(prod.transcript("status -s prod", "status -s prod --json"))
        run.wait()

        assert prod.retrain("rollback -s prod --campaign shelf --yes").code == 0
        run_with(prod, interactions(shuffled=True))
        prod.pipeline.start(datasets=["films"]).wait()
        prod.pipeline.foreign_update(prod.pipeline.versions("baking")[1], "shelf")
        prod.pipeline.client.delete_campaign(campaignArn=campaign_arn("home"))
        prod.pipeline.sleep(HOUR)
        prod.services = services(prod, "DISABLED")
        screens.append(prod.transcript("status -s prod"))
        (taste, _) = prod.retrain("status -s prod --json").document["solutions"]
        assert taste["campaigns"][0]["state"] is None, "it does not exist"

        prod.services["scheduler"] = answers.Client(list_schedules={"Schedules": []})
        for _ in range(4):
            prod.pipeline.inject_fault("deny", operation="DescribeCampaign")
        screens.append(prod.transcript("status -s prod"))
        document = prod.retrain("status -s prod --json").document
        assert document["schedule"] is None
        assert document["solutions"][1]["campaigns"][0]["state"].keys() == {"error"}
    golden("status.txt", "\n".join(screens))


def test_a_part_that_may_not_be_read_is_named_and_the_rest_is_shown():
    with account(MOVIES) as prod:
        result = prod.retrain("status")
        document = prod.retrain("status --json").document
    assert result.code == 0
    lines = result.out.splitlines()
    denied = "cannot be read: these credentials may not call "
    assert [line.partition(denied)[2].split(":")[0] for line in lines if denied in line] == [
        "ListSchedules",
        "DescribeAlarms",
    ]
    assert "    home  serves 6ccfd7a7 since 2026-11-22 04:40 UTC" in lines
    assert document["schedule"].keys() == document["alarms"].keys() == {"error"}


@pytest.fixture
def requests(monkeypatch):
    """Return the list of the requests that commands send."""
    sent = []
    call = CURRENT.call
    call_step_functions = CURRENT.call_step_functions
    send = answers.Client.__getattr__

    def record_call(operation, request, caller):
        if caller is OPERATOR:
            sent.append(operation)
        return call(operation, request, caller)

    def record_step_functions(operation, request):
        sent.append(operation)
        return call_step_functions(operation, request)

    def record_other(client, operation):
        sent.append(operation)
        return send(client, operation)

    monkeypatch.setattr(CURRENT, "call", record_call)
    monkeypatch.setattr(CURRENT, "call_step_functions", record_step_functions)
    monkeypatch.setattr(answers.Client, "__getattr__", record_other)
    return sent


CAMPAIGNS = [f"campaign-{number}" for number in range(MAX_CAMPAIGNS)]
ASKING_FOR_MOST = solution(approval=ApprovalArgs(timeout_hours=24), campaigns=CAMPAIGNS)
TWO_SOLUTIONS = (solution(campaigns=["a", "b", "c"]), solution("shop", campaigns=["d", "e"]))


@pytest.mark.parametrize(
    "solutions, shown_versions",
    [
        ([ASKING], [9]),
        ([ASKING_FOR_MOST], [1]),
        (TWO_SOLUTIONS, [7, 9]),
    ],
    ids=["one campaign", "most campaigns", "two solutions"],
)
def test_the_screen_needs_at_most_25_requests_a_solution(requests, solutions, shown_versions):
    """More campaigns leave fewer requests for the metrics of versions."""
    with eager_account(*solutions) as prod:
        for changes in ({}, {}, BY_HAND):
            prod.pipeline.start(datasets=["films"], **changes).wait()
        for name in [item.solution_arn for item in solutions] * 10:
            prod.pipeline.client.create_solution_version(solutionArn=name)
            prod.pipeline.sleep(2 * HOUR)

        prod.pipeline.inject_fault("take", job="solution-version", seconds=8 * HOUR)
        prod.pipeline.start(skipImport=True)
        prod.pipeline.sleep(7 * HOUR)
        requests.clear()
        result = prod.retrain("status --json")

    assert len(requests) <= 25 * len(solutions), sorted(requests)
    shown = [
        sum(version["value"] is not None for version in item["versions"])
        for item in result.document["solutions"]
    ]
    assert shown == shown_versions


def test_a_campaign_that_could_not_be_created_serves_nothing():
    update = CampaignUpdate(version_arn="taste/1a2b", created_at=NOW, ended_at=NOW)
    state = CampaignState(served_version_arn=None, update=update, record=DeploymentRecord())
    taste = SolutionStatus("solution/taste", "coverage", [], [], [CampaignStatus("home", state)])
    shown = PipelineStatus(NOW, None, None, runs=[], alarms=[], solutions=[taste], recommenders=[])
    lines = status.Screen(Target("m", {}, Access(), "prod", {}), shown).lines()
    assert [line.text for line in lines if line.label == "home"] == ["serves nothing"]


def test_a_pipeline_may_have_no_solutions():
    with account(MOVIES.with_solutions()) as prod:
        assert prod.retrain("status --json").document["solutions"] == []


def test_a_small_line_goes_from_the_lowest_to_the_highest_value():
    assert status.draw_sparkline([0.1, 0.2, 0.8, 0.45]) == "▁▂█▄"
    assert status.draw_sparkline([0.3]) == status.draw_sparkline([0.3, 0.3])[0] == "▁"


def test_a_screen_that_is_kept_up_to_date_needs_a_terminal():
    with account(MOVIES) as prod:
        result = prod.retrain("status --watch")
    message = "--watch needs a terminal; without one, repeat `retrain status`\n"
    assert result == (2, "", message)


def test_a_terminal_is_kept_up_to_date_until_ctrl_c(monkeypatch):
    with account(MOVIES) as prod:
        prod.services = services(prod)

        def sleep(seconds):
            prod.pipeline.clock.sleep(seconds)
            if len(slept) == 2:
                raise KeyboardInterrupt
            slept.append(seconds)

        slept = []
        monkeypatch.setattr(status.clock, "sleep", sleep)
        for name, value in {"FORCE_COLOR": "1", "COLUMNS": "80", "TERM": "xterm"}.items():
            monkeypatch.setenv(name, value)
        result = prod.retrain("status --watch")
    assert (result.code, slept) == (0, [status.REFRESH_SECONDS] * 2)
    assert "2026-11-29 03:00 UTC" in result.out
