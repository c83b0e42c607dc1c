"""Proves how the plugin starts, how it responds before any resource, and what it refuses.

The tests in `tests/engine/` start it with the real engine.
"""

import os
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from provider_support import Type, connected, message, provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from small_stack import eventually

from emulator.deployer import wire
from emulator.deployer.provider_settings import emulator_endpoint
from emulator.deployer.service import VERSION

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "emulator/deployer/plugin/pulumi-resource-aws"
NO_REGION = "missing region information; run 'pulumi config set aws:region eu-west-1'"
GET_REGION = "aws:index/getRegion:getRegion"
PROVIDER = {"urn": "urn:pulumi:dev::p::pulumi:providers:aws::a", "type": "pulumi:providers:aws"}


@pytest.mark.parametrize(
    "endpoint",
    ["", "https://sts.eu-west-1.amazonaws.com", "http://127.0.0.1.example.com:4566", "4566"],
)
def test_the_provider_refuses_an_endpoint_that_is_not_on_this_machine(endpoint):
    with connected(endpoint) as engine:
        assert message(engine.configure, region="eu-west-1") == (
            "this pulumi-resource-aws is a stand-in that works with an emulator on this machine"
            f" only, and AWS_ENDPOINT_URL is {endpoint or 'not set'}; start an emulator with"
            " 'retrain emulate' and export what it prints, or take emulator/deployer/plugin off the"
            " PATH and install the real provider with 'pulumi plugin install resource aws'"
        )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_endpoint_on_this_machine_is_accepted(host):
    endpoint = f"http://{host}:4566"
    assert emulator_endpoint({"AWS_ENDPOINT_URL": endpoint}) == endpoint


def environment(**variables):
    """Return the environment of this process without its AWS settings, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | variables


def test_the_executable_prints_its_port_and_nothing_else(aws, tmp_path):
    (tmp_path / "emulator").mkdir()  # The program's folder may be a checkout of another release.
    (tmp_path / "emulator" / "__init__.py").write_text("raise RuntimeError('another release')")
    # The engine passes its address. A background job of a shell ignores the signal that ends it.
    command = ["/bin/sh", "-c", 'trap "" INT; exec "$0" 127.0.0.1:1', PLUGIN]
    with subprocess.Popen(  # noqa: S603  # the plugin of the checkout
        command,
        env=environment(AWS_ENDPOINT_URL=aws.endpoint),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as plugin:
        try:
            port = plugin.stdout.readline()
            with grpc.insecure_channel(f"127.0.0.1:{port.strip()}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=60).version == VERSION
            plugin.send_signal(2)  # The engine ends its plugins with this signal.
            output = plugin.communicate(timeout=60)
        finally:
            plugin.kill()
    assert (plugin.returncode, output) == (0, ("", "")), "the engine shows the user all output"


def test_the_plugin_ends_after_an_engine_that_was_killed(aws):
    start = (
        "import subprocess, sys\n"
        "plugin = subprocess.Popen(sys.argv[1], stdout=subprocess.PIPE)\n"
        "plugin.stdout.readline()\n"
        "print(plugin.pid)"
    )
    engine = subprocess.run(  # noqa: S603  # the code above
        [sys.executable, "-c", start, PLUGIN],
        env=environment(AWS_ENDPOINT_URL=aws.endpoint),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    plugin = Path("/proc") / engine.stdout.strip()
    assert plugin.exists(), "the plugin runs"
    eventually(plugin.exists, lambda exists: not exists, seconds=30)


def test_no_slow_module_is_imported_before_the_port_is_printed():
    code = "import emulator.deployer.provider, sys; print('botocore.session' in sys.modules)"
    done = subprocess.run(  # noqa: S603  # the code above
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n", "the engine waits for the port, several times per command"


def test_settings_that_only_help_to_find_an_account_are_accepted(aws):
    settings = {
        "region": "eu-west-1",
        "profile": "work",
        "allowedAccountIds": '["1", "123456789012"]',
        "defaultTags": '{"tags": {"a": "b"}}',
        "skipCredentialsValidation": "true",
        "skipMetadataApiCheck": "true",
        "skipRegionValidation": "true",
        "skipRequestingAccountId": "true",
        "version": VERSION,
        "__internal": "{}",
    }
    with connected(aws.endpoint) as engine:
        response = engine.configure(**settings)
    assert response == provider_pb2.ConfigureResponse(supportsPreview=True)


@pytest.mark.parametrize(
    ("new", "changes", "replaces"),
    [
        ({"region": "eu-west-1", "profile": "work"}, "DIFF_NONE", []),
        ({"region": "eu-west-1", "profile": "home"}, "DIFF_SOME", []),
        ({"region": "us-east-1"}, "DIFF_SOME", ["region"]),
    ],
    ids=["the same settings", "another profile", "another region"],
)
def test_only_another_region_replaces_a_provider(engine, new, changes, replaces):
    old = {"region": "eu-west-1", "profile": "work"}
    request = provider_pb2.DiffRequest(
        old_inputs=wire.to_struct(old), news=wire.to_struct(new), name="a", **PROVIDER
    )
    response = engine.stub.DiffConfig(request)
    assert provider_pb2.DiffResponse.DiffChanges.Name(response.changes) == changes
    assert list(response.replaces) == replaces


def test_a_missing_region_is_refused(aws):
    with connected(aws.endpoint) as engine:
        assert message(engine.configure) == NO_REGION


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_environment_may_name_the_region(aws, name):
    with connected(aws.endpoint, {name: "eu-central-1"}) as engine:
        engine.configure()
        assert invoke(engine, GET_REGION) == {"region": "eu-central-1"}


def test_an_endpoint_without_an_emulator_is_refused():
    with connected("http://127.0.0.1:1") as engine:
        assert message(engine.configure, region="eu-west-1").startswith(
            "no emulator answers at http://127.0.0.1:1: "
        )


def test_a_provider_for_another_region_creates_resources_there(aws):
    with provider(aws, region="us-east-1") as engine:
        queue = engine.create(Type.QUEUE, "elsewhere", {})
    assert queue.outputs["arn"].split(":")[3] == "us-east-1"


def invoke(engine, token, **arguments):
    """Return the result of a function of the provider."""
    request = provider_pb2.InvokeRequest(tok=token, args=wire.to_struct(arguments))
    return wire.from_struct(getattr(engine.stub.Invoke(request), "return"))


def test_the_provider_returns_the_account(engine):
    identity = invoke(engine, "aws:index/getCallerIdentity:getCallerIdentity")
    assert identity == {"accountId": "123456789012"}


def test_an_unsupported_function_is_refused_by_name(engine):
    reason = "is not supported by the emulator's provider"
    function = "aws:index/getAvailabilityZones:getAvailabilityZones"
    assert message(invoke, engine, function) == f"{function} {reason}"
    assert (
        message(invoke, engine, GET_REGION, region="us-east-1") == f"{GET_REGION} region {reason}"
    )


def test_the_credentials_of_the_caller_are_not_used(aws, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("AWS_PROFILE", "work")
    aws.control("DELETE", "calls")
    with provider(aws, profile="work") as engine:
        engine.create(Type.QUEUE, "root", {})
    assert {call["caller"] for call in aws.calls()} == {"arn:aws:iam::123456789012:root"}


def test_get_and_import_are_refused(engine):
    request = provider_pb2.ReadRequest(
        id="f", urn=engine.urn(Type.FUNCTION, "f"), type=Type.FUNCTION, name="f"
    )
    assert message(engine.stub.Read, request) == (
        "import and get() of aws:lambda/function:Function is not supported by the emulator's"
        " provider"
    )
