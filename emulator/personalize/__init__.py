"""Amazon Personalize in memory: it validates, takes time, trains for real, and recommends."""

from emulator.personalize.api import Call, Personalize
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import AccessDenied, ApiError, NoAnswer, NoSuchKey, ObjectError
from emulator.personalize.faults import Faults
from emulator.personalize.store import Objects, Switches
from emulator.personalize.timeline import Duration, FixedTimings, Timings
from emulator.personalize.wire import Answer, attach, respond

__all__ = [
    "AccessDenied",
    "Answer",
    "ApiError",
    "Call",
    "Caller",
    "Duration",
    "Faults",
    "FixedTimings",
    "NoAnswer",
    "NoSuchKey",
    "ObjectError",
    "Objects",
    "Personalize",
    "Switches",
    "Timings",
    "attach",
    "respond",
]
