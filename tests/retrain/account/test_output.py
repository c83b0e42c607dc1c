"""Proves where results, messages and questions go."""

import io
import sys
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from retrain.account.errors import FailedError, OperatorError
from retrain.account.output import (
    confirm,
    print_command,
    print_json,
    print_message,
    print_result,
)

LONG = " ".join(["[bold]movies[/bold]"] * 12)


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}, {"COLUMNS": "40"}])
def test_a_pipe_gets_results_and_messages_as_they_are(monkeypatch, capsys, variables):
    monkeypatch.delenv("COLUMNS", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    print_result(LONG)
    print_message(LONG)
    assert capsys.readouterr() == (f"{LONG}\n", f"{LONG}\n"), "neither wrapped nor marked up"


def test_a_terminal_breaks_texts_between_words_and_breaks_no_command(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    print_message("eleven words are too long for a line of forty characters")
    print_message("eleven words are too long `for a line of forty` characters")
    print_command("To follow it", "retrain watch --run manual-20261129T030412Z-1f0c9a")

    assert capsys.readouterr().err.splitlines() == [
        "eleven words are too long for a line of",
        "forty characters",
        "eleven words are too long",
        "`for a line of forty` characters",
        "To follow it:",
        "  retrain watch --run manual-20261129T030412Z-1f0c9a",
    ]


def test_a_terminal_without_columns_gets_the_usual_ones(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "0")
    print_message("eleven words are " * 9)
    assert max(map(len, capsys.readouterr().err.splitlines())) in range(70, 81)


def test_a_document_keeps_its_order_and_its_times_are_iso_8601(capsys):
    print_json({"b": datetime(2026, 11, 29, 3, tzinfo=UTC), "a": "é"})
    assert capsys.readouterr().out == '{\n  "b": "2026-11-29T03:00:00+00:00",\n  "a": "é"\n}\n'


class Terminal(io.StringIO):
    """A standard input that is a terminal."""

    def isatty(self):
        """Return True."""
        return True


@pytest.mark.parametrize(
    "answer, confirmed",
    [("y\n", True), ("Yes\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_only_yes_confirms(monkeypatch, capsys, answer, confirmed):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    with nullcontext() if confirmed else pytest.raises(FailedError, match="nothing changed"):
        confirm("stop it?", "nothing changed", yes=False)
    assert capsys.readouterr() == ("", "stop it? [y/N] ")


def test_yes_needs_no_question(capsys):
    confirm("stop it?", "", yes=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
def test_without_a_terminal_nobody_can_answer(monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", stdin)  # None, if the shell has closed it
    with pytest.raises(OperatorError) as caught:
        confirm("stop it?", "", yes=False)
    assert str(caught.value) == "stop it? nobody can answer without a terminal; add --yes"
