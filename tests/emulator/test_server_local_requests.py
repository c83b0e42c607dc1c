"""Proves that no web page can use the emulator, and that the clients of AWS still can."""

import contextlib
import http.client
import json
import socket
from urllib.parse import urlsplit

import boto3
import pytest
from small_stack import create_function, invoke

FUNCTIONS = "/2015-03-31/functions/"


def port_of(aws):
    return urlsplit(aws.endpoint).port


def ask(aws, method="GET", path="/_emulator/health", host=None, **headers):
    """Return the status, the headers and the body of a response to a raw request."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(aws), timeout=30)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", host or f"127.0.0.1:{port_of(aws)}")
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    with response:
        body = response.read().decode()
    connection.close()
    return response.status, dict(response.getheaders()), body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
def test_a_request_for_the_loopback_address_is_answered(aws, host):
    status, _, body = ask(aws, host=f"{host}:{port_of(aws)}")
    assert (status, json.loads(body)["status"]) == (200, "ok")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.1:{port}.evil.example",
        "evil.localhost:{port}",
        "exports.s3.localhost:{port}",
        "abc.execute-api.localhost:{port}",
        "user@127.0.0.1:{port}",
        "0.0.0.0:{port}",
    ],
)
@pytest.mark.parametrize("path", ["/_emulator/health", "/", FUNCTIONS, "/_ministack/health"])
def test_a_request_for_another_host_or_port_is_refused(aws, host, path):
    host = host.format(port=port_of(aws))
    status, _, body = ask(aws, path=path, host=host)
    port = port_of(aws)
    assert (status, body) == (
        403,
        (
            f"the Host header is {host!r}; the emulator answers only to 127.0.0.1:{port},"
            f" localhost:{port} and [::1]:{port}, so that no web page can reach it by a host name"
            " of its own\n"
        ),
    )


def test_a_request_without_a_host_is_refused(aws):
    with socket.create_connection(("127.0.0.1", port_of(aws)), timeout=30) as connection:
        connection.sendall(b"GET /_emulator/health HTTP/1.0\r\n\r\n")
        assert connection.recv(65536).split(b" ")[1] == b"403"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:{port}", ""])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
@pytest.mark.parametrize("path", ["/_emulator/health", "/exports/key", FUNCTIONS])
def test_a_request_of_a_web_page_is_refused(aws, origin, method, path):
    origin = origin.format(port=port_of(aws))
    status, headers, body = ask(aws, method, path, Origin=origin)
    assert (status, body) == (
        403,
        (
            f"the request has the Origin {origin!r}; the emulator answers no web page, use an AWS"
            " SDK, the AWS CLI or curl\n"
        ),
    )
    assert not [name for name in headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin"])
def test_a_request_that_a_page_sends_without_an_origin_is_refused(aws, site):
    status, _, body = ask(aws, Sec_Fetch_Site=site)
    assert (status, body) == (
        403,
        (
            f"the request has the header Sec-Fetch-Site: {site}; the emulator answers no web page,"
            " use an AWS SDK, the AWS CLI or curl\n"
        ),
    )


def test_a_user_may_open_a_control_in_the_address_bar(aws):
    assert ask(aws, Sec_Fetch_Site="none")[0] == 200


@pytest.mark.parametrize("path", ["/", "/_emulator/faults", "/exports/key", FUNCTIONS])
def test_the_question_of_a_browser_before_a_request_is_not_answered(aws, path):
    status, headers, _ = ask(aws, "OPTIONS", path, Access_Control_Request_Method="POST")
    assert status == 403
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_a_websocket_of_a_web_page_is_refused(aws):
    status, _, _ = ask(
        aws,
        path="/mqtt",
        Origin="https://evil.example",
        Connection="Upgrade",
        Upgrade="websocket",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
    )
    assert status == 403


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("s3", "list_buckets"),
        ("lambda", "list_functions"),
        ("sqs", "list_queues"),
        ("stepfunctions", "list_state_machines"),
        ("personalize", "list_schemas"),
    ],
)
def test_no_response_lets_a_web_page_read_it(aws, service, operation):
    response = getattr(aws.client(service), operation)()
    names = response["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in names if name.startswith("access-control-")]


def test_no_control_of_ministack_lets_a_web_page_read_it(aws):
    status, headers, _ = ask(aws, path="/_ministack/health")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_boto3_reaches_buckets_by_the_name_localhost_too(aws):
    connection = {**aws.connection, "endpoint_url": f"http://localhost:{port_of(aws)}"}
    s3 = boto3.client("s3", **connection)
    s3.create_bucket(
        Bucket="by-localhost", CreateBucketConfiguration={"LocationConstraint": aws.region}
    )
    s3.put_object(Bucket="by-localhost", Key="folder/key", Body=b"text")
    assert s3.get_object(Bucket="by-localhost", Key="folder/key")["Body"].read() == b"text"


RUNTIME_API_CODE = """
import os

def handler(event, context):
    return os.environ["AWS_LAMBDA_RUNTIME_API"]
"""


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("evil.example:{port}", {}),
        ("127.0.0.1:1", {}),
        ("127.0.0.1:{port}", {"Origin": "https://evil.example"}),
        ("127.0.0.1:{port}", {"Sec-Fetch-Site": "cross-site"}),
    ],
)
def test_a_web_page_can_read_no_event_of_a_function_and_answer_none(
    aws, runtime_api, host, headers
):
    function, port = runtime_api
    for method, path in (
        ("GET", "invocation/next"),
        ("POST", "init/error"),
        ("OPTIONS", "invocation/next"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request(
                method,
                f"/2018-06-01/runtime/{path}",
                headers={"Host": host.format(port=port), **headers},
            )
            assert connection.getresponse().status == 403, (method, path)
    assert invoke(aws, function, {}) == f"127.0.0.1:{port}", "the function still gets its events"


@pytest.fixture(scope="module")
def runtime_api(aws):
    """A function whose environment is running, and the port from which it gets its events."""
    function = create_function(aws, "runtime-api", code=RUNTIME_API_CODE)
    return function, int(invoke(aws, function, {}).rpartition(":")[2])
