"""Proves that `retrain doctor` finds what is missing, and that its commands mend it."""

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import get_args

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from functions.contract import Outcome
from functions.planning.plan_run import GUARDS
from retrain.account.errors import OperatorError
from retrain.account.function_clients import CACHED_CLIENTS
from retrain.check import account, alarms, data, doctor, operation, quotas
from retrain.check.findings import Check
from retrain.look.runs import Execution
from retrain.rehearsal.data.exports import policy_document
from tests.program.sample_stack import CAMPAIGN, ITEMS, PROJECT, SOLUTION

BUCKET = "movies-exports"
ANSI = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def findings(run, monkeypatch):
    """Return a function that runs the command with only one check, and returns its findings."""

    def find(title, *options):
        with monkeypatch.context() as patch:
            patch.setattr(doctor, "CHECKS", [row for row in doctor.CHECKS if row.title == title])
            document = run("doctor", "--json", *options).document
        return [(row["level"], row["text"], row["fix"]) for row in document["checks"]]

    return find


def change(project_dir, old, new, stack="dev"):
    """Replace a part of a stack's file."""
    file = project_dir / f"Pulumi.{stack}.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def argument(command, option):
    """Return the JSON document behind an option of a command."""
    words = shlex.split(command)
    return json.loads(words[words.index(option) + 1])


def test_an_account_that_lacks_only_the_deployment_is_ok(run):
    result = run("doctor")
    lines = result.out.splitlines()
    assert result.code == 0
    assert lines[0] == "ok: account and region: arn:aws:iam::123456789012:root, region eu-west-1"
    assert [line for line in lines[:-5] if not line.startswith("ok: ")] == []
    assert lines[-5].startswith("warn: deployment: the deployed pipeline was not found: the Pulumi")
    assert lines[-4] == "  pulumi up --stack dev"
    assert lines[-3].startswith("warn: messages: no address and no topic is set, ")
    assert lines[-1] == "No problems, 2 warnings, 20 ok."


def test_a_deployed_pipeline_has_a_schedule_and_a_last_run(run, films, install_pulumi):
    install_pulumi(films.deployment.outputs)
    result = run("doctor", "--stack", "films", "--json")
    rows = {row["check"]: row for row in result.document["checks"]}
    assert rows["deployment"]["text"].startswith("retraining-films-")
    assert rows["schedule"]["level"] == "ok"
    assert rows["schedule"]["text"].startswith("the schedule is enabled: cron(0 3 ? * MON *) in ")
    text, _, outcome = rows["newest run"]["text"].rpartition(" and ended with the outcome ")
    assert text.startswith("the newest run, ")
    assert outcome in get_args(Outcome), "the outcome of the run, not the status of the execution"
    assert rows["imports"]["level"] == "ok"
    assert "alarms" in rows
    assert (result.code, rows["import role"]["level"]) == (0, "ok")


def test_the_state_machine_is_enough(run, films):
    result = run("doctor", "--state-machine-arn", films.output("state_machine_arn"))
    assert result.code == 0
    assert "ok: deployment: retraining-films-" in result.out


def test_a_terminal_gets_symbols_and_commands_to_copy(run, project_dir, monkeypatch):
    change(project_dir, "s3://movies-exports/items.csv", "s3://movies-exports/none.csv")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    result = run("doctor")
    lines = [ANSI.sub("", line).rstrip() for line in result.out.splitlines()]
    assert result.code == 1
    assert lines[0] == "✓ account and region: arn:aws:iam::123456789012:root, region eu-west-1"
    position = lines.index(
        "✗ exports: datasets.items: there is no object at s3://movies-exports/none.csv"
    )
    assert lines[position + 1] == "  check dataLocation and the job that writes the export"
    assert lines[-1] == "1 problem to mend before a run can succeed, 2 warnings, 19 ok."


@pytest.fixture
def bucket_policy(emulator):
    """Return a function that sets or deletes the policy of the bucket. Restore it at the end."""
    s3 = emulator.client("s3")
    before = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]

    def put(policy):
        if policy is None:
            s3.delete_bucket_policy(Bucket=BUCKET)
        else:
            s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))

    yield put
    s3.put_bucket_policy(Bucket=BUCKET, Policy=before)


TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": f"arn:aws:s3:::{BUCKET}/*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize("statements", [[], [TLS_ONLY]])
def test_a_missing_bucket_policy_is_mended_by_the_command(findings, bucket_policy, statements):
    policy = {"Version": "2012-10-17", "Statement": statements} if statements else None
    bucket_policy(policy)
    ((level, text, fix),) = findings("bucket policy")
    assert (level, text) == (
        "missing",
        f"the policy of {BUCKET} does not let Personalize read the exports",
    )
    assert fix.startswith(f"aws s3api put-bucket-policy --bucket {BUCKET} --policy ")
    mended = argument(fix, "--policy")
    assert mended["Statement"][:-1] == statements, "nothing is lost"
    bucket_policy(mended)
    assert findings("bucket policy")[0][0] == "ok"


@pytest.mark.parametrize(
    ("condition", "level"),
    [({}, "missing"), ({"StringEquals": {"aws:PrincipalTag/x": "y"}}, "warn")],
)
def test_a_denial_in_the_bucket_policy_is_found(findings, bucket_policy, condition, level):
    service = {"Service": "personalize.amazonaws.com"}
    denial = {**TLS_ONLY, "Principal": service, "Condition": condition}
    allow = {**denial, "Effect": "Allow", "Condition": {}}
    allow["Resource"] = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    bucket_policy({"Version": "2012-10-17", "Statement": [allow, denial]})
    assert findings("bucket policy")[0][0] == level


def test_automatic_training_and_sync_have_the_command_that_turns_them_off(findings, emulator):
    personalize = emulator.client("personalize")
    personalize.update_solution(solutionArn=SOLUTION, performAutoTraining=True)
    while not personalize.describe_solution(solutionArn=SOLUTION)["solution"][
        "performAutoTraining"
    ]:
        pass  # the update takes a moment
    version = personalize.describe_campaign(campaignArn=CAMPAIGN)["campaign"]["solutionVersionArn"]
    sync = {"syncWithLatestSolutionVersion": True}
    personalize.update_campaign(
        campaignArn=CAMPAIGN, solutionVersionArn=f"{SOLUTION}/$LATEST", campaignConfig=sync
    )
    automatic, deployment = findings("automatic training"), findings("automatic deployment")
    personalize.update_solution(solutionArn=SOLUTION, performAutoTraining=False)
    wait_for_update(personalize)
    personalize.update_campaign(
        campaignArn=CAMPAIGN,
        solutionVersionArn=version,
        campaignConfig={"syncWithLatestSolutionVersion": False},
    )
    wait_for_update(personalize)
    command = (
        f"aws personalize update-solution --solution-arn {SOLUTION} --no-perform-auto-training"
    )
    assert automatic == [("warn", f"{SOLUTION}: also trains automatically", command)]
    ((level, text, fix),) = deployment
    assert level == "missing"
    assert "syncWithLatestSolutionVersion deploys versions before a run has judged them" in text
    assert fix.startswith(f"aws personalize update-campaign --campaign-arn {CAMPAIGN} ")
    assert argument(fix, "--campaign-config")["syncWithLatestSolutionVersion"] is False


def wait_for_update(personalize):
    """Wait until the update of the campaign has ended."""
    while (
        personalize.describe_campaign(campaignArn=CAMPAIGN)["campaign"]["latestCampaignUpdate"][
            "status"
        ]
        != "ACTIVE"
    ):
        pass


def test_an_import_role_that_does_not_exist_is_missing(findings, project_dir):
    role = "arn:aws:iam::123456789012:role/none"
    change(project_dir, "  # The permissions boundary", f"  {PROJECT}:importRoleArn: {role}\n  #")
    assert findings("import role") == [
        (
            "missing",
            f"{role} does not exist",
            "remove importRoleArn from the stack's file, and the pipeline creates a role",
        )
    ]


def test_the_trust_and_the_policies_of_the_import_role_are_mended(findings, project_dir, emulator):
    iam = emulator.client("iam")
    trust = policy_document(Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole")
    arn = iam.create_role(RoleName="import", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    change(project_dir, "  # The permissions boundary", f"  {PROJECT}:importRoleArn: {arn}\n  #")
    (_, trusted, trust_fix), (_, allowed, policy_fix) = findings("import role")
    assert trusted == "Personalize may not assume import"
    assert allowed == "import lacks s3:GetObject, s3:ListBucket"
    iam.update_assume_role_policy(
        RoleName="import",
        PolicyDocument=json.dumps(argument(trust_fix, "--policy-document")),
    )
    iam.put_role_policy(
        RoleName="import",
        PolicyName="read-exports",
        PolicyDocument=json.dumps(argument(policy_fix, "--policy-document")),
    )
    assert findings("import role") == [
        ("ok", "Personalize may assume import", None),
        ("ok", "the policies of import allow it to read the exports", None),
    ]
    uncertain = {
        "Effect": "Allow",
        "Principal": {"Service": "personalize.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
    }
    iam.update_assume_role_policy(
        RoleName="import", PolicyDocument=json.dumps({"Statement": [uncertain]})
    )
    judged = "aws:PrincipalOrgID in the trust policy of import cannot be judged from here"
    assert findings("import role")[0][:2] == ("warn", judged)
    denial = {**uncertain, "Effect": "Deny", "Condition": {}}
    iam.update_assume_role_policy(
        RoleName="import", PolicyDocument=json.dumps({"Statement": [denial]})
    )
    denied = "the trust policy of import denies Personalize"
    assert findings("import role")[0][:2] == ("missing", denied)


def test_the_key_of_the_exports_has_to_be_configured_and_usable(findings, project_dir, emulator):
    kms, s3 = emulator.client("kms"), emulator.client("s3")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    body = s3.get_object(Bucket=BUCKET, Key="users.csv")["Body"].read()
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket=BUCKET, Key="users.csv", Body=body, **encrypted)
    (_, text, fix), (_, policy, policy_fix) = findings("KMS key of the exports")
    assert text == f"the exports are encrypted with {key}, which dataKmsKeyArn does not name"
    assert fix == f"pulumi config set {PROJECT}:dataKmsKeyArn {key} --stack dev"
    assert policy == "the key policy does not allow Personalize"
    change(project_dir, "  # The permissions boundary", f"  {PROJECT}:dataKmsKeyArn: {key}\n  #")
    mended = argument(policy_fix, "--policy")
    assert len(mended["Statement"]) == 2, "the default statement of the key is kept"
    conditions = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}
    judged = "kms:ViaService in the key policy cannot be judged from here"
    for statement, result in (
        ({}, ("ok", "the key policy allows everything that needs the key")),
        ({"Condition": conditions}, ("warn", judged)),
        ({"Condition": {}, "Effect": "Deny"}, ("missing", "the key policy denies Personalize")),
    ):
        mended["Statement"][-1].update(statement)
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(mended))
        ((*found, _),) = findings("KMS key of the exports")
        assert tuple(found) == result
    role = "arn:aws:iam::123456789012:role/rehearsal-import-movies"
    change(
        project_dir,
        f"  {PROJECT}:dataKms",
        f"  {PROJECT}:importRoleArn: {role}\n  {PROJECT}:dataKms",
    )
    _, (level, text, fix) = findings("import role")
    s3.put_object(Bucket=BUCKET, Key="users.csv", Body=body)
    allowed = "rehearsal-import-movies lacks kms:Decrypt"
    assert (level, text) == ("missing", allowed)
    actions = [row["Action"] for row in argument(fix, "--policy-document")["Statement"]]
    assert actions == ["s3:GetObject", "s3:ListBucket", "kms:Decrypt"], "nothing is lost"


def test_the_key_of_the_logs_has_to_allow_all_of_its_users(findings, project_dir, emulator):
    check, kms = "KMS key of the logs", emulator.client("kms")
    assert findings(check) == [("ok", "no KMS key of yours encrypts the logs and messages", None)]
    key = kms.create_key()["KeyMetadata"]["Arn"]
    change(project_dir, "  # The permissions boundary", f"  {PROJECT}:kmsKeyArn: {key}\n  #")
    kms.disable_key(KeyId=key)
    (_, state, state_fix), (level, text, fix) = findings(check)
    assert state == "the key is not enabled, its state is Disabled"
    assert state_fix == f"aws kms enable-key --key-id {key}"
    assert (level, text) == (
        "missing",
        "the key policy does not allow CloudWatch Logs and alarms",
    )
    kms.enable_key(KeyId=key)
    policy = argument(fix, "--policy")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert findings(check) == [("ok", "the key policy allows everything that needs the key", None)]


def test_a_key_that_cannot_encrypt_is_missing(findings, project_dir, emulator):
    kms = emulator.client("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    change(project_dir, "  # The permissions boundary", f"  {PROJECT}:kmsKeyArn: {key}\n  #")
    (asymmetric, _) = findings("KMS key of the logs")
    assert asymmetric == (
        "missing",
        "the key has the type RSA_2048, but AWS needs a symmetric key",
        "name another key in the stack's file; `aws kms create-key` creates a key",
    )
    symmetric = kms.create_key()["KeyMetadata"]["Arn"]
    kms.schedule_key_deletion(KeyId=symmetric, PendingWindowInDays=7)
    change(project_dir, key, symmetric)
    assert findings("KMS key of the logs")[0] == (
        "missing",
        "the key is not enabled, its state is PendingDeletion",
        (
            f"aws kms cancel-key-deletion --key-id {symmetric} && "
            f"aws kms enable-key --key-id {symmetric}"
        ),
    )


def test_a_key_that_does_not_exist_or_belongs_to_another_account(findings, project_dir):
    check, key = "KMS key of the logs", f"arn:aws:kms:eu-west-1:123456789012:key/{'0' * 8}"
    change(project_dir, "  # The permissions boundary", f"  {PROJECT}:kmsKeyArn: {key}\n  #")
    fix = "correct it in the stack's file"
    assert findings(check) == [("missing", f"{key} does not exist", fix)]
    change(project_dir, key, key.replace("123456789012", "999999999999"))
    ((level, text, fix),) = findings(check)
    assert (level, text) == (
        "warn",
        "the key belongs to account 999999999999, so its policy cannot be read",
    )
    statements = json.loads(fix.removeprefix("let the owner add "))
    assert [row["Principal"] for row in statements] == [
        {"Service": "logs.eu-west-1.amazonaws.com"},
        {"AWS": "arn:aws:iam::123456789012:root"},
        {"Service": "cloudwatch.amazonaws.com"},
    ]


def test_a_disabled_schedule_is_a_warning(findings, films, install_pulumi, emulator):
    install_pulumi(films.deployment.outputs)
    scheduler = emulator.client("scheduler")
    group, name = films.output("schedule_arn").split(":schedule/")[1].split("/")
    schedule = scheduler.get_schedule(GroupName=group, Name=name)
    kept = {
        key: schedule[key]
        for key in ("GroupName", "Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    }
    zone = {"ScheduleExpressionTimezone": schedule["ScheduleExpressionTimezone"]}
    scheduler.update_schedule(**kept, **zone, State="DISABLED")
    disabled = findings("schedule", "--stack", "films")
    scheduler.update_schedule(**kept, **zone, State="ENABLED")
    assert disabled == [
        (
            "warn",
            "the schedule is disabled, so no run starts by itself",
            "pulumi config set paused false --stack films && pulumi up --stack films",
        )
    ]


def test_a_pipeline_without_a_schedule_never_runs(findings, films, emulator):
    machine = emulator.client("stepfunctions").describe_state_machine(
        stateMachineArn=machine_of(films)
    )
    copy = emulator.client("stepfunctions").create_state_machine(
        name="copy", definition=machine["definition"], roleArn=machine["roleArn"]
    )["stateMachineArn"]
    ((level, text, fix),) = findings("schedule", "--state-machine-arn", copy)
    assert (level, text, fix) == ("missing", "no schedule starts copy", "pulumi up")


def machine_of(stack):
    return stack.output("state_machine_arn")


NEWEST_RUN = "the newest run, a, started at 2026-11-29 03:00 UTC"


@pytest.mark.parametrize(
    ("runs", "level", "text"),
    [
        ([], "warn", "the pipeline has not run yet"),
        (["FAILED"], "warn", f"{NEWEST_RUN} and ended with the outcome FAILED"),
        (["SUCCEEDED"], "ok", f"{NEWEST_RUN} and ended with the outcome SKIPPED"),
        (["RUNNING"], "ok", f"{NEWEST_RUN} and is still running"),
    ],
)
def test_the_newest_run_is_shown(findings, films, monkeypatch, *, runs, level, text):
    started = datetime(2026, 11, 29, 3, tzinfo=UTC)
    monkeypatch.setattr(
        operation,
        "executions",
        lambda _: iter([Execution("x:a", row, started, None) for row in runs]),
    )
    outcome = "SKIPPED" if runs == ["SUCCEEDED"] else "FAILED"
    monkeypatch.setattr(operation, "read_run", lambda *_: SimpleNamespace(outcome=outcome))
    ((found, shown, fix),) = findings("newest run", "--state-machine-arn", machine_of(films))
    assert (found, shown) == (level, text)
    if level == "warn":
        assert fix.startswith("retrain watch --run a" if runs else "retrain start")


def test_an_alarm_that_rings_is_a_warning(findings, films, emulator, monkeypatch):
    cloudwatch = emulator.client("cloudwatch")
    monkeypatch.setattr(alarms, "pipeline_name", lambda _: "alarms-of-films")
    arguments = ("alarms", "--state-machine-arn", machine_of(films))
    ((level, text, fix),) = findings(*arguments)
    assert (level, text, fix) == ("warn", "no alarm watches alarms-of-films", "pulumi up")
    cloudwatch.put_metric_alarm(
        AlarmName="alarms-of-films-failed",
        Namespace="AWS/States",
        MetricName="ExecutionsFailed",
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    state = {"AlarmName": "alarms-of-films-failed", "StateReason": "1 run failed"}
    cloudwatch.set_alarm_state(StateValue="ALARM", **state)
    text = "alarms-of-films-failed is in ALARM: 1 run failed"
    assert findings(*arguments) == [("warn", text, alarms.ALARM_FIX)]


def test_too_few_free_slots_are_a_warning(findings, monkeypatch):
    monkeypatch.setattr(quotas, "MAX_RUNNING_IMPORTS", 2)
    imports, trainings, group = findings("quotas")
    assert imports == (
        "warn",
        "0 of 2 imports of the region are running, and a run needs 3",
        "nothing; a run waits until others have ended",
    )
    default = "(AWS's default quota)"
    # A training that another test has started may still be running.
    status, text, fix = trainings
    assert (status, fix) == ("ok", None)
    assert text[1:] == f" of 20 trainings of the region are running {default}"
    assert group == ("ok", f"movies has 1 of 10 solutions and 1 of 5 campaigns {default}", None)


def test_exports_of_yesterday_are_checked_if_todays_are_missing(findings, project_dir, emulator):
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    s3 = emulator.client("s3")
    body = s3.get_object(Bucket=BUCKET, Key="items.csv")["Body"].read()
    s3.put_object(Bucket=BUCKET, Key=f"dated/{yesterday}/items.csv", Body=body)
    change(project_dir, f"{BUCKET}/items.csv", f"{BUCKET}/dated/{{date}}/items.csv")
    note, exports = findings("exports")
    assert note == (
        "warn",
        f"today's exports are not written yet, so those of {yesterday} are checked",
        "nothing, if the export job runs before the schedule fires",
    )
    assert exports[:1] == ("ok",)


def test_a_campaign_without_a_probe_or_without_room_for_tags_is_a_warning(
    findings, project_dir, emulator
):
    personalize = emulator.client("personalize")
    tags = [{"tagKey": f"k{number}", "tagValue": "v"} for number in range(46)]
    personalize.tag_resource(resourceArn=CAMPAIGN, tags=tags)
    few = findings("tags")
    personalize.untag_resource(resourceArn=CAMPAIGN, tagKeys=[tag["tagKey"] for tag in tags])
    assert few[-1] == (
        "warn",
        f"{CAMPAIGN} has 46 of 50 tags",
        f"aws personalize untag-resource --resource-arn {CAMPAIGN} --tag-keys KEY",
    )
    text = (project_dir / "Pulumi.dev.yaml").read_text()
    start = text.index("          probe:\n")
    end = text.index("  #\n  # SCHEDULE")
    (project_dir / "Pulumi.dev.yaml").write_text(text[:start] + text[end:])
    assert findings("probes")[-1][:2] == (
        "warn",
        f"{CAMPAIGN} has no probe, so nothing moves a bad version back",
    )


def test_a_group_whose_datasets_do_not_exist_is_missing(findings, project_dir):
    change(project_dir, "dataset/movies/", "dataset/none/")
    ((level, text, _),) = findings("dataset group")
    assert (level, text) == ("missing", "no configured dataset exists, so its group is not known")
    assert findings("datasets and schemas")[0][0] == "missing"
    assert ITEMS.replace("movies", "none") in str(findings("datasets and schemas"))


def test_a_group_that_is_not_active_is_missing(findings, monkeypatch):
    monkeypatch.setattr(data, "is_active", lambda _: False)
    ((level, text, fix),) = findings("dataset group")
    assert (level, text.rpartition(" ")[2]) == ("missing", "ACTIVE")
    assert fix.startswith("aws personalize describe-dataset-group --dataset-group-arn arn:")


def test_buckets_that_send_no_events_start_no_runs(findings, project_dir, emulator):
    change(project_dir, f"{BUCKET}/items.csv", f"{BUCKET}/{{date}}/items.csv")
    marker = f"      readyMarker: s3://{BUCKET}/{{date}}.SUCCESS\n"
    change(project_dir, "    users:\n", f"{marker}    users:\n")
    change(project_dir, "    # maxTrainingsPerMonth: 10", "    maxTrainingsPerMonth: 10")
    trigger = f"  {PROJECT}:trigger:\n    onExport: true\n"
    change(project_dir, "  # Every Monday at 3:00.", f"{trigger}  # Every Monday at 3:00.")
    ((level, text, fix),) = findings("events of the exports")
    assert (level, text) == (
        "missing",
        f"{BUCKET} does not send its events to EventBridge, so no export starts a run",
    )
    emulator.client("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration=argument(fix, "--notification-configuration")
    )
    assert findings("events of the exports") == [
        ("ok", f"{BUCKET} sends its events to EventBridge", None)
    ]


def test_without_credentials_nothing_else_is_checked(run, monkeypatch):
    def refuse(_):
        raise NoCredentialsError

    monkeypatch.setattr("retrain.account.access.Access.caller", refuse)
    result = run("doctor")
    assert result.code == 1
    assert result.out.splitlines() == [
        "missing: credentials: there are no AWS credentials",
        (
            "  log in, for example with `aws sso login`, or name a profile of ~/.aws/config with "
            "--profile"
        ),
        "1 problem to mend before a run can succeed, 0 warnings, 0 ok.",
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ClientError({"Error": {"Code": "SlowDown", "Message": "no"}}, "GetBucketPolicy"),
            "cannot be checked: AWS refused GetBucketPolicy: SlowDown: no",
        ),
        (
            EndpointConnectionError(endpoint_url="https://s3"),
            (
                'cannot be checked: Could not connect to the endpoint URL: "https://s3"; check the '
                "network, --endpoint-url, and whether the region is spelled right"
            ),
        ),
        (OperatorError("x; do y"), "cannot be checked: x; do y"),
    ],
)
def test_what_cannot_be_checked_is_a_warning(findings, monkeypatch, error, text):
    def fail(_account):
        raise error
        yield

    monkeypatch.setattr(doctor, "CHECKS", [Check("bucket policy", fail)])
    assert findings("bucket policy") == [("warn", text, None)]


@pytest.mark.parametrize(
    ("part", "module"),
    [
        ("bucket policy", "buckets"),
        ("import role", "import_role"),
        ("KMS key of the logs", "keys"),
    ],
)
def test_errors_that_are_no_absence_are_not_taken_for_one(
    findings, project_dir, monkeypatch, part, module
):
    role = "arn:aws:iam::123456789012:role/none"
    key = "arn:aws:kms:eu-west-1:123456789012:key/none"
    lines = f"  {PROJECT}:importRoleArn: {role}\n  {PROJECT}:kmsKeyArn: {key}\n  #"
    change(project_dir, "  # The permissions boundary", lines)
    monkeypatch.setattr(f"retrain.check.{module}.code_of", lambda _: "SlowDown")
    monkeypatch.setattr(doctor, "code_of", lambda _: "SlowDown")
    change(project_dir, f"{BUCKET}/users.csv", "no-such-bucket-here/users.csv")
    assert findings(part)[-1][1].startswith("cannot be checked: AWS refused ")


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:iam::123456789012:user/ops", "arn:aws:iam::123456789012:user/ops"),
        ("arn:aws:sts::123456789012:assumed-role/none/me", "arn:aws:iam::123456789012:role/none"),
    ],
)
def test_the_permissions_of_the_user_or_of_the_role_count(emulator, caller, principal):
    assert account.principal_of(emulator.client("iam"), caller) == principal


def test_a_role_that_cannot_be_read_is_no_principal(emulator, monkeypatch):
    monkeypatch.setattr(account, "code_of", lambda _: "AccessDenied")
    with pytest.raises(ClientError):
        account.principal_of(emulator.client("iam"), "arn:aws:sts::1:assumed-role/none/me")


def test_credentials_of_another_account_are_missing(findings, monkeypatch):
    other = "arn:aws:iam::999999999999:root"
    monkeypatch.setattr("retrain.account.access.Access.caller", lambda _: other)
    assert findings("account and region") == [
        (
            "missing",
            f"{other} is of account 999999999999, but the pipeline is in 123456789012",
            "choose other credentials with --profile",
        )
    ]


def test_what_a_deployed_pipeline_does_not_have_yet_is_a_warning(
    findings, films, install_pulumi, project_dir
):
    install_pulumi(films.deployment.outputs)
    change(project_dir, 'skipWhenUnchanged: "true"', 'skipWhenUnchanged: "false"', "films")
    assert findings("deployment", "--stack", "films") == [
        (
            "warn",
            "the deployed pipeline has other settings than Pulumi.films.yaml",
            "pulumi up --stack films",
        )
    ]


def test_every_guard_belongs_to_a_check_or_says_nothing_about_the_account():
    groups = (
        *(data.DATASETS, data.SOLUTIONS, data.EXPORTS, data.SCHEMAS, data.IMPORTS),
        *(data.TRAININGS, data.AUTOMATIC_TRAINING, data.SYNC, data.PROBES),
    )
    names = [name for group in groups for name in group]
    assert sorted(names) == sorted({guard.name for guard in GUARDS})


def assume(emulator, monkeypatch, name, policy):
    """Create a role with a policy, and use its credentials from now on."""
    iam = emulator.client("iam")
    trust = policy_document(
        Principal={"AWS": "arn:aws:iam::123456789012:root"}, Action="sts:AssumeRole"
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="commands", PolicyDocument=json.dumps(policy))
    # MiniStack compares this action with no resource but *. IAM takes roles and users.
    simulation = policy_document(Action="iam:SimulatePrincipalPolicy", Resource="*")
    iam.put_role_policy(RoleName=name, PolicyName="simulation", PolicyDocument=simulation)
    credentials = emulator.client("sts").assume_role(RoleArn=arn, RoleSessionName="ops")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["Credentials"]["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["Credentials"]["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials["Credentials"]["SessionToken"])


def test_the_printed_policy_is_enough_for_these_commands(
    run, films, install_pulumi, emulator, monkeypatch
):
    install_pulumi(films.deployment.outputs)
    policy = run("doctor", "--stack", "films", "--policy").document
    assume(emulator, monkeypatch, "operator", policy)
    document = run("doctor", "--stack", "films", "--json").document
    rows = {row["check"]: row for row in document["checks"]}
    assert [row["text"] for row in document["checks"] if "cannot be" in row["text"]] == []
    assert rows["your permissions"]["text"] == "the caller may run every command"
    assert run("plan", "--stack", "films").code == 0
    group = "arn:aws:personalize:eu-west-1:123456789012:dataset-group/films"
    adopted = run("adopt", "--dataset-group-arn", group, "--stack", "again", "--json")
    assert (adopted.code, adopted.document["problems"]) == (0, [])
    for arguments in (
        ("history",),
        ("history", "--version", films.served_version()),
        ("start", "--skip-import", "--watch"),
        ("watch",),
        ("stop",),
        ("rollback",),
    ):
        stack = () if "--version" in arguments else ("--stack", "films")
        result = run(*arguments, *stack)
        assert "may not call" not in result.err, arguments
        assert result.code == {"stop": 1, "rollback": 2}.get(arguments[0], 0), result.err


def test_what_the_caller_may_not_read_is_a_warning(
    run, films, install_pulumi, emulator, monkeypatch
):
    install_pulumi(films.deployment.outputs)
    policy = run("doctor", "--stack", "films", "--policy").document
    reduced = [
        {**row, "Action": [action for action in row["Action"] if action not in LACKING]}
        for row in policy["Statement"]
    ]
    reduced = [row for row in reduced if row["Action"]]
    assume(emulator, monkeypatch, "reader", {**policy, "Statement": reduced})
    result = run("doctor", "--stack", "films", "--json")
    rows = {row["check"]: row for row in result.document["checks"]}
    assert (rows["bucket policy"]["level"], rows["bucket policy"]["text"]) == (
        "warn",
        "cannot be checked: these credentials may not call GetBucketPolicy",
    )
    assert rows["bucket policy"]["fix"].startswith("retrain doctor --policy --stack films")
    permissions = [row for row in result.document["checks"] if row["check"] == "your permissions"]
    assert [row["text"] for row in permissions] == [
        "`retrain doctor` lacks s3:GetBucketPolicy",
        "`retrain stop` lacks states:StopExecution",
    ]
    assert result.code == 0


LACKING = ("s3:GetBucketPolicy", "states:StopExecution")


def test_the_policy_needs_neither_credentials_nor_a_deployment(run, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    document = run("doctor", "--policy").document
    (machine,) = (row for row in document["Statement"] if "states:StartExecution" in row["Action"])
    assert machine["Resource"] == [
        "arn:aws:states:eu-west-1:123456789012:stateMachine:retraining-dev-*"
    ]


def test_no_client_of_the_command_is_left_behind(run):
    assert run("doctor").code == 0
    assert [client.cache_info().currsize for client in CACHED_CLIENTS] == [0, 0, 0, 0]
