"""The rules of an import, one row for each situation. tests/model plays them in random order."""

import pytest
from import_jobs import FINGERPRINT, HOUR, MINUTE, NOW, job

from functions.rules.imports import (
    CheckContent,
    Confirm,
    Create,
    Export,
    Memory,
    SeenDataset,
    WantedImport,
    decide,
    effective_imports,
    foreign_replacement,
    partial_import,
)
from functions.rules.pacing import pause
from functions.rules.steps import Step, failed

EXPORT = Export(FINGERPRINT, 1000, NOW - 200 * HOUR)
OTHER = EXPORT._replace(fingerprint="a-2")


def step(*jobs, export=EXPORT, memory=(), **fields):
    """Return the step of the rules for a dataset with these import jobs."""
    wanted = WantedImport(**{"run": "this", "is_full": True, "max_hours": 6, **fields})
    remembered = Memory(**{"began_at": NOW, "checked": FINGERPRINT, **dict(memory)})
    return decide(SeenDataset(imports=jobs, export=export), wanted, remembered, NOW)


DONE = Step("IMPORTED", outcome="IMPORTED")
CREATE = Step("WAITING", Create(EXPORT))
CHANGED = "the export changed while it was imported; the next run imports it again"
FOREIGN = job(9, run=None, fingerprint=None, is_confirmed=False)
REPLACED = (
    "job-9, which this pipeline did not start, has replaced the data; to append the export anyway, "
    "use retrain start --force"
)


@pytest.mark.parametrize(
    ("jobs", "fields", "expected"),
    [
        ([], {}, CREATE),
        ([job()], {}, DONE),
        ([job(fingerprint="a-0")], {}, CREATE),
        ([job(), job(2, fingerprint="a-0")], {}, CREATE),
        ([job(), job(2, is_active=False, is_confirmed=False)], {}, DONE),
        ([job(), FOREIGN], {}, CREATE),
        ([job(is_full=False), FOREIGN], {"is_full": False}, failed("CHECKING", REPLACED)),
        ([FOREIGN], {"is_full": False}, CREATE),
        ([job(is_full=False), FOREIGN], {"is_full": False, "requested_at": NOW}, CREATE),
        ([FOREIGN, job(10, is_full=False)], {"is_full": False}, DONE),
        ([job(), job(2, is_full=False, fingerprint="a-0")], {"is_full": False}, DONE),
        ([job()], {"requested_at": NOW}, CREATE),
        ([job()], {"requested_at": NOW - 99 * HOUR}, DONE),
        ([job(created_at=NOW)], {"requested_at": NOW}, DONE),
        ([job(), job(2, is_full=False)], {"is_full": False, "requested_at": NOW}, DONE),
        ([job(run="this")], {}, DONE),
        ([job(run="this", fingerprint="a-0")], {}, failed("IMPORTING", CHANGED)),
        ([job(run="this", is_active=False, failure="no")], {}, failed("IMPORTING", "no")),
        (
            [job(run="this", is_active=False)],
            {},
            failed("IMPORTING", "job-1 has failed without a reason"),
        ),
        (
            [job(run="this"), FOREIGN],
            {},
            failed("IMPORTING", "another import has replaced the data of job-1"),
        ),
    ],
)
def test_an_export_that_is_not_held_is_imported_once(jobs, fields, expected):
    assert step(*jobs, **fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Step("CONFIRMING", Confirm("job-1", FINGERPRINT))),
        ({"run": "this"}, Step("CONFIRMING", Confirm("job-1", FINGERPRINT))),
        ({"created_at": NOW - 201 * HOUR}, CREATE),
        ({"created_at": NOW - 200 * HOUR}, Step("CONFIRMING", Confirm("job-1", FINGERPRINT))),
        ({"fingerprint": "a-0"}, CREATE),
        ({"is_active": False}, CREATE),
    ],
)
def test_an_import_is_confirmed_if_its_export_has_not_changed(fields, expected):
    assert step(job(is_confirmed=False, **fields)) == expected


RUNNING = job(is_running=True, is_active=False, run=None, created_at=NOW - 10 * MINUTE)
OLD = RUNNING._replace(created_at=NOW - 50 * HOUR)
OVERDUE = failed(
    "IMPORTING",
    "job-1 is still running after 6 hours; no import can be stopped, so wait for its end, or ask "
    "AWS Support",
)


def test_a_running_import_is_waited_for_whoever_has_started_it():
    assert step(RUNNING, durations=[1200]).pause == pause([1200], 600)
    assert step(OLD, memory={"began_at": NOW - 6 * HOUR}) == OVERDUE
    assert step(OLD, memory={"began_at": NOW - 5 * HOUR}).outcome is None
    assert step(RUNNING, memory={"began_at": NOW - 6 * HOUR}).outcome is None


@pytest.mark.parametrize(
    ("export", "memory", "expected"),
    [
        (OTHER, {"problems": ["no header"]}, Step("CHECKING", CheckContent("a-2"))),
        (OTHER, {"checked": "a-2"}, Step("WAITING", Create(OTHER))),
        (OTHER, {"checked": "a-2", "problems": ["a", "b"]}, failed("CHECKING", "a", "b")),
        (EXPORT, {"sent_at": NOW - 2 * MINUTE}, Step("WAITING", pause=60)),
        (EXPORT, {"sent_at": NOW - 3 * MINUTE}, CREATE),
        (
            EXPORT,
            {"began_at": NOW - 6 * HOUR, "blocked_by": "no slot"},
            failed("WAITING", "gave up after 6 hours: no slot"),
        ),
        (
            EXPORT,
            {"began_at": NOW - 6 * HOUR},
            failed("WAITING", "gave up after 6 hours: Personalize did not answer"),
        ),
        (EXPORT, {"began_at": NOW - 5 * HOUR}, CREATE),
    ],
)
def test_an_export_is_checked_again_if_it_has_changed_and_created_once(export, memory, expected):
    assert step(export=export, memory=memory) == expected


@pytest.mark.parametrize(
    ("jobs", "numbers"),
    [
        ([job(2, is_full=False), job(1)], [1, 2]),
        ([job(1), job(2), job(3, is_full=False), job(4, is_active=False)], [2, 3]),
        ([job(1, is_full=False), job(2, is_full=False)], [1, 2]),
    ],
)
def test_a_dataset_holds_the_newest_full_import_and_all_later_ones(jobs, numbers):
    assert [job.arn for job in effective_imports(jobs)] == [f"job-{number}" for number in numbers]


def test_a_dataset_of_an_earlier_time_holds_what_had_ended_by_then():
    jobs = [job(1), job(2)]
    assert effective_imports(jobs, jobs[1].ended_at - MINUTE) == jobs[:1]
    assert effective_imports(jobs, jobs[1].ended_at) == jobs[1:]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([], "job-1"),
        ([job(2, is_full=False)], None),
        ([job(2, is_full=False, fingerprint="b-1")], "job-1"),
        ([job(2, is_full=False, is_confirmed=False)], "job-2"),
        ([job(2)], None),
        ([job(2, is_active=False)], "job-1"),
    ],
)
def test_an_import_is_partial_until_one_of_the_same_location_is_held(later, expected):
    partial = partial_import([job(is_confirmed=False, fingerprint="a-0"), *later])
    assert (partial and partial.arn) == expected
    assert partial_import([FOREIGN]) is None, "a foreign import was not planned"


@pytest.mark.parametrize(
    ("imports", "is_replaced"),
    [
        ([job(), FOREIGN], True),
        ([FOREIGN], False),
        ([job(), FOREIGN, job(10, is_full=False)], False),
        ([job(), FOREIGN._replace(is_full=False)], False),
        ([job(is_active=False), FOREIGN], False),
    ],
)
def test_data_are_replaced_only_if_the_pipeline_had_imported_before(imports, is_replaced):
    assert foreign_replacement(imports, is_full=False) == (FOREIGN if is_replaced else None)
