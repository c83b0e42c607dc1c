"""The commands of the operations guide work when they are pasted.

With the AWS CLI and `retrain` against the emulator. A script stands in for the Pulumi CLI.
"""

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from retrain.cli import MODULES
from retrain.rehearsal import shell
from tests.end_to_end.stack import PROJECT, eventually
from tests.warm_commands import warm_command

GUIDE = PROJECT / "docs" / "operations.md"
CHANGE = "# CHANGES AWS"
CHANGING = re.compile(
    r"\b(?:start-execution|stop-\w+|update-\w+|tag-resource|put-\w+|create-topic|pulumi up"
    r"|publish|retrain (?:start|stop|rollback|approve|test-alarm))\b"
)
"""The commands of the guide that change something."""
PULUMI = """\
#!/bin/sh
echo "pulumi $*" >> {calls}
case "$1 $2 $3" in
{outputs}
    "config get aws:region") echo eu-west-1 ;;
    "config get datasets") echo '{datasets}' ;;
    "config get solutions") echo '{solutions}' ;;
esac
"""
PRELUDE = """\
set -euo pipefail
sleep() { command sleep 0.1; }
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
retrain() {
    case $1 in start | stop | rollback) set -- "$@" --yes ;; esac
    command retrain "${@/-s/--state-machine-arn}" 2>&1 ||
        case $?,$1 in 1,doctor | 1,plan) ;; *) false ;; esac
}
"""
"""Version 1 of the AWS CLI does not use AWS_ENDPOINT_URL for SQS.

A reader answers the questions of `retrain`. The checks may find problems (exit code 1). The stack
has no file, so its state machine stands for its name."""

SERVICES = (
    *("cloudwatch", "iam", "kms", "personalize", "s3", "scheduler", "service-quotas", "sns"),
    *("stepfunctions", "sts"),
)
"""The services that `retrain` calls."""


def commands(fence):
    """Return the commands of the guide in these fences, by section and in the order of the page."""
    sections = {}
    for section in GUIDE.read_text().split("\n## ")[1:]:
        heading, text = section.split("\n", 1)
        blocks = re.findall(rf"^ *```{fence}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
        if blocks:
            sections[heading] = [textwrap.dedent(block) for block in blocks]
    return sections


COMMANDS = commands("bash")
SET_UP, *LIST_EXECUTIONS = COMMANDS.pop("Start here")
RETRAIN_COMMANDS = commands("sh")
RETRAIN_SET_UP, *CHECK_ACCOUNT = RETRAIN_COMMANDS.pop("Start here")


@pytest.fixture
def pulumi_calls(films, tmp_path):
    """Put a stand-in for the Pulumi CLI into a folder, and return the file of its calls."""
    calls = tmp_path / "calls"
    outputs = "\n".join(
        f'    "stack output {name}") echo {value} ;;'
        for name, value in films.deployment.outputs.items()
    )
    datasets = {
        name: {"datasetArn": f"arn:aws:personalize:eu-west-1:123456789012:dataset/films/{name}"}
        for name in ("INTERACTIONS", "USERS")
    }
    solution = {
        "solutionArn": films.solution_arn,
        "campaigns": [{"campaignArn": films.campaign_arn}],
    }
    script = tmp_path / "pulumi"
    script.write_text(
        PULUMI.format(
            calls=calls,
            outputs=outputs,
            datasets=json.dumps(datasets),
            solutions=json.dumps([solution]),
        )
    )
    script.chmod(0o755)
    return calls


@pytest.fixture(scope="module")
def commands_folder(tmp_path_factory):
    """Return a folder with the AWS CLI and `retrain`."""
    folder = tmp_path_factory.mktemp("commands")
    with (
        warm_command(folder, "aws", "awscli", ["awscli.clidriver", "awscli.handlers"]),
        warm_command(folder, "retrain", "retrain", [*MODULES.values()], SERVICES),
    ):
        yield folder


@pytest.fixture
def paste(films, pulumi_calls, commands_folder):
    """Return a function that pastes the commands of a section and returns what they print.

    Its other arguments are the variables that the reader fills in.
    """
    folders = [str(pulumi_calls.parent), str(commands_folder), os.environ["PATH"]]
    environment = {
        **films.emulator.exports,
        "PATH": os.pathsep.join(folders),
        "HOME": "/nowhere",
    }

    def paste_section(heading, *, with_retrain=False, **variables):
        if with_retrain:
            blocks = [RETRAIN_SET_UP, *(RETRAIN_COMMANDS.get(heading) or CHECK_ACCOUNT)]
            stack = films.output("state_machine_arn")
        else:
            blocks = [SET_UP, *(COMMANDS.get(heading) or LIST_EXECUTIONS)]
            stack = "films"
        script = "".join([PRELUDE, *blocks]).replace("STACK=prod", f"STACK={stack}")
        for name, value in variables.items():
            script = script.replace(f'{name}=""', f"{name}={value}")
        assert '=""' not in script, "the test has to fill in each variable"
        pasted = subprocess.run(
            ["bash"],  # noqa: S607  # as a reader has it
            input=script,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (pasted.returncode, pasted.stderr) == (0, ""), pasted.stdout
        return pasted.stdout

    return paste_section


def waiting_run(films):
    """Start a run that waits for a free import slot, and return the ARN of its execution."""
    order = {"fault": "limit-exceeded", "operation": "CreateDatasetImportJob"}
    films.emulator.control("POST", "faults", order)
    execution_arn = films.start(force=True, datasets=["users"])
    eventually(
        lambda: films.read_run(execution_arn).states,
        lambda states: "Wait to import" in states,
    )
    return execution_arn


def long_training(films):
    """Start a training of a minute, and return the ARN of its version."""
    solution_arn = str(films.args.solutions[0].solution_arn)
    order = {"fault": "take", "job": "solution-version", "of": solution_arn, "seconds": 60}
    films.emulator.control("POST", "faults", order)
    personalize = films.client("personalize")
    return personalize.create_solution_version(solutionArn=solution_arn)["solutionVersionArn"]


def schedule_states(films):
    """Return the states of the schedules that start runs."""
    group, name = films.output("schedule_arn").split("/")[-2:]
    request = {"GroupName": group, "NamePrefix": name}
    schedules = films.client("scheduler").list_schedules(**request)["Schedules"]
    return [schedule["State"] for schedule in schedules]


@pytest.fixture
def schedule_is_restored(films):
    """Restore the schedule of the stack after the test, because other tests fire it."""
    group, name = films.output("schedule_arn").split("/")[-2:]
    client = films.client("scheduler")
    schedule = client.get_schedule(GroupName=group, Name=name)
    yield
    output_only = ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata")
    client.update_schedule(
        **{key: value for key, value in schedule.items() if key not in output_only}
    )
    assert schedule_states(films) == ["ENABLED"]


@pytest.mark.usefixtures("schedule_is_restored")
def test_the_commands_for_an_emergency_work(paste, films):
    """Each section is pasted once. A run takes seconds, so one story needs less time than many."""
    deployed = films.run(force=True)
    run_id = deployed.report["runId"]
    assert f"SUCCEEDED\t{deployed.arn}" in paste("Start here")
    printed = paste("Recommendations are wrong")
    assert f"{films.campaign_arn}\t{deployed.version_arn}\tACTIVE\t" in printed
    assert printed.count("ACTIVE\tarn:aws:personalize:") == 2, "the last import of each dataset"

    stopped_arn = waiting_run(films)
    version_arn = long_training(films)
    printed = paste("Stop it now")
    assert f"stopping {stopped_arn}\n" in printed
    assert films.read_run(stopped_arn).status == "ABORTED"
    assert f"stopping {version_arn}\n" in printed
    assert films.version_status(version_arn) == "CREATE STOPPED"
    assert schedule_states(films) == ["DISABLED"]

    eventually(lambda: films.closing_records(films.read_run(stopped_arn)), bool)
    printed = paste("No report", RUN=stopped_arn)
    assert printed.startswith("FAILED: the execution was stopped.\n")
    printed = paste("A run failed", RUN=films.run(trainingsMode="FULL").arn)
    assert '"trainingsMode" is unknown; did you mean "trainingMode"?' in printed
    assert deployed.version_arn in printed, "the version that the campaign serves"

    started_arn = json.loads(paste("Start again"))["executionArn"]
    assert films.wait_for(started_arn).status == "SUCCEEDED"

    (campaign,) = deployed.report["solutions"][0]["campaigns"]
    old_version = campaign["previousVersionArn"]
    printed = paste("Roll back a campaign", CAMPAIGN=films.campaign_arn)
    assert f"serves now:    {deployed.version_arn}\nserved before: {old_version}\n" in printed
    assert "last update:   ACTIVE\n" in printed
    eventually(films.served_version, lambda version: version == old_version)
    written = films.client("personalize").list_tags_for_resource(resourceArn=films.campaign_arn)
    assert {"tagKey": "retraining-bad", "tagValue": deployed.version_arn} in written["tags"]

    assert '"step": "report_outcome"' in paste("Logs", RUN_ID=run_id)
    assert '"step": "watch_pipeline"' in paste("Age of the models")
    tags = [tag["tagKey"] for tag in json.loads(paste("Tags"))]
    assert "retraining-previous" in tags


def test_retrain_does_what_the_guide_says_in_an_emergency(paste, films):
    deployed = films.run(force=True)
    printed = paste("Start here", with_retrain=True)
    assert deployed.report["runId"] in printed
    assert "bucket policy" in printed, "doctor"
    assert "\nPlan: " in printed
    printed = paste("A run failed", with_retrain=True)
    assert "DEPLOYED: " in printed
    assert f"Run {deployed.report['runId']} " in printed
    assert "DEPLOYED" in paste("Recommendations are wrong", with_retrain=True)
    assert "the schedule is enabled" in paste("No run started", with_retrain=True)

    stopped = films.read_run(waiting_run(films))
    assert "was stopped" in paste("Stop it now", with_retrain=True)
    assert films.read_run(stopped.arn).status == "ABORTED"
    eventually(lambda: films.closing_records(films.read_run(stopped.arn)), bool)
    assert "with retrain stop" in paste("No report", with_retrain=True)
    assert "\nRun " in paste("Start again", with_retrain=True)

    served = films.served_version()
    name = films.campaign_arn.rpartition("/")[2]
    printed = paste("Roll back a campaign", with_retrain=True, CAMPAIGN=name)
    assert f"  serves   {served}\n" in printed
    assert printed.endswith(f"{films.campaign_arn} serves {films.served_version()}\n")
    assert films.served_version() != served
    assert "SKIPPED: " in paste("Start a run", with_retrain=True)


def test_a_rehearsal_prints_what_the_guide_sets_up(films, pulumi_calls):
    """So all commands of the guide work in the shell of a kept rehearsal."""
    stack = SimpleNamespace(name="films", args=films.args)
    variables = shell.guide_variables(SimpleNamespace(stack=stack, output=films.output))
    assert shell.FUNCTIONS in SET_UP
    names = re.findall(r"^(?:export )?([A-Z_]+)=", SET_UP, re.MULTILINE)
    assert set(names) == {*variables, *(name for name in names if name.startswith("AWS_"))}
    kept = {
        **films.emulator.exports,
        **{name: value.strip('"').split() for name, value in variables.items()},
    }
    path = os.pathsep.join([str(pulumi_calls.parent), os.environ["PATH"]])
    printed = subprocess.run(
        ["bash"],  # noqa: S607  # as a reader has it
        input=SET_UP.replace("STACK=prod", "STACK=films")
        + "".join(f'echo "{name}" ${name}\n' for name in variables),
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    set_by_guide = {name: values for name, *values in map(str.split, printed.stdout.splitlines())}
    assert set_by_guide == {name: kept[name] for name in variables}


def test_the_reason_of_a_dead_letter_is_printed(paste, films):
    reason = {"DataType": "String", "StringValue": "the role may not start it"}
    films.client("sqs").send_message(
        QueueUrl=films.output("dead_letter_queue_url"),
        MessageBody='{"trigger": "schedule"}',
        MessageAttributes={"ERROR_MESSAGE": reason},
    )
    printed = paste("No run started")
    assert "the role may not start it" in printed
    assert "ENABLED\tcron(0 3 ? * MON *)\tEurope/Dublin\n" in printed
    assert len(films.dead_letters()) == 1, "reading a message does not remove it"


def test_a_message_is_sent_through_the_topic(paste, pulumi_calls):
    assert json.loads(paste("Messages"))["MessageId"]
    assert pulumi_calls.read_text().splitlines()[-3:] == [
        "pulumi config set --path notifications.emails[0] on-call@example.com -s films",
        "pulumi up -s films",
        "pulumi stack output topic_arn -s films",
    ]


def test_the_address_of_the_dashboard_is_printed_and_the_dashboard_exists(paste, films):
    url = films.output("dashboard_url")
    assert paste("Alarms").splitlines()[-1] == url
    cloudwatch = films.client("cloudwatch")
    dashboard = cloudwatch.get_dashboard(DashboardName=url.rpartition("/")[2])
    assert json.loads(dashboard["DashboardBody"])["widgets"]


def test_a_pause_begins_and_ends_with_a_deployment(paste, pulumi_calls):
    paste("Pause")
    assert pulumi_calls.read_text().splitlines()[-2:] == [
        "pulumi config set paused true -s films",
        "pulumi up -s films",
    ]
    paste("End a pause")
    assert pulumi_calls.read_text().splitlines()[-2:] == [
        "pulumi config set paused false -s films",
        "pulumi up --refresh -s films",
    ]


def test_a_run_is_started_and_its_report_printed(paste):
    printed = paste("Start a run")
    assert printed.startswith("SUCCEEDED\nSKIPPED: ")
    assert json.loads(printed[printed.index("{") :])["outcome"] == "SKIPPED"


def test_the_decisions_about_ready_markers_are_printed(paste):
    assert paste("Runs on the arrival of exports") in {"", "None\n"}, "the stack has no markers"


def test_every_section_with_commands_is_pasted():
    source = Path(__file__).read_text()
    pasted = {
        *(f'paste("{heading}"' for heading in COMMANDS),
        *(f'paste("{heading}", with_retrain=True' for heading in RETRAIN_COMMANDS),
    }
    assert [call for call in pasted if call not in source] == []


def test_exactly_the_blocks_that_change_something_say_so():
    sections = [*COMMANDS.values(), *RETRAIN_COMMANDS.values()]
    blocks = [block for section in sections for block in section]
    marked = [block for block in blocks if block.startswith(CHANGE)]
    assert marked == [block for block in blocks if CHANGING.search(block)]
