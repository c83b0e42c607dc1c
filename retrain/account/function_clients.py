"""Lets the code of the functions call AWS with the credentials of the person at the terminal."""

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

CACHED_CLIENTS = (aws.personalize_read_client, aws.s3, aws.stepfunctions, aws.scheduler)
"""The clients for reads. A command never lets a function write."""


@contextmanager
def function_clients(access: Access) -> Iterator[PersonalizeClient]:
    """Let the functions create their clients with an access. Yield their client of Personalize.

    Raises OperatorError if AWS throttles the requests or does not respond.
    """
    default_session = boto3.DEFAULT_SESSION
    _clear_clients()

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
        _clear_clients()


def _clear_clients() -> None:
    """Forget the functions' clients, because each belongs to the session that created it."""
    for client in CACHED_CLIENTS:
        client.cache_clear()
