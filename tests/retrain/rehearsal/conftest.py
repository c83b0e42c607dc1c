"""A rehearsal prints what its runs did, and ends with the right code.

With doubles of the emulator, the deployment and the runs. Does not prove that a run succeeds.
"""

import json

import pytest

from tests.program.sample_stack import PROJECT_FILE, ROOT, texts


@pytest.fixture
def project(tmp_path):
    """Return a function that writes the sample stack with changes, and returns its folder."""
    (tmp_path / "Pulumi.yaml").write_text(json.dumps({**PROJECT_FILE, "main": str(ROOT)}))

    def write(stack_name="dev", **changes):
        config = json.dumps({"config": texts(changes)})
        (tmp_path / f"Pulumi.{stack_name}.yaml").write_text(config)
        return tmp_path

    return write
