"""Proves that the deployer refuses by name what it does not support, and passes on other errors.

Does not prove that Pulumi's engine or provider would refuse the same.
"""

import contextvars
import gc
import re

import pulumi
import pytest
from botocore.exceptions import ClientError
from deployer_support import write_project
from pulumi.runtime.config import CONFIG
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import ROOT

from emulator.deployer import DeploymentError, deploy
from emulator.deployer.aws import Aws
from emulator.deployer.monitor import Monitor
from emulator.deployer.resources import ROWS

STACK = "config:\n  aws:region: eu-west-1\n"


@pytest.fixture
def run(aws, tmp_path):
    """Return a function that deploys a program. Each test has its own project and state."""

    def run(program, *, stack=STACK, **options):
        folder = write_project(tmp_path, program, stack, name=f"sample-{tmp_path.name}")
        return deploy("dev", endpoint=aws.endpoint, project_dir=folder, **options)

    return run


@pytest.fixture
def refusal(run):
    """Return a function that deploys a program and returns the message of the DeploymentError."""

    def refusal(program, **options):
        with pytest.raises(DeploymentError) as caught:
            run(program, **options)
        return str(caught.value)

    return refusal


def function(*, code='{"x.py": pulumi.StringAsset("")}', runtime="python3.13", more=""):
    """Return a program with a function of this code, runtime and other inputs."""
    return f"""
    aws.lambda_.Function(
        "f",
        role="arn:aws:iam::123456789012:role/r",
        handler="x.handler",
        runtime="{runtime}",
        code=pulumi.AssetArchive({code}),
        {more}
    )
    """


REFUSED_RESOURCES = {
    "an unsupported type": (
        'aws.kms.Key("k")',
        "aws:kms/key:Key k: this type is not supported by the emulator's deployer",
    ),
    "an unsupported input": (
        'aws.sqs.Queue("q", fifo_queue=True)',
        "aws:sqs/queue:Queue q: fifoQueue: unknown or not supported",
    ),
    "an unknown input in a nested block": (
        """
        aws.scheduler.Schedule(
            "s",
            schedule_expression="rate(1 day)",
            flexible_time_window={"mode": "OFF"},
            target={"arn": "a", "roleArn": "r", "retryPolicy": {"attempts": 3}},
        )
        """,
        "aws:scheduler/schedule:Schedule s: target.retryPolicy.attempts: unknown or not supported",
    ),
    "a name with a space": (
        'aws.sqs.Queue("q", name="a queue")',
        "aws:sqs/queue:Queue q: name: 'a queue' does not match AWS's pattern [A-Za-z0-9_-]+",
    ),
    "a text that is too long": (
        'aws.cloudwatch.EventRule("r", description="d" * 513, schedule_expression="rate(1 day)")',
        (
            "aws:cloudwatch/eventRule:EventRule r: PutRule.Description: "
            "513 characters is more than AWS allows, 512"
        ),
    ),
    "a tag that is too long": (
        'aws.iam.Role("r", assume_role_policy=trusts("lambda"), tags={"a": "v" * 257})',
        (
            "aws:iam/role:Role r: CreateRole.Tags[0].Value: "
            "257 characters is more than AWS allows, 256"
        ),
    ),
    "another region than the stack's": (
        'aws.sqs.Queue("q", region="us-east-1")',
        "aws:sqs/queue:Queue q: region: 'us-east-1' is not the stack's, 'eu-west-1'",
    ),
    "a provider for another region": (
        'aws.Provider("p", region="us-east-1")',
        "pulumi:providers:aws p: region: 'us-east-1' is not the stack's, 'eu-west-1'",
    ),
    "a provider that changes resources": (
        'aws.Provider("p", region="eu-west-1", default_tags={"tags": {"a": "b"}})',
        "pulumi:providers:aws p: defaultTags: unknown or not supported",
    ),
    "two resources with one name": (
        'aws.sqs.Queue("q")\naws.sqs.Queue("q")',
        "aws:sqs/queue:Queue q: duplicate URN urn:pulumi:dev::{project}::aws:sqs/queue:Queue::q",
    ),
    "an import": (
        'aws.sqs.Queue("q", opts=pulumi.ResourceOptions(import_="https://queue"))',
        "aws:sqs/queue:Queue q: import is not supported by the emulator's deployer",
    ),
    "a remote component": (
        'pulumi.ComponentResource("a:b:C", "c", {}, None, True)',
        "a:b:C c: remote components are not supported by the emulator's deployer",
    ),
    "get()": (
        'aws.sqs.Queue.get("q", "https://queue")',
        "aws:sqs/queue:Queue q: get() is not supported by the emulator's deployer",
    ),
    "an unsupported function of the provider": (
        "aws.get_availability_zones()",
        (
            "aws:index/getAvailabilityZones:getAvailabilityZones: "
            "this invoke is not supported by the emulator's deployer"
        ),
    ),
    "an argument of a function of the provider": (
        'aws.get_region(region="us-east-1")',
        "aws:index/getRegion:getRegion: region: not supported by the emulator's deployer",
    ),
    "a message of severity error": (
        'pulumi.log.error("no campaigns")',
        "the program logged errors: no campaigns",
    ),
}


@pytest.mark.parametrize(
    ("program", "message"), REFUSED_RESOURCES.values(), ids=REFUSED_RESOURCES.keys()
)
def test_a_program_is_refused_with_the_name_of_the_resource(refusal, tmp_path, program, message):
    expected = message.replace("{project}", f"sample-{tmp_path.name}")
    assert refusal(program) == expected


REFUSED_FUNCTIONS = {
    "another runtime": (
        {"runtime": "nodejs22.x"},
        "runtime: 'nodejs22.x' is not supported, only python3.12 or newer",
    ),
    "an old Python": (
        {"runtime": "python3.11"},
        "runtime: 'python3.11' is not supported, only python3.12 or newer",
    ),
    "code that is not an AssetArchive": (
        {"code": '{"lib": pulumi.FileArchive(".")}'},
        "code: FileArchive is not supported, only AssetArchive",
    ),
    "an asset that is on the web": (
        {"code": '{"x.py": pulumi.RemoteAsset("https://example.com/x.py")}'},
        "code[x.py]: RemoteAsset is not supported, only FileAsset and StringAsset",
    ),
    "a file named bootstrap": (
        {"code": '{"bootstrap": pulumi.StringAsset("")}'},
        "code: holds a file 'bootstrap', a name the emulator uses",
    ),
    "a word that AWS does not know": (
        {"more": 'logging_config={"log_format": "json"}'},
        "CreateFunction.LoggingConfig.LogFormat: 'json' is not one of JSON, Text",
    ),
    "a number that is too small": (
        {"more": "memory_size=64"},
        "CreateFunction.MemorySize: 64 is less than AWS allows, 128",
    ),
    "a list that is too long": (
        {"more": 'architectures=["arm64", "x86_64"]'},
        "CreateFunction.Architectures: 2 items is more than AWS allows, 1",
    ),
}


@pytest.mark.parametrize(
    ("inputs", "message"), REFUSED_FUNCTIONS.values(), ids=REFUSED_FUNCTIONS.keys()
)
def test_a_function_is_refused_with_the_name_of_the_input(refusal, inputs, message):
    assert refusal(function(**inputs)) == f"aws:lambda/function:Function f: {message}"


NAME_RULES = {type_token: row.name_rule for type_token, row in ROWS.items() if row.name_rule}


@pytest.mark.parametrize("rule", NAME_RULES.values(), ids=NAME_RULES.keys())
def test_a_name_is_checked_against_its_rule(rule):
    longest, too_long = "n" * rule.limit, "n" * (rule.limit + 1)
    assert rule.error(longest) is None, "the limit itself is allowed"
    assert rule.error(too_long) == (
        f"{too_long!r} has {rule.limit + 1} characters, AWS allows {rule.limit}"
    )
    assert rule.error("a-name") is None, "letters and hyphens are allowed in each name"
    assert rule.error("a\tname") == f"'a\\tname' does not match AWS's pattern {rule.pattern}"


def test_a_name_that_is_too_long_with_pulumis_suffix_is_refused(refusal):
    name = "n" * 57
    message = refusal(f'aws.iam.Role("{name}", assume_role_policy=trusts("lambda"))')
    assert re.fullmatch(
        f"aws:iam/role:Role {name}: name: '{name}-[0-9a-f]{{7}}' has 65 characters, AWS allows 64",
        message,
    ), message


def test_a_changed_input_is_refused(run, refusal):
    run('aws.sqs.Queue("q", delay_seconds=1)')
    assert refusal('aws.sqs.Queue("q", delay_seconds=2, tags={"a": "b"})') == (
        "aws:sqs/queue:Queue q: delaySeconds, tags differs from what is deployed; "
        "the emulator's deployer does not update"
    )


def test_changed_code_is_refused(run, refusal):
    role = 'role = aws.iam.Role("r", assume_role_policy=trusts("lambda"))\n'
    function = (
        'aws.lambda_.Function("f", runtime="python3.13", role=role.arn, handler="x.handler",'
        ' code=pulumi.AssetArchive({"x.py": pulumi.StringAsset("handler = %s")}))'
    )
    run(role + function % 1)
    # Python would take a program of the same size and the same second as unchanged.
    assert refusal(role + function % 20) == (
        "aws:lambda/function:Function f: code differs from what is deployed; "
        "the emulator's deployer does not update"
    )


def test_a_removed_resource_is_refused(run, refusal, tmp_path):
    run('aws.sqs.Queue("q")\naws.sqs.Queue("kept")')
    assert refusal('aws.sqs.Queue("kept")') == (
        "deployed before and no longer declared; the emulator's deployer does not delete: "
        f"urn:pulumi:dev::sample-{tmp_path.name}::aws:sqs/queue:Queue::q"
    )


def test_a_failed_run_continues_with_the_resources_that_it_created(run, aws):
    queue = 'queue = aws.sqs.Queue("q")\n'
    with pytest.raises(RuntimeError, match="no role today"):
        run(queue + 'raise RuntimeError("no role today")')
    sqs = aws.client("sqs")
    urls = sqs.list_queues(QueueNamePrefix="q-")["QueueUrls"]
    deployment = run(queue + 'pulumi.export("url", queue.url)')
    assert deployment.outputs["url"] in urls
    assert sqs.list_queues(QueueNamePrefix="q-")["QueueUrls"] == urls, "no second queue is created"


def test_an_error_in_the_program_is_raised_unchanged(run):
    with pytest.raises(KeyError) as caught:
        run('{}["campaigns"]')
    assert caught.value.args == ("campaigns",)


def test_an_error_in_an_output_is_raised_unchanged(run):
    with pytest.raises(LookupError, match=r"^no such campaign$"):
        run(
            """
            def fail(url):
                raise LookupError("no such campaign")

            pulumi.export("x", aws.sqs.Queue("q").url.apply(fail))
            """
        )


def test_an_error_of_a_service_has_a_note_with_the_resource(run):
    with pytest.raises(ClientError) as caught:
        run('aws.iam.RolePolicy("p", role="nobody", policy="{}")')
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity", "it is botocore's error"
    assert caught.value.__notes__ == ["while creating aws:iam/rolePolicy:RolePolicy p"]


def test_an_error_after_the_creation_has_a_note_with_the_resource(run):
    with pytest.raises(ClientError) as caught:
        run('aws.cloudwatch.LogGroup("g", retention_in_days=91)')
    assert caught.value.response["Error"]["Code"] == "InvalidParameterException"
    assert caught.value.__notes__ == ["while creating aws:cloudwatch/logGroup:LogGroup g"]


def test_an_unknown_parent_is_refused(aws):
    monitor = Monitor(Aws(aws.endpoint, aws.account, aws.region), "sample", "dev")
    request = resource_pb2.RegisterResourceRequest(
        type="aws:sqs/queue:Queue", name="q", custom=True, parent="urn:pulumi:dev::other::a:b:C::d"
    )
    with pytest.raises(DeploymentError) as caught:
        monitor.RegisterResource(request)
    assert str(caught.value) == (
        "aws:sqs/queue:Queue q: its parent urn:pulumi:dev::other::a:b:C::d is not registered"
    )


def test_an_error_that_is_raised_is_not_logged(run, caplog):
    for _ in range(2):  # Pulumi keeps the objects of a run until the next run.
        with pytest.raises(DeploymentError):
            run('aws.sqs.Queue("q", fifo_queue=True)')
    gc.collect()  # asyncio now logs the errors that no task has read.
    assert caplog.records == []


def test_a_warning_of_the_program_is_logged(run, caplog):
    run('pulumi.log.warn("no users")')
    assert [record.getMessage() for record in caplog.records] == ["no users"]


def test_missing_config_raises_pulumis_error(run):
    with pytest.raises(pulumi.ConfigMissingError, match="datasets"):
        run('config.require("datasets")')


def test_unsupported_settings_of_the_provider_are_refused(refusal):
    stack = "config:\n  aws:ignoreTags: {keys: [a]}\n  aws:endpoints: []\n"
    assert refusal("", stack=stack) == (
        "aws:endpoints, aws:ignoreTags: not supported by the emulator's deployer"
    )


@pytest.mark.parametrize("number", ['"210987654321"', "210987654321"])
def test_an_account_that_is_not_allowed_is_refused(refusal, aws, number):
    assert refusal("", stack=f"config:\n  aws:allowedAccountIds: [{number}]\n") == (
        f"AWS account ID not allowed: {aws.account}; aws:allowedAccountIds has 210987654321"
    )


def test_an_allowed_account_is_accepted(run, aws):
    run("", stack=f'config:\n  aws:allowedAccountIds: ["210987654321", "{aws.account}"]\n')


TAGS_EXAMPLE = 'expected {"tags": {"team": "data"}}'


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            'aws:allowedAccountIds: "123456789012"',
            "aws:allowedAccountIds: '123456789012'; expected [\"123456789012\"]",
        ),
        ("aws:defaultTags: team=data", f"aws:defaultTags: 'team=data'; {TAGS_EXAMPLE}"),
        (
            "aws:defaultTags: {tags: [team]}",
            f"""aws:defaultTags: '{{"tags":["team"]}}'; {TAGS_EXAMPLE}""",
        ),
        (
            "aws:defaultTags: {team: data}",
            f"""aws:defaultTags: '{{"team":"data"}}'; {TAGS_EXAMPLE}""",
        ),
    ],
)
def test_a_setting_of_another_type_is_refused_with_an_example(refusal, setting, message):
    assert refusal("", stack=f"config:\n  {setting}\n") == message


def test_an_endpoint_without_an_emulator_is_refused(tmp_path):
    with pytest.raises(DeploymentError, match=r"^no emulator answers at http://127\.0\.0\.1:1: "):
        deploy("dev", endpoint="http://127.0.0.1:1", project_dir=write_project(tmp_path, ""))


def test_two_stacks_in_one_process_are_independent(aws, tmp_path):
    program = """
    queue = aws.sqs.Queue("q")
    pulumi.export("stack", pulumi.get_stack())
    pulumi.export("only", config.get("only"))
    pulumi.export("queue", queue.arn)
    """
    folder = write_project(tmp_path, program, "config:\n  only: dev\n", name="pair")
    (folder / "Pulumi.prod.yaml").write_text("config:\n  aws:region: us-east-1\n")
    before = (pulumi.get_stack(), dict(CONFIG.get()))

    dev = deploy("dev", endpoint=aws.endpoint, project_dir=folder).outputs
    prod = deploy("prod", endpoint=aws.endpoint, project_dir=folder).outputs

    assert (dev["stack"], dev["only"]) == ("dev", "dev")
    assert (prod["stack"], prod.get("only")) == ("prod", None), "prod does not have dev's config"
    assert dev["queue"].split(":")[3] == aws.region, "a stack without a region uses the emulator's"
    assert prod["queue"].split(":")[3] == "us-east-1"
    assert dev["queue"].split(":")[5] != prod["queue"].split(":")[5], "each stack has a queue"
    assert (pulumi.get_stack(), dict(CONFIG.get())) == before, "the caller's settings are kept"


def test_the_callers_settings_of_pulumi_do_not_reach_the_program(run, tmp_path):
    def call():
        pulumi.runtime.set_all_config({f"sample-{tmp_path.name}:mode": "the caller's"})
        ROOT.set(pulumi.resource.DependencyResource("urn:pulumi:a::b::pulumi:pulumi:Stack::c"))
        return run('pulumi.export("mode", str(config.get("mode")))')

    deployment = contextvars.copy_context().run(call)
    assert deployment.outputs == {"mode": "None"}


def test_overrides_win_over_the_stacks_file(run):
    program = 'pulumi.export("mode", config.get("mode"))'
    deployment = run(program, stack=f"{STACK}  mode: slow\n", config={"mode": "fast"})
    assert deployment.outputs == {"mode": "fast"}
