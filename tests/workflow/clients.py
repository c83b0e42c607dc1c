"""Share the boto3 clients of all pipelines. A client takes as long to create as a run takes."""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.session import get_session

from emulator.personalize import ApiError, Caller, NoResponse, Personalize, attach
from emulator.protocol.wire import intercept
from emulator.virtual.step_functions import StepFunctions
from functions.common import aws
from tests.inbox import Inbox
from tests.workflow.alarms import Alarms
from tests.workflow.bucket import Bucket
from tests.world import ACCOUNT, REGION

OPERATOR = Caller(ACCOUNT, REGION, f"arn:aws:iam::{ACCOUNT}:root")
FUNCTIONS = Caller(ACCOUNT, REGION, f"arn:aws:sts::{ACCOUNT}:assumed-role/functions/session")
CLIENTS_OF_FUNCTIONS = (
    "personalize_read_client",
    "personalize_write_client",
    "personalize_runtime_client",
    "stepfunctions",
    "scheduler",
)


class CurrentService:
    """The services of the pipeline that is deployed now. The shared clients send requests here."""

    personalize: Personalize | None = None
    step_functions: StepFunctions | None = None
    schedule_changed_at: Callable[[], datetime] | None = None

    def __init__(self) -> None:
        self._pending = threading.local()

    @property
    def failure(self) -> Exception | None:
        """The failure of the request that botocore is about to send in this thread."""
        return getattr(self._pending, "failure", None)

    @failure.setter
    def failure(self, failure: Exception | None) -> None:
        self._pending.failure = failure

    def call(
        self, operation_name: str, request: Mapping[str, object], caller: Caller
    ) -> Mapping[str, object]:
        """Forward a request to the present emulator of Personalize."""
        if self.failure is not None:
            failure = self.failure
            self.failure = None
            raise failure

        return self.personalize.call(operation_name, request, caller)

    def call_step_functions(self, operation: str, request: Mapping[str, object]):
        """Forward a request to the present Step Functions."""
        return self.step_functions.respond(operation, request)

    def get_schedule(self, **_: object):
        """Return the response of GetSchedule, so that botocore does not send the request."""
        changed_at = self.schedule_changed_at()
        return SimpleNamespace(status_code=200), {
            "CreationDate": changed_at,
            "LastModificationDate": changed_at,
            "ScheduleExpression": "rate(7 days)",
        }


CURRENT = CurrentService()


@functools.cache
def shared_clients() -> Mapping[str, object]:
    """Return the operator's client, and the functions' clients by their names in `aws`."""
    with patch("boto3.client", _create_client):
        clients = {name: getattr(aws, name).__wrapped__() for name in CLIENTS_OF_FUNCTIONS}

    operator = _create_client("personalize", caller=OPERATOR)
    return {**clients, "operator": operator}


@contextmanager
def use_shared_clients(
    personalize: Personalize,
    step_functions: StepFunctions,
    bucket: Bucket,
    inbox: Inbox,
    schedule_changed_at: Callable[[], datetime],
    *,
    alarms: Alarms,
) -> Iterator[None]:
    """Make the functions use the shared clients and these services inside the block."""
    clients = {**shared_clients(), "s3": bucket, "sns": inbox, "eventbridge": inbox}
    clients["cloudwatch"] = alarms
    names = (*CLIENTS_OF_FUNCTIONS, "s3", "sns", "eventbridge", "cloudwatch")
    for name in names:
        # The modules of `functions` have imported these functions, so only their caches can change.
        getattr(aws, name).cache_clear()
        with (
            patch("boto3.client", lambda *_, client=clients[name], **__: client),
            patch.object(aws, "translate_transient_errors", lambda client: client),
        ):
            getattr(aws, name)()
    services = {
        "personalize": personalize,
        "step_functions": step_functions,
        "schedule_changed_at": schedule_changed_at,
    }
    try:
        with patch.multiple(CURRENT, **services):
            yield
    finally:
        for name in names:
            getattr(aws, name).cache_clear()


def _create_client(service: str, *, caller: Caller = FUNCTIONS, **options: object):
    """Create a boto3 client whose requests are answered in this process."""
    client = _session().client(service, region_name=REGION, **options)
    events = client.meta.events
    # botocore computes this for every event, which takes a tenth of a run.
    events._alias_event_name = functools.cache(events._alias_event_name)  # noqa: SLF001
    if service.startswith("personalize"):
        attach(client, CURRENT, caller)
        _respond_without_http(client, caller)
    if service == "stepfunctions":
        # A test may replace the method after the client was created.
        intercept(client, lambda *call: CURRENT.call_step_functions(*call))  # noqa: PLW0108
    if service == "scheduler":
        events.register("before-call.scheduler.GetSchedule", CURRENT.get_schedule)

    return client


def _respond_without_http(client, caller: Caller) -> None:
    """Make a client return the response of a successful request without botocore.

    botocore takes half of the time of a run. It still sends the requests that fail, because it
    retries them and raises its own errors.
    """
    send_with_botocore = client._make_api_call  # noqa: SLF001 - botocore has no public way

    def make_api_call(operation: str, request: Mapping[str, object]):
        try:
            return _as_botocore_parses(CURRENT.call(operation, request, caller))
        except (ApiError, NoResponse) as failure:
            CURRENT.failure = failure
        try:
            return send_with_botocore(operation, request)
        finally:
            CURRENT.failure = None

    client._make_api_call = make_api_call  # noqa: SLF001 - (as above)


def _as_botocore_parses(value: object) -> object:
    """Return a copy of a response. Personalize sends times in whole milliseconds."""
    if isinstance(value, dict):
        return {key: _as_botocore_parses(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_botocore_parses(item) for item in value]
    if isinstance(value, datetime):
        return datetime.fromtimestamp(round(value.timestamp(), 3), UTC)

    return value


@functools.cache
def _session() -> boto3.Session:
    """Return the session of all clients. It does not sign requests, which takes half their time."""
    session = get_session()
    session.set_credentials("testing", "testing")
    session.set_default_client_config(Config(signature_version=UNSIGNED, user_agent="tests"))

    return boto3.Session(botocore_session=session)
