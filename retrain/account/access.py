"""The access to an account: a profile, a region, an endpoint, and boto3's clients for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from retrain.account.errors import OperatorError, code_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_personalize import PersonalizeClient
    from mypy_boto3_stepfunctions import SFNClient

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=5,
    read_timeout=20,
    user_agent_extra="personalize-retraining",
)
"""A request that gets no answer ends the command after a minute and a half at most."""

CREATING_CLIENT = Lock()
"""Clients can be shared by threads, but a session can create only one at a time:
https://docs.aws.amazon.com/boto3/latest/guide/resources.html#multithreading-or-multiprocessing-with-resources"""
NOT_FOUND = re.compile("NoSuch|NotFound|NonExistent|DoesNotExist|^404$")
"""Is in the error code of each service for a resource that does not exist. HeadBucket has only the
status of HTTP."""
NOT_ALLOWED_IN_TAGS = re.compile(r"[^\w\s.:/=+\-@]")
"""The characters that the value of a tag in Personalize may not have. The name of a session may
contain a comma."""


@dataclass(frozen=True)
class Access:
    """The credentials, the region and the endpoint with which a command calls AWS.

    What is None is chosen by boto3: from the environment, and from the files of the AWS CLI. A
    client is created when it is first used.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None

    def in_region(self, region: str, subject: str) -> Access:
        """Return this access in the region of a resource. Raise OperatorError if it has another."""
        if self.region not in (None, region):
            raise OperatorError(
                f"--region is {self.region}, but {subject} is in {region}; leave --region out"
            )
        return replace(self, region=region)

    @cached_property
    def session(self) -> boto3.Session:
        """The session of boto3."""
        return boto3.Session(profile_name=self.profile, region_name=self.region)

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3's types need a literal name
        """Create a client of a service. Threads may ask at the same time."""
        with CREATING_CLIENT:
            return self.session.client(service, config=CONFIG, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]  # (as above)

    @cached_property
    def step_functions(self) -> SFNClient:
        """The client of Step Functions."""
        return cast("SFNClient", self.client("stepfunctions"))

    @cached_property
    def personalize(self) -> PersonalizeClient:
        """The client of Personalize."""
        return cast("PersonalizeClient", self.client("personalize"))

    def caller(self) -> str:
        """Ask for the ARN of the caller. No permission is needed for this."""
        return str(self.client("sts").get_caller_identity()["Arn"])

    def caller_in_tag(self) -> str:
        """Return the ARN of the caller, with `-` for each character that a tag may not have."""
        return NOT_ALLOWED_IN_TAGS.sub("-", self.caller())

    def require_account(self, account: str, subject: str) -> None:
        """Raise OperatorError if the credentials are not of the account in which `subject` is."""
        caller = self.caller()
        if caller.split(":")[4] != account:
            raise OperatorError(
                f"{subject} is in account {account}, but the credentials are of {caller}; choose "
                "others with --profile"
            )

    def variables(self) -> dict[str, str]:
        """Return the options of the command line as variables, with which Pulumi calls AWS."""
        variables = {"AWS_PROFILE": self.profile, "AWS_ENDPOINT_URL": self.endpoint_url}
        return {name: value for name, value in variables.items() if value}

    def options(self) -> list[str]:
        """List the options that were given on the command line, for a command to paste."""
        options = []
        if self.profile:
            options += ["--profile", self.profile]
        if self.endpoint_url:
            options += ["--endpoint-url", self.endpoint_url]
        return options


def read_if_exists(request: Callable[..., Any], **arguments: object) -> Any:  # noqa: ANN401  # a response
    """Send a request, and return None instead of raising if the resource doesn't exist."""
    try:
        return request(**arguments)
    except ClientError as error:
        if NOT_FOUND.search(code_of(error)):
            return None
        raise
