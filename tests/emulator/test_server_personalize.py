"""Proves that Personalize over HTTP checks signatures, permissions, roles and bucket policies."""

import itertools
import json

import boto3
import pytest
import small_stack as s
from botocore.exceptions import ConnectionClosedError

from emulator.personalize.faults import CALL_FAULTS

ARN = f"arn:aws:personalize:{s.REGION}:{s.ACCOUNT}:"
BUCKET = "personalize-http"
NAMES = ("USER_ID", "ITEM_ID", "TIMESTAMP")
FIELDS = [{"name": name, "type": "long" if name == "TIMESTAMP" else "string"} for name in NAMES]
SCHEMA = json.dumps({"type": "record", "name": "Interactions", "fields": FIELDS})
BOTH = ("s3:GetObject", "s3:ListBucket")
BUCKET_STATEMENT = {
    "Effect": "Allow",
    "Action": BOTH,
    "Principal": {"Service": "personalize.amazonaws.com"},
    "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
}
ROLE = (
    s.allow("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
    s.allow("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*"),
)
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def dataset(aws):
    """A dataset of interactions, and a bucket with an export for it."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": s.REGION})
    rows = "".join(f"u{n % 50},i{n % 97},{1_700_000_000 + n}\n" for n in range(1_500))
    s3.put_object(Bucket=BUCKET, Key="daily/one.csv", Body=f"{','.join(NAMES)}\n{rows}")
    s3.put_bucket_policy(Bucket=BUCKET, Policy=s.policy(BUCKET_STATEMENT))
    client = aws.client("personalize")
    group = client.create_dataset_group(name="http")["datasetGroupArn"]
    schema = client.create_schema(name="http", schema=SCHEMA)["schemaArn"]

    return client.create_dataset(
        name="http", schemaArn=schema, datasetGroupArn=group, datasetType="INTERACTIONS"
    )["datasetArn"]


def start_import(client, dataset, role_arn, bucket=BUCKET):
    return client.create_dataset_import_job(
        jobName=f"job-{next(NUMBERS)}",
        datasetArn=dataset,
        dataSource={"dataLocation": f"s3://{bucket}/daily/"},
        roleArn=role_arn,
    )["datasetImportJobArn"]


def import_result(aws, job_arn):
    """Wait for the end of an import job, and return its status and its failure reason."""
    describe = aws.client("personalize").describe_dataset_import_job
    job = s.eventually(
        lambda: describe(datasetImportJobArn=job_arn)["datasetImportJob"],
        lambda job: job["status"] in ("ACTIVE", "CREATE FAILED"),
    )
    return job["status"], job.get("failureReason")


def create_import_role(aws, name, *statements, service="personalize"):
    conditions = {
        "StringEquals": {"aws:SourceAccount": s.ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"{ARN}*"},
    }
    return s.create_role(aws, name, s.trust(service, **conditions), *statements)


# The caller


def test_a_role_may_do_what_its_policy_allows_on_the_named_resources_only(aws, dataset):
    action = "personalize:GetRecommendations"
    campaign = f"{ARN}campaign/none"
    described = s.allow("personalize:DescribeDataset", dataset)
    connect = s.role_clients(aws, "http-reader", described)
    client = connect()
    runtime = connect("personalize-runtime")
    assert client.describe_dataset(datasetArn=dataset)["dataset"]["datasetArn"] == dataset

    group = f"{ARN}dataset-group/http"
    assert s.refusal(client.describe_dataset_group, datasetGroupArn=group) == (
        "AccessDeniedException",
        (
            f"User: arn:aws:sts::{s.ACCOUNT}:assumed-role/http-reader/test is not authorized to"
            f" perform: personalize:DescribeDatasetGroup on resource: {group} because no"
            " identity-based policy allows the personalize:DescribeDatasetGroup action"
        ),
    )

    request = {"campaignArn": campaign, "userId": "1"}
    code, message = s.refusal(runtime.get_recommendations, **request)
    assert (code, f"{action} on resource: {campaign}" in message) == ("AccessDeniedException", True)

    s.grant(aws, "http-reader", s.allow(action, campaign))
    code, _ = s.refusal(runtime.get_recommendations, **request)
    assert code == "ResourceNotFoundException", "allowed, but there is no such campaign"

    calls = aws.calls("personalize:")
    calls = [call for call in calls if call["caller"].endswith("/http-reader/test")]
    assert [(call["action"].partition(":")[2], call["status"]) for call in calls] == [
        ("DescribeDataset", 200),
        ("DescribeDatasetGroup", 400),
        ("GetRecommendations", 400),
        ("GetRecommendations", 404),
    ]


@pytest.mark.parametrize(
    "access_key, secret, code",
    [
        ("ASIAUNKNOWNUNKNOWN12", "test", "UnrecognizedClientException"),
        (None, "wrong", "InvalidSignatureException"),
    ],
)
def test_invalid_credentials_are_refused(aws, access_key, secret, code):
    client = s.role_clients(aws, f"http-{secret}")()
    credentials = client._request_signer._credentials  # noqa: SLF001 - its access key
    client = boto3.client(
        "personalize",
        endpoint_url=aws.endpoint,
        region_name=s.REGION,
        aws_access_key_id=access_key or credentials.access_key,
        aws_secret_access_key=secret,
        aws_session_token=credentials.token,
    )

    assert s.refusal(client.list_dataset_groups)[0] == code


def test_an_event_reaches_personalize_by_its_path_and_needs_a_tracker(aws):
    event = {"trackingId": "t", "sessionId": "s", "eventList": [{"eventType": "x", "sentAt": 0}]}
    code, _ = s.refusal(aws.client("personalize-events").put_events, **event)
    assert code == "ResourceNotFoundException"


def test_other_operations_of_personalize_events_are_not_emulated(aws):
    items = [{"itemId": "i"}]
    put_items = aws.client("personalize-events").put_items
    assert s.refusal(put_items, datasetArn="arn:aws:personalize:::dataset/x", items=items) == (
        "UnknownOperationException",
        "PutItems is not supported by this emulator of Personalize.",
    )


def test_a_bucket_can_have_the_name_of_a_path_of_the_runtime(aws):
    s3 = aws.client("s3")
    bucket = "recommendations"
    objects = [{"Key": "a"}]
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s.REGION})
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    response = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})

    assert response["Deleted"] == objects, "this POST to /recommendations is signed for S3"


# The import role and the bucket

BY_POLICY = f"the policy of bucket {BUCKET} does not allow personalize.amazonaws.com"


def from_account(account):
    return {"Condition": {"StringEquals": {"aws:SourceAccount": account}}}


IMPORTS = {
    "role without GetObject": (ROLE[:1], {}, BUCKET, "not authorized to perform: s3:GetObject"),
    "role without ListBucket": (ROLE[1:], {}, BUCKET, "not authorized to perform: s3:ListBucket"),
    "policy with GetObject": (ROLE, {"Action": BOTH[:1]}, BUCKET, BY_POLICY),
    "policy with ListBucket": (ROLE, {"Action": BOTH[1:]}, BUCKET, BY_POLICY),
    "policy for this account": (ROLE, from_account(s.ACCOUNT), BUCKET, None),
    "policy for another account": (ROLE, from_account("999999999999"), BUCKET, BY_POLICY),
    "no policy": (ROLE, None, BUCKET, BY_POLICY),
    "no bucket": ([s.allow("s3:*")], {}, "no-such-bucket", "arn:aws:s3:::no-such-bucket"),
}
"""The role's permissions, the difference of the bucket's policy, the bucket, and the failure of the
import job."""


def test_an_import_job_needs_the_permissions_of_its_role_and_of_the_bucket(aws, dataset):
    s3 = aws.client("s3")
    client = aws.client("personalize")
    for name, (statements, difference, bucket, failure) in IMPORTS.items():
        role_arn = create_import_role(aws, name.replace(" ", "-"), *statements)
        s3.delete_bucket_policy(Bucket=BUCKET)
        if difference is not None:
            s3.put_bucket_policy(Bucket=BUCKET, Policy=s.policy({**BUCKET_STATEMENT, **difference}))
        status, reason = import_result(aws, start_import(client, dataset, role_arn, bucket))
        if failure:
            assert (status, failure in reason) == ("CREATE FAILED", True), (name, reason)
        else:
            assert (status, reason) == ("ACTIVE", None), name
    s3.put_bucket_policy(Bucket=BUCKET, Policy=s.policy(BUCKET_STATEMENT))
    session = f"arn:aws:sts::{s.ACCOUNT}:assumed-role/policy-for-this-account/Personalize"
    calls = [call["action"] for call in aws.calls("s3:") if call["caller"] == session]

    assert calls == ["s3:ListBucket", "s3:GetObject"]


def test_a_batch_job_writes_its_output_as_its_role(aws, dataset):
    client = aws.client("personalize")
    s3 = aws.client("s3")
    group = client.describe_dataset(datasetArn=dataset)["dataset"]["datasetGroupArn"]
    role_arn = create_import_role(aws, "http-batch", *ROLE)
    import_result(aws, start_import(client, dataset, role_arn))
    recipe = "arn:aws:personalize:::recipe/aws-item-affinity"
    solution = client.create_solution(name="http", datasetGroupArn=group, recipeArn=recipe)
    version = client.create_solution_version(solutionArn=solution["solutionArn"])
    s3.put_object(Bucket=BUCKET, Key="in/items.json", Body=b'{"itemId": "i1"}\n')

    put = s.allow("s3:PutObject", f"arn:aws:s3:::{BUCKET}/out/*")
    for statements, actions, failure in (
        ([*ROLE, put], BOTH, BY_POLICY),
        (ROLE, [*BOTH, "s3:PutObject"], "not authorized to perform: s3:PutObject"),
        ([*ROLE, put], [*BOTH, "s3:PutObject"], None),
    ):
        s.grant(aws, "http-batch", *statements)
        policy = s.policy({**BUCKET_STATEMENT, "Action": actions})
        s3.put_bucket_policy(Bucket=BUCKET, Policy=policy)
        arn = client.create_batch_segment_job(
            jobName=f"batch-{next(NUMBERS)}",
            solutionVersionArn=version["solutionVersionArn"],
            jobInput={"s3DataSource": {"path": f"s3://{BUCKET}/in/"}},
            jobOutput={"s3DataDestination": {"path": f"s3://{BUCKET}/out/"}},
            roleArn=role_arn,
        )["batchSegmentJobArn"]
        job = client.describe_batch_segment_job(batchSegmentJobArn=arn)["batchSegmentJob"]
        written = "Contents" in s3.list_objects_v2(Bucket=BUCKET, Prefix="out/items.json.out")
        assert written == (failure is None), "nothing is written before the checks"
        assert (failure or "") in job.get("failureReason", ""), job
    s3.put_bucket_policy(Bucket=BUCKET, Policy=s.policy(BUCKET_STATEMENT))


def test_the_caller_must_be_allowed_to_pass_the_role_to_personalize(aws, dataset):
    role_arn = create_import_role(aws, "http-passed", *ROLE)
    jobs = f"{ARN}dataset-import-job/"
    create_jobs = s.allow("personalize:CreateDatasetImportJob", [dataset, f"{jobs}*"])
    arguments = {
        "client": s.role_clients(aws, "http-passer", create_jobs)(),
        "dataset": dataset,
        "role_arn": role_arn,
    }

    def pass_role(service, role=role_arn):
        to = {"iam:PassedToService": f"{service}.amazonaws.com"}
        return s.allow("iam:PassRole", role, StringEquals=to)

    create_in_dataset = s.allow("personalize:CreateDatasetImportJob", dataset)
    for statements, missing in (
        ([create_jobs], f"iam:PassRole on resource: {role_arn}"),
        ([create_jobs, pass_role("lambda")], f"iam:PassRole on resource: {role_arn}"),
        ([create_jobs, pass_role("personalize", f"{role_arn}-other")], "iam:PassRole"),
        ([create_in_dataset, pass_role("personalize")], jobs),  # a job is a resource of it too
    ):
        s.grant(aws, "http-passer", *statements)
        code, message = s.refusal(start_import, **arguments)
        assert (code, missing in message) == ("AccessDeniedException", True), message
    s.grant(aws, "http-passer", create_jobs, pass_role("personalize"))
    assert import_result(aws, start_import(**arguments)) == ("ACTIVE", None)


def test_a_role_that_personalize_may_not_assume_is_refused(aws, dataset):
    untrusting = create_import_role(aws, "http-untrusting", *ROLE, service="lambda")
    client = aws.client("personalize")
    for role_arn in (untrusting, f"arn:aws:iam::{s.ACCOUNT}:role/http-missing"):
        assert s.refusal(start_import, client=client, dataset=dataset, role_arn=role_arn) == (
            "InvalidInputException",
            f"Amazon Personalize is not allowed to assume the role {role_arn}.",
        )


# Controls


def test_a_lost_response_is_a_closed_connection_after_the_operation(aws):
    client = s.role_clients(aws, "http-lost", s.allow("personalize:*"))()
    aws.control("POST", "faults", {"fault": "lost-answer", "operation": "CreateSchema"})
    request = {"name": "http-lost", "schema": SCHEMA}
    with pytest.raises(ConnectionClosedError):
        client.create_schema(**request)
    assert s.refusal(client.create_schema, **request)[0] == "ResourceAlreadyExistsException"

    calls = aws.calls("personalize:CreateSchema")
    assert [call["status"] for call in calls if "lost" in call["caller"]] == [0, 400]


def test_faults_can_be_injected_listed_and_removed(aws):
    fault = {"fault": "throttle", "operation": "ListSchemas", "times": 2}
    fault_id = aws.control("POST", "faults", fault)["id"]
    client = s.role_clients(aws, "http-faults", s.allow("personalize:*"))()
    assert s.refusal(client.list_schemas)[0] == "ThrottlingException"

    other = {"fault": "fail", "job": "campaign-update", "of": "live", "rate": 0.5}
    other_id = aws.control("POST", "faults", other)["id"]
    error = CALL_FAULTS["throttle"]
    rest = {"id": other_id, **other, "times": 1, "reason": "Internal service error"}
    assert aws.control("GET", "faults") == [
        {"id": fault_id, **fault, "of": None, "rate": 1, "times": 1, **error},
        rest,
    ]

    aws.control("DELETE", f"faults?id={fault_id}")
    assert aws.control("GET", "faults") == [rest]
    client.list_schemas()
    aws.control("DELETE", "faults")
    assert aws.control("GET", "faults") == []


def test_the_clock_of_personalize_can_be_moved_forward(aws):
    client = aws.client("personalize")
    group = client.create_dataset_group(name=f"skipped-{next(NUMBERS)}")["datasetGroupArn"]
    aws.control("POST", "skip", {"seconds": 60})
    described = client.describe_dataset_group(datasetGroupArn=group)["datasetGroup"]
    assert described["status"] == "ACTIVE"
    waited = described["lastUpdatedDateTime"] - described["creationDateTime"]
    assert waited.total_seconds() < 1, "the group was ready long before the end of the minute"
