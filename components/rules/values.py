"""Checks single settings: locations, tags, numbers, choices and keys. Pure.

A function whose name ends in `_error` returns an error message with the way out, or None.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

DATE, SAMPLE_DATE = "{date}", "2026-11-29"
"""The placeholder in a location, and an example of what replaces it: the day of the run in UTC."""
MAX_LOCATION = 256
"""The most characters of a dataLocation in the API's model."""
MAX_KEY = 1024
"""The most bytes of an object's key:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""
MAX_ID = 256
"""The most characters of the id of a user or an item in the model of GetRecommendations."""
MAX_TAGS = 40
"""AWS allows 50 tags on a resource, and the pipeline adds some."""
RESERVED_TAGS = "retraining-"
"""The beginning of the keys that the pipeline sets itself: its name on every resource, and on jobs
what it needs to know later (`functions/personalize/tags.py`)."""
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256
RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""For how many days CloudWatch Logs can keep events, in the documentation of PutRetentionPolicy."""

SHORTEST_HOURS = 1 / 3600
"""One second. Jobs in Personalize take minutes, but jobs in a rehearsal take seconds."""
UNSUPPORTED_FORMATS = (
    *("gz", "gzip", "zip", "bz2", "xz", "zst", "lz4", "snappy", "tar", "tgz", "7z"),
    *("parquet", "orc", "avro", "json", "jsonl", "ndjson", "tsv", "xls", "xlsx"),
)
"""Extensions of files that are not plain CSV, the only format that Personalize imports:
https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html"""

_TAG_SIGNS = "_.:/=+-@"
_BUCKET = r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


class Problem(NamedTuple):
    """A problem of a setting, or a warning about it."""

    key: str
    """The key of the setting in the stack's config, for example `solutions[0].solutionArn`."""
    value: object
    """The value of the setting, or None if the message does not show it."""
    message: str
    """What is wrong, and the way out."""

    def __str__(self) -> str:
        """Return the problem in one line."""
        value = "" if self.value is None else f"{self.value!r} "
        return f"{self.key}: {value}{self.message}"


class Check(NamedTuple):
    """The result of checking a setting."""

    key: str
    value: object
    error: str | None
    """None if the setting is right."""


def is_same_or_part(key: str, other_key: str) -> bool:
    """Return True if two keys are equal or one of them is a part of the other."""
    part, whole = (key, other_key) if len(key) > len(other_key) else (other_key, key)
    return part == whole or part.startswith((f"{whole}.", f"{whole}["))


def location_error(text: str, example: str) -> str | None:
    """Check the location of an export: a file in S3, or a prefix that ends in `/`."""
    if not text:
        return f"missing; the CSV to import, for example '{example}'"
    length = len(text.replace(DATE, SAMPLE_DATE))
    if length > MAX_LOCATION:
        return f"is {length} characters long; Personalize accepts at most {MAX_LOCATION}"
    return _s3_error(text, example) or _file_error(text)


def marker_error(text: str) -> str | None:
    """Check the object in S3 that is written when an export is complete."""
    example = "s3://bucket/_SUCCESS"
    if not text:
        return f"empty; leave it out or name an object, for example '{example}'"
    if error := _s3_error(text, example):
        return error
    if text.endswith("/"):
        return f"is a prefix; name the object that is written last, for example '{example}'"
    key = text.split("/", 3)[3].replace(DATE, SAMPLE_DATE)
    if (size := len(key.encode())) > MAX_KEY:
        return f"has a key of {size} bytes; S3 accepts at most {MAX_KEY}"
    return None


def choice_error(word: str, choices: Collection[str]) -> str | None:
    """Check that a word is one of a few choices."""
    if word in choices:
        return None
    choice_of = {choice.lower(): choice for choice in choices}
    nearest = get_close_matches(word.lower(), choice_of, 1)
    hint = (
        f"did you mean {choice_of[nearest[0]]}?" if nearest else f"expected {' or '.join(choices)}"
    )
    return f"is unknown; {hint}"


def unknown_key(key: str, known_keys: Sequence[str]) -> str:
    """Return the message about an unknown key, with the nearest known key if there is one."""
    nearest = get_close_matches(key, known_keys, 1)
    hint = (
        f"did you mean {nearest[0]}?" if nearest else f"the known keys are {', '.join(known_keys)}"
    )
    return f"unknown; {hint}"


def old_form_error(name: str, value: object) -> str | None:
    """Return an error message if the value has the form of an earlier release.

    `name` is the last part of the key.
    """
    if name == "qualityGate" and (value is False or value == "false"):
        return "false is the old form; write 'qualityGateEnabled: false'"
    if name == "maxTrainingsPerMonth" and value is None:
        return "null is the old form; write 'maxTrainingsPerMonth: 0'"
    return None


def trainings_error(count: int) -> str | None:
    """Check the number of trainings in a month. 0 is no limit."""
    if count >= 0:
        return None
    return "is not a number of trainings; expected a whole number of 1 or more, or 0 for no limit"


def id_error(text: str) -> str | None:
    """Check the id of a user or an item."""
    if not text:
        return f"empty; expected an id of 1 to {MAX_ID} characters"
    if len(text) > MAX_ID:
        return f"is {len(text)} characters long; an id has at most {MAX_ID}"
    return None


def share_error(share: float, example: float) -> str | None:
    """Check a share, a number from 0 to 1."""
    if 0 <= share <= 1:
        return None
    is_percentage = 1 < share <= 100  # noqa: PLR2004 - what a percentage may be
    hint = (
        f"for {share:g} percent, {share / 100:g}" if is_percentage else f"for example {example:g}"
    )
    return f"is not a share; expected a number from 0 to 1, {hint}"


def hours_error(hours: float, longest: float, reason: str, *, example: float) -> str | None:
    """Check a deadline in hours. `reason` says why `longest` is the longest deadline."""
    if not hours > 0:
        return "is too short; expected a positive number of hours"
    if hours < SHORTEST_HOURS:
        return f"is less than a second, and no job ends so soon; expected hours, as {example}"
    if hours > longest:
        return f"is more than {longest} hours; {reason}"
    return None


def retention_error(days: int) -> str | None:
    """Check the number of days for which the logs are kept."""
    if days in RETENTIONS:
        return None
    nearest = min(RETENTIONS, key=lambda retention: abs(retention - days))
    return f"is not among the retentions of CloudWatch Logs; the nearest is {nearest}"


def tag_checks(tags: Mapping[str, str]) -> Iterator[Check]:
    """Yield a check for each tag that AWS would refuse or whose key the pipeline reserves."""
    first_spelling: dict[str, str] = {}
    for key, value in tags.items():
        same_key = first_spelling.setdefault(key.lower(), key)
        error = _tag_key_error(key, same_key) or _tag_value_error(value) or _sign_error(key + value)
        yield Check(f"tags.{key}", value or None, error)


def _tag_key_error(key: str, same_key: str) -> str | None:
    """Check the key of a tag. `same_key` is the first key that differs at most in its case."""
    if not key or len(key) > MAX_TAG_KEY:
        return f"has a key of {len(key)} characters; expected 1 to {MAX_TAG_KEY}"
    if key.lower().startswith("aws:"):
        return "has a key that begins with aws:, which AWS reserves; choose another key"
    if key.lower().startswith(RESERVED_TAGS):
        return (
            f"has a key that begins with {RESERVED_TAGS}, which the pipeline reserves; "
            "choose another key"
        )
    if same_key != key:
        return (
            f"differs from tags.{same_key} only in upper and lower case; IAM allows only one of "
            "them"
        )
    return None


def _tag_value_error(value: str) -> str | None:
    if not value:
        return "is empty, which EventBridge Scheduler refuses; give it a value"
    if len(value) > MAX_TAG_VALUE:
        return f"is {len(value)} characters long; a tag has at most {MAX_TAG_VALUE}"
    return None


def _sign_error(text: str) -> str | None:
    for character in text:
        if unicodedata.category(character)[0] not in "LZN" and character not in _TAG_SIGNS:
            signs = " ".join(_TAG_SIGNS)
            return f"contains {character!r}; tags have letters, digits, spaces and {signs}"
    return None


def _s3_error(text: str, example: str) -> str | None:
    """Check the bucket and key of an object or a prefix in S3."""
    for placeholder in re.findall(r"\{[^{}]*\}|[{}]", text):
        if placeholder != DATE:
            return (
                f"has the unknown placeholder {placeholder!r}; the only placeholder is {DATE}, the "
                f"day of the run as {SAMPLE_DATE}"
            )
    if not text.startswith("s3://"):
        return f"is not a location in S3; expected for example '{example}'"
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not re.fullmatch(_BUCKET, bucket):
        return (
            f"has {bucket!r} as bucket, which is not the name of a bucket; expected for example "
            f"'{example}'"
        )
    if not key:
        return f"is a whole bucket; name a file or a prefix in it, for example '{example}'"
    return None


def _file_error(text: str) -> str | None:
    """Check that a location in S3 is a plain CSV file or a prefix."""
    if wildcard := re.search(r"[*?]", text):
        folder = text[: wildcard.start()].rpartition("/")[0]
        prefix = f"{folder}/" if folder.count("/") > len("//") else "s3://bucket/exports/"
        return (
            f"has the wildcard {wildcard[0]!r}, which Personalize does not support; name a prefix "
            f"that ends in / to import every file below it, for example '{prefix}'"
        )
    formats = "|".join(UNSUPPORTED_FORMATS)
    if extension := re.search(rf"(\.csv)?\.({formats})$", text, re.IGNORECASE):
        csv = f"{text[: extension.start()]}.csv"
        return f"is not plain CSV, the only format that Personalize imports; export it as '{csv}'"
    if not re.search(r"/$|[^/]\.[a-zA-Z0-9]+$", text):
        return f"is neither a file nor a prefix; write '{text}.csv' or '{text}/'"
    return None
