"""Tests of what the rows of an export contain, and of the guards about old and missing events."""

import pytest

from functions.csv_files import read_sample
from functions.executions import short_hash
from functions.personalize.tags import CONTENT
from functions.planning.export_content import content_tags, perhaps_stale_content, stale_content
from functions.words import content_facts
from tests.functions import samples as s

HEADER = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"
COLUMNS = HEADER.split(",")


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


def world(export, columns=COLUMNS, **changes):
    """Return a world with this export of interactions. The schema has these columns."""
    fields = [{"name": name, "type": ["null", "string"]} for name in columns]
    return {"exports": {s.DATASET: export}, "schemas": {s.DATASET: fields}, **changes}


def content(*files, columns=COLUMNS, imports=(), **changes):
    """Return the content of an export."""
    known = world(export_of(*files, **changes), columns, imports={s.DATASET: imports})
    return s.dataset_view(**known).content


# What the rows contain


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([HEADER, *rows("view")], (1, 5, {"view": 1}, {})),
        ([HEADER, *rows("view", "", "view", "")], (4, 5, {"view": 2}, {"EVENT_TYPE": 2})),
        (["EVENT_TYPE,TIMESTAMP,X", f"view,{seconds(7)},"], (1, 7, {"view": 1}, {})),
        (["TIMESTAMP,USER_ID", f"{seconds(9)},u", f"{seconds(8)},"], (2, 8, {}, {"USER_ID": 1})),
        ([HEADER, f'"u","i","{seconds(1)}","a,b"\r'], (1, 1, {"a,b": 1}, {})),
        ([HEADER, "u,i,,view"], (1, None, {"view": 1}, {"TIMESTAMP": 1})),
        ([HEADER], (0, None, {}, {})),
        (["ITEM_ID,GENRE", "i,g"], (1, None, {}, {})),
        ([HEADER, "u,i,5"], (0, None, {}, {})),
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
        "importsWithNewestEvent": 1,
        "eventTypes": types,
        "missingPerMille": 0,
        "emptyValues": nulls,
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
    assert both["emptyValues"] == {"USER_ID": 1}
    assert content([HEADER, *rows("view")], is_whole_file=False)["areAllRowsRead"] is False


def test_a_document_has_five_types_and_ten_columns_with_short_names():
    names = [f"{number}" * 60 for number in range(10, 60)]
    types = [name for number, name in enumerate(names) for _ in range(50 - number)]
    assert content([HEADER, *rows(*types, *[""] * 99)])["eventTypes"] == {
        name[:30]: 50 - number for number, name in enumerate(names[:5])
    }, "the commonest"
    columns = [f"{number:0>60}"[::-1] for number in range(12)]
    lines = [",".join(columns), *(["1," * 11 + ""] * 3), "," * 11]
    nulls = content(lines, columns=columns)["emptyValues"]
    assert (len(nulls), {len(name) for name in nulls}) == (10, {30})
    assert nulls[columns[11][:30]] == 4, "the most empty values"


def test_the_content_is_shown_in_a_line():
    known = {**s.CONTENT, "eventTypes": {"view": 1812, "purchase": 96}}
    newest = f"newest event {s.ago(5):%Y-%m-%d %H:%M} UTC"
    assert content_facts(known) == [newest, "1,812 view", "96 purchase"]
    part = {**known, "areAllRowsRead": False, "eventTypes": {}}
    assert content_facts(part) == [newest, "in the rows that were read"]
    assert content_facts({**known, "newestEventAt": None}) == []


# The tag of an import job


def imported_with(tag, **changes):
    """Return an import whose job has this tag about the content of its export."""
    return s.held_import(content=tag, **changes)


def tag_of(hours=5, imports=1, **shares):
    """Return the tag about an export with this newest event and these types."""
    types = [f" {short_hash(name, 6)}:{share}" for name, share in shares.items()]
    return f"{s.iso(hours)} {imports}{''.join(types)}"


def test_the_tag_of_an_import_job_has_the_content_for_the_next_run():
    lines = [HEADER, *rows(*["view"] * 8, "", "click")]
    assert content_tags(content(lines)) == {CONTENT: tag_of(view=800, click=100)}
    rare = content([HEADER, *rows(*["view"] * 2999, "click")])
    assert content_tags(rare) == {CONTENT: tag_of(view=1000, click=1)}, "it is not forgotten"
    imports = [imported_with(tag_of(imports=6))]
    assert content_tags(content(lines, imports=imports))[CONTENT] == tag_of(
        imports=7, view=800, click=100
    )


@pytest.mark.parametrize("changes", [{"areAllRowsRead": False}, {"newestEventAt": None}])
def test_an_import_job_has_no_tag_if_the_content_is_not_certain(changes):
    assert content_tags({**s.CONTENT, **changes}) == {}


def test_the_tag_is_as_short_as_aws_demands():
    names = {f"{number}" * 30: 1 for number in range(5)}
    (value,) = content_tags({**s.CONTENT, "rows": 1, "eventTypes": names}).values()
    assert len(value) <= 256
    assert not set(value) - set("0123456789abcdefT:+- ")


@pytest.mark.parametrize(
    ("imports", "count"),
    [
        ([imported_with(tag_of(imports=2)), imported_with(tag_of(imports=8))], 3),
        ([imported_with(tag_of(imports=2), is_full=False)], 3),
        ([imported_with(tag_of(imports=8), is_active=False), imported_with(tag_of())], 2),
        ([s.held_import(), s.imported(), imported_with(tag_of(imports=2))], 3),
        ([imported_with(tag_of(hours=6, imports=2))], 1),
        ([imported_with("yesterday")], 1),
        ([imported_with(f"{s.iso(5)} many")], 1),
        ([imported_with(f"{s.iso(5)} 2 view:5")], 1),
        ([imported_with(f"{s.iso(5)} 2,")], 1),
    ],
)
def test_the_last_import_with_a_tag_is_compared(imports, count):
    """A tag that a person has edited says nothing."""
    assert content([HEADER, *rows("view")], imports=imports)["importsWithNewestEvent"] == count


# The guards


def found(seen, imports=(), request=None, **settings):
    """Return the refusals and the warnings about this export of interactions."""
    known = world(seen, request=request or {}, imports={s.DATASET: list(imports)})
    dataset = s.dataset_of_run(**settings)
    guards = (stale_content, perhaps_stale_content)
    return tuple(s.messages(guard, dataset=dataset, **known) for guard in guards)


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
    warning = message(" in the rows that were read")
    assert found(part, maxEventAge=max_age) == ([], warning), "a later row may be newer"


@pytest.mark.parametrize(("imports", "is_noticed"), [(1, False), (2, True), (7, True)])
def test_three_imports_in_a_row_without_a_new_event_are_a_warning(imports, is_noticed):
    last, lines = [imported_with(tag_of(imports=imports))], [HEADER, *rows("view")]
    message = (
        f"the newest event of {s.LOCATION} is from {s.ago(5):%Y-%m-%d %H:%M} UTC, as in the last "
        f"{imports} imports; check the job that writes the export"
    )
    assert found(export_of(lines), last) == ([], [message] * is_noticed)
    assert found(export_of(lines, is_whole_file=False), last) == ([], [])


BOTH = {"view": 900, "purchase": 96}


@pytest.mark.parametrize(
    ("types", "shares", "missing"),
    [
        (["view"] * 20, BOTH, "9.6%"),
        (["view"] * 20, {"view": 999, "purchase": 1}, "0.1%"),
        ([""] * 20, BOTH, "99.6%"),
        (["view", "purchase", *(["click"] * 20)], BOTH, None),
        ([*(f"t{number % 50}" for number in range(999)), "view", "purchase"], BOTH, None),
        (["view"], {}, None),
        (["x" * 60], {"x" * 30: 1000}, None),
    ],
)
def test_a_type_of_events_that_vanishes_is_a_warning_or_a_refusal(types, shares, missing):
    seen, last = export_of([HEADER, *rows(*types)]), [imported_with(tag_of(hours=9, **shares))]
    (nothing, warnings), (refusals, nothing_else) = (
        found(seen, last, strictEvents=is_strict) for is_strict in (False, True)
    )
    assert nothing == nothing_else == []
    assert refusals == warnings
    assert refusals == [
        (
            f"{s.LOCATION} lacks types of events that {missing} of the rows of the last import "
            "had; compare the types in the reports of both runs, and check the job that writes the "
            "export, or set strictEvents to false"
        )
    ] * bool(missing)
    part = export_of([HEADER, *rows(*types)], is_whole_file=False)
    assert found(part, last, strictEvents=True) == ([], [])


@pytest.mark.parametrize(("rows_", "is_missing"), [(99, False), (100, True)])
def test_an_increment_may_lack_a_type_by_chance(rows_, is_missing):
    seen = export_of([HEADER, *rows(*["view"] * rows_)])
    last = [imported_with(tag_of(hours=9, view=900, purchase=100), is_full=False)]
    refusals, _ = found(seen, last, strictEvents=True, importMode="INCREMENTAL")
    assert bool(refusals) == is_missing


@pytest.mark.parametrize("is_whole_file", [True, False])
def test_a_person_may_ask_for_an_old_export(is_whole_file):
    settings = {"maxEventAge": "1 hour", "day": "2026-11-22", "strictEvents": True}
    seen = export_of([HEADER, *rows("x")], is_whole_file=is_whole_file)
    last = [imported_with(tag_of(imports=9, **BOTH))]
    assert found(seen, last, {"exportDate": "2026-11-22"}, **settings) == ([], [])
    assert found(seen, last, **settings) != ([], [])
