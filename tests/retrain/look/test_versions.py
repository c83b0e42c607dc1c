"""Proves that a version is found by its names, traced to its data, and followed after its run."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from functions.personalize.campaigns import approval_tags
from functions.personalize.tags import BAD
from functions.words import time_text
from retrain import cli
from retrain.account.access import Access
from retrain.account.errors import OperatorError
from retrain.account.target import Target
from retrain.look import versions
from retrain.look.lines import rendered
from tests.retrain.builders import (
    CAMPAIGN,
    HOME,
    NEW,
    OLD,
    SECOND_SOLUTION,
    SOLUTION,
    STATE_MACHINE,
    campaign_report,
    run_report,
    solution_report,
)
from tests.retrain.in_process import account
from tests.workflow.pipeline import RUN_ID
from tests.world import MOVIES

BEGAN_AT = datetime(2026, 11, 29, 4, tzinfo=UTC)
IDS = {SOLUTION: ["1a2b", "2a2b", "3a2b", "4a2b"], SECOND_SOLUTION: ["5a2b", "6a2b", "3a2b"]}
BOTH = [SOLUTION, SECOND_SOLUTION]


@pytest.fixture
def find(monkeypatch):
    """Return a function that finds a version. A version with a higher id is newer."""

    def list_versions(_client, solution_arn):
        return [
            {
                "solutionVersionArn": f"{solution_arn}/{version}",
                "creationDateTime": BEGAN_AT + timedelta(hours=int(version[0])),
            }
            for version in IDS.get(solution_arn, [])
        ]

    monkeypatch.setattr(versions, "list_versions", list_versions)
    return lambda name, solutions=BOTH: versions.find_version(None, solutions, name)


@pytest.mark.parametrize(
    ("name", "solutions", "arn"),
    [
        *((name, BOTH, f"{SOLUTION}/1a2b") for name in (f"{SOLUTION}/1a2b", "movies/1a2b", "1a2b")),
        ("series/3a2b", BOTH, f"{SECOND_SOLUTION}/3a2b"),
        ("3a2b", [SOLUTION], f"{SOLUTION}/3a2b"),
    ],
)
def test_a_version_is_found_by_each_of_its_names(find, name, solutions, arn):
    assert find(name, solutions) == arn


NEWEST = "the newest versions are series/6a2b, series/5a2b, movies/4a2b, movies/3a2b, series/3a2b"


@pytest.mark.parametrize(
    ("name", "solutions", "message"),
    [
        ("3a2b", BOTH, "is the id of several versions; name one of movies/3a2b, series/3a2b"),
        ("films/1a2b", BOTH, f"is not a version of movies and series; {NEWEST}"),
        (SOLUTION, BOTH, f"is not a version of movies and series; {NEWEST}"),
        ("1a2b", [f"{HOME}:solution/songs"], "is not a version of songs; there is no version yet"),
    ],
)
def test_another_name_lists_the_versions_that_exist(find, name, solutions, message):
    with pytest.raises(OperatorError) as caught:
        find(name, solutions)
    assert str(caught.value) == f"{name!r} {message}"


ASKED_AT = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)
WAITS = approval_tags("ASKED", ASKED_AT)
DEPLOYED, WAITING = "DEPLOYED", "AWAITING_APPROVAL"
UNTIL = time_text(ASKED_AT + timedelta(hours=24))


def run_with(outcome, version=NEW, **changes):
    """Return the report of a run whose campaign had this outcome."""
    campaign = campaign_report(outcome, reason=f"{version} waits")
    return run_report(solution_report(version=version, campaigns=[campaign], **changes))


@pytest.fixture
def notes(monkeypatch):
    """Return a function that returns the notes about reports. All resources have the tags."""
    monkeypatch.setattr(Access, "personalize", None)

    def about(tags, *reports, **solution):
        def tags_of(_client, arn):
            read.append(arn)
            if isinstance(tags, str):
                raise ClientError({"Error": {"Code": tags}}, "ListTagsForResource")
            return tags

        read = []
        monkeypatch.setattr(versions, "tags_of", tags_of)
        settings = {"solutionArn": SOLUTION, "approval": {"timeoutHours": 24}, **solution}
        target = Target(STATE_MACHINE, {"solutions": [settings]}, Access(), "prod")
        of_runs = versions.VersionNotes(target)
        found = [of_runs.about(report).get(CAMPAIGN) for report in reports]
        assert len(read) == len(set(read)), "the tags of a resource are read once"
        return found

    return about


ANSWER = "; a run asks again after the next training"
NO_ANSWER = (
    "it waits for no answer; a run asks when the version has passed the gate, and an answer is "
    "possible for 24 hours"
)
APPROVE = (
    f"waits for an answer until {UNTIL} UTC: `retrain approve movies/00000002 --stack prod` or "
    "`retrain approve --reject movies/00000002 --stack prod`"
)
REFUSED, APPROVED = (approval_tags(word, ASKED_AT, "ops") for word in ("REFUSED", "APPROVED"))
NOTES = {
    "waits": (WAITS, WAITING, APPROVE),
    "refused": (REFUSED, WAITING, f"it was refused by ops at {ASKED_AT.isoformat()}{ANSWER}"),
    "approved": (APPROVED, WAITING, f"it was approved by ops at {ASKED_AT.isoformat()}"),
    "too late": (approval_tags("ASKED", BEGAN_AT.replace(year=2020)), WAITING, NO_ANSWER),
    "deleted": ("ResourceNotFoundException", WAITING, NO_ANSWER),
    "rolled back since": ({BAD: NEW}, DEPLOYED, versions.ROLLED_BACK_SINCE),
    "rolled back by the run": ({BAD: NEW}, "ROLLED_BACK", None),
    "as it was": ({}, DEPLOYED, None),
}


@pytest.mark.parametrize(("tags", "outcome", "note"), NOTES.values(), ids=NOTES)
def test_a_version_of_a_run_has_a_note_about_what_happened_since(notes, tags, outcome, note):
    assert notes(tags, run_with(outcome)) == [note]


def test_only_the_newest_version_takes_an_answer(notes):
    without = run_report(solution_report(version=None))
    failed = run_with("FAILED", version=OLD, reason="no data")
    newer, older = run_with(WAITING), run_with(WAITING, version=OLD)
    first, *others = notes(WAITS, without, failed, newer, older)
    assert (first, others[0]) == (None, None), "a training that has failed does not count"
    assert others[1].startswith("waits for an answer")
    assert others[2] == "nobody has answered, and there is a newer version"
    (ended,) = notes(WAITS, newer, approval=None)
    assert ended == "the solution needs no approval any more"


def test_an_error_of_aws_is_not_a_note(notes):
    with pytest.raises(ClientError):
        notes("AccessDeniedException", run_with(DEPLOYED))


# The lineage of a version


def test_a_version_is_traced_to_its_data():
    with account(MOVIES) as prod:
        foreign = prod.pipeline.versions()[0]
        prod.pipeline.run()
        arn = prod.pipeline.served_version()
        document = prod.retrain(f"history --version {arn} --json").document
        before = prod.retrain(f"history --version {foreign} --json").document
        missing = prod.retrain(f"history --version {arn[:-1]}x")
    for lineage_of, run, verdicts in (
        (document, RUN_ID, ["serves", "good"]),
        (before, None, ["previous"]),
    ):
        assert lineage_of["runId"] == run
        jobs = {row["type"]: row["imports"] for row in lineage_of["datasets"]}
        assert list(jobs) == ["INTERACTIONS", "ITEMS", "USERS"]
        assert [[job["runId"] for job in row] for row in jobs.values()] == [[run]] * 3
        (campaign,) = lineage_of["campaigns"]
        assert [key for key in versions.VERDICTS if campaign[key]] == verdicts
    assert missing.code == 2
    assert "does not exist; it was deleted with its solution, or the cred" in missing.err


def test_another_arn_is_one_line(capsys):
    assert cli.main(["history", "--version", SOLUTION]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"--version '{SOLUTION}' is not the ARN of a solution version, for ex")


PLAIN = {
    "solutionVersionArn": NEW,
    "status": "ACTIVE",
    "failure": None,
    "recipeArn": "arn:aws:personalize:::recipe/aws-sims",
    "trainingMode": "FULL",
    "trainingHours": 1.5,
    "createdAt": BEGAN_AT,
    "endedAt": BEGAN_AT + timedelta(hours=1),
    "runId": "20261129T030000Z",
    "approval": None,
    "datasets": [],
    "metrics": {},
    "campaigns": [],
}
OF_NO_DATASET = dict.fromkeys(("bytes", "runId", "dataLocation"))
IMPORT = {"importMode": "INCREMENTAL", "endedAt": BEGAN_AT, **OF_NO_DATASET}
ITEMS = {"type": "ITEMS", "imports": [IMPORT] * 5, "olderImports": 43}
USERS = {"type": "USERS", "imports": [], "olderImports": 0}
VERDICTS = {"campaignArn": CAMPAIGN, **dict.fromkeys(versions.VERDICTS, False)}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "trained 2026-11-29 04:00 UTC in 1 h, FULL, 1.50 training hours, aws-sims"),
        ({"trainingHours": None, "recipeArn": None}, "UTC in 1 h, FULL by run"),
        ({"runId": None}, "by no run of a pipeline: Personalize itself or a person has trained it"),
        ({"failure": "no data"}, "failure no data"),
        (
            {"approval": {"answer": "ASKED", "at": BEGAN_AT, "by": None}},
            "approval asked by the run at 2026-11-29 04:00 UTC",
        ),
        (
            {"approval": {"answer": "REFUSED", "at": BEGAN_AT, "by": "ops"}},
            "approval refused by ops at 2026-11-29 04:00 UTC",
        ),
        (
            {"datasets": [ITEMS, USERS]},
            "items INCREMENTAL, ended 2026-11-29 04:00 UTC, foreign "
            + "INCREMENTAL, ended 2026-11-29 04:00 UTC, foreign " * 4
            + "and 43 earlier imports users no import before the training",
        ),
        (
            {"metrics": {"coverage": 0.9, "precision_at_10": 0.1, "precision_at_5": 0.2}},
            "metrics coverage 0.9000 precision@5 0.2000 precision@10 0.1000",
        ),
        ({"campaigns": [VERDICTS]}, "campaigns home-page does not serve it"),
        (
            {"campaigns": [{**VERDICTS, "serves": True, "good": True, "onTrial": True}]},
            "campaigns home-page serves it, has it on trial",
        ),
        (
            {"campaigns": [{**VERDICTS, "good": True, "bad": True}]},
            "campaigns home-page rolls back to it, was moved back from it",
        ),
    ],
)
def test_each_fact_about_a_version_has_a_line(changes, text):
    lines = [line.plain for line in rendered(versions.lineage_lines({**PLAIN, **changes}))]
    assert text in " ".join(" ".join(lines).split())
