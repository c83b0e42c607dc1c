"""Tests of what the rows of an export contain, and of the guards about old and missing events."""

import ast
import json

import pytest

from functions.common.hashes import compute_short_hash
from functions.personalize.tags import CONTENT_TAG
from functions.planning.export_content import (
    build_content_tags,
    refuse_stale_content,
    warn_of_stale_content,
)
from functions.s3.csv_files import parse_sample
from tests.functions import samples as s
from tests.functions.samples import (
    DATASET,
    LOCATION,
    ago,
    dataset_of_run,
    dataset_view,
    held_import,
    iso,
    s3_object,
)

HEADER = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"


def seconds(hours=0):
    """Return the time this many hours before the run as an export contains it."""
    return int(ago(hours).timestamp())


def rows(*types, hours=5):
    """Return the lines of an export with an event of each type, the last one `hours` ago."""
    return [HEADER, *(f"u,i,{seconds(hours) - n},{name}" for n, name in enumerate(types))]


def snapshot(*files, **changes):
    """Return a world with an export of these files, each of which is a list of lines."""
    return snapshot_of(["\n".join([*lines, ""]).encode() for lines in files], **changes)


def snapshot_of(contents, *, is_whole_file=True, columns=HEADER, imports=(), **changes):
    """Return a world with an export of files with these contents."""
    samples = [parse_sample("a.csv", text, is_whole_file=is_whole_file) for text in contents]
    export = s.export(objects=[s3_object()] * len(contents), samples=samples)
    fields = [{"name": name, "type": ["null", "string"]} for name in columns.split(",")]
    parts = {"exports": export, "schemas": fields, "imports": list(imports)}

    return {**{key: {DATASET: part} for key, part in parts.items()}, **changes}


def content(*files, **changes):
    """Return the content of an export."""
    return dataset_view(**snapshot(*files, **changes)).content


def test_golden_contents_of_exports(golden):
    """A question is a list with each file of an export of interactions, in Python."""

    def answer(line):
        return json.dumps(dataset_view(**snapshot_of(ast.literal_eval(line))).content)

    golden.answers("export_contents.txt", answer)


def test_a_document_and_a_tag_have_five_types_and_a_document_ten_columns_with_short_names():
    names = [f"{'t' * 60}{number}" for number in range(10, 60)]
    types = [name for number, name in enumerate(names) for _ in range(50 - number)]
    known = content(rows(*types, *[""] * 99))
    assert [*known["eventTypes"].values()] == [50, 49, 48, 47, 46]
    assert {name[:24] for name in known["eventTypes"]} == {f"{'t' * 23}…"}, "they begin alike"
    assert {len(name) for name in known["eventTypes"]} == {30}
    tag = build_content_tags({**known, "rows": 50})[CONTENT_TAG]
    assert len(tag) <= 256, "AWS accepts no longer value"
    assert not set(tag) - set("0123456789abcdefT:+- ")
    columns = [f"{'c' * 60}{number}" for number in range(12)]
    lines = [",".join(columns), *(["1," * 11 + ""] * 3), "," * 11]
    nulls = content(lines, columns=lines[0])["emptyValues"]

    assert (len(nulls), {len(name) for name in nulls}) == (10, {30})
    assert next(iter(nulls.values())) == 4, "the most empty values"


# The tag of an import job


def tag_of(hours=5, imports=1, **shares):
    """Return the tag about an export with this newest event and these types."""
    types = [f" {compute_short_hash(name, 6)}:{share}" for name, share in shares.items()]
    return f"{iso(hours)} {imports}{''.join(types)}"


def imported(tag="", **changes):
    """Return an import whose job has this tag about the content of its export."""
    return held_import(**{"content_tag": tag, "fingerprint": "1-a", **changes})


def test_the_tag_of_an_import_job_has_the_content_for_the_next_run():
    known = content(rows(*["view"] * 8, "", "click"), imports=[imported(tag_of(imports=6))])
    assert build_content_tags(known) == {CONTENT_TAG: tag_of(imports=7, view=800, click=100)}
    rare = content(rows(*["view"] * 2999, "click"))

    assert build_content_tags(rare) == {CONTENT_TAG: tag_of(view=1000, click=1)}, (
        "it is not forgotten"
    )
    assert build_content_tags({**s.CONTENT, "areAllRowsRead": False}) == {}
    assert build_content_tags({**s.CONTENT, "newestEventAt": None}) == {}


@pytest.mark.parametrize(
    "imports, count",
    [
        ([imported(tag_of(imports=2), is_full=False), imported(tag_of(imports=8))], 3),
        ([imported(tag_of(imports=8), is_active=False), imported(tag_of())], 2),
        ([imported(), s.imported(), imported(tag_of(imports=2))], 3),
        ([imported(tag_of(hours=6, imports=2))], 1),
        ([imported("yesterday")], 1),
        ([imported(f"{iso(5)} many")], 1),
        ([imported(f"{iso(5)} 2 view:5")], 1),
        ([imported(f"{iso(5)} 2,")], 1),
    ],
)
def test_the_last_import_with_a_tag_is_compared(imports, count):
    """A tag that a person has edited says nothing."""
    assert content(rows("view"), imports=imports)["importsWithNewestEvent"] == count


# The guards


def found(known, **settings):
    """Return the refusals and the warnings about the export of interactions in a world."""
    guards = (refuse_stale_content, warn_of_stale_content)
    dataset = dataset_of_run(**settings)
    return tuple(s.messages(guard, dataset=dataset, **known) for guard in guards)


@pytest.mark.parametrize(
    "max_age, hours, is_old",
    [
        ("3 days", 72, False),
        ("3 days", 72.01, True),
        ("1 day", 24, False),
        ("36 hours", 37, True),
        ("90 minutes", 1.4, False),
        ("1 hour", -20, False),
        (None, 9999, False),
    ],
)
@pytest.mark.parametrize("is_certain", [True, False])
def test_an_export_whose_newest_event_is_too_old_is_refused(max_age, hours, is_old, is_certain):
    messages = [
        (
            f"the newest event of {LOCATION}{'' if is_certain else ' in the rows that were read'}"
            f" is from {ago(hours):%Y-%m-%d %H:%M} UTC, longer ago than maxEventAge, {max_age}; "
            "repair the job that writes the export, or raise maxEventAge"
        )
    ] * is_old
    known = snapshot(rows("view", hours=hours), is_whole_file=is_certain)
    expected = (messages, []) if is_certain else ([], messages)

    assert found(known, maxEventAge=max_age) == expected, "a later row may be newer"


@pytest.mark.parametrize("imports, is_noticed", [(1, False), (2, True), (7, True)])
def test_three_imports_in_a_row_without_a_new_event_are_a_warning(imports, is_noticed):
    last = [imported(tag_of(imports=imports))]
    message = (
        f"the newest event of {LOCATION} is from {ago(5):%Y-%m-%d %H:%M} UTC, as in the last "
        f"{imports} imports; check the job that writes the export"
    )
    assert found(snapshot(rows("view"), imports=last)) == ([], [message] * is_noticed)
    assert found(snapshot(rows("view"), imports=last), streamed=True) == ([], [])
    unchanged = [imported(tag_of(imports=imports), fingerprint=held_import().fingerprint)]
    for changes in (
        {"imports": last, "is_whole_file": False},
        {"imports": last, "event_tracker_arns": ["tracker"]},
        {"imports": unchanged},
    ):
        assert found(snapshot(rows("view"), **changes)) == ([], []), changes


BOTH = {"view": 900, "purchase": 96}


@pytest.mark.parametrize(
    "types, shares, mode, missing",
    [
        (["view"] * 20, BOTH, "FULL", "9.6%"),
        (["view"] * 20, {"view": 999, "purchase": 1}, "FULL", "0.1%"),
        (["view", "click"] * 20, BOTH, "FULL", "9.6%"),
        ([""] * 20, BOTH, "FULL", "99.6%"),
        ([], BOTH, "FULL", None),
        (["view", "purchase", *(["click"] * 20)], BOTH, "FULL", None),
        ([*(f"t{number % 50}" for number in range(999)), *BOTH], BOTH, "FULL", None),
        (["x" * 30], {"x" * 30: 1000}, "FULL", None),
        (["view"] * 99, {"purchase": 100}, "INCREMENTAL", None),
        (["view"] * 100, {"purchase": 100}, "INCREMENTAL", "10.0%"),
    ],
)
def test_a_type_of_events_that_vanishes_is_a_warning_or_a_refusal(types, shares, mode, missing):
    """An increment may lack a type by chance. An export without rows is another guard's problem."""
    last = [imported(tag_of(hours=9, **shares), is_full=mode == "FULL")]
    now = " and ".join(filter(None, dict.fromkeys(types))) or "none"
    messages = [
        (
            f"{LOCATION} lacks types of events that {missing} of the rows of the last import "
            f"had; its commonest types are {now}; compare them with the report of the last "
            "import, and check the job that writes the export, or set strictEvents to false"
        )
    ] * bool(missing)
    known = snapshot(rows(*types), imports=last)

    assert found(known, importMode=mode, strictEvents=False) == ([], messages)
    assert found(known, importMode=mode, strictEvents=True) == (messages, [])


def test_a_type_that_begins_like_another_one_is_missed():
    before, after = (f"{'watched a recommended trailer '}{end}" for end in ("twice", "once"))
    tag = build_content_tags(content(rows(*[before] * 500, *[after] * 500)))[CONTENT_TAG]
    known = snapshot(rows(*[after] * 1000), imports=[imported(tag)])
    (message,) = found(known, strictEvents=True)[0]

    assert "lacks types of events that 50.0% of the rows" in message
    assert content(rows(before, after), imports=[imported(tag)])["missingPerMille"] == 0


@pytest.mark.parametrize(
    "changes, reason",
    [
        (
            {"is_whole_file": False},
            (
                "not all of its rows were read; a run reads at most 8 MB in 500 files to the end; "
                "write a smaller export, or check the types in the job that writes it, and set "
                "strictEvents to false"
            ),
        ),
        (
            {"columns": "USER_ID,ITEM_ID,TIMESTAMP", "imports": []},
            "the dataset's schema has no EVENT_TYPE; set strictEvents to false",
        ),
        *(
            (
                {"imports": imports},
                (
                    "no type of an earlier import is known; check that the report of this run "
                    "shows the types that you expect, because the next run compares with them"
                ),
            )
            for imports in ([], [imported()], [imported(tag_of())], [imported("edited")])
        ),
    ],
)
def test_strict_events_says_what_it_cannot_check(changes, reason):
    known = snapshot(rows("view"), **{"imports": [imported(tag_of(hours=9, view=1000))], **changes})
    message = f"strictEvents cannot check the types of events of {LOCATION}, because {reason}"

    assert found(known, strictEvents=True) == ([], [message])
    assert found(known, strictEvents=False) == ([], [])


def test_a_person_may_ask_for_an_old_export():
    settings = {"maxEventAge": "1 hour", "day": "2026-11-22", "strictEvents": True}
    known = snapshot(rows("x"), imports=[imported(tag_of(imports=9, **BOTH))])

    assert [len(messages) for messages in found(known, **settings)] == [2, 1]
    assert found({**known, "request": {"exportDate": "2026-11-22"}}, **settings) == ([], [])
