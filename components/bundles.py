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

If the package is installed, the folder is inside components/. In a checkout, it is next to it.
"""


def bundle(step: str) -> pulumi.AssetArchive:
    """Return `functions/<step>.py` with every module of `functions/` that it needs, and no other.

    So a function gets a new version only when code that it can run has changed.
    """
    modules: set[Path] = set()
    modules_to_read = {Path(f"{step}.py")}
    while modules_to_read:
        module = modules_to_read.pop()
        modules |= {module, *(folder / "__init__.py" for folder in module.parents)}
        modules_to_read |= _imported_modules(module) - modules
    return pulumi.AssetArchive(
        {
            f"{FUNCTIONS_FOLDER.name}/{module.as_posix()}": pulumi.FileAsset(
                str(FUNCTIONS_FOLDER / module)
            )
            for module in sorted(modules)
        }
    )


@cache
def _imported_modules(module: Path) -> frozenset[Path]:
    """Return the modules of `functions/` that a module imports, even if only for types.

    Paths are relative to `functions/`. Only relative imports are found.
    """
    tree = ast.parse((FUNCTIONS_FOLDER / module).read_text())
    return frozenset(
        imported
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for imported in _files_of_import(module.parents[node.level - 1], node)
    )


def _files_of_import(package: Path, node: ast.ImportFrom) -> Iterator[Path]:
    """Yield the files of the modules that a relative import names.

    `package` is the folder for which the leading dots of the import stand.
    """
    path = package.joinpath(*(node.module or "").split("."))
    if (FUNCTIONS_FOLDER / path).is_dir():
        yield from (path / f"{alias.name}.py" for alias in node.names)
    else:
        yield path.with_suffix(".py")
