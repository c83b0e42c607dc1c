"""Proves that the command line knows each command that the messages about runs tell to paste."""

import shlex

import pytest
from typer.main import get_command

from functions.report.text import text_of
from retrain.cli import program
from tests.functions.test_report import report
from tests.functions.test_report_text import OUTCOMES

PASTED = {
    line.strip()
    for document, *_ in OUTCOMES.values()
    for line in text_of(report(document, [])).splitlines()
    if line.startswith("  retrain ")
}


@pytest.mark.parametrize("line", sorted(PASTED))
def test_a_command_of_a_message_can_be_pasted(line):
    _, name, *arguments = shlex.split(line)
    context = get_command(program()).commands[name].make_context(name, arguments)
    assert context.params["state_machine_arn"].endswith(":stateMachine:retraining")


def test_the_messages_tell_these_commands():
    assert {line.split()[1] for line in PASTED} == {
        "start",
        "history",
        "rollback",
        "approve",
    }
