"""Proves where the emulator's processes listen, how they start, and that all of them end."""

import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from small_stack import create_function, eventually, invoke

import emulator
from emulator.personalize import Duration, FixedTimings
from emulator.process import ROOT

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")


def is_running(pid):
    """Return True if the process is running. A zombie has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_end(pids):
    """Wait until all processes have ended. Fail if one does not end."""
    return not eventually(
        lambda: [pid for pid in pids if is_running(pid)], lambda running: not running
    )


def start(*arguments):
    """Start `python -m emulator`, and return the process and its output after the start."""
    process = subprocess.Popen(  # noqa: S603 - a command of this repository
        [sys.executable, "-m", "emulator", "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output = ""
    while "Ctrl-C" not in output:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        output += line
    return process, output


def wait_for_end(process):
    """Wait until a command ends, and return its standard error."""
    _, errors = process.communicate(timeout=20)
    return errors


class Command:
    """The emulator of a command, used with the exports that the command printed."""

    def __init__(self, output):
        self.exports = dict(re.findall(r"^export (\w+)=(\S+)$", output, re.MULTILINE))
        self.log = Path(re.search(r"log: (\S+)\)", output)[1])

    def client(self, service):
        """Return a client that needs only the exports."""
        return boto3.client(
            service,
            endpoint_url=self.exports["AWS_ENDPOINT_URL"],
            region_name=self.exports["AWS_REGION"],
            aws_access_key_id=self.exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.exports["AWS_SECRET_ACCESS_KEY"],
        )


def server_pid(command):
    """Return the pid of the server that the command runs."""
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    assert len(children) == 1, "the command runs only the server"
    return int(children[0])


@pytest.fixture
def command():
    process, output = start("--account", "210987654321", "--region", "eu-central-1")
    yield process, Command(output)
    if process.poll() is None:
        process.kill()
    wait_for_end(process)


def test_a_shell_needs_only_the_exports(command):
    _, aws = command
    assert sorted(aws.exports) == [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
    ]
    assert aws.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::210987654321:root"
    topic = aws.client("sns").create_topic(Name="a")["TopicArn"]
    assert topic == "arn:aws:sns:eu-central-1:210987654321:a"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_a_signal_the_command_succeeds_and_all_processes_end(command, number):
    process, aws = command
    pids = [server_pid(process), invoke(aws, create_function(aws, "left"), {})["pid"]]
    assert all(is_running(pid) for pid in pids)
    process.send_signal(number)
    assert (wait_for_end(process), process.returncode) == ("", 0)
    assert all_end(pids)
    assert not aws.log.parent.exists(), "the directory is removed"


def test_all_processes_end_when_the_command_is_killed(command):
    process, aws = command
    pids = [server_pid(process), invoke(aws, create_function(aws, "left"), {})["pid"]]
    process.kill()
    assert all_end(pids)
    assert not aws.log.parent.exists()


def test_the_command_reports_that_the_server_died_and_all_processes_end(command):
    process, aws = command
    server, worker = server_pid(process), invoke(aws, create_function(aws, "left"), {})["pid"]
    os.kill(server, signal.SIGKILL)
    assert wait_for_end(process).splitlines()[0] == "error: the emulator died"
    assert process.returncode == 1
    assert all_end([server, worker])


def test_a_running_function_does_not_delay_the_end():
    with emulator.running() as running:
        sleeper = create_function(
            running,
            "sleeper",
            code="import time, os\n"
            "print('pid', os.getpid(), flush=True)\n"
            "def handler(event, context):\n    time.sleep(300)\n",
        )
        running.client("lambda").invoke(FunctionName=sleeper, InvocationType="Event", Payload="{}")
        children = Path(f"/proc/{running.process.pid}/task")
        workers = eventually(
            lambda: [
                int(pid)
                for task in children.iterdir()
                for pid in (task / "children").read_text().split()
            ],
            bool,
        )
    assert all_end([running.process.pid, *workers])


def run(*arguments):
    """Run `python -m emulator` to its end."""
    return subprocess.run(  # noqa: S603 - a command of this repository
        [sys.executable, "-m", "emulator", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_a_port_in_use_is_an_error_of_one_line(aws):
    port = aws.endpoint.rpartition(":")[2]
    command = run("--port", port)
    assert (command.returncode, command.stdout) == (1, "")
    assert command.stderr == (
        f"error: the emulator cannot serve on 127.0.0.1:{port}: Address already in use;"
        " name another port with --port, or 0 for a free one\n"
    )


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


def test_an_invalid_account_is_refused():
    command = run("--account", "mine")
    assert command.returncode == 2
    assert command.stderr.splitlines()[-1] == (
        "python -m emulator: error: argument --account: 'mine' is not a number of 12 digits"
    )


def test_help_lists_the_options():
    command = run("--help")
    assert command.returncode == 0
    assert all(option in command.stdout for option in ("--port", "--account", "--region"))


def test_it_listens_on_loopback_only(aws):
    port = int(aws.endpoint.rpartition(":")[2])
    sockets = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{aws.process.pid}/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"  # listening
    ]
    addresses = [address for address in sockets if address.endswith(f":{port:04X}")]
    loopback = socket.inet_aton("127.0.0.1")[::-1].hex().upper()
    assert addresses == [f"{loopback}:{port:04X}"]


def test_functions_do_not_see_the_aws_settings_of_the_caller(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "PYTHONPATH", "AUTH"):
        monkeypatch.setenv(name, "nonsense")
    with emulator.running() as running:
        code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        environment = invoke(running, create_function(running, "shows", code=code), {})
    assert environment["AWS_ENDPOINT_URL"] == running.endpoint
    assert "nonsense" not in environment.values()
