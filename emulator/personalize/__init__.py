"""An in-memory Amazon Personalize that validates requests, trains models and recommends items."""

from emulator.personalize.api import Personalize, attach
from emulator.personalize.authorization import Caller
from emulator.personalize.errors import JobFailed
from emulator.personalize.faults import Faults
from emulator.personalize.store import Switches
from emulator.personalize.timeline import Duration, FixedTimings
from emulator.protocol.errors import ApiError, NoResponse

__all__ = [
    "ApiError",
    "Caller",
    "Duration",
    "Faults",
    "FixedTimings",
    "JobFailed",
    "NoResponse",
    "Personalize",
    "Switches",
    "attach",
]
