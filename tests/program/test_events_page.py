"""Proves that the page of the event shows every key in the code, and that its example is whole."""

import types
from typing import get_args, get_origin, get_type_hints, is_typeddict

from docs import events
from functions.report import model
from tests.program.sample_stack import ROOT


def test_the_page_shows_the_present_keys():
    page = (ROOT / "docs" / "events.md").read_text()
    assert page == events.page(), "run: python -m docs.events > docs/events.md"


def test_the_page_has_a_table_for_each_part():
    types = {name for name, value in vars(model).items() if is_typeddict(value)}
    assert {name for name in types if name.endswith("Report")} == set(events.TITLES)


def fits(value, hint):
    """Return True if a value has exactly the keys and the types of a hint."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, part) for part in get_args(hint))
    if is_typeddict(hint):
        hints = get_type_hints(hint)
        return value.keys() == hints.keys() and all(fits(value[key], hints[key]) for key in hints)
    if get_origin(hint) is list:
        return all(fits(item, *get_args(hint)) for item in value)
    if get_origin(hint) is dict:
        return all(fits(item, get_args(hint)[1]) for item in value.values())
    if get_args(hint):
        return value in get_args(hint)
    return isinstance(value, (int, float) if hint is float else hint)


def test_the_example_has_exactly_the_keys_and_the_types_of_the_detail():
    assert fits(events.EXAMPLE, model.Report)
    assert not fits({**events.EXAMPLE, "more": 1}, model.Report)
    assert not fits({**events.EXAMPLE, "outcome": "GOOD"}, model.Report)
