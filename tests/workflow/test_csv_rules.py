"""The pipeline refuses the files that an import job fails on, and accepts all other files."""

import ast
import json
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from functions.planning import export_files
from functions.planning.plan_run import GUARDS
from functions.s3.exports import read_export
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
    failure: str

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
        found = messages(guard, dataset=chosen, **known)
        texts[guard.effect] += [text.replace(folder, "") for text in found]
    failure = job.get("failureReason", "").replace(folder, "")

    return Verdicts(texts["REFUSE"], texts["WARN"], job["status"], failure)


# Examples of each rule


def file_of(row: str) -> dict[str, bytes]:
    """Return an export with one file, which has this text after the header."""
    return {"a.csv": f"{HEADER}\n{row}".encode()}


def test_golden_verdicts_of_both_sides(golden):
    """A question is what follows the header, a whole file, or several files, in Python."""

    def answer(line):
        files = ast.literal_eval(line)
        if isinstance(files, bytes):
            files = {"a.csv": files}
        found = verdicts(file_of(files) if isinstance(files, str) else files)
        assert found.agree, line

        return [*found.problems, f"import job: {found.failure or found.status}"]

    golden.answers("csv_rules.txt", answer)


@pytest.mark.parametrize(
    "row, is_accepted",
    [
        (f"i1,,,{'9' * 5000},,,,", False),
        (f"i1,,,{'0' * 5000},,,,", False),
        (f"i1,,,,,,{'t' * 1001},", False),
        (f"i1,,,,,,{'é' * 1000},", True),
        (f"i1,,,,,,,{'t' * 20_001}", True),
    ],
    ids=["large number", "leading zeros", "long string", "longest string", "text is cut"],
)
def test_both_sides_agree_about_long_values(row, is_accepted):
    found = verdicts(file_of(row))
    assert (found.problems == [], found.failure == "") == (is_accepted, is_accepted)


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
    texts = [*found.problems, *found.warnings, found.failure]

    assert "".join(texts).isprintable(), "a report may be shown on a terminal"
