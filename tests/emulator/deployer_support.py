"""Writes small Pulumi projects for the tests of the deployer."""

import textwrap
from pathlib import Path

PREAMBLE = """
import json

import pulumi
import pulumi_aws as aws

config = pulumi.Config()


def trusts(service):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
"""
"""The beginning of each program."""


def write_project(
    folder: Path, program: str, stack: str = "config: {}", *, name: str = "sample"
) -> Path:
    """Write a project with one stack, `dev`, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
    (folder / "Pulumi.dev.yaml").write_text(textwrap.dedent(stack))
    (folder / "__main__.py").write_text(PREAMBLE + textwrap.dedent(program))
    return folder
