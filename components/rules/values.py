"""Problems, and what is wrong with a single setting: places, tags, numbers, choices, keys. Pure.

Each function answers with what is wrong with a value and the way out, or None.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple, TypeAlias

DATE, A_DAY = "{date}", "2026-11-29"
"""The placeholder of a place in S3, and what a run fills in: its day in UTC."""
MAX_LOCATION = 256
"""Characters of a dataLocation, by the API's model."""
MAX_KEY = 1024
"""Bytes of an object's key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""
MAX_ID = 256
"""Characters of a user's or an item's id, by the model of GetRecommendations."""
MAX_TAGS = 40
"""AWS allows 50 a resource; the pipeline adds its own."""
OWN_TAGS = "retraining-"
"""What the keys of the pipeline's own tags begin with: its name on all that it creates, and on jobs
what it remembers of them (`functions/personalize/tags.py`)."""
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256
RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""Days that CloudWatch Logs can keep events for, by PutRetentionPolicy's documentation."""

LEAST_HOURS = 1 / 3600
"""A second: Personalize's jobs take minutes, but those of a rehearsal seconds."""
OTHER_FORMATS = (
    *("gz", "gzip", "zip", "bz2", "xz", "zst", "lz4", "snappy", "tar", "tgz", "7z"),
    *("parquet", "orc", "avro", "json", "jsonl", "ndjson", "tsv", "xls", "xlsx"),
)
"""Endings of files that are no plain CSV, the only format that Personalize imports:
https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html"""

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


Judgement: TypeAlias = tuple[str, object, str | None]
"""A setting's key, its value, and what is wrong with it, if anything."""


def one_holds_the_other(key: str, other: str) -> bool:
    """Return True if two keys are equal or one is a part of the other."""
    inner, outer = (key, other) if len(key) > len(other) else (other, key)
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def location_problem(text: str, example: str) -> str | None:
    """Judge what an import shall read: a file in S3, or a prefix that ends in `/`."""
    if not text:
        return f"missing; the CSV to import, for example '{example}'"
    length = len(text.replace(DATE, A_DAY))
    if length > MAX_LOCATION:
        return f"is {length} characters long; Personalize takes at most {MAX_LOCATION}"
    return _place_problem(text, example) or _file_problem(text)


def marker_problem(text: str) -> str | None:
    """Judge the object in S3 that tells that an export is complete."""
    example = "s3://bucket/_SUCCESS"
    if not text:
        return f"empty; leave it out or name an object, for example '{example}'"
    if place := _place_problem(text, example):
        return place
    if text.endswith("/"):
        return f"is a prefix; name the object that is written last, for example '{example}'"
    key = text.split("/", 3)[3].replace(DATE, A_DAY)
    if (size := len(key.encode())) > MAX_KEY:
        return f"has a key of {size} bytes; S3 takes at most {MAX_KEY}"
    return None


def choice_problem(given: str, choices: Collection[str]) -> str | None:
    """Judge a word out of a few."""
    if given in choices:
        return None
    words = {word.lower(): word for word in choices}
    nearest = get_close_matches(given.lower(), words, 1)
    hint = f"did you mean {words[nearest[0]]}?" if nearest else f"expected {' or '.join(choices)}"
    return f"is unknown; {hint}"


def key_problem(key: str, known: Sequence[str]) -> str:
    """Tell of a key that is not among those known."""
    nearest = get_close_matches(key, known, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"
    return f"unknown; {hint}"


def former_form(key: str, given: object) -> str | None:
    """Return an error message if the value is in the form of an earlier release, else None.

    `key` is the last part of the setting's key.
    """
    if key == "qualityGate" and (given is False or given == "false"):
        return "false is the old form; write 'qualityGateEnabled: false'"
    if key == "maxTrainingsPerMonth" and given is None:
        return "null is the old form; write 'maxTrainingsPerMonth: 0'"
    return None


def trainings_problem(most: int) -> str | None:
    """Return an error message if this is no number of trainings, else None. 0 is no limit."""
    if most >= 0:
        return None
    return "is no number of trainings; expected a whole number of 1 or more, or 0 for no limit"


def id_problem(text: str) -> str | None:
    """Judge the id of a user or an item."""
    if not text:
        return f"empty; expected an id of 1 to {MAX_ID} characters"
    if len(text) > MAX_ID:
        return f"is {len(text)} characters long; an id has at most {MAX_ID}"
    return None


def share_problem(given: float, example: float) -> str | None:
    """Judge a part of a whole."""
    if 0 <= given <= 1:
        return None
    percent = 1 < given <= 100  # noqa: PLR2004 - what a percentage may be
    hint = f"for {given:g} percent, {given / 100:g}" if percent else f"for example {example:g}"
    return f"is no share; expected a number from 0 to 1: {hint}"


def hours_problem(given: float, most: float, reason: str, *, example: float) -> str | None:
    """Judge a deadline in hours; `reason` says why `most` is the longest."""
    if not given > 0:
        return "is no time to work in; expected a positive number of hours"
    if given < LEAST_HOURS:
        return f"is less than a second, and no job ends so soon; expected hours, as {example}"
    if given > most:
        return f"is more than {most} hours; {reason}"
    return None


def retention_problem(days: int) -> str | None:
    """Judge how many days the logs are kept."""
    if days in RETENTIONS:
        return None
    nearest = min(RETENTIONS, key=lambda each: abs(each - days))
    return f"is not among the retentions of CloudWatch Logs; the nearest is {nearest}"


def tag_problems(tags: Mapping[str, str]) -> Iterator[tuple[str, str | None, str]]:
    """Give key, value and problem of each tag that AWS would refuse, or that is the pipeline's."""
    seen: dict[str, str] = {}
    for key, value in tags.items():
        other = seen.setdefault(key.lower(), key)
        if not key or len(key) > MAX_TAG_KEY:
            yield key, value, f"has a key of {len(key)} characters; expected 1 to {MAX_TAG_KEY}"
        elif key.lower().startswith("aws:"):
            yield key, value, "has a key that begins with aws:, which AWS keeps for itself"
        elif key.lower().startswith(OWN_TAGS):
            own = f"has a key that begins with {OWN_TAGS}, which the pipeline keeps for itself"
            yield key, value, f"{own}; choose another key"
        elif other != key:
            yield key, value, f"has the key of tags.{other} but for its case; IAM takes one of them"
        elif not value:
            yield key, None, "is empty, which EventBridge Scheduler refuses; give it a value"
        elif len(value) > MAX_TAG_VALUE:
            yield key, value, f"is {len(value)} characters long; a tag has at most {MAX_TAG_VALUE}"
        elif bad := next((each for each in key + value if not _fits_tag(each)), None):
            allowed = " ".join(_TAG_SIGNS)
            yield key, value, f"holds {bad!r}; tags hold letters, digits, spaces and {allowed}"


def _place_problem(text: str, example: str) -> str | None:
    """Judge bucket and key of an object or a prefix in S3."""
    for placeholder in re.findall(r"\{[^{}]*\}|[{}]", text):
        if placeholder != DATE:
            known = f"known is {DATE}, the day of the run as {A_DAY}"
            return f"has the unknown placeholder {placeholder!r}; {known}"
    if not text.startswith("s3://"):
        return f"is no location in S3; expected one like '{example}'"
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not re.fullmatch(_BUCKET, bucket):
        return f"has {bucket!r} as bucket, which is no bucket's name; expected one like '{example}'"
    if not key:
        return f"is a whole bucket; name a file or a prefix in it, for example '{example}'"
    return None


def _file_problem(text: str) -> str | None:
    """Judge a place in S3 as the plain CSV file, or the prefix, that an import reads."""
    if wildcard := re.search(r"[*?]", text):
        folder = text[: wildcard.start()].rpartition("/")[0]
        prefix = f"{folder}/" if folder.count("/") > len("//") else "s3://bucket/exports/"
        return (
            f"has the wildcard {wildcard[0]!r}, which Personalize does not know; name a prefix "
            f"that ends in /, all files below it are imported, for example '{prefix}'"
        )
    if ending := re.search(rf"(\.csv)?\.({'|'.join(OTHER_FORMATS)})$", text, re.IGNORECASE):
        csv = f"{text[: ending.start()]}.csv"
        return f"is no plain CSV, all that Personalize imports; export it as '{csv}'"
    if not re.search(r"/$|[^/]\.[a-zA-Z0-9]+$", text):
        return f"is neither a file nor a prefix; write '{text}.csv' or '{text}/'"
    return None


def _fits_tag(character: str) -> bool:
    return unicodedata.category(character)[0] in "LZN" or character in _TAG_SIGNS
