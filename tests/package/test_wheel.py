"""Proves the content and the requirements of the wheel, and that a program can use it."""

import ast
import email
import json
import re
import shutil
import tomllib
from importlib.metadata import packages_distributions
from zipfile import ZipFile

import pytest
import yaml
from packaging.utils import canonicalize_name

from tests.components.recording import STACK_TYPE
from tests.package.page import snippet
from tests.package.plugin import ROOT
from tests.package.wheel import output

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOVIES = yaml.safe_load(snippet("yaml"))["resources"]["movies"]["properties"]
RUN_THE_PAGE = """
import json
import runpy
import warnings
from zipfile import ZipFile

warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="aws.lambda/microvmsimage", category=DeprecationWarning)

from recording import run


def contents(archive):
    with ZipFile(archive.path) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


engine = run(lambda: runpy.run_path("page.py") and None)
registered = {urn: resource.inputs for urn, resource in engine.registered.items()}
print(json.dumps([engine.exports, registered], default=contents))
"""


FOLDERS = ("components", "functions", "retrain", "emulator")
EMULATOR = {"README.md", "deployer/plugin/pulumi-resource-aws"}
EXTRAS = PROJECT["optional-dependencies"]
TARGET = re.compile(r'(?:\]\(|^\[\w+\]: |(?:src|srcset)=")([^)\s"]+)', re.MULTILINE)
"""The target of a link or of a picture."""


def test_the_wheel_has_the_folders_of_a_checkout_below_one_name(wheel):
    modules_and_sample_data = {
        f"personalize_retraining/{file.relative_to(ROOT)}"
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.*")
        if file.suffix in (".py", ".csv")
    }
    metadata = f"personalize_retraining-{PROJECT['version']}.dist-info"
    files = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")

    assert set(ZipFile(wheel).namelist()) == {
        *modules_and_sample_data,
        *(f"personalize_retraining/emulator/{file}" for file in EMULATOR),
        *(f"personalize_retraining/project/{file}" for file in ("__main__.py", "Pulumi.yaml")),
        *(f"personalize_retraining/{file}" for file in ("__init__.py", "py.typed")),
        "personalize_retraining_command_line.py",
        *(f"{metadata}/{file}" for file in files),
    }


def test_the_description_is_the_readme_with_links_to_the_files_of_the_release(wheel):
    metadata = f"personalize_retraining-{PROJECT['version']}.dist-info/METADATA"
    message = email.message_from_bytes(ZipFile(wheel).read(metadata))
    described = message.get_payload()
    readme = (ROOT / "README.md").read_text()
    assert message["Description-Content-Type"] == "text/markdown"

    address = PROJECT["urls"]["Repository"]
    tag = f"v{PROJECT['version']}"
    links = TARGET.findall(described)
    assert [link for link in links if "//" not in link and link[0] != "#"] == []
    named = {link.partition(f"/{tag}/")[2] for link in links if link.startswith(address)} - {""}
    assert named == {link for link in TARGET.findall(readme) if "//" not in link and link[0] != "#"}
    pictures = [link for link in links if link.endswith(".svg")]
    assert pictures != []
    assert {link.partition(f"/{tag}/")[0] for link in pictures} == {f"{address}/raw"}


@pytest.mark.parametrize(
    "patterns, extras",
    [
        (["components/**/*.py", "functions/constants.py"], []),
        (["retrain/**/*.py", "functions/**/*.py"], ["cli", "plot"]),
    ],
)
def test_the_package_requires_what_its_modules_import(patterns, extras):
    modules = set()
    for file in (file for pattern in patterns for file in ROOT.glob(pattern)):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module)
    distributions = packages_distributions()
    imported = {
        canonicalize_name(distribution)
        for module in modules
        if not module.startswith("mypy_boto3_")  # types
        for distribution in distributions.get(module.split(".")[0], ())
    }
    required = [*PROJECT["dependencies"], *(text for extra in extras for text in EXTRAS[extra])]

    assert imported - {canonicalize_name(text.split()[0]) for text in required} == set()


def test_the_python_program_of_the_page_deploys_what_the_yaml_program_deploys(
    python, plugin, tmp_path
):
    shutil.copy(ROOT / "tests" / "components" / "recording.py", tmp_path)
    (tmp_path / "page.py").write_text(snippet("python"))
    for name in ("components", "functions"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a module of the host program')\n")
    exports, from_wheel = json.loads(output(python, RUN_THE_PAGE, tmp_path))
    assert exports == {
        "state_machine_arn": "arn:aws:states:eu-west-1:123456789012:stateMachine:movies-1234567"
    }

    _, engine = plugin.construct("movies", MOVIES)
    assert {urn: inputs for urn, inputs in from_wheel.items() if STACK_TYPE not in urn} == {
        urn: json.loads(json.dumps(resource.inputs, default=contents))
        for urn, resource in engine.registered.items()
    }
    assert "functions/deploy_version.py" in str(from_wheel), "the code of the functions is compared"


def contents(archive):
    """Return the content of the files of a function."""
    with ZipFile(archive.path) as file:
        return {name: file.read(name).decode() for name in file.namelist()}
