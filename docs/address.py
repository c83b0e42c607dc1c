"""Sets the address of the repository in each file that contains it.

Use: `make address URL=https://HOST/OWNER/NAME`. The address of record is `project.urls.Repository`
in pyproject.toml. The other files have copies, because a page cannot look it up.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = (
    "pyproject.toml",
    "package/schema.json",
    "README.md",
    "docs/package.md",
    "examples/provision/README.md",
)
"""The files that contain the address."""
SHAPE = re.compile(r"https://[\w.-]+\.[a-z]+(/[\w.-]+)+(?<!\.git)")
"""What Pulumi takes for the address of a git repository, before it appends `.git`."""


def read_address() -> str:
    """Return the address of the repository, which begins with `https://`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address: str = project["urls"]["Repository"]
    return address


def set_address(address: str, root: Path = ROOT) -> None:
    """Replace the address in all files of a checkout.

    Raises ValueError for what is not the address of a repository, before a file is written.
    """
    if not SHAPE.fullmatch(address):
        raise ValueError(f"{address!r} is no address like https://github.com/OWNER/NAME")

    # Some copies begin with another scheme, such as git:// for Pulumi.
    old = read_address().removeprefix("https://")
    for name in FILES:
        file = root / name
        file.write_text(file.read_text().replace(old, address.removeprefix("https://")))


if __name__ == "__main__":
    try:
        set_address(sys.argv[1])
    except (IndexError, ValueError) as error:
        sys.exit(f"{error}\nUse: make address URL=https://github.com/OWNER/NAME")
