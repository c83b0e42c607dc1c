"""Runs the command line of the installed package.

The package contains the folders of a checkout. The command line, and the processes that it starts,
import them by the names that they have in a checkout, so the folder of the package is the first on
their path. They do not import `personalize_retraining`, which would load pulumi_aws each time.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("personalize_retraining")


def main() -> None:
    """Run the command line."""
    sys.path.insert(0, str(FOLDER))
    from retrain.__main__ import main as run_command  # noqa: PLC0415  # it is on the path now

    run_command()
