"""`retrain emulate` runs an AWS that has what a stack names, and nothing of the pipeline."""

import re
from contextlib import contextmanager

import boto3
import pytest

from emulator.personalize import Duration, FixedTimings
from retrain.rehearsal import emulate
from retrain.rehearsal.stage import FailedError
from tests.program.sample_stack import ROOT

CAMPAIGN = "arn:aws:personalize:eu-west-1:123456789012:campaign/movies-for-you"


@pytest.fixture
def seen(monkeypatch, capsys):
    """Let `emulate` end when it would wait; return what was printed and what is in the account."""
    monkeypatch.setattr(emulate, "TIMINGS", FixedTimings(jobs=Duration(0.1, 0.1)))
    found = {}

    @contextmanager
    def ask(emulator):
        yield
        found["printed"] = capsys.readouterr().out

        def client(service):
            return boto3.client(service, **emulator.connection)

        campaign = client("personalize").describe_campaign(campaignArn=CAMPAIGN)["campaign"]
        found["campaign"] = campaign["status"]
        found["functions"] = client("lambda").list_functions()["Functions"]

    monkeypatch.setattr(emulate, "until_interrupted", ask)
    return found


def test_everything_that_the_stack_names_is_there_and_the_pipeline_is_not(seen):
    assert emulate.emulate("dev", port=0) == 0
    assert seen["campaign"] == "ACTIVE"
    assert seen["functions"] == [], "`pulumi up` deploys them"
    shown = re.sub(r":\d{4,5}\n", ":PORT\n", seen["printed"].partition("\n\n")[2])
    assert shown == (
        "Everything that stack dev names is here, and a newer export for the next run. The "
        "emulator\nstays up until Ctrl-C. In another shell, for boto3, the AWS CLI and Pulumi:\n\n"
        "export AWS_ENDPOINT_URL=http://127.0.0.1:PORT\n"
        "export AWS_ACCESS_KEY_ID=123456789012\n"
        "export AWS_SECRET_ACCESS_KEY=test\n"
        "export AWS_REGION=eu-west-1\n"
        "export AWS_DEFAULT_REGION=eu-west-1\n"
        f'export PATH="{ROOT}/emulator/deployer/plugin:$PATH"\n\n'
        "Then `pulumi up -s dev` deploys to it.\n\n"
    )


def test_an_emulator_that_dies_ends_the_command_with_1(seen, monkeypatch, capsys):
    assert seen == {}

    @contextmanager
    def die(_emulator):
        yield
        raise FailedError("the emulator has died")

    monkeypatch.setattr(emulate, "until_interrupted", die)
    assert emulate.emulate("dev", port=0) == 1
    assert capsys.readouterr().err == "the emulator has died\n"


def test_a_stack_that_is_not_there_ends_the_command_with_2(capsys):
    assert emulate.emulate("staging", port=0) == 2
    error = capsys.readouterr().err
    assert error.endswith("there is no such file; the stacks here are dev\n"), error
