"""Proves that the CLI only changes single lines of the sample stack's file.

The file is formatted as the CLI formats it.
"""

import difflib
import os
import shutil
import subprocess

import pytest

from tests.engine.stacks import ROOT, environment


@pytest.fixture
def pulumi(tmp_path):
    """Return a function that runs the CLI in a copy of the files and returns the changed lines."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    variables = {**os.environ, **environment(tmp_path, endpoint="")}
    file = tmp_path / "Pulumi.dev.yaml"

    def run(*arguments):
        """Run the CLI. Return the lines of the stack's file that it removed or added."""
        before = file.read_text().splitlines()
        subprocess.run(  # noqa: S603
            ["pulumi", *arguments, "--non-interactive"],  # noqa: S607
            cwd=tmp_path,
            env=variables,
            check=True,
            capture_output=True,
        )
        changes = difflib.ndiff(before, file.read_text().splitlines())
        return [line for line in changes if line[0] in "+-"]

    return run


def test_the_cli_adds_only_its_salt_to_the_sample_stack_and_sets_single_lines(pulumi):
    (salt,) = pulumi("stack", "init", "dev")
    assert salt.startswith("+ encryptionsalt: v1:")
    key = "  personalize-retraining:paused: "
    assert pulumi("config", "set", "paused", "true") == [f'- {key}"false"', f'+ {key}"true"']
    assert pulumi("config", "set", "paused", "false") == [f'- {key}"true"', f'+ {key}"false"']
    user = "            userId: "
    path = "personalize-retraining:solutions[0].campaigns[0].probe.userId"
    assert pulumi("config", "set", "--path", path, "4711") == [
        f"- {user}user-001",
        f"+ {user}4711",
    ], "the CLI writes a number, and the program warns about it"
    role = "arn:aws:iam::123456789012:role/personalize-import"
    assert pulumi("config", "set", "importRoleArn", role) == [
        f"+   personalize-retraining:importRoleArn: {role}"
    ]
