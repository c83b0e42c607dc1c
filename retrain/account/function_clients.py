"""Lets the Lambda functions' code run in this process, with the operator's credentials."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3

from functions.common import aws
from functions.common.errors import (
    ServiceUnavailable,
    Throttled,
)
from retrain.account.environment import restore_environment
from retrain.account.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_personalize import PersonalizeClient

    from retrain.account.access import Access

CLIENT_FACTORIES = (aws.personalize_read_client, aws.s3, aws.stepfunctions, aws.scheduler)
"""The factories of the functions' boto3 clients, which they cache. We only need the clients that
read, because no command runs a function's code that writes."""


@contextmanager
def redirect_function_clients(access: Access) -> Iterator[PersonalizeClient]:
    """Let the functions' code call AWS with `access` inside the block.

    Yields the Personalize client.

    Raises OperatorError if AWS throttles a request or doesn't respond.
    """
    default_session = boto3.DEFAULT_SESSION
    _clear_client_caches()

    try:
        with restore_environment():
            boto3.DEFAULT_SESSION = access.session
            if access.endpoint_url:
                os.environ["AWS_ENDPOINT_URL"] = access.endpoint_url
            yield aws.personalize_read_client()
    except (Throttled, ServiceUnavailable) as error:
        raise OperatorError(f"AWS does not answer: {error}; try again") from error
    finally:
        boto3.DEFAULT_SESSION = default_session
        _clear_client_caches()


def _clear_client_caches() -> None:
    """Drop the functions' cached clients, because they belong to the session that created them."""
    for create_client in CLIENT_FACTORIES:
        create_client.cache_clear()
