"""Proves that a test runs each command that the README and the pages of docs/ print."""

import re

import pytest

from tests.engine.test_operate import PASTED
from tests.pages import FENCED, GUIDES, ROOT, commands, sections

AUTO_TRAINING = "aws personalize update-solution --no-perform-auto-training --solution-arn"
PUT_ALARM = (
    "aws cloudwatch put-metric-alarm --alarm-name --comparison-operator --evaluation-periods"
    " --metric-name --namespace --period --statistic --threshold"
)
SET_ALARM = "aws cloudwatch set-alarm-state --alarm-name --state-reason --state-value"
RUN_BY = {
    AUTO_TRAINING: ("engine", 'until("aws personalize update-solution"'),
    "aws personalize create-solution-version --solution-arn": (
        "emulator",
        "create_solution_version(solutionArn=",
    ),
    PUT_ALARM: ("emulator", "cloudwatch.put_metric_alarm("),
    SET_ALARM: ("emulator", "cloudwatch.set_alarm_state("),
    "aws personalize start-recommender --recommender-arn": (
        "retrain",
        "start_recommender(recommenderArn=",
    ),
    "pulumi install": ("engine", '"install"'),
    "pulumi package add": ("engine", "pulumi package add"),
    "pulumi preview": ("engine", ".preview().steps"),
    "pulumi preview --refresh": ("engine", 'stack.preview("--refresh")'),
    "pulumi stack export": ("engine", '"stack", "export"'),
    "retrain --install-completion": ("retrain", "_RETRAIN_COMPLETE"),
    "retrain COMMAND --help": ("retrain", '"--help"'),
    "pulumi stack import": ("engine", '"stack", "import"'),
    "retrain approve": ("retrain", "approve "),
    "retrain approve --refuse": ("retrain", "--refuse"),
    "retrain doctor --policy": ("retrain", "doctor --policy"),
    "retrain emulate": ("retrain", "emulate"),
    "retrain history --limit --plot": ("retrain", "history --limit 50 --plot "),
    "retrain rehearse --help": ("retrain", '"--help"'),
    "retrain rehearse --keep": ("retrain", '"--keep"'),
    "retrain start --dataset --solution": ("retrain", '"--dataset items --solution series"'),
    "retrain start --force --skip-import": ("retrain", '"--skip-import --force"'),
    "retrain start --skip-import --watch": ("retrain", "start --skip-import"),
    "retrain watch --run": ("retrain", "--run "),
}
"""Command -> the folder of the tests that run it, and a text in one of these tests."""
ONLY_NAMED = {"pulumi package publish", "pulumi cancel"}
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
    return re.findall(r"(?<!make )\b((?:retrain|pulumi|aws) [^|&)\n]*)", text)


def pasted():
    """Return the commands that tests paste from the pages."""
    blocks = [block for page in GUIDES for block in FENCED.findall(page.read_text())]
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
    sources = {
        folder: "".join(path.read_text() for path in (ROOT / "tests" / folder).rglob("*.py"))
        for folder in ("emulator", "engine", "retrain")
    }
    assert [one for one, (folder, text) in RUN_BY.items() if text not in sources[folder]] == []
