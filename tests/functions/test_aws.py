"""The clients of Personalize: how often they send, and which of its errors have names of ours."""

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
from functions.personalize import versions
from functions.planning import world
from tests.functions.samples import (
    CAMPAIGN,
    NOW,
    REGION,
    SCHEDULE,
    SOLUTION,
    VERSION,
    ago,
    run,
    version,
)


class Wire:
    """What lies between a client and AWS: every request that is sent gets the same answer."""

    def __init__(self, answer):
        self.answer = answer
        self.sent = []

    def answer_to(self, request, **_):
        """Answer a request, as a handler of botocore's event `before-send`."""
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        status, body = self.answer
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
    # Between tries botocore sleeps.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)


def asked(make, answer):
    """Ask a new client whose every request gets this answer: the error, and how often it sent."""
    make.cache_clear()
    client = make()
    make.cache_clear()
    wire = Wire(answer)
    client.meta.events.register("before-send.personalize", wire.answer_to)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the caller compares it
        client.describe_campaign(campaignArn=CAMPAIGN)
    return raised.value, len(wire.sent)


def refusal(code, status=400):
    return status, f'{{"__type": "{code}", "message": "not now"}}'


def asked_of_another(service, answer, monkeypatch):
    """Ask another service, as the functions do, whose every answer is this one."""
    make, wire = boto3.client, Wire(answer)

    def tapped(name, **options):
        client = make(name, **options)
        client.meta.events.register("before-send", wire.answer_to)
        return client

    monkeypatch.setattr("boto3.client", tapped)
    for cached in (aws.s3, aws.scheduler, aws.stepfunctions):
        cached.cache_clear()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the caller compares it
        OTHERS[service]()
    for cached in (aws.s3, aws.scheduler, aws.stepfunctions):
        cached.cache_clear()
    return raised.value


SCHEDULED = {"scheduledTime": NOW.isoformat(), "scheduleArn": SCHEDULE}
OTHERS = {
    "s3": lambda: exports.read_export(aws.s3(), "s3://exports/interactions.csv"),
    "states": lambda: executions.older_run(aws.stepfunctions(), run()),
    "scheduler": lambda: world._schedule_changed_at(SCHEDULED),  # noqa: SLF001 - read as a part
}

THROTTLING = {
    "s3": (503, "<Error><Code>SlowDown</Code></Error>"),
    "states": refusal("ThrottlingException"),
    "scheduler": (429, '{"Code": "ThrottlingException", "Message": "no"}'),
}
PASSING = {
    "throttling": (refusal("ThrottlingException"), "Throttled"),
    "a 5xx": (refusal("InternalServerError", 500), "ServiceUnavailable"),
    "a gateway's 5xx": ((503, "<html>"), "ServiceUnavailable"),
    "a read time-out": (ReadTimeoutError(endpoint_url="x"), "ServiceUnavailable"),
    "a connection time-out": (ConnectTimeoutError(endpoint_url="x"), "ServiceUnavailable"),
    "a refused connection": (
        EndpointConnectionError(endpoint_url="x", error="refused"),
        "ServiceUnavailable",
    ),
    "a closed connection": (ConnectionClosedError(endpoint_url="x"), "ServiceUnavailable"),
}


@pytest.mark.parametrize(("answer", "name"), PASSING.values(), ids=PASSING)
@pytest.mark.parametrize(("make", "times"), [(aws.writer, 1), (aws.reader, 4)])
def test_a_write_is_sent_once_and_a_read_four_times(answer, name, make, times):
    error, sent = asked(make, answer)
    assert (type(error).__name__, sent) == (name, times)


@pytest.mark.parametrize("service", OTHERS)
@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (THROTTLING, "Throttled"),
        (dict.fromkeys(OTHERS, (500, "<html>")), "ServiceUnavailable"),
        (
            dict.fromkeys(OTHERS, EndpointConnectionError(endpoint_url="x", error="refused")),
            "ServiceUnavailable",
        ),
    ],
    ids=["throttling", "a 5xx", "a refused connection"],
)
def test_errors_of_other_services_that_pass_are_named_alike(service, answer, name, monkeypatch):
    error = asked_of_another(service, answer[service], monkeypatch)
    assert type(error).__name__ == name


def test_the_names_say_what_was_asked_and_what_was_said():
    error, _ = asked(aws.writer, refusal("ThrottlingException"))
    assert str(error) == "DescribeCampaign: ThrottlingException: not now"
    error, _ = asked(aws.writer, refusal("InternalServerError", 500))
    assert str(error) == "DescribeCampaign: InternalServerError: not now"
    error, _ = asked(aws.writer, ReadTimeoutError(endpoint_url="x"))
    assert str(error) == 'no answer: Read timeout on endpoint URL: "x"'


@pytest.mark.parametrize("make", [aws.writer, aws.reader])
@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (refusal("ResourceNotFoundException"), "ResourceNotFoundException"),
        (refusal("AccessDeniedException"), "ClientError"),
        (NoCredentialsError(), "NoCredentialsError"),
    ],
    ids=["modelled", "unmodelled", "our own fault"],
)
def test_other_errors_are_as_they_are_and_not_tried_again(make, answer, name):
    error, sent = asked(make, answer)
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
def test_every_way_to_say_throttling_is_throttled(personalize, code):
    personalize.refuses("describe_campaign", code, "slow", campaignArn=CAMPAIGN)
    with pytest.raises(Throttled, match=f"^DescribeCampaign: {code}: slow$"):
        personalize.client.describe_campaign(campaignArn=CAMPAIGN)


@pytest.mark.parametrize(("status", "expected"), [(499, ClientError), (500, ServiceUnavailable)])
def test_what_begins_with_5_is_the_services_fault(personalize, status, expected):
    personalize.refuses("describe_campaign", "Odd", status=status, campaignArn=CAMPAIGN)
    with pytest.raises(expected):
        personalize.client.describe_campaign(campaignArn=CAMPAIGN)


@pytest.mark.parametrize(
    ("make", "attempts"),
    [
        (aws.writer, 1),
        (aws.reader, 4),
        (aws.runtime, 1),
        (aws.s3, 4),
        (aws.stepfunctions, 4),
        (aws.scheduler, 4),
    ],
)
def test_a_client_gives_up_well_inside_its_functions_timeout(make, attempts):
    make.cache_clear()
    client = make()
    assert make() is client, "one client serves all invocations"
    make.cache_clear()
    config = client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
    assert (config.connect_timeout, config.read_timeout) == (5, 10)


def test_a_version_is_as_old_as_its_description_says(personalize):
    answer = {"solutionVersion": version()}
    personalize.says("describe_solution_version", answer, solutionVersionArn=VERSION)
    assert versions.version_created_at(personalize.client, VERSION) == ago(1)


def test_the_newest_version_whichever_it_is_has_no_age(personalize):
    assert versions.version_created_at(personalize.client, f"{SOLUTION}/$LATEST") is None
