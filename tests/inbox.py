"""Receives the messages and the events of the functions in place of SNS and EventBridge."""

import functools
import json
import re
from typing import NamedTuple

from botocore.exceptions import ParamValidationError
from botocore.session import get_session
from botocore.validate import ParamValidator

REFUSED = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that a message must not contain: https://aws.amazon.com/sns/faqs/."""


@functools.cache
def input_shape(service, operation):
    """Return what a service takes in the requests of an operation."""
    return get_session().get_service_model(service).operation_model(operation).input_shape


class Received(NamedTuple):
    """A message as SNS has taken it."""

    topic: str
    subject: str
    body: str
    attributes: dict
    chat: str
    """The body for chat applications."""


class Inbox:
    """Two clients in one: of SNS and of EventBridge. It refuses what the services refuse."""

    def __init__(self):
        self.messages = []
        self.details = []
        self.failure = None
        """An exception that every request raises, or None."""

    def publish(self, **request):
        """Take a message."""
        self._check("sns", "Publish", request)
        subject = request["Subject"]
        assert len(subject) < 100, "SNS refuses a longer subject"
        assert subject.isascii(), "SNS refuses a subject beyond ASCII"
        assert subject.isprintable(), "SNS refuses control characters and line breaks"
        assert len(request["Message"].encode()) <= 262_144, "SNS refuses a larger message"
        assert request["MessageStructure"] == "json"
        bodies = json.loads(request["Message"])
        assert all(isinstance(body, str) and body for body in bodies.values())
        assert not any(map(REFUSED.search, bodies.values())), "SNS refuses these characters"
        attributes = {
            name: value["StringValue"] for name, value in request["MessageAttributes"].items()
        }
        assert all(attributes.values()), "SNS refuses an empty attribute"
        assert {item["DataType"] for item in request["MessageAttributes"].values()} == {"String"}
        self.messages.append(
            Received(request["TopicArn"], subject, bodies["default"], attributes, bodies["https"])
        )
        return {"MessageId": "1"}

    def put_events(self, **request):
        """Take one event."""
        self._check("events", "PutEvents", request)
        (entry,) = request["Entries"]
        assert len(json.dumps(entry)) <= 262_144, "EventBridge refuses a larger event"
        assert (entry["Source"], entry["DetailType"]) == (
            "personalize-retraining",
            "Retraining Run Report",
        )
        detail = json.loads(entry["Detail"])
        assert entry["Resources"] == [detail["executionArn"]]
        self.details.append(detail)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    def _check(self, service, operation, request):
        if self.failure is not None:
            raise self.failure
        report = ParamValidator().validate(request, input_shape(service, operation))
        if report.has_errors():
            raise ParamValidationError(report=report.generate_report())
