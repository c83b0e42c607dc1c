"""Tests of the sentences about a dry run."""

import pytest

from functions.dry_run import dry_run_sentences
from tests.functions.samples import NOW, finished, iso, plan, planned_import, run, settings


@pytest.mark.parametrize(
    ("written_at", "age"),
    [
        (iso(minutes=90), ", written 1.5 hours ago"),
        (iso(minutes=60), ", written 1.0 hours ago"),
        (iso(minutes=59), ", written 59 minutes ago"),
        (iso(minutes=1), ", written 1 minute ago"),
        (iso(minutes=-1), ", written 0 minutes ago"),
        (None, ""),
    ],
)
def test_the_age_of_an_export_is_in_minutes_or_hours(written_at, age):
    document = finished(
        run=run({"dryRun": True}, startedAt=NOW.isoformat()),
        settings=settings(),
        plan=plan(imports=[planned_import(newestObjectAt=written_at)]),
    )
    planned = planned_import()
    assert next(dry_run_sentences(document)) == (
        f"interactions would be imported from {planned['dataLocation']}: "
        f"{planned['tags']['retraining-bytes']} bytes{age}."
    )
