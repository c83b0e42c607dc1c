"""Proves that each command that a message or a screen prints works, and does what it is for."""

import re
import shlex
from pathlib import Path

import pytest
from awscli.clidriver import create_clidriver
from typer.main import get_command

from components.args import ApprovalArgs, TriggerArgs
from functions.personalize.approvals import parse_approval
from functions.personalize.tags import read_tags
from functions.report.mail import format_report
from retrain.cli import MODULES, build_program
from tests.functions.test_mail import OUTCOMES
from tests.functions.test_report import report
from tests.retrain.in_process import account
from tests.workflow.pipeline import NEXT_SLOT
from tests.workflow.summaries import DEPLOYED, outcomes
from tests.world import HOUR, MOVIES, REGION, campaign, exports, interactions, solution

ROOT = Path(__file__).parents[3]
EARLIER_DAY = "2026-11-28"
ASKING = MOVIES.with_solutions(solution(approval=ApprovalArgs(timeout_hours=24)))
PROBED = MOVIES.with_solutions(solution(campaigns=[campaign("home", user_id="u1")]))
DATED = MOVIES.with_dataset("interactions", data_location="s3://exports/{date}/interactions.csv")
COMMAND = re.compile(
    rf"retrain (?:{'|'.join(MODULES)})\b(?: --?[a-z-]+(?: (?:STACK|prod|\{{.+?\}}))?)*"
)


FIRST_VERSION = "6ccfd7a7"
"""The id of the version that the campaign serves before the first run."""


def filled(placeholder):
    """Return a value for a placeholder in a sentence, for example a campaign or a day."""
    if "version_id" in placeholder[0]:
        return FIRST_VERSION
    if "arn" in placeholder[0] or "campaign" in placeholder[0]:
        return "home"
    return "interactions" if placeholder[1] else EARLIER_DAY


def parse_execution(prod, result):
    """Return the execution of the run whose id a command has printed."""
    run_id = result.out.strip()
    executions = prod.pipeline.executions(run_id.partition("-")[0])
    return next(execution for execution in executions if execution.arn.endswith(f":{run_id}"))


def commands_in(text):
    """Return the commands of `retrain` that have a line of their own."""
    return [line.strip() for line in text.splitlines() if line.startswith("  retrain ")]


# What a command of a message has done


def starts_a_run_that_deploys(prod, result):
    prod.pipeline.bucket.put("users.csv", exports()["users.csv"])
    results = outcomes(parse_execution(prod, result).wait())
    assert {**results, **DEPLOYED} == results


def moves_the_campaign_back(prod, result):
    assert result.out == f"home serves {prod.pipeline.served_version().partition('solution/')[2]}\n"


def deploys_the_version(prod, _):
    (execution,) = prod.pipeline.executions("20261129")
    assert outcomes(execution.wait()) == DEPLOYED


def refuses_the_version(prod, _):
    approval = parse_approval(read_tags(prod.pipeline.client, prod.pipeline.versions()[-1]))
    assert approval.status == "REFUSED"


def prints_how_it_was_made(prod, result):
    assert prod.pipeline.versions()[-1].partition("solution/")[2] in result.out


def examines_the_pipeline(prod, result):
    assert f"deployment: {prod.pipeline.machine.arn.rpartition(':')[2]} is deployed" in result.out


def after(fault, **fields):
    """Return a function that injects a fault before the run."""
    return lambda pipeline: pipeline.inject_fault(fault, **fields)


NO_TRAINING = after("fail", job="solution-version", reason="no capacity")
NO_UPDATE = after("fail", job="campaign-update", reason="no capacity")
NO_RESULTS = after("no-results", job="solution-version")
CASES = [
    ("start", MOVIES, lambda at: at.bucket.objects.pop("users.csv"), starts_a_run_that_deploys),
    ("start", MOVIES, NO_TRAINING, starts_a_run_that_deploys),
    ("start", MOVIES, NO_UPDATE, starts_a_run_that_deploys),
    ("doctor", MOVIES, NO_TRAINING, examines_the_pipeline),
    ("rollback", MOVIES, lambda _: None, moves_the_campaign_back),
    ("history", MOVIES, lambda at: at.upload_worse_data(), prints_how_it_was_made),
    ("history", PROBED, NO_RESULTS, prints_how_it_was_made),
    ("approve", ASKING, lambda _: None, deploys_the_version),
    ("approve --refuse", ASKING, lambda _: None, refuses_the_version),
]
"""A command, the group and what happens before the run whose message has it, and what it does."""


@pytest.mark.parametrize("name, group, happening, effect", CASES)
def test_a_command_of_a_message_does_what_it_is_for(name, group, happening, effect):
    with account(group) as prod:
        prod.pipeline.run()
        if name not in ("approve", "approve --refuse"):
            prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
            happening(prod.pipeline)
            prod.pipeline.run(scheduledTime=NEXT_SLOT)

        prod.pipeline.sleep(600)
        lines = commands_in(prod.pipeline.inbox.messages[-1].body)
        (command,) = (line for line in lines if named(line) == name)
        answer = "" if name in ("doctor", "start", "history") else " --yes"
        result = prod.retrain(command.removeprefix("retrain ") + answer)
        assert result.code == 0, result.err
        effect(prod, result)


def named(command):
    """Return the name of a command, with the option that makes another command of it."""
    words = command.split()[1:]
    return " ".join(words[:2]) if words[1] == "--refuse" else words[0]


def test_there_is_a_case_for_each_command_of_a_message():
    texts = [format_report(report(*outcome)) for outcome in OUTCOMES.values()]
    printed = {named(command) for text in texts for command in commands_in(text)}
    assert printed == {name for name, *_ in CASES}


def sentences():
    """Yield the commands in the sentences of the functions and of the alarms."""
    files = [*(ROOT / "functions").rglob("*.py"), ROOT / "components" / "alarms.py"]
    advice = ROOT / "functions" / "report" / "mail.py"  # whose commands are in CASES
    for file in {*files} - {advice}:
        text = re.sub(r'"\n *f?"', "", file.read_text())  # a string goes on in the next line
        yield from (match[0] for match in COMMAND.finditer(text))


SENTENCES = {re.sub(r"\{.*?(type)?\W*\}", filled, command) for command in sentences()}


@pytest.mark.parametrize("command", sorted(SENTENCES - {"retrain doctor -s STACK"}))
def test_a_command_in_a_sentence_works(command):
    with account(DATED) as prod:
        prod.pipeline.bucket.put(f"{EARLIER_DAY}/interactions.csv", interactions(shift=1))
        prod.pipeline.bucket.put("2026-11-29/interactions.csv", exports()["interactions.csv"])
        prod.pipeline.run()
        prod.pipeline.sleep(600)
        name = command.split()[1]
        if name == "stop":
            prod.retrain("start")
        more = " --yes" if name in ("rollback", "stop") else ""
        more = f" {EARLIER_DAY}" if command.endswith("--export-date") else more
        result = prod.retrain(command.removeprefix("retrain ") + more)
        if name == "start":
            assert parse_execution(prod, result).wait().status == "SUCCEEDED"

    assert result.code == 0, result.err


def test_a_training_that_needs_the_export_of_an_earlier_day_names_the_command_that_compares_it():
    """A run of the next day is refused until the ready marker of that day is written."""
    daily = MOVIES.with_datasets(
        "interactions",
        data_location="s3://exports/{date}/interactions.csv",
        ready_marker="s3://exports/{date}/_SUCCESS",
    )
    with account(daily.with_options(trigger=TriggerArgs(on_export=True))) as prod:
        prod.pipeline.bucket.put("2026-11-29/interactions.csv", interactions(shift=1))
        prod.pipeline.bucket.put("2026-11-29/_SUCCESS", b"")
        prod.pipeline.sleep(1)
        prod.pipeline.start_until("CreateDatasetImportJob").abort()
        prod.pipeline.sleep(24 * HOUR)
        prod.retrain("start --skip-import")
        prod.pipeline.sleep(HOUR)
        (command,) = re.findall(
            "compare them: `retrain (.*?)`", prod.pipeline.inbox.messages[-1].body
        )
        result = prod.retrain(command)

        assert parse_execution(prod, result).wait().status == "SUCCEEDED"
    assert command.startswith("start --dataset interactions --export-date 2026-11-29 ")


SCREENS = "\n".join(
    file.read_text() for file in (ROOT / "tests" / "retrain").glob("*/golden/*.txt")
)
SHOWN = re.findall(r"^ +(retrain .*?)(?:  #|$)|`(retrain .*?)`", SCREENS, re.MULTILINE)


@pytest.mark.parametrize("command", sorted({"".join(groups) for groups in SHOWN}))
def test_a_command_on_a_screen_can_be_pasted(command):
    _, name, *arguments = shlex.split(command)
    get_command(build_program()).commands[name].make_context(name, arguments)


@pytest.mark.parametrize("command", sorted({*re.findall(r"`aws ((?!sso|configure).*?)`", SCREENS)}))
def test_a_command_of_the_aws_cli_on_a_screen_can_be_pasted(command, monkeypatch, capsys):
    """With this option, the CLI checks the others, and sends nothing. It learns `sso` in 2.0."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    arguments = [*shlex.split(command), "--generate-cli-skeleton", "output"]
    code = create_clidriver().main(arguments)
    assert (code, capsys.readouterr().err) == (0, "")
