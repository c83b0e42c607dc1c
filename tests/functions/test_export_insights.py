"""Tests of the guards about what Personalize itself would say about the data after an import."""

import pytest

from functions.planning.export_insights import (
    refuse_failing_interactions,
    warn_of_doubtful_interactions,
    warn_of_incomplete_columns,
)
from functions.s3.csv_files import parse_sample
from tests.functions import samples as s
from tests.functions.samples import (
    DATASET,
    LOCATION,
    SOLUTION,
    dataset_of_run,
    dataset_settings,
    held_import,
    items_settings,
    messages,
    solution_resource,
    trained_version,
)

SEGMENTS = "arn:aws:personalize:::recipe/aws-item-affinity"
RESERVED = ("EVENT_TYPE", "EVENT_VALUE", "IMPRESSION", "RECOMMENDATION_ID")
COLUMNS = ["USER_ID", "ITEM_ID", "TIMESTAMP", *RESERVED, "EVENT_ATTRIBUTION_SOURCE"]
ELEVEN = [f"type {number}" for number in range(11)]


def snapshot(types, *, times=(1, 2), is_whole_file=True, columns=(), **changes):
    """Return a world with an export that has an event of each of these types."""
    lines = ["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"]
    lines += [f"u,i,{1790000000 + times[n % len(times)]},{name}" for n, name in enumerate(types)]
    text = "\n".join([*lines, ""]).encode()
    export = s.export(samples=[parse_sample("a.csv", text, is_whole_file=is_whole_file)])
    fields = [{"name": name, "type": ["null", "string"]} for name in (*COLUMNS, *columns)]

    return {"exports": export, "schemas": fields, **changes}


def found(known, **settings):
    """Return the refusals and the warnings about the interactions of a run."""
    known = {"settings_": s.settings(datasets=[dataset_settings(**settings)]), **known}
    guards = (refuse_failing_interactions, warn_of_doubtful_interactions)
    return tuple(messages(guard, **known) for guard in guards)


def counts(known, **settings):
    """Return the numbers of refusals and of warnings."""
    return tuple(map(len, found(known, **settings)))


def test_a_message_says_what_fails_and_which_types_there_are():
    text = (
        f"datasets.interactions: {LOCATION} has 11 types of events, and the schema has 1 "
        "metadata column; Personalize fails to train {} on more than 10 of both together; write "
        "fewer types, and each in only one spelling: a, b, c, d, e, f, g, h, i, j and k"
    )
    known = snapshot("abcdefghijk", columns=["DEVICE"])
    assert found(known) == ([text.format(SOLUTION)], [])
    trained = {**known, "trainings": [trained_version()]}

    assert found(trained) == ([], [text.format("a solution")])


@pytest.mark.parametrize(
    "types, columns, is_found",
    [
        (ELEVEN, (), True),
        ([*ELEVEN[:10], "", *ELEVEN[:10]], (), False),
        (ELEVEN[:8], ("DEVICE", "PLACE"), False),
        (ELEVEN[:8], ("DEVICE", "PLACE", "WEATHER"), True),
    ],
    ids=["eleven", "null is no type", "two columns of the schema", "three columns"],
)
def test_more_than_ten_types_and_columns_refuse_the_first_training(types, columns, is_found):
    assert counts(snapshot(types, columns=columns)) == (is_found, 0)
    part = snapshot(types, columns=columns, is_whole_file=False)
    assert counts(part) == (is_found, 0), "later rows can only add types"


HELD = [held_import()]
MARKED = dataset_settings(readyMarker="s3://exports/_SUCCESS")


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"trainings": [trained_version(run_id=None, digest=None)]}, (0, 1)),
        ({"trainings": [trained_version(is_active=False)], "imports": HELD}, (1, 0)),
        ({"request": {"only": "deployments"}}, (0, 0)),
        ({"settings_": s.settings(triggerOnExport=True, datasets=[MARKED])}, (0, 0)),
        ({"settings_": s.settings(datasets=[items_settings(datasetArn=DATASET)])}, (0, 0)),
    ],
    ids=[
        "a foreign version has learned them",
        "the last training has failed on them",
        "nothing is read",
        "a later run reads them",
        "items have no events",
    ],
)
def test_too_many_types_are_refused_only_if_a_first_training_would_fail(changes, expected):
    assert counts(snapshot(ELEVEN, **changes)) == expected


@pytest.mark.parametrize(
    "changes, mode, is_refused",
    [
        ({}, "FULL", True),
        ({"event_tracker_arns": ["tracker"]}, "FULL", True),
        ({"trainings": [trained_version()]}, "FULL", True),
        ({"times": (1, 2)}, "FULL", False),
        ({"is_whole_file": False}, "FULL", False),
        ({}, "INCREMENTAL", False),
        ({"solutions": solution_resource()}, "FULL", False),
    ],
    ids=[
        "one",
        "segments ignore events",
        "even if it was trained before",
        "two",
        "not all rows",
        "INCREMENTAL",
        "no segments",
    ],
)
def test_one_timestamp_in_all_rows_refuses_the_training_of_segments(changes, mode, is_refused):
    solutions = {SOLUTION: solution_resource(recipeArn=SEGMENTS)}
    message = (
        f"datasets.interactions: all rows of {LOCATION} have the TIMESTAMP 1790000007, with "
        f"which Personalize fails to train {SOLUTION}; write the time of each event"
    )
    known = snapshot(["view", "click"], **{"times": (7,), "solutions": solutions, **changes})

    assert found(known, importMode=mode) == ([message] * is_refused, [])


# Completeness


def incomplete(filled, column="PLOT", *, type_="items", rows=20, header=None, **textual):
    """Return the messages about a column that has values in this number of rows."""
    lines = [f"ID,{header or column}", *(f"i,{'x' * (number < filled)}" for number in range(rows))]
    sample = parse_sample("a.csv", "\n".join(lines).encode(), is_whole_file=True)
    field = {"name": column, "type": ["null", "string"], **textual}

    return messages(
        warn_of_incomplete_columns,
        dataset=dataset_of_run(type=type_),
        exports=s.export(samples=[sample]),
        schemas=[{"name": "ID", "type": "string"}, field],
    )


@pytest.mark.parametrize(
    "filled, textual, share",
    [(17, True, None), (16, True, "80.0%"), (14, False, None), (13, False, "65.0%")],
)
def test_texts_should_be_85_percent_complete_and_other_columns_70(filled, textual, share):
    message = (
        f"columns of {LOCATION} have too few values: PLOT ({share}); models use a text column "
        "only if 85% of the rows have a text, and other columns help if 70% have a value; write "
        "values in more rows"
    )
    for type_ in ("items", "users", "interactions"):
        assert incomplete(filled, textual=textual, type_=type_) == [message] * bool(share)
    for type_ in ("actions", "actionInteractions"):
        assert incomplete(0, textual=textual, type_=type_) == []


def test_only_a_column_that_is_empty_by_nature_may_be_empty():
    for column in ("EVENT_VALUE", "IMPRESSION", "RECOMMENDATION_ID", "GENRE_L2", "CATEGORY_L3"):
        assert incomplete(0, column) == []

    assert len(incomplete(0, "EVENT_TYPE")) == 1
    assert len(incomplete(20, header="TITLE")) == 1, "no file has the column of the schema"
    assert incomplete(0, rows=0) == [], "another guard finds that there are no rows"
