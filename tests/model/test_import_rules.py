"""The rules of an import, one row for each situation. tests/model plays them in random order."""

from dataclasses import replace

import pytest
from import_jobs import FINGERPRINT, HOUR, MINUTE, NOW, job

from functions.common.messages import Message
from functions.rules.imports import (
    ConfirmImport,
    CreateImport,
    DatasetState,
    ExportState,
    ImportProgress,
    ImportSpec,
    TaintDataset,
    TaintImport,
    ValidateExport,
    decide,
    find_import_watermark,
    list_effective_imports,
    list_unconfirmed_imports,
)
from functions.rules.pacing import choose_poll_pause
from functions.rules.steps import Step, fail

EXPORT = ExportState(FINGERPRINT, 1000, NOW - 200 * HOUR)
OTHER = EXPORT._replace(fingerprint="a-2")


def step(*jobs, is_full=True, export=EXPORT, until_end=None, progress=(), **fields):
    """Return the step of the rules for a dataset with these import jobs."""
    state = DatasetState(
        is_full=is_full,
        imports=jobs,
        export_states=[export, until_end or export],
        own_job=next((job for job in jobs if job.run_id == "this"), None),
    )
    spec = ImportSpec(**{"max_hours": 6, **fields})
    progress_changes = ImportProgress(
        **{"began_at": NOW - 3 * MINUTE, "validated_fingerprint": FINGERPRINT, **dict(progress)}
    )

    return decide(state, spec, progress_changes, NOW)


DONE = Step("IMPORTED", outcome="IMPORTED")
CREATE = Step("WAITING", CreateImport(EXPORT))
CHANGED = "the export changed while it was imported; the next run imports it again"
FOREIGN = job(9, run_id=None, fingerprint="", is_confirmed=False)
REPLACED = Message(
    text=(
        "job-9, which this pipeline did not start, has replaced the data; accept that, and append "
        "the export anyway"
    ),
    command="retrain start --force",
)


@pytest.mark.parametrize(
    "jobs, fields, expected",
    [
        ([], {}, CREATE),
        ([job()], {}, DONE),
        ([job(fingerprint="a-0")], {}, CREATE),
        ([job(), job(2, fingerprint="a-0")], {}, CREATE),
        ([job(), job(2, is_active=False, is_confirmed=False)], {}, DONE),
        ([job(), FOREIGN], {}, CREATE),
        ([job(is_full=False), FOREIGN], {"is_full": False}, fail("CHECKING", REPLACED)),
        ([FOREIGN], {"is_full": False}, CREATE),
        ([job(is_active=False), FOREIGN], {"is_full": False}, CREATE),
        ([job(fingerprint="b-1"), FOREIGN._replace(is_full=False)], {"is_full": False}, CREATE),
        ([job(is_full=False), FOREIGN], {"is_full": False, "requested_at": NOW}, CREATE),
        ([FOREIGN, job(10, is_full=False)], {"is_full": False}, DONE),
        ([job(), job(2, is_full=False, fingerprint="a-0")], {"is_full": False}, DONE),
        ([job()], {"requested_at": NOW}, CREATE),
        ([job()], {"requested_at": NOW - 99 * HOUR}, DONE),
        ([job(created_at=NOW)], {"requested_at": NOW}, DONE),
        ([job(), job(2, is_full=False)], {"is_full": False, "requested_at": NOW}, DONE),
        ([job(run_id="this")], {}, DONE),
        ([job(run_id="this", fingerprint="a-0")], {}, fail("IMPORTING", CHANGED)),
        ([job(run_id="this", is_active=False, failure="no")], {}, fail("IMPORTING", "no")),
        (
            [job(run_id="this", is_active=False)],
            {},
            fail("IMPORTING", "job-1 has failed without a reason"),
        ),
        (
            [job(run_id="this"), FOREIGN],
            {},
            fail("IMPORTING", "another import has replaced the data of job-1"),
        ),
    ],
)
def test_an_export_that_is_not_held_is_imported_once(jobs, fields, expected):
    assert step(*jobs, **fields) == expected


@pytest.mark.parametrize(
    "fields, is_unchanged",
    [
        ({}, True),
        ({"run_id": "this"}, True),
        ({"created_at": NOW - 201 * HOUR}, False),
        ({"created_at": NOW - 200 * HOUR}, True),
        ({"fingerprint": "a-0"}, False),
        ({"is_active": False}, False),
    ],
)
def test_an_import_is_confirmed_if_its_export_has_not_changed(fields, is_unchanged):
    ended = job(is_confirmed=False, **fields)
    confirm = Step("CONFIRMING", ConfirmImport(ended))
    assert step(ended) == (confirm if is_unchanged else CREATE)


OWN = job(run_id="this", is_confirmed=False)
OWN_RUNNING = OWN._replace(is_running=True, is_active=False)
TAINTED_NOW = {"tainted_arn": "job-1", "tainted_at": NOW}
TAINT = Step("IMPORTING", TaintImport(OWN), progress_changes=TAINTED_NOW)
CONFIRM = Step("CONFIRMING", ConfirmImport(OWN))
WRITTEN_AGAIN = EXPORT._replace(newest_at=NOW)
LATE = {"began_at": NOW - 6 * HOUR}
UNTAGGED = fail("IMPORTING", "job-1 is tainted, but the tag that says so cannot be written")
IS_REMEMBERED = {"progress": TAINTED_NOW}
SEEN_BEFORE = {**TAINTED_NOW, "tainted_at": NOW - 5 * HOUR}
TAINT_AGAIN = TAINT._replace(progress_changes=SEEN_BEFORE)
HOURS_AGO = {**TAINTED_NOW, "tainted_at": NOW - 6 * HOUR}


@pytest.mark.parametrize(
    "own, fields, expected",
    [
        (OWN_RUNNING, {"export": OTHER}, TAINT),
        (OWN, {"export": OTHER}, TAINT),
        (OWN, IS_REMEMBERED, TAINT),
        (OWN, {"progress": {**SEEN_BEFORE, **LATE}}, TAINT_AGAIN),
        (OWN, {"progress": HOURS_AGO}, UNTAGGED),
        (OWN, {"progress": LATE, "export": OTHER}, TAINT),
        (OWN._replace(is_tainted=True), IS_REMEMBERED, fail("IMPORTING", CHANGED)),
        (OWN, {"export": OTHER, "until_end": EXPORT}, CONFIRM),
        (OWN, {"export": WRITTEN_AGAIN, "until_end": OTHER}, fail("IMPORTING", CHANGED)),
        (OWN._replace(fingerprint="a-1-x"), {}, fail("IMPORTING", CHANGED)),
        (OWN._replace(fingerprint=""), {}, fail("IMPORTING", CHANGED)),
        (OWN._replace(fingerprint="b-1"), {}, fail("IMPORTING", CHANGED)),
        (OWN._replace(is_confirmed=True), {"export": OTHER}, fail("IMPORTING", CHANGED)),
        (OWN._replace(is_active=False, failure="no"), {"export": OTHER}, fail("IMPORTING", "no")),
        (
            OWN._replace(run_id="earlier"),
            {"progress": {"validated_fingerprint": "a-2"}, "export": OTHER},
            None,
        ),
        (OWN_RUNNING._replace(run_id="dead"), {"export": OTHER}, TAINT),
        (OWN._replace(run_id="dead"), IS_REMEMBERED, TAINT),
    ],
    ids=[
        "running",
        "ended",
        "the tag was lost",
        "for hours",
        "for too long",
        "late",
        "tainted",
        "a file was written after the end",
        "a file was written again after the end as it was",
        "another schema",
        "without its tag",
        "elsewhere",
        "confirmed before",
        "failed",
        "of another run",
        "of a dead run that still runs",
        "of a dead run, and the tag was lost",
    ],
)
def test_an_import_is_tainted_for_ever_if_its_run_has_seen_other_files(own, fields, expected):
    expected = expected or Step("WAITING", CreateImport(OTHER))
    if hasattr(expected.action, "job"):
        expected = expected._replace(action=replace(expected.action, job=own))

    assert step(own, **fields) == expected


FULL = job(fingerprint="c-1")
ADDED = job(2, is_full=False, is_confirmed=False)
TAINTED = ADDED._replace(is_tainted=True)
FULL_NEEDED = (
    "job-2 may have imported other rows than its export has; to replace them, import a complete "
    'export with importMode FULL ("Replace bad data" in docs/emergencies.md)'
)
REFUSED = fail("CHECKING", FULL_NEEDED)


@pytest.mark.parametrize(
    "jobs, expected",
    [
        ([ADDED._replace(fingerprint="a-0")], REFUSED),
        ([TAINTED, FOREIGN], REFUSED),
        ([TAINTED, job(3, fingerprint="b-1")], CREATE),
        ([TAINTED._replace(fingerprint="b-1")], CREATE),
    ],
    ids=["never confirmed", "tainted", "replaced by a confirmed FULL import", "of another day"],
)
@pytest.mark.parametrize("requested_at", [None, NOW])
def test_no_export_is_appended_again_of_which_a_part_may_be_there(jobs, expected, requested_at):
    assert step(FULL, *jobs, is_full=False, requested_at=requested_at) == expected


@pytest.mark.parametrize(
    "own, expected",
    [
        (TAINTED, fail("IMPORTING", FULL_NEEDED)._replace(action=TaintDataset(TAINTED))),
        (ADDED._replace(fingerprint="a-1-x"), fail("IMPORTING", FULL_NEEDED)),
        (
            ADDED._replace(fingerprint="a-0", is_confirmed=True),
            fail(
                "IMPORTING",
                "the export has changed since it was imported; write new rows to the location of a "
                "later day",
            ),
        ),
    ],
)
def test_a_dataset_gets_a_tag_about_a_tainted_import_that_was_added(own, expected):
    own = own._replace(run_id="this")
    action = TaintDataset(own) if expected.action else None
    assert step(FULL, own, is_full=False) == expected._replace(action=action)


RUNNING = job(is_running=True, is_active=False, run_id=None, created_at=NOW - 10 * MINUTE)
OLD = RUNNING._replace(created_at=NOW - 50 * HOUR)
OVERDUE = fail(
    "IMPORTING",
    "job-1 is still running after 6 hours; no import can be stopped, so wait for its end, or ask "
    "AWS Support",
)


def test_a_running_import_is_waited_for_whoever_has_started_it():
    assert step(RUNNING, durations=[1200]).pause == choose_poll_pause([1200], 600)
    assert step(OLD, progress={"began_at": NOW - 6 * HOUR}) == OVERDUE
    assert step(OLD, progress={"began_at": NOW - 5 * HOUR}).outcome is None
    assert step(RUNNING, progress={"began_at": NOW - 6 * HOUR}).outcome is None


@pytest.mark.parametrize(
    "export, progress, expected",
    [
        (OTHER, {"problems": ["no header"]}, Step("CHECKING", ValidateExport("a-2"))),
        (OTHER, {"validated_fingerprint": "a-2"}, Step("WAITING", CreateImport(OTHER))),
        (
            OTHER,
            {"validated_fingerprint": "a-2", "problems": ["a", "b"]},
            fail("CHECKING", "a", "b"),
        ),
        (EXPORT, {"sent_at": NOW - 2 * MINUTE}, Step("WAITING", pause=60)),
        (EXPORT, {"sent_at": NOW - 3 * MINUTE}, CREATE),
        (
            EXPORT,
            {"began_at": NOW - 6 * HOUR, "delayed_by": "no slot"},
            fail("WAITING", "gave up after 6 hours: no slot"),
        ),
        (
            EXPORT,
            {"began_at": NOW - 6 * HOUR},
            fail("WAITING", "gave up after 6 hours: Personalize did not answer"),
        ),
        (EXPORT, {"began_at": NOW - 5 * HOUR}, CREATE),
    ],
)
def test_an_export_is_checked_again_if_it_has_changed_and_created_once(export, progress, expected):
    assert step(export=export, progress=progress) == expected


@pytest.mark.parametrize(
    "jobs, numbers",
    [
        ([job(2, is_full=False), job(1)], [1, 2]),
        ([job(1), job(2), job(3, is_full=False), job(4, is_active=False)], [2, 3]),
        ([job(1, is_full=False), job(2, is_full=False)], [1, 2]),
        ([job(1, is_full=False, ended_at=NOW), job(2)], [2, 1]),
        ([job(1, ended_at=NOW), job(2, is_full=False)], [1]),
    ],
)
def test_a_dataset_holds_the_newest_full_import_and_all_later_ones(jobs, numbers):
    assert [job.arn for job in list_effective_imports(jobs)] == [
        f"job-{number}" for number in numbers
    ]


@pytest.mark.parametrize(
    "later, numbers",
    [
        ([], [1]),
        ([job(2, is_full=False)], [1]),
        ([ADDED], [1, 2]),
        ([job(2)], []),
        ([job(2, is_confirmed=False)], [2]),
        ([FOREIGN], []),
        ([TAINTED, FOREIGN], [2]),
        ([TAINTED._replace(run_id=None, fingerprint=""), FOREIGN], [2]),
        ([TAINTED, job(3)], []),
        ([TAINTED, job(3, created_at=TAINTED.created_at)], [2]),
        ([TAINTED, job(3, is_confirmed=False)], [2, 3]),
        ([TAINTED._replace(is_full=True), FOREIGN], []),
    ],
    ids=[
        "none",
        "of the same export",
        "added",
        "imported again",
        "replaced",
        "foreign",
        "tainted before",
        "named by the dataset",
        "replaced by a later one",
        "created before its end",
        "replaced, but not confirmed",
        "a tainted FULL import",
    ],
)
def test_an_import_is_unconfirmed_until_a_full_import_has_replaced_its_data(later, numbers):
    jobs = [job(is_confirmed=False, fingerprint="a-0"), *later]
    assert [job.arn for job in list_unconfirmed_imports(jobs[::-1])] == [
        f"job-{n}" for n in numbers
    ]


def test_a_full_export_is_imported_again_after_rows_that_nobody_has_checked():
    assert step(job(), ADDED._replace(fingerprint="b-1")) == CREATE
    assert step(job(), job(2, is_full=False)) == DONE
    assert step(job(), ADDED._replace(fingerprint="b-1"), is_full=False) == DONE


OLD_IMPORT = job(50, run_id=None, fingerprint="", is_full=False)
"""An import that is too old to be looked at counts as confirmed, and as nobody's."""


def test_an_import_that_was_not_looked_at_is_neither_foreign_nor_a_proof():
    assert step(FOREIGN, OLD_IMPORT, is_full=False) == CREATE, "the pipeline accepts the first data"
    assert step(OLD_IMPORT._replace(is_full=True)) == CREATE
    assert [job.is_foreign for job in (OLD_IMPORT, FOREIGN)] == [False, True]
    assert find_import_watermark([job(), OLD_IMPORT, ADDED]) == f"{OLD_IMPORT.created_at:%Y-%m-%d}"
