"""Proves that the commands of the README and of docs/deployment.md work together.

They are pasted in the order of the pages: from an existing dataset group to a destroyed stack.
"""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from retrain.rehearsal.resources import StackResources
from tests.end_to_end.stack import eventually
from tests.engine.conftest import emulator_with_resources
from tests.engine.stacks import ROOT, Stack, environment
from tests.pages import commands
from tests.sample_data import sample_data

STACK = "prod"
ARN = "arn:aws:personalize:eu-west-1:123456789012"
GROUP = f"{ARN}:dataset-group/movies"
SOLUTION = f"{ARN}:solution/movies-for-you"
CAMPAIGN = f"{ARN}:campaign/movies-for-you"
SECONDS = 120
PRELUDE = """
retrain() {
    case $1 in stop | rollback) set -- "$@" --yes ;; esac
    command retrain "$@" || case $?,$1 in 1,doctor | 1,test-alarm) ;; *) false ;; esac
}
pulumi() {
    case $1 in up | destroy) set -- "$@" --yes --skip-preview ;; esac
    command pulumi "$@"
}
"""
"""A reader answers the questions. `doctor` may find problems, and nobody confirms an address."""
DEPLOY = (ROOT / "README.md", "Deploy it to AWS")
OPERATE = (ROOT / "README.md", "Operate it")
WHO_TRAINS = (ROOT / "docs" / "deployment.md", "Who trains a solution")
CADENCE = (ROOT / "docs" / "deployment.md", "Change the cadence")
REMOVAL = (ROOT / "docs" / "deployment.md", "Remove a stack")
PASTED = (DEPLOY, OPERATE, CADENCE, REMOVAL)
"""The pages and sections whose commands are all pasted here. `tests/program/test_commands.py` looks
for the commands of other sections elsewhere."""
ELSEWHERE = (
    "make install",
    "pulumi login",
    "retrain rehearse",
    "retrain watch -s",
    "retrain approve",
)
"""Commands that are not pasted here. The tests install the program, keep the state of stacks in a
folder, and rehearse stacks in `tests/end_to_end`. A run that hangs is not watched to its end, and
no version waits for an approval."""
SHORT_WAITS = {"solutions[0].campaigns[0].probe.minutes": "0.001"}
"""The keys of the config that let a run end within seconds."""


@pytest.fixture
def emulator(sample):
    """Run an emulator with a dataset group that no pipeline has retrained yet, and new exports."""
    with emulator_with_resources(sample) as emulator:
        resources = StackResources(emulator, sample, sample_data())
        resources.write_newer_exports(datetime.now(UTC).date())
        yield emulator


class Paster:
    """Pastes the commands of a section into a shell, in the order of the page."""

    def __init__(self, page, heading, folder, variables):
        self._commands = iter(commands(page, heading))
        self._folder = folder
        self._variables = variables

    def until(self, beginning, **placeholders):
        """Paste commands until one has run that begins like this. Return what that one printed.

        The placeholders are the words of the page that a reader replaces.
        """
        for command in self._commands:
            text = command
            for word, value in placeholders.items():
                text = re.sub(rf"<{word}>|\b{word}\b", value, text)
            printed = "" if text.startswith(ELSEWHERE) else self._paste(text)
            if command.startswith(beginning):
                return printed
        raise AssertionError(f"the page has no command {beginning}")

    def _paste(self, command):
        process = subprocess.run(  # noqa: S603
            ["bash", "-c", PRELUDE + command],  # noqa: S607
            cwd=self._folder,
            env={**os.environ, **self._variables, "PATH": f"{os.environ['PATH']}:{sys.prefix}/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert process.returncode == 0, f"{command}: {process.stdout}{process.stderr}"

        return process.stdout


def shown_by(personalize):
    """Return functions that return what a person sees in Personalize."""

    def served_version():
        campaign = personalize.describe_campaign(campaignArn=CAMPAIGN)["campaign"]
        return campaign["solutionVersionArn"]

    def trainings():
        versions = personalize.list_solution_versions(solutionArn=SOLUTION)["solutionVersions"]
        return [version["status"] for version in versions]

    def trains_by_itself():
        solution = personalize.describe_solution(solutionArn=SOLUTION)["solution"]
        return solution["performAutoTraining"]

    return served_version, trainings, trains_by_itself


def test_a_group_is_adopted_deployed_retrained_rolled_back_and_traced_after_a_destroy(
    checkout, emulator
):
    variables = {**environment(checkout, emulator.endpoint), **emulator.exports}
    stack = Stack(checkout, STACK, variables)
    scheduler, step_functions = map(emulator.client, ("scheduler", "stepfunctions"))

    def paster(page, heading):
        return Paster(page, heading, checkout, variables)

    served_version, trainings, trains_by_itself = shown_by(emulator.client("personalize"))
    first_version = served_version()
    readme = paster(*DEPLOY)
    assert GROUP in readme.until("aws personalize list-dataset-groups")
    printed = readme.until("retrain adopt", ARN=GROUP)
    assert printed.startswith("Pulumi.prod.yaml has:\n")
    assert "No problems" in readme.until("retrain doctor")
    plan = readme.until("retrain plan")
    assert plan.endswith("Plan: 3 to import, 1 to train, 1 to update.\n")
    readme.until("pulumi stack init")
    stack.set(SHORT_WAITS)
    warnings = [line for line in readme.until("pulumi up").splitlines() if "warning: " in line]
    assert [line for line in warnings if "from $PATH" not in line] == [], "only about the CLI"
    readme.until("retrain start")
    new_version = served_version()
    assert new_version != first_version
    readme = paster(*OPERATE)
    assert new_version.rpartition("/")[2] in readme.until("retrain status")
    readme.until("retrain test-alarm")
    readme.until("retrain rollback")
    assert served_version() == first_version

    paster(*WHO_TRAINS).until("aws personalize update-solution", ARN=SOLUTION)
    assert not trains_by_itself()

    cadence = paster(*CADENCE)
    cadence.until("pulumi up")
    group, schedule = stack.output("schedule_arn").split("/")[-2:]

    def schedule_now():
        return scheduler.get_schedule(GroupName=group, Name=schedule)

    assert schedule_now()["ScheduleExpression"] == "cron(0 3 * * ? *)"

    emulator.control("POST", "faults", {"fault": "hang", "job": "solution-version"})
    started = step_functions.start_execution(
        stateMachineArn=stack.output("state_machine_arn"),
        input=json.dumps({"skipImport": True, "force": True}),
    )
    eventually(trainings, lambda statuses: "CREATE IN_PROGRESS" in statuses)
    removal = paster(*REMOVAL)
    removal.until("pulumi config set paused true")
    assert schedule_now()["State"] == "DISABLED"
    removal.until("retrain stop")
    emulator.control("DELETE", "faults")
    execution = step_functions.describe_execution(executionArn=started["executionArn"])
    assert execution["status"] == "ABORTED"
    assert "CREATE IN_PROGRESS" not in trainings()
    removal.until("pulumi destroy")
    assert stack.state() == []
    lineage = removal.until("retrain history --version", ARN=new_version)
    assert "interactions" in lineage
    removal.until("aws personalize update-solution", ARN=SOLUTION)
    eventually(trains_by_itself, bool)
