"""Proves that the levels of `make aws` that deploy a stack run on the emulator, and clean up.

They answer as recorded, and nothing is left, also after an error and after Ctrl-C.
"""

import json
import os
import signal
import threading
import time

import pytest

from emulator import running
from tests.aws import __main__ as program
from tests.aws.conftest import Caller
from tests.aws.page import GOLDEN
from tests.engine.conftest import TIMINGS
from tests.golden import Golden


class RealTime(Caller):
    """Calls the program on the real clock, a hundred times as fast."""

    def __init__(self, emulator, folder, patch, environment):
        super().__init__(emulator, folder, patch)
        self.environment = environment

    def machines(self):
        """Return the event with which the watcher is called, or nothing before a deployment."""
        listed = self.emulator.client("stepfunctions").list_state_machines()["stateMachines"]
        return "".join(json.dumps({"stateMachineArn": row["stateMachineArn"]}) for row in listed)

    def sleep(self, seconds):
        """Let time pass, in which AWS would call the watcher."""
        time.sleep(seconds / 100)
        functions = self.emulator.client("lambda").list_functions()["Functions"]
        for name in (row["FunctionName"] for row in functions):
            if "-watch-pipeline-" in name and self.machines():
                self.emulator.client("lambda").invoke(FunctionName=name, Payload=self.machines())


@pytest.fixture
def trial(warm, tmp_path, monkeypatch):
    """Return the caller of the program."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / ".pulumi"))
    with running(timings=TIMINGS) as emulator:
        yield RealTime(emulator, tmp_path, monkeypatch, warm)


@pytest.mark.parametrize("level", ["deploy", "run"])
def test_golden_a_level_answers_as_recorded_and_nothing_is_left(trial, golden, level):
    assert trial(level, "--yes") == 0
    Golden(GOLDEN, golden.update)(f"{level}.json", trial.to_golden())
    assert trial.count() == {}


def interrupt_when_called(emulator, action):
    """Press Ctrl-C as soon as AWS gets this call."""
    while not emulator.calls(action):
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_during_a_deployment_ends_pulumi_in_good_order_and_nothing_is_left(trial):
    arguments = (trial.emulator, "lambda:CreateFunction")
    threading.Thread(target=interrupt_when_called, args=arguments).start()
    assert trial("deploy", "--yes") == 1
    assert trial.page.stopped == "It stopped at 'pulumi up': KeyboardInterrupt"
    assert trial.page.left == []
    assert trial.count() == {}


def test_an_error_while_a_run_goes_on_leaves_nothing(trial):
    def start_and_fail(world):
        world.stack.retrain("start", "--force")
        raise ValueError("AWS has gone")

    trial.patch.setattr(program.deploy, "run_empty_export", start_and_fail)
    trial.patch.setattr(program.deploy, "doctor", lambda _: None)
    assert trial("deploy", "--yes") == 1
    assert trial.page.stopped == "It stopped at 'a run with an empty export': AWS has gone"
    assert trial.page.left == []
    assert trial.count() == {}
