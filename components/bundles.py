"""What goes to Lambda for a step: the module of its handler, and those of ours that it imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pulumi

_HERE = Path(__file__).parent
CODE = next(each for each in (_HERE / "functions", _HERE.parent / "functions") if each.is_dir())
"""The folder of the modules that run in Lambda. It is inside the installed package, and beside
`components` in a checkout."""


def bundle(step: str) -> pulumi.AssetArchive:
    """Pack `functions/<step>.py` with the modules of `functions/` that it leads to, and no others.

    So a function gets a new version when code changes that it can run, and only then.
    """
    needed: set[Path] = set()
    ahead = {Path(f"{step}.py")}
    while ahead:
        module = ahead.pop()
        needed |= {module, *(folder / "__init__.py" for folder in module.parents)}
        ahead |= _imported_by(module) - needed
    return pulumi.AssetArchive(
        {
            f"{CODE.name}/{module.as_posix()}": pulumi.FileAsset(str(CODE / module))
            for module in sorted(needed)
        }
    )


@cache
def _imported_by(module: Path) -> frozenset[Path]:
    """Return the modules of `functions/` that a module imports, those for its types included."""
    tree = ast.parse((CODE / module).read_text())
    return frozenset(
        imported
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for imported in _modules(module.parents[node.level - 1], node)
    )


def _modules(package: Path, node: ast.ImportFrom) -> Iterator[Path]:
    """Yield the files that a relative import names; `package` is what its dots stand for."""
    named = package.joinpath(*(node.module or "").split("."))
    if (CODE / named).is_dir():
        yield from (named / f"{each.name}.py" for each in node.names)
    else:
        yield named.with_suffix(".py")
