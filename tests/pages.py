"""Reads the commands of the documentation, which tests paste or look for."""

import re
import subprocess
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDES = [
    ROOT / "docs" / name
    for name in (
        "emergencies.md",
        "operations.md",
        "runs.md",
        "on-export.md",
        "tags.md",
        "quality-gate.md",
        "bake.md",
        "approval-by-program.md",
        "delete-users.md",
        "messages.md",
        "dashboard.md",
    )
]
"""The pages whose fenced blocks tests/end_to_end/test_guide.py pastes."""
PROGRAMS = ("retrain", "pulumi", "aws", "make")
INDENTED = re.compile(rf"^ {{4,}}((?:{'|'.join(PROGRAMS)}) [^\n#]*)", re.MULTILINE)
INLINE = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`\n]+)`")
FENCED = re.compile(r"^ *```(?:bash|sh)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def sections(page: Path) -> dict[str, str]:
    """Return the text of each section of a page by its heading. The first has the page's title."""
    parts = page.read_text().removeprefix("# ").split("\n## ")
    return dict(part.split("\n", 1) for part in parts)


def blocks(page: Path) -> dict[str, list[str]]:
    """Return the fenced blocks of commands of each section that has some."""
    found = {
        heading: [textwrap.dedent(block) for block in FENCED.findall(text)]
        for heading, text in sections(page).items()
    }
    return {heading: texts for heading, texts in found.items() if texts}


def commands(page: Path, heading: str) -> list[str]:
    """Return the commands of a section in the order of the page, one for each line."""
    text = FENCED.sub(_indent, sections(page)[heading]).replace("\\\n", " ")
    found = [*INDENTED.finditer(text), *INLINE.finditer(text)]
    return [match[1].strip() for match in sorted(found, key=lambda match: match.start())]


def _indent(fenced: re.Match[str]) -> str:
    """Turn a fenced block into an indented one."""
    return textwrap.indent(textwrap.dedent(fenced[1]), "    ")


def tracked_files() -> list[str]:
    """Return the paths of all files of the repository that git knows."""
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()
