"""Setting a value changes one line of the sample stack's file: the CLI finds it in its own form."""

import difflib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pulumi(tmp_path):
    """Run the CLI in a copy of the project's files, with a state of its own."""
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    own = {
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "x",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    file = tmp_path / "Pulumi.dev.yaml"

    def run(*arguments):
        """Run the CLI; return the lines that it took out of the stack's file, and put in."""
        before = file.read_text().splitlines()
        subprocess.run(  # noqa: S603
            ["pulumi", *arguments, "--non-interactive"],  # noqa: S607
            cwd=tmp_path,
            env={**os.environ, **own},
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
    ], "a number, which the program reads as text and warns of"
    role = "arn:aws:iam::123456789012:role/personalize-import"
    assert pulumi("config", "set", "importRoleArn", role) == [
        f"+   personalize-retraining:importRoleArn: {role}"
    ]
