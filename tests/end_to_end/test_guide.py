"""The commands of the operations guide work when they are pasted.

With the AWS CLI and `retrain` against the emulator. A script stands in for the Pulumi CLI.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from retrain.cli import MODULES
from tests.end_to_end.stack import eventually
from tests.pages import GUIDES, blocks
from tests.warm_commands import warm_command

CHANGE = "# CHANGES AWS"
CHANGING = re.compile(
    r"\b(?:start-execution|create-\w+|stop-\w+|update-\w+|tag-resource"
    r"|delete-message|s3 cp|pulumi up"
    r"|retrain (?:start|stop|rollback|pause|resume|pin|unpin|approve|test-alarm))\b"
)
"""The commands of the guide that change something."""
PULUMI = """\
#!/bin/sh
echo "pulumi $*" >> {calls}
case "$1 $2 $3" in
{outputs}
    "config get aws:region") echo eu-west-1 ;;
esac
"""
PRELUDE = """\
set -euo pipefail
sleep() { command sleep 0.1; }
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
retrain() {
    case $1 in start | stop | rollback) set -- "$@" --yes ;; esac
    command retrain "${@/#-s/--state-machine-arn}" 2>&1 ||
        case $?,$1 in 1,doctor | 1,plan) ;; *) false ;; esac
}
"""
"""Version 1 of the AWS CLI does not use AWS_ENDPOINT_URL for SQS.

A reader answers the questions of `retrain`. The checks may find problems (exit code 1). The stack
has no file, so its state machine stands for its name."""

SERVICES = (
    *(
        "cloudwatch",
        "events",
        "iam",
        "kms",
        "personalize",
        "s3",
        "scheduler",
        "service-quotas",
        "sns",
    ),
    *("stepfunctions", "sts"),
)
"""The services that `retrain` calls."""


COMMANDS = {heading: found for page in GUIDES for heading, found in blocks(page).items()}
SET_UP = COMMANDS["Emergencies and repairs"][0].split("retrain status")[0]


@pytest.fixture
def pulumi_calls(films, tmp_path):
    """Put a stand-in for the Pulumi CLI into a folder, and return the file of its calls."""
    calls = tmp_path / "calls"
    outputs = "\n".join(
        f'    "stack output {name}") echo {value} ;;'
        for name, value in films.deployment.outputs.items()
    )
    script = tmp_path / "pulumi"
    script.write_text(PULUMI.format(calls=calls, outputs=outputs))
    script.chmod(0o755)

    return calls


@pytest.fixture(scope="module")
def commands_folder(tmp_path_factory):
    """Return a folder with the AWS CLI and `retrain`."""
    folder = tmp_path_factory.mktemp("commands")
    with (
        warm_command(folder, "aws", "awscli", ["awscli.clidriver", "awscli.handlers"]),
        warm_command(
            folder, "retrain", "tests.end_to_end.quick_retrain", [*MODULES.values()], SERVICES
        ),
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

    def paste_section(heading, chosen=slice(None), *, code=0, **variables):
        script = "".join([PRELUDE, SET_UP, *COMMANDS[heading][chosen]])
        machine = films.output("state_machine_arn")
        script = script.replace("STACK=prod", f"STACK={machine}")
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
        assert (pasted.returncode, pasted.stderr) == (code, ""), pasted.stdout

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
    printed = paste("Emergencies and repairs")
    assert run_id in printed
    assert "bucket policies" in printed, "doctor"
    printed = paste("A run failed")
    assert "DEPLOYED: " in printed
    assert run_id in printed
    asked = {"CAMPAIGN_ARN": films.campaign_arn, "USER_ID": "user-001"}
    printed = paste("Recommendations are wrong", **asked)
    assert "DEPLOYED" in printed
    assert "itemList" in printed

    stopped = films.read_run(waiting_run(films))
    assert "was stopped" in paste("Stop it now")
    assert films.read_run(stopped.arn).status == "ABORTED"
    assert schedule_states(films) == ["DISABLED"]
    eventually(lambda: films.closing_records(films.read_run(stopped.arn)), bool)
    assert "with retrain stop" in paste("A run was stopped or timed out")
    assert re.search(r"^(?:DEPLOYED|SKIPPED): ", paste("Start again"), re.MULTILINE)

    served = films.served_version()
    name = films.campaign_arn.rpartition("/")[2]
    printed = paste("Roll back a campaign", slice(1), CAMPAIGN=name)
    assert served.rpartition("/")[2] in printed
    previous = films.served_version()
    assert previous != served
    assert noted(films)["retraining-blocked"] == served
    paste("Pin a campaign", slice(1), CAMPAIGN=name)
    assert noted(films)["retraining-pinned"].startswith("since ")
    paste("Pin a campaign", slice(1, None), CAMPAIGN=name)
    assert noted(films)["retraining-pinned"] == "-"

    assert '"step": "report_outcome"' in paste("Logs", RUN_ID=run_id)
    assert '"step": "watch_pipeline"' in paste("Age of the models")
    tags = json.loads(paste("Tags", CAMPAIGN_ARN=films.campaign_arn))
    assert "retraining-good" in [tag["tagKey"] for tag in tags]
    assert "ROLLED_BACK: " in paste("Start a run"), "the next run tells everybody once"
    assert previous.rpartition("/")[2] in paste("Look at the pipeline")
    assert "DEPLOYED: " in paste("After a run", slice(2))
    newest = films.served_version()
    assert "films serves it" in paste("After a run", slice(2, None), VERSION=newest)
    started = json.loads(paste("A trial that has not ended"))["executionArn"]
    assert films.wait_for(started).status == "SUCCEEDED"


def noted(films):
    """Return the tags of the campaign."""
    tags = films.client("personalize").list_tags_for_resource(resourceArn=films.campaign_arn)
    return {tag["tagKey"]: tag["tagValue"] for tag in tags["tags"]}


def test_a_campaign_is_rolled_back_without_retrain(paste, films):
    deployed = films.run(force=True)
    (campaign,) = deployed.report["solutions"][0]["campaigns"]
    old_version = campaign["previousVersionArn"]
    printed = paste("Roll back a campaign", slice(1, None), CAMPAIGN_ARN=films.campaign_arn)
    assert f"serves now:    {deployed.version_arn}\nserved before: {old_version}\n" in printed
    assert "last update:   ACTIVE\n" in printed

    eventually(films.served_version, lambda version: version == old_version)
    assert noted(films)["retraining-blocked"] == deployed.version_arn


def test_a_deleted_campaign_is_created_again(paste, films):
    served = films.run(force=True).version_arn
    campaign = films.campaign_arn
    films.client("personalize").delete_campaign(campaignArn=campaign)
    eventually(lambda: campaigns(films), lambda arns: campaign not in arns)

    name = campaign.rpartition("/")[2]
    printed = json.loads(paste("A campaign was deleted", CAMPAIGN=name, VERSION=served, TPS=1))
    assert printed["campaignArn"] == campaign
    eventually(films.served_version, lambda version: version == served)


def campaigns(films):
    """Return the ARNs of all campaigns."""
    listed = films.client("personalize").list_campaigns()["campaigns"]
    return [campaign["campaignArn"] for campaign in listed]


def test_an_export_without_a_day_in_its_location_cannot_be_brought_back(paste):
    printed = paste("Replace bad data", code=1, DAY="2026-11-22")
    assert "{date}" in printed


def test_a_dead_letter_is_read_and_deleted(paste, films):
    reason = {"DataType": "String", "StringValue": "the role may not start it"}
    films.client("sqs").send_message(
        QueueUrl=films.output("dead_letter_queue_url"),
        MessageBody='{"trigger": "schedule"}',
        MessageAttributes={"ERROR_MESSAGE": reason},
    )
    assert "the role may not start it" in paste("No run started", slice(1))

    ((_, _, handle),) = json.loads(paste("No run started", slice(1)))
    paste("No run started", slice(1, None), HANDLE=handle)
    assert films.dead_letters() == []


def test_the_address_of_the_dashboard_is_printed_and_the_dashboard_exists(paste, films):
    url = films.output("dashboard_url")
    assert paste("The dashboard").splitlines()[-1] == url
    cloudwatch = films.client("cloudwatch")
    dashboard = cloudwatch.get_dashboard(DashboardName=url.rpartition("/")[2])
    assert json.loads(dashboard["DashboardBody"])["widgets"]


def test_a_baseline_is_created(paste, films):
    personalize = films.client("personalize")
    solution = personalize.describe_solution(solutionArn=films.solution_arn)["solution"]
    group_arn = solution["datasetGroupArn"]
    printed = json.loads(paste("Set up a baseline", slice(1), GROUP=group_arn))
    assert printed["solutionArn"].endswith(":solution/movies-popular")


def test_a_baseline_is_trained_without_an_import(paste, films):
    name = films.solution_arn.rpartition("/")[2]
    printed = paste("Set up a baseline", slice(1, None), BASELINE=name)
    assert re.search(r"^(?:DEPLOYED|SKIPPED): ", printed, re.MULTILINE)


def test_a_version_that_no_run_has_asked_about_takes_no_answer(paste, films):
    for answer in (slice(1), slice(1, None)):
        printed = paste("Approve a version", answer, code=1, VERSION=films.served_version())
        assert "is not a version of the last month" in printed


def test_an_export_is_made_newer_than_a_deletion(paste, films):
    assert "running" in paste("What you do")
    before = written_at(films)
    printed = paste("An export from before the deletion", EXPORT="s3://films-exports/users/")
    assert "copy: s3://films-exports/users/" in printed
    after = written_at(films)
    assert after.keys() == before.keys()
    assert all(after[key] > before[key] for key in before)


def written_at(films):
    """Return when each file of the users' export was written."""
    listed = films.client("s3").list_objects_v2(Bucket="films-exports", Prefix="users/")
    return {file["Key"]: file["LastModified"] for file in listed["Contents"]}


def test_each_page_begins_with_the_same_commands():
    titles = ("Daily operations", "Set up the quality gate", "Delete users")
    assert [COMMANDS[title] for title in titles] == [[SET_UP]] * len(titles)


def test_the_config_is_changed_and_deployed(paste, pulumi_calls):
    """`tests/engine` shows what these commands of Pulumi do."""
    off = paste("Pause")
    assert "the schedule is off, cron(0 3 ? * MON *) in Europe/Dublin\n" in off
    on = paste("End a pause")
    assert "the schedule is on, next " in on
    for section in ("Messages", "Deleted or changed by hand"):
        paste(section)
    calls = [call for call in pulumi_calls.read_text().splitlines() if "get" not in call]
    assert [call.rpartition(" -s ")[0] for call in calls] == [
        "pulumi config set paused true",
        "pulumi up",
        "pulumi config set paused false",
        "pulumi up",
        "pulumi config set --path notifications.emails[0] on-call@example.com",
        "pulumi up",
        "pulumi up --refresh",
    ]


def test_the_decisions_about_ready_markers_are_printed(paste):
    assert paste("If no run starts") in {"", "None\n"}, "the stack has no markers"


def test_every_section_with_commands_is_pasted():
    source = Path(__file__).read_text()
    assert [heading for heading in COMMANDS if f'"{heading}"' not in source] == []


def test_exactly_the_blocks_that_change_something_say_so():
    every = [block for section in COMMANDS.values() for block in section]
    marked = [block for block in every if block.startswith(CHANGE)]
    assert marked == [block for block in every if CHANGING.search(block)]
