"""How a command calls AWS: the profile, region and endpoint, and the boto3 clients for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from retrain.account.errors import OperatorError, get_error_code

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
"""With these timeouts and retries, a request to an endpoint that doesn't respond fails after a
minute and a half at most."""

CLIENT_LOCK = Lock()
"""Held while a client is created. Threads may share clients, but not the session that creates them:
https://docs.aws.amazon.com/boto3/latest/guide/resources.html#multithreading-or-multiprocessing-with-resources"""
NOT_FOUND_CODE = re.compile("NoSuch|NotFound|NonExistent|DoesNotExist|^404$")
"""Matches the error codes that the services use for a missing resource. HeadBucket's response has
no body, so its error code is the HTTP status."""
INVALID_TAG_CHARACTER = re.compile(r"[^\w\s.:/=+\-@]")
"""A character that Personalize rejects in a tag value, such as the comma that a role session name
may contain."""


@dataclass(frozen=True)
class Access:
    """The credentials, region and endpoint that a command calls AWS with.

    If a field is None, boto3 falls back to environment variables and the AWS CLI's config files.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None

    def in_region(self, region: str, subject: str) -> Access:
        """Return a copy of this access for the region of `subject`, for example a state machine.

        Raises OperatorError if the operator chose a different region with `--region`.
        """
        if self.region not in (None, region):
            raise OperatorError(
                f"--region is {self.region}, but {subject} is in {region}; leave --region out"
            )
        return replace(self, region=region)

    @cached_property
    def session(self) -> boto3.Session:
        """The boto3 session for this profile and region."""
        return boto3.Session(profile_name=self.profile, region_name=self.region)

    def client(self, service: str) -> Any:  # noqa: ANN401  # boto3's types need a literal name
        """Create a client for a service. Safe to call from several threads at once."""
        with CLIENT_LOCK:
            return self.session.client(service, config=CONFIG, endpoint_url=self.endpoint_url)  # type: ignore[call-overload]  # (as above)

    @cached_property
    def step_functions(self) -> SFNClient:
        """The Step Functions client."""
        return cast("SFNClient", self.client("stepfunctions"))

    @cached_property
    def personalize(self) -> PersonalizeClient:
        """The Personalize client."""
        return cast("PersonalizeClient", self.client("personalize"))

    def fetch_caller_arn(self) -> str:
        """Ask STS which user or role session is calling. This needs no permissions."""
        return str(self.client("sts").get_caller_identity()["Arn"])

    def build_caller_tag(self) -> str:
        """Build a tag value from the caller's ARN, with `-` in place of invalid characters."""
        return INVALID_TAG_CHARACTER.sub("-", self.fetch_caller_arn())

    def require_account(self, account: str, subject: str) -> None:
        """Raise OperatorError if the credentials don't belong to the account of `subject`."""
        caller_arn = self.fetch_caller_arn()
        if caller_arn.split(":")[4] != account:
            raise OperatorError(
                f"{subject} is in account {account}, but the credentials are of {caller_arn}; "
                "choose others with --profile"
            )

    def build_env(self) -> dict[str, str]:
        """Build the environment variables that make Pulumi use the same profile and endpoint."""
        env = {"AWS_PROFILE": self.profile, "AWS_ENDPOINT_URL": self.endpoint_url}
        return {name: value for name, value in env.items() if value}

    def build_options(self) -> list[str]:
        """Build the options `--profile` and `--endpoint-url` for a command that we suggest.

        The command doesn't need `--region`, because it also names a stack or a state machine's ARN,
        which determines the region.
        """
        options = []
        if self.profile:
            options += ["--profile", self.profile]
        if self.endpoint_url:
            options += ["--endpoint-url", self.endpoint_url]
        return options


def read_if_exists(request: Callable[..., Any], **arguments: object) -> Any:  # noqa: ANN401  # a response
    """Send a request and return the response, or None if the resource doesn't exist."""
    try:
        return request(**arguments)
    except ClientError as error:
        if NOT_FOUND_CODE.search(get_error_code(error)):
            return None
        raise
