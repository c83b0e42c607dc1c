"""The rules for single settings, which `args.py` declares in the types of its fields.

A rule takes a setting's value and returns None if the value is valid. Otherwise, it returns the end
of a sentence that begins with the key and the value: what is wrong and, after a semicolon, what to
write instead.
"""

import re
from collections.abc import Mapping, Sequence, Sized
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from ..constants import (
    DATE_PLACEHOLDER,
    FILTER_VALUE_PATTERN,
    ITEM_METRICS,
    MRR,
    NDCG,
    TREND_METRIC,
)

MAX_LOCATION_CHARACTERS = 256
"""The longest dataLocation in the API's model."""
MAX_PARAMETERS = 25
"""The most parameters of a filter that the API accepts."""
MAX_PARAMETER_CHARACTERS = 1_000
"""The longest parameter value that the API accepts."""
_PARAMETER_NAME = re.compile(r"\w{1,50}", re.ASCII)
MAX_ID_CHARACTERS = 256
"""The longest user or item ID in the API's model of GetRecommendations."""
MAX_RESULTS = 500
"""The most results that GetRecommendations returns, and the most items that GetPersonalizedRanking
accepts, according to the API's models."""


NDCG_AT_10 = f"{NDCG}_at_10"
METRIC_NAMES = (*ITEM_METRICS, TREND_METRIC)
"""All metrics that AWS documents for GetSolutionMetrics. Which ones a solution version has depends
on the solution's recipe and configuration:
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
_METRICS_WITHOUT_API_NAME = re.compile(
    r"(?:hit|recall)(?:_at_[a-z0-9_]+)?|precision|auc|area_under_the_curve"
    r"|item_(?:popularity|freshness|similarity)"
)
"""Metrics for user segments, next best actions and semantically similar items.

AWS doesn't document their names in GetSolutionMetrics, so we accept every likely one. If a version
turns out to lack the metric, the quality gate says so.
"""

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180),
    *(365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""How many days CloudWatch Logs can keep logs:
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""
_S3_LOCATION = re.compile(r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]/(?:[^*?{}]|\{date\})+")
"""An S3 location without wildcards, which Personalize doesn't support."""
_EMAIL = re.compile(r'(?!.*[<>()\[\],;:"\\])[^@\s]+@[^@\s.]+(\.[^@\s.]+)+')
"""Roughly an email address, without a name as in `Ann <ann@example.com>`. Only a confirmed
subscription proves that the address exists."""


class Problem(NamedTuple):
    """Something that must be changed in the config."""

    key: str
    """The setting's key in the stack's config, for example `solutions[0].solutionArn`."""
    message: str
    """What is wrong, and what to do about it."""
    value: object = None
    """The setting's value, or None if the message doesn't need it."""

    def __str__(self) -> str:
        """Format the problem as one line, for example `paused: 'no' is not true or false`."""
        if self.value is None:
            return f"{self.key}: {self.message}"
        return f"{self.key}: {self.value!r} {self.message}"


def format_problems(problems: Sequence[object], place: str) -> str:
    """Format an error message with one problem per line.

    Args:
        problems: the problems, at least one.
        place: where they are, for example `the configuration of stack dev`.
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n  ".join([f"{count} in {place}:", *map(str, problems)])


def without_rules(type_: Any) -> Any:  # noqa: ANN401
    """Strip a field's type of the rules that `Annotated` adds."""
    if get_origin(type_) is Annotated:
        return get_args(type_)[0]
    return type_


class NumberRange(NamedTuple):
    """Requires a number in a range. `hint` says what to write, and why."""

    minimum: float
    maximum: float
    hint: str
    excludes_minimum: bool = False
    """True if `minimum` itself isn't allowed."""

    def __call__(self, number: float) -> str | None:
        """Return what is wrong with a number, or None if it's in the range."""
        is_in_range = self.minimum <= number <= self.maximum
        is_excluded = self.excludes_minimum and number == self.minimum
        if is_in_range and not is_excluded:
            return None
        return f"is not {self}; {self.hint}"

    def __str__(self) -> str:
        """Describe the range, for messages and docs/configuration.md."""
        if self.excludes_minimum:
            return f"above {self.minimum:,} and at most {self.maximum:,}"
        return f"from {self.minimum:,} to {self.maximum:,}"


def positive_up_to(maximum: float, hint: str) -> NumberRange:
    """Build a rule that requires a number above 0 and up to `maximum`."""
    return NumberRange(0, maximum, hint, excludes_minimum=True)


class ElementCount(NamedTuple):
    """Requires a list or mapping with `minimum` to `maximum` elements. `hint` says what to do."""

    minimum: int
    maximum: int
    hint: str

    def __call__(self, elements: Sized) -> str | None:
        """Return what is wrong with the number of elements, or None."""
        count = len(elements)
        if self.minimum <= count <= self.maximum:
            return None
        return f"has {count} elements; {self.hint}"

    def __str__(self) -> str:
        """Describe the upper limit, for docs/configuration.md."""
        return f"at most {self.maximum}"


class S3LocationRule(NamedTuple):
    """Requires an S3 location with one of the given endings."""

    kind: str
    allowed_endings: tuple[str, ...]
    example: str

    def __call__(self, location: str) -> str | None:
        """Return what is wrong with a location, or None if Personalize can use it."""
        is_s3_location = _S3_LOCATION.fullmatch(location)
        has_allowed_ending = location.lower().endswith(self.allowed_endings)
        if not is_s3_location or not has_allowed_ending:
            return (
                f"is not the S3 location of {self.kind}; expected for example '{self.example}', "
                "with 3 to 63 characters for the bucket, without wildcards or other placeholders "
                "than {date}"
            )

        # Personalize gets the location with an actual date, which is longer than the placeholder.
        location_with_date = location.replace(DATE_PLACEHOLDER, "2026-11-29")
        length = len(location_with_date)
        if length > MAX_LOCATION_CHARACTERS:
            return f"has {length} characters; Personalize accepts at most {MAX_LOCATION_CHARACTERS}"
        return None


EXPORT_LOCATION = S3LocationRule(
    "a CSV file or a folder (with / at the end)", (".csv", "/"), "s3://bucket/{date}/users/"
)
BATCH_INPUT = S3LocationRule("a file or a folder", ("",), "s3://bucket/users.json")
BATCH_OUTPUT = S3LocationRule(
    "a folder that ends with /", ("/",), "s3://bucket/recommendations/{date}/"
)


def find_marker_error(location: str) -> str | None:
    """Return an error unless a ready marker is an S3 object.

    A folder isn't one, because nothing would show when the export is complete.
    """
    if _S3_LOCATION.fullmatch(location) and not location.endswith("/"):
        return None
    return (
        "is not an object in S3; name the object that is written last, for example "
        "'s3://bucket/{date}.SUCCESS'"
    )


def find_metric_error(name: str) -> str | None:
    """Return an error for a metric that no solution version can have.

    The error suggests a metric with a similar name, or lists all metrics.
    """
    if name in METRIC_NAMES or _METRICS_WITHOUT_API_NAME.fullmatch(name):
        return None

    # Reports abbreviate names, for example to NDCG@10, so people try that here, too.
    long_name = name.lower().replace("ndcg", NDCG).replace("mrr", MRR).replace("@", "_at_")
    similar_names = get_close_matches(long_name, METRIC_NAMES, n=1)
    if similar_names:
        return f"is not a metric of Personalize; did you mean {similar_names[0]}?"
    return f"is not a metric of Personalize; expected one of {', '.join(METRIC_NAMES)}"


def find_retention_error(days: int) -> str | None:
    """Return an error for a number of days that CloudWatch Logs wouldn't accept."""
    if days in LOG_RETENTION_DAYS:
        return None

    choices = ", ".join(map(str, LOG_RETENTION_DAYS))
    return f"is not accepted by CloudWatch Logs; set one of {choices}"


def find_id_error(id_: str) -> str | None:
    """Return an error for a user or item ID that is empty, or too long for the API."""
    if 1 <= len(id_) <= MAX_ID_CHARACTERS:
        return None
    return f"has {len(id_)} characters; expected an id of 1 to {MAX_ID_CHARACTERS}"


def find_parameters_error(values: Mapping[str, str]) -> str | None:
    """Return an error for filter parameters, or a context, that the API wouldn't accept.

    AWS documents limits only for filter parameters. We apply them to the context as well.
    """
    for name, value in values.items():
        has_valid_name = _PARAMETER_NAME.fullmatch(name)
        has_valid_length = 1 <= len(value) <= MAX_PARAMETER_CHARACTERS
        if not has_valid_name or not has_valid_length:
            return (
                f"has an invalid parameter {name!r}; expected a name of 1 to 50 letters, digits "
                f"and _ with a value of 1 to {MAX_PARAMETER_CHARACTERS} characters"
            )

    if len(values) > MAX_PARAMETERS:
        return f"has {len(values)} parameters; keep at most {MAX_PARAMETERS}"
    return None


def find_filter_values_error(values: Mapping[str, str]) -> str | None:
    """Return an error for invalid filter parameters, for example text without double quotes.

    A number passes without quotes, even if the filter expects text. Only a run can read the filter,
    so it checks that.
    """
    if error := find_parameters_error(values):
        return error

    for name, value in values.items():
        if not re.fullmatch(FILTER_VALUE_PATTERN, value):
            return (
                f"has {value!r} for {name}; put each text into double quotes, and commas between "
                'several, for example \'"Drama","Comedy"\''
            )
    return None


def find_email_error(address: str) -> str | None:
    """Return an error unless this looks like an email address."""
    if _EMAIL.fullmatch(address):
        return None
    return "is not an email address; expected for example 'team@example.com'"
