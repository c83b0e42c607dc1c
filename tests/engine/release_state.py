"""Writes the state of a deployed sample stack for the upgrade test. Run it once for each release.

    python -m tests.engine.release_state NAME [CHECKOUT]

This deploys the sample stack of a checkout to an emulator with the real engine. Without CHECKOUT,
it deploys that of this checkout. The state is written to `states/NAME.json` and the config to
`states/NAME.yaml`.
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
    """Deploy the sample stack and write both files."""
    name = sys.argv[1]
    checkout = Path(sys.argv[2] if len(sys.argv) > 2 else ROOT).resolve()
    os.environ["PATH"] = os.pathsep.join([*map(str, tools.folders()), os.environ["PATH"]])
    with tempfile.TemporaryDirectory() as temporary, running() as emulator:
        folder = copy_program(Path(temporary) / "checkout", checkout)
        for target in (folder / "Pulumi.dev.yaml", STATES / f"{name}.yaml"):
            shutil.copy(checkout / "Pulumi.dev.yaml", target)
        stack = create_stack(folder, "dev", emulator.endpoint)
        stack.up()
        state = _comparable_state(stack.pulumi("stack", "export"), folder)
    (STATES / f"{name}.json").write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")


def _comparable_state(exported: str, folder: Path) -> dict[str, object]:
    """Return an exported state without the folder, port and times of this deployment.

    Two deployments of a checkout then differ in as few lines as possible.
    """
    exported = exported.replace(f"{folder}/", "")
    exported = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:4566", exported)
    state = json.loads(exported)
    for field in ("manifest", "metadata", "secrets_providers"):
        state["deployment"].pop(field, None)
    for resource in state["deployment"]["resources"]:
        for field in ("sourcePosition", "stackTrace", "created", "modified"):
            resource.pop(field, None)
    return state


if __name__ == "__main__":
    main()
