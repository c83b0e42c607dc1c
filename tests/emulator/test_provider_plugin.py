"""Proves how the plugin starts, what it sends and receives over gRPC, and what it refuses.

`test_provider_types.py` proves what it does with each type. The tests in `tests/engine/` start it
with the real engine.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from provider_support import UNKNOWN, Engine, Type, archive, function_inputs, provider, short
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc
from small_stack import create_role, eventually, invoke, trust

from emulator.deployer import wire
from emulator.deployer.service import GET_ACCOUNT, GET_REGION, NO_REGION, UNSUPPORTED, VERSION

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "emulator/deployer/plugin/pulumi-resource-aws"
URN = "urn:pulumi:dev::p::{}::one"
PROVIDER = {"urn": URN.format("pulumi:providers:aws"), "type": "pulumi:providers:aws"}


def configure(stub, **settings):
    request = pb.ConfigureRequest(args=wire.to_struct(settings), acceptSecrets=True)
    return stub.Configure(request)


@pytest.fixture(scope="module")
def stub(aws):
    """Yield a client of a provider for the emulator."""
    with provider(aws.endpoint) as stub:
        configure(stub, region="eu-west-1")
        yield stub


def message(call, *arguments, **named):
    """Return what the engine prints for a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **named)
    return caught.value.details()


def test_a_resource_lives_over_grpc_as_the_engine_asks(aws, stub):
    role = create_role(aws, "grpc", trust("lambda"))
    secret = {wire.SIGNATURE: wire.SECRET, "value": {"variables": {"MODE": "fast"}}}
    code = archive("sha-1", "def handler(*_):\n    return 1\n")
    names = {"urn": URN.format(Type.FUNCTION), "type": Type.FUNCTION, "name": "one"}
    declared = wire.to_struct(function_inputs(role, code, environment=secret, publish=True))
    checked = stub.Check(pb.CheckRequest(news=declared, randomSeed=b"seed", **names))
    assert [*checked.failures] == []
    inputs = wire.from_struct(checked.inputs)
    assert inputs["name"] == "one-19b2585", "it depends on the seed"
    assert inputs["environment"] == secret["value"], "a secret is read as its value"

    preview = pb.CreateRequest(properties=checked.inputs, preview=True, **names)
    previewed = stub.Create(preview)
    assert previewed.id == "", "the resource does not exist"
    assert wire.from_struct(previewed.properties)["arn"] == UNKNOWN
    created = stub.Create(pb.CreateRequest(properties=checked.inputs, **names))
    outputs = wire.from_struct(created.properties)
    assert (created.id, outputs["version"]) == ("one-19b2585", "1")
    assert invoke(aws, outputs["qualifiedArn"], {}) == 1

    # The engine sends no content of archives with the state of a resource.
    state = {"id": created.id, "olds": wire.to_struct(short(outputs)), **names}
    state["old_inputs"] = wire.to_struct(short(inputs))
    read = {"inputs": state["old_inputs"], "properties": state["olds"], "id": created.id, **names}
    refreshed = stub.Read(pb.ReadRequest(**read))
    assert (refreshed.id, refreshed.inputs) == (created.id, state["old_inputs"])
    assert refreshed.properties == state["olds"]
    news = wire.to_struct({**inputs, "timeout": 60})
    again = stub.Check(pb.CheckRequest(news=news, olds=checked.inputs, **names))
    diff = stub.Diff(pb.DiffRequest(news=again.inputs, **state))
    assert (diff.changes, [*diff.diffs]) == (pb.DiffResponse.DIFF_SOME, ["timeout"])
    other_name = wire.to_struct({**inputs, "name": "two", "__defaults": []})
    diff = stub.Diff(pb.DiffRequest(news=other_name, **state))
    assert ([*diff.replaces], diff.deleteBeforeReplace) == (["name"], True)
    diff = stub.Diff(pb.DiffRequest(news=state["old_inputs"], **state))
    assert (diff.changes, [*diff.diffs]) == (pb.DiffResponse.DIFF_NONE, [])
    for preview, version in ((True, UNKNOWN), (False, "2")):
        updated = stub.Update(pb.UpdateRequest(news=again.inputs, preview=preview, **state))
        assert wire.from_struct(updated.properties)["version"] == version

    delete = {"id": created.id, "old_inputs": state["old_inputs"], **names}
    stub.Delete(pb.DeleteRequest(properties=state["olds"], **delete))
    assert stub.Read(pb.ReadRequest(**read)).id == ""
    assert message(stub.Read, pb.ReadRequest(id="f", **names)) == (
        f"import and get() of {Type.FUNCTION} {UNSUPPORTED}"
    )

    refused = stub.Check(pb.CheckRequest(news=wire.to_struct({"memorySize": 1}), **names))
    assert [failure.property for failure in refused.failures] == ["memorySize"]
    unknown = {**names, "type": "aws:kms/key:Key"}
    assert message(stub.Check, pb.CheckRequest(**unknown)) == f"aws:kms/key:Key {UNSUPPORTED}"


# The start and the end


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
        timer = threading.Timer(120, plugin.kill)  # a read of its output has no timeout
        timer.start()
        try:
            port = plugin.stdout.readline()
            with grpc.insecure_channel(f"127.0.0.1:{port.strip()}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=60).version == VERSION
            plugin.send_signal(2)  # The engine ends its plugins with this signal.
            output = plugin.communicate(timeout=60)
        finally:
            timer.cancel()
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


# The settings


@pytest.mark.parametrize(
    "endpoint",
    ["", "https://sts.eu-west-1.amazonaws.com", "http://127.0.0.1.example.com:4566", "4566"],
)
def test_the_provider_refuses_an_endpoint_that_is_not_on_this_machine(endpoint):
    with provider(endpoint) as stub:
        assert message(configure, stub, region="eu-west-1") == (
            "this pulumi-resource-aws is a stand-in that works with an emulator on this machine"
            f" only, and AWS_ENDPOINT_URL is {endpoint or 'not set'}; start an emulator with"
            " 'retrain emulate' and export what it prints, or take emulator/deployer/plugin off the"
            " PATH and install the real provider with 'pulumi plugin install resource aws'"
        )


def test_settings_that_only_help_to_find_an_account_are_accepted(aws):
    settings = {
        "region": "eu-west-1",
        "profile": "work",
        "allowedAccountIds": '["1", "123456789012"]',
        "defaultTags": '{"tags": {"a": "b"}}',
        "version": VERSION,
        "__internal": "{}",
        "skipCredentialsValidation": "true",
        "skipRequestingAccountId": "true",
        "skipMetadataApiCheck": "true",
        "skipRegionValidation": "true",
    }
    with provider(aws.endpoint) as stub:
        response = configure(stub, **settings)

    assert response == pb.ConfigureResponse(supportsPreview=True)


@pytest.mark.parametrize(
    "new, changes, replaces",
    [
        ({"region": "eu-west-1", "profile": "work"}, pb.DiffResponse.DIFF_NONE, []),
        ({"region": "eu-west-1", "profile": "home"}, pb.DiffResponse.DIFF_SOME, []),
        ({"region": "us-east-1"}, pb.DiffResponse.DIFF_SOME, ["region"]),
    ],
    ids=["the same settings", "another profile", "another region"],
)
def test_only_another_region_replaces_a_provider(stub, new, changes, replaces):
    old = wire.to_struct({"region": "eu-west-1", "profile": "work"})
    request = pb.DiffRequest(old_inputs=old, news=wire.to_struct(new), name="a", **PROVIDER)
    response = stub.DiffConfig(request)
    assert (response.changes, [*response.replaces]) == (changes, replaces)


def test_the_environment_may_name_the_region_and_one_is_needed(aws):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        with provider(aws.endpoint, **{name: "eu-central-1"}) as stub:
            configure(stub)
            assert result(stub, GET_REGION) == {"region": "eu-central-1"}
    with provider(aws.endpoint) as stub:
        assert message(configure, stub) == NO_REGION


def test_an_endpoint_without_an_emulator_is_refused():
    with provider("http://127.0.0.1:1") as stub:
        beginning = "no emulator answers at http://127.0.0.1:1: "
        assert message(configure, stub, region="eu-west-1").startswith(beginning)


def result(stub, token, **arguments):
    """Return the result of a function of the provider."""
    request = pb.InvokeRequest(tok=token, args=wire.to_struct(arguments))
    return wire.from_struct(getattr(stub.Invoke(request), "return"))


def test_the_provider_returns_the_account_and_refuses_other_functions_by_name(stub):
    assert result(stub, GET_ACCOUNT) == {"accountId": "123456789012"}
    function = "aws:index/getAvailabilityZones:getAvailabilityZones"
    assert message(result, stub, function) == f"{function} {UNSUPPORTED}"
    error = message(result, stub, GET_REGION, region="us-east-1")
    assert error == f"{GET_REGION} region {UNSUPPORTED}"


def test_the_credentials_of_the_caller_are_not_used(aws, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("AWS_PROFILE", "work")
    aws.control("DELETE", "calls")
    Engine(aws).create(Type.QUEUE, "root", {})
    assert {call["caller"] for call in aws.calls()} == {"arn:aws:iam::123456789012:root"}
