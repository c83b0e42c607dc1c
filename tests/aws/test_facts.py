"""Proves that each question about AWS has an answer on the emulator, and that others are shown."""

import dataclasses
import re

import pytest

from emulator import running
from emulator.personalize import Switches
from tests.aws.conftest import TIMINGS, Caller
from tests.aws.facts import list_facts
from tests.aws.page import mask

OTHERS = Switches(
    deletions_exclude_jobs=False,
    list_order="newest first",
    unique_version_names=True,
    update_verb="UPDATE",
)


def test_golden_the_emulator_answers_each_question_and_nothing_is_left(trial, golden):
    assert trial("facts", "--price", "days", "--yes") == 0
    golden("facts.json", trial.to_golden())
    assert trial.count() == {}


def test_at_least_thirty_questions_are_about_all_switches_of_the_emulator():
    facts = list_facts("days")
    named = {switch for fact in facts for switch in fact.get("switch", ())}
    assert len(facts) >= 30
    assert named == {field.name for field in dataclasses.fields(Switches)}


@pytest.mark.parametrize(
    "text, masked",
    [
        ("arn:aws:iam::{}:role/a", "arn:aws:iam::************:role/a"),
        ("exports{}backup", "exports************backup"),
        (
            "https://sqs.aws/{}/a",
            "https://sqs.aws/************/a",
        ),
        ("?text=account%20{}", "?text=account%************"),
        ("caf\\u00e9{}", "caf\\u00e************"),
    ],
)
@pytest.mark.parametrize("number", ["123456789012", "1234-5678-9012"])
def test_the_number_of_an_account_is_masked_in_each_text(text, masked, number):
    assert mask(text.format(number)) == masked


def test_the_page_shows_what_another_service_answers_differently(tmp_path, monkeypatch):
    with running(timings=TIMINGS, switches=OTHERS) as other:
        trial = Caller(other, tmp_path, monkeypatch)
        assert trial("facts", "--price", "cents", "--yes") == 0

    text = trial.file.read_text()
    assert "**21 of 26 answers are the emulator's.**" in text
    differences = text.partition("## Differences")[2].partition("## What")[0].splitlines()[4:-1]
    assert differences == [
        "| CreateDataDeletionJob | error ResourceInUseException | the emulator |",
        "| CreateDatasetImportJob | error ResourceInUseException | the emulator |",
        "| CreateSolutionVersion | error ResourceAlreadyExistsException | AWS |",
    ]
    assert re.findall(r"\d{12}", text) == [], "the number of the account is masked"
