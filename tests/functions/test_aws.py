"""Tests of the clients: how often they send a request, and which errors they raise."""

import io

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from urllib3 import HTTPResponse

from functions.common import aws
from tests.functions.samples import CAMPAIGN, REGION

ATTEMPTS = {
    "personalize_write_client": 1,
    "personalize_read_client": 4,
    "personalize_runtime_client": 1,
    "s3": 4,
    "stepfunctions": 4,
    "scheduler": 4,
    "sns": 2,
    "eventbridge": 2,
}
"""Function of `common/aws.py` -> how often its client sends a request."""
REQUESTS = {
    "personalize_write_client": lambda client: client.describe_campaign(campaignArn=CAMPAIGN),
    "personalize_read_client": lambda client: client.describe_campaign(campaignArn=CAMPAIGN),
    "s3": lambda client: client.list_objects_v2(Bucket="exports"),
    "stepfunctions": lambda client: client.list_executions(stateMachineArn="arn"),
    "scheduler": lambda client: client.get_schedule(Name="weekly"),
}
"""Function of `common/aws.py` whose client raises the exceptions that are retried -> a request."""


def error_response(code, status=400):
    return status, f'{{"__type": "{code}", "Code": "{code}", "message": "not now"}}'


@pytest.fixture
def error_of(monkeypatch):
    """Return a function that returns the error of a new client, and the number of its requests."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    # botocore sleeps between its tries.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)

    def error_of_client(name, response):
        sent = []

        def send(request, **_):
            sent.append(request)
            if isinstance(response, Exception):
                raise response
            status, text = response
            body = HTTPResponse(body=io.BytesIO(text.encode()), preload_content=False)

            return AWSResponse(request.url, status, {}, body)

        client = getattr(aws, name).__wrapped__()
        client.meta.events.register("before-send", send)
        with pytest.raises(Exception) as error:  # noqa: PT011 - the caller compares it
            REQUESTS[name](client)
        return error.value, len(sent)

    return error_of_client


REFUSED = EndpointConnectionError(endpoint_url="x", error="refused")


@pytest.mark.parametrize("name", REQUESTS)
def test_every_transient_error_has_its_name_and_is_retried_for_reads(error_of, name):
    slow_down = (503, "<Error><Code>SlowDown</Code></Error>")
    throttled = slow_down if name == "s3" else error_response("ThrottlingException")
    for response, expected in (
        (throttled, "Throttled"),
        ((500, "<html>"), "ServiceUnavailable"),
        ((503, "<html>"), "ServiceUnavailable"),
        (ReadTimeoutError(endpoint_url="x"), "ServiceUnavailable"),
        (ConnectTimeoutError(endpoint_url="x"), "ServiceUnavailable"),
        (ConnectionClosedError(endpoint_url="x"), "ServiceUnavailable"),
        (REFUSED, "ServiceUnavailable"),
    ):
        error, sent = error_of(name, response)
        assert (type(error).__name__, sent) == (expected, ATTEMPTS[name]), response


@pytest.mark.parametrize(
    "response, expected, message",
    [
        *(
            (error_response(code), "Throttled", f"DescribeCampaign: {code}: not now")
            for code in (
                "RequestLimitExceeded",
                "SlowDown",
                "Throttling",
                "ThrottlingException",
                "TooManyRequestsException",
            )
        ),
        (error_response("Odd", 500), "ServiceUnavailable", "DescribeCampaign: Odd: not now"),
        (
            ReadTimeoutError(endpoint_url="x"),
            "ServiceUnavailable",
            'the service did not respond: Read timeout on endpoint URL: "x"',
        ),
    ],
)
def test_a_transient_error_names_the_operation_and_the_reason(
    error_of, response, expected, message
):
    error, _ = error_of("personalize_write_client", response)
    assert (type(error).__name__, str(error)) == (expected, message)


@pytest.mark.parametrize("name", ["personalize_write_client", "personalize_read_client"])
@pytest.mark.parametrize(
    "response, expected",
    [
        (error_response("ResourceNotFoundException"), "ResourceNotFoundException"),
        (error_response("AccessDeniedException"), "ClientError"),
        (error_response("Odd", 499), "ClientError"),
        (NoCredentialsError(), "NoCredentialsError"),
    ],
)
def test_any_other_error_is_raised_as_it_is_and_not_retried(error_of, name, response, expected):
    error, sent = error_of(name, response)
    assert (type(error).__name__, sent) == (expected, 1)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_client_gives_up_well_before_the_timeout_of_its_function(monkeypatch, name):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    create_client = getattr(aws, name)
    create_client.cache_clear()
    client = create_client()
    assert create_client() is client, "all invocations share one client"
    create_client.cache_clear()
    config = client.meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS[name]}
    assert (config.connect_timeout, config.read_timeout) == (5, 10)
