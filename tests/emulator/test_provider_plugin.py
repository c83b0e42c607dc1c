"""Proves how the plugin starts, what it answers before any resource, and what it refuses.

The real engine starts it in `tests/engine/`; here it is a process and a gRPC service.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import grpc
import pytest
from google.protobuf import empty_pb2
from provider_support import FUNCTION, GROUP, QUEUE, connected, message, plain, provider, struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc
from small_stack import eventually

from emulator.deployer.provider_settings import emulator_endpoint
from emulator.deployer.resources import ROWS
from emulator.deployer.service import VERSION

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "emulator/deployer/plugin/pulumi-resource-aws"
STAND_IN = (
    "this pulumi-resource-aws is a stand-in that works with the emulator only, and"
    " AWS_ENDPOINT_URL {}; start an emulator with 'retrain emulate' and export what it prints,"
    " or take emulator/deployer/plugin off the PATH and install the real provider with"
    " 'pulumi plugin install resource aws'"
)
NO_REGION = "missing region information; run 'pulumi config set aws:region eu-west-1'"
PROVIDER = {"urn": "urn:pulumi:dev::p::pulumi:providers:aws::a", "type": "pulumi:providers:aws"}


@pytest.mark.parametrize(
    ("endpoint", "is_wrong"),
    [
        ("", "is not set"),
        (
            "https://sts.eu-west-1.amazonaws.com",
            "is 'https://sts.eu-west-1.amazonaws.com', not this machine",
        ),
        (
            "http://127.0.0.1.example.com:4566",
            "is 'http://127.0.0.1.example.com:4566', not this machine",
        ),
        ("4566", "is '4566', not this machine"),
    ],
)
def test_it_serves_nothing_but_an_emulator(endpoint, is_wrong):
    refusal = STAND_IN.format(is_wrong)
    with connected(endpoint) as engine:
        assert check_config(engine, region="eu-west-1")[1] == {"": refusal}, "a new provider"
        assert message(engine.configure, region="eu-west-1") == refusal, "one in the state"
        assert message(engine.create, QUEUE, "q", {}) == NO_REGION, "nothing is configured"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_an_endpoint_on_this_machine_is_accepted(host):
    endpoint = f"http://{host}:4566"
    assert emulator_endpoint({"AWS_ENDPOINT_URL": endpoint}) == endpoint


def environment(**variables):
    """Return the environment of this process without its AWS settings, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | variables


def test_the_executable_prints_its_port_and_nothing_else(aws, tmp_path):
    (tmp_path / "emulator").mkdir()  # as a checkout of another release has one
    (tmp_path / "emulator" / "__init__.py").write_text("raise RuntimeError('the program's own')")
    with subprocess.Popen(  # noqa: S603  # the checkout's plugin
        [PLUGIN, "127.0.0.1:1"],  # the engine's address, as the engine starts its plugins
        env=environment(AWS_ENDPOINT_URL=aws.endpoint),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as plugin:
        port = plugin.stdout.readline()
        with grpc.insecure_channel(f"127.0.0.1:{port.strip()}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            assert stub.GetPluginInfo(empty_pb2.Empty()).version == VERSION
        plugin.send_signal(2)  # as the engine ends its plugins
        assert plugin.communicate(timeout=60) == ("", ""), "what it says is shown to the user"
    assert plugin.returncode == 0


def test_it_does_not_outlive_an_engine_that_was_killed(aws):
    start = (
        "import subprocess, sys\n"
        "plugin = subprocess.Popen(sys.argv[1], stdout=subprocess.PIPE)\n"
        "plugin.stdout.readline()\n"
        "print(plugin.pid)"
    )
    ended = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", start, PLUGIN],
        env=environment(AWS_ENDPOINT_URL=aws.endpoint),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    plugin = Path("/proc") / ended.stdout.strip()
    assert plugin.exists(), "it has started"
    eventually(plugin.exists, lambda exists: not exists, seconds=30)


def test_nothing_that_is_slow_is_imported_before_the_port_is_printed():
    code = "import emulator.deployer.provider, sys; print('boto3' in sys.modules)"
    ended = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "False\n", "the engine waits for the port, several times per command"


@pytest.fixture(scope="module")
def engine(aws):
    with provider(aws) as engine:
        yield engine


def test_it_stands_for_the_version_that_the_program_asks_for(engine):
    assert engine.stub.GetPluginInfo(empty_pb2.Empty()) == plugin_pb2.PluginInfo(
        version=version("pulumi-aws")
    ), "else the engine would look for another plugin"


def test_the_schema_names_the_types(engine):
    schema = json.loads(engine.stub.GetSchema(provider_pb2.GetSchemaRequest()).schema)
    assert (schema["name"], schema["version"]) == ("aws", VERSION)
    assert schema["resources"].keys() == ROWS.keys()
    group = schema["resources"][GROUP]
    assert list(group["inputProperties"]) == ["name", "region", "tags"]
    assert list(group["properties"]) == [
        *("arn", "creationDate", "lastModificationDate", "name", "region"),
        *("state", "tags", "tagsAll"),
    ], "a program in YAML may use these"
    assert "defaultTags" in schema["provider"]["inputProperties"]


def test_it_lets_itself_be_attached_and_cancelled(engine):
    assert engine.stub.Attach(plugin_pb2.PluginAttach(address="a")) == empty_pb2.Empty()
    assert engine.stub.Cancel(empty_pb2.Empty()) == empty_pb2.Empty()


def check_config(engine, **settings):
    request = provider_pb2.CheckRequest(news=struct(settings), name="a", **PROVIDER)
    answer = engine.stub.CheckConfig(request)
    return plain(answer.inputs), {each.property: each.reason for each in answer.failures}


def test_settings_that_only_find_an_account_are_accepted(engine):
    settings = {
        "region": "eu-west-1",
        "profile": "work",
        "allowedAccountIds": '["123456789012"]',
        "defaultTags": '{"tags": {"a": "b"}}',
        "skipCredentialsValidation": "true",
        "skipMetadataApiCheck": "true",
        "skipRegionValidation": "true",
        "skipRequestingAccountId": "true",
        "version": VERSION,
    }
    assert check_config(engine, **settings) == (settings, {})


def test_a_setting_that_is_not_understood_is_refused_by_name(engine):
    _, failures = check_config(engine, region="eu-west-1", assumeRoles="[]", endpoints="[]")
    assert failures == {
        "assumeRoles": "aws:assumeRoles is not supported by the emulator's provider",
        "endpoints": "aws:endpoints is not supported by the emulator's provider",
    }


def diff_config(engine, old, new):
    request = provider_pb2.DiffRequest(
        old_inputs=struct(old), news=struct(new), name="a", **PROVIDER
    )
    answer = engine.stub.DiffConfig(request)
    return list(answer.diffs), list(answer.replaces)


def test_another_region_replaces_a_provider(engine):
    old = {"region": "eu-west-1", "profile": "work"}
    assert diff_config(engine, old, old) == ([], [])
    assert diff_config(engine, old, old | {"profile": "home"}) == (["profile"], [])
    assert diff_config(engine, old, {"region": "us-east-1"}) == (["profile", "region"], ["region"])


@pytest.mark.parametrize("accounts", ['["999999999999"]', ["999999999999"], [999999999999]])
def test_an_account_that_is_not_allowed_is_refused_in_the_providers_words(aws, accounts):
    with connected(aws.endpoint) as engine:
        assert message(engine.configure, region=aws.region, allowedAccountIds=accounts) == (
            "AWS account ID not allowed: 123456789012; aws:allowedAccountIds has 999999999999"
        )


@pytest.mark.parametrize("accounts", ['["123456789012"]', ["123456789012", "1"]])
def test_an_account_that_is_allowed_is_not_refused(aws, accounts):
    with connected(aws.endpoint) as engine:
        answer = engine.configure(region=aws.region, allowedAccountIds=accounts)
    assert answer == provider_pb2.ConfigureResponse(supportsPreview=True)


def test_a_missing_region_is_refused(aws):
    with connected(aws.endpoint) as engine:
        assert message(engine.configure) == NO_REGION


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_environment_may_name_the_region(aws, name):
    with connected(aws.endpoint, {name: "eu-central-1"}) as engine:
        engine.configure()
        assert engine.checked(QUEUE, "q", {})["region"] == "eu-central-1"


def test_an_emulator_that_does_not_answer_is_named():
    with connected("http://127.0.0.1:1") as engine:
        assert message(engine.configure, region="eu-west-1").startswith(
            "no emulator answers at http://127.0.0.1:1: "
        )


def test_a_provider_for_another_region_acts_there(aws):
    with provider(aws, region="us-east-1") as engine:
        queue = engine.create(QUEUE, "elsewhere", {})
    assert queue.outputs["arn"].split(":")[3] == "us-east-1"


def test_a_resource_may_name_its_region(engine):
    queue = engine.create(QUEUE, "elsewhere-too", {"region": "us-west-2"})
    assert queue.outputs["arn"].split(":")[3] == "us-west-2"
    assert engine.read(queue).outputs == queue.outputs, "it is looked for there"
    engine.delete(queue)
    assert engine.read(queue) is None


def invoke(engine, token, **arguments):
    request = provider_pb2.InvokeRequest(tok=token, args=struct(arguments))
    return plain(getattr(engine.stub.Invoke(request), "return"))


def test_it_says_who_and_where_it_is(engine):
    identity = invoke(engine, "aws:index/getCallerIdentity:getCallerIdentity")
    assert identity["accountId"] == "123456789012", "the emulated account, with its own key"
    assert invoke(engine, "aws:index/getRegion:getRegion")["region"] == "eu-west-1"


def test_what_it_cannot_say_is_refused_by_name(engine):
    unknown = "aws:index/getAvailabilityZones:getAvailabilityZones"
    assert message(invoke, engine, unknown) == (
        f"{unknown}: this invoke is not supported by the emulator's deployer"
    )


def test_the_credentials_of_the_caller_are_not_used(aws, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("AWS_PROFILE", "work")
    aws.control("DELETE", "calls")
    with provider(aws, profile="work") as engine:
        engine.create(QUEUE, "root", {})
    assert {call["caller"] for call in aws.calls()} == {"arn:aws:iam::123456789012:root"}


def test_get_and_import_are_refused(engine):
    request = provider_pb2.ReadRequest(
        id="f", urn=engine.urn(FUNCTION, "f"), type=FUNCTION, name="f"
    )
    assert message(engine.stub.Read, request) == (
        "import and get() of aws:lambda/function:Function is not supported by the emulator's"
        " provider"
    )
