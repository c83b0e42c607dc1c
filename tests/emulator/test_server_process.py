"""Proves where the emulator's processes listen, how they start, and that all of them end."""

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from small_stack import create_function, eventually, invoke, is_running

import emulator
from emulator.personalize import Duration, FixedTimings
from emulator.process import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")
COMMAND = [sys.executable, "-m", "emulator"]
SLEEPING_CODE = "import time\ndef handler(event, context):\n    time.sleep(300)\n"


def all_end(pids):
    """Wait until all processes have ended. Fail if one does not end."""
    return not eventually(
        lambda: [pid for pid in pids if is_running(pid)], lambda running: not running
    )


def children(pid):
    """Return the processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


@pytest.fixture
def command():
    """Start `python -m emulator`, and return its process, its client and its function."""
    options = ["--port", "0", "--region", "eu-central-1"]
    with subprocess.Popen(  # noqa: S603 - a command of this repository
        [*COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        output = ""
        while "Ctrl-C" not in output:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            output += line
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", output, re.MULTILINE))
        session = boto3.Session(
            exports["AWS_ACCESS_KEY_ID"],
            exports["AWS_SECRET_ACCESS_KEY"],
            None,
            exports["AWS_REGION"],
        )
        endpoint = exports["AWS_ENDPOINT_URL"]
        aws = SimpleNamespace(client=lambda name: session.client(name, endpoint_url=endpoint))
        (server,) = children(process.pid)
        pids = [server, invoke(aws, create_function(aws, "left"), {})["pid"]]
        folder = Path(re.search(r"log: (\S+)\)", output)[1]).parent
        yield SimpleNamespace(process=process, exports=exports, aws=aws, pids=pids, folder=folder)
        process.kill()


def end_of(command):
    """Wait until a command ends. Return its exit code and its standard error."""
    _, errors = command.process.communicate(timeout=20)
    return command.process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_the_command(command, number):
    assert all(is_running(pid) for pid in command.pids)
    command.process.send_signal(number)
    expected = -signal.SIGKILL if number == signal.SIGKILL else 0
    assert end_of(command) == (expected, ""), "a signal ends the command without an error"
    assert all_end(command.pids)
    assert not eventually(command.folder.exists, lambda exists: not exists), "it is removed"


def test_a_shell_needs_only_the_exports_until_the_server_dies(command):
    names = ("ACCESS_KEY_ID", "DEFAULT_REGION", "ENDPOINT_URL", "REGION", "SECRET_ACCESS_KEY")
    assert sorted(command.exports) == [f"AWS_{name}" for name in names]
    root = "arn:aws:iam::123456789012:root"
    assert command.aws.client("sts").get_caller_identity()["Arn"] == root

    topic = command.aws.client("sns").create_topic(Name="a")["TopicArn"]
    assert topic == "arn:aws:sns:eu-central-1:123456789012:a"
    os.kill(command.pids[0], signal.SIGKILL)
    code, errors = end_of(command)
    assert (code, errors.splitlines()[0]) == (1, "error: the emulator died")
    assert all_end(command.pids)


def test_a_running_function_does_not_delay_the_end_and_sees_no_settings_of_the_caller(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "PYTHONPATH", "AUTH"):
        monkeypatch.setenv(name, "nonsense")
    with emulator.running() as running:
        code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        environment = invoke(running, create_function(running, "shows", code=code), {})
        sleeper = create_function(running, "sleeper", code=SLEEPING_CODE)
        running.client("lambda").invoke(FunctionName=sleeper, InvocationType="Event", Payload="{}")
        workers = eventually(lambda: children(running.process.pid), bool)

    assert all_end([running.process.pid, *workers])
    assert environment["AWS_ENDPOINT_URL"] == running.endpoint
    assert "nonsense" not in environment.values()


def run(*arguments):
    """Run `python -m emulator` to its end. Return its exit code, its output and its error."""
    ended = subprocess.run(  # noqa: S603 - a command of this repository
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_a_port_in_use_is_an_error_of_one_line_and_help_lists_the_options(aws):
    port = aws.endpoint.rpartition(":")[2]
    code, output, error = run("--port", port)
    assert (code, output, error.count("\n")) == (1, "", 1)

    message = f"error: the emulator cannot serve on 127.0.0.1:{port}: Address already in use"
    assert error.startswith(message)
    assert error.endswith("; name another port with --port, or 0 for a free one\n")

    code, output, _ = run("--help")
    assert (code, "--port" in output, "--region" in output) == (0, True, True)


def test_a_server_that_cannot_start_reports_the_end_of_its_log():
    @dataclass(frozen=True)
    class UnknownTimings(FixedTimings):
        unknown: Duration = FixedTimings.jobs

    with (
        pytest.raises(emulator.EmulatorError) as error,
        emulator.running(timings=UnknownTimings()),
    ):
        pass
    message = str(error.value)
    assert message.startswith("the emulator did not start; its log ends\n")
    assert "unexpected keyword argument 'unknown'" in message


def test_it_listens_on_loopback_only(aws):
    port = int(aws.endpoint.rpartition(":")[2])
    sockets = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{aws.process.pid}/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"  # listening
    ]
    loopback = socket.inet_aton("127.0.0.1")[::-1].hex().upper()
    addresses = [address for address in sockets if address.endswith(f":{port:04X}")]

    assert addresses == [f"{loopback}:{port:04X}"]
