"""The code of each Lambda function: the module of its handler and the modules that it imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pulumi

_HERE = Path(__file__).parent
FUNCTIONS_FOLDER = next(
    folder for folder in (_HERE / "functions", _HERE.parent / "functions") if folder.is_dir()
)
"""The folder of the modules that run in Lambda.

It is in this folder if the package is installed, and next to this folder in a checkout.
"""


def bundle(step: str) -> pulumi.AssetArchive:
    """Return `functions/<step>.py` with every module of `functions/` that it needs, and no other.

    A function then gets a new version only when code changes that it can run.
    """
    modules: set[Path] = set()
    unread = {Path(f"{step}.py")}
    while unread:
        module = unread.pop()
        modules |= {module, *(folder / "__init__.py" for folder in module.parents)}
        unread |= _imported_by(module) - modules
    return pulumi.AssetArchive(
        {
            f"{FUNCTIONS_FOLDER.name}/{module.as_posix()}": pulumi.FileAsset(
                str(FUNCTIONS_FOLDER / module)
            )
            for module in sorted(modules)
        }
    )


@cache
def _imported_by(module: Path) -> frozenset[Path]:
    """Return the modules of `functions/` that a module imports, also those for types only."""
    tree = ast.parse((FUNCTIONS_FOLDER / module).read_text())
    return frozenset(
        imported
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for imported in _modules(module.parents[node.level - 1], node)
    )


def _modules(package: Path, node: ast.ImportFrom) -> Iterator[Path]:
    """Yield the files that a relative import names. `package` is the folder that its dots mean."""
    path = package.joinpath(*(node.module or "").split("."))
    if (FUNCTIONS_FOLDER / path).is_dir():
        yield from (path / f"{alias.name}.py" for alias in node.names)
    else:
        yield path.with_suffix(".py")
