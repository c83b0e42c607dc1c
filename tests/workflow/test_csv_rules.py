"""The pipeline refuses the files that an import job fails on, and accepts all other files."""

import gzip
import json
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from functions.exports import read_export
from functions.planning import export_files
from functions.planning.plan_run import GUARDS
from tests.emulator.personalize_world import World
from tests.functions.samples import NOW, dataset_settings, messages
from tests.workflow.bucket import Bucket

OF_EXPORTS = [guard for guard in GUARDS if guard.check.__module__ == export_files.__name__]
"""The guards that look only at the export and at the schema."""
HEADER = "ITEM_ID,TIMESTAMP,CREATION_TIMESTAMP,VIEWS,PRICE,IN_STOCK,TITLE,TEXT"
TYPES = {
    "ITEM_ID": "string",
    "TIMESTAMP": ["null", "long"],
    "CREATION_TIMESTAMP": ["long", "null"],
    "VIEWS": ["null", "int"],
    "PRICE": ["null", "float"],
    "IN_STOCK": ["null", "boolean"],
    "TITLE": ["null", "string"],
    "TEXT": ["null", "string"],
}
FIELDS = [
    {"name": name, "type": avro, **({"textual": True} if name == "TEXT" else {})}
    for name, avro in TYPES.items()
]
NO_ROWS = "has no rows; repeat the export"


class Verdicts(NamedTuple):
    """What the pipeline says about an export, and how the import job ends."""

    problems: list[str]
    warnings: list[str]
    status: str
    failure: str | None

    @property
    def agree(self):
        """Return True if the pipeline refuses an export and the job fails, or neither."""
        return bool(self.problems) == (self.status == "CREATE FAILED")


@cache
def service():
    """Return a world of Personalize, and a dataset of items."""
    world = World()
    world.now = NOW
    avro = {"type": "record", "name": "Items", "fields": FIELDS}
    return world, world.create_dataset(dataset_type="ITEMS", avro=json.dumps(avro))


def verdicts(files: Mapping[str, bytes]) -> Verdicts:
    """Return what the pipeline and the service say about the files of a folder."""
    world, dataset = service()
    folder = f"{len(world.files)}/"
    for name, content in files.items():
        world.put(folder + name, content)
    job = world.import_file(dataset, f"job-{len(world.files)}", folder)
    bucket = Bucket({f"{folder}{name}": data for name, data in files.items()}, lambda: NOW)
    export = read_export(bucket, f"s3://exports/{folder}")
    chosen = dataset_settings(type="items")
    known = {"exports": {chosen["datasetArn"]: export}, "schemas": {chosen["datasetArn"]: FIELDS}}
    texts = {"REFUSE": [], "WARN": []}
    for guard in OF_EXPORTS:
        texts[guard.verdict] += messages(guard, dataset=chosen, **known)
    return Verdicts(texts["REFUSE"], texts["WARN"], job["status"], job.get("failureReason"))


# Examples of each rule


def one(text: str, encoding: str = "utf-8") -> dict[str, bytes]:
    """Return an export with one file, which has this text after the header."""
    return {"a.csv": f"{HEADER}\n{text}".encode(encoding)}


def rows(name: str, *values: str) -> list[dict[str, bytes]]:
    """Return exports with one row each, which has one of these values in a column."""
    empty = {**dict.fromkeys(TYPES, ""), "ITEM_ID": "i1"}
    return [one(",".join({**empty, name: value}.values())) for value in values]


def header(line: str, values: str) -> dict[str, bytes]:
    """Return an export with this header and this row."""
    return {"a.csv": f"{line}\n{values}\n".encode()}


GOOD = one("i1,,,,,,,\n")["a.csv"]
TOMORROW = "1796083199"
"""The last second of the day after the run."""
EXAMPLES = {
    "encoding": (
        [
            one("\u4e2d\u6587,,,,,,,"),
            {"a.csv": b"\xef\xbb\xbf" + GOOD},
            header("PAR1,BZh9,ITEM_ID", "1,2,i1"),
        ],
        [
            {"a.csv": gzip.compress(GOOD, mtime=0)},
            {"a.csv": GOOD.decode().encode("utf-16")},
            {"a.csv": GOOD.decode().encode("utf-16-le")},
            one("i\0,,,,,,,"),
            one("Am\u00e9lie,,,,,,,", "latin-1"),
            {"a.csv": GOOD + b"\xc3"},
        ],
    ),
    "quoted header": (
        [header("ITEM_ID,NOTE", '"i1","x"')],
        [header('"ITEM_ID","TITLE"', "i1,x"), header('ITEM_ID,"TITLE"', "i1,x")],
    ),
    "unique columns": (
        [header("ITEM_ID,item_id", "i1,x")],
        [header("ITEM_ID,TITLE,TITLE", "i1,x,y"), header("ITEM_ID,ITEMID", "i1,x")],
    ),
    "required columns": (
        [header("TITLE,ITEM_ID", "x,i1"), header("ITEM_ID", "i1")],
        [header("TITLE", "x"), header("item_id", "i1"), {"a.csv": b"\n\n"}, {"a.csv": b""}],
    ),
    "equal columns": (
        [{"a.csv": b"ITEM_ID,TITLE\ni1,x\n", "b.csv": b"TITLE,ITEM_ID\nx,i2\n"}],
        [{"a.csv": b"ITEM_ID,TITLE\ni1,x\n", "b.csv": b"ITEM_ID\ni2\n"}],
    ),
    "record per line": (
        [
            *rows("TITLE", '"a, b"', r'"say \"hi\" c:\\"', '"say ""hi"""', '5" disk'),
            *rows("TITLE", "a\u2028b\x0bc\x85d"),
            one("i1,,,,,,,\r\n\r\ni2,,,,,,,\ri3,,,,,,,"),
        ],
        [*rows("TITLE", '"a\nb"', '"a"b', '"a'), *rows("TEXT", "a\\")],
    ),
    "values per line": ([one("i1,,,,,,,")], [one("i1"), one("i1,,,,,,,,"), one("  ")]),
    "null": (rows("TITLE", ""), rows("ITEM_ID", "", '""')),
    "int": (
        rows("VIEWS", "-2147483648", "007", "-0"),
        rows("VIEWS", "2147483648", "1.0", "+1", " 1", "1_000", "\u0661", "9" * 5000, "0" * 5000),
    ),
    "long": (
        rows("CREATION_TIMESTAMP", "-9223372036854775808", "-500000000", "1830297600"),
        rows("CREATION_TIMESTAMP", "-9223372036854775809", "1790000000000"),
    ),
    "float": (
        rows("PRICE", "-2.5", ".5", "5.", "1e-3", "1E+3"),
        rows("PRICE", "nan", "inf", "-1e999", "1_0", "."),
    ),
    "boolean": (rows("IN_STOCK", "true", "False"), rows("IN_STOCK", "1", "yes", "true ")),
    "length": (
        [*rows("ITEM_ID", "i" * 256), *rows("TITLE", "\u00e9" * 1000), *rows("TEXT", "t" * 20_001)],
        [*rows("ITEM_ID", "i" * 257), *rows("TITLE", "t" * 1001)],
    ),
    "timestamp": (
        rows("TIMESTAMP", "631152000", TOMORROW),
        rows("TIMESTAMP", "631151999", str(int(TOMORROW) + 1), "-1", "1790000000000"),
    ),
    "first level": ([], [{"mon/a.csv": GOOD}, {"mon/tue/a.csv": GOOD, "wed/b.csv": GOOD}]),
}
"""Name of a rule -> exports that keep it, and exports that break it."""


@pytest.mark.parametrize("rule", EXAMPLES)
def test_the_pipeline_accepts_exactly_what_the_service_imports(rule):
    kept, broken = EXAMPLES[rule]
    for files in kept:
        accepted = verdicts(files)
        assert (accepted.problems, accepted.failure) == ([], None), files
    for files in broken:
        refused = verdicts(files)
        assert refused.status == "CREATE FAILED", files
        assert len(refused.problems) in (1, 2), "the second one may be that there are no rows"


# Any bytes

CHARACTERS = st.sampled_from('",\\\n\r\0ab01-.eE+_ \t\u00e9\u2028\x0b\x1c\x85\ufeff\u0661')
GOOD_VALUES = {
    "ITEM_ID": ["i1", '"i,2"', r"\"i3\"", "\u00e9"],
    "TIMESTAMP": ["", "1790000000"],
    "CREATION_TIMESTAMP": ["", "-5", "0"],
    "VIEWS": ["", "7", "-0"],
    "PRICE": ["", "2.5", "1e3", "-.5"],
    "IN_STOCK": ["", "true", "FALSE"],
    "TITLE": ["", "x", '"a ""b"""', r'"\\"'],
    "TEXT": ["", "y", '5" disk', "a\u2028b"],
}
GOOD_LINES = st.tuples(*map(st.sampled_from, GOOD_VALUES.values())).map(",".join)
LINES = st.one_of(
    GOOD_LINES,
    GOOD_LINES,
    # One value, or a part of the line, is anything.
    st.builds(
        lambda line, start, text: line[:start] + text + line[start:],
        GOOD_LINES,
        st.integers(0, 30),
        st.text(CHARACTERS, max_size=3),
    ),
    st.text(CHARACTERS, max_size=12),
)
TEXTS = st.builds(
    lambda first, line_break, lines: line_break.join([first, *lines]),
    st.sampled_from([HEADER, HEADER, f"\ufeff{HEADER}", f"\n{HEADER}", "ITEM_ID,TITLE", "a"]),
    st.sampled_from(["\n", "\r\n", "\r", "\n\n"]),
    st.lists(LINES, max_size=3),
)
CONTENTS = st.one_of(
    TEXTS.map(str.encode),
    TEXTS.map(str.encode),
    TEXTS.map(lambda text: text.encode("latin-1", "replace")),
    st.binary(max_size=40),
    st.binary(max_size=40).map(f"{HEADER}\n".encode().__add__),
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.tuples(CONTENTS), st.tuples(CONTENTS, CONTENTS)))
@example([b"\x1b,\x1b"])
@example([b""])
@example([f"{HEADER}\n".encode()])
def test_both_sides_agree_about_any_files(contents):
    found = verdicts({f"{number}.csv": content for number, content in enumerate(contents)})
    only_empty = all(problem.endswith(NO_ROWS) for problem in found.problems)
    event("no rows" if found.problems and only_empty else found.status)
    assert found.agree or only_empty, "the service would import no row and delete all items"
    texts = [*found.problems, *found.warnings, found.failure or ""]
    assert "".join(texts).isprintable(), "a report may be shown on a terminal"
