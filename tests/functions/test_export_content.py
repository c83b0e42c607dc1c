"""Tests of what the rows of an export contain, and of the guards about old and missing events."""

import pytest

from functions.csv_files import read_sample
from functions.personalize.imports import content_tags, read_content, type_digits
from functions.personalize.tags import CONTENT
from functions.planning.export_content import content_of, perhaps_stale_content, stale_content
from functions.rules.imports import Content, last_known_content
from functions.words import content_text
from tests.functions import samples as s

HEADER = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"
COLUMNS = HEADER.split(",")
FIELDS = [{"name": name, "type": ["null", "string"]} for name in COLUMNS]


def seconds(hours=0):
    """Return the time this many hours before the run as an export contains it."""
    return int(s.ago(hours).timestamp())


def rows(*types, hours=5):
    """Return the lines of an export with an event of each type, the last one `hours` ago."""
    return [f"u,i,{seconds(hours) - number},{name}" for number, name in enumerate(types)]


def export_of(*files, is_whole_file=True, **changes):
    """Return an export of files, each of which is a list of lines."""
    contents = {
        f"{number}.csv": "\n".join([*lines, ""]).encode() for number, lines in enumerate(files)
    }
    samples = [
        read_sample(key, content, is_whole_file=is_whole_file) for key, content in contents.items()
    ]
    objects = [s.s3_object(key=key) for key in contents]
    return s.export(objects=objects, samples=samples, **changes)


def content(*files, columns=COLUMNS, **changes):
    """Return the content of an export."""
    return content_of(export_of(*files, **changes), columns, s.NOW)


# What the rows contain


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HEADER, *rows("view")], (1, 5, {"view": 1}, {})),
        ([HEADER, *rows("view", "", "view", "")], (4, 5, {"view": 2}, {"EVENT_TYPE": 0.5})),
        (["EVENT_TYPE,TIMESTAMP,X", f"view,{seconds(7)},"], (1, 7, {"view": 1}, {})),
        (["TIMESTAMP,USER_ID", f"{seconds(9)},u", f"{seconds(8)},"], (2, 8, {}, {"USER_ID": 0.5})),
        ([HEADER, f'"u","i","{seconds(1)}","a,b"\r'], (1, 1, {"a,b": 1}, {})),
        ([HEADER, "u,i,,view"], (1, None, {"view": 1}, {"TIMESTAMP": 1})),
        ([HEADER], (0, None, {}, {})),
        (["ITEM_ID,GENRE", "i,g"], (1, None, {}, {})),
        ([HEADER, *(["u,i,5"] * 1)], (0, None, {}, {})),
    ],
    ids=[
        "one row",
        "nulls",
        "other order, a column that the schema lacks",
        "no types",
        "quoted, CRLF",
        "no time",
        "no rows",
        "no events",
        "an incomplete row",
    ],
)
def test_the_rows_of_an_export_are_counted(lines, expected):
    count, hours, types, nulls = expected
    assert content(lines) == {
        "rows": count,
        "areAllRowsRead": not lines[-1].endswith(",5"),
        "newestEventAt": None if hours is None else s.iso(hours),
        "eventTypes": types,
        "nullShares": nulls,
    }


@pytest.mark.parametrize("time", ["soon", "-5", "²", "9" * 5000, "1790000000000", "4102444800", ""])
def test_a_time_that_is_wrong_is_not_the_newest_event(time):
    """The first 1,000 rows of a file have no wrong time, or the run is refused."""
    lines = [HEADER, *rows("view"), f"u,i,{time},view", f"u,i,{seconds(-23)},view"]
    assert content(lines)["newestEventAt"] == s.iso(-23), "tomorrow may be a matter of time zones"
    assert content(lines[:-1])["newestEventAt"] == s.iso(5)


def test_the_files_of_an_export_are_counted_together():
    other = ["TIMESTAMP,ITEM_ID,USER_ID,EVENT_TYPE", f"{seconds(2)},i,,view"]
    both = content([HEADER, *rows("view", "click")], other)
    assert (both["rows"], both["newestEventAt"]) == (3, s.iso(2))
    assert both["eventTypes"] == {"view": 2, "click": 1}
    assert both["nullShares"] == {"USER_ID": 0.3333}
    assert content([HEADER, *rows("view")], is_whole_file=False)["areAllRowsRead"] is False


def test_a_document_has_five_types_and_ten_columns_with_short_names():
    names = [f"{number}" * 60 for number in range(10, 60)]
    types = [name for number, name in enumerate(names) for _ in range(50 - number)]
    assert content([HEADER, *rows(*types, *[""] * 99)])["eventTypes"] == {
        name[:30]: 50 - number for number, name in enumerate(names[:5])
    }, "the commonest"
    columns = [f"{number:0>60}"[::-1] for number in range(12)]
    lines = [",".join(columns), *(["1," * 11 + ""] * 3), "," * 11]
    nulls = content(lines, columns=columns)["nullShares"]
    assert (len(nulls), {len(name) for name in nulls}) == (10, {30})
    assert nulls[columns[11][:30]] == 1, "the most nulls"


def test_the_content_is_shown_in_a_line():
    known = {**s.CONTENT, "eventTypes": {"view": 1812, "purchase": 96}}
    assert content_text(known, s.NOW, "ago") == "newest event 5 h ago; 1,812 view, 96 purchase"
    part = {**known, "areAllRowsRead": False, "eventTypes": {}}
    assert content_text(part, s.NOW, "ago") == "newest event 5 h ago (in the rows that were read)"
    assert content_text({**known, "newestEventAt": None}, s.NOW, "ago") == ""


# The tag of an import job


def test_the_tag_of_an_import_job_has_the_content_for_the_next_run():
    known = content([HEADER, *rows(*["view"] * 8, "", "click")])
    tags = content_tags(known, "1-a", None)
    view, click = type_digits("view"), type_digits("click")
    assert tags == {CONTENT: f"{s.iso(5)} 1 {view}:800 {click}:100"}
    expected = Content(newest_at=s.iso(5), exports=1, shares={view: 0.8, click: 0.1})
    assert read_content(tags) == expected
    last = s.held_import(content=expected, fingerprint="1-a")
    assert content_tags(known, "1-b", last)[CONTENT].startswith(f"{s.iso(5)} 2 ")
    assert content_tags(known, "1-a", last) == tags, "the export is not new"


@pytest.mark.parametrize("changes", [{"areAllRowsRead": False}, {"newestEventAt": None}])
def test_an_import_job_has_no_tag_if_the_content_is_not_certain(changes):
    assert content_tags({**s.CONTENT, **changes}, "1-a", None) == {}


def test_the_tag_is_as_short_as_aws_demands():
    names = {f"{number}" * 30: 1 for number in range(5)}
    (value,) = content_tags({**s.CONTENT, "rows": 1, "eventTypes": names}, "1-a", None).values()
    assert len(value) <= 256
    assert not set(value) - set("0123456789abcdefT:+- ")


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "1790000000 1", f"{s.iso(5)} many", f"{s.iso(5)} 1 view:5", f"{s.iso(5)} 1,"],
)
def test_a_tag_that_a_person_has_edited_says_nothing(text):
    assert read_content({CONTENT: text}) is None
    assert read_content({CONTENT: f"{s.iso(5)} 1"}) == Content(s.iso(5), 1, {}), "no types"


def test_the_last_import_in_the_same_mode_is_compared():
    known = Content(s.iso(5), 1, {})
    failed = s.held_import(content=known, is_active=False)
    foreign, other = s.imported(), s.held_import(content=known, is_full=False)
    last, before = s.held_import(content=known), s.held_import(content=known, size=7)
    assert last_known_content([failed, foreign, other, last, before], is_full=True) == last
    assert last_known_content([failed, foreign, last], is_full=False) is None


# The guards


def found(seen, imports=(), request=None, trackers=(), **settings):
    """Return the refusals and the warnings about this export of interactions."""
    changes = {
        "request": request or {},
        "event_trackers": trackers,
        "exports": {s.DATASET: seen},
        "imports": {s.DATASET: list(imports)},
        "schemas": {s.DATASET: FIELDS},
        "dataset": s.dataset_of_run(**settings),
    }
    return tuple(s.messages(guard, **changes) for guard in (stale_content, perhaps_stale_content))


def imported_with(hours=5, exports=1, shares=None, **changes):
    """Return an import of a run whose export had this newest event and these types."""
    known = Content(s.iso(hours), exports, shares or {})
    return s.held_import(content=known, fingerprint="1-a", **changes)


@pytest.mark.parametrize(
    ("max_age", "hours", "is_old"),
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
def test_an_export_whose_newest_event_is_too_old_is_refused(max_age, hours, is_old):
    def message(read):
        return [
            (
                f"the newest event of {s.LOCATION}{read} is from {s.ago(hours):%Y-%m-%d %H:%M} "
                f"UTC, longer ago than maxEventAge, {max_age}; repair the job that writes the "
                "export, or raise maxEventAge"
            )
        ] * is_old

    lines = [HEADER, *rows("view", hours=hours)]
    assert found(export_of(lines), maxEventAge=max_age) == (message(""), [])
    part = export_of(lines, is_whole_file=False)
    warning = message(", in the rows that were read,")
    assert found(part, maxEventAge=max_age) == ([], warning), "a later row may be newer"


@pytest.mark.parametrize(
    ("imports", "count"),
    [
        ([imported_with(exports=2)], 3),
        ([imported_with(exports=7)], 8),
        ([imported_with(exports=1)], None),
        ([imported_with(hours=6, exports=9)], None),
        ([imported_with(exports=9, is_full=False)], None),
        ([s.held_import()], None),
        ([], None),
    ],
)
def test_three_new_exports_in_a_row_without_a_new_event_are_a_warning(imports, count):
    seen, part = (
        export_of([HEADER, *rows("view")], is_whole_file=is_whole) for is_whole in (True, False)
    )
    message = (
        f"the last {count} exports have the same newest event, of {s.ago(5):%Y-%m-%d %H:%M} UTC, "
        f"although {s.LOCATION} is new; check the job that writes the exports"
    )
    nothing = ([], [])
    assert found(seen, imports) == ([], [message] * bool(count))
    assert found(seen, imports, streamed=True) == nothing
    assert found(seen, imports, trackers=["tracker"]) == found(part, imports) == nothing


VIEW, BUY = type_digits("view"), type_digits("purchase")
BOTH = {VIEW: 0.9, BUY: 0.096}


@pytest.mark.parametrize(
    ("types", "shares", "message"),
    [
        (
            ["view"] * 20,
            BOTH,
            "lacks 1 of the commonest types of events of the last ",
        ),
        (["view"] * 20, {VIEW: 0.999, BUY: 0.0}, "; the types are now view, and the report of"),
        (
            [""] * 20,
            BOTH,
            " types of events of the last import, with 99.6% of",
        ),
        ([""] * 20, BOTH, f"; the types are now none, and the report of {s.LAST_RUN} has the"),
        (["view", "purchase"], BOTH, None),
        (["view", "purchase", *(["click"] * 20)], BOTH, None),
        ([*(f"t{number % 50}" for number in range(999)), "view", "purchase"], BOTH, None),
        (["view"], {}, None),
        (["x" * 60], {type_digits("x" * 30): 1}, None),
    ],
)
def test_a_type_of_events_that_vanishes_is_a_warning_or_a_refusal(types, shares, message):
    seen, last = export_of([HEADER, *rows(*types)]), [imported_with(hours=9, shares=shares)]
    (nothing, warnings), (refusals, nothing_else) = (
        found(seen, last, strictEvents=is_strict) for is_strict in (False, True)
    )
    assert nothing == nothing_else == []
    way_out = ", or set strictEvents to false for one run"
    assert refusals == [f"{warning}{way_out}" for warning in warnings]
    assert [message in warning for warning in warnings] == [True] * bool(message)
    part = export_of([HEADER, *rows(*types)], is_whole_file=False)
    assert found(part, last, strictEvents=True) == ([], [])


@pytest.mark.parametrize(("rows_", "is_missing"), [(99, False), (100, True)])
def test_an_increment_may_lack_a_type_by_chance(rows_, is_missing):
    seen = export_of([HEADER, *rows(*["view"] * rows_)])
    last = [imported_with(hours=9, shares={VIEW: 0.9, BUY: 0.1}, is_full=False)]
    refusals, _ = found(seen, last, strictEvents=True, importMode="INCREMENTAL")
    assert bool(refusals) == is_missing


@pytest.mark.parametrize("is_whole_file", [True, False])
def test_a_person_may_ask_for_an_old_export(is_whole_file):
    settings = {"maxEventAge": "1 hour", "day": "2026-11-22", "strictEvents": True}
    seen = export_of([HEADER, *rows("x")], is_whole_file=is_whole_file)
    last = [imported_with(exports=9, shares=BOTH)]
    assert found(seen, last, {"exportDate": "2026-11-22"}, **settings) == ([], [])
    assert found(seen, last, **settings) != ([], [])
