"""Proves what `retrain doctor` finds in an account with one fault, and how it looks on a screen."""

import json
import shlex
from dataclasses import replace
from unittest.mock import MagicMock, Mock

import pytest
from botocore.exceptions import NoCredentialsError

from components.alarms import ALARMS
from components.args import (
    BakeArgs,
    BatchJobArgs,
    LimitsArgs,
    NotificationsArgs,
    TriggerArgs,
    to_config,
)
from retrain.account import pulumi_cli
from retrain.account.errors import OperatorError
from retrain.names import short_name
from tests.components.conftest import deploy
from tests.components.sample import NAME
from tests.retrain.check import answers as a
from tests.retrain.in_process import account
from tests.world import (
    ACCOUNT,
    HOUR,
    IMPORT_ROLE,
    MOVIES,
    TOPIC,
    campaign,
    campaign_arn,
    interactions,
    solution,
    solution_arn,
)

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
RESTORE = "pulumi up --refresh --stack prod"


@pytest.fixture(scope="module")
def deployed():
    """Return an account with a pipeline."""
    with account(MOVIES) as prod:
        yield prod


@pytest.fixture
def prod(deployed):
    """Return an account in which nothing is missing."""
    deployed.services = a.services(deployed.pipeline.bucket)
    deployed.previews = {}
    return deployed


@pytest.fixture
def alone(prod):
    """Return an account in which nothing is missing, but which Pulumi cannot compare."""
    prod.previews = {True: OperatorError("log in"), False: OperatorError("log in")}
    return prod


def findings(prod, title):
    """Return the findings of a check that are not ok."""
    checks = prod.retrain("doctor -s prod --json").document["checks"]
    rows = [row for row in checks if row["check"] == title and row["level"] != "ok"]
    return [(row["level"], row["text"], row["command"]) for row in rows]


def document_in(command):
    """Return the JSON document at the end of a command."""
    return json.loads(shlex.split(command)[-1])


def test_golden_a_pipeline_without_a_fault(prod, golden):
    golden("healthy.txt", prod.transcript("doctor -s prod"))


def test_a_stack_without_datasets_is_examined_too():
    group = MOVIES.with_datasets().with_solutions(solution(trained_by="personalize"))
    with a.healthy(group) as prod:
        result = prod.retrain("doctor -s prod")
        assert prod.retrain("plan -s prod").code == 0
    assert result.code == 0, result.out
    assert "cannot be checked" not in result.out


def test_an_account_that_denies_every_read_is_no_problem_but_many_warnings(prod):
    prod.services = {}
    result = prod.retrain("doctor -s prod")
    denied = "cannot be checked: these credentials may not call "
    assert (result.code, result.out.count(denied), result.out.count(POLICY)) == (0, 9, 9)


def simulate(name, *denied):
    """Return the simulation for which a principal with this name may not do something."""
    return lambda **request: a.simulated(denied if name in request["PolicySourceArn"] else ())(
        **request
    )


def function(name, **changes):
    """Return the configurations of functions of which one is changed."""
    return lambda **request: a.function(
        **request, **(changes if request["FunctionName"].endswith(name) else {})
    )


def alarms(**changes):
    """Return the alarms, of which run-failed is changed."""
    rows = [a.alarm(row.name) for row in ALARMS if row.name != "run-failed"]
    return {"MetricAlarms": [a.alarm("run-failed", **changes), *rows]}


def subscribed(*addresses, arn="arn"):
    """Return the subscriptions of the topic."""
    return {"Subscriptions": [a.subscription(address, arn) for address in addresses]}


NOT_CHECKED = "The deployed pipeline was not checked, because it was not found."
CREATE_AGAIN = "name another one, or create it again"
DISABLED = {"State": "DISABLED"}
CLOSE_RUN = "the event rule that reports runs that were stopped"
NO_RULE = f"rules: {CLOSE_RUN} does not exist, is disabled or calls nothing"
RUNS = "the schedule that starts runs"
WATCH = "the schedule that watches the pipeline"
SILENT = "alarms: the alarm run-failed does not exist or does not notify the topic"
FOREIGN = {"Schedules": [{"Name": "nightly", "Target": {"Arn": "arn:aws:sqs:eu-west-1:1:queue"}}]}
STOP = "states:StopExecution"
STOP_TRAINING = "personalize:StopSolutionVersionCreation"
OPERATIONS = {
    "simulation": ("iam", "simulate_principal_policy"),
    "function": ("lambda", "get_function_configuration"),
    "schedules": ("scheduler", "list_schedules"),
    "schedule": ("scheduler", "get_schedule"),
    "rules": ("events", "list_rules"),
    "targets": ("events", "list_targets_by_rule"),
    "logs": ("logs", "describe_log_groups"),
    "filters": ("logs", "describe_metric_filters"),
    "alarms": ("cloudwatch", "describe_alarms"),
    "topic": ("sns", "get_topic_attributes"),
    "subscriptions": ("sns", "list_subscriptions_by_topic"),
    "bucket": ("s3", "get_bucket_policy"),
}


def answer(prod, name, response):
    """Let the operation of this name give another response."""
    service, operation = OPERATIONS[name]
    prod.services[service].answers[operation] = response


def disabled(**request):
    return a.schedule(**request, **DISABLED)


NO_FILTER = "alarms: the alarm function-error gets nothing, because its log filter does not exist"
GONE = "ResourceNotFoundException"
NO_START = "roles: retraining-schedule may not call states:StartExecution"


@pytest.mark.parametrize(
    "operation, response, text",
    [
        ("function", function("close_run", State="Failed"), "functions: close_run is Failed"),
        ("schedule", disabled, f"schedules: {WATCH} is turned off"),
        ("schedules", FOREIGN, f"schedules: {RUNS} does not exist"),
        ("simulation", simulate("schedule", "states:StartExecution"), NO_START),
        ("schedules", GONE, f"schedules: {RUNS} does not exist"),
        ("rules", a.rules(), NO_RULE),
        ("rules", a.rules(a.rule(state="DISABLED")), NO_RULE),
        ("rules", a.rules(a.rule(machine="another")), NO_RULE),
        (
            "logs",
            {"logGroups": [{"logGroupName": "functions-b"}]},
            "logs: functions does not exist",
        ),
        ("alarms", alarms(AlarmActions=["arn:of-another-topic"]), SILENT),
        ("filters", {"metricFilters": []}, NO_FILTER),
        ("alarms", alarms(AlarmName="retraining-b-run-failed-0a1b2c3"), SILENT),
        ("topic", "NotFound", "messages: the topic reports does not exist"),
    ],
)
def test_a_part_that_was_killed_is_missed_without_pulumi_too(alone, operation, response, text):
    """`tests/engine/test_doctor.py` kills parts in a pipeline that Pulumi compares."""
    title, _, text = text.partition(": ")
    assert findings(alone, title) == []

    answer(alone, operation, response)
    assert ("missing", text, RESTORE) in findings(alone, title)


def test_a_pipeline_that_a_removed_stack_has_left_behind_is_another_one(prod):
    left = a.MACHINE.replace("0a1b2c3d", "left")
    watches = {"Dimensions": [{"Name": "StateMachineArn", "Value": left}], "AlarmActions": ["left"]}
    answer(prod, "alarms", {"MetricAlarms": [*alarms()["MetricAlarms"], a.alarm("run-failed")]})
    assert findings(prod, "other pipelines") == [], "two alarms of the same pipeline"

    more = a.alarm("run-failed", StateValue="ALARM", **watches)
    answer(prod, "alarms", {"MetricAlarms": [*alarms()["MetricAlarms"], more]})
    text = f"{left} has the name retraining too, so their alarms and charts mix; rename one stack"
    text += ", or if the other one was removed, end its schedules:"
    end = "aws scheduler delete-schedule-group --name retraining-left"
    assert findings(prod, "other pipelines") == [("warn", text, end)]
    assert findings(prod, "ringing alarms") == [], "its alarms are not those of this one"


def test_what_the_simulation_cannot_decide_counts_as_allowed(prod):
    everything = MagicMock(__contains__=lambda *_: True)
    for more, faults in (({}, 10), ({"MissingContextValues": ["aws:PrincipalOrgID"]}, 0)):
        answer(prod, "simulation", a.simulated(everything, **more))
        assert len(findings(prod, "roles")) == faults


LINK = f"aws sns subscribe --topic-arn {TOPIC} --protocol email --notification-endpoint a@b.c"
NO_LINK = "a@b.c has not confirmed its subscription; to send the link again:"
ADD = "pulumi config set --path 'notifications.emails[0]' team@example.com"
ADD = f"{ADD} --stack prod && {RESTORE}"
POLICY = "retrain doctor --policy --stack prod"
NO_STOP = ("warn", f"`retrain stop` lacks {STOP}", POLICY)
REPORT = "Read the report with retrain watch -s prod. It says what failed and what to do."
RINGS = ("warn", f"run-failed is in ALARM: too many. {REPORT}", None)
NOBODY = "nobody gets the messages and alarms; with your address:"
PENDING = subscribed("a@b.c", arn="PendingConfirmation")
SLOW = "cannot be checked: AWS does not answer get_bucket_policy now: ; try again in a minute"


@pytest.mark.parametrize(
    "title, operation, response, expected",
    [
        ("caller", "simulation", simulate("ops", STOP), NO_STOP),
        ("ringing alarms", "alarms", alarms(StateValue="ALARM"), RINGS),
        ("messages", "subscriptions", subscribed(), ("warn", NOBODY, ADD)),
        ("messages", "subscriptions", PENDING, ("missing", NO_LINK, LINK)),
        ("bucket policies", "bucket", "SlowDown", ("warn", SLOW, None)),
    ],
)
def test_every_other_remedy_is_a_command_of_its_own(prod, title, operation, response, expected):
    answer(prod, operation, response)
    assert findings(prod, title) == [expected]


BOTH = "s3:GetObject and s3:ListBucket"
DENY = a.statement("s3:*", "*", Effect="Deny")
ONLY_OTHERS = {"StringEquals": {"aws:SourceAccount": "1"}}
UNKNOWN = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}


NO_VPC = {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}
NOT_TO_OTHERS = {**DENY, "Condition": ONLY_OTHERS}
BY_NUMBER = [{**DENY, "Condition": NO_VPC}, *a.READ, {**DENY, "Sid": "B"}]


def denies(names):
    return f"has a Deny, {names}, that does not let Personalize call {BOTH}; to take it away:"


@pytest.mark.parametrize(
    "statements, problem, kept, added",
    [
        ([], f"does not let Personalize call {BOTH}", [], 2),
        ([a.READ[0]], "does not let Personalize call s3:ListBucket", [a.READ[0]], 1),
        (
            [a.READ[1], NOT_TO_OTHERS],
            "does not let Personalize call s3:GetObject",
            [a.READ[1], NOT_TO_OTHERS],
            1,
        ),
        ([{**DENY, "Sid": "Freeze"}], denies("statement Freeze"), [], 2),
        (BY_NUMBER, denies("statement number 1 and statement B"), [*a.READ], 0),
    ],
    ids=["no policy", "no list", "no get", "a named Deny", "two Denys"],
)
def test_a_bucket_policy_is_mended_by_the_printed_policy(prod, statements, problem, kept, added):
    answer(prod, "bucket", a.text(a.document(*statements)) if statements else "NoSuchBucketPolicy")
    ((level, text, fix),) = findings(prod, "bucket policies")
    assert (level, text) == ("missing", f"the policy of exports {problem}")
    assert fix.startswith("aws s3api put-bucket-policy --bucket exports --policy ")

    mended = document_in(fix)
    assert mended["Statement"][: len(kept)] == kept, "nothing else is lost"
    assert len(mended["Statement"]) == len(kept) + added, "nothing is added twice"
    answer(prod, "bucket", a.text(mended))
    assert findings(prod, "bucket policies") == []


def test_a_condition_that_cannot_be_judged_is_a_warning(prod):
    answer(prod, "bucket", a.text(a.document(*a.READ, {**DENY, "Condition": UNKNOWN})))
    text = (
        "aws:PrincipalOrgID in the policy of exports cannot be judged from here; ignore this if "
        "imports and messages work"
    )
    assert findings(prod, "bucket policies") == [("warn", text, None)]


def test_a_bucket_is_created_before_its_policy(prod):
    prod.services["s3"].answers["head_bucket"] = "404"
    answer(prod, "bucket", "NoSuchBucket")
    create = "aws s3 mb s3://exports --region eu-west-1"
    assert findings(prod, "bucket policies") == [
        ("missing", "exports does not exist; correct its name, or:", create)
    ]


STEP = "retraining-train_solution"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
LIMITS = f": the permissions boundary {BOUNDARY} does not allow {STOP_TRAINING}; "
REMOVE_BOUNDARY = f"aws iam delete-role-permissions-boundary --role-name {STEP}"


@pytest.mark.parametrize(
    "action, configured, problem, command",
    [
        ("*", BOUNDARY, f" may not call {STOP_TRAINING}", RESTORE),
        ("iam:*", BOUNDARY, f"{LIMITS}extend it", None),
        ("iam:*", None, f"{LIMITS}to take it away:", REMOVE_BOUNDARY),
    ],
    ids=["wide enough", "of the stack", "by hand"],
)
def test_a_boundary_is_named_if_it_does_not_allow_enough(action, configured, problem, command):
    with a.healthy(MOVIES.with_options(permissions_boundary_arn=configured)) as prod:
        answer(prod, "simulation", simulate(STEP, STOP_TRAINING))
        role = a.role(a.TRUST)
        role["Role"]["PermissionsBoundary"] = {"PermissionsBoundaryArn": BOUNDARY}
        boundary = a.document({"Effect": "Allow", "Action": action, "Resource": "*"})
        prod.services["iam"].answers |= {
            "get_role": role,
            "get_policy": {"Policy": {"DefaultVersionId": "v2"}},
            "get_policy_version": {"PolicyVersion": {"Document": boundary}},
        }
        assert findings(prod, "roles") == [("missing", f"{STEP}{problem}", command)]


def test_a_role_that_was_deleted_is_missing(prod):
    iam = prod.services["iam"].answers
    iam["simulate_principal_policy"] = "NoSuchEntity"
    iam["get_role"] = "NoSuchEntity"
    assert ("missing", f"{STEP} does not exist", RESTORE) in findings(prod, "roles")


def test_a_deny_on_the_import_role_of_the_user_is_named(encrypted):
    iam = encrypted.services["iam"].answers
    iam["simulate_principal_policy"] = simulate("role/import", "s3:GetObject")
    iam["list_role_policies"] = {"PolicyNames": ["read", "emergency"]}
    deny = {"Sid": "Freeze", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    documents = {"read": a.document(*a.READ), "emergency": a.document(deny)}
    iam["get_role_policy"] = lambda PolicyName, **_: {"PolicyDocument": documents[PolicyName]}  # noqa: N803
    remove = "aws iam delete-role-policy --role-name import --policy-name emergency"
    reason = "the inline policy emergency denies what the role needs (statement Freeze)"
    assert findings(encrypted, "import role") == [
        ("missing", f"import: {reason}; to take it away:", remove)
    ]


def test_a_filter_lets_no_alarm_through(prod):
    nobody = json.dumps({"to": ["nobody"]})
    filters = {"arn-a": {"FilterPolicy": nobody}, "arn-b": {}, "arn-c": {"FilterPolicy": "{}"}}

    def attributes(SubscriptionArn):  # noqa: N803  # boto3's name
        return {"Attributes": filters[SubscriptionArn]}

    rows = [a.subscription(name, f"arn-{name}") for name in "abc"]
    prod.services["sns"].answers["get_subscription_attributes"] = attributes
    remove = "aws sns set-subscription-attributes --subscription-arn arn-a "
    remove += "--attribute-name FilterPolicy --attribute-value '{}'"
    text = f"a gets no alarms, but only what its filter lets through, {nobody}; to remove it:"
    for addresses, level in ((rows, "warn"), (rows[:1], "missing")):
        answer(prod, "subscriptions", {"Subscriptions": addresses})
        assert findings(prod, "messages") == [(level, text, remove)]

    pending = a.subscription("b", "PendingConfirmation")
    answer(prod, "subscriptions", {"Subscriptions": [rows[0], pending]})
    levels = [level for level, _, _ in findings(prod, "messages")]
    assert levels == ["missing", "missing"], "nobody gets the alarms"


def test_the_topic_of_the_user_is_mended_by_the_printed_policy(encrypted):
    answer(encrypted, "topic", a.topic(a.document()))
    ((level, text, fix),) = findings(encrypted, "messages")
    lacking = "the policy of the topic reports does not let alarms call sns:Publish"
    assert (level, text) == ("missing", lacking)

    start = f"aws sns set-topic-attributes --topic-arn {TOPIC} --attribute-name Policy "
    assert fix.startswith(f"{start}--attribute-value ")
    by_default = {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
    open_to_account = a.statement("sns:Publish", TOPIC, {"AWS": "*"}, Condition=by_default)
    for mended in (document_in(fix), a.document(open_to_account)):
        answer(encrypted, "topic", a.topic(mended))
        assert findings(encrypted, "messages") == []


@pytest.fixture
def encrypted():
    """Return an account whose exports and logs are encrypted, with a role and topic of its own."""
    options = {"import_role_arn": IMPORT_ROLE, "kms_key_arn": LOGS_KEY, "data_kms_key_arn": KEY}
    options["notifications"] = NotificationsArgs(topic_arn=TOPIC)
    with a.healthy(MOVIES.with_options(**options)) as prod:
        yield prod


LOGS_KEY = KEY.replace("/1", "/2")


def test_key_policies_are_mended_by_the_printed_policies(encrypted):
    (_, data_text, data_fix), (_, log_text, log_fix) = findings(encrypted, "keys")
    lets = "does not let {} and IAM policies call kms:"
    assert data_text.startswith(f"the policy of {KEY} {lets.format('Personalize')}")
    assert log_text.startswith(f"the policy of {LOGS_KEY} {lets.format('CloudWatch Logs')}")

    commands = {KEY: data_fix, LOGS_KEY: log_fix}
    for arn, command in commands.items():
        put = f"aws kms put-key-policy --key-id {arn} --policy-name default --policy "
        assert command.startswith(put)

    logs, root = document_in(commands[LOGS_KEY])["Statement"]
    assert logs["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    assert "log-group:*" in str(logs["Condition"]), "only the logs of this account"
    assert root["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}

    kms = encrypted.services["kms"].answers
    kms["get_key_policy"] = lambda KeyId, **_: a.text(document_in(commands[KeyId]))  # noqa: N803
    assert findings(encrypted, "keys") == []


BATCH_JOB = {"input": "s3://exports/in.json", "output": "s3://exports/out/"}


@pytest.mark.parametrize(
    "data_key, batch_keys, role_actions",
    [
        (KEY, [], {KEY: 1}),
        (KEY, [None], {KEY: 4}),
        (None, [None], {}),
        (None, [KEY], {KEY: 4}),
        (KEY, [LOGS_KEY], {KEY: 1, LOGS_KEY: 4}),
    ],
    ids=["exports", "both", "no key", "own key", "exports and own key"],
)
def test_the_keys_of_batch_jobs_need_more_than_those_of_exports(data_key, batch_keys, role_actions):
    jobs = [
        BatchJobArgs(**{**BATCH_JOB, "output": f"s3://exports/{number}/"}, kms_key_arn=key)
        for number, key in enumerate(batch_keys)
    ]
    group = MOVIES.with_solutions(solution(batch_jobs=jobs)).with_options(data_kms_key_arn=data_key)
    with a.healthy(group) as prod:
        found = findings(prod, "keys")
        arns = prod.retrain("doctor -s prod --policy").document
        mended = {text.split()[3]: document_in(command) for _, text, command in found}
        kms = prod.services["kms"].answers
        kms["get_key_policy"] = lambda KeyId, **_: a.text(mended[KeyId])  # noqa: N803
        assert findings(prod, "keys") == []

    statements = {key: policy["Statement"] for key, policy in mended.items()}
    assert {key: len(root["Action"]) for key, (_, root) in statements.items()} == role_actions
    assert all(len(service["Action"]) == 5 for service, _ in statements.values())
    assert {arn for _, arn in allowed_on(arns, "kms:GetKeyPolicy")} == {*role_actions}


ENABLE = f"aws kms enable-key --key-id {KEY}"
CANCEL = f"aws kms cancel-key-deletion --key-id {KEY}"


@pytest.mark.parametrize(
    "key, problem, command",
    [
        ({"KeyMetadata": {"KeyState": "Disabled"}}, "Disabled", ENABLE),
        (
            {"KeyMetadata": {"KeyState": "PendingDeletion"}},
            "PendingDeletion",
            f"{CANCEL} && {ENABLE}",
        ),
        ("NotFoundException", "gone", None),
    ],
    ids=["disabled", "to be deleted", "deleted"],
)
def test_a_key_that_cannot_be_used_is_named(encrypted, key, problem, command):
    encrypted.services["kms"].answers["describe_key"] = key
    first, _ = findings(encrypted, "keys")
    assert first == ("missing", f"{KEY} is {problem}", command)


FOUR_BUCKETS = MOVIES.with_solutions(
    solution(batch_jobs=[BatchJobArgs(input="s3://batch/in.json", output="s3://results/out/")])
).with_dataset("items", ready_marker="s3://markers/items.DONE")


def allowed_on(policy, *actions):
    """Return the actions that a policy allows, perhaps only these, with their resources."""
    return {
        (action, arn)
        for row in policy["Statement"]
        for action in row["Action"]
        for arn in row["Resource"]
        if action in actions or not actions
    }


def test_the_created_import_role_is_asked_for_what_it_was_created_with():
    args = replace(FOUR_BUCKETS.args, import_role_arn=None)
    asked = set()

    def simulate(PolicySourceArn, ActionNames, ResourceArns, **_):  # noqa: N803  # boto3's names
        if PolicySourceArn == IMPORT_ROLE:
            asked.update((action, arn) for action in ActionNames for arn in ResourceArns)
        return a.simulated()(ActionNames)

    with a.healthy(FOUR_BUCKETS) as prod:
        answer(prod, "simulation", simulate)
        assert findings(prod, "import role") == []
    assert asked == allowed_on(deploy(lambda: args).policy(f"{NAME}-import"))


def test_the_policy_for_doctor_names_each_bucket_whose_policy_it_reads():
    with a.healthy(FOUR_BUCKETS) as prod:
        answer(prod, "bucket", a.text(a.document()))
        lacking = {
            text.split()[3]: text.rpartition(" call ")[2]
            for _, text, _ in findings(prod, "bucket policies")
        }
        policy = prod.retrain("doctor -s prod --policy").document
    writes = "s3:ListBucket and s3:PutObject"
    assert lacking == {"batch": BOTH, "exports": BOTH, "results": writes}, "no marker is read"

    read = {("s3:GetBucketPolicy", f"arn:aws:s3:::{bucket}") for bucket in lacking}
    assert allowed_on(policy, "s3:GetBucketPolicy") == read


def test_alarms_need_the_key_of_a_topic_that_it_encrypts():
    with a.healthy(MOVIES.with_options(kms_key_arn=KEY)) as prod:
        ((_, text, _),) = findings(prod, "keys")
    assert "does not let CloudWatch Logs, IAM policies and alarms call kms:" in text


def test_an_import_role_of_the_user_is_mended_by_the_printed_documents(encrypted):
    iam = encrypted.services["iam"]
    iam.answers["get_role"] = a.role(a.document())
    iam.answers["simulate_principal_policy"] = simulate("role/import", "s3:ListBucket")
    (trust, policy) = findings(encrypted, "import role")
    shown = "the trust policy of import does not let Personalize call sts:AssumeRole"
    assert trust[:2] == ("missing", shown)

    iam.answers["get_role"] = a.role(document_in(trust[2]))
    assert policy[:2] == ("missing", "import may not call s3:ListBucket")
    put = "aws iam put-role-policy --role-name import --policy-name read-exports "
    assert policy[2].startswith(put)

    allowed = [action for row in document_in(policy[2])["Statement"] for action in row["Action"]]
    assert allowed == ["s3:GetObject", "s3:ListBucket"], "it may replace a policy; no key is needed"
    assert findings(encrypted, "import role") == [policy]

    iam.answers["get_role"] = "NoSuchEntity"
    remove = "pulumi config rm importRoleArn --stack prod"
    missing = ("missing", f"{IMPORT_ROLE} does not exist", f"{remove} && {RESTORE}")
    assert findings(encrypted, "import role") == [missing]


@pytest.fixture
def eager():
    """Return an account whose runs also start on exports, with an address for messages."""
    group = MOVIES.with_datasets("interactions", ready_marker="s3://exports/{date}.DONE")
    group = group.with_options(
        trigger=TriggerArgs(on_export=True),
        limits=LimitsArgs(max_trainings_per_month=0),
        notifications=NotificationsArgs(emails=["a@b.c"]),
    )
    with a.healthy(group) as prod:
        yield prod


def configure(prod, **config):
    """Set keys in the file of the stack."""
    file = prod.folder / "Pulumi.prod.yaml"
    document = json.loads(file.read_text())
    keys = {f"personalize-retraining:{key}": value for key, value in config.items()}
    file.write_text(json.dumps({"config": {**document["config"], **keys}}))


def test_a_pipeline_that_starts_on_exports_needs_events_a_rule_and_subscribers(eager):
    events = "exports does not send its events to EventBridge"
    ((*found, fix),) = findings(eager, "export events")
    assert found == ["missing", events]
    assert document_in(fix) == {"EventBridgeConfiguration": {}}

    s3 = eager.services["s3"].answers
    s3["get_bucket_notification_configuration"] = {"ResponseMetadata": {}, **document_in(fix)}
    assert findings(eager, "export events") == []

    eager.previews = {True: OperatorError("log in")}
    rule = "the event rule that starts a run for a new export"
    no_rule = ("missing", f"{rule} does not exist, is disabled or calls nothing", RESTORE)
    assert findings(eager, "rules") == [no_rule]
    assert findings(eager, "messages") == [("missing", "a@b.c is not subscribed", RESTORE)]

    both = [*PENDING["Subscriptions"], *subscribed("pager")["Subscriptions"]]
    answer(eager, "subscriptions", {"Subscriptions": both})
    assert findings(eager, "messages") == [("warn", NO_LINK, LINK)], "somebody gets the messages"

    answer(eager, "schedule", disabled)
    until = f"until somebody resumes it, or runs `{RESTORE}`"
    by_hand = f"paused by hand, so no run starts by itself {until}"
    assert findings(eager, "schedule") == [("warn", by_hand, "retrain resume --stack prod")]
    assert findings(eager, "schedules") == [("missing", f"{WATCH} is turned off", RESTORE)]
    assert findings(eager, "rules") == [], "`retrain pause` turns the rule off too"

    configure(eager, paused=True)
    assert findings(eager, "rules") == [], "the rule is disabled while it is paused"
    resume = f"pulumi config set paused false --stack prod && {RESTORE}"
    paused = ("warn", "the pipeline is paused, so no run starts by itself", resume)
    assert findings(eager, "schedule") == [paused]


def test_a_state_machine_that_cannot_run_is_named(prod, monkeypatch):
    arn = prod.pipeline.machine.arn
    real = prod.client("stepfunctions")
    machine = {**real.describe_state_machine(stateMachineArn=arn), "status": "DELETING"}
    prod.services["stepfunctions"] = a.Client(real, describe_state_machine=machine)
    deleting = ("missing", "retraining-0a1b2c3d is DELETING", RESTORE)
    assert findings(prod, "deployment") == [deleting]

    prod.services["stepfunctions"].answers["describe_state_machine"] = "StateMachineDoesNotExist"
    assert findings(prod, "deployment") == [
        ("missing", f"{arn} does not exist; {CREATE_AGAIN}", RESTORE)
    ]
    assert prod.retrain("plan -s prod").err.endswith(f"next: `{RESTORE}` deploys the pipeline\n")

    _, _, last = prod.retrain("doctor -s prod").out.strip().rpartition("\n")
    assert last == NOT_CHECKED
    monkeypatch.setattr("retrain.account.target.read_outputs", lambda _: {})
    reason = (
        "stack prod has no output state_machine_arn, so it is not deployed; name another stack "
        "with --stack, or deploy it"
    )
    undeployed = ("warn", reason, "pulumi up --stack prod")
    assert findings(prod, "deployment") == [undeployed]

    result = prod.retrain("doctor -s prod")
    assert result.out.endswith(f" ok.\n{NOT_CHECKED}\n")
    assert result.code == 0, "a stack that was never deployed is no problem"


def test_without_pulumi_the_settings_in_the_definition_are_compared(eager):
    configure(eager, skipWhenUnchanged=False)
    text = "the deployed pipeline has other settings than Pulumi.prod.yaml"
    assert findings(eager, "settings") == []

    eager.previews = {True: OperatorError("log in")}
    assert findings(eager, "settings") == [("warn", text, RESTORE)]


RICH = MOVIES.with_solutions(
    solution(
        campaigns=[campaign(bake=BakeArgs(hours=1, create_alarms=True))],
        batch_jobs=[BatchJobArgs(input="s3://exports/in.json", output="s3://exports/out/")],
    )
)


@pytest.mark.parametrize(
    "group, config, roles",
    [
        (RICH, MOVIES, ["deploy_version", "import_dataset", "run_batch_job"]),
        (MOVIES, RICH, ["import_dataset"]),
    ],
)
def test_settings_of_the_file_ask_for_no_permission_before_they_are_deployed(group, config, roles):
    with a.healthy(group) as prod:
        answer(prod, "simulation", a.simulated(["cloudwatch:DescribeAlarms", "iam:PassRole"]))
        configure(prod, solutions=to_config(config.args, keep_none=False)["solutions"])
        lacking = [text.split()[0] for _, text, _ in findings(prod, "roles")]
    assert lacking == [f"retraining-{role}" for role in roles]


def test_the_caller_is_named_and_a_role_counts_instead_of_its_session(prod):
    other = "arn:aws:iam::999999999999:user/ops"
    prod.services["sts"] = a.Client(get_caller_identity={"Arn": other})
    text = f"the pipeline of Pulumi.prod.yaml is in account {ACCOUNT}, but the credentials are of"
    expected = (2, "", f"{text} {other}; choose others with --profile\n")
    assert prod.retrain("doctor -s prod") == expected

    session = "arn:aws:sts::123456789012:assumed-role/ops/me"
    prod.services["sts"] = a.Client(get_caller_identity={"Arn": session})
    prod.services["iam"].answers["get_role"] = a.role(a.TRUST)
    prod.services["iam"].answers["simulate_principal_policy"] = simulate(a.ROLE, STOP)
    assert findings(prod, "caller") == [NO_STOP]

    prod.services["sts"] = a.Client(get_caller_identity=Mock(side_effect=NoCredentialsError))
    result = prod.retrain("doctor -s prod --json")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("there are no AWS credentials; log in, ")


@pytest.mark.parametrize(
    "protection",
    [{"user_id": "u1"}, {"bake": BakeArgs(hours=1, create_alarms=True)}],
    ids=["probe", "bake"],
)
def test_a_probe_or_a_bake_is_enough_to_notice_a_bad_version(protection):
    with a.healthy(MOVIES.with_solutions(solution(campaigns=[campaign(**protection)]))) as prod:
        assert findings(prod, "way back") == []


def test_a_way_back_that_is_blocked_is_named_before_it_is_needed():
    with a.healthy(MOVIES) as prod:
        prod.pipeline.run()
        assert [row[0] for row in findings(prod, "way back")] == ["warn"], "there is no probe"

        gone = [{"tagKey": "retraining-good", "tagValue": f"{solution_arn()}/gone"}]
        prod.pipeline.client.tag_resource(resourceArn=campaign_arn(), tags=gone)
        text = f"home cannot be rolled back to {short_name(f'{solution_arn()}/gone')}, because that"
        start = "retrain start --skip-import --force --stack prod"
        blocked = ("missing", f"{text} is no ACTIVE version", start)
        assert blocked in findings(prod, "way back")


def test_no_run_is_offered_for_a_training_that_is_left_to_personalize():
    group = MOVIES.with_solutions(solution(trained_by="personalize"))
    with a.healthy(group) as prod:
        gone = [{"tagKey": "retraining-good", "tagValue": f"{solution_arn()}/gone"}]
        prod.pipeline.client.tag_resource(resourceArn=campaign_arn(), tags=gone)
        commands = [command for *_, command in findings(prod, "way back")]
    assert f"aws personalize create-solution-version --solution-arn {solution_arn()}" in commands


def test_a_version_on_trial_without_a_run_is_named():
    with a.healthy(MOVIES) as prod:
        machine = prod.pipeline.machine.arn
        version = prod.pipeline.served_version()
        value = f"{version} 2026-11-29T03:00:00+00:00"
        tags = [{"tagKey": "retraining-trial", "tagValue": value}]
        prod.pipeline.client.tag_resource(resourceArn=campaign_arn(), tags=tags)
        text = f"{short_name(version)} is on trial at home, but no run is active;"
        text += " the watcher starts one soon, or start one:"
        start = 'aws stepfunctions start-execution --input \'{"only": "trials"}\''
        trial = ("warn", text, f"{start} --state-machine-arn {machine}")
        assert trial in findings(prod, "way back")

        real = prod.client("stepfunctions")
        listed = [{"executionArn": f"{machine}:a", "status": "RUNNING", "startDate": HOUR}]
        running = a.Client(real, list_executions={"executions": listed})
        prod.services["stepfunctions"] = running
        assert trial not in findings(prod, "way back"), "the run ends the trial"


def test_without_the_pulumi_cli_its_address_is_the_remedy(prod, monkeypatch):
    monkeypatch.setattr("retrain.account.target.read_outputs", pulumi_cli.read_outputs)
    monkeypatch.setenv("PATH", "")
    reason = "the Pulumi CLI is not on the PATH, so stack prod cannot be read"
    install = "install it (https://www.pulumi.com/docs/install/)"
    way_out = f"{install}, or name the state machine with --state-machine-arn"
    assert findings(prod, "deployment") == [("missing", f"{reason}; {way_out}", None)]

    assert prod.retrain("doctor -s prod").code == 1, "nobody knows what was deleted there"


def test_what_would_harm_a_run_is_named_with_the_command_that_ends_it():
    arn = solution_arn()
    with a.healthy(MOVIES) as prod:
        assert findings(prod, "incremental updates") == []

        prod.pipeline.bucket.put("items.csv", b"ITEM_ID,GENRE\n")
        automatic = {"performAutoTraining": True, "performIncrementalUpdate": True}
        prod.pipeline.client.update_solution(solutionArn=arn, **automatic)
        prod.pipeline.sleep(HOUR)
        update = f"aws personalize update-solution --solution-arn {arn}"
        trains = (
            f"{arn}: also trains automatically; turn that off, or write 'trainedBy: personalize', "
            "so that runs judge and deploy what Personalize trains"
        )
        empty = "datasets.items: s3://exports/items.csv has no rows; repeat the export"
        assert findings(prod, "guards") == [
            ("warn", trains, f"{update} --no-perform-auto-training"),
            ("missing", empty, None),
        ]

        passes = "updates its versions by itself, which costs money and passes by every gate"
        off = f"{update} --no-perform-incremental-update"
        assert findings(prod, "incremental updates") == [
            ("warn", f"{arn}: {passes}; turn that off:", off)
        ]


def test_deleted_users_are_not_brought_back_by_a_remedy():
    with a.healthy(MOVIES) as prod:
        prod.pipeline.bucket.put("interactions.csv", interactions(shift=1))
        prod.pipeline.sleep(HOUR)
        prod.pipeline.delete_users("u1")
        remedies = [row for row in findings(prod, "guards") if "deleted users" in row[1]]
    assert remedies, "the export is older than the deletion"

    for _, text, command in remedies:
        first, _, _ = text.partition(", or, only if somebody has checked that s3://exports/")
        assert first.endswith("; write the export again without them")
        assert command.endswith(" --metadata-directive REPLACE")


def test_with_the_arn_of_a_state_machine_the_last_line_says_what_was_not_compared(prod):
    command = f"doctor --state-machine-arn {prod.pipeline.machine.arn}"
    answer(prod, "subscriptions", subscribed())
    result = prod.retrain(command)
    *_, counts, last = result.out.splitlines()
    assert (result.code, counts.partition(",")[0]) == (0, "No problems")
    assert last == (
        "Changes by hand and what is not deployed yet were not looked for, because only a stack "
        "can be compared: run `retrain doctor -s STACK` in the folder of the project."
    )
    assert "\nok: schedules: the schedule that starts runs; " in result.out
    key = "'notifications.emails[0]' team@example.com"
    assert f"  pulumi config set --path {key} && pulumi up --refresh\n" in result.out

    answer(prod, "rules", a.rules())
    assert prod.retrain(command).code == 1, "a part is missing"
    policy = prod.retrain(command + " --policy").document
    assert policy["Version"] == "2012-10-17"


def test_another_region_than_that_of_the_file_is_refused(prod):
    result = prod.retrain("doctor -s prod --region us-east-1")
    text = "--region is us-east-1, but the stack of Pulumi.prod.yaml is in eu-west-1"
    assert (result.code, result.err) == (2, f"{text}; leave --region out\n")


@pytest.mark.parametrize(
    "options, rows, problem",
    [
        ({}, 2750, None),
        ({}, 1300, "minRelativeSize 0.5 of the last FULL import"),
        ({"max_event_age": "1 day"}, 2750, "longer ago than maxEventAge, 1 day"),
        ({"import_mode": "INCREMENTAL"}, 2750, "and has changed since then"),
    ],
)
def test_exports_of_yesterday_are_judged_like_those_of_today(options, rows, problem):
    day = {"data_location": "s3://exports/{date}/interactions.csv"}
    with a.healthy(MOVIES.with_datasets("interactions", **day, **options)) as prod:
        put = prod.pipeline.bucket.put
        put("2026-11-28/interactions.csv", interactions(2700))
        prod.pipeline.run(exportDate="2026-11-28")
        put("2026-11-28/interactions.csv", interactions(rows))
        rows = prod.retrain("doctor -s prod --json").document["checks"]
    said, (level, text) = [(row["level"], row["text"]) for row in rows if row["check"] == "guards"]
    day = "today's exports are not all there, so those of 2026-11-28 were checked"

    assert said == ("ok", day), "a run of today would find no export"
    assert level == ("missing" if problem else "ok")
    assert (problem or "are ready for a run") in text
