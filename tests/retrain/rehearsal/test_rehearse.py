"""Proves what a rehearsal prints, which scenarios it plays, and how it ends. Runs are doubles."""

import io
import json
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import pytest
from botocore.exceptions import ClientError

from emulator import EmulatorError
from retrain import cli
from retrain.account import pulumi_cli
from retrain.look.lines import Line
from retrain.look.run_view import ShownRun
from retrain.look.runs import Execution
from retrain.rehearsal import play, rehearse
from retrain.rehearsal import results as results_module
from retrain.rehearsal.play import DeployedStack
from retrain.rehearsal.recommendations import RECOMMENDED_ITEMS, list_recommendation_lines
from retrain.rehearsal.results import Result
from retrain.rehearsal.scenarios import SCENARIOS, Check, ScenarioName
from tests.functions import samples as s
from tests.functions.test_report import report
from tests.program.sample_stack import CAMPAIGN, ROOT
from tests.sample_data import sample_data

STATE_MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev"
SCHEDULE = "arn:aws:scheduler:eu-west-1:123456789012:schedule/retraining-dev/nightly"
LIMIT = ClientError({"Error": {"Code": "Limit", "Message": "5"}}, "Make")
MET = [Check("the run ended as planned", is_met=True)]
NOT_MET = [*MET, Check("home serves its previous version", is_met=False)]
REFUSED = {"error": "RunRefused", "reasons": [{"text": "no files"}]}
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
STARTED = datetime(2026, 11, 29, 3, tzinfo=UTC)


def view(report_of_run, status="SUCCEEDED", error=""):
    """Return a run that has ended."""
    ended = STARTED + timedelta(seconds=8)
    run = ShownRun(Execution("arn:execution:run-1", status, STARTED, ended), failure=error)
    if report_of_run:
        run.apply_report(report_of_run)
    return run


RUNS = {
    ScenarioName.HAPPY_PATH: view(report()),
    ScenarioName.WRONG_HEADER: view(
        {**report(), "imports": [], "solutions": [], "outcome": "FAILED", **REFUSED}
    ),
}


class FakeEmulator:
    """A double of the emulator, which dies when the answers are used up."""

    endpoint = "http://127.0.0.1:1"
    account = "123456789012"
    region = "eu-west-1"
    exports = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region}  # noqa: RUF012  # never changed
    connection = {"endpoint_url": endpoint, "region_name": region}  # noqa: RUF012

    def __init__(self):
        self.answers = [True]
        self.requests = []

    def is_alive(self):
        """Return the next answer, or False."""
        return self.answers.pop(0) if self.answers else False

    def control(self, *request):
        """Record a request."""
        self.requests.append(request)

    def fire(self, schedule, group, slot):
        """Record the slot of a schedule. Return the execution."""
        assert f"{group}/{schedule}" == SCHEDULE.partition("schedule/")[2]
        self.requests.append(slot)
        return "execution"


@pytest.fixture
def emulator(monkeypatch, project):
    """Replace the emulator, the deployment and the resources. Return the double."""
    fake = FakeEmulator()

    @contextmanager
    def running(**options):
        fake.options = options
        yield fake

    outputs = {"state_machine_arn": STATE_MACHINE, "schedule_arn": SCHEDULE}
    fake.resources = SimpleNamespace(
        emulator=fake,
        group_arn="arn:group",
        create=lambda: None,
        write_newer_exports=lambda *_: None,
    )
    fake.target = SimpleNamespace(
        command=lambda *words: " ".join(["retrain", *words]),
        options=[],
        settings={"solutions": []},
        state_machine_arn=STATE_MACHINE,
    )
    monkeypatch.setattr(rehearse, "running", running)
    monkeypatch.setattr(play, "deploy", lambda *_, **__: SimpleNamespace(outputs=outputs))
    monkeypatch.setattr(play, "find_target", lambda *_: fake.target)
    for module in (play, rehearse):
        monkeypatch.setattr(module, "StackResources", lambda *_: fake.resources)
    lines = [Line(1, "home", "film")]
    monkeypatch.setattr(results_module, "list_recommendation_lines", lambda *_: lines)
    monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", project())
    return fake


@pytest.fixture
def results(emulator, monkeypatch):
    """Let every scenario end as designed. Return the results that differ, by the name."""
    differing = {}

    def result_of(_, scenario):
        emulator.requests.append(str(scenario.name))
        result = differing.get(scenario.name) or Result(scenario, MET, RUNS.get(scenario.name))
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(DeployedStack, "play", result_of)
    return differing


def retrain(*arguments, capsys):
    """Run a command. Return its exit code, and what it printed to stdout and to stderr."""
    code = cli.main(arguments)
    return code, *capsys.readouterr()


def test_the_golden_screens_of_a_rehearsal(results, golden, capsys):
    names = (ScenarioName.WRONG_HEADER, ScenarioName.NOTHING_NEW, ScenarioName.BAD_PROBE)
    options = [word for name in names for word in ("--scenario", name)]
    good = retrain("rehearse", *options, capsys=capsys)
    rejected = s.campaign_result("REJECTED", "NDCG@10 fell from 0.4 to 0.1")
    worse = view(report(solutions=[s.solution_result(campaigns=[rejected])]))
    results[ScenarioName.HAPPY_PATH] = Result(BY_NAME[ScenarioName.HAPPY_PATH], NOT_MET, worse)
    results[ScenarioName.NOTHING_NEW] = EmulatorError("no such schedule")
    died = view(None, "FAILED", "States.Runtime: no a")
    results[ScenarioName.BAD_PROBE] = Result(BY_NAME[ScenarioName.BAD_PROBE], NOT_MET, died)
    bad = retrain("rehearse", *options, capsys=capsys)
    assert (good[0], bad[0]) == (0, 1), "the others are played although the first one ended badly"

    text = "\n".join(f"$ retrain rehearse\n{err}{out}" for _, out, err in (good, bad))
    golden("rehearse.txt", text)


def test_a_good_rehearsal_shows_its_warnings(results, capsys):
    warned = report(plan=s.plan(warnings=[{"text": "it is pinned"}]))
    results[ScenarioName.HAPPY_PATH] = Result(BY_NAME[ScenarioName.HAPPY_PATH], MET, view(warned))
    code, out, _ = retrain("rehearse", capsys=capsys)
    assert (code, "warning  it is pinned" in out) == (0, True)


@pytest.fixture
def worse(monkeypatch):
    """Return a run that rejected a version, to be shown in a terminal with 80 columns."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    rejected = s.campaign_result("REJECTED", "NDCG@10 fell from 0.4 to 0.1")
    return view(report(solutions=[s.solution_result(campaigns=[rejected])]))


def test_a_terminal_shows_why_a_run_was_refused_and_what_rejected_a_version(results, worse, capsys):
    results[ScenarioName.WORSE_MODEL] = Result(BY_NAME[ScenarioName.WORSE_MODEL], MET, worse)
    options = ("--scenario", "wrong-header", "--scenario", "worse-model")
    _, out, _ = retrain("rehearse", *options, capsys=capsys)
    for reason in ("no files", "NDCG@10 fell from 0.4 to 0.1"):
        assert reason in out, "no report follows in a rehearsal"


def test_a_terminal_wraps_a_report_between_words_but_not_its_commands(results, worse, capsys):
    results[ScenarioName.HAPPY_PATH] = Result(BY_NAME[ScenarioName.HAPPY_PATH], NOT_MET, worse)
    _, out, _ = retrain("rehearse", capsys=capsys)
    _, _, advice = out.partition("What to do\n")
    first, second, command, *_ = advice.splitlines()
    assert first == "The campaign keeps its version. Correct the data or the rules, and train again"
    assert second == "soon. This prints how the rejected version was made:"
    assert command.startswith("  retrain history --version taste/new --state-machine-arn arn:aws:")
    assert len(command) > 80


def test_a_version_that_the_gate_rejects_first_was_not_tried(results, capsys):
    scenario = BY_NAME[ScenarioName.BAD_PROBE]
    rejected = view({**report(), "outcome": "REJECTED"})
    results[ScenarioName.BAD_PROBE] = Result(scenario, NOT_MET, rejected)
    _, out, _ = retrain("rehearse", "--scenario", "bad-probe", capsys=capsys)
    assert "not played  the quality gate rejected the version before it was tried" in out
    assert "NOT PREVENTED" not in out
    assert "use more data" in out


def test_json_is_the_only_result(results, capsys):
    results[ScenarioName.BAD_PROBE] = EmulatorError("no such schedule")
    arguments = ("rehearse", "--scenario", "bad-probe", "--json")
    code, out, _ = retrain(*arguments, capsys=capsys)
    document = json.loads(out)
    assert (code, document["stack"], document["succeeded"]) == (1, "dev", False)

    good, bad = document["scenarios"]
    assert (good["scenario"], good["isAsDesigned"], good["wayOut"]) == ("happy-path", True, None)
    assert good["run"]["outcome"] == "DEPLOYED"
    assert good["checks"] == [{"text": MET[0].text, "isMet": True}]
    ended = "the scenario did not end: no such schedule"
    assert (bad["checks"], bad["run"]) == ([{"text": ended, "isMet": False}], None)
    assert bad["wayOut"] == BY_NAME[ScenarioName.BAD_PROBE].hint


@pytest.mark.usefixtures("results")
def test_scenarios_that_the_stack_cannot_play_are_refused_or_left_out(emulator, project, capsys):
    project(**{"solutions[0].campaigns[0]": {"campaignArn": CAMPAIGN}})
    reason = "no campaign has a probe; set solutions[].campaigns[].probe.userId of a campaign\n"
    code, out, err = retrain("rehearse", "--scenario", "bad-probe", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.endswith(f"stack dev cannot play:\n  bad-probe: {reason}")
    assert emulator.requests == []

    code, out, err = retrain("rehearse", "--scenario", "all", capsys=capsys)
    assert f"left out: bad-probe: {reason}" in err
    left_out = (ScenarioName.BAD_PROBE, ScenarioName.RINGING_ALARM)
    assert emulator.requests == [row.name for row in SCENARIOS if row.name not in left_out]
    assert code == 0


def test_the_rehearsal_ends_if_the_emulator_dies(emulator, results, capsys):
    results[ScenarioName.HAPPY_PATH] = URLError("refused")
    code, _, err = retrain("rehearse", capsys=capsys)
    message = "the emulator does not answer (<urlopen error refused>); start the command again"
    assert (code, err.splitlines()[-1]) == (1, message)

    emulator.answers = []
    results[ScenarioName.HAPPY_PATH] = EmulatorError("died")
    code, _, err = retrain("rehearse", "--scenario", "all", capsys=capsys)
    assert (code, err.splitlines()[-1]) == (2, "died")


def test_an_emulator_or_a_stack_that_cannot_be_used_is_one_line(emulator, monkeypatch, capsys):
    def fail(*_, **__):
        raise LIMIT

    emulator.resources.create = fail
    code, _, err = retrain("rehearse", capsys=capsys)
    assert (code, err.splitlines()[-1]) == (2, f"the emulator cannot deploy this stack: {LIMIT}")

    def no_port(**_):
        raise EmulatorError("no free port")

    monkeypatch.setattr(rehearse, "running", no_port)
    assert retrain("emulate", capsys=capsys) == (2, "", "no free port\n")


def interrupt(_seconds):
    raise SystemExit(128 + signal.SIGINT)


@pytest.mark.usefixtures("results")
def test_a_kept_emulator_runs_until_a_signal(emulator, monkeypatch, capsys):
    monkeypatch.setattr(rehearse.time, "sleep", interrupt)
    code, _, err = retrain("rehearse", "--keep", capsys=capsys)
    lines = [line.strip() for line in err.splitlines() if line]
    assert code == 0
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:1" in lines
    assert lines[-3:] == ["retrain plan", "retrain start --watch", "retrain history"]
    assert "For SQS, version 1 of the AWS CLI" in err, "it would call AWS"

    emulator.answers = []
    code, _, err = retrain("rehearse", "--keep", capsys=capsys)
    died = "the emulator ended unexpectedly; start the command again"
    assert (code, err.splitlines()[-1]) == (1, died)


def test_emulate_prints_how_to_deploy(emulator, monkeypatch, capsys):
    monkeypatch.setattr(rehearse.time, "sleep", interrupt)
    monkeypatch.setattr(rehearse, "which", lambda name: f"/tools/{name}/{name}")
    code, out, err = retrain("emulate", "--port", "4567", capsys=capsys)
    lines = [line.strip() for line in err.splitlines()]
    assert (code, out, emulator.options["port"]) == (0, "", 4567)
    assert "export AWS_REGION=eu-west-1" in lines

    up = lines.index("pulumi up -s dev")
    assert lines[up - 1] == "pulumi stack init dev", "without it there is no stack"
    (state,) = (line for line in lines[:up] if line.startswith("export PULUMI_BACKEND_URL="))
    folder = state.removeprefix("export PULUMI_BACKEND_URL=file://").split()[0]
    assert Path(folder).is_dir(), "a second shell with this line finds the same stack"
    assert "For the stacks of an earlier emulator, keep its line instead" in err
    assert state.endswith(" PULUMI_CONFIG_PASSPHRASE="), "nobody has to log in to a backend"
    assert "retrain adopt --stack prod --dataset-group-arn arn:group" in lines

    (path,) = (line for line in lines if line.startswith("export PATH="))
    tools = "/tools/pulumi:/tools/pulumi-language-python"
    assert f":{tools}:{ROOT}/emulator/deployer/plugin:$PATH" in path, "a shell may lack the CLI"


@pytest.fixture
def states(emulator, monkeypatch):
    """Replace the runs that a deployed stack follows."""
    client = SimpleNamespace(describe_execution=lambda **request: request)
    emulator.target.access = SimpleNamespace(step_functions=client)

    def write_newer_exports(day, _damage="none"):
        emulator.requests.append(str(day))

    emulator.resources.write_newer_exports = write_newer_exports
    monkeypatch.setattr(play, "parse_execution", lambda described: described["executionArn"])

    def follow(_target, _execution, console, **_):
        console.print("a change of the run")
        return view(None, "FAILED", "no a")

    monkeypatch.setattr(play, "follow_run", follow)


@pytest.mark.usefixtures("states")
def test_each_run_of_the_schedule_belongs_to_the_next_day_and_a_fault_ends_with_its_scenario(
    emulator, capsys
):
    code, out, err = retrain("rehearse", "--scenario", "bad-probe", capsys=capsys)
    assert (code, out.count("no a")) == (1, 2), "the runs have no reports"
    assert "a change" not in err, "without a terminal, each run is printed once, when it has ended"

    first = datetime.now(UTC).date() - timedelta(days=play.PAST_DAYS)
    second = first + timedelta(days=1)
    fault = ("POST", "faults", BY_NAME[ScenarioName.BAD_PROBE].fault)
    end = ("DELETE", "faults")
    assert emulator.requests == [
        *(str(first), f"{first}T03:00:00Z", end),
        *(str(second), fault, f"{second}T03:00:00Z", end),
    ]


@pytest.mark.usefixtures("states")
def test_the_alarms_of_bakes_have_data_before_a_run(emulator, project, capsys):
    project(**{"solutions[0].campaigns[0].bake": {"hours": 2, "createAlarms": True}})
    baked = s.campaign_settings(bake={"hours": 2, "alarms": [], "createAlarms": True})
    emulator.target.settings = s.settings(solutions=[s.solution_settings(campaigns=[baked])])
    alarms = []
    cloudwatch = SimpleNamespace(set_alarm_state=lambda **request: alarms.append(request))
    emulator.target.access.client = lambda _service: cloudwatch
    retrain("rehearse", capsys=capsys)

    assert [alarm["StateValue"] for alarm in alarms] == ["OK"] * 3, "no warning says they lack data"


@pytest.mark.usefixtures("states")
def test_a_run_that_is_interrupted_ends_the_rehearsal(monkeypatch):
    monkeypatch.setattr(play, "follow_run", lambda *_, **__: view(None, "RUNNING"))
    with pytest.raises(SystemExit) as caught:
        cli.main(["rehearse"])
    assert caught.value.code == 130


def test_a_rehearsal_shows_the_first_results_of_a_batch_job():
    lines = [
        {"input": {"userId": f"u{user}"}, "output": {"recommendedItems": [f"i{user}"] * 9}}
        for user in range(5)
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    s3 = SimpleNamespace(
        list_objects_v2=lambda **request: {"Contents": [{"Key": f"{request['Prefix']}a.out"}]},
        get_object=lambda **_: {"Body": io.BytesIO(text.encode())},
    )
    resources = SimpleNamespace(
        s3=s3,
        emulator=SimpleNamespace(client=lambda _service: None),
        args=SimpleNamespace(solutions=[]),
        data=sample_data(),
    )
    run = {"solutions": [{"batchJobs": [{"output": "s3://batch/out/"}]}]}
    _, *shown = list_recommendation_lines(resources, run)
    nothing = list_recommendation_lines(resources, {"solutions": []})
    assert [*nothing] == [], "nothing was recommended"

    assert [(line.label, line.text.split("\n")) for line in shown] == [
        (f"a batch job wrote for u{user}", [f"i{user}"] * RECOMMENDED_ITEMS) for user in range(3)
    ]
