"""The rules of a single setting. `args.py` declares a rule in the type of the field that has it.

A rule is called with the value of a setting. It returns an error message, or None. The message says
what is wrong, and after a semicolon what to write instead.
"""

import math
import re
from collections.abc import Sized
from typing import Annotated, Any, NamedTuple, get_args, get_origin

DATE_PLACEHOLDER = "{date}"
"""The placeholder in a location. The day of the run in UTC, as 2026-11-29, replaces it."""
MAX_LOCATION_CHARACTERS = 256
"""The most characters of a dataLocation in the API's model."""
MAX_ID_CHARACTERS = 256
"""The most characters of the id of a user or an item in the model of GetRecommendations."""
MAX_RESULTS = 500
"""The most results that GetRecommendations returns, and the most items that GetPersonalizedRanking
accepts. The numbers are in the models of their requests."""
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""The numbers of days that CloudWatch Logs accepts:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

_BUCKET = r"(?!\d+\.\d+\.\d+\.\d+/)(?![^/]*\.\.)[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
_S3_LOCATION = re.compile(rf"s3://{_BUCKET}/[^*?]+")
"""A location in S3. Personalize supports no wildcards."""
_OTHER_FORMATS = re.compile(
    r"\.(gz|gzip|zip|bz2|xz|zst|lz4|snappy|tar|tgz|7z|parquet|orc|avro|json|jsonl|ndjson|tsv|xlsx?)$",
    re.IGNORECASE,
)
"""Extensions of files that are not plain CSV, the only format that Personalize imports:
https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html"""
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
"""An address as a person writes it. Only the confirmation shows that the address exists."""


class Problem(NamedTuple):
    """A problem of a setting, or a warning about it."""

    key: str
    """The key of the setting in the stack's config, for example `solutions[0].solutionArn`."""
    message: str
    """What is wrong, and the way out."""
    value: object = None
    """The value of the setting. None if it is not shown before the message."""

    def __str__(self) -> str:
        """Return the key, the value and the message in one line."""
        value = "" if self.value is None else f"{self.value!r} "
        # The key of a tag, or an unknown key, may contain a line break or an invisible character.
        key = self.key if self.key.isprintable() else repr(self.key)[1:-1]
        return f"{key}: {value}{self.message}"


def without_rules(type_: Any) -> Any:  # noqa: ANN401
    """Return the type of a field without its rules, which `Annotated` adds."""
    return get_args(type_)[0] if get_origin(type_) is Annotated else type_


class Between(NamedTuple):
    """The rule that a number lies in a range. `hint` says what to write, and why."""

    least: float
    most: float
    hint: str
    is_above: bool = False
    """True if the number must be above `least`."""

    def __call__(self, number: float) -> str | None:
        """Return an error message if the number is not in the range, else None."""
        is_enough = self.least < number if self.is_above else self.least <= number
        return None if is_enough and number <= self.most else f"is not {self}; {self.hint}"

    def __str__(self) -> str:
        """Return the range in words, which docs/configuration.md shows too."""
        if self.most == math.inf:
            return f"{self.least:g} or more"
        if self.is_above:
            return f"above {self.least:g} and at most {self.most:g}"
        return f"from {self.least:g} to {self.most:g}"


def above_zero(most: float, hint: str) -> Between:
    """Return the rule that a number is above 0 and at most `most`."""
    return Between(0, most, hint, is_above=True)


class Elements(NamedTuple):
    """The rule that a list or mapping has a number of elements. `hint` says what else to do."""

    least: int
    most: int
    hint: str

    def __call__(self, elements: Sized) -> str | None:
        """Return an error message if there are too few or too many elements, else None."""
        count = len(elements)
        return None if self.least <= count <= self.most else f"has {count} elements; {self.hint}"

    def __str__(self) -> str:
        """Return the numbers in words, which docs/configuration.md shows too."""
        return f"at most {self.most}"


def location_error(text: str) -> str | None:
    """Check the location of an export: a file in S3, or a prefix that ends in `/`."""
    length = len(text.replace(DATE_PLACEHOLDER, "2026-11-29"))
    if length > MAX_LOCATION_CHARACTERS:
        return (
            f"is {length} characters long, but Personalize accepts at most "
            f"{MAX_LOCATION_CHARACTERS}; choose a shorter location"
        )
    if error := _s3_error(text, "'s3://bucket/users.csv' or 's3://bucket/users/'"):
        return error
    if _OTHER_FORMATS.search(text):
        return "is not plain CSV, the only format that Personalize imports; export to a .csv file"
    if not re.search(r"/$|[^/]\.[a-zA-Z0-9]+$", text):
        return f"is neither a file nor a folder; write '{text}.csv' or '{text}/'"
    return None


def marker_error(text: str) -> str | None:
    """Check the object in S3 that is written when an export is complete."""
    if text.endswith("/"):
        return f"is a folder; name the object that is written last, for example '{text}_SUCCESS'"
    return _s3_error(text, "'s3://bucket/_SUCCESS'")


def _s3_error(text: str, examples: str) -> str | None:
    """Check an object or a prefix in S3."""
    if re.search("[{}]", text.replace(DATE_PLACEHOLDER, "")):
        return f"has an unknown placeholder; the only placeholder is {DATE_PLACEHOLDER}"
    if not _S3_LOCATION.fullmatch(text):
        return f"is not a file or a folder in S3; expected for example {examples}, no wildcards"
    return None


def id_error(text: str) -> str | None:
    """Check the id of a user or an item."""
    if 1 <= len(text) <= MAX_ID_CHARACTERS:
        return None
    return f"is {len(text)} characters long; expected an id of at most {MAX_ID_CHARACTERS}"


def email_error(text: str) -> str | None:
    """Check an email address."""
    if _EMAIL.fullmatch(text):
        return None
    return "is not an email address; expected for example 'team@example.com'"


def retention_error(days: int) -> str | None:
    """Check the number of days for which the logs are kept."""
    if days in LOG_RETENTION_DAYS:
        return None
    nearest = min(LOG_RETENTION_DAYS, key=lambda retention: abs(retention - days))
    return f"is not a number of days that CloudWatch Logs accepts; set for example {nearest}"
