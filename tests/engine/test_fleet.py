"""The fleet example: four stacks side by side, one of them wrong, and a second start."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.engine.stacks import ROOT, copy_program, environment

GROUPS = ("books", "films", "games")
ARN = "arn:aws:personalize:eu-west-1:123456789012"
REGION = {"aws:region": "eu-west-1"}


@pytest.fixture(scope="module")
def fleet(emulator, tmp_path_factory):
    """Return a function that starts fleet.py in a copy of the checkout."""
    checkout = copy_program(tmp_path_factory.mktemp("fleet") / "checkout")
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
    """Return the config of a dataset group's stack."""
    return {
        "datasets": {
            "interactions": {
                "datasetArn": f"{ARN}:dataset/{group}/INTERACTIONS",
                "dataLocation": f"s3://{group}-exports/interactions.csv",
            }
        },
        "solutions": [{"solutionArn": f"{ARN}:solution/{group}"}],
    }


WRONG = {**config("music"), "retrainingRate": "often"}


def rows(result):
    """Return stack to changes, without their numbers, and outcome, from the printed table."""
    cells = [[each.strip() for each in line.split("│")] for line in result.stdout.splitlines()]
    return {row[1]: (re.sub(r"\d+ ", "", row[2]), row[4]) for row in cells if len(row) > 5}


def test_three_stacks_are_deployed_although_the_fourth_is_wrong(fleet):
    stacks = {group: config(group) for group in GROUPS}
    result = fleet("up", {"music": WRONG, **stacks})
    assert rows(result) == {
        "music": ("none", "failed"),
        **dict.fromkeys(GROUPS, ("create", "done")),
    }, result.stdout + result.stderr
    assert "personalize-retraining:retrainingRate: 'often'" in result.stdout
    assert "up: 3 of 4 stacks succeeded" in result.stdout
    assert result.returncode == 1, "one has failed"


def test_a_second_start_mends_the_fourth_and_changes_nothing_else(fleet):
    result = fleet("up", {"music": config("music"), **{each: config(each) for each in GROUPS}})
    assert rows(result) == {
        "music": ("create", "done"),
        **dict.fromkeys(GROUPS, ("none", "done")),
    }, result.stdout + result.stderr
    assert result.returncode == 0


def test_a_key_that_leaves_the_table_leaves_the_stack(fleet):
    paused = {"books": {**config("books"), "paused": True}}
    assert rows(fleet("up", paused)) == {"books": ("update", "done")}
    assert rows(fleet("preview", {"books": config("books")})) == {"books": ("update", "done")}


def test_a_table_that_cannot_be_used_is_refused_before_anything_is_done(fleet):
    result = fleet("up", {"books": None})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("stacks.books: has no config; give datasets and solutions\n")
    result = fleet("up", {"books": config("books")}, "--only", "boks")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("--only boks: no such stack in ")
    assert result.stderr.endswith("fleet.yaml; it has books\n")
    result = fleet("up", {})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("stacks: missing; name each stack and its config below it\n")
    result = fleet("up", {"books": config("books")}, defaults=["eu-west-1"])
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("defaults: ['eu-west-1']; expected keys of a stack's config\n")
    result = fleet("up", {}, "--table", "fleets.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    assert "No such file or directory: 'fleets.yaml'" in result.stderr
