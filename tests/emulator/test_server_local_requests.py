"""Proves that no web page can use the emulator, and that the clients of AWS still can."""

import contextlib
import http.client
import socket
from urllib.parse import urlsplit

import boto3
import pytest
from small_stack import create_function, invoke

from emulator.server.local_requests import explain_refusal

FUNCTIONS = "/2015-03-31/functions/"
NO_PAGE = "the emulator answers no web page, use an AWS SDK, the AWS CLI or curl"


def test_each_request_of_the_golden_file_is_answered_or_refused(golden):
    def answer(line):
        if line.startswith("#"):
            return []
        method, *texts = line.split(" | ")
        headers = [(name, value.strip()) for name, _, value in (t.partition(":") for t in texts)]
        return explain_refusal(method, headers, port=4566) or "is answered"

    golden.answers("local_requests.txt", answer)


# The server


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

    return response.status, [name.lower() for name, _ in response.getheaders()], body


def has_cors(names):
    return any(name.startswith("access-control-") for name in names)


@pytest.mark.parametrize("path", ["/_emulator/health", "/", "/exports/key", FUNCTIONS])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_path_answers_a_web_page(aws, path, method):
    status, names, body = ask(aws, method, path, Origin="null")
    assert (status, body) == (403, f"the request has the Origin 'null'; {NO_PAGE}\n")
    assert not has_cors(names)
    assert ask(aws, method, path, host="evil.example")[0] == 403


def test_a_request_without_a_host_and_a_websocket_are_refused(aws):
    with socket.create_connection(("127.0.0.1", port_of(aws)), timeout=30) as connection:
        connection.sendall(b"GET /_emulator/health HTTP/1.0\r\n\r\n")
        assert connection.recv(65536).split(b" ")[1] == b"403"
    key = {"Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert ask(aws, path="/mqtt", Connection="Upgrade", Upgrade="websocket", **key)[0] == 403


def test_no_response_lets_a_web_page_read_it(aws):
    services = {"s3": "list_buckets", "sqs": "list_queues", "stepfunctions": "list_state_machines"}
    for service, operation in {**services, "personalize": "list_schemas"}.items():
        response = getattr(aws.client(service), operation)()["ResponseMetadata"]
        assert not has_cors(response["HTTPHeaders"]), service
        assert len(response["HTTPHeaders"]["x-amzn-requestid"]) == 36, f"one id of {service}"
    status, names, _ = ask(aws, path="/_ministack/health")

    assert (status, has_cors(names)) == (200, False)


def test_boto3_reaches_buckets_by_the_name_localhost_too(aws):
    connection = {**aws.connection, "endpoint_url": f"http://localhost:{port_of(aws)}"}
    s3 = boto3.client("s3", **connection)
    bucket = "by-localhost"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=bucket, Key="folder/key", Body=b"text")
    assert s3.get_object(Bucket=bucket, Key="folder/key")["Body"].read() == b"text"


def test_a_web_page_can_read_no_event_of_a_function_and_answer_none(aws):
    code = "import os\ndef handler(event, _):\n    return os.environ['AWS_LAMBDA_RUNTIME_API']\n"
    function = create_function(aws, "runtime-api", code=code)
    address = invoke(aws, function, {})
    port = int(address.rpartition(":")[2])
    for headers, method, path in (
        ({"Host": f"evil.example:{port}"}, "GET", "invocation/next"),
        ({"Host": "127.0.0.1:1"}, "POST", "init/error"),
        ({"Host": address, "Origin": "https://evil.example"}, "OPTIONS", "invocation/next"),
        ({"Host": address, "Sec-Fetch-Site": "cross-site"}, "GET", "invocation/next"),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, f"/2018-06-01/runtime/{path}", headers=headers)
            assert connection.getresponse().status == 403, (headers, method, path)

    assert invoke(aws, function, {}) == address, "the function still gets its events"
