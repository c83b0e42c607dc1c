"""The emulator's processes: where they listen, how they start, and that none of them stays."""

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
from small_stack import eventually, function, invoke

import emulator
from emulator.personalize import Duration, FixedTimings
from emulator.process import ROOT

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="looks at processes in Linux's /proc"
)


def alive(pid):
    """Whether the process runs (one that has ended may still wait to be reaped)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids):
    return eventually(lambda: [pid for pid in pids if alive(pid)], lambda left: not left) == []


def start(*arguments):
    """`python -m emulator`, and what it printed up to its last line."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "emulator", "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed = ""
    while "Ctrl-C" not in printed:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        printed += line
    return process, printed


def stop(process):
    """What a command that was told to end said on standard error."""
    _, errors = process.communicate(timeout=20)
    return errors


class Command:
    """Speaks to the emulator of a command as the environment that it printed says."""

    def __init__(self, printed):
        self.exports = dict(re.findall(r"^export (\w+)=(\S+)$", printed, re.MULTILINE))
        self.log = Path(re.search(r"log: (\S+)\)", printed)[1])

    def client(self, service):
        """A client with nothing but the exports."""
        return boto3.client(
            service,
            endpoint_url=self.exports["AWS_ENDPOINT_URL"],
            region_name=self.exports["AWS_REGION"],
            aws_access_key_id=self.exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.exports["AWS_SECRET_ACCESS_KEY"],
        )


def server_of(command):
    """The pid of the server that the command runs."""
    children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
    assert len(children) == 1, "the command runs the server and nothing else"
    return int(children[0])


@pytest.fixture
def command():
    process, printed = start("--account", "210987654321", "--region", "eu-central-1")
    yield process, Command(printed)
    if process.poll() is None:
        process.kill()
    stop(process)


def test_the_exports_are_all_that_a_shell_needs(command):
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
def test_interrupted_it_ends_well_and_leaves_nothing(command, number):
    process, aws = command
    worker = invoke(aws, function(aws, "left"), {})["pid"]
    pids = [server_of(process), worker]
    assert all(alive(pid) for pid in pids)
    process.send_signal(number)
    assert (stop(process), process.returncode) == ("", 0)
    assert gone(pids)
    assert not aws.log.parent.exists(), "its directory is removed"


def test_nothing_is_left_when_the_command_is_killed(command):
    process, aws = command
    pids = [server_of(process), invoke(aws, function(aws, "left"), {})["pid"]]
    process.kill()
    assert gone(pids)
    assert not aws.log.parent.exists()


def test_a_server_that_dies_is_reported_and_leaves_nothing(command):
    process, aws = command
    server, worker = server_of(process), invoke(aws, function(aws, "left"), {})["pid"]
    os.kill(server, signal.SIGKILL)
    assert stop(process).splitlines()[0] == "error: the emulator died"
    assert process.returncode == 1
    assert gone([server, worker])


def test_a_function_at_work_does_not_hold_up_the_end(aws):
    with emulator.running() as running:
        sleeper = function(
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
    assert gone([running.process.pid, *workers])
    del aws


def test_a_taken_port_is_an_error_of_one_line(aws):
    port = aws.endpoint.rpartition(":")[2]
    command = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "emulator", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (command.returncode, command.stdout) == (1, "")
    assert command.stderr == (
        f"error: the emulator cannot serve on 127.0.0.1:{port}: Address already in use;"
        " name another port, or 0 for a free one\n"
    )


def test_a_server_that_cannot_start_tells_why():
    @dataclass(frozen=True)
    class Odd(FixedTimings):
        oddity: Duration = FixedTimings.jobs

    with pytest.raises(emulator.EmulatorError) as failed, emulator.running(timings=Odd()):
        pass
    message = str(failed.value)
    assert message.startswith("the emulator did not start; its log ends\n")
    assert "unexpected keyword argument 'oddity'" in message


def test_an_account_that_is_none_is_refused():
    command = subprocess.run(
        [sys.executable, "-m", "emulator", "--account", "mine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert command.returncode == 2
    assert command.stderr.splitlines()[-1] == (
        "python -m emulator: error: argument --account: 'mine' is not a number of 12 digits"
    )


def test_help_tells_the_options():
    command = subprocess.run(
        [sys.executable, "-m", "emulator", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert all(option in command.stdout for option in ("--port", "--account", "--region"))


def test_it_listens_on_loopback_only(aws):
    port = int(aws.endpoint.rpartition(":")[2])
    sockets = [
        line.split()[1]
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{aws.process.pid}/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"  # listening
    ]
    mine = [address for address in sockets if address.endswith(f":{port:04X}")]
    loopback = socket.inet_aton("127.0.0.1")[::-1].hex().upper()
    assert mine == [f"{loopback}:{port:04X}"]


def test_the_caller_s_own_aws_settings_stay_out(monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "PYTHONPATH", "AUTH"):
        monkeypatch.setenv(name, "nonsense")
    with emulator.running() as running:
        code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
        environment = invoke(running, function(running, "shows", code=code), {})
    assert environment["AWS_ENDPOINT_URL"] == running.endpoint
    assert "nonsense" not in environment.values()
