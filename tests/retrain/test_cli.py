"""Proves that the options reach the commands, and that signals end the command line."""

import re
import runpy
import signal
import sys
from importlib import util

import pytest
from typer.testing import CliRunner

import retrain.__main__
from emulator.personalize.tables import REQUIRED_FIELDS
from retrain import cli
from retrain.rehearsal import emulate, rehearse
from retrain.rehearsal.data.data_sets import TYPES
from retrain.rehearsal.scenarios import Name


@pytest.fixture
def calls(monkeypatch):
    """Replace the commands by functions that record their arguments and return 7."""
    recorded = []

    def command(*args, **options):
        recorded.append((*args, options))
        return 7

    monkeypatch.setattr(rehearse, "rehearse", command)
    monkeypatch.setattr(emulate, "emulate", command)
    return recorded


def invoke(*arguments):
    return CliRunner().invoke(cli.app, arguments)


def test_rehearse_has_defaults_and_returns_the_exit_code(calls):
    assert invoke("rehearse").exit_code == 7
    options = {"scenarios": ["happy-path"], "keep": False, "as_json": False, "data_dir": None}
    assert calls == [("dev", options)]


def test_every_option_of_rehearse_reaches_the_command(calls, tmp_path):
    scenarios = ["--scenario", "worse-model", "--scenario", "all"]
    invoke("rehearse", "--stack", "prod", "--keep", "--json", "--data", str(tmp_path), *scenarios)
    options = {"keep": True, "as_json": True, "data_dir": tmp_path}
    assert calls == [("prod", {"scenarios": ["worse-model", "all"], **options})]


def test_every_option_of_emulate_reaches_the_command(calls, tmp_path):
    options = ["--stack", "prod", "--port", "0", "--data", str(tmp_path)]
    exit_codes = [invoke("emulate").exit_code, invoke("emulate", *options).exit_code]
    assert exit_codes == [7, 7]
    assert calls == [
        ("dev", {"port": 4566, "data_dir": None}),
        ("prod", {"port": 0, "data_dir": tmp_path}),
    ]


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [("--data", "nowhere", "nowhere"), ("--scenario", "worse-modle", "truncated-export")],
)
def test_a_wrong_option_is_refused(calls, option, value, named):
    result = invoke("rehearse", option, value)
    assert (result.exit_code, calls) == (2, [])
    assert named in result.stderr


@pytest.mark.parametrize("width", ["80", "100"])
def test_the_help_of_rehearse_names_every_scenario_and_required_column(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    output = invoke("rehearse", "--help").stdout
    words = set(re.findall(r"[\w.-]+", output.replace(". ", " ").replace(", ", " ")))
    columns = {column for required in REQUIRED_FIELDS.values() for column in required}
    files = {f"{key}.csv" for key in TYPES}
    assert {*map(str, Name), *columns, *files, "1250"} - words == set(), "none is split by a line"
    assert max(map(len, output.splitlines())) <= int(width)


@pytest.mark.parametrize("command", ["rehearse", "emulate"])
def test_without_the_development_requirements_a_command_says_how_to_install_them(
    calls, monkeypatch, command
):
    missing = ("hypercorn", "moto")
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in missing else util)
    result = invoke(command)
    assert (result.exit_code, result.stdout, calls) == (2, "", [])
    assert result.stderr == (
        "this command needs hypercorn, moto, which the development requirements install: "
        "pip install --require-hashes -r requirements.txt -r requirements-dev.txt\n"
    )


@pytest.mark.usefixtures("restored_signals")
def test_the_module_runs_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["retrain", "--help"])
    monkeypatch.delitem(sys.modules, "retrain.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("retrain", run_name="__main__")
    assert caught.value.code == 0
    assert "python -m retrain" in capsys.readouterr().out


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_line_and_further_signals_are_ignored(monkeypatch, number, code):
    monkeypatch.setattr(cli, "app", lambda **_: signal.raise_signal(number))
    with pytest.raises(SystemExit) as caught:
        retrain.__main__.main()
    assert caught.value.code == code
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
