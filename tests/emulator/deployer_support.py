"""What the deployer's tests share: small Pulumi projects, written into a folder."""

import textwrap
from pathlib import Path

PREAMBLE = """
import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
"""

TRUSTED = """
def trusts(service):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": f"{service}.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
"""


def write_project(
    folder: Path, program: str, stack: str = "config: {}", *, name: str = "sample"
) -> Path:
    """Write a project with one stack, `dev`; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text(textwrap.dedent(stack))
    (folder / "__main__.py").write_text(PREAMBLE + TRUSTED + textwrap.dedent(program))
    return folder
