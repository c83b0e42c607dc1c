"""Tests of the datasets of a run: which exports are imported, and how long that probably takes."""

import pytest

from functions.planning.export_search import list_days_to_search, resolve_datasets
from functions.s3.exports import hash_location
from tests.functions.samples import (
    FINGERPRINT,
    NOW,
    STARTED,
    ago,
    dataset_of_run,
    dataset_settings,
    dataset_view,
    export,
    held_import,
    imported,
    items_settings,
    run,
    settings,
)

DATED = dataset_settings(
    dataLocation="s3://exports/{date}/{date}.csv", readyMarker="s3://exports/{date}/{date}.SUCCESS"
)
DAY = {
    **DATED,
    "dataLocation": "s3://exports/2026-11-28/2026-11-28.csv",
    "readyMarker": "s3://exports/2026-11-28/2026-11-28.SUCCESS",
    "day": "2026-11-28",
}
RUNNING = imported(is_running=True, is_active=False)


def of_imports(*imports, request=None, **changes):
    """Return the view of a dataset with these imports."""
    return dataset_view(request, imports=imports, **changes)


def import_of_day(day, mode="FULL", **changes):
    """Return an import that holds the export of a day."""
    planned = f"{hash_location(DATED['dataLocation'].replace('{date}', day))}-x"
    return held_import(fingerprint=planned, is_full=mode == "FULL", **changes)


# The date in a location


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "20261128T233000Z"},
        {"id": "20261128-0a1b2c3d"},
        {"id": "20261128T233000Z", "startedAt": "2026-12-01T00:00:00Z"},
    ],
    ids=["scheduled", "started by hand", "begun late"],
)
def test_a_date_in_a_location_is_the_day_of_the_run(changes):
    both = settings(datasets=[DATED, items_settings()])
    assert resolve_datasets(both, run(**changes)) == [DAY, {**items_settings(), "day": None}]


@pytest.mark.parametrize("dataset", [DAY, dataset_of_run()], ids=["with a day", "without a day"])
def test_the_day_of_a_request_is_about_locations_with_a_day(dataset):
    view = dataset_view({"exportDate": "2026-11-28"}, dataset=dataset)
    assert view.has_export_date == (dataset is DAY)


# Which exports are imported


def test_the_plan_has_the_export_whose_content_was_checked():
    planned = of_imports().plan_import()
    assert (planned["fingerprint"], planned["bytes"]) == (FINGERPRINT, 1000)
    assert planned["newestObjectAt"] == ago(2).isoformat()
    nothing = dataset_view(exports=export(objects=[], samples=[])).plan_import()

    assert (nothing["bytes"], nothing["newestObjectAt"]) == (0, None)


def test_the_last_five_successful_imports_with_this_mode_count_for_the_durations():
    def lasted(minutes, **changes):
        return imported(created_at=ago(minutes=minutes), ended_at=NOW, **changes)

    imports = [
        lasted(1, is_active=False),
        lasted(2, is_full=False),
        *(lasted(minutes) for minutes in (3, 4, 5, 6, 7, 8)),
    ]
    assert of_imports(*imports).plan_import()["durations"] == [180, 240, 300, 360, 420]


@pytest.mark.parametrize(
    "request_, changes, mode, requested",
    [
        ({"force": True}, {}, "FULL", True),
        ({"force": True}, {}, "INCREMENTAL", True),
        ({}, {"skipWhenUnchanged": False}, "FULL", True),
        ({}, {"skipWhenUnchanged": False}, "INCREMENTAL", False),
        ({}, {}, "FULL", False),
    ],
)
def test_an_import_is_requested_by_force_or_by_a_setting(request_, changes, mode, requested):
    known = {
        "request": request_,
        "settings_": settings(datasets=[dataset_settings(importMode=mode)], **changes),
        "dataset": dataset_of_run(importMode=mode),
    }
    planned = of_imports(**known).dataset_state.export.fingerprint
    held = of_imports(held_import(is_full=mode == "FULL", fingerprint=planned), **known)

    assert held.is_import_requested == requested
    assert held.needs_import == (requested and mode == "FULL"), "no export is appended twice"


@pytest.mark.parametrize(
    "imports, reason",
    [
        ([], "the dataset was never imported"),
        ([imported()], "this pipeline did not start the last import (2026-11-27 03:40 UTC)"),
        (
            [imported(is_full=False, ended_at=ago(9)), held_import(fingerprint="other")],
            "this pipeline did not start the last import (2026-11-28 18:10 UTC)",
        ),
        (
            [held_import(fingerprint="other", created_at=ago(3), ended_at=ago(1))],
            "the export is newer than the last import (2026-11-29 02:10 UTC)",
        ),
        (
            [held_import(fingerprint="other", created_at=ago(1.5), ended_at=ago(1))],
            "the export has changed since the last import (2026-11-29 02:10 UTC)",
        ),
    ],
    ids=["none", "foreign", "added", "written during it", "changed"],
)
def test_an_import_has_a_reason(imports, reason):
    assert of_imports(*imports).decision == ("import", reason)


def test_what_was_imported_since_the_beginning_of_the_run_is_not_imported_again():
    since = held_import(created_at=STARTED)
    assert of_imports(since, request={"force": True}).decision.action == "keep"


UNCONFIRMED = held_import(arn="unconfirmed", is_full=False, is_confirmed=False)
TAINTED = UNCONFIRMED._replace(is_tainted=True, ended_at=ago(0.5))


@pytest.mark.parametrize(
    "job, changes, is_tainted",
    [
        (UNCONFIRMED, {}, True),
        (UNCONFIRMED._replace(is_confirmed=True), {}, False),
        (UNCONFIRMED._replace(ended_at=ago(1)), {}, False),
        (UNCONFIRMED._replace(ended_at=ago(1, seconds=1)), {}, True),
        (TAINTED, {}, True),
        (TAINTED._replace(is_full=True), {}, False),
        (TAINTED, {"exports": export(read_error="no access")}, False),
        (TAINTED, {"dataset": dataset_of_run(day="2026-11-27")}, True),
        (TAINTED, {"dataset": dataset_of_run(day="2026-11-26")}, False),
    ],
    ids=[
        "never confirmed",
        "confirmed",
        "it may be confirmed now",
        "given up",
        "tainted",
        "FULL",
        "its export may be unchanged",
        "of this day",
        "a run for an earlier day",
    ],
)
def test_a_dataset_is_tainted_by_an_appended_import_that_no_run_can_confirm(
    job, changes, is_tainted
):
    full = imported(ended_at=ago(100))
    assert of_imports(job, full, **changes).unconfirmable_import == (job if is_tainted else None)


# Days and ready markers

APPENDED = {**DAY, "importMode": "INCREMENTAL"}
FULL = imported(created_at=ago(97), ended_at=ago(96))
REPLACING = FULL._replace(ended_at=ago(0.1))
LATE = import_of_day("2026-11-25", "INCREMENTAL", is_confirmed=False, ended_at=ago(0.5))
SEARCHED = {"2026-11-26": False, "2026-11-27": False}


@pytest.mark.parametrize(
    "jobs, searched",
    [
        ([], SEARCHED),
        ([LATE], {"2026-11-25": True, **SEARCHED}),
        ([LATE._replace(is_confirmed=True)], SEARCHED),
        ([LATE._replace(is_active=False)], SEARCHED),
        ([LATE._replace(is_active=False, is_running=True)], {"2026-11-25": True, **SEARCHED}),
        ([REPLACING, LATE], SEARCHED),
        ([REPLACING, LATE._replace(is_tainted=True)], {"2026-11-25": True, **SEARCHED}),
        (
            [LATE._replace(is_confirmed=True), LATE._replace(ended_at=ago(60))],
            {"2026-11-25": True, **SEARCHED},
        ),
        (
            [imported(is_full=False, is_confirmed=True, created_at=ago(72))],
            {"2026-11-27": False},
        ),
    ],
    ids=[
        "since the FULL import",
        "it may be confirmed",
        "held",
        "failed",
        "running",
        "replaced by a FULL import",
        "tainted before",
        "held, and unconfirmed before",
        "unread",
    ],
)
def test_days_are_searched_of_which_not_all_rows_are_certainly_there(jobs, searched):
    found = list_days_to_search(APPENDED, [*jobs, FULL])
    assert {item.day: item.is_imported for item in found} == searched
    assert {item.location for item in found} == {
        f"s3://exports/{day}/{day}.csv" for day in searched
    }


def test_a_month_of_days_is_searched_if_the_locations_of_an_incremental_export_have_days():
    days = [item.day for item in list_days_to_search(APPENDED, [])]
    assert (len(days), days[0], days[-1]) == (31, "2026-10-28", "2026-11-27")
    assert list_days_to_search({**APPENDED, "day": None}, []) == list_days_to_search(DAY, []) == []


@pytest.mark.parametrize(
    "imported_, mode, request_, needed",
    [
        ("2026-11-29", "FULL", {}, False),
        ("2026-11-30", "FULL", {"force": True}, False),
        ("2026-11-28", "FULL", {}, True),
        ("2026-11-27", "FULL", {}, True),
        ("2026-12-01", "FULL", {}, True),
        ("2026-11-29", "FULL", {"exportDate": "2026-11-28"}, True),
        ("2026-11-29", "INCREMENTAL", {}, True),
    ],
    ids=["later", "of tomorrow", "of this day", "earlier", "nonsense", "by a person", "added"],
)
def test_an_event_that_comes_late_does_not_bring_an_earlier_day_back(
    imported_, mode, request_, needed
):
    view = of_imports(
        imported(is_full=False, ended_at=ago(1)),
        import_of_day(imported_, mode),
        request=request_,
        settings_=settings(datasets=[{**DATED, "importMode": mode}]),
        dataset={**DAY, "importMode": mode},
    )

    assert view.needs_import == needed


def test_an_earlier_day_does_not_wait_for_the_import_of_a_later_one_to_replace_its_data():
    later = import_of_day("2026-11-29", is_running=True, is_active=False)
    view = of_imports(later, settings_=settings(datasets=[DATED]), dataset=DAY)
    assert view.decision == ("keep", "the export of a later day was imported")


@pytest.mark.parametrize(
    "changes, awaited",
    [
        ({}, True),
        ({"trigger": "manual"}, False),
        ({"settings_": settings(datasets=[DATED])}, False),
        ({"exports": export(marker_written_at=ago(1))}, False),
        ({"dataset": {**DAY, "readyMarker": None}}, False),
    ],
    ids=["awaited", "a person starts", "markers start no runs", "written", "no marker"],
)
def test_a_scheduled_run_leaves_an_export_without_its_marker_to_the_run_of_the_marker(
    changes, awaited
):
    on_export = settings(datasets=[DATED], triggerOnExport=True)
    view = dataset_view(**{"settings_": on_export, "dataset": DAY, **changes})
    assert (view.awaits_marker, view.needs_import) == (awaited, not awaited)
