"""Tests of short texts: how they are cut, and that every handler in the state machine cuts them."""

import importlib
import json
import logging
import traceback

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from components.function_configs import FUNCTION_CONFIGS
from components.lambda_functions import FUNCTIONS_CALLED_BY_EVENTS
from functions.common.errors import RunRefused
from functions.common.messages import as_message
from functions.common.truncation import (
    count_json_bytes,
    truncate,
    truncate_list,
    truncate_middle,
    truncate_output,
)

OTHERS = {"report_outcome", *FUNCTIONS_CALLED_BY_EVENTS}
"""The steps whose results are no part of the document. `report/model.py` shortens reports."""


def raises(error):
    """Return a decorated handler that raises an error."""

    @truncate_output
    def handler(_event, _context):
        raise error

    return handler


def test_a_short_text_is_not_changed():
    assert truncate("too few users") == "too few users"


def test_a_cut_text_says_how_long_it_was():
    text = truncate("x" * 100_000, 100)
    assert text == f"{'x' * 68}… (cut, 100,000 characters)"


def test_an_error_of_aws_keeps_the_request_and_what_is_missing():
    user = "User: arn:aws:sts::123456789012:assumed-role/train-solution-1a2b3c4d/" + "x" * 300
    begin = "An error occurred (AccessDeniedException) when calling the CreateSolutionVersion"
    end = "because no permissions boundary allows the personalize:CreateSolutionVersion action"
    short = truncate_middle(f"{begin} operation: {user} is not authorized {end}")

    assert (short[: len(begin)], short[-len(end) :]) == (begin, end)
    assert "… (cut, 563 characters) …" in short


@given(st.text(max_size=800), st.integers(70, 700))
def test_a_text_has_at_most_the_bytes_of_its_limit(text, max_bytes):
    assert count_json_bytes(truncate(text, max_bytes)) <= max_bytes
    assert count_json_bytes(truncate_middle(text, max_bytes)) <= max_bytes


@given(st.lists(st.text(max_size=8), max_size=40), st.integers(120, 700))
def test_a_list_of_short_messages_has_at_most_the_bytes_of_its_limit(texts, max_bytes):
    messages = [*map(as_message, texts)]
    *short, last = truncate_list(messages, max_bytes) or [as_message("")]
    if [*short, last] == messages or not texts:
        return
    more = as_message(f"… and {len(texts) - len(short)} more")

    assert (messages[: len(short)], last) == (short, more)
    assert len(json.dumps(short)) <= max_bytes + len("[]")
    assert len(json.dumps(messages[: len(short) + 1])) > max_bytes, "no more messages would fit"


def test_the_first_message_of_a_list_is_always_there():
    messages = [*map(as_message, ["x" * 800, "y"])]
    assert truncate_list(messages, 120) == [messages[0], {"text": "… and 1 more"}]


def test_the_texts_of_a_result_are_cut_but_not_its_settings():
    result = {
        "settings": {"tags": {"note": "x" * 600}, "ids": ["y" * 200] * 100},
        "plan": {"reasons": [{"text": "x" * 600, "command": "retrain start"}] * 20},
        "job": {"failure": "x" * 600, "seconds": 1, "arn": None},
        "warnings": ["y" * 200] * 100,
        "durations": [1, 2],
        "empty": [],
    }
    short = truncate_output(lambda _event, _context: result)({}, None)

    assert short == {
        **result,
        "plan": {"reasons": [*result["plan"]["reasons"][:12], {"text": "… and 8 more"}]},
        "job": {**result["job"], "failure": truncate_middle("x" * 600)},
        "warnings": [*["y" * 200] * 37, "… and 63 more"],
    }


def test_an_error_of_the_service_has_a_short_message_and_no_stack_trace_but_the_log_has_both(
    caplog,
):
    response = {"Error": {"Code": "InvalidInputException", "Message": "m" * 100_000}}
    error = ClientError(response, "UpdateCampaign")
    with caplog.at_level(logging.ERROR), pytest.raises(ClientError) as caught:
        raises(error)({}, None)

    assert caught.value is error, "the workflow matches the class"
    assert count_json_bytes(str(error)) <= 300
    assert str(error).startswith("An error occurred (InvalidInputException) when calling")
    _, *frames = traceback.extract_tb(error.__traceback__)
    assert [frame.name for frame in frames] == ["truncating_handler"]
    (record,) = caplog.records
    assert "m" * 100_000 in record.getMessage()
    assert record.exc_info[1] is error


def test_the_message_of_an_error_that_is_short_enough_stays_as_it_is():
    with pytest.raises(KeyError, match=r"^'settings'$"):
        raises(KeyError("settings"))({}, None)


def test_a_refusal_may_be_longer_and_is_not_logged(caplog):
    error = RunRefused(["y" * 900] * 10)
    with caplog.at_level(logging.ERROR), pytest.raises(RunRefused) as caught:
        raises(error)({}, None)

    assert str(caught.value) == str(RunRefused(["y" * 900] * 10))
    with pytest.raises(RunRefused) as caught:
        raises(RunRefused(["y" * 900] * 40))({}, None)
    assert 15_000 < count_json_bytes(str(caught.value)) <= 16_000
    assert caplog.records == []


@pytest.mark.parametrize("step", FUNCTION_CONFIGS)
def test_every_function_of_the_state_machine_shortens_its_texts(step):
    handler = importlib.import_module(f"functions.{step}").handler
    is_decorated = handler.__code__.co_name == "truncating_handler"
    assert is_decorated == (step not in OTHERS), "decorate it with @truncate_output"
