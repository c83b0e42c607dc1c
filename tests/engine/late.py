"""A proxy of an emulator that delays the responses to GetCallerIdentity."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HEADERS_OF_THE_CONNECTION = {"connection", "content-length", "date", "server", "transfer-encoding"}
"""The headers that the proxy writes itself instead of copying them from the emulator."""


@contextmanager
def late_identity(endpoint: str, seconds: float) -> Iterator[str]:
    """Start a proxy of an endpoint that delays GetCallerIdentity by these seconds.

    Yield the URL of the proxy.
    """
    target = urlsplit(endpoint)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            """Send the request to the endpoint, and return the response to the caller."""
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            if b"Action=GetCallerIdentity" in body:
                time.sleep(seconds)
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
            # The emulator answers only to its own address.
            headers = {**dict(self.headers), "Host": target.netloc}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in HEADERS_OF_THE_CONNECTION:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = forward  # noqa: N815

        def log_message(self, *_arguments) -> None:
            """Do not write to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
