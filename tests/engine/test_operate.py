"""Proves that the commands work together: from an existing dataset group to a destroyed stack.

Every command is a process, as a person would start it.
"""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from retrain.rehearsal.data.exports import write_newer_exports
from retrain.rehearsal.data.sample_data import SampleData
from tests.end_to_end.stack import eventually
from tests.engine.conftest import emulator_with_resources
from tests.engine.stacks import ROOT, Stack, copy_program, environment
from tests.terminal import terminal

STACK = "prod"
ARN = "arn:aws:personalize:eu-west-1:123456789012"
GROUP = f"{ARN}:dataset-group/movies"
SOLUTION = f"{ARN}:solution/movies-for-you"
CAMPAIGN = f"{ARN}:campaign/movies-for-you"
SECONDS = 120
SHORT_WAITS = {"solutions[0].campaigns[0].probe.minutes": "0.001"}
"""The keys of the config that let a run end within seconds."""


@pytest.fixture
def emulator(sample):
    """Run an emulator with a dataset group that no pipeline has retrained yet, and new exports."""
    today = datetime.now(UTC).date().isoformat()
    with emulator_with_resources(sample) as emulator:
        write_newer_exports(emulator, sample, SampleData(), day=today)
        yield emulator


@pytest.fixture
def checkout(tmp_path, warm):
    """Copy what a person has cloned: the program, and the command line. There is no stack."""
    folder = copy_program(tmp_path / "checkout", virtual_environment=warm)
    for name in ("retrain", "emulator"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture
def variables(checkout, emulator):
    """Return the variables of a person's shell: for Pulumi, and for the emulator."""
    return {**environment(checkout, emulator.endpoint), **emulator.exports}


@pytest.fixture
def retrain(checkout, variables):
    """Return a function that runs a command as a process and returns its standard output."""

    def run(*arguments, code=0):
        process = subprocess.run(  # noqa: S603
            ["retrain", *arguments],  # noqa: S607
            cwd=checkout,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert process.returncode == code, f"{arguments}: {process.stdout}{process.stderr}"
        return process.stdout

    return run


@pytest.fixture
def account(emulator):
    """Return what a person sees in Personalize."""
    personalize = emulator.client("personalize")

    def served_version():
        """Return the ARN of the version that the campaign serves."""
        response = personalize.describe_campaign(campaignArn=CAMPAIGN)
        return response["campaign"]["solutionVersionArn"]

    def trainings():
        """Return the statuses of the versions."""
        versions = personalize.list_solution_versions(solutionArn=SOLUTION)["solutionVersions"]
        return [version["status"] for version in versions]

    return SimpleNamespace(served_version=served_version, trainings=trainings)


def test_a_group_is_adopted_deployed_retrained_rolled_back_and_traced_after_a_destroy(
    retrain, checkout, variables, emulator, account
):
    first_version = account.served_version()
    stack = Stack(checkout, STACK, variables)

    text = retrain("adopt", "--dataset-group-arn", GROUP, "--stack", STACK)
    assert "Pulumi.prod.yaml has the dataset group movies with:" in text
    stack.pulumi("stack", "init")
    preview = stack.preview()
    assert set(preview.steps.values()) == {"created"}
    warnings = [line for line in preview.text.splitlines() if "warning: " in line]
    assert [line for line in warnings if "from $PATH" not in line] == [], "only about the CLI"
    stack.set(SHORT_WAITS)
    stack.up()
    plan = retrain("plan", "--stack", STACK)
    assert plan.endswith("Plan: 3 to import, 1 to train, 1 to update.\n")

    with terminal(
        "start", "--stack", STACK, "--watch", folder=checkout, variables=variables
    ) as screen:
        assert screen.end() == 0, screen.lines
    new_version = account.served_version()
    assert new_version != first_version

    assert retrain("watch", "--stack", STACK).startswith("DEPLOYED: ")
    (run,) = json.loads(retrain("history", "--stack", STACK, "--json"))
    assert run["outcome"] == "DEPLOYED"
    assert run["trigger"] == "manual"
    name = "/".join(new_version.split("/")[-2:])
    assert new_version.rpartition("/")[2] in retrain("history", "--stack", STACK)

    lineage = json.loads(retrain("history", "--stack", STACK, "--version", name, "--json"))
    assert lineage["runId"] == run["runId"]
    run_ids = {row["type"]: row["imports"][0]["runId"] for row in lineage["datasets"]}
    assert run_ids == dict.fromkeys(("INTERACTIONS", "ITEMS", "USERS"), run["runId"])

    retrain("rollback", "--stack", STACK, "--yes")
    assert account.served_version() == first_version
    assert "\nok: newest run: the newest run, " in retrain("doctor", "--stack", STACK)

    fault = {"fault": "hang", "job": "solution-version"}
    emulator.control("POST", "faults", fault)
    started = retrain("start", "--stack", STACK, "--skip-import", "--force", "--json")
    eventually(account.trainings, lambda statuses: "CREATE IN_PROGRESS" in statuses)
    retrain("stop", "--stack", STACK, "--yes")
    emulator.control("DELETE", "faults")
    execution = emulator.client("stepfunctions").describe_execution(
        executionArn=json.loads(started)["executionArn"]
    )
    assert execution["status"] == "ABORTED"
    assert "CREATE IN_PROGRESS" not in account.trainings()

    stack.destroy()
    traced = json.loads(retrain("history", "--version", new_version, "--json"))
    assert [campaign["bad"] for campaign in traced["campaigns"]] == [True]
    assert [traced[key] for key in ("runId", "datasets", "metrics")] == [
        lineage[key] for key in ("runId", "datasets", "metrics")
    ]
