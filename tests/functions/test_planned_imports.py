"""Tests of the planned imports: what a run imports, and how long it probably takes."""

import pytest

from functions.personalize.imports import location_digits
from functions.planning import planned_imports
from tests.functions.samples import (
    DATASET,
    FINGERPRINT,
    LOCATION,
    NOW,
    ago,
    dataset_of_run,
    dataset_settings,
    export,
    held_import,
    imported,
    settings,
    situation,
)

DATED = "s3://exports/{date}.csv"


def of_dataset(request=None, *imports, dataset=None, **changes):
    """Return the situation of a dataset with these imports."""
    of_run = situation(request, imports={DATASET: imports}, **changes)
    return of_run.with_dataset(dataset or dataset_of_run())


def of_day(day, mode, *imports, request=None, on_export=True):
    """Return the situation of a dataset whose location has the day of the run."""
    dataset = dataset_settings(dataLocation=DATED, importMode=mode)
    return of_dataset(
        request,
        *imports,
        dataset={**dataset, "dataLocation": DATED.replace("{date}", day), "day": day},
        settings_=settings(datasets=[dataset], triggerOnExport=on_export),
    )


def import_of_day(day, mode="FULL", **changes):
    """Return an import that holds the export of a day."""
    planned = f"{location_digits(DATED.replace('{date}', day))}-x"
    return held_import(planned=planned, is_full=mode == "FULL", **changes)


def test_the_plan_has_the_export_whose_content_was_checked():
    assert planned_imports.planned_import(of_dataset()) == {
        "type": "interactions",
        "dataLocation": LOCATION,
        "fingerprint": FINGERPRINT,
        "bytes": 1000,
        "newestObjectAt": ago(2).isoformat(),
        "isRequested": False,
        "durations": [],
    }


def test_an_empty_export_has_no_newest_object():
    nothing = {DATASET: export(objects=[], samples=[])}
    assert planned_imports.planned_import(of_dataset(exports=nothing))["newestObjectAt"] is None


def test_the_last_five_successful_imports_with_this_mode_count_for_the_durations():
    def lasted(minutes, **changes):
        return imported(created_at=ago(minutes=minutes), ended_at=NOW, **changes)

    imports = [
        lasted(1, is_active=False),
        lasted(2, is_full=False),
        *(lasted(minutes) for minutes in (3, 4, 5, 6, 7, 8)),
    ]
    planned = planned_imports.planned_import(of_dataset(None, *imports))
    assert planned["durations"] == [180, 240, 300, 360, 420]


RUNNING = imported(is_running=True, is_active=False)


@pytest.mark.parametrize(
    ("imports", "needed"),
    [
        ([], True),
        ([held_import()], False),
        ([held_import(is_held=False)], True),
        ([held_import(), RUNNING], True),
    ],
    ids=["none", "held", "not held", "another is running"],
)
def test_an_export_is_imported_unless_the_rules_say_that_the_dataset_holds_it(imports, needed):
    assert planned_imports.needs_import(of_dataset(None, *imports)) == needed


def test_an_import_of_this_export_that_is_running_has_begun():
    assert not planned_imports.has_begun_import(of_dataset(None, RUNNING))
    own = RUNNING._replace(run="x", planned=FINGERPRINT)
    assert planned_imports.has_begun_import(of_dataset(None, own))


@pytest.mark.parametrize(
    ("request_", "settings_", "mode", "requested"),
    [
        ({"force": True}, settings(), "FULL", True),
        ({"force": True}, settings(), "INCREMENTAL", True),
        ({}, settings(skipWhenUnchanged=False), "FULL", True),
        ({}, settings(skipWhenUnchanged=False), "INCREMENTAL", False),
        ({}, settings(), "FULL", False),
    ],
)
def test_an_import_is_requested_by_force_or_by_a_setting(request_, settings_, mode, requested):
    dataset = dataset_of_run(importMode=mode)
    settings_ = {**settings_, "datasets": [dataset_settings(importMode=mode)]}
    of_mode = of_dataset(request_, held_import(), settings_=settings_, dataset=dataset)
    assert planned_imports.imports_are_requested(of_mode) == requested
    planned = of_mode.seen.export.fingerprint
    holds = held_import(is_full=mode == "FULL", planned=planned)
    held = of_dataset(request_, holds, settings_=settings_, dataset=dataset)
    assert planned_imports.needs_import(held) == (requested and mode == "FULL"), (
        "no export is appended twice"
    )


# Days


@pytest.mark.parametrize("day", ["2026-11-30", "2026-11-29", "2026-01-01"])
def test_the_day_of_an_import_is_known_by_the_location_in_its_fingerprint(day):
    of_dataset_ = of_day("2026-11-29", "FULL")
    assert planned_imports.imported_day(of_dataset_, import_of_day(day)) == day
    assert planned_imports.imported_day(of_dataset_, imported()) is None
    nonsense = imported(run="x", planned="no day")
    assert planned_imports.imported_day(of_dataset_, nonsense) is None


@pytest.mark.parametrize(
    ("imported_", "mode", "request_", "on_export", "needed"),
    [
        ("2026-11-29", "FULL", {}, True, False),
        ("2026-11-27", "FULL", {}, True, True),
        ("2026-11-29", "FULL", {"exportDate": "2026-11-28"}, True, True),
        ("2026-11-29", "INCREMENTAL", {}, True, True),
        ("2026-11-29", "FULL", {}, False, False),
    ],
)
def test_a_late_ready_marker_does_not_bring_an_earlier_day_back(
    imported_, mode, request_, on_export, needed
):
    later = import_of_day(imported_, mode)
    of_run = of_day("2026-11-28", mode, later, request=request_, on_export=on_export)
    assert planned_imports.needs_import(of_run) == needed
