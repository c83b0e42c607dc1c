"""What a probe has to give to its filter: values for the parameters, and perhaps a user."""

import pytest

from functions.rules.filters import filter_problems

INCLUDE = "INCLUDE ItemID WHERE Items.GENRE IN ($GENRE) AND Items.PRICE < $PRICE"
EXCLUDE = 'EXCLUDE ItemID WHERE Items.GENRE IN ($GENRE, "$X") AND Items.PRICE < $PRICE'
FIXED = 'INCLUDE ItemID WHERE Items.GENRE IN ("Drama")'
BOTH = "exclude ItemID where Interactions.EVENT_TYPE IN ($TYPE)|include ItemID where Items.A=$A"
WORDS = 'EXCLUDE ItemID WHERE Items.INCLUDED_IN IN ($PLACE) OR Items.A = "| INCLUDE $B"'
MISSING = "has filterValues for {}, but the filter needs {}; correct them"


def unquoted(value, name):
    return (
        f"has {value!r} for {name} in its filterValues; put each text into double quotes, for "
        "example '\"Drama\"'"
    )


@pytest.mark.parametrize(
    ("expression", "values", "problems"),
    [
        (INCLUDE, {"GENRE": '"Drama","War"', "PRICE": "9.5"}, []),
        (INCLUDE, {"GENRE": '"Drama" , "War"', "PRICE": '"9.5"'}, []),
        (INCLUDE, {"GENRE": '"Drama"'}, [MISSING.format("GENRE", "GENRE and PRICE")]),
        (INCLUDE, {}, [MISSING.format("nothing", "GENRE and PRICE")]),
        (EXCLUDE, {}, []),
        (EXCLUDE, {"GENRE": '"War"'}, []),
        (EXCLUDE, {"GENRES": '"W"'}, [MISSING.format("GENRES", "GENRE and PRICE")]),
        (FIXED, {}, []),
        (FIXED, {"X": "1"}, [MISSING.format("X", "nothing")]),
        (BOTH, {"A": "-1"}, []),
        (BOTH, {"A": "1", "TYPE": '"Watch"'}, []),
        (BOTH, {"TYPE": '"Watch"'}, [MISSING.format("TYPE", "A and TYPE")]),
        (WORDS, {}, []),
        (WORDS, {"B": '"x"'}, [MISSING.format("B", "PLACE")]),
    ],
)
def test_only_include_needs_its_values_and_other_values_are_refused(expression, values, problems):
    probe = {"userId": "u1", "filterValues": values}
    assert [*filter_problems(expression, probe)] == problems


@pytest.mark.parametrize(
    "value",
    [
        *("Drama", '"Drama', '"Drama","War', "'Drama'", "\u201cDrama\u201d", '"Drama" "War"'),
        *("5", "true", ""),
    ],
)
def test_in_compares_only_texts_in_double_quotes(value):
    probe = {"userId": "u1", "filterValues": {"GENRE": value, "PRICE": "5"}}
    assert [*filter_problems(INCLUDE, probe)] == [unquoted(value, "GENRE")]


def test_other_operators_compare_a_text_or_one_number():
    for value in ("5", " 5 ", "-0.5", '"5"'):
        assert [*filter_problems(BOTH, {"userId": "u1", "filterValues": {"A": value}})] == []
    for value in ("5,6", "5e", "True"):
        problems = [*filter_problems(BOTH, {"userId": "u1", "filterValues": {"A": value}})]
        assert problems == [unquoted(value, "A")]


@pytest.mark.parametrize(
    ("condition", "needs_user"),
    [
        ('Interactions.EVENT_TYPE IN ("Watch")', True),
        ('Items.GENRE IN ("Drama") IF CurrentUser.AGE > 18', True),
        ('Items.GENRE IN ("Drama") if currentuser . AGE > 18', True),
        ('Items.GENRE IN ("Interactions.")', False),
        ("Items.INTERACTIONS_ALLOWED = 1", False),
        ("Items.PRICE < CurrentItem.PRICE", False),
    ],
)
def test_a_filter_on_data_of_the_user_needs_a_user(condition, needs_user):
    problem = "has a filter that uses data of the user, but no userId; add a userId"
    found = [*filter_problems(f"EXCLUDE ItemID WHERE {condition}", {"filterValues": {}})]
    assert found == ([problem] if needs_user else [])
