"""The rules for single settings, which `args.py` declares in the types of its fields.

A rule gets the value of a setting, and returns None if it's fine. Otherwise, it returns the rest of
a sentence that begins with the key and the value: what is wrong and, after a semicolon, what to
write instead.
"""

import re
from collections.abc import Mapping, Sequence, Sized
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from ..constants import DATE_PLACEHOLDER, FILTER_VALUE, ITEM_METRICS, MRR, NDCG, TREND_METRIC

MAX_LOCATION_CHARACTERS = 256
"""The longest dataLocation in the API's model."""
MAX_VALUES = 25
"""The most parameters of a filter, according to the API."""
MAX_VALUE_CHARACTERS = 1_000
"""The most characters of the value of a parameter, according to the API."""
_PARAMETER = re.compile(r"\w{1,50}", re.ASCII)
MAX_ID_CHARACTERS = 256
"""The longest id of a user or an item in the API's model of GetRecommendations."""
MAX_RESULTS = 500
"""The most results that GetRecommendations returns, and the most items that GetPersonalizedRanking
accepts, according to the API's models."""


NDCG_AT_10 = f"{NDCG}_at_10"
METRIC_NAMES = (*ITEM_METRICS, TREND_METRIC)
"""All metrics that AWS documents for GetSolutionMetrics. Which of them a solution version has
depends on its recipe and on the solution's configuration:
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
_METRICS_WITHOUT_API_NAME = re.compile(
    r"(?:hit|recall)(?:_at_[a-z0-9_]+)?|precision|auc|area_under_the_curve"
    r"|item_(?:popularity|freshness|similarity)"
)
"""Metrics for user segments, next best actions and semantically similar items.

AWS doesn't document what GetSolutionMetrics calls them, so we accept every likely name. If a
version turns out to lack the metric, the quality gate says so.
"""

_S3_LOCATION = re.compile(r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]/(?:[^*?{}]|\{date\})+")
"""Personalize doesn't support wildcards."""
_EMAIL = re.compile(r'(?!.*[<>()\[\],;:"\\])[^@\s]+@[^@\s.]+(\.[^@\s.]+)+')
"""Roughly an email address, without a name as in `Ann <ann@example.com>`. Whether it exists is
known only once somebody has confirmed the subscription."""


class Problem(NamedTuple):
    """Something that has to be changed in the config."""

    key: str
    """The setting's key in the stack's config, for example `solutions[0].solutionArn`."""
    message: str
    """What is wrong, and what to do about it."""
    value: object = None
    """The setting's value, or None if the message doesn't need it."""

    def __str__(self) -> str:
        """Put the key, the value and the message into one line."""
        if self.value is None:
            return f"{self.key}: {self.message}"
        return f"{self.key}: {self.value!r} {self.message}"


def problem_text(problems: Sequence[object], where: str) -> str:
    """Turn problems into an error message with one problem per line.

    Args:
        problems: what is wrong. There is at least one problem.
        where: what they're about, for example `the configuration of stack dev`.
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n  ".join([f"{count} in {where}:", *map(str, problems)])


def without_rules(type_: Any) -> Any:  # noqa: ANN401
    """Remove the rules that `Annotated` adds to a field's type."""
    if get_origin(type_) is Annotated:
        return get_args(type_)[0]
    return type_


class Between(NamedTuple):
    """Requires a number in a range. `hint` says what to write, and why."""

    least: float
    most: float
    hint: str
    is_above: bool = False
    """True if `least` itself isn't allowed."""

    def __call__(self, number: float) -> str | None:
        """Reject a number outside the range."""
        is_forbidden_least = self.is_above and number == self.least
        if self.least <= number <= self.most and not is_forbidden_least:
            return None
        return f"is not {self}; {self.hint}"

    def __str__(self) -> str:
        """Put the range into words, for the message and for docs/configuration.md."""
        if self.is_above:
            return f"above {self.least:,} and at most {self.most:,}"
        return f"from {self.least:,} to {self.most:,}"


def above_zero(most: float, hint: str) -> Between:
    """Require a number above 0 and up to `most`."""
    return Between(0, most, hint, is_above=True)


class Elements(NamedTuple):
    """Requires a list or mapping with `least` to `most` elements. `hint` says what to do."""

    least: int
    most: int
    hint: str

    def __call__(self, elements: Sized) -> str | None:
        """Reject too few or too many elements."""
        count = len(elements)
        if self.least <= count <= self.most:
            return None
        return f"has {count} elements; {self.hint}"

    def __str__(self) -> str:
        """Put the limit into words for docs/configuration.md."""
        return f"at most {self.most}"


class Location(NamedTuple):
    """Requires an S3 location that ends with one of `ends`."""

    kind: str
    ends: tuple[str, ...]
    example: str

    def __call__(self, text: str) -> str | None:
        """Reject anything else, and what would be too long for Personalize."""
        if not _S3_LOCATION.fullmatch(text) or not text.lower().endswith(self.ends):
            return (
                f"is not the S3 location of {self.kind}; expected for example '{self.example}', "
                "with 3 to 63 characters for the bucket, without wildcards or other placeholders "
                "than {date}"
            )

        # Personalize gets the location with the day in it, which is longer than the placeholder.
        length = len(text.replace(DATE_PLACEHOLDER, "2026-11-29"))
        if length <= MAX_LOCATION_CHARACTERS:
            return None
        return f"has {length} characters; Personalize accepts at most {MAX_LOCATION_CHARACTERS}"


location_error = Location(
    "a CSV file or a folder (with / at the end)", (".csv", "/"), "s3://bucket/{date}/users/"
)
batch_input_error = Location("a file or a folder", ("",), "s3://bucket/users.json")
batch_output_error = Location(
    "a folder that ends with /", ("/",), "s3://bucket/recommendations/{date}/"
)


def marker_error(text: str) -> str | None:
    """Require an S3 object, because a folder can't say when the export was complete."""
    if _S3_LOCATION.fullmatch(text) and not text.endswith("/"):
        return None
    return (
        "is not an object in S3; name the object that is written last, for example "
        "'s3://bucket/{date}.SUCCESS'"
    )


def metric_error(name: str) -> str | None:
    """Reject a metric that no solution version can have."""
    if name in METRIC_NAMES or _METRICS_WITHOUT_API_NAME.fullmatch(name):
        return None

    # Reports abbreviate the name to NDCG@10, so people try it here as well.
    long_name = name.lower().replace("ndcg", NDCG).replace("mrr", MRR).replace("@", "_at_")
    for nearest in get_close_matches(long_name, METRIC_NAMES, 1):
        return f"is not a metric of Personalize; did you mean {nearest}?"
    return f"is not a metric of Personalize; expected one of {', '.join(METRIC_NAMES)}"


def id_error(text: str) -> str | None:
    """Require a user or item ID of a length that the API accepts."""
    if 1 <= len(text) <= MAX_ID_CHARACTERS:
        return None
    return f"has {len(text)} characters; expected an id of 1 to {MAX_ID_CHARACTERS}"


def parameters_error(values: Mapping[str, str]) -> str | None:
    """Validate a request's filter parameters or context.

    AWS documents limits only for filters, so we apply those to both.
    """
    for name, value in values.items():
        if not _PARAMETER.fullmatch(name) or not 1 <= len(value) <= MAX_VALUE_CHARACTERS:
            return (
                f"has an invalid parameter {name!r}; expected a name of 1 to 50 letters, digits "
                f"and _ with a value of 1 to {MAX_VALUE_CHARACTERS} characters"
            )

    if len(values) > MAX_VALUES:
        return f"has {len(values)} parameters; keep at most {MAX_VALUES}"
    return None


def filter_values_error(values: Mapping[str, str]) -> str | None:
    """Validate filter parameters, whose string values have to be in double quotes.

    Numbers aren't quoted. Which parameters take numbers is up to the filter's expression, which we
    don't have here, so the guards of a run check that.
    """
    if error := parameters_error(values):
        return error

    for name, value in values.items():
        if not re.fullmatch(FILTER_VALUE, value):
            return (
                f"has {value!r} for {name}; put each text into double quotes, and commas between "
                'several, for example \'"Drama","Comedy"\''
            )
    return None


def email_error(text: str) -> str | None:
    """Reject what SNS can't send a confirmation to."""
    if _EMAIL.fullmatch(text):
        return None
    return "is not an email address; expected for example 'team@example.com'"
