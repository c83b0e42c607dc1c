"""Proves that the options reach the commands, and that signals end the command line."""

import errno
import io
import os
import platform
import re
import runpy
import signal
import subprocess
import sys
import tomllib
import warnings
from importlib import util

import pytest

import retrain.__main__
from emulator.personalize.tables import REQUIRED_FIELDS
from retrain import cli
from retrain.account.output import print_json, print_result
from retrain.rehearsal import emulate, local_commands, rehearse
from retrain.rehearsal.data.data_sets import TYPES
from retrain.rehearsal.scenarios import Name
from tests.program.sample_stack import ROOT


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


def test_rehearse_has_defaults_and_returns_the_exit_code(calls):
    assert cli.main(["rehearse"]) == 7
    options = {"scenarios": ["happy-path"], "keep": False, "as_json": False, "data_dir": None}
    assert calls == [("dev", options)]


def test_every_option_of_rehearse_reaches_the_command(calls, tmp_path):
    scenarios = ["--scenario", "worse-model", "--scenario", "all"]
    options = ["--stack", "prod", "--keep", "--json", "--data", str(tmp_path)]
    cli.main(["rehearse", *options, *scenarios])
    options = {"keep": True, "as_json": True, "data_dir": tmp_path}
    assert calls == [("prod", {"scenarios": ["worse-model", "all"], **options})]


def test_every_option_of_emulate_reaches_the_command(calls, tmp_path):
    options = ["--stack", "prod", "--port", "0", "--data", str(tmp_path)]
    exit_codes = [cli.main(["emulate"]), cli.main(["emulate", *options])]
    assert exit_codes == [7, 7]
    assert calls == [
        ("dev", {"port": 4566, "data_dir": None}),
        ("prod", {"port": 0, "data_dir": tmp_path}),
    ]


def test_the_version_is_that_of_the_package(capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"retrain {project['version']}\n"


NO_SCENARIO = "Invalid value for '--scenario':"
SCENARIO_NAMES = f"name one of {', '.join(map(str, Name))}"
REHEARSE_HELP = "; `retrain rehearse --help` shows what is possible"
NO_PORT = "is not a port; write a number from 1 to 65535, or 0 for a free port"
NO_FOLDER = "is not a folder that can be read; name the folder that contains interactions.csv"
MISTAKES = [
    (["foo"], "No such command 'foo'; `retrain --help` shows what is possible"),
    (["--quiet"], "No such option: --quiet; `retrain --help` shows what is possible"),
    (
        ["adopt", "--stack", "prod"],
        (
            "Missing option '--dataset-group-arn'. The dataset group. `aws personalize "
            "list-dataset-groups` lists all groups."
        ),
    ),
    (
        ["rehearse", "extra"],
        f"Got unexpected extra argument(s) (extra){REHEARSE_HELP}",
    ),
    (
        ["emulate", "--port"],
        "Option '--port' requires an argument; `retrain emulate --help` shows what is possible",
    ),
    (
        ["rehearse", "--scenario", "worse-modle"],
        f"{NO_SCENARIO} 'worse-modle' is unknown; did you mean 'worse-model'? {SCENARIO_NAMES}",
    ),
    (
        ["rehearse", "--scenario", ""],
        f"{NO_SCENARIO} '' is unknown; {SCENARIO_NAMES}",
    ),
    *(
        (["emulate", "--port", text], f"Invalid value for '--port': {text!r} {NO_PORT}")
        for text in ("70000", "-1", "http", "80.5", "", "²")
    ),
    *(
        (["rehearse", "--data", text], f"Invalid value for '--data': {text!r} {NO_FOLDER}")
        for text in ("nowhere", "/dev/null", "", "a" * 300, "\0")
    ),
    *(
        (
            ["history", "--endpoint-url", text],
            (
                f"Invalid value for '--endpoint-url': {text!r} is not the address of an endpoint; "
                "write for example http://127.0.0.1:4566"
            ),
        )
        for text in ("", "localhost:4566", "ftp://localhost", "http://", "http://a b")
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_in_the_command_line_is_one_line(calls, capsys, arguments, message):
    assert cli.main(arguments) == 2
    assert (calls, capsys.readouterr()) == ([], ("", f"{message}\n"))


def test_the_exit_code_of_a_command_is_returned(calls):
    assert (cli.main(["rehearse"]), len(calls)) == (7, 1)


def test_without_a_command_the_help_is_printed(capsys):
    assert cli.main([]) == 2, "nothing was done"
    assert "rehearse" in capsys.readouterr().out


def test_output_that_cannot_be_written_is_one_line(monkeypatch, capsys):
    def write_to_full_disk(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cli, "program", write_to_full_disk)
    assert cli.main(["--help"]) == 1
    assert capsys.readouterr().err == (
        "[Errno 28] No space left on device; check where the output goes\n"
    )


@pytest.fixture
def closed_output():
    """Return the stream of an output that nobody reads any more, as that of `retrain | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        yield stream


@pytest.mark.parametrize("write", [print_result, print_json])
def test_an_output_that_nobody_reads_any_more_is_no_error(capfd, closed_output, monkeypatch, write):
    monkeypatch.setattr(sys, "stdout", closed_output)
    monkeypatch.setattr(cli, "program", lambda _: lambda *_, **__: write("movies"))
    assert cli.main(["history"]) == 141, "as if the signal SIGPIPE had ended the command"
    closed_output.write("more")
    closed_output.flush()
    assert capfd.readouterr().err == "", "head tells nobody that it has read enough"


def test_help_that_nobody_reads_any_more_is_no_error(closed_output):
    completed = subprocess.run(
        [sys.executable, "-m", "retrain", "--help"],
        cwd=ROOT,
        stdout=closed_output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stderr) == (141, "")


@pytest.mark.parametrize("width", ["80", "100"])
def test_the_help_of_rehearse_names_every_scenario_and_required_column(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", width)
    cli.main(["rehearse", "--help"])
    output = capsys.readouterr().out
    words = set(re.findall(r"[\w.-]+", output.replace(". ", " ").replace(", ", " ")))
    columns = {column for required in REQUIRED_FIELDS.values() for column in required}
    files = {f"{key}.csv" for key in TYPES}
    assert {*map(str, Name), *columns, *files, "1250"} - words == set(), "none is split by a line"
    assert max(map(len, output.splitlines())) <= int(width)


@pytest.mark.parametrize("command", ["rehearse", "emulate"])
def test_without_the_development_requirements_a_command_says_how_to_install_them(
    calls, monkeypatch, capsys, command
):
    missing = ("hypercorn", "ministack")
    monkeypatch.setattr(local_commands, "find_spec", lambda name: None if name in missing else util)
    assert (cli.main([command]), calls) == (2, [])
    assert capsys.readouterr().err == (
        "this command needs hypercorn, ministack; install them with pip install "
        "--require-hashes -r requirements.txt -r requirements-dev.txt\n"
    )


@pytest.mark.usefixtures("restored_signals")
def test_the_module_runs_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["retrain", "--help"])
    monkeypatch.delitem(sys.modules, "retrain.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("retrain", run_name="__main__")
    assert caught.value.code == 0
    assert "Usage: retrain" in capsys.readouterr().out


def test_a_python_without_the_requirements_gets_one_line_that_names_make():
    completed = subprocess.run(
        [sys.executable, "-S", "-m", "retrain", "rehearse"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stdout) == (2, "")
    assert completed.stderr == (
        f"{sys.executable} (Python {platform.python_version()}) cannot run retrain: No module "
        "named 'typer'; run `make demo` once, which installs everything into .venv, and then use "
        ".venv/bin/retrain\n"
    )


@pytest.mark.usefixtures("restored_signals")
def test_an_import_that_fails_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "retrain.cli", None)
    monkeypatch.delattr("retrain.cli")
    with pytest.raises(SystemExit) as caught:
        retrain.__main__.main()
    assert caught.value.code == 2
    assert "run `make demo` once" in capsys.readouterr().err


@pytest.mark.usefixtures("restored_signals")
def test_a_terminal_that_is_not_utf8_shows_signs_in_ascii(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    monkeypatch.setattr(sys, "stderr", None)  # Python's value for a stream that is closed
    monkeypatch.setattr(cli, "main", lambda _: print("✓ ✗ a→b 1… ü", flush=True))
    with pytest.raises(SystemExit):
        retrain.__main__.main()
    assert written.getvalue() == b"ok x a->b 1~ ?\n"


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_line_and_further_signals_are_ignored(
    monkeypatch, capsys, number, code
):
    monkeypatch.setattr(cli, "program", lambda _: signal.raise_signal(number))
    monkeypatch.setattr(sys, "argv", ["retrain", "start"])
    with pytest.raises(SystemExit) as caught:
        retrain.__main__.main()
    assert caught.value.code == code
    assert capsys.readouterr().err == "interrupted; AWS goes on with what it was asked for\n"
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    warnings.warn("a coroutine was never awaited", RuntimeWarning, stacklevel=1)  # it is ignored
