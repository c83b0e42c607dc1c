"""Proves that a definition whose states are parsed one by one is the one that moto parses."""

import json
from enum import Enum
from unittest.mock import patch

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import ASLParserException

from components.state_machine.definition import definition
from components.state_machine.steps import STEPS
from emulator import moto_parsing
from tests.world import MOVIES, PREFIX

ARNS = {step: f"arn:aws:lambda:eu-west-1:123456789012:function:{step}:1" for step in STEPS}
END = {"Type": "Succeed"}
WAIT = {"Type": "Wait", "Seconds": 5, "Next": "End"}
SAMPLE = definition(ARNS, MOVIES.settings(PREFIX), MOVIES.args)
JSONATA = {
    "QueryLanguage": "JSONata",
    "StartAt": "Compute",
    "States": {
        "Compute": {"Type": "Pass", "Output": "{% $states.input.a + 1 %}", "Next": "Both"},
        "Both": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "End", "States": {"End": END}}],
            "End": True,
        },
    },
}
JSONATA_WITHOUT_EXPRESSION = {
    "QueryLanguage": "JSONata",
    "StartAt": "End",
    "States": {"End": END},
}
COMMENTED = {
    "Version": "1.0",
    "Comment": "ü and é",
    "TimeoutSeconds": 5,
    "StartAt": "End",
    "States": {"End": END},
}


@pytest.fixture(autouse=True)
def empty_caches():
    """Forget what other tests have parsed. An execution writes into the parsed states."""
    moto_parsing.parse.cache_clear()
    moto_parsing._parse_part.cache_clear()  # noqa: SLF001 - only its cache


def texts_of(document):
    """Return a definition as texts: with spaces, without, and with other spaces."""
    return [
        *(json.dumps(document, separators=separators) for separators in moto_parsing.SEPARATORS),
        json.dumps(document, indent=4, ensure_ascii=False),
    ]


def content(component):
    """Return a parsed component as lists, dicts and values that can be compared."""
    if isinstance(component, dict):
        return {key: content(value) for key, value in component.items()}
    if isinstance(component, list | tuple):
        return [content(item) for item in component]
    if isinstance(component, Enum) or not hasattr(component, "__dict__"):
        return component
    return [type(component).__name__, content(vars(component))]


def error_of(parse, text):
    """Return the type and the text of the error with which a parser refuses a definition."""
    with pytest.raises((ASLParserException, ValueError)) as refused:
        parse(text)
    return type(refused.value), str(refused.value)


@pytest.mark.parametrize("document", [SAMPLE, JSONATA, JSONATA_WITHOUT_EXPRESSION, COMMENTED])
def test_a_definition_is_parsed_as_moto_parses_it(document):
    for text in texts_of(document):
        parsed = content(moto_parsing.parse(text)[0])
        assert parsed[0] == "Program"
        assert parsed == content(moto_parsing.moto_parse(text)[0])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"StartAt": "End"}',
        '{"StartAt": "End", "States": {}}',
        '{"StartAt": "End", "States": {"End": {"Type": "Unknown"}}}',
        '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}, "End": {"Type": "Succeed"}}}',
        '{"StartAt": "A", "States": {"A": {"Type": "Pass", "Output": "{% 1 %}", "End": true}}}',
        '{"States": {"End": {"Type": "Succeed"}}}',
        '{"StartAt": "End", "States": {"End": {"Type": "Succeed"}, "A": 5}}',
    ],
)
def test_a_definition_with_an_error_gets_the_error_of_moto(text):
    assert error_of(moto_parsing.parse, text) == error_of(moto_parsing.moto_parse, text)


def test_of_a_changed_definition_only_the_changed_state_is_parsed():
    before = {"StartAt": "Wait a little", "States": {"Wait a little": WAIT, "End": END}}
    changed_state = {**WAIT, "Seconds": 6}
    after = {"StartAt": "Wait a little", "States": {"Wait a little": changed_state, "End": END}}
    moto_parsing.parse(json.dumps(before))
    with patch.object(moto_parsing, "moto_parse", wraps=moto_parsing.moto_parse) as parse:
        parsed, _ = moto_parsing.parse(json.dumps(after))
    expected = {"StartAt": "Wait a little", "States": {"Wait a little": changed_state}}
    assert [json.loads(call.args[0]) for call in parse.call_args_list] == [expected]
    assert list(parsed.states.states) == ["Wait a little", "End"]
