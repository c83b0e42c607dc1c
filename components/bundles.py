"""What goes to Lambda for a step: the module of its handler, and those of ours that it imports."""

import ast
from functools import cache
from pathlib import Path

import pulumi

_HERE = Path(__file__).parent
CODE = next(each for each in (_HERE / "functions", _HERE.parent / "functions") if each.is_dir())
"""The folder of the modules that run in Lambda. It is inside the installed package, and beside
`components` in a checkout."""


def bundle(step: str) -> pulumi.AssetArchive:
    """Pack `functions/<step>.py` with what it needs of its neighbours, and nothing else.

    So a function gets a new version when code changes that it can run, and only then.
    """
    needed: set[str] = set()
    ahead = {"__init__", step}
    while ahead:
        module = ahead.pop()
        needed.add(module)
        ahead |= _imported_by(module) - needed
    return pulumi.AssetArchive(
        {
            f"{CODE.name}/{module}.py": pulumi.FileAsset(str(CODE / f"{module}.py"))
            for module in sorted(needed)
        }
    )


@cache
def _imported_by(module: str) -> frozenset[str]:
    """Name the neighbours that a module imports, those for its types included."""
    tree = ast.parse((CODE / f"{module}.py").read_text())
    return frozenset(
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for name in ([node.module] if node.module else [each.name for each in node.names])
    )
