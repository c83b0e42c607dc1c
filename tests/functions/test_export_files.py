"""Tests of the guards of the files of an export: which files they find, and with which message."""

from dataclasses import replace

import pytest

from functions.exports import Export
from functions.planning.export_files import (
    byte_order_mark,
    ignored_subfolders,
    missing_export,
    other_files,
    unreadable_file,
)
from tests.functions.samples import DATASET, LOCATION, export, messages, s3_object, sample

FOLDER = "s3://exports/interactions/"
NO_EXPORT = Export(location=LOCATION)


def found(check, known_export):
    """Return the messages of a guard about this export of interactions."""
    return messages(check, exports={DATASET: known_export})


# The export is there


def test_an_export_that_is_there_passes():
    assert found(missing_export, export()) == []


def test_an_export_that_cannot_be_read_is_found_with_the_reason():
    unreadable = Export(location=LOCATION, read_error=f"{LOCATION} cannot be read: AccessDenied: x")
    assert found(missing_export, unreadable) == [
        (
            f"{LOCATION} cannot be read: AccessDenied: x; check that it exists and that the "
            "role of plan-retraining may list and read it"
        )
    ]


def test_an_export_that_was_not_written_is_found():
    assert found(missing_export, NO_EXPORT) == [
        f"there is no object at {LOCATION}; check dataLocation and the job that writes the export"
    ]


@pytest.mark.parametrize(
    "files", [[sample()], [sample(), sample(header=())]], ids=["one file", "two files"]
)
def test_an_export_without_any_row_is_found(files):
    without_rows = [replace(file, rows=()) for file in files]
    seen = export(objects=[s3_object()] * len(files), samples=without_rows)
    assert found(missing_export, seen) == [f"{LOCATION} has no rows; repeat the export"], (
        "a FULL import would delete all data"
    )


def test_one_file_of_several_may_have_no_row():
    files = [replace(sample(), rows=()), sample()]
    assert found(missing_export, export(objects=[s3_object()] * 2, samples=files)) == []


def test_several_empty_files_are_one_message():
    objects = [s3_object(), *[s3_object(key=f"{letter}.csv", size=0) for letter in "abc"]]
    assert found(missing_export, export(objects=objects)) == [
        (
            f"3 of 4 objects at {LOCATION} are empty, for example a.csv; if one is a marker, "
            "write it outside of this location, otherwise repeat the export"
        )
    ]


# Subfolders

DEEPER = [f"interactions/{day}/1.csv" for day in ("mon", "tue", "wed", "thu", "fri")]


def test_a_folder_that_has_only_subfolders_is_found():
    assert found(missing_export, Export(location=FOLDER, deeper_keys=DEEPER)) == [
        (
            f"the objects at {FOLDER} are all in subfolders: interactions/mon/1.csv, "
            "interactions/tue/1.csv, interactions/wed/1.csv and 2 more; Personalize imports only "
            "the first level of a folder; write the export there, or set dataLocation to the "
            "subfolder"
        )
    ]


def test_subfolders_beside_files_are_named():
    mixed = export(location=FOLDER, deeper_keys=DEEPER[:2])
    assert found(missing_export, mixed) == []
    assert found(ignored_subfolders, mixed) == [
        (
            f"objects in subfolders of {FOLDER} are not imported: interactions/mon/1.csv, "
            "interactions/tue/1.csv; Personalize imports only the first level of a folder; move "
            "them there, or away from this location"
        )
    ]


@pytest.mark.parametrize(
    "seen", [export(), Export(location=FOLDER, deeper_keys=DEEPER)], ids=["none", "nothing else"]
)
def test_there_is_no_warning_without_files_beside_subfolders(seen):
    assert found(ignored_subfolders, seen) == []


# Files with other names


def test_files_whose_names_do_not_end_in_csv_are_a_warning():
    objects = [s3_object(key=f"day/{name}") for name in ("a.csv", "b.CSV", "part-0", "c.json")]
    assert found(other_files, export(location=FOLDER, objects=objects)) == [
        (
            f"names of objects at {FOLDER} do not end in .csv: day/part-0, day/c.json; if the "
            "import fails because of them, rename them, or write them outside of this location"
        )
    ]
    assert found(other_files, export(location=FOLDER, objects=objects[:2])) == []


def test_a_single_file_may_have_any_name():
    assert found(other_files, export(location="s3://exports/part-0")) == []
    assert found(other_files, export(objects=[s3_object(key="part-0")])) == []


# Files that cannot be read


def test_a_file_that_cannot_be_read_is_found_once():
    bad = replace(sample(), header=(), rows=(), error="is a gzip file")
    seen = export(samples=[sample(), bad])
    assert found(unreadable_file, seen) == ["s3://exports/interactions.csv: is a gzip file"]
    assert found(missing_export, export(samples=[bad])) == [], "it may have rows"


def test_at_most_three_unreadable_files_are_named():
    bad = [replace(sample(key=f"{number}.csv"), error="is UTF-16") for number in range(5)]
    assert found(unreadable_file, export(samples=bad)) == [
        f"s3://exports/{number}.csv: is UTF-16" for number in range(3)
    ]


def test_a_byte_order_mark_is_a_warning():
    marked = export(samples=[sample(), sample(key="b.csv", has_byte_order_mark=True)])
    assert found(byte_order_mark, export()) == []
    assert found(byte_order_mark, marked) == [
        (
            f"files at {LOCATION} begin with a byte-order mark: b.csv; if the import fails because "
            "it misses the first column, export UTF-8 without the mark"
        )
    ]
