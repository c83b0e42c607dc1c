"""Amazon Personalize in memory: it validates, takes time, trains for real, and recommends."""

from .api import Call, Personalize
from .authorization import Caller
from .errors import AccessDenied, ApiError, NoAnswer, NoSuchKey, ObjectError
from .faults import Faults
from .store import Objects, Switches
from .timeline import Duration, FixedTimings, Timings
from .wire import Answer, attach, respond

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
