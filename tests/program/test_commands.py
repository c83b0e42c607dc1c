"""Proves that a test runs each command that the README and the pages of docs/ print."""

import re

import pytest

from tests.engine.test_operate import PASTED
from tests.pages import FENCED, ROOT, commands, sections

GUIDES = ("operations.md", "runs.md")
"""The pages whose fenced blocks are pasted by tests/end_to_end/test_guide.py."""
RUN_BY = {
    "pulumi install": ("tests/engine/test_sdks.py", '"install"'),
    "pulumi package add": ("tests/engine/test_sdks.py", "pulumi package add"),
    "pulumi preview": ("tests/engine/stacks.py", '"preview"'),
    "pulumi preview --refresh": ("tests/engine/test_life.py", 'stack.preview("--refresh")'),
    "pulumi stack export": ("tests/engine/stacks.py", '"stack", "export"'),
    "pulumi stack import": ("tests/engine/test_upgrade.py", '"stack", "import"'),
    "retrain --version": ("tests/retrain/test_cli.py", '"--version"'),
    "retrain approve": ("tests/retrain/act/test_printed_commands.py", '"approve"'),
    "retrain approve --reject": ("tests/retrain/act/test_printed_commands.py", '"--reject"'),
    "retrain doctor --policy": ("tests/retrain/check/test_checks.py", "--policy"),
    "retrain emulate": ("tests/retrain/test_emulate.py", "emulate"),
    "retrain rehearse --help": ("tests/retrain/test_cli.py", '"--help"'),
    "retrain rehearse --keep": ("tests/retrain/test_rehearse.py", "keep=True"),
    "retrain start --force --watch": ("tests/retrain/act/test_start_stop.py", "--force"),
    "retrain watch --run": ("tests/retrain/account/test_target.py", '"--run"'),
}
"""Command -> the test that runs it, and a text in this test."""
ONLY_NAMED = {"pulumi config", "pulumi package publish"}
"""Commands that a page only writes about."""


def short(command):
    """Return the words that name a command, and its options, except the stack."""
    words = command.split()
    is_long = words[0] == "aws" or words[1] in ("config", "stack", "package")
    name = [word for word in words[: 3 if is_long else 2] if word[0] not in "-<"]
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    return " ".join([*name, *sorted(options - {"--stack"})])


def lines(text):
    """Return the commands in a block, one for each line, pipe and substitution."""
    return re.findall(r"\b((?:retrain|pulumi|aws) [^|&)\n]*)", text)


def pasted():
    """Return the commands that tests paste from the pages."""
    blocks = [
        block for name in GUIDES for block in FENCED.findall((ROOT / "docs" / name).read_text())
    ]
    texts = [*blocks, *(command for section in PASTED for command in commands(*section))]
    return {short(command) for text in texts for command in lines(text.replace("\\\n", " "))}


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda page: page.name
)
def test_a_test_runs_each_command_of_a_page(page):
    named = {
        short(command)
        for heading in sections(page)
        for text in commands(page, heading)
        for command in lines(text)
    }
    known = [set(command.split()) for command in {*pasted(), *RUN_BY, *ONLY_NAMED}]
    assert [
        one for one in sorted(named) if not any(set(one.split()) <= other for other in known)
    ] == []


def test_the_tests_that_run_the_other_commands_still_do():
    assert [
        command for command, (test, text) in RUN_BY.items() if text not in (ROOT / test).read_text()
    ] == []
