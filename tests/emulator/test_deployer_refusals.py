"""Proves that what the deployer cannot honour is refused by name, and errors come out as they are.

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
    """Deploy a program; each test has a project folder of its own, and a state of its own."""

    def run(program, *, stack=STACK, **options):
        folder = write_project(tmp_path, program, stack, name=f"sample-{tmp_path.name}")
        return deploy("dev", endpoint=aws.endpoint, project_dir=folder, **options)

    return run


@pytest.fixture
def refusal(run):
    """Deploy a program and return what it is refused with."""

    def refusal(program, **options):
        with pytest.raises(DeploymentError) as caught:
            run(program, **options)
        return str(caught.value)

    return refusal


FUNCTION = """
aws.lambda_.Function(
    "f",
    role="arn:aws:iam::123456789012:role/r",
    handler="functions.x.handler",
    {inputs}
)
"""
CODE = 'code=pulumi.AssetArchive({"functions/x.py": pulumi.StringAsset("")})'

REFUSED = {
    "a type that is not in the table": (
        'aws.kms.Key("k")',
        "aws:kms/key:Key k: this type is not supported by the emulator's deployer",
    ),
    "an input that is not in the row": (
        'aws.sqs.Queue("q", fifo_queue=True)',
        "aws:sqs/queue:Queue q: fifoQueue: unknown or not supported",
    ),
    "an input that does not exist in a nested block": (
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
    "another runtime": (
        FUNCTION.format(inputs=f'runtime="nodejs22.x", {CODE}'),
        (
            "aws:lambda/function:Function f: runtime: 'nodejs22.x' is not supported, "
            "only python3.12 or newer"
        ),
    ),
    "an old Python": (
        FUNCTION.format(inputs=f'runtime="python3.11", {CODE}'),
        (
            "aws:lambda/function:Function f: runtime: 'python3.11' is not supported, "
            "only python3.12 or newer"
        ),
    ),
    "an archive that is a file": (
        FUNCTION.format(inputs='runtime="python3.13", code=pulumi.FileArchive(".")'),
        "aws:lambda/function:Function f: code: FileArchive is not supported, only AssetArchive",
    ),
    "an asset that is elsewhere": (
        FUNCTION.format(
            inputs='runtime="python3.13", '
            'code=pulumi.AssetArchive({"x.py": pulumi.RemoteAsset("https://example.com/x.py")})'
        ),
        (
            "aws:lambda/function:Function f: code[x.py]: RemoteAsset is not supported, "
            "only FileAsset and StringAsset"
        ),
    ),
    "a bundle with a bootstrap": (
        FUNCTION.format(
            inputs='runtime="python3.13", '
            'code=pulumi.AssetArchive({"bootstrap": pulumi.StringAsset("")})'
        ),
        "aws:lambda/function:Function f: code: holds a file 'bootstrap', a name the emulator uses",
    ),
    "a word that AWS does not know": (
        FUNCTION.format(
            inputs=f'runtime="python3.13", {CODE}, logging_config={{"log_format": "json"}}'
        ),
        (
            "aws:lambda/function:Function f: CreateFunction.LoggingConfig.LogFormat: "
            "'json' is none of JSON, Text"
        ),
    ),
    "a number beyond AWS's range": (
        FUNCTION.format(inputs=f'runtime="python3.13", {CODE}, memory_size=64'),
        (
            "aws:lambda/function:Function f: CreateFunction.MemorySize: "
            "64 is less than AWS allows, 128"
        ),
    ),
    "a text longer than AWS allows": (
        """
        aws.cloudwatch.EventRule("r", description="d" * 513, schedule_expression="rate(1 day)")
        """,
        (
            "aws:cloudwatch/eventRule:EventRule r: PutRule.Description: "
            "513 characters is more than AWS allows, 512"
        ),
    ),
    "a list longer than AWS allows": (
        FUNCTION.format(inputs=f'runtime="python3.13", {CODE}, architectures=["arm64", "x86_64"]'),
        (
            "aws:lambda/function:Function f: CreateFunction.Architectures: "
            "2 items is more than AWS allows, 1"
        ),
    ),
    "a tag longer than AWS allows": (
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
    "a provider that changes what is deployed": (
        'aws.Provider("p", region="eu-west-1", default_tags={"tags": {"a": "b"}})',
        "pulumi:providers:aws p: defaultTags: unknown or not supported",
    ),
    "two resources of one name": (
        'aws.sqs.Queue("q")\naws.sqs.Queue("q")',
        "aws:sqs/queue:Queue q: duplicate URN urn:pulumi:dev::{project}::aws:sqs/queue:Queue::q",
    ),
    "the import of what exists": (
        'aws.sqs.Queue("q", opts=pulumi.ResourceOptions(import_="https://queue"))',
        "aws:sqs/queue:Queue q: import is not supported by the emulator's deployer",
    ),
    "a look at what exists": (
        'aws.sqs.Queue.get("q", "https://queue")',
        "aws:sqs/queue:Queue q: get() is not supported by the emulator's deployer",
    ),
    "an unknown invoke": (
        "aws.get_availability_zones()",
        (
            "aws:index/getAvailabilityZones:getAvailabilityZones: "
            "this invoke is not supported by the emulator's deployer"
        ),
    ),
    "an argument of an invoke": (
        'aws.get_region(region="us-east-1")',
        "aws:index/getRegion:getRegion: region: not supported by the emulator's deployer",
    ),
    "a message of severity error": (
        'pulumi.log.error("no campaigns")',
        "the program logged errors: no campaigns",
    ),
}


@pytest.mark.parametrize(("program", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_supported_is_refused_by_name(refusal, tmp_path, program, message):
    expected = message.replace("{project}", f"sample-{tmp_path.name}")
    assert refusal(program) == expected, "the message names the resource, the input and the way out"


LIMITS = {
    "aws:cloudwatch/eventRule:EventRule": 64,
    "aws:cloudwatch/eventTarget:EventTarget": 64,
    "aws:cloudwatch/logGroup:LogGroup": 512,
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    "aws:lambda/function:Function": 64,
    "aws:lambda/permission:Permission": 100,
    "aws:scheduler/schedule:Schedule": 64,
    "aws:scheduler/scheduleGroup:ScheduleGroup": 64,
    "aws:sfn/stateMachine:StateMachine": 80,
    "aws:sqs/queue:Queue": 80,
}
RULES = {type_: row.name_rule for type_, row in ROWS.items()}


def test_each_kind_of_name_has_awss_limit():
    assert {type_: rule.limit for type_, rule in RULES.items()} == LIMITS


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_a_name_is_held_to_its_rule(rule):
    longest, longer = "n" * rule.limit, "n" * (rule.limit + 1)
    assert rule.error(longest) is None, "the limit itself is allowed"
    assert rule.error(longer) == (
        f"{longer!r} has {rule.limit + 1} characters, AWS allows {rule.limit}"
    ), "one more is not"
    assert rule.error("a-name") is None, "letters and hyphens are allowed everywhere"
    assert rule.error("a\tname") == (f"'a\\tname' does not match AWS's pattern {rule.pattern}"), (
        "tabs are not allowed anywhere"
    )


def test_a_name_that_grew_too_long_by_pulumis_suffix_is_refused(refusal):
    name = "n" * 57
    message = refusal(f'aws.iam.Role("{name}", assume_role_policy=trusts("lambda"))')
    assert re.fullmatch(
        f"aws:iam/role:Role {name}: name: '{name}-[0-9a-f]{{7}}' has 65 characters, AWS allows 64",
        message,
    ), message


def test_a_name_that_the_program_gives_is_held_to_the_rule_too(refusal):
    assert refusal('aws.sqs.Queue("q", name="a queue")') == (
        "aws:sqs/queue:Queue q: name: 'a queue' does not match AWS's pattern [A-Za-z0-9_-]+"
    )


def test_a_changed_input_is_refused(run, refusal):
    run('aws.sqs.Queue("q", delay_seconds=1)')
    assert refusal('aws.sqs.Queue("q", delay_seconds=2, tags={"a": "b"})') == (
        "aws:sqs/queue:Queue q: delaySeconds, tags differs from what is deployed; "
        "the emulator's deployer does not update"
    )


def test_a_changed_bundle_is_refused(run, refusal):
    role = 'role = aws.iam.Role("r", assume_role_policy=trusts("lambda"))\n'
    function = (
        'aws.lambda_.Function("f", runtime="python3.13", role=role.arn, handler="x.handler",'
        ' code=pulumi.AssetArchive({"x.py": pulumi.StringAsset("handler = %s")}))'
    )
    run(role + function % 1)
    assert refusal(role + function % 2) == (
        "aws:lambda/function:Function f: code differs from what is deployed; "
        "the emulator's deployer does not update"
    )


def test_a_removed_resource_is_refused(run, refusal, tmp_path):
    run('aws.sqs.Queue("q")\naws.sqs.Queue("other")')
    assert refusal('aws.sqs.Queue("other")') == (
        "deployed before and no longer declared; the emulator's deployer does not delete: "
        f"urn:pulumi:dev::sample-{tmp_path.name}::aws:sqs/queue:Queue::q"
    )


def test_a_run_that_failed_goes_on_where_it_stopped(run, aws):
    queue = 'queue = aws.sqs.Queue("q")\n'
    with pytest.raises(RuntimeError, match="no topic today"):
        run(queue + 'raise RuntimeError("no topic today")')
    deployment = run(queue + 'pulumi.export("url", queue.url)')
    urls = aws.client("sqs").list_queues(QueueNamePrefix="q-").get("QueueUrls")
    assert deployment.outputs["url"] in urls, "the queue is found, and not made again"


def test_an_error_in_the_program_comes_out_as_it_is(run):
    with pytest.raises(KeyError) as caught:
        run('{}["campaigns"]')
    assert caught.value.args == ("campaigns",), "nothing is wrapped around it"


def test_an_error_in_an_output_comes_out_as_it_is(run):
    with pytest.raises(LookupError, match=r"^no such campaign$"):
        run(
            """
            def fail(url):
                raise LookupError("no such campaign")

            pulumi.export("x", aws.sqs.Queue("q").url.apply(fail))
            """
        )


def test_an_error_of_a_service_comes_out_as_it_is_and_says_where(run):
    with pytest.raises(ClientError) as caught:
        run('aws.iam.RolePolicy("p", role="nobody", policy="{}")')
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity", "botocore's own error"
    assert caught.value.__notes__ == ["while creating aws:iam/rolePolicy:RolePolicy p"], (
        "the service does not know what the program calls it"
    )


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


def test_an_error_is_not_logged_as_well(run, caplog):
    for _ in range(2):  # Pulumi holds on to a run until the next
        with pytest.raises(DeploymentError):
            run('aws.sqs.Queue("q", fifo_queue=True)')
    gc.collect()  # when asyncio notices that nobody looked at an error
    assert caplog.records == [], "the one that is raised is enough"


def test_missing_configuration_is_the_programs_error(run):
    with pytest.raises(pulumi.ConfigMissingError, match="datasets"):
        run('config.require("datasets")')


def test_provider_settings_that_are_not_understood_are_refused(refusal):
    stack = "config:\n  aws:ignoreTags: {keys: [a]}\n  aws:endpoints: []\n"
    assert refusal("", stack=stack) == (
        "aws:endpoints, aws:ignoreTags: not supported by the emulator's deployer"
    )


@pytest.mark.parametrize("number", ['"210987654321"', "210987654321"])
def test_an_account_that_is_not_allowed_is_refused_as_the_provider_does(refusal, aws, number):
    assert refusal("", stack=f"config:\n  aws:allowedAccountIds: [{number}]\n") == (
        f"AWS account ID not allowed: {aws.account}; aws:allowedAccountIds has 210987654321"
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            'aws:allowedAccountIds: "123456789012"',
            "aws:allowedAccountIds: '123456789012'; expected [\"123456789012\"]",
        ),
        (
            "aws:defaultTags: team=data",
            'aws:defaultTags: \'team=data\'; expected {"tags": {"team": "data"}}',
        ),
        (
            "aws:defaultTags: {tags: [team]}",
            'aws:defaultTags: \'{"tags":["team"]}\'; expected {"tags": {"team": "data"}}',
        ),
        (
            "aws:defaultTags: {team: data}",
            'aws:defaultTags: \'{"team":"data"}\'; expected {"tags": {"team": "data"}}',
        ),
    ],
)
def test_provider_settings_of_another_type_are_refused_with_an_example(refusal, setting, message):
    assert refusal("", stack=f"config:\n  {setting}\n") == message


def test_an_account_that_is_allowed_may_be_deployed_to(run, aws):
    run("", stack=f'config:\n  aws:allowedAccountIds: ["210987654321", "{aws.account}"]\n')


def test_an_endpoint_where_nobody_listens_is_named(tmp_path):
    with pytest.raises(DeploymentError, match=r"^no emulator answers at http://127\.0\.0\.1:1: "):
        deploy("dev", endpoint="http://127.0.0.1:1", project_dir=write_project(tmp_path, ""))


def test_two_stacks_in_one_process_do_not_see_each_other(aws, tmp_path):
    program = """
    queue = aws.sqs.Queue("q")
    pulumi.export("seen", [pulumi.get_stack(), config.get("only"), queue.name])
    """
    folder = write_project(tmp_path, program, "config:\n  only: dev\n", name="pair")
    (folder / "Pulumi.prod.yaml").write_text("config:\n  aws:region: us-east-1\n")
    before = (pulumi.get_stack(), dict(CONFIG.get()))

    dev = deploy("dev", endpoint=aws.endpoint, project_dir=folder)
    prod = deploy("prod", endpoint=aws.endpoint, project_dir=folder)

    assert dev.outputs["seen"][:2] == ["dev", "dev"], "the first stack has its config"
    assert prod.outputs["seen"][:2] == ["prod", None], "the second has none of the first's"
    assert dev.outputs["seen"][2] != prod.outputs["seen"][2], "they deploy a queue each"
    assert dev.resources[0].arn.split(":")[3] == aws.region, "where no region is set"
    assert prod.resources[0].arn.split(":")[3] == "us-east-1", "where one is"
    assert (pulumi.get_stack(), dict(CONFIG.get())) == before, "nothing is left behind"


def test_what_the_caller_did_with_pulumi_does_not_matter(run, tmp_path):
    def caller():
        pulumi.runtime.set_all_config({f"sample-{tmp_path.name}:mode": "the caller's"})
        ROOT.set(pulumi.resource.DependencyResource("urn:pulumi:a::b::pulumi:pulumi:Stack::c"))
        return run('pulumi.export("mode", str(config.get("mode")))')

    deployment = contextvars.copy_context().run(caller)
    assert deployment.outputs == {"mode": "None"}, "neither its config nor its stack is seen"


def test_overrides_win_over_the_stacks_file(run):
    program = 'pulumi.export("mode", config.get("mode"))'
    deployment = run(program, stack=f"{STACK}  mode: slow\n", config={"mode": "fast"})
    assert deployment.outputs == {"mode": "fast"}
