"""Proves which version an answer without a name is about, and with what a version is compared."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from functions.personalize.campaigns import approval_tags
from functions.personalize.tags import RUN
from retrain.account.access import Access
from retrain.account.errors import FailedError, OperatorError
from retrain.account.target import Target
from retrain.act import answers
from retrain.look.versions import answer_error
from tests.retrain.builders import (
    CAMPAIGN,
    NEW,
    OLD,
    SECOND_SOLUTION,
    SOLUTION,
    STATE_MACHINE,
)

BOTH = (SOLUTION, SECOND_SOLUTION)


@pytest.fixture
def only_waiting(monkeypatch):
    """Return a function that answers without a name. It gets the tags of each newest version."""

    def choose(*tags):
        newest = dict(zip(BOTH, tags, strict=True))
        solutions = [{"solutionArn": arn, "approval": {"timeoutHours": 24}} for arn in BOTH]

        def newest_version(_target, arn):
            return newest[arn] and SimpleNamespace(arn=f"{arn}/1a2b", tags=newest[arn])

        monkeypatch.setattr(answers, "_newest_version_of_runs", newest_version)
        target = Target(STATE_MACHINE, {"solutions": solutions}, Access(), "prod")
        return answers._only_waiting_version(target, reject=True)  # noqa: SLF001

    return choose


NOW = datetime.now(UTC).replace(microsecond=0)
WAITING = approval_tags("ASKED", NOW)
REFUSED = approval_tags("REFUSED", NOW, "ops")


def test_the_only_version_that_waits_needs_no_name(only_waiting):
    assert only_waiting(REFUSED, WAITING) == f"{SECOND_SOLUTION}/1a2b"


def test_several_versions_that_wait_are_named_with_their_commands(only_waiting):
    with pytest.raises(OperatorError) as caught:
        only_waiting(WAITING, WAITING)
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        "2 versions wait for an answer; choose one: "
        "`retrain approve --reject movies/1a2b --stack prod`, "
        "`retrain approve --reject series/1a2b --stack prod`"
    )


def test_without_a_version_that_waits_the_message_says_why(only_waiting):
    with pytest.raises(FailedError) as caught:
        only_waiting(None, REFUSED)
    assert str(caught.value) == (
        "no version waits for an answer, `retrain history --stack prod` lists the versions; "
        f"series/1a2b: it was refused by ops at {NOW.isoformat()}; a run asks again after the next "
        "training"
    )


def test_a_version_that_has_failed_or_that_no_run_has_created_does_not_wait(monkeypatch):
    listed = [
        {"solutionVersionArn": NEW, "status": "CREATE FAILED"},
        {"solutionVersionArn": OLD, "status": "ACTIVE"},
    ]
    monkeypatch.setattr(answers, "list_versions", lambda *_: listed)
    tags = {NEW: {RUN: "20261129T030000Z"}, OLD: {}}
    monkeypatch.setattr(answers, "tags_of", lambda _, arn: tags[arn])
    monkeypatch.setattr(Access, "personalize", None)
    target = Target(STATE_MACHINE, {}, Access(), "prod")
    assert answers._newest_version_of_runs(target, SOLUTION) is None  # noqa: SLF001


@pytest.fixture
def compared(monkeypatch, capsys):
    """Return a function that prints the metrics of a version beside those of campaigns."""
    metrics = {NEW: {"coverage": 0.5, "precision_at_5": 0.2}, OLD: {"coverage": 0.4}}
    client = SimpleNamespace(
        get_solution_metrics=lambda **request: {"metrics": metrics[request["solutionVersionArn"]]}
    )
    monkeypatch.setattr(Access, "personalize", client)

    def lines(*served):
        campaigns = [
            {"campaignArn": f"{CAMPAIGN}-{number}", "solutionVersionArn": arn, "status": "ACTIVE"}
            for number, arn in enumerate(served)
        ]
        target = Target(STATE_MACHINE, {}, Access(), "prod")
        version = answers.WaitingVersion(
            NEW, SOLUTION, datetime.now(UTC), WAITING, is_approved=False
        )
        answers._print_metrics(target, version, campaigns)  # noqa: SLF001
        return capsys.readouterr().err.splitlines()[1:]

    return lines


def test_a_version_is_compared_with_each_version_in_use(compared):
    assert compared(OLD, OLD) == [
        "compared with movies/00000001, in use at home-page-0 and home-page-1",
        "  coverage 0.4000 → 0.5000 (+25.0%)",
        "  precision@5 none → 0.2000",
    ]


def test_without_a_version_in_use_only_the_new_values_are_printed(compared):
    assert compared() == [
        "no campaign serves a version to compare it with",
        "  coverage none → 0.5000",
        "  precision@5 none → 0.2000",
    ]


AT = datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        (approval_tags("ASKED", AT), None),
        (
            {},
            (
                "it waits for no answer; a run asks when the version has passed the gate, and an "
                "answer is possible for 24 hours"
            ),
        ),
        (approval_tags("APPROVED", AT, "boss"), f"it was approved by boss at {AT.isoformat()}"),
        (
            approval_tags("REFUSED", AT, "boss"),
            f"it was refused by boss at {AT.isoformat()}; a run asks again after the next training",
        ),
    ],
)
def test_a_version_takes_an_answer_only_while_it_waits_for_one(tags, error):
    assert answer_error(tags, {"timeoutHours": 24}, AT) == error
