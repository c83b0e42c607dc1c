"""The command line and the rehearsal do what their help says.

With the command's entry points, and doubles of the emulator. Does not prove AWS.
"""

import json
import signal

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


@pytest.fixture
def restored_signals():
    """Restore the handlers of the signals after the test."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
