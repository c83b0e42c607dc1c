"""The rules about data that a version was trained on although no run has started its training."""

from datetime import timedelta

import pytest

from functions.rules.training_data import (
    compute_digest,
    infer_digest,
    judge_training_data,
    list_imports_ended_by,
    list_imports_running_at,
)
from functions.rules.versions import NO_VERSION
from tests.model.import_jobs import HOUR, MINUTE, NOW, job

STARTED_AT = NOW - 10 * HOUR
VERSION = NO_VERSION._replace(arn="solution/v", created_at=STARTED_AT, is_active=True)
EARLIER = job()
LATER = job(95)
UNCONFIRMED = job(2, is_confirmed=False)
FOREIGN = job(3, run_id=None, is_confirmed=False)
TAINTED = job(4, is_full=False, is_tainted=True, is_confirmed=False)
DURING = job(5, created_at=STARTED_AT - MINUTE, ended_at=STARTED_AT + HOUR)
FOREIGN_TEXT = "it was trained on job-3, a FULL import that this pipeline did not start"
TAINTED_TEXT = "it was trained on job-4, which may have other rows than its export"
PARTIAL = "it was trained on job-2, which may lack a part of its export"
UNCONFIRMED_DURING = DURING._replace(is_confirmed=False)


def judged(*imports, is_full=True):
    """Return the version with what is wrong with its data."""
    return judge_training_data(VERSION, imports, {"items": is_full})


def test_imports_count_as_they_were_when_the_training_started():
    failed = job(6, is_active=False)
    failed_later = DURING._replace(is_active=False)
    imports = [EARLIER, failed, failed_later, DURING, LATER]
    assert list_imports_ended_by(imports, STARTED_AT) == [EARLIER]
    assert list_imports_running_at(imports, STARTED_AT) == [DURING]


def test_the_digest_is_that_of_the_imports_which_had_ended():
    inferred = infer_digest(VERSION, [EARLIER, DURING, LATER], "config")
    assert inferred.digest == compute_digest([EARLIER], "config")
    assert infer_digest(VERSION, [EARLIER, DURING, LATER]).imports_hash == inferred.imports_hash


@pytest.mark.parametrize(
    "imports, is_full, problem",
    [
        ([EARLIER], True, None),
        ([], True, None),
        ([EARLIER, UNCONFIRMED], True, PARTIAL),
        ([UNCONFIRMED, LATER], True, PARTIAL),
        (
            [EARLIER, FOREIGN],
            True,
            FOREIGN_TEXT,
        ),
        ([EARLIER, FOREIGN._replace(dataset_arn="users")], True, None),
        (
            [EARLIER, TAINTED],
            False,
            TAINTED_TEXT,
        ),
        ([EARLIER, DURING], True, None),
        (
            [EARLIER, UNCONFIRMED_DURING],
            True,
            PARTIAL.replace("2", "5"),
        ),
        ([EARLIER, UNCONFIRMED_DURING._replace(is_active=False)], True, None),
        (
            [EARLIER, UNCONFIRMED_DURING._replace(is_active=False, is_running=True)],
            True,
            PARTIAL.replace("2", "5"),
        ),
        ([UNCONFIRMED, DURING], True, PARTIAL),
    ],
    ids=[
        "confirmed",
        "no imports",
        "unconfirmed",
        "replaced later",
        "foreign",
        "not configured",
        "tainted",
        "confirmed meanwhile",
        "unconfirmed meanwhile",
        "failed meanwhile",
        "still running",
        "replaced meanwhile",
    ],
)
def test_data_is_trusted_only_if_a_run_has_confirmed_it(imports, is_full, problem):
    untrusted_data = judged(*imports, is_full=is_full).untrusted_data
    if problem is None:
        assert untrusted_data is None
    else:
        assert untrusted_data.startswith(problem)


@pytest.mark.parametrize(
    "imports, warns",
    [
        ([EARLIER], False),
        ([EARLIER, DURING], True),
        ([EARLIER, DURING._replace(is_active=False)], False),
        ([EARLIER, DURING._replace(created_at=STARTED_AT + timedelta(seconds=1))], False),
        ([EARLIER, DURING._replace(ended_at=STARTED_AT)], False),
    ],
    ids=["ended before", "running", "failed", "began after", "ended just before"],
)
def test_an_import_that_ran_when_the_training_started_is_a_warning(imports, warns):
    warnings = judged(*imports).data_warnings
    assert [
        warning.startswith("the import job-5 was running when the training of v started")
        for warning in warnings
    ] == [True] * warns
