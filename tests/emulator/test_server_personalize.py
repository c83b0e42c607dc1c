"""Personalize over HTTP: signatures, permissions per resource, roles handed over, lost answers."""

import json
from uuid import uuid4

import boto3
import pytest
from botocore import xform_name
from botocore.exceptions import ConnectionClosedError
from small_stack import (
    ACCOUNT,
    REGION,
    allow,
    create_role,
    eventually,
    grant,
    policy,
    refusal,
    role_clients,
    trust,
)

import emulator
from retrain.rehearsal.data.sample_data import schema

ARN = f"arn:aws:personalize:{REGION}:{ACCOUNT}:"
BUCKET = "personalize-http"
SCHEMA = json.dumps(
    {
        "type": "record",
        "name": "Interactions",
        "fields": [
            {"name": name, "type": kind}
            for name, kind in (("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long"))
        ],
    }
)
OPEN_BUCKET = {
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Principal": {"Service": "personalize.amazonaws.com"},
    "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
}


@pytest.fixture(scope="module")
def dataset(aws):
    """A dataset of interactions, and a bucket with a file for it."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    rows = "".join(f"user{n % 50},item{n % 97},{1_700_000_000 + n}\n" for n in range(1_500))
    s3.put_object(Bucket=BUCKET, Key="daily/one.csv", Body=f"USER_ID,ITEM_ID,TIMESTAMP\n{rows}")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(OPEN_BUCKET))
    client = aws.client("personalize")
    group = client.create_dataset_group(name="http")["datasetGroupArn"]
    schema_arn = client.create_schema(name="http", schema=SCHEMA)["schemaArn"]
    return client.create_dataset(
        name="http", schemaArn=schema_arn, datasetGroupArn=group, datasetType="INTERACTIONS"
    )["datasetArn"]


def start_import(client, dataset, role_arn, location=f"s3://{BUCKET}/daily/", **fields):
    return client.create_dataset_import_job(
        jobName=f"job-{uuid4().hex}",
        datasetArn=dataset,
        dataSource={"dataLocation": location},
        roleArn=role_arn,
        **fields,
    )["datasetImportJobArn"]


def outcome(aws, job):
    """The status of an import that has ended, and why it failed."""
    client = aws.client("personalize")
    ended = eventually(
        lambda: client.describe_dataset_import_job(datasetImportJobArn=job)["datasetImportJob"],
        lambda described: described["status"] in ("ACTIVE", "CREATE FAILED"),
    )
    return ended["status"], ended.get("failureReason")


READS_BUCKET = (
    allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
    allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*"),
)


def import_role(aws, name, *statements, service="personalize"):
    conditions = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"{ARN}*"},
    }
    return create_role(aws, name, trust(service, **conditions), *statements)


def test_a_role_is_allowed_what_its_policy_allows_and_on_those_resources_only(aws, dataset):
    client = role_clients(aws, "http-reader", allow("personalize:DescribeDataset", dataset))()
    assert client.describe_dataset(datasetArn=dataset)["dataset"]["datasetArn"] == dataset
    group = f"{ARN}dataset-group/http"
    who = (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/http-reader/test is not authorized to perform:"
    )
    code, message = refusal(client.describe_dataset_group, datasetGroupArn=group)
    assert code == "AccessDeniedException"
    assert message == (
        f"{who} personalize:DescribeDatasetGroup on resource: {group} because no identity-based"
        " policy allows the personalize:DescribeDatasetGroup action"
    )
    assert refusal(client.list_datasets)[0] == "AccessDeniedException"
    calls = [c for c in aws.calls("personalize:") if c["caller"].endswith("/http-reader/test")]
    assert [(call["action"], call["status"]) for call in calls] == [
        ("personalize:DescribeDataset", 200),
        ("personalize:DescribeDatasetGroup", 400),
        ("personalize:ListDatasets", 400),
    ]


def test_an_explicit_deny_wins(aws, dataset):
    deny = {**allow("personalize:DescribeDataset", dataset), "Effect": "Deny"}
    client = role_clients(aws, "http-denied", allow("personalize:*"), deny)()
    assert refusal(client.describe_dataset, datasetArn=dataset)[1].endswith(
        "with an explicit deny in an identity-based policy"
    )


@pytest.mark.parametrize(
    ("key", "secret", "code"),
    [
        ("ASIAUNKNOWNUNKNOWN12", "test", "UnrecognizedClientException"),
        (None, "wrong", "InvalidSignatureException"),
    ],
)
def test_credentials_that_are_none_are_refused(aws, key, secret, code):
    name = f"http-{secret}"
    credentials = role_clients(aws, name)()._request_signer._credentials  # noqa: SLF001 - its key
    client = boto3.client(
        "personalize",
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id=key or credentials.access_key,
        aws_secret_access_key=secret,
        aws_session_token=credentials.token,
    )
    assert refusal(client.list_dataset_groups)[0] == code


def test_the_runtime_asks_for_permissions_too(aws):
    campaign = f"{ARN}campaign/none"
    client = role_clients(aws, "http-runtime", allow("personalize:GetRecommendations", f"{ARN}x"))
    runtime = client("personalize-runtime")
    code, message = refusal(runtime.get_recommendations, campaignArn=campaign, userId="1")
    assert code == "AccessDeniedException"
    assert f"personalize:GetRecommendations on resource: {campaign}" in message
    grant(aws, "http-runtime", allow("personalize:GetRecommendations", campaign))
    code, _ = refusal(runtime.get_recommendations, campaignArn=campaign, userId="1")
    assert code == "ResourceNotFoundException", "allowed now, but there is no such campaign"
    actions = [c["action"] for c in aws.calls("personalize:GetRec")]
    assert actions == ["personalize:GetRecommendations"] * 2


def test_personalize_s_events_are_not_emulated(aws):
    client = aws.client("personalize-events")
    event = {"eventType": "click", "sentAt": 0}
    for name, arguments in (
        ("PutEvents", {"trackingId": "t", "sessionId": "s", "eventList": [event]}),
        ("PutItems", {"datasetArn": f"{ARN}dataset/a/ITEMS", "items": [{"itemId": "1"}]}),
    ):
        assert refusal(getattr(client, xform_name(name)), **arguments) == (
            "UnknownOperationException",
            f"{name} is not supported by this emulator of Personalize.",
        )


def test_a_bucket_may_be_called_like_the_runtime_s_path(aws):
    s3 = aws.client("s3")
    s3.create_bucket(
        Bucket="recommendations", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    s3.put_object(Bucket="recommendations", Key="a", Body=b"1")
    objects = [{"Key": "a"}]
    answer = s3.delete_objects(Bucket="recommendations", Delete={"Objects": objects})
    assert answer["Deleted"] == objects, "a POST to /recommendations that is signed for S3"


def test_an_import_reads_its_files_as_the_import_role(aws, dataset):
    arn = import_role(aws, "http-import", *READS_BUCKET)
    job = start_import(aws.client("personalize"), dataset, arn)
    assert outcome(aws, job) == ("ACTIVE", None)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/http-import/Personalize"
    reads = [call["action"] for call in aws.calls("s3:") if call["caller"] == session]
    assert reads == ["s3:ListBucket", "s3:GetObject"]


@pytest.mark.parametrize("kept", [0, 1], ids=["without GetObject", "without ListBucket"])
def test_an_import_fails_where_the_role_may_not_read(aws, dataset, kept):
    name = f"http-import-{kept}"
    arn = import_role(aws, name, READS_BUCKET[kept])
    status, reason = outcome(aws, start_import(aws.client("personalize"), dataset, arn))
    assert status == "CREATE FAILED"
    missing = ("s3:GetObject", "s3:ListBucket")[kept]
    assert f"not authorized to perform: {missing}" in reason


@pytest.mark.parametrize("missing", ["s3:GetObject", "s3:ListBucket", "policy"])
def test_an_import_fails_where_the_bucket_does_not_let_the_service_in(aws, dataset, missing):
    s3 = aws.client("s3")
    arn = import_role(aws, f"http-closed-{missing.partition(':')[2] or missing}", *READS_BUCKET)
    if missing == "policy":
        s3.delete_bucket_policy(Bucket=BUCKET)
    else:
        kept = [action for action in OPEN_BUCKET["Action"] if action != missing]
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy({**OPEN_BUCKET, "Action": kept}))
    status, reason = outcome(aws, start_import(aws.client("personalize"), dataset, arn))
    s3.put_bucket_policy(Bucket=BUCKET, Policy=policy(OPEN_BUCKET))
    assert status == "CREATE FAILED"
    assert f"the policy of bucket {BUCKET} does not allow personalize.amazonaws.com" in reason


def test_a_bucket_that_is_not_there_fails_the_import(aws, dataset):
    arn = import_role(aws, "http-nowhere", allow("s3:*"))
    job = start_import(aws.client("personalize"), dataset, arn, "s3://no-such-bucket/a.csv")
    status, reason = outcome(aws, job)
    assert status == "CREATE FAILED"
    assert "arn:aws:s3:::no-such-bucket" in reason


def test_a_role_may_be_passed_only_by_who_may_pass_it_to_personalize(aws, dataset):
    arn = import_role(aws, "http-passed", *READS_BUCKET)
    imports = allow("personalize:CreateDatasetImportJob", [dataset, f"{ARN}dataset-import-job/*"])
    client = role_clients(aws, "http-passer", imports)()

    def attempt(*statements):
        grant(aws, "http-passer", imports, *statements)
        return refusal(start_import, client=client, dataset=dataset, role_arn=arn)

    code, message = attempt()
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {arn}" in message
    to_lambda = {"iam:PassedToService": "lambda.amazonaws.com"}
    assert attempt(allow("iam:PassRole", arn, StringEquals=to_lambda))[0] == code
    assert attempt(allow("iam:PassRole", f"{arn}-other"))[0] == code
    to_personalize = {"iam:PassedToService": "personalize.amazonaws.com"}
    grant(aws, "http-passer", imports, allow("iam:PassRole", arn, StringEquals=to_personalize))
    assert outcome(aws, start_import(client, dataset, arn)) == ("ACTIVE", None)
    dataset_only = allow("personalize:CreateDatasetImportJob", dataset)
    grant(aws, "http-passer", dataset_only, allow("iam:PassRole", arn))
    code, message = refusal(start_import, client=client, dataset=dataset, role_arn=arn)
    assert code == "AccessDeniedException"
    assert f"{ARN}dataset-import-job/" in message, "the job is a resource of this action too"


@pytest.mark.parametrize("service", ["lambda", None], ids=["trusts another", "is not there"])
def test_a_role_that_personalize_may_not_assume_is_refused(aws, dataset, service):
    arn = f"arn:aws:iam::{ACCOUNT}:role/http-nobody"
    if service is not None:
        arn = import_role(aws, "http-untrusting", *READS_BUCKET, service=service)
    client = aws.client("personalize")
    assert refusal(start_import, client=client, dataset=dataset, role_arn=arn) == (
        "InvalidInputException",
        f"Amazon Personalize is not allowed to assume the role {arn}.",
    )


def test_a_lost_answer_is_a_closed_connection_after_the_deed(aws):
    client = role_clients(aws, "http-lost", allow("personalize:*"))()
    aws.control("POST", "faults", {"fault": "lost-answer", "operation": "CreateSchema"})
    text = schema("INTERACTIONS")
    with pytest.raises(ConnectionClosedError):
        client.create_schema(name="http-lost", schema=text)
    assert refusal(client.create_schema, name="http-lost", schema=text)[0] == (
        "ResourceAlreadyExistsException"
    )
    statuses = [c["status"] for c in aws.calls("personalize:CreateSchema") if "lost" in c["caller"]]
    assert statuses == [0, 400]


def test_faults_are_ordered_listed_and_withdrawn(aws):
    order = {"fault": "throttle", "operation": "ListSchemas", "times": 2}
    fault = aws.control("POST", "faults", order)["id"]
    client = role_clients(aws, "http-faults", allow("personalize:*"))()
    assert refusal(client.list_schemas)[0] == "ThrottlingException"
    assert [(f["id"], f["times"]) for f in aws.control("GET", "faults")] == [(fault, 1)]
    aws.control("DELETE", f"faults?id={fault}")
    assert aws.control("GET", "faults") == []
    client.list_schemas()
    with pytest.raises(emulator.EmulatorError, match="fault"):
        aws.control("POST", "faults", {"fault": "explode", "operation": "ListSchemas"})


def test_requests_to_personalize_can_be_read_afterwards(aws, dataset):
    aws.client("personalize").describe_dataset(datasetArn=dataset)
    last = aws.control("GET", "personalize/calls")[-1]
    assert last == {
        "operation": "DescribeDataset",
        "caller": f"arn:aws:iam::{ACCOUNT}:root",
        "request": {"datasetArn": dataset},
    }
