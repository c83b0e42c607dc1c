"""Proves that options reach the commands, that mistakes are one line, and that signals end both."""

import errno
import importlib
import inspect
import io
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
import warnings
from unittest.mock import Mock

import pytest

import retrain.__main__
from retrain import cli, options
from retrain.account import libraries
from retrain.account.access import Access
from retrain.account.output import print_json, print_result
from retrain.account.target import PipelineOptions, Target
from tests.program.sample_stack import ROOT

OWN = {"own": "x", "yes": True, "as_json": True}
ACCOUNT = Access("eu-west-1", "ops", "http://127.0.0.1:4566")
ALL = (
    "doctor --own x --yes --json --region eu-west-1 --profile ops --endpoint-url "
    "http://127.0.0.1:4566"
)
MISTAKES = (
    *("foo", "--quiet", "adopt --stack prod", "rehearse extra", "emulate --port"),
    *("emulate --port 70000", "emulate --port http", "rehearse --scenario worse-modle"),
    *("rehearse --data nowhere", "history --endpoint-url localhost:4566"),
    *("history --endpoint-url ftp://localhost", "history --limit 0"),
)


@pytest.mark.parametrize(
    "kind, line, found",
    [
        (Access, ALL, ACCOUNT),
        (PipelineOptions, "doctor", PipelineOptions("dev", None, Access())),
        (PipelineOptions, f"{ALL} -s prod", PipelineOptions("prod", None, ACCOUNT)),
        (Target, f"{ALL} --state-machine-arn arn", "target of ('dev', 'arn')"),
    ],
)
def test_a_command_gets_what_its_options_lead_to(monkeypatch, kind, line, found):
    calls = []

    def doctor(
        first: kind,
        *,
        own: str = "none",
        yes: options.YesOption = False,
        as_json: options.JsonOption = False,
    ) -> int:
        calls.append((first, {"own": own, "yes": yes, "as_json": as_json}))
        return 7

    monkeypatch.setattr(options, "find_target", lambda *names: f"target of {names[:2]}")
    cli.build_program()  # imports the real command
    monkeypatch.setitem(options.commands, "doctor", None)  # restored at the end
    assert options.command(doctor) is doctor
    assert cli.main(line.split()) == 7
    defaults = {"own": "none", "yes": False, "as_json": False}
    assert calls == [(found, OWN if line.startswith(ALL) else defaults)]


def run_python(*arguments, cwd=ROOT, **settings):
    """Run Python, by default in the checkout."""
    command = [sys.executable, *arguments]
    pipe = subprocess.PIPE
    return subprocess.run(command, cwd=cwd, stderr=pipe, text=True, check=False, **settings)  # noqa: S603  # this Python


def test_only_the_module_of_the_command_is_imported():
    program = (
        "import sys; from retrain import cli; cli.main(['watch', '-h']); print([*sys.modules])"
    )
    shown = run_python("-c", program, stdout=subprocess.PIPE).stdout
    assert "'retrain.look.watch'" in shown
    assert not re.search("'(pulumi_aws|retrain.check.doctor|emulator.server)'", shown)


def test_a_mistake_is_one_line_as_in_the_golden_file(capsys, golden):
    lines = [f"{line}\n  {cli.main(line.split())}: {capsys.readouterr().err}" for line in MISTAKES]
    golden("mistakes.txt", "".join(lines))


def test_the_version_is_that_of_the_package(capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"retrain {project['version']}\n"


@pytest.mark.parametrize(
    "line, position, completed",
    [
        ("retrain st", 1, ["status", "start", "stop"]),
        ("retrain watch --st", 2, ["--stack", "--state-machine-arn"]),
        ("retrain watch -s d", 3, ["dev"]),
    ],
)
def test_a_shell_completes_commands_options_and_stacks(
    monkeypatch, capsys, line, position, completed
):
    typed = {"COMP_WORDS": line, "COMP_CWORD": str(position)}
    for name, value in {**typed, "_RETRAIN_COMPLETE": "complete_bash"}.items():
        monkeypatch.setenv(name, value)

    loaded = []
    load = importlib.import_module
    monkeypatch.setattr(cli, "import_module", lambda name: loaded.append(name) or load(name))
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert (ended.value.code, *capsys.readouterr()) == (0, "\n".join([*completed, ""]), "")
    assert loaded == ["retrain.look.watch"] * ("watch" in line), "all modules would take seconds"


def test_without_a_command_the_help_is_printed(capsys):
    assert cli.main([]) == 2, "nothing was done"
    assert set(re.findall(r"│ ([a-z][a-z-]+) ", capsys.readouterr().out)) == cli.MODULES.keys()


@pytest.mark.parametrize("name", cli.MODULES)
def test_the_help_of_a_command_has_an_example_that_it_accepts_and_its_exit_codes(capsys, name):
    assert cli.main([name, "-h"]) == cli.main([name, "--help"]) == 0
    example, text = re.search(
        r"For example: retrain (.*?)\n(.*)", capsys.readouterr().out, re.DOTALL
    ).groups()
    assert example.split()[0] == name

    cli.typer.main.get_command(cli.build_program([name])).commands[name].make_context(
        name, example.split()[1:], resilient_parsing=True
    )
    assert re.findall(r"Exit code (\d+): ", text)[:2] in (["0", "1"], ["0", "2"])


@pytest.mark.parametrize("name", cli.ACCOUNT_COMMANDS)
def test_exactly_the_commands_that_ask_a_question_have_yes(name):
    cli.build_program([name])
    function = inspect.unwrap(options.commands[name])
    asks = "confirm(" in inspect.getsource(function)
    assert ("yes" in inspect.signature(function).parameters) == asks


IN_THE_CHECKOUT = f"make -C {shlex.quote(str(ROOT))} install"


@pytest.mark.parametrize(
    "is_installed, command",
    [
        (True, "'/our venv/bin/python' -m pip install 'personalize-retraining[emulator]'"),
        (False, IN_THE_CHECKOUT),
    ],
)
def test_without_the_emulators_libraries_a_command_says_how_to_install_them(
    monkeypatch, capsys, is_installed, command
):
    monkeypatch.setattr(retrain, "IS_INSTALLED", is_installed)
    monkeypatch.setattr(sys, "executable", "/our venv/bin/python")
    monkeypatch.setattr(
        libraries, "find_spec", {"awslambdaric": 1, "implicit": 1, "ministack": 1}.get
    )
    assert [cli.main(["rehearse"]), cli.main(["emulate"])] == [2, 2]

    message = f"this command needs hypercorn; run `{command}`\n"
    assert capsys.readouterr().err == message * 2


def test_output_that_cannot_be_written_is_one_line(monkeypatch, capsys):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(cli, "build_program", Mock(side_effect=full))
    assert cli.main(["--help"]) == 1
    message = "[Errno 28] No space left on device; check where the output goes\n"
    assert capsys.readouterr().err == message


@pytest.fixture
def closed_output():
    """Return the stream of an output that nobody reads any more, as that of `retrain | head`."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        yield stream


@pytest.mark.parametrize("text", ["movies", "movies" * 10_000])
@pytest.mark.parametrize("write", [print_result, print_json])
def test_an_output_that_nobody_reads_any_more_is_no_error(
    capfd, closed_output, monkeypatch, write, text
):
    monkeypatch.setattr(sys, "stdout", closed_output)
    monkeypatch.setattr(cli, "build_program", lambda _: lambda *_, **__: write(text))
    assert cli.main(["history"]) == 141, "as if the signal SIGPIPE had ended the command"

    if text == "movies":  # it was still in Python's buffer
        closed_output.write("more")
        closed_output.flush()
    assert capfd.readouterr().err == "", "head tells nobody that it has read enough"


def test_help_that_nobody_reads_any_more_is_no_error(closed_output):
    completed = run_python("-m", "retrain", "--help", stdout=closed_output)
    assert (completed.returncode, completed.stderr) == (141, "")


@pytest.mark.parametrize(
    "is_installed, way_out",
    [
        (False, f"run `{IN_THE_CHECKOUT}`, and then use .venv/bin/retrain"),
        (
            True,
            f"run `{shlex.quote(sys.executable)} -m pip install 'personalize-retraining[cli]'`",
        ),
    ],
)
def test_a_python_without_the_requirements_gets_one_line(tmp_path, is_installed, way_out):
    shutil.copytree(ROOT / "retrain", tmp_path / "retrain")
    folder = tmp_path if is_installed else ROOT
    completed = run_python("-S", "-m", "retrain", "watch", cwd=folder)
    python = f"{sys.executable} (Python {platform.python_version()})"

    assert (completed.returncode, completed.stderr) == (
        2,
        f"{python} cannot run retrain: No module named 'typer'; {way_out}\n",
    )


@pytest.mark.usefixtures("restored_signals")
def test_a_terminal_that_is_not_utf8_shows_signs_as_codes(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    monkeypatch.setattr(sys, "stderr", None)  # Python's value for a stream that is closed
    monkeypatch.setattr(cli, "main", lambda _: print("✓ ✗ a→b 1… ü", flush=True))
    with pytest.raises(SystemExit):
        retrain.__main__.main()

    assert written.getvalue() == b"\\u2713 \\u2717 a\\u2192b 1\\u2026 \\xfc\n"


@pytest.mark.usefixtures("restored_signals")
@pytest.mark.parametrize(
    "number, command, rest",
    [
        (signal.SIGINT, "start", "; AWS goes on with what it was asked for"),
        (signal.SIGTERM, "rehearse", ""),
    ],
)
def test_a_signal_ends_the_command_line_and_further_signals_are_ignored(
    monkeypatch, capsys, number, command, rest
):
    monkeypatch.setattr(cli, "build_program", lambda _: signal.raise_signal(number))
    monkeypatch.setattr(sys, "argv", ["retrain", command])
    with pytest.raises(SystemExit) as caught:
        retrain.__main__.main()

    assert caught.value.code == 128 + number
    assert capsys.readouterr().err == f"interrupted{rest}\n"
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    warnings.warn("a coroutine was never awaited", RuntimeWarning, stacklevel=1)  # it is ignored
