"""Proves that the CLI only changes single lines of the sample stack's file.

The file is formatted as the CLI formats it.
"""

import difflib
import shutil

from tests.engine.stacks import ROOT, Stack, environment


def test_the_cli_adds_only_its_salt_to_the_sample_stack_and_sets_single_lines(tmp_path):
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    stack = Stack(tmp_path, "dev", environment(tmp_path, endpoint=""))
    file = tmp_path / "Pulumi.dev.yaml"

    def pulumi(*arguments):
        """Run the CLI. Return the lines of the stack's file that it removed or added."""
        before = file.read_text().splitlines()
        stack.pulumi(*arguments)
        changes = difflib.ndiff(before, file.read_text().splitlines())
        return [line for line in changes if line[0] in "+-"]

    (salt,) = pulumi("stack", "init")
    assert salt.startswith("+ encryptionsalt: v1:")
    key = "  personalize-retraining:paused: "
    assert pulumi("config", "set", "paused", "true") == [f'- {key}"false"', f'+ {key}"true"']
    assert pulumi("config", "set", "paused", "false") == [f'- {key}"true"', f'+ {key}"false"']
    user = "            userId: "
    path = "personalize-retraining:solutions[0].campaigns[0].probe.userId"
    assert pulumi("config", "set", "--path", path, "4711") == [
        f"- {user}user-001",
        f"+ {user}4711",
    ], "the CLI writes a number, which the program refuses"
    role = "arn:aws:iam::123456789012:role/personalize-import"
    assert pulumi("config", "set", "importRoleArn", role) == [
        f"+   personalize-retraining:importRoleArn: {role}"
    ]
