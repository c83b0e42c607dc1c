"""Proves that the code of a function is its handler and the modules that the handler needs."""

from pathlib import Path

import pytest

from components.bundles import FUNCTIONS_FOLDER, bundle
from components.state_machine.steps import STEPS


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Return a function that writes modules, as the folder that is bundled."""
    monkeypatch.setattr("components.bundles.FUNCTIONS_FOLDER", tmp_path)

    def write(**modules):
        for name, text in {"__init__": "", **modules}.items():
            file = tmp_path / f"{name}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        return tmp_path

    return write


def names(archive):
    return [key.partition("/")[2] for key in archive.assets]


def test_a_bundle_has_the_handler_and_everything_that_it_imports(code):
    code(
        first_step="import json\nfrom . import second\nfrom .third import thing",
        second="from .fourth import thing",
        third="def later():\n    from .fifth import thing",
        fourth="from .second import thing\nif TYPE_CHECKING:\n    from .types_of_it import Thing",
        fifth="from .inner.one import thing\nfrom .inner import two",
        types_of_it="",
        other_step="from .third import thing",
        **{
            "inner/__init__": "",
            "inner/one": "from . import three\nfrom .. import top\nfrom ..second import name",
            "inner/two": "from ..other.four import thing",
            "inner/three": "",
            "inner/unused": "",
            "other/__init__": "",
            "other/four": "",
            "top": "",
        },
    )
    assert names(bundle("first_step")) == [
        "__init__.py",
        "fifth.py",
        "first_step.py",
        "fourth.py",
        "inner/__init__.py",
        "inner/one.py",
        "inner/three.py",
        "inner/two.py",
        "other/__init__.py",
        "other/four.py",
        "second.py",
        "third.py",
        "top.py",
        "types_of_it.py",
    ], "with packages, types, late imports and circles, and without what nothing imports"


def test_the_archive_has_the_folder_and_the_files(code):
    folder = code(lonely_step="")
    assert {key: asset.path for key, asset in bundle("lonely_step").assets.items()} == {
        f"{folder.name}/__init__.py": str(folder / "__init__.py"),
        f"{folder.name}/lonely_step.py": str(folder / "lonely_step.py"),
    }


def test_a_handler_is_only_in_the_bundle_of_its_step():
    for step in STEPS:
        packed = {Path(name).stem for name in names(bundle(step))}
        assert packed & set(STEPS) == {step}, (
            "otherwise its version would change with the code of another step"
        )


def test_every_module_is_in_a_bundle():
    packed = {name for step in STEPS for name in names(bundle(step))}
    modules = {
        path.relative_to(FUNCTIONS_FOLDER).as_posix() for path in FUNCTIONS_FOLDER.rglob("*.py")
    }
    assert packed == modules
