"""Proves the command's options, exit codes and messages; the emulator is not started."""

import json
import logging
import os
import re
import runpy
import signal
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import util
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer.testing import CliRunner

import retrain.__main__
from emulator import EmulatorError
from emulator.deployer import Deployment, program
from emulator.personalize.tables import REQUIRED_FIELDS
from retrain import cli
from retrain.rehearsal import emulate, keeping, rehearse, stage
from retrain.rehearsal.data.data_sets import TYPES
from retrain.rehearsal.judging import Seen
from retrain.rehearsal.scenarios import Name
from tests.program.sample_stack import CONFIG, PROJECT, PROJECT_FILE, REGION, ROOT, changed
from tests.retrain.rehearsed import EXECUTION, summary

OUTPUTS = {
    "schedule_arn": "arn:aws:scheduler:eu-west-1:123456789012:schedule/retraining-dev/nightly",
    "state_machine_arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining",
    "log_group_name": "retraining-dev",
}


@pytest.fixture
def asked(monkeypatch):
    """What the command asks the rehearsal for; it answers 7."""
    calls = []
    monkeypatch.setattr(rehearse, "rehearse", lambda *args, **more: calls.append((args, more)) or 7)
    return calls


def run(*arguments):
    return CliRunner().invoke(cli.app, ["rehearse", *arguments])


def test_the_exit_code_is_the_rehearsals(asked):
    assert run().exit_code == 7
    defaults = {"scenarios": ["happy-path"], "keep": False, "as_json": False, "data_dir": None}
    assert asked == [(("dev",), defaults)]


def test_every_option_reaches_the_rehearsal(asked, tmp_path):
    scenarios = ["--scenario", "worse-model", "--scenario", "all"]
    run("--stack", "prod", "--keep", "--json", "--data", str(tmp_path), *scenarios)
    options = {"keep": True, "as_json": True, "data_dir": tmp_path}
    assert asked == [(("prod",), {"scenarios": ["worse-model", "all"], **options})]


def test_a_folder_of_data_that_is_not_there_is_refused(asked):
    result = run("--data", "nowhere")
    assert (result.exit_code, asked) == (2, [])
    assert "nowhere" in result.stderr


def test_a_scenario_that_nobody_wrote_is_refused_with_those_that_there_are(asked):
    result = run("--scenario", "worse-modle")
    assert (result.exit_code, asked) == (2, [])
    assert "truncated-export" in result.stderr


def test_the_emulator_gets_its_options_and_gives_the_exit_code(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(emulate, "emulate", lambda *args, **more: calls.append((args, more)) or 7)
    command = ["emulate", "--stack", "prod", "--port", "0", "--data", str(tmp_path)]
    codes = [CliRunner().invoke(cli.app, each).exit_code for each in (["emulate"], command)]
    assert codes == [7, 7]
    assert calls == [
        (("dev",), {"port": 4566, "data_dir": None}),
        (("prod",), {"port": 0, "data_dir": tmp_path}),
    ]


@pytest.mark.parametrize("width", ["80", "100"])
def test_the_help_has_every_scenario_in_one_piece_and_every_column_that_data_need(
    monkeypatch, width
):
    monkeypatch.setenv("COLUMNS", width)
    result = CliRunner().invoke(cli.app, ["rehearse", "--help"])
    words = set(re.findall(r"[\w.-]+", result.stdout.replace(". ", " ").replace(", ", " ")))
    columns = {column for each in REQUIRED_FIELDS.values() for column in each}
    files = {f"{key}.csv" for key in TYPES}
    assert {*map(str, Name), *columns, *files, "1250", "exports", "boto3"} - words == set()
    assert "|" not in result.stdout, "a list without blanks is broken anywhere"
    assert max(map(len, result.stdout.splitlines())) <= int(width)


def test_without_the_development_requirements_it_says_what_to_install(asked, monkeypatch):
    monkeypatch.setattr(
        cli, "find_spec", lambda name: None if name in ("hypercorn", "moto") else util
    )
    result = run()
    assert (result.exit_code, result.stdout, asked) == (2, "", [])
    assert result.stderr == (
        "this command needs the development requirements, and there is no hypercorn, moto: "
        "pip install --require-hashes -r requirements.txt -r requirements-dev.txt\n"
    )


@pytest.fixture
def handlers():
    """Puts the signals' handlers back."""
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_as_a_module_it_is_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["retrain", "--help"])
    monkeypatch.delitem(sys.modules, "retrain.__main__")
    with pytest.raises(SystemExit) as left:
        runpy.run_module("retrain", run_name="__main__")
    assert left.value.code == 0
    assert "python -m retrain" in capsys.readouterr().out


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_once_so_that_cleaning_up_is_not_disturbed(monkeypatch, number, code):
    monkeypatch.setattr(cli, "app", lambda **_: signal.raise_signal(number))
    with pytest.raises(SystemExit) as left:
        retrain.__main__.main()
    assert left.value.code == code
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


class Emulator:
    """Plays the emulator's process; dies after so many looks."""

    account, region, endpoint = "123456789012", "eu-west-1", "http://127.0.0.1:1"
    exports = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region}  # noqa: RUF012
    connection = {  # noqa: RUF012
        "endpoint_url": endpoint,
        "region_name": region,
        "aws_access_key_id": account,
        "aws_secret_access_key": "test",
    }

    def __init__(self, looks=10_000):
        self.looks = looks
        self.fired = []
        self.exports_put = []
        self.refusal = None

    def alive(self):
        """Whether it still has looks left."""
        self.looks -= 1
        return self.looks >= 0

    def fire(self, schedule, group, slot):
        """Start a run, or refuse."""
        self.fired.append((schedule, group, slot))
        if self.refusal:
            raise EmulatorError(self.refusal)
        return EXECUTION


@pytest.fixture
def emulator(monkeypatch):
    """An emulator that is never started; the world in it, and the deployment, succeed."""
    fake = Emulator()

    @contextmanager
    def running(**options):
        fake.options = options
        yield fake

    monkeypatch.setattr(rehearse, "running", running)
    monkeypatch.setattr(stage, "prepare", lambda *_: None)
    monkeypatch.setattr(
        stage, "put_newer_exports", lambda *_, **more: fake.exports_put.append(more)
    )
    monkeypatch.setattr(stage, "deploy", lambda *_, **__: Deployment(OUTPUTS, []))
    monkeypatch.setattr(stage, "slot_to_fire", lambda *_: "2026-11-30T03:00:00+00:00")
    monkeypatch.setattr(stage.of, "served_now", lambda *_: {})
    monkeypatch.setattr(stage.of, "newest_versions", lambda *_: {})
    return fake


@pytest.fixture
def ran(monkeypatch):
    """A rehearsal whose run went well."""
    monkeypatch.setattr(stage.Stage, "first_run", lambda *_: summary())


def raises(error):
    def fails(*_, **__):
        raise error

    return fails


def project(folder, config, stack="dev", region=REGION):
    """A project whose program is this repository's, with a stack of its own."""
    (folder / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))
    own = {f"{PROJECT}:{key}": value for key, value in config.items()}
    document = {"config": {"aws:region": region, **own}}
    (folder / f"Pulumi.{stack}.yaml").write_text(json.dumps(document))
    return folder


def test_a_missing_stack_is_told_with_those_that_there_are(tmp_path, capsys):
    assert rehearse.rehearse("prod", project_dir=tmp_path) == 2
    project(project(tmp_path, CONFIG, "test"), CONFIG)
    assert rehearse.rehearse("prod", project_dir=tmp_path) == 2
    file = tmp_path / "Pulumi.prod.yaml"
    assert capsys.readouterr().err.splitlines() == [
        f"{file}: there is no such file; there are no stacks here",
        f"{file}: there is no such file; the stacks here are dev, test",
    ]


def test_a_config_with_problems_prints_them_as_a_deployment_does(tmp_path, capsys):
    project(tmp_path, changed({"retrainingRate": "7 dayz", "paused": "maybe"}))
    assert rehearse.rehearse("dev", project_dir=tmp_path) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "2 problems in the configuration of stack dev:"
    assert [line.split(": ")[0] for line in lines[1:]] == [
        f"  {PROJECT}:paused",
        f"  {PROJECT}:retrainingRate",
    ]


def test_a_file_that_yaml_readers_take_differently_is_refused(tmp_path, capsys):
    project(tmp_path, CONFIG)
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text(
        f"config:\n  {PROJECT}:tags: {{1: films, cost-center: '4711', team: !!binary aGk=}}\n"
        f"  {PROJECT}:datasets: {{7: {{}}, users: {{}}}}\n"
    )
    assert rehearse.rehearse("bad", project_dir=tmp_path) == 2
    assert capsys.readouterr().err == (
        f"3 problems in {file}:\n"
        f'  line 2: {PROJECT}:tags.1: the key is a number; expected text, in quotes, "1"\n'
        f"  line 2: {PROJECT}:tags.team: is binary data; "
        "expected text in quotes, a number, true or false\n"
        f'  line 3: {PROJECT}:datasets.7: the key is a number; expected text, in quotes, "7"\n'
    )


def test_a_cron_that_does_not_come_again_is_told_with_the_config(tmp_path, capsys):
    project(tmp_path, changed({"retrainingRate": "cron(0 3 ? * MON 2020)"}))
    today = datetime.now(tz=UTC).date()
    assert rehearse.rehearse("dev", project_dir=tmp_path) == 2
    assert capsys.readouterr().err == (
        "1 problem in the configuration of stack dev:\n"
        f"  {PROJECT}:retrainingRate: 'cron(0 3 ? * MON 2020)' does not come again after "
        f"{today}; write a year in the future, or * for every year\n"
    )


def test_a_partition_that_the_emulator_does_not_play_is_refused(tmp_path, capsys):
    text = json.dumps(CONFIG).replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1")
    project(tmp_path, json.loads(text), region="cn-north-1")
    assert rehearse.rehearse("dev", project_dir=tmp_path) == 2
    assert capsys.readouterr().err == (
        "the stack is in partition aws-cn, and the emulator plays partition aws alone; to "
        "rehearse it, copy its file and put the ARNs and the region of aws there\n"
    )


def test_data_that_cannot_be_used_are_refused_before_anything_is_started(tmp_path, capsys):
    assert rehearse.rehearse("dev", data_dir=tmp_path) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/{key}.csv: there is no such file; it is to hold the {key}"
        for key in ("interactions", "items", "users")
    ]


@pytest.mark.usefixtures("ran")
def test_a_run_that_succeeds_is_told_and_exits_with_0(emulator, capsys):
    assert rehearse.rehearse("dev") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "account 123456789012, eu-west-1: http://127.0.0.1:1"
    assert said[-1] == "Every campaign serves its new version."
    assert (emulator.options["account"], emulator.options["region"]) == (
        "123456789012",
        "eu-west-1",
    )


def test_a_run_that_does_not_succeed_is_told_and_exits_with_1(emulator, monkeypatch, capsys):
    del emulator
    monkeypatch.setattr(stage.Stage, "first_run", lambda *_: summary(trained=False))
    assert rehearse.rehearse("dev") == 1
    assert "What the functions did" in capsys.readouterr().out


@pytest.mark.usefixtures("emulator", "ran")
def test_with_json_there_is_one_document_and_nothing_else(capsys):
    assert rehearse.rehearse("dev", as_json=True) == 0
    said, errors = capsys.readouterr()
    document = json.loads(said)
    assert (document["stack"], document["succeeded"], errors) == ("dev", True, "")
    assert document["user"]["lastMet"] != []


@pytest.mark.parametrize(
    ("part", "error", "ends"),
    [
        (
            "prepare",
            ClientError({"Error": {"Code": "Limit", "Message": "5"}}, "Make"),
            (
                2,
                (
                    "the emulator cannot play this stack: An error occurred (Limit) when calling "
                    "the Make operation: 5\n"
                ),
            ),
        ),
        ("running", EmulatorError("no free port"), (2, "no free port\n")),
        (
            "follow",
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            (1, 'Could not connect to the endpoint URL: "http://127.0.0.1:1"\n'),
        ),
    ],
)
@pytest.mark.usefixtures("emulator")
def test_what_goes_wrong_is_a_message_and_no_traceback(monkeypatch, capsys, part, error, ends):
    monkeypatch.setattr(stage if hasattr(stage, part) else rehearse, part, raises(error))
    code = rehearse.rehearse("dev")
    assert (code, capsys.readouterr().err) == ends


def test_a_schedule_that_starts_no_run_is_a_failure(emulator, capsys):
    emulator.refusal = "AccessDeniedException: the role may not"
    assert rehearse.rehearse("dev") == 1
    assert emulator.fired == [("nightly", "retraining-dev", "2026-11-30T03:00:00+00:00")]
    assert capsys.readouterr().err == (
        "the schedule starts no run: AccessDeniedException: the role may not\n"
    )


@pytest.mark.usefixtures("handlers", "ran")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_kept_it_prints_the_exports_and_stays_until_a_signal(emulator, monkeypatch, capsys, number):
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0)
    before = signal.getsignal(number)
    monkeypatch.setattr(emulator, "alive", lambda: signal.raise_signal(number) or True)
    assert rehearse.rehearse("dev", keep=True) == 0
    assert capsys.readouterr().out.endswith(
        "The emulator stays up until Ctrl-C. In the shells that use it, with the AWS CLI or "
        "boto3:\n\nexport AWS_ENDPOINT_URL=http://127.0.0.1:1\nexport AWS_REGION=eu-west-1\n"
        f"export MACHINE={OUTPUTS['state_machine_arn']}\nexport GROUP=retraining-dev\n\n"
        "For a run by hand a newer export lies in S3.\n\n"
    )
    assert len(emulator.exports_put) == 1
    assert signal.getsignal(number) == before


@pytest.mark.usefixtures("handlers", "ran")
def test_kept_it_says_which_day_a_run_by_hand_looks_for(emulator, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0)
    emulator.looks = 0
    folder = project(
        tmp_path, changed({"datasets.items.dataLocation": "s3://bucket/{date}/items.csv"})
    )
    assert rehearse.rehearse("dev", keep=True, project_dir=folder) == 1
    today = stage.datetime.now(stage.UTC).date().isoformat()
    assert capsys.readouterr().out.splitlines()[-2] == (
        f"For a run by hand a newer export lies in S3, where {{date}} is today, {today}."
    )
    assert [each["day"] for each in emulator.exports_put] == [today]


@pytest.mark.usefixtures("handlers", "ran")
def test_kept_with_json_the_exports_are_no_part_of_the_document(emulator, monkeypatch, capsys):
    monkeypatch.setattr(keeping, "TICK_SECONDS", 0)
    emulator.looks = 2
    assert rehearse.rehearse("dev", keep=True, as_json=True) == 1
    said, errors = capsys.readouterr()
    assert json.loads(said)["succeeded"]
    assert "export AWS_REGION=eu-west-1" in errors
    assert errors.endswith("the emulator has died\n")


@pytest.mark.usefixtures("emulator", "ran")
def test_what_a_program_warns_of_is_told_once_however_often_it_is_deployed(monkeypatch, capsys):
    logger = logging.getLogger(program.__name__)
    handler = logging.StreamHandler()
    logger.addHandler(handler)

    def deploy(*_, **__):
        logger.warning("%s", "will not run on 2027-03-28")
        logger.warning("%s", "deprecated")
        return Deployment(OUTPUTS, [])

    monkeypatch.setattr(stage, "deploy", deploy)
    monkeypatch.setattr(rehearse, "play", lambda *_: Seen([], []))
    monkeypatch.setattr(rehearse.prevented, "tell", lambda *_: None)
    monkeypatch.setattr(rehearse.prevented, "told", lambda *_: SimpleNamespace(as_designed=True))
    try:
        for _ in range(2):
            assert rehearse.rehearse("dev", scenarios=["happy-path", "auto-training"]) == 0
            told = capsys.readouterr().err.splitlines()
            assert told == ["will not run on 2027-03-28", "deprecated"]
    finally:
        logger.removeHandler(handler)


@pytest.mark.usefixtures("emulator")
def test_the_callers_own_aws_settings_and_proxies_stay_out(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "mine")
    seen = {}

    def look(*_):
        seen.update(os.environ)
        return summary()

    monkeypatch.setattr(stage.Stage, "first_run", look)
    assert rehearse.rehearse("dev") == 0
    assert "mine" not in seen.values()
    assert os.environ["AWS_PROFILE"] == "mine"
    assert "AWS_CONFIG_FILE" not in os.environ
