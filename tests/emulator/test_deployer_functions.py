"""Proves that a deployed function gets its bundle, environment and role, and can be invoked.

`test_server_functions.py` proves what a function returns and logs.
"""

import pytest
from deployer_support import write_project
from small_stack import invoke

from emulator.deployer.program import deploy

PROGRAM = """
role = aws.iam.Role("worker", assume_role_policy=trusts("lambda"))
function = aws.lambda_.Function(
    "worker",
    code=pulumi.AssetArchive({
        "functions": pulumi.AssetArchive({
            f"{name}.py": pulumi.FileAsset(f"functions/{name}.py")
            for name in ("__init__", "work")
        })
    }),
    handler="functions.work.handler",
    runtime="python3.13",
    role=role.arn,
    timeout=20,
    memory_size=256,
    architectures=["arm64"],
    publish=True,
    environment={"variables": {"MODE": "fast"}},
)
pulumi.export("arn", function.qualified_arn)
pulumi.export("name", function.name)
pulumi.export("role", role.name)
"""
WORK = """
import os
import sys

import boto3


def handler(event, context):
    return {
        "function_name": context.function_name,
        "function_version": context.function_version,
        "invoked_function_arn": context.invoked_function_arn,
        "memory_limit_in_mb": context.memory_limit_in_mb,
        "log_group_name": context.log_group_name,
        "remaining": context.get_remaining_time_in_millis(),
        "environment": {
            name: os.environ.get(name)
            for name in ("MODE", "AWS_EXECUTION_ENV", "PYTHONPATH", "AWS_PROFILE", "AWS_REGION")
        },
        "here": sorted(os.listdir(), reverse=True),
        "path": [path for path in sys.path if os.path.isdir(os.path.join(path, "functions"))],
        "home": os.getcwd(),
        "caller": boto3.client("sts").get_caller_identity()["Arn"],
    }
"""


@pytest.fixture(scope="module")
def outputs(aws, tmp_path_factory):
    """Deploy the program and return its outputs."""
    folder = write_project(tmp_path_factory.mktemp("sample"), PROGRAM, name="functions")
    (folder / "functions").mkdir()
    (folder / "functions/__init__.py").touch()
    (folder / "functions/work.py").write_text(WORK)
    return deploy("dev", endpoint=aws.endpoint, project_dir=folder).outputs


def test_a_function_sees_only_its_bundle_and_its_environment(aws, outputs):
    context = invoke(aws, outputs["arn"], {})
    name, home, remaining = (context.pop(key) for key in ("function_name", "home", "remaining"))
    assert name == outputs["name"]
    assert 15_000 < remaining <= 20_000, "milliseconds until the timeout of 20 s"
    assert context == {
        "function_version": "1",
        "invoked_function_arn": outputs["arn"],
        "memory_limit_in_mb": "256",
        "log_group_name": f"/aws/lambda/{name}",
        "here": ["functions", "bootstrap"],
        "path": [home],
        "environment": {
            "MODE": "fast",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "PYTHONPATH": None,
            "AWS_PROFILE": None,
            "AWS_REGION": "eu-west-1",
        },
        "caller": f"arn:aws:sts::{aws.account}:assumed-role/{outputs['role']}/{name}",
    }, "the variables of the program and of Lambda, not of the emulator's process"
