"""Proves the fleet example: three stacks at once, one with an error, and a second start."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.engine.stacks import ROOT, copy_program, environment

GROUPS = ("books", "films")
ARN = "arn:aws:personalize:eu-west-1:123456789012"
REGION = {"aws:region": "eu-west-1"}


@pytest.fixture(scope="module")
def fleet(emulator, warm, tmp_path_factory):
    """Return a function that starts fleet.py in a copy of the checkout."""
    checkout = copy_program(tmp_path_factory.mktemp("fleet") / "checkout", virtual_environment=warm)
    stack_files = shutil.ignore_patterns("Pulumi.*.yaml")
    shutil.copytree(ROOT / "examples", checkout / "examples", ignore=stack_files)
    folder = checkout / "examples" / "fleet"
    table = folder / "fleet.yaml"

    def start(operation, stacks, *options, defaults=REGION):
        table.write_text(yaml.safe_dump({"defaults": defaults, "stacks": stacks}))
        return subprocess.run(  # noqa: S603
            [sys.executable, "fleet.py", operation, *options],
            cwd=folder,
            env={**os.environ, **environment(checkout, emulator.endpoint), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return start


def config(group):
    """Return the config of a dataset group's stack. Its schedule starts no execution."""
    return {
        "paused": True,
        "datasets": {
            "interactions": {
                "datasetArn": f"{ARN}:dataset/{group}/INTERACTIONS",
                "dataLocation": f"s3://{group}-exports/interactions.csv",
            }
        },
        "solutions": [{"solutionArn": f"{ARN}:solution/{group}"}],
    }


CONFIG_WITH_A_WRONG_RATE = {**config("music"), "retrainingRate": "often"}


def rows(result):
    """Return the kinds of changes, without their numbers, and the outcome of each stack."""
    lines = [[cell.strip() for cell in line.split("│")] for line in result.stdout.splitlines()]
    return {row[1]: (re.sub(r"\d+ ", "", row[2]), row[4]) for row in lines if len(row) > 5}


def test_two_stacks_are_deployed_although_the_third_has_an_error(fleet):
    stacks = {group: config(group) for group in GROUPS}
    result = fleet("up", {"music": CONFIG_WITH_A_WRONG_RATE, **stacks})
    assert rows(result) == {
        "music": ("none", "failed"),
        **dict.fromkeys(GROUPS, ("create", "done")),
    }, result.stdout + result.stderr
    assert "personalize-retraining:retrainingRate: 'often'" in result.stdout
    assert "up: 2 of 3 stacks succeeded" in result.stdout
    assert result.returncode == 1, "one stack failed"


def test_a_second_start_deploys_what_the_table_changed_and_nothing_else(fleet):
    stacks = {
        "music": config("music"),
        "books": {**config("books"), "logRetentionDays": 30},
        "films": config("films"),
    }
    result = fleet("up", stacks)

    assert rows(result) == {
        "music": ("create", "done"),
        "books": ("update", "done"),
        "films": ("none", "done"),
    }, result.stdout + result.stderr
    assert result.returncode == 0


def test_a_key_that_is_removed_from_the_table_is_removed_from_the_stack(fleet):
    assert rows(fleet("preview", {"books": config("books")})) == {"books": ("update", "done")}


BOOKS = {"books": config("books")}


NO_KEYS = r"defaults: \['eu-west-1'\]; expected keys of a stack's config$"


@pytest.mark.parametrize(
    "stacks, options, defaults, message",
    [
        ({"books": None}, [], REGION, "stacks.books: has no config; give datasets and solutions$"),
        (BOOKS, ["--only", "boks"], REGION, "--only boks: no such stack in .*; it has books$"),
        ({}, [], REGION, "stacks: missing; name each stack and its config below it$"),
        (BOOKS, [], ["eu-west-1"], NO_KEYS),
        ({}, ["--table", "fleets.yaml"], REGION, "No such file or directory: 'fleets.yaml'"),
    ],
    ids=["a stack without config", "an unknown stack", "no stacks", "defaults", "no file"],
)
def test_a_table_with_an_error_is_refused(fleet, stacks, options, defaults, message):
    result = fleet("up", stacks, *options, defaults=defaults)
    assert (result.returncode, result.stdout) == (2, ""), "no stack is deployed"
    assert re.search(message, result.stderr)
