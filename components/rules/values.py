"""Checks single settings: locations, tags, numbers, choices and keys.

A function whose name ends in `_error` returns an error message with the way out, or None.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

DATE_PLACEHOLDER, EXAMPLE_DATE = "{date}", "2026-11-29"
"""The placeholder in a location, and an example of the day of the run in UTC that replaces it."""
MAX_LOCATION_CHARACTERS = 256
"""The most characters of a dataLocation in the API's model."""
MAX_OBJECT_KEY_BYTES = 1024
"""The most bytes of an object's key:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""
MAX_ID_CHARACTERS = 256
"""The most characters of the id of a user or an item in the model of GetRecommendations."""
MAX_SETTLE_SECONDS = 3600
"""The largest value of settleSeconds. No list of AWS is known to be an hour behind."""
MAX_TAGS = 30
"""The most tags in the config. AWS allows 50 tags on a resource, and the pipeline needs 12."""
RESERVED_TAGS = "retraining-"
"""The beginning of the keys of the tags that the pipeline itself sets.

A tag on every resource has the name of the pipeline. The tags of jobs are in
`functions/personalize/tags.py`.
"""
MAX_TAG_KEY_CHARACTERS, MAX_TAG_VALUE_CHARACTERS = 128, 256
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)
"""The numbers of days that CloudWatch Logs accepts:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

MIN_DEADLINE_HOURS = 1 / 3600
"""One second. The jobs of Personalize take minutes, but the jobs of a rehearsal take seconds."""
UNSUPPORTED_FORMATS = (
    *("gz", "gzip", "zip", "bz2", "xz", "zst", "lz4", "snappy", "tar", "tgz", "7z"),
    *("parquet", "orc", "avro", "json", "jsonl", "ndjson", "tsv", "xls", "xlsx"),
)
"""Extensions of files that are not plain CSV, the only format that Personalize imports:
https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html"""

_TAG_PUNCTUATION = "_.:/=+-@"
_BUCKET_NAME = r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


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


class Check(NamedTuple):
    """The result of checking a setting. It becomes a problem if there is an error."""

    key: str
    error: str | None
    """The message of the problem, or None if the setting is right."""
    value: object = None
    """The value of the setting. None if it is not shown before the message."""


def keys_overlap(first_key: str, second_key: str) -> bool:
    """Return True if two keys are equal, or if one setting contains the other.

    For example, `solutions[0]` contains `solutions[0].campaigns`.
    """
    outer, inner = sorted((first_key, second_key), key=len)
    return outer == inner or inner.startswith((f"{outer}.", f"{outer}["))


def location_error(text: str, example: str) -> str | None:
    """Check the location of an export: a file in S3, or a prefix that ends in `/`."""
    if not text:
        return f"missing; the CSV to import, for example '{example}'"
    length = len(text.replace(DATE_PLACEHOLDER, EXAMPLE_DATE))
    if length > MAX_LOCATION_CHARACTERS:
        return (
            f"is {length} characters long, but Personalize accepts at most "
            f"{MAX_LOCATION_CHARACTERS}; choose a shorter location"
        )
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
    key = text.split("/", 3)[3].replace(DATE_PLACEHOLDER, EXAMPLE_DATE)
    if (size := len(key.encode())) > MAX_OBJECT_KEY_BYTES:
        return (
            f"has a key of {size} bytes, but S3 accepts at most {MAX_OBJECT_KEY_BYTES}; choose a "
            "shorter key"
        )
    return None


def choice_error(word: str, choices: Collection[str]) -> str | None:
    """Check that a word is one of a few choices. The case matters, but not for the hint."""
    if word in choices:
        return None
    choices_by_lower_case = {choice.lower(): choice for choice in choices}
    nearest = get_close_matches(word.lower(), choices_by_lower_case, 1)
    if nearest:
        return f"is unknown; did you mean {choices_by_lower_case[nearest[0]]}?"
    return f"is unknown; expected {' or '.join(choices)}"


def unknown_key_message(key: str, known_keys: Sequence[str], paths: Iterable[str] = ()) -> str:
    """Return the message about an unknown key. It suggests a similar key, or lists all of them.

    `known_keys` are the keys that may stand beside it. `paths` are the keys of the whole config,
    for example `solutions[].qualityGate`. If one of them ends in the unknown key, the message
    suggests this place.
    """
    spelling = _without_case(key)
    if spelling not in map(_without_case, known_keys):
        places = [path for path in paths if _without_case(path.rpartition(".")[2]) == spelling]
        if places:
            return f"unknown here; did you mean {' or '.join(places)}?"
    nearest = get_close_matches(key, known_keys, 1)
    if nearest:
        return f"unknown; did you mean {nearest[0]}?"
    return f"unknown; the known keys are {', '.join(known_keys)}"


def _without_case(key: str) -> str:
    """Return a key in lower case, without the separators of other spellings."""
    return key.lower().replace("_", "").replace("-", "")


def old_form_error(name: str, value: object) -> str | None:
    """Return an error message if the value is written as in an earlier release, else None.

    `name` is the last part of the key, for example `qualityGate`.
    """
    if name == "qualityGate" and (value is False or value == "false"):
        return "false is the old form; write 'qualityGateEnabled: false'"
    if name == "maxTrainingsPerMonth" and value is None:
        return "null is the old form; write 'maxTrainingsPerMonth: 0'"
    return None


def count_error(count: int, most: int, noun: str, way_out: str) -> str | None:
    """Check that a list or mapping has no more elements than a pipeline may have."""
    return f"has {count} {noun}; keep at most {most} and {way_out}" if count > most else None


def trainings_error(count: int) -> str | None:
    """Check the number of trainings in a month. 0 is no limit."""
    if count >= 0:
        return None
    return "is not a number of trainings; expected a whole number of 1 or more, or 0 for no limit"


def settle_seconds_error(seconds: float) -> str | None:
    """Check the seconds after which lists are surely up to date."""
    if 0 <= seconds <= MAX_SETTLE_SECONDS:
        return None
    return (
        f"is not between 0 and {MAX_SETTLE_SECONDS}; expected a number of seconds, for example 180"
    )


def id_error(text: str) -> str | None:
    """Check the id of a user or an item."""
    if not text:
        return f"empty; expected an id of 1 to {MAX_ID_CHARACTERS} characters"
    if len(text) > MAX_ID_CHARACTERS:
        return f"is {len(text)} characters long; use an id of at most {MAX_ID_CHARACTERS}"
    return None


def share_error(share: float, example: float) -> str | None:
    """Check that a share is a number from 0 to 1. The message of another number has an example."""
    if 0 <= share <= 1:
        return None
    looks_like_percentage = 1 < share <= 100  # noqa: PLR2004  # 100 percent
    hint = f"for {share:g} percent, {share / 100:g}"
    if not looks_like_percentage:
        hint = f"for example {example:g}"
    return f"is not a share; expected a number from 0 to 1, {hint}"


def hours_error(hours: float, longest: float, reason: str, *, example: float) -> str | None:
    """Check a deadline in hours. `reason` says why it is at most `longest` hours."""
    if not hours > 0:
        return f"is not above 0; expected a number of hours, for example {example}"
    if hours < MIN_DEADLINE_HOURS:
        return (
            "is less than a second, and no job ends so soon; expected a number of hours, for "
            f"example {example}"
        )
    if hours > longest:
        return f"is more than {longest} hours; set at most {longest}, because {reason}"
    return None


def retention_error(days: int) -> str | None:
    """Check the number of days for which the logs are kept."""
    if days in LOG_RETENTION_DAYS:
        return None
    nearest = min(LOG_RETENTION_DAYS, key=lambda retention: abs(retention - days))
    return (
        f"is not a number of days that CloudWatch Logs accepts; set {nearest}, the nearest number"
    )


def tag_checks(tags: Mapping[str, str]) -> Iterator[Check]:
    """Yield a check of each tag: AWS must accept it, and the pipeline must not reserve its key."""
    first_spellings: dict[str, str] = {}
    for key, value in tags.items():
        first_spelling = first_spellings.setdefault(key.lower(), key)
        error = (
            _tag_key_error(key, first_spelling)
            or _tag_value_error(value)
            or _tag_character_error(key + value)
        )
        yield Check(f"tags.{key}", error, value=value or None)


def _tag_key_error(key: str, first_spelling: str) -> str | None:
    """Check the key of a tag.

    `first_spelling` is the first key that is equal to this one apart from upper and lower case.
    """
    if not key or len(key) > MAX_TAG_KEY_CHARACTERS:
        return f"has a key of {len(key)} characters; expected 1 to {MAX_TAG_KEY_CHARACTERS}"
    if key.lower().startswith("aws:"):
        return "has a key that begins with aws:, which AWS reserves; choose another key"
    if key.lower().startswith(RESERVED_TAGS):
        return (
            f"has a key that begins with {RESERVED_TAGS}, which the pipeline reserves; "
            "choose another key"
        )
    if first_spelling != key:
        return (
            f"differs from tags.{first_spelling} only in upper and lower case; remove one of them, "
            "because IAM allows only one"
        )
    return None


def _tag_value_error(value: str) -> str | None:
    if not value:
        return "is empty, which EventBridge Scheduler refuses; give it a value"
    if len(value) > MAX_TAG_VALUE_CHARACTERS:
        return f"is {len(value)} characters long; shorten it to {MAX_TAG_VALUE_CHARACTERS} or less"
    return None


def _tag_character_error(text: str) -> str | None:
    """Check that AWS allows every character of a tag's key and value."""
    for character in text:
        # The first letter of a category: L is a letter, Z is a separator and N is a number.
        if unicodedata.category(character)[0] not in "LZN" and character not in _TAG_PUNCTUATION:
            punctuation = " ".join(_TAG_PUNCTUATION)
            return (
                f"contains {character!r}; remove it, because a tag may only have letters, digits, "
                f"spaces and {punctuation}"
            )
    return None


def _s3_error(text: str, example: str) -> str | None:
    """Check the bucket and key of an object or a prefix in S3."""
    for placeholder in re.findall(r"\{[^{}]*\}|[{}]", text):
        if placeholder != DATE_PLACEHOLDER:
            return (
                f"has the unknown placeholder {placeholder!r}; the only placeholder is "
                f"{DATE_PLACEHOLDER}, the day of the run as {EXAMPLE_DATE}"
            )
    if not text.startswith("s3://"):
        return f"is not a location in S3; expected for example '{example}'"
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not re.fullmatch(_BUCKET_NAME, bucket):
        return (
            f"has {bucket!r} as bucket, which is not a valid name of a bucket; expected for "
            f"example '{example}'"
        )
    if not key:
        return f"is a whole bucket; name a file or a prefix in it, for example '{example}'"
    return None


def _file_error(text: str) -> str | None:
    """Check that a location in S3 is a plain CSV file or a prefix."""
    if wildcard := re.search(r"[*?]", text):
        folder = text[: wildcard.start()].rpartition("/")[0]
        is_in_bucket = "/" in folder.removeprefix("s3://")
        prefix = f"{folder}/" if is_in_bucket else "s3://bucket/exports/"
        return (
            f"has the wildcard {wildcard[0]!r}, which Personalize does not support; name a folder "
            f"that ends in / to import the files in it, for example '{prefix}'"
        )
    formats = "|".join(UNSUPPORTED_FORMATS)
    if extension := re.search(rf"(\.csv)?\.({formats})$", text, re.IGNORECASE):
        csv = f"{text[: extension.start()]}.csv"
        return f"is not plain CSV, the only format that Personalize imports; export it as '{csv}'"
    if not re.search(r"/$|[^/]\.[a-zA-Z0-9]+$", text):
        return f"is neither a file nor a prefix; write '{text}.csv' or '{text}/'"
    return None
