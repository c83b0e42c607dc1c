"""Keeps the state of a deployed sample stack for the upgrade test, once for each release.

    python -m tests.engine.release_state NAME [CHECKOUT]

deploys the sample stack of a checkout (by default of this one) to an emulator with the real engine.
It writes `states/NAME.json`, and the config of the stack as `states/NAME.yaml`.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from emulator import running
from tests.engine.cli import tools
from tests.engine.stacks import ROOT, copy_program, create_stack

STATES = Path(__file__).parent / "states"


def main() -> None:
    """Deploy, and write both files."""
    name, checkout = sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else ROOT).resolve()
    os.environ["PATH"] = os.pathsep.join([*map(str, tools.folders()), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as temporary, running() as emulator:
        folder = copy_program(Path(temporary) / "checkout", checkout)
        for copy in (folder / "Pulumi.dev.yaml", STATES / f"{name}.yaml"):
            shutil.copy(checkout / "Pulumi.dev.yaml", copy)
        stack = create_stack(folder, "dev", emulator.endpoint)
        stack.up()
        exported = stack.pulumi("stack", "export").replace(f"{folder}/", "")
    exported = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:4566", exported)
    state = json.loads(exported)
    for each in ("manifest", "metadata", "secrets_providers"):
        state["deployment"].pop(each, None)
    for resource in state["deployment"]["resources"]:
        for each in ("sourcePosition", "stackTrace", "created", "modified"):
            resource.pop(each, None)
    (STATES / f"{name}.json").write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
