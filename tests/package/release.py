"""Checks what a release needs, before and after its distributions are built.

    python -m tests.package.release TAG ADDRESS
    python -m tests.package.release dist

The first compares the tag, and the address of the repository in which it was pushed, with
pyproject.toml. The second installs the wheel with each extra into an empty environment.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

from docs.address import ROOT, read_address

IN_THE_CHECKOUT = """
import sys
from personalize_retraining_command_line import FOLDER
sys.path.insert(0, str(FOLDER))
"""
"""Makes the modules of the wheel available under the names that they have in a checkout."""
USES = {
    "": "from personalize_retraining import RetrainingPipeline",
    "[cli]": "import personalize_retraining_command_line as cli; cli.main()",
    "[plot]": f"{IN_THE_CHECKOUT}import matplotlib.figure; import retrain.look.plot",
    "[emulator]": f"{IN_THE_CHECKOUT}from emulator import running\nwith running(): pass",
}
"""Extra -> a program that needs what the extra installs. It is called with `--version`."""


def find_problems(tag, address):
    """Yield a message for each difference between a pushed tag and the files of the release."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = project["version"]
    if tag != f"v{version}":
        yield f"the tag is {tag}, but pyproject.toml has the version {version}"
    if address != read_address():
        yield f"pyproject.toml has another address; run: make address URL={address}"


def try_wheel(folder):
    """Install the only wheel of a folder with each extra, from the index, and use what it brings.

    Raises CalledProcessError if pip or the program fails.
    """
    (wheel,) = folder.glob("*.whl")
    for extra, program in USES.items():
        sys.stderr.write(f"installing {wheel.name}{extra}\n")
        with tempfile.TemporaryDirectory() as environment:
            venv.create(environment, with_pip=True)
            python = f"{environment}/bin/python"
            # Nobody waits for the bytecode of all of pulumi_aws.
            pip = [python, "-m", "pip", "install", "--quiet", "--no-compile"]
            subprocess.run([*pip, f"{wheel}{extra}"], check=True)  # noqa: S603
            use = [python, "-c", program, "--version"]
            subprocess.run(use, cwd=environment, check=True)  # noqa: S603


if __name__ == "__main__":
    match sys.argv[1:]:
        case [folder]:
            try_wheel(Path(folder).resolve())
        case [tag, address]:
            # Python takes every text for an error, also one without a character.
            sys.exit("\n".join(find_problems(tag, address)) or 0)
