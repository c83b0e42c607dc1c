"""Builds the wheel of the package, and installs it in new environments."""

import subprocess
import sys
import sysconfig
import venv

from tests.package.plugin import ROOT

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def build(folder):
    """Build the wheel from the checkout, without a network, and return its path."""
    options = ("--quiet", "--no-build-isolation", "--no-deps", "--no-index")
    subprocess.run(  # noqa: S603  # this pip, and the checkout
        [*PIP, "wheel", *options, "--wheel-dir", folder, ROOT], timeout=60, check=True
    )
    (wheel,) = folder.iterdir()
    return wheel


def create_environment(folder):
    """Create an environment with the packages of the tests, and return the path of its Python."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "python"


def install(wheel, python):
    """Install the wheel with its extras in an environment that has everything it requires."""
    subprocess.run(  # noqa: S603  # this pip, and the wheel from above
        [*PIP, "--python", python, "install", "--quiet", "--no-index", f"{wheel}[cli,emulator]"],
        timeout=60,
        check=True,
    )


def output(python, program, folder):
    """Run a program in a folder, and return its output."""
    process = subprocess.run(  # noqa: S603  # a program of the tests
        [python, "-c", program],
        cwd=folder,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.stderr == ""
    assert process.returncode == 0

    return process.stdout
