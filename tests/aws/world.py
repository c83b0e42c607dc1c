"""What a trial has in AWS, and how it asks Personalize and Step Functions."""

import re
from functools import cached_property

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError

from retrain.rehearsal.resources import US_EAST_1, build_policy
from tests.aws.account import EMULATED, ENDED, POLL_SECONDS, TAG
from tests.sample_data import sample_data

SERVICES = {"Service": ["personalize.amazonaws.com", "states.amazonaws.com"]}
FILE_ACTIONS = ("s3:GetObject", "s3:ListBucket", "s3:PutObject")
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization"
"""The recipe that has most of what is not documented: UPDATE, and settings of the exploration."""
REFERENCE = re.compile(r"<([^>]+)>")
CONTENTS = {"none": b"", "broken": b"no,header\n", "users": b"USER_ID\nnobody\n"}


class World:
    """The resources of a trial. It sends calls as `facts.yaml` describes them."""

    def __init__(self, account):
        self.account = account
        self.s3 = account.client("s3")
        schemas = sample_data().schemas.items()
        self.known = {f"schema of {key.lower()}": schema for key, schema in schemas}
        """What references mean, besides ARNs that can be built from names."""
        self.known |= {"trial": account.trial, "recipe": RECIPE}

    # S3 and IAM

    @cached_property
    def bucket(self):
        """A bucket that Personalize may read and write. It has the name of the trial."""
        name = self.account.trial
        request = {"Bucket": name}
        if self.account.region != US_EAST_1:
            region = {"LocationConstraint": self.account.region}
            request["CreateBucketConfiguration"] = region
        self.s3.create_bucket(**request)
        tags = [{"Key": TAG, "Value": name}]
        self.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
        self.s3.put_bucket_policy(Bucket=name, Policy=self._allow_files(Principal=SERVICES))
        return name

    @cached_property
    def role(self):
        """The ARN of a role with which Personalize may read and write the bucket."""
        iam = self.account.client("iam")
        name = self.account.trial
        trust = build_policy(Principal=SERVICES, Action="sts:AssumeRole")
        created = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        policy = self._allow_files()
        iam.put_role_policy(RoleName=name, PolicyName="files", PolicyDocument=policy)
        self.account.sleep(POLL_SECONDS)  # AWS needs some seconds until all services know a role.
        return created["Role"]["Arn"]

    def _allow_files(self, **principal):
        arn = f"arn:aws:s3:::{self.account.trial}"
        return build_policy(Action=FILE_ACTIONS, Resource=[arn, f"{arn}/*"], **principal)

    def put(self, key, content):
        """Upload a file."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    # Calls

    def ask(self, calls):
        """Return the answers to calls."""
        return [self._call(*call) for call in calls]

    def _call(self, operation, request, *more):
        """Return the answer to a call, which is an operation of AWS or of this class."""
        request = self._resolve(request)
        if operation.islower():
            return getattr(self, operation)(request, *more)

        try:
            response = self._send(operation, request)
        except ClientError as error:
            return error.response["Error"]["Code"]
        if operation == "CreateSolutionVersion":
            # AWS chooses the end of this ARN.
            version = request.get("name", "").removeprefix(f"{self.account.trial}-")
            self.known[f"version/{version}"] = response["solutionVersionArn"]
        return jmespath.search(*more, response) if more else "accepted"

    def _send(self, operation, request):
        """Send a request to the service that has the operation. A list is read to its end."""
        clients = map(self.account.client, EMULATED)
        client = next(
            each for each in clients if operation in each.meta.service_model.operation_names
        )
        method = xform_name(operation)
        is_page = {"maxResults", "nextToken"} & {*request}
        if client.can_paginate(method) and not is_page:
            return client.get_paginator(method).paginate(**request).build_full_result()
        return getattr(client, method)(**request)

    def _resolve(self, value, key=""):
        """Replace the references in a request, and give names that of the trial in front."""
        if isinstance(value, dict):
            return {name: self._resolve(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self._resolve(part) for part in value]
        if key in ("name", "jobName"):
            return f"{self.account.trial}-{value}"
        if isinstance(value, str):
            return REFERENCE.sub(lambda match: self._look_up(match[1]), value)
        return value

    def _look_up(self, reference):
        """Return what a reference means, which is an ARN unless it is known as something else."""
        if reference == "role":
            return self.role
        return self.known.get(reference) or self.arn(reference)

    def arn(self, reference):
        """Return an ARN in this account: of `solution/a` of Personalize or `states:execution/a`."""
        service, _, resource = reference.rpartition(":")
        kind, _, name = resource.partition("/")
        separator = ":" if service else "/"
        where = f"{service or 'personalize'}:{self.account.region}:{self.account.number}"
        return f"arn:aws:{where}:{kind}{separator}{self.account.trial}-{name}"

    # The operations that AWS does not have

    def describe(self, arn):
        """Return the description of a resource of Personalize."""
        kind = arn.split(":")[5].partition("/")[0]
        if arn in self.known.values():
            kind = "solution-version"
        noun = kind.title().replace("-", "")
        field = noun[0].lower() + noun[1:]
        return self._send(f"Describe{noun}", {f"{field}Arn": arn})[field]

    def wait(self, arn, update=""):
        """Wait until a resource has ended, and return its statuses in order.

        The last one is the code of an error if the resource is gone. `update` is the field of its
        latest update, if that is to be followed instead.
        """
        statuses = []
        for _ in self.account.poll():
            status = self._read_status(arn, update)
            if status not in statuses[-1:]:
                statuses.append(status)
            if status.endswith(ENDED):
                break
        return statuses

    def _read_status(self, arn, update=""):
        try:
            described = self.describe(arn)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return described.get(update, described)["status"]

    def begin(self, arn):
        """Wait until the work of a job has begun."""
        for _ in self.account.poll():
            if "PENDING" not in self._read_status(arn):
                break

    def upload(self, key, content):
        """Upload a file with a number of interactions of the sample data, or another content."""
        lines = sample_data().newer["INTERACTIONS"].splitlines(keepends=True)
        if content in CONTENTS:
            self.put(key, CONTENTS[content])
        else:
            self.put(key, b"".join(lines[: content + 1]))

    def sleep(self, seconds):
        """Wait for seconds."""
        self.account.sleep(seconds)
