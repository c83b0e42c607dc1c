"""Proves how scenarios are staged and played, and how a rehearsal goes through them.

The services are doubles that remember what they were asked; the emulator is not started.
"""

import itertools
import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from emulator.deployer import Deployment
from retrain.rehearsal import play, rehearse, stage
from retrain.rehearsal.data.data_sets import SampleData
from retrain.rehearsal.data.world import await_first_event
from retrain.rehearsal.judging import Seen
from retrain.rehearsal.scenarios import SCENARIOS, Name
from tests.program.sample_stack import CAMPAIGN as SAMPLE_CAMPAIGN
from tests.program.sample_stack import LEFT_OUT, PROJECT_FILE, ROOT, texts
from tests.program.sample_stack import SOLUTION as SAMPLE_SOLUTION
from tests.retrain.rehearsed import (
    AUDIENCE,
    CAMPAIGN,
    EXECUTION,
    NEW,
    OLD,
    SOLUTION,
    report,
    served,
    summary,
)
from tests.retrain.rehearsed import solution_report as trained

ROWS = {each.name: each for each in SCENARIOS}
SLOT, LATER = "2026-11-30T03:00:00+00:00", "2026-12-07T03:00:00+00:00"
OUTPUTS = {
    "schedule_arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/retraining-dev/nightly",
    "state_machine_arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining",
    "log_group_name": "retraining-dev",
}
CALLER = "arn:aws:sts::123456789012:assumed-role/retraining-{}-plan/plan"


@dataclass
class Emulator:
    """Plays the emulator: fires, takes faults, and tells of calls."""

    account: str = "123456789012"
    region: str = "eu-west-1"
    endpoint: str = "http://127.0.0.1:1"
    exports: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    calls: list = field(default_factory=list)

    @property
    def connection(self):
        """What clients are made with; none of them sends anything."""
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.account,
            "aws_secret_access_key": "test",
        }

    def fire(self, schedule, group, slot):
        """Start a run."""
        self.asked.append(("fire", schedule, group, slot))
        return EXECUTION

    def control(self, method, path, document=None):
        """Take an order, or tell of the calls."""
        self.asked.append((method, path, document))
        return self.calls


@pytest.fixture
def project(tmp_path):
    """A project whose stack is the sample's, with changes."""

    def write(**changes):
        (tmp_path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
        (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps({"config": texts(changes)}))
        return tmp_path

    return write


@pytest.fixture
def world(monkeypatch):
    """What a stage does to the emulator and asks of the services, as doubles."""
    seen = SimpleNamespace(
        prepared=[], put=[], deployed=[], asked_after=[], by_hand=[], slots=[SLOT, LATER]
    )
    monkeypatch.setattr(stage, "prepare", lambda _, args, *__: seen.prepared.append(args))
    monkeypatch.setattr(stage, "put_newer_exports", lambda *_, **how: seen.put.append(how))

    def deploy(stack, **options):
        seen.deployed.append((stack, options["config"]))
        return Deployment(OUTPUTS, [])

    def slot_to_fire(_emulator, _arn, after):
        seen.asked_after.append(after)
        return seen.slots.pop(0)

    monkeypatch.setattr(stage, "deploy", deploy)
    monkeypatch.setattr(stage, "slot_to_fire", slot_to_fire)
    monkeypatch.setattr(stage.of, "served_now", lambda *_: {SAMPLE_CAMPAIGN: OLD})
    monkeypatch.setattr(stage.of, "ending_of", lambda *_: "SUCCEEDED")
    monkeypatch.setattr(stage.of, "report_of", lambda *_: report(trained(SAMPLE_SOLUTION, NEW)))
    monkeypatch.setattr(
        stage.of, "version", lambda _, arn, age: stage.of.Version(arn, age, "ACTIVE", {})
    )
    monkeypatch.setattr(stage, "follow", lambda *_: [SimpleNamespace(arn=NEW, kind="import")])

    def start_by_hand(_self):
        seen.by_hand.append("{}")
        return f"{EXECUTION}0"

    monkeypatch.setattr(stage.Stage, "start_by_hand", start_by_hand)
    return seen


@pytest.fixture
def staged(world, project):
    """A stage of the sample stack."""
    del world
    args, overrides = rehearse.settings_of(project(), "dev", rehearse.changes.nothing)
    console = Console(quiet=True)
    rehearsal = stage.Rehearsal(console, "dev", project(), args, SampleData(), overrides)
    return stage.set_up(rehearsal, Emulator())


def test_each_night_comes_later_and_has_another_export_unless_nothing_is_new(staged, world):
    staged.dawn()
    staged.follow(EXECUTION)
    staged.dawn(how="shuffled")
    assert world.asked_after == [None, SLOT]
    assert world.put == [
        {"day": "2026-11-30", "night": 0, "how": "none"},
        {"day": "2026-12-07", "night": 1, "how": "shuffled"},
    ]
    world.slots = [SLOT]
    staged.dawn(new_data=False)
    assert world.put[2] == {"day": "2026-11-30", "night": 0, "how": "none"}, "of the last import"


def test_a_run_by_hand_has_an_empty_input(staged, monkeypatch):
    monkeypatch.undo()
    asked = []
    staged.states = SimpleNamespace(
        start_execution=lambda **request: asked.append(request) or {"executionArn": EXECUTION}
    )
    assert staged.start_by_hand() == EXECUTION
    assert asked == [{"stateMachineArn": OUTPUTS["state_machine_arn"], "input": "{}"}]


def test_a_paused_stack_is_started_by_hand_with_the_export_of_today(staged, world):
    world.slots = [None]
    staged.dawn()
    assert staged.start() == f"{EXECUTION}0"
    assert world.put[0]["day"] == stage.datetime.now(stage.UTC).date().isoformat()


def test_a_stack_beside_another_has_a_role_of_its_own(staged, world):
    stage.set_up(replace(staged.rehearsal, stack="dev2"), staged.emulator, beside=True)
    first, second = world.prepared
    assert first.import_role_arn is None
    assert second.import_role_arn.endswith(":role/dev2-rehearsal-import")
    assert [name for name, _ in world.deployed] == ["dev", "dev2"]


@pytest.mark.parametrize(
    ("changes", "awaited"),
    [
        ({"retrainingRate": "7 days"}, True),
        ({"retrainingRate": "7 days", "paused": True}, False),
        ({"retrainingRate": "cron(0 3 ? * MON *)"}, False),
    ],
    ids=["a rate", "a rate that is paused", "a cron"],
)
@pytest.mark.usefixtures("world")
def test_the_run_that_a_rate_begins_with_is_over_before_another_one_starts(
    changes, awaited, project, monkeypatch
):
    seen = []
    monkeypatch.setattr(stage, "await_first_event", lambda _, machine: seen.append(machine))
    args, overrides = rehearse.settings_of(project(**changes), "dev", rehearse.changes.nothing)
    rehearsal = stage.Rehearsal(
        Console(quiet=True), "dev", project(**changes), args, SampleData(), overrides
    )
    stage.set_up(rehearsal, Emulator())
    assert seen == [OUTPUTS["state_machine_arn"]] * awaited


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([[], ["RUNNING"], ["RUNNING"], ["SUCCEEDED"]], 4),
        ([["FAILED"]], 1),
        ([["RUNNING", "SUCCEEDED"], ["SUCCEEDED", "SUCCEEDED"]], 2),
    ],
    ids=["not there yet", "over at once", "another one"],
)
def test_the_first_event_is_awaited_until_its_run_has_ended(answers, asked, monkeypatch):
    lists = executions_of(answers, monkeypatch)
    await_first_event(Emulator(), "machine")
    assert lists == ["machine"] * asked


def test_an_event_that_never_comes_is_not_awaited_for_ever(monkeypatch):
    monkeypatch.setattr("retrain.rehearsal.data.world.FIRST_EVENT_SECONDS", 0.01)
    lists = executions_of(itertools.repeat([]), monkeypatch)
    await_first_event(Emulator(), "machine")
    assert set(lists) == {"machine"}


def executions_of(answers, monkeypatch):
    """Let Step Functions list executions of these statuses, in order; give what it is asked."""
    asked, left = [], iter(answers)

    def list_executions(*, stateMachineArn):  # noqa: N803 - the API's word
        asked.append(stateMachineArn)
        return {"executions": [{"status": status} for status in next(left)]}

    client = SimpleNamespace(list_executions=list_executions)
    monkeypatch.setattr("retrain.rehearsal.data.world.POLL_SECONDS", 0)
    monkeypatch.setattr("retrain.rehearsal.data.world.boto3.client", lambda *_, **__: client)
    return asked


def test_a_scenario_with_faults_orders_and_withdraws_them(staged):
    seen = play.play(staged, ROWS["stuck-training"])
    assert staged.emulator.asked == [
        ("POST", "faults", ROWS["stuck-training"].faults[0]),
        ("fire", "nightly", "retraining-dev", SLOT),
        ("DELETE", "faults", None),
    ]
    (run,) = seen.runs
    assert (run.execution_arn, run.ended, run.jobs) == (EXECUTION, "SUCCEEDED", [NEW])
    assert seen.versions == {NEW: "ACTIVE"}
    assert [(each.before, each.now, each.new) for each in seen.campaigns] == [(OLD, OLD, NEW)]
    assert seen.unprobed == []


def test_campaigns_without_a_probe_are_noted(staged, monkeypatch):
    (solution,) = staged.rehearsal.args.solutions
    campaigns = [replace(each, probe=None) for each in solution.campaigns]
    solutions = [replace(solution, campaigns=campaigns)]
    args = replace(staged.rehearsal.args, solutions=solutions)
    monkeypatch.setattr(staged, "rehearsal", replace(staged.rehearsal, args=args))
    assert play.play(staged, ROWS["bad-probe"]).unprobed == [SAMPLE_CAMPAIGN]


def test_an_event_delivered_twice_has_a_run_by_hand_beside_it(staged, world):
    seen = play.play(staged, ROWS["duplicate-event"])
    assert seen.deliveries == [EXECUTION, EXECUTION]
    assert [each.execution_arn for each in seen.runs] == [EXECUTION, f"{EXECUTION}0"]
    assert world.by_hand == ["{}"]


def automatic(answers):
    """A Personalize whose solution trains automatically after some looks."""
    asked = []
    return SimpleNamespace(
        asked=asked,
        answers=answers,
        update_solution=lambda **request: asked.append(request),
        describe_solution=lambda **_: {"solution": {"performAutoTraining": answers.pop(0)}},
    )


def test_automatic_training_is_turned_on_and_waited_for(staged, monkeypatch):
    monkeypatch.setattr(play, "TICK_SECONDS", 0)
    (solution,) = staged.rehearsal.args.solutions
    more = replace(solution, solution_arn=f"{SAMPLE_SOLUTION}-2", campaigns=())
    args = replace(staged.rehearsal.args, solutions=[solution, more])
    monkeypatch.setattr(staged, "rehearsal", replace(staged.rehearsal, args=args))
    staged.personalize = automatic([False, True, False, True])
    play.play(staged, ROWS["auto-training"])
    assert staged.personalize.asked == [
        {"solutionArn": SAMPLE_SOLUTION, "performAutoTraining": True},
        {"solutionArn": f"{SAMPLE_SOLUTION}-2", "performAutoTraining": True},
    ]
    assert staged.personalize.answers == [], "each is waited for"


def test_automatic_training_that_stays_off_is_an_error(staged, monkeypatch):
    monkeypatch.setattr(play, "PATIENCE_SECONDS", -1)
    staged.personalize = automatic([False])
    with pytest.raises(rehearse.RehearsalError, match="automatic training is still off"):
        play.play(staged, ROWS["auto-training"])


@pytest.mark.parametrize(
    ("caller", "named", "strangers"),
    [
        ("dev2", SAMPLE_SOLUTION + "3", []),
        ("dev2", SAMPLE_SOLUTION, [f"{CALLER.format('dev2')} named {SAMPLE_SOLUTION}"]),
        ("root", "arn:x", ["no call by stack dev2 was seen"]),
    ],
)
def test_two_stacks_are_fired_for_one_slot_and_their_calls_compared(
    staged, monkeypatch, caller, named, strangers
):
    monkeypatch.setattr(
        stage.Stage,
        "served",
        lambda self: {
            str(each.campaign_arn): OLD
            for solution in self.rehearsal.args.solutions
            for each in solution.campaigns
        },
    )
    jobs = iter(["job-1", "job-2"])
    monkeypatch.setattr(stage, "follow", lambda *_: [SimpleNamespace(arn=next(jobs), kind="train")])
    staged.emulator.calls = [
        {"caller": CALLER.format("dev"), "request": {"arn": "arn:of:nobody"}},
        {"caller": CALLER.format(caller), "request": {"arn": named}},
    ]
    seen = play.play(staged, ROWS["two-stacks"])
    assert [each.arn for each in seen.campaigns] == [SAMPLE_CAMPAIGN, f"{SAMPLE_CAMPAIGN}2"]
    assert [each.jobs for each in seen.runs] == [["job-1"], ["job-2"]]
    assert seen.strangers == strangers


def test_a_first_run_gathers_versions_campaigns_and_what_is_recommended(staged, monkeypatch):
    monkeypatch.setattr(stage.of, "newest_versions", lambda *_: {SAMPLE_SOLUTION: OLD})
    monkeypatch.setattr(stage.of, "steps", lambda *_: [])
    monkeypatch.setattr(stage.of, "recommended", lambda *_: ["film-1"])
    told = staged.first_run()
    assert [(each.arn, each.age) for each in told.versions] == [(OLD, "old"), (NEW, "new")]
    assert told.trained
    assert [each.recommended for each in told.campaigns] == [["film-1"]]
    assert not told.succeeded, "the campaign has not moved"


def test_a_campaign_of_related_items_is_asked_with_the_item_that_the_user_met_last(
    staged, monkeypatch
):
    monkeypatch.setattr(stage, "recipe_of", lambda _: "aws-similar-items")
    monkeypatch.setattr(stage.of, "related", lambda *asked: [asked[1:], "film-1"])
    (told,) = staged.campaigns({SAMPLE_CAMPAIGN: OLD}, {})
    item = staged.rehearsal.audience.met[0]
    assert (told.related_to, told.recommended) == (item, [(SAMPLE_CAMPAIGN, item), "film-1"])


def test_a_campaign_that_only_ranks_is_not_asked(staged, monkeypatch):
    monkeypatch.setattr(stage, "recipe_of", lambda _: "aws-personalized-ranking-v2")
    (told,) = staged.campaigns({SAMPLE_CAMPAIGN: OLD}, {})
    assert (told.related_to, told.recommended) == (None, [])


def test_for_a_run_by_hand_there_is_another_export_at_todays_place(staged, world):
    staged.dawn()
    today = stage.datetime.now(stage.UTC).date().isoformat()
    assert staged.stock() == today
    assert world.put[1] == {"day": today, "night": 1, "how": "none"}
    assert staged.stock() == today
    assert world.put[2]["night"] == 2, "and each time a new one"


@pytest.fixture
def played(world, monkeypatch):
    """A rehearsal whose first runs are healthy, and the scenarios that were played."""
    del world
    names = []

    @contextmanager
    def running(**_):
        names.append("emulator")
        yield Emulator()

    def note(_stage, scenario):
        names.append(str(scenario.name))
        return Seen([], [])

    monkeypatch.setattr(rehearse, "running", running)
    monkeypatch.setattr(rehearse, "play", note)
    monkeypatch.setattr(stage.Stage, "first_run", lambda _: summary())
    return names


@pytest.fixture
def playing(project, played):
    """The sample stack's project, and what was played of it."""
    return project(), played


def judged(monkeypatch, *, good):
    """Judge every scenario so."""
    expectation = rehearse.prevented.told.__globals__["Told"]
    monkeypatch.setattr(
        rehearse.prevented,
        "told",
        lambda scenario, seen: expectation(scenario, seen, [_expected(good)]),
    )


def _expected(good):
    return SimpleNamespace(what="it ends well", held=good)


def test_scenarios_that_change_the_config_are_played_in_a_deployment_of_their_own(
    project, played, world, monkeypatch, capsys
):
    judged(monkeypatch, good=True)
    names = [Name.AUTO_TRAINING, Name.WRONG_HEADER, Name.NOTHING_NEW]
    folder = project(**{"solutions[0].campaigns[0].probe": LEFT_OUT})
    assert rehearse.rehearse("dev", scenarios=names, project_dir=folder) == 0
    assert played == ["emulator", "wrong-header", "nothing-new", "emulator", "auto-training"]
    assert [config for _, config in world.deployed] == [{}, {"autoTraining": "refuse"}]
    assert capsys.readouterr().out.splitlines()[-1] == "3 of 3 scenarios ended as designed."


def test_the_stack_as_it_is_is_not_deployed_where_no_scenario_needs_it(
    project, played, monkeypatch
):
    judged(monkeypatch, good=True)
    assert rehearse.rehearse("dev", scenarios=[Name.AUTO_TRAINING], project_dir=project()) == 0
    assert played == ["emulator", "auto-training"]


def test_one_scenario_that_ends_otherwise_fails_the_rehearsal(project, played, monkeypatch, capsys):
    del played
    judged(monkeypatch, good=False)
    assert rehearse.rehearse("dev", scenarios=[Name.WORSE_MODEL], project_dir=project()) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 of 1 scenario ended as designed."


def test_as_json_scenarios_are_in_the_document_of_the_run_or_alone(
    project, played, monkeypatch, capsys
):
    del played
    judged(monkeypatch, good=False)
    alone, both = [Name.WORSE_MODEL], [Name.HAPPY_PATH, Name.WORSE_MODEL]
    found = []
    for names in (alone, both):
        code = rehearse.rehearse("dev", scenarios=names, as_json=True, project_dir=project())
        found.append(json.loads(capsys.readouterr().out))
        assert code == 1
    assert list(found[0]) == ["stack", "succeeded", "scenarios"]
    assert not found[1]["succeeded"], "it stands for the exit code"
    assert found[1]["report"]["status"] == "DEPLOYED"
    assert [each["scenario"] for each in found[1]["scenarios"]] == ["worse-model"]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (summary(trained=False), "Retraining run 20261130T030000Z: DEPLOYED"),
        (summary(report=None, ended="ABORTED", trained=False), "ABORTED"),
    ],
)
def test_without_a_healthy_run_nothing_is_played(playing, monkeypatch, capsys, told, why):
    monkeypatch.setattr(stage.Stage, "first_run", lambda _: told)
    assert rehearse.rehearse("dev", scenarios=[Name.NOTHING_NEW], project_dir=playing[0]) == 1
    assert playing[1] == ["emulator"]
    assert capsys.readouterr().err == (
        f"scenarios begin after a healthy run, and this one was not: {why}\n"
    )


def test_all_that_a_stack_cannot_play_is_one_error_by_name_and_left_out_of_all(
    project, played, monkeypatch, capsys
):
    judged(monkeypatch, good=True)
    folder = project(paused=True)
    assert rehearse.rehearse("dev", scenarios=[Name.TWO_STACKS], project_dir=folder) == 2
    names = [Name.TWO_STACKS, Name.WRONG_HEADER, Name.DUPLICATE_EVENT, Name.ALL]
    assert rehearse.rehearse("dev", scenarios=names, project_dir=folder) == 2
    said = capsys.readouterr()
    assert (played, said.out) == ([], "")
    assert said.err == (
        "1 scenario that stack dev cannot rehearse:\n  two-stacks: the stack is paused\n"
        "2 scenarios that stack dev cannot rehearse:\n"
        "  duplicate-event: the stack is paused\n  two-stacks: the stack is paused\n"
    )
    assert rehearse.rehearse("dev", scenarios=[Name.ALL], project_dir=folder) == 0
    assert len([each for each in played if each != "emulator"]) == len(SCENARIOS) - 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "left out: duplicate-event: the stack is paused"


@pytest.mark.parametrize("outcome", ["REJECTED", "ROLLED_BACK"])
def test_a_campaign_that_kept_its_version_is_shown_with_the_outcome(outcome):
    campaign = {"campaignArn": CAMPAIGN, "outcome": outcome}
    made = report({**trained(SOLUTION, NEW), "campaigns": [campaign]})
    told = summary(report=made, campaigns=[served(now=OLD)])
    console = Console(width=80)
    with console.capture() as captured:
        rehearse.show(console, told, audience=AUDIENCE)
    lines = [line.rstrip() for line in captured.get().splitlines()]
    assert f"serves       movies/00000001, not a new version: {outcome}" in lines
