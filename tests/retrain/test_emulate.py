"""Proves the exit codes and the output of `emulate`. The emulator is a double."""

from contextlib import contextmanager

import pytest

from emulator import EmulatorError
from retrain.rehearsal import commands, emulate
from tests.program.sample_stack import ROOT
from tests.retrain.conftest import FakeEmulator

GROUP = "arn:aws:personalize:eu-west-1:123456789012:dataset-group/movies"


@pytest.fixture
def fake_emulator(monkeypatch):
    """Replace the emulator by a double that dies at once."""
    fake = FakeEmulator(lifetime=0)

    @contextmanager
    def running(**options):
        fake.requests.append(options)
        yield fake

    monkeypatch.setattr(emulate, "running", running)
    monkeypatch.setattr(
        emulate, "create_resources", lambda _emulator, _args, report, _: report(".") or GROUP
    )
    monkeypatch.setattr(emulate, "write_newer_exports", lambda *_, **__: None)
    return fake


def test_emulate_prints_the_variables_and_ends_with_1_if_the_emulator_dies(fake_emulator, capsys):
    assert emulate.emulate("dev", port=0) == 1
    output, errors = capsys.readouterr()
    assert errors == "the emulator ended unexpectedly; start the command again\n"
    assert output == (
        ".\n\n"
        "The emulator has everything that stack dev names, and newer exports for the next run.\n"
        "It runs until you press Ctrl-C. In another shell, set these variables for boto3, the "
        "AWS CLI\nand Pulumi:\n\n"
        "export AWS_ENDPOINT_URL=http://127.0.0.1:1\n"
        "export AWS_REGION=eu-west-1\n"
        f'export PATH="{ROOT}/emulator/deployer/plugin:$PATH"\n\n'
        "Then deploy with `pulumi up -s dev`. The commands of docs/operations.md work there\n"
        "too, with STACK=dev in their first line.\n\n"
        "Or write the file of a new stack for the dataset group:\n\n"
        f"retrain adopt --stack prod --dataset-group-arn {GROUP}\n\n"
        "docs/rehearsal.md goes on from there to a running pipeline.\n\n"
    )
    timings = {"timings": commands.TIMINGS}
    home = {"account": "123456789012", "region": "eu-west-1"}
    assert fake_emulator.requests == [{"port": 0, **home, **timings}]


@pytest.mark.usefixtures("fake_emulator")
def test_emulate_ends_with_0_after_an_interruption(monkeypatch):
    monkeypatch.setattr(emulate, "until_interrupted", contextmanager(lambda _: iter([None])))
    assert emulate.emulate("dev", port=0) == 0


def test_emulate_ends_with_2_if_the_stack_or_the_port_cannot_be_used(monkeypatch, capsys):
    assert emulate.emulate("staging", port=0) == 2
    error = capsys.readouterr().err
    assert error.endswith("does not exist; name one of the stacks of this folder: dev\n"), error

    def running(**_):
        raise EmulatorError("port 1 is in use")

    monkeypatch.setattr(emulate, "running", running)
    assert emulate.emulate("dev", port=1) == 2
    assert capsys.readouterr().err == "port 1 is in use\n"
