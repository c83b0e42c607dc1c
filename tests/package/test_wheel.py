"""Proves the content and the requirements of the wheel, and that a program can use it."""

import ast
import json
import shutil
import sys
import tomllib
from importlib.metadata import packages_distributions
from zipfile import ZipFile

from packaging.utils import canonicalize_name

from tests.package.plugin import ROOT
from tests.package.wheel import output

RECORDING = ROOT / "tests" / "components" / "recording.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PROGRAM = """
import hashlib
import json
import warnings
from pathlib import Path

warnings.simplefilter("error")
warnings.filterwarnings("ignore", message="aws.lambda/microvmsimage", category=DeprecationWarning)

from recording import run
from PACKAGE import (
    DatasetArgs,
    DatasetsArgs,
    RetrainingPipeline,
    RetrainingPipelineArgs,
    SolutionArgs,
)

PERSONALIZE = "arn:aws:personalize:eu-west-1:123456789012"


def program():
    RetrainingPipeline(
        "movies",
        RetrainingPipelineArgs(
            datasets=DatasetsArgs(
                interactions=DatasetArgs(
                    dataset_arn=f"{PERSONALIZE}:dataset/movies/INTERACTIONS",
                    data_location="s3://exports/interactions.csv",
                )
            ),
            solutions=[SolutionArgs(solution_arn=f"{PERSONALIZE}:solution/movies")],
        ),
    )


def contents(archive):
    return {
        name: hashlib.sha256(Path(asset.path).read_bytes()).hexdigest()
        for name, asset in archive.assets.items()
    }


registered = {urn: resource.inputs for urn, resource in run(program).registered.items()}
print(json.dumps(registered, default=contents))
"""


def test_the_wheel_has_the_component_and_the_functions_and_nothing_else(wheel):
    modules = {
        f"personalize_retraining/{subfolder}{file.relative_to(ROOT / folder)}"
        for folder, subfolder in (("components", ""), ("functions", "functions/"))
        for file in (ROOT / folder).rglob("*.py")
    }
    metadata = f"personalize_retraining-{PROJECT['version']}.dist-info"
    assert set(ZipFile(wheel).namelist()) == {
        *modules,
        "personalize_retraining/py.typed",
        *(f"{metadata}/{file}" for file in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")),
    }


def test_the_package_requires_what_the_component_imports_and_tzdata():
    modules = set()
    for file in (ROOT / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module)
    distributions = packages_distributions()
    imported = {
        canonicalize_name(distribution)
        for module in modules
        for distribution in distributions.get(module.split(".")[0], ())
    }
    required = {requirement.split()[0] for requirement in PROJECT["dependencies"]}
    assert imported | {"tzdata"} == required


def test_a_program_with_the_wheel_deploys_the_resources_of_the_checkout(python, tmp_path):
    shutil.copy(RECORDING, tmp_path)
    for name in ("components", "functions"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a module of the host program')\n")
    from_wheel = output(python, PROGRAM.replace("PACKAGE", "personalize_retraining"), tmp_path)
    path = f"import sys\nsys.path.append({str(RECORDING.parent)!r})\n"
    from_checkout = output(sys.executable, path + PROGRAM.replace("PACKAGE", "components"), ROOT)
    assert json.loads(from_wheel) == json.loads(from_checkout)
    assert "functions/probe_campaign.py" in from_wheel, "the bundles of the functions are compared"
