"""Creates physical names as Pulumi does, and checks names against the rules of AWS."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class NameRule:
    """The rule that AWS has for the names of one kind of resource."""

    limit: int
    """The longest name, in characters."""
    pattern: str
    """A regular expression that the whole name must match."""

    def error(self, name: str) -> str | None:
        """Return an error message if AWS would refuse the name, else None."""
        if len(name) > self.limit:
            return f"{name!r} has {len(name)} characters, AWS allows {self.limit}"
        if not re.fullmatch(self.pattern, name):
            return f"{name!r} does not match AWS's pattern {self.pattern}"
        return None


def automatic_name(logical_name: str, digits: str) -> str:
    """Return the physical name that Pulumi makes of a logical name, for example `queue-1a2b3c4`.

    It ends with the first 7 of the hexadecimal digits.
    """
    return f"{logical_name}-{digits[:7]}"


def hexadecimal_digits(seed: str | bytes) -> str:
    """Return 64 hexadecimal digits that are always the same for a seed."""
    return hashlib.sha256(seed.encode() if isinstance(seed, str) else seed).hexdigest()


# The limits and patterns are those of botocore's service models, unless a line says why not.
WORD = r"[A-Za-z0-9_-]+"
ROLE = NameRule(64, r"[\w+=,.@-]+")
ROLE_POLICY = NameRule(128, r"[\w+=,.@-]+")
# The model's 140 characters are for an ARN: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
FUNCTION = NameRule(64, WORD)
STATEMENT = NameRule(100, WORD)
LOG_GROUP = NameRule(512, r"[.\-_/#A-Za-z0-9]+")
EVENT_RULE = NameRule(64, r"[.\-_A-Za-z0-9]+")
EVENT_TARGET = EVENT_RULE
# The model has no pattern: https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
STATE_MACHINE = NameRule(80, r'[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]+')
SCHEDULE = NameRule(64, r"[0-9a-zA-Z\-_.]+")
SCHEDULE_GROUP = SCHEDULE
# The model has no limit and no pattern: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
QUEUE = NameRule(80, WORD)
# The model has no limit and no pattern: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
TOPIC = NameRule(256, WORD)
ALARM = NameRule(255, r"[^\x00-\x1f\x7f]+")
# The model has no limit and no pattern: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
DASHBOARD = NameRule(255, WORD)
# The model also allows control characters, which no console shows.
METRIC_FILTER = NameRule(512, r"[^:*\x00-\x1f\x7f]+")
