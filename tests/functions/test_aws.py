"""Tests of the clients: how often they send a request, and which errors they raise."""

import io

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from urllib3 import HTTPResponse

from functions import aws, executions, exports
from functions.errors import ServiceUnavailable, Throttled
from functions.planning import world
from tests.functions.samples import (
    CAMPAIGN,
    NOW,
    REGION,
    SCHEDULE,
    run,
)


class Wire:
    """A connection to AWS that returns one response, or raises one error, for every request."""

    def __init__(self, response):
        self.response = response
        self.sent = []

    def send(self, request, **_):
        """Handle botocore's event `before-send`."""
        self.sent.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        status, body = self.response
        return AWSResponse(
            request.url,
            status,
            {},
            HTTPResponse(body=io.BytesIO(body.encode()), preload_content=False),
        )


@pytest.fixture(autouse=True)
def account(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    # botocore sleeps between its tries.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)


def error_of_personalize(create_client, response):
    """Return the error of a new client that gets this response, and the number of requests."""
    create_client.cache_clear()
    client = create_client()
    create_client.cache_clear()
    wire = Wire(response)
    client.meta.events.register("before-send.personalize", wire.send)
    with pytest.raises(Exception) as error:  # noqa: PT011 - the caller compares it
        client.describe_campaign(campaignArn=CAMPAIGN)
    return error.value, len(wire.sent)


def error_of_service(service, response, monkeypatch):
    """Return the error that a function raises if the service sends this response."""
    create_client, wire = boto3.client, Wire(response)

    def create_tapped_client(name, **options):
        client = create_client(name, **options)
        client.meta.events.register("before-send", wire.send)
        return client

    monkeypatch.setattr("boto3.client", create_tapped_client)
    for cached in (aws.s3, aws.scheduler, aws.stepfunctions):
        cached.cache_clear()
    with pytest.raises(Exception) as error:  # noqa: PT011 - the caller compares it
        OTHER_SERVICES[service]()
    for cached in (aws.s3, aws.scheduler, aws.stepfunctions):
        cached.cache_clear()
    return error.value


def error_response(code, status=400):
    return status, f'{{"__type": "{code}", "message": "not now"}}'


SCHEDULED = {"scheduledTime": NOW.isoformat(), "scheduleArn": SCHEDULE}
OTHER_SERVICES = {
    "s3": lambda: exports.list_objects(aws.s3(), "s3://exports/interactions.csv"),
    "states": lambda: executions.older_executions(aws.stepfunctions(), run()),
    "scheduler": lambda: world._schedule_changed_at(SCHEDULED),  # noqa: SLF001 - its only use
}
"""Service -> a call of a function that sends a request to it."""

THROTTLING = {
    "s3": (503, "<Error><Code>SlowDown</Code></Error>"),
    "states": error_response("ThrottlingException"),
    "scheduler": (429, '{"Code": "ThrottlingException", "Message": "no"}'),
}
REFUSED = EndpointConnectionError(endpoint_url="x", error="refused")
TRANSIENT = {
    "throttling": (error_response("ThrottlingException"), "Throttled"),
    "a 5xx": (error_response("InternalServerError", 500), "ServiceUnavailable"),
    "a 5xx of a gateway": ((503, "<html>"), "ServiceUnavailable"),
    "a read timeout": (ReadTimeoutError(endpoint_url="x"), "ServiceUnavailable"),
    "a connection timeout": (ConnectTimeoutError(endpoint_url="x"), "ServiceUnavailable"),
    "a refused connection": (REFUSED, "ServiceUnavailable"),
    "a closed connection": (ConnectionClosedError(endpoint_url="x"), "ServiceUnavailable"),
}


@pytest.mark.parametrize(("response", "name"), TRANSIENT.values(), ids=TRANSIENT)
@pytest.mark.parametrize(
    ("create_client", "times"),
    [(aws.write_client, 1), (aws.read_client, 4)],
)
def test_a_write_is_sent_once_and_a_read_four_times(response, name, create_client, times):
    error, sent = error_of_personalize(create_client, response)
    assert (type(error).__name__, sent) == (name, times)


@pytest.mark.parametrize("service", OTHER_SERVICES)
@pytest.mark.parametrize(
    ("responses", "name"),
    [
        (THROTTLING, "Throttled"),
        (dict.fromkeys(OTHER_SERVICES, (500, "<html>")), "ServiceUnavailable"),
        (dict.fromkeys(OTHER_SERVICES, REFUSED), "ServiceUnavailable"),
    ],
    ids=["throttling", "a 5xx", "a refused connection"],
)
def test_transient_errors_of_all_services_have_the_same_names(
    service, responses, name, monkeypatch
):
    error = error_of_service(service, responses[service], monkeypatch)
    assert type(error).__name__ == name


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (
            error_response("ThrottlingException"),
            "DescribeCampaign: ThrottlingException: not now",
        ),
        (
            error_response("InternalServerError", 500),
            "DescribeCampaign: InternalServerError: not now",
        ),
        (
            ReadTimeoutError(endpoint_url="x"),
            'the service did not respond: Read timeout on endpoint URL: "x"',
        ),
    ],
)
def test_a_transient_error_names_the_operation_and_the_reason(response, message):
    error, _ = error_of_personalize(aws.write_client, response)
    assert str(error) == message


@pytest.mark.parametrize("create_client", [aws.write_client, aws.read_client])
@pytest.mark.parametrize(
    ("response", "name"),
    [
        (error_response("ResourceNotFoundException"), "ResourceNotFoundException"),
        (error_response("AccessDeniedException"), "ClientError"),
        (NoCredentialsError(), "NoCredentialsError"),
    ],
    ids=["in the model", "not in the model", "without credentials"],
)
def test_any_other_error_is_raised_as_it_is_and_not_retried(create_client, response, name):
    error, sent = error_of_personalize(create_client, response)
    assert (type(error).__name__, sent) == (name, 1)


@pytest.mark.parametrize(
    "code",
    [
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ],
)
def test_every_code_for_throttling_is_throttled(personalize, code):
    personalize.expect_error("describe_campaign", code, "slow", campaignArn=CAMPAIGN)
    with pytest.raises(Throttled, match=f"^DescribeCampaign: {code}: slow$"):
        personalize.client.describe_campaign(campaignArn=CAMPAIGN)


@pytest.mark.parametrize(("status", "expected"), [(499, ClientError), (500, ServiceUnavailable)])
def test_a_status_of_500_or_more_is_a_fault_of_the_service(personalize, status, expected):
    personalize.expect_error("describe_campaign", "Odd", status=status, campaignArn=CAMPAIGN)
    with pytest.raises(expected):
        personalize.client.describe_campaign(campaignArn=CAMPAIGN)


@pytest.mark.parametrize(
    ("create_client", "attempts"),
    [
        (aws.write_client, 1),
        (aws.read_client, 4),
        (aws.runtime_client, 1),
        (aws.s3, 4),
        (aws.stepfunctions, 4),
        (aws.scheduler, 4),
    ],
)
def test_a_client_gives_up_well_before_the_timeout_of_its_function(create_client, attempts):
    create_client.cache_clear()
    client = create_client()
    assert create_client() is client, "all invocations share one client"
    create_client.cache_clear()
    config = client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
    assert (config.connect_timeout, config.read_timeout) == (5, 10)
