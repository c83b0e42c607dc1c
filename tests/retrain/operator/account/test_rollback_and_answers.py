"""Proves what people do to versions and campaigns: `retrain approve` and `rollback`."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from components import settings
from components.args import ApprovalArgs
from emulator.deployer.configuration import read_project
from functions.personalize.campaigns import NONE, approval_tags, read_approval
from functions.personalize.tags import (
    APPROVAL,
    BAD,
    GOOD,
    PREVIOUS,
    RUN,
    TRIAL,
    tags_of,
    write_tags,
)
from retrain.account.errors import OperatorError
from retrain.act import answers
from retrain.rehearsal.data.resources import wait_until_active
from retrain.rehearsal.waiting import wait_until
from tests.program.sample_stack import CAMPAIGN, ROOT, SOLUTION
from tests.retrain.operator.account.deployed_machine import deployed_machine

WITHOUT_WAITING = "retrain.act.rollback.POLL_SECONDS"


@pytest.fixture(scope="module")
def client(emulator):
    return boto3.client("personalize", **emulator.connection)


@pytest.fixture(scope="module")
def args():
    project = read_project(ROOT, "dev", {})
    sample = settings.parse_stack(project.name, "dev", project.config)
    solution = replace(sample.solutions[0], approval=ApprovalArgs(timeout_hours=24))
    return replace(sample, solutions=(solution,))


@pytest.fixture
def machine(emulator, args):
    with deployed_machine(emulator, args) as arn:
        yield arn


@pytest.fixture
def command(run, machine):
    """Return a function that runs a command for the pipeline."""
    return lambda *words: run(*words, "--state-machine-arn", machine)


@pytest.fixture
def train(client):
    """Return a function that trains a version as a run does. It is asked for if `asked` is set."""

    def new_version(asked=None):
        arn = client.create_solution_version(solutionArn=SOLUTION)["solutionVersionArn"]
        wait_until_active(
            client.describe_solution_version, "solutionVersion", solutionVersionArn=arn
        )
        asked_tag = approval_tags("ASKED", asked) if asked else {}
        write_tags(client, arn, {RUN: "20261129T030000Z", **asked_tag})
        return arn

    return new_version


def now(**ago):
    return datetime.now(UTC) - timedelta(**ago)


def served(client):
    return client.describe_campaign(campaignArn=CAMPAIGN)["campaign"]["solutionVersionArn"]


def wait_for_campaign(client):
    """Wait until no update of the campaign is running."""

    def is_idle():
        campaign = client.describe_campaign(campaignArn=CAMPAIGN)["campaign"]
        return campaign.get("latestCampaignUpdate", campaign)["status"] == "ACTIVE"

    wait_until(is_idle, seconds=30)


def move(client, version):
    client.update_campaign(campaignArn=CAMPAIGN, solutionVersionArn=version)
    wait_for_campaign(client)
    assert served(client) == version


def test_an_approval_is_a_tag_and_starts_an_execution(command, client, train, emulator):
    version = train(asked=now(hours=1))
    result = command("approve", version, "--yes", "--json")
    assert result.code == 0, result.err
    approval = read_approval(tags_of(client, version))
    assert (approval.answer, approval.by) == ("APPROVED", "arn:aws:iam::123456789012:root")
    machines = boto3.client("stepfunctions", **emulator.connection)
    execution = machines.describe_execution(executionArn=result.document["executionArn"])
    assert json.loads(execution["input"]) == {"only": "deployments"}
    lines = result.err.splitlines()
    live = served(client).partition("solution/")[2]
    assert lines[1] == f"compared with {live}, in use at movies-for-you", "a person compares them"
    assert re.search(r"^  NDCG@10 0\.\d{4} → 0\.\d{4} \([+-]\d", result.err, re.MULTILINE), (
        result.err
    )

    again = command("approve", version, "--yes")
    assert (again.code, again.out) == (1, "")
    assert again.err == (
        f"{version} takes no answer: it was approved by arn:aws:iam::123456789012:root at "
        f"{approval.at.isoformat()}\n"
    )


def test_an_approval_whose_execution_was_not_started_is_given_again(
    command, client, train, monkeypatch
):
    version = train(asked=now(hours=1))
    with monkeypatch.context() as broken:
        broken.setattr(answers, "_start_deployment", no_start)
        assert command("approve", version, "--yes").code == 2
    tags = tags_of(client, version)
    again = command("approve", version, "--yes")
    assert again.code == 0, again.err
    assert f"{version} was approved already, but no execution deploys it" in again.err
    assert tags_of(client, version) == tags
    assert command("approve", version, "--yes").code == 1
    assert command("approve", "--reject", version, "--yes").code == 1


def no_start(*_):
    message = "these credentials may not call StartExecution"
    raise OperatorError(message)


def test_a_refused_version_takes_no_other_answer(command, client, train):
    version = train(asked=now(hours=1))
    result = command("approve", "--reject", "--yes")
    assert (result.code, result.out) == (
        0,
        "refused; the campaigns keep the version that they serve\n",
    )
    approval = read_approval(tags_of(client, version))
    assert (approval.answer, approval.by) == ("REFUSED", "arn:aws:iam::123456789012:root")
    again = command("approve", version, "--yes")
    assert again.code == 1
    assert again.err == (
        f"{version} takes no answer: it was refused by arn:aws:iam::123456789012:root at "
        f"{approval.at.isoformat()}; a run asks again after the next training\n"
    )
    unnamed = command("approve", "--yes")
    assert unnamed.code == 1
    assert unnamed.err.startswith("no version waits for an answer, `retrain history ")
    assert f"; {version.partition('solution/')[2]}: it was refused by " in unnamed.err


def test_a_late_answer_is_refused(command, client, train):
    version = train(asked=now(hours=25))
    result = command("approve", version, "--yes")
    assert result.code == 1
    assert result.err.startswith(f"{version} takes no answer: it waits for no answer; ")
    assert not tags_of(client, version)[APPROVAL].startswith("APPROVED")


def test_an_answer_about_an_older_version_is_refused(command, train):
    older, newer = train(asked=now(hours=2)), train(asked=now(hours=1))
    result = command("approve", older, "--yes")
    assert (result.code, result.err) == (
        1,
        f"{older} is older than {newer}; only the newest version takes an answer\n",
    )


def test_an_approval_names_the_campaigns_that_somebody_has_moved_meanwhile(command, client, train):
    older, version = train(), train(asked=now(hours=1))
    write_tags(client, CAMPAIGN, {GOOD: served(client)})
    move(client, older)
    result = command("approve", version, "--yes")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        f"{CAMPAIGN}: somebody has moved the campaign to {older}, so no run deploys {version} "
        "there; "
    )
    assert tags_of(client, version)[APPROVAL].startswith("ASKED"), "it would deploy it nowhere"


def test_an_approval_of_a_version_that_no_run_would_deploy_is_refused(command, client, train):
    version = train(asked=now(hours=1))
    write_tags(client, CAMPAIGN, {BAD: version})
    result = command("approve", version, "--yes")
    assert (result.code, result.out) == (1, "")
    assert f"{version} was taken back here before, so no run deploys {version} there" in result.err


def test_a_version_without_a_request_for_approval_takes_no_answer(command, train):
    version = train()
    result = command("approve", "--reject", version, "--yes")
    assert (result.code, result.err) == (
        1,
        (
            f"{version} takes no answer: it waits for no answer; a run asks when the version has "
            "passed the gate, and an answer is possible for 24 hours\n"
        ),
    )


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (f"{SOLUTION}/0123abcd", f"'{SOLUTION}/0123abcd' is not a version of movies-for-you; "),
        ("0123abcd", "'0123abcd' is not a version of movies-for-you; the newest versions are "),
    ],
)
def test_a_version_that_is_not_of_the_pipeline_is_refused(command, version, message):
    result = command("approve", version, "--yes")
    assert result.code == 2
    assert result.err.startswith(message)
    assert result.err.count("\n") == 1


def test_without_a_terminal_a_question_needs_yes(command, client, train):
    version = train(asked=now(hours=1))
    result = command("approve", version)
    assert result.code == 2
    assert result.err.endswith("nobody can answer without a terminal; add --yes\n")
    assert not tags_of(client, version)[APPROVAL].startswith("APPROVED")


def test_a_campaign_moves_back_to_its_good_version_and_the_bad_one_is_marked(
    command, client, train, monkeypatch
):
    monkeypatch.setattr(WITHOUT_WAITING, 0.1)
    good, bad = train(), train()
    move(client, bad)
    write_tags(client, CAMPAIGN, {GOOD: good, PREVIOUS: NONE, TRIAL: f"{bad} {now().isoformat()}"})
    result = command("rollback", "--yes")
    assert (result.code, result.out) == (0, f"{CAMPAIGN} serves {good}\n"), result.err
    assert served(client) == good
    tags = tags_of(client, CAMPAIGN)
    assert (tags[GOOD], tags[BAD]) == (good, bad)
    assert tags[TRIAL] == NONE, "no run finishes the trial again"

    again = command("rollback", "--yes")
    assert again.code == 1, "nothing is known of what it served before"
    assert again.err.startswith(f"no run has noted what {CAMPAIGN} served before {good}; ")

    forward = command("rollback", "--to", bad, "--yes")
    assert (forward.code, forward.out) == (0, f"{CAMPAIGN} serves {bad}\n"), forward.err
    assert forward.err.splitlines()[:4] == [
        CAMPAIGN,
        f"  serves   {good}",
        f"  moves to {bad}",
        (f"warning: the campaign was moved back from {bad} before, so it may answer badly again"),
    ]
    assert "warning" not in result.err, "the good version was never rolled back"


def test_a_campaign_that_serves_its_good_version_moves_to_the_one_before(
    command, client, train, emulator
):
    previous, good = train(), train()
    move(client, good)
    emulator.control("POST", "faults", {"fault": "take", "job": "campaign-update", "seconds": 5})
    write_tags(client, CAMPAIGN, {GOOD: good, PREVIOUS: previous, TRIAL: NONE})
    result = command("rollback", "--yes", "--no-wait", "--json")
    assert result.document == {
        "campaignArn": CAMPAIGN,
        "left": good,
        "movesTo": previous,
        "serves": good,
        "warnings": [],
    }
    busy = command("rollback", "--yes", "--to", good)
    assert busy.code == 1
    assert busy.err.startswith(f"{CAMPAIGN} is being updated; wait some minutes ")
    wait_for_campaign(client)


def test_a_failed_update_is_reported_with_what_the_campaign_serves(
    command, client, train, emulator, monkeypatch
):
    monkeypatch.setattr(WITHOUT_WAITING, 0.1)
    good, bad = train(), train()
    move(client, bad)
    fault = {"fault": "fail", "job": "campaign-update", "reason": "no capacity"}
    emulator.control("POST", "faults", fault)
    name = good.rpartition("/")[2]
    result = command("rollback", "--campaign", "movies-for-you", "--to", name, "--yes")
    assert result.code == 1
    assert result.err.endswith(f"the update failed: no capacity; {CAMPAIGN} still serves {bad}\n")


def test_a_run_that_is_under_way_is_named(run, emulator, args, client, train):
    good = train()
    with deployed_machine(emulator, args, seconds=2) as machine:
        machines = boto3.client("stepfunctions", **emulator.connection)
        machines.start_execution(stateMachineArn=machine, name="weekly", input="{}")
        result = run("rollback", "--to", good, "--state-machine-arn", machine)
    assert "weekly is under way and may still deploy a new version" in result.err
    assert served(client) != good, "nobody has answered the question"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--campaign", "films"], 2, "'films' is not a campaign of this pipeline; its campaigns"),
        (["--to", "0123abcd"], 2, "'0123abcd' is not a version of movies-for-you; the newest"),
    ],
)
def test_an_unclear_rollback_changes_nothing(command, words, code, message):
    result = command("rollback", "--yes", *words)
    assert result.code == code
    assert result.err.startswith(message)
