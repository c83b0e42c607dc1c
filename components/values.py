"""Problems, and what is wrong with a single setting: locations, tags, numbers, choices. Pure.

Each function answers with what is wrong with a value and the way out, or None.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import NamedTuple

MAX_LOCATION = 256
"""Characters of a dataLocation, by the API's model."""
MAX_TAGS = 40
"""AWS allows 50 a resource; the pipeline adds its own."""
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256
RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""Days that CloudWatch Logs can keep events for, by PutRetentionPolicy's documentation."""

_TAG_SIGNS = "_.:/=+-@"
_BUCKET = r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


class Problem(NamedTuple):
    """Something wrong with a pipeline's arguments, or worth a warning."""

    key: str
    """Where, in the stack config's words, as `solutions[0].solutionArn`."""
    value: object
    """What was given; None where nothing was."""
    message: str
    """What is wrong with it, and the way out."""

    def __str__(self) -> str:
        """Give one line."""
        given = "" if self.value is None else f"{self.value!r} "
        return f"{self.key}: {given}{self.message}"


def location_problem(text: str, example: str) -> str | None:
    """Judge what an import shall read: a file in S3, or a prefix that ends in `/`."""
    if not text:
        return f"missing; the CSV to import, for example '{example}'"
    if len(text) > MAX_LOCATION:
        return f"is {len(text)} characters long; Personalize takes at most {MAX_LOCATION}"
    if placeholder := re.search(r"\{[^}]*\}?", text):
        return f"has the unknown placeholder {placeholder[0]!r}; write out where the data lies"
    if not text.startswith("s3://"):
        return f"is no location in S3; expected one like '{example}'"
    return _object_problem(text, example)


def choice_problem(given: str, choices: Collection[str]) -> str | None:
    """Judge a word out of a few."""
    if given in choices:
        return None
    nearest = get_close_matches(given.upper(), choices, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"expected {' or '.join(choices)}"
    return f"is unknown; {hint}"


def hours_problem(given: float, most: float, reason: str) -> str | None:
    """Judge a deadline in hours; `reason` says why `most` is the longest."""
    if not given > 0:
        return "is no time to work in; expected a positive number of hours"
    if given > most:
        return f"is more than {most} hours; {reason}"
    return None


def retention_problem(days: int) -> str | None:
    """Judge how many days the logs are kept."""
    if days in RETENTIONS:
        return None
    nearest = min(RETENTIONS, key=lambda each: abs(each - days))
    return f"is not among the retentions of CloudWatch Logs; the nearest is {nearest}"


def tag_problems(tags: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Give key, value and problem of each tag that AWS would refuse."""
    for key, value in tags.items():
        if not key or len(key) > MAX_TAG_KEY:
            yield key, value, f"has a key of {len(key)} characters; expected 1 to {MAX_TAG_KEY}"
        elif key.lower().startswith("aws:"):
            yield key, value, "has a key that begins with aws:, which AWS keeps for itself"
        elif len(value) > MAX_TAG_VALUE:
            yield key, value, f"is {len(value)} characters long; a tag has at most {MAX_TAG_VALUE}"
        elif bad := next((each for each in key + value if not _fits_tag(each)), None):
            allowed = " ".join(_TAG_SIGNS)
            yield key, value, f"holds {bad!r}; tags hold letters, digits, spaces and {allowed}"


def _object_problem(text: str, example: str) -> str | None:
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not re.fullmatch(_BUCKET, bucket):
        return f"has {bucket!r} as bucket, which is no bucket's name; expected one like '{example}'"
    if not key:
        return f"is a whole bucket; name a file or a prefix in it, for example '{example}'"
    if not re.search(r"/$|[^/]\.[a-zA-Z0-9]+$", key):
        return f"is neither a file nor a prefix; write '{text}.csv' or '{text}/'"
    return None


def _fits_tag(character: str) -> bool:
    return unicodedata.category(character)[0] in "LZN" or character in _TAG_SIGNS
