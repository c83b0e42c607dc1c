"""Sets the address of the repository in each file that contains it.

Use: `make address URL=https://HOST/OWNER/NAME`. The address of record is `project.urls.Repository`
in pyproject.toml. The other files have copies, because a page cannot look it up.
"""

import os
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = (
    "pyproject.toml",
    "functions/constants.py",
    "package/schema.json",
    "README.md",
    "docs/messages.md",
    "docs/package.md",
    "docs/pictures/message.txt",
    "examples/provision/README.md",
    "tests/functions/golden/messages.txt",
    "tests/retrain/look/golden/batch_jobs.txt",
    "tests/retrain/rehearsal/golden/rehearse.txt",
)
"""The files that contain the address."""
SPELLING = re.compile(
    r"(?:(?:https?|ssh)://)?(?:git@)?"
    r"(?P<host>[\w.-]+\.[a-z]+)(?:/|:(?!\d))"  # a number would be a port
    r"(?P<path>[\w.-]+(?:/[\w.-]+?)+?)"
    r"(?:\.git)?(?:/(?:tree|blob|-)/.*)?/?"
)
"""How people copy the address of a repository: for ssh, with `.git`, or from one of its pages."""
EXAMPLE = "https://github.com/OWNER/NAME"


def read_address() -> str:
    """Return the address of the repository, which begins with `https://`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address: str = project["urls"]["Repository"]
    return address


def set_address(address: str, root: Path = ROOT) -> None:
    """Replace the address in all files of a checkout.

    Raises ValueError for what is not the address of a repository, before a file is written.
    """
    _check(address)

    # Some copies begin with another scheme, such as git:// for Pulumi.
    old = read_address().removeprefix("https://")
    for name in FILES:
        file = root / name
        file.write_text(file.read_text().replace(old, address.removeprefix("https://")))


def _check(address: str) -> None:
    """Raise ValueError unless an address is spelled as the copies need it.

    Pulumi appends `.git`, and pages append `/tree/main` or `/issues`. The message has the right
    spelling, if there is one.
    """
    if not address:
        raise ValueError(f"the address is missing\nUse: make address URL={EXAMPLE}")

    spelling = SPELLING.fullmatch(address)
    expected = EXAMPLE
    if spelling:
        expected = f"https://{spelling['host']}/{spelling['path']}"
    if address != expected:
        raise ValueError(
            f"{address!r} is no address like {EXAMPLE}\nUse: make address URL={expected}"
        )


def main() -> None:
    """Set the address to the variable URL, and print the files that contain it."""
    try:
        set_address(os.environ.get("URL", ""))
    except ValueError as error:
        sys.exit(str(error))
    sys.stdout.write("\n  ".join(["the address now stands in:", *FILES]) + "\n")
    sys.stdout.write("`make pictures` draws the message that links to it\n")


if __name__ == "__main__":
    main()
