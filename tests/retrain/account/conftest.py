"""The commands find the pipeline of a stack and its account, and say why they cannot.

With a program in place of the Pulumi CLI, and an account in this process. Does not prove AWS.
"""

import json
import stat
import sys

import pytest

from retrain.account import pulumi_cli


@pytest.fixture
def install_pulumi(tmp_path, monkeypatch):
    """Return a function that installs a program as the Pulumi CLI, which prints a document.

    The function returns a function that reads the arguments of the last call. `code` runs first.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(document=None, code=""):
        program = folder / "pulumi"
        program.write_text(
            f"#!{sys.executable}\nimport json, sys\n{code}\n"
            f"json.dump(sys.argv[1:], open({str(tmp_path / 'call')!r}, 'w'))\n"
            f"print({json.dumps(document or {})!r})\n"
        )
        program.chmod(stat.S_IRWXU)
        return lambda: json.loads((tmp_path / "call").read_text())

    return install


@pytest.fixture
def folder(project, monkeypatch):
    """Return the folder of a project with the stack `prod`."""
    monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", project("prod"))
    return pulumi_cli.PROJECT_DIR
