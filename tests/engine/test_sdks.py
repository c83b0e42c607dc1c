"""Proves that the Go and TypeScript programs of docs/package.md compile with the generated SDKs.

With Pulumi's code generators, as `pulumi package add` uses them. It does not run the programs:
they construct the component that the YAML program constructs (tests/engine/test_package.py). The
generators for C# and Java are in no Go module, so tests/package only compares those programs.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from docs.address import read_address
from tests.engine.stacks import ROOT
from tests.package.page import TEXT, snippet

SOURCES = Path(__file__).with_name("sdks")
GO_PACKAGE = f"{read_address().removeprefix('https://')}/sdk/go/personalize-retraining"
"""The path of the SDK, which the generator derives from the repository in the schema."""
GO_PROGRAM = f"""\
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	personalizeretraining "{GO_PACKAGE}"
)

{{}}
func main() {{{{ pulumi.Run(program) }}}}
"""
TSCONFIG = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "types": ["node"],
        "target": "es2020",
        "module": "commonjs",
        "moduleResolution": "node",
        "paths": {"@retraining/personalize-retraining": ["./sdk"]},
    },
    "files": ["index.ts"],
}


def run(*command, cwd):
    """Run a command in a folder, and return its output. Fail with what it has printed."""
    program = shutil.which(command[0])
    if program is None:
        pytest.skip(f"{command[0]} is not on the PATH")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"}
    completed = subprocess.run(  # noqa: S603  # Go or Node
        [program, *command[1:]],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@pytest.fixture(scope="module")
def sdks(tmp_path_factory):
    """Return a folder with the generated SDKs."""
    folder = tmp_path_factory.mktemp("sdks")
    run("go", "run", ".", ROOT / "package" / "schema.json", folder, cwd=SOURCES)
    return folder


@pytest.fixture(scope="module")
def node_modules():
    """Return the folder of TypeScript and Pulumi's SDK. It is installed once on each machine."""
    package = (SOURCES / "package.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "personalize-retraining" / f"node-{hashlib.sha256(package).hexdigest()[:12]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            (Path(name) / "package.json").write_bytes(package)
            run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", cwd=name)
            shutil.copytree(name, folder, symlinks=True)

    return folder / "node_modules"


def test_the_schema_names_the_source_as_pulumi_package_add_writes_it():
    source = re.search(r"pulumi package add (\S+)", TEXT)[1]
    schema = json.loads((ROOT / "package" / "schema.json").read_text())
    assert json.loads(run("go", "run", "./source", source, cwd=SOURCES)) == {
        "pluginDownloadURL": schema["pluginDownloadURL"],
        "version": schema["version"],
        "folder": "package",
    }
    assert yaml.safe_load(snippet("yaml"))["packages"] == {schema["name"]: source}


def test_the_go_program_compiles(sdks, tmp_path):
    shutil.copytree(sdks / "go" / "personalizeretraining", tmp_path, dirs_exist_ok=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(SOURCES / name, tmp_path)
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "main.go").write_text(GO_PROGRAM.format(snippet("go")))
    run("go", "mod", "edit", "-module", GO_PACKAGE, cwd=tmp_path)
    run("go", "vet", "./...", cwd=tmp_path)


def test_the_typescript_program_has_the_right_types(sdks, node_modules, tmp_path):
    shutil.copytree(sdks / "nodejs", tmp_path / "sdk")
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "index.ts").write_text(snippet("typescript"))
    (tmp_path / "tsconfig.json").write_text(json.dumps(TSCONFIG))
    run("node", node_modules / "typescript" / "bin" / "tsc", "-p", ".", cwd=tmp_path)
