"""An Amazon Personalize in memory that validates requests, trains models and recommends items."""

from emulator.personalize.api import Call, Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import AccessDenied, ApiError, NoResponse, NoSuchKey, ObjectError
from emulator.personalize.faults import Faults
from emulator.personalize.store import Objects, Switches
from emulator.personalize.timeline import Duration, FixedTimings, Timings
from emulator.personalize.wire import Response, attach, respond

__all__ = [
    "AccessDenied",
    "ApiError",
    "Call",
    "Caller",
    "Duration",
    "Faults",
    "FixedTimings",
    "NoResponse",
    "NoSuchKey",
    "ObjectError",
    "Objects",
    "Personalize",
    "Response",
    "Switches",
    "Timings",
    "attach",
    "respond",
]
