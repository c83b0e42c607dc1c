"""The rules for single settings. `args.py` declares the rule of a field in its type.

A rule is called with the value of a setting. It returns an error message, or None. The message says
what is wrong and, after a semicolon, what to write instead.
"""

import re
from collections.abc import Mapping, Sequence, Sized
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple, get_args, get_origin

DATE_PLACEHOLDER = "{date}"
"""The placeholder in a location. The day of the run in UTC replaces it, for example 2026-11-29."""
MAX_LOCATION_CHARACTERS = 256
"""The longest dataLocation in the API's model."""
MAX_VALUES = 25
"""The most parameters of a filter, according to the API."""
MAX_VALUE_CHARACTERS = 1_000
"""The most characters of the value of a parameter, according to the API."""
_PARAMETER = re.compile(r"\w{1,50}", re.ASCII)
_TEXTS = r'\s*"[^"]*"(\s*,\s*"[^"]*")*\s*'
_FILTER_VALUE = re.compile(rf"{_TEXTS}|\s*[-+]?[0-9]+(\.[0-9]+)?\s*")
"""Texts in double quotes, or a number:
https://docs.aws.amazon.com/personalize/latest/dg/filter-batch.html"""
MAX_ID_CHARACTERS = 256
"""The longest id of a user or an item in the API's model of GetRecommendations."""
MAX_RESULTS = 500
"""The most results that GetRecommendations returns, and the most items that GetPersonalizedRanking
accepts, according to the API's models."""


NDCG = "normalized_discounted_cumulative_gain"
NDCG_AT_10 = f"{NDCG}_at_10"
MRR = "mean_reciprocal_rank"
RANKING_METRICS = (
    "coverage",
    f"{MRR}_at_25",
    *(f"{NDCG}_at_{k}" for k in (5, 10, 25)),
    *(f"precision_at_{k}" for k in (5, 10, 25)),
)
"""The names of the metrics that most recipes produce."""
METRIC_NAMES = (
    *RANKING_METRICS,
    "average_rewards_at_k",
    f"{NDCG}_with_event_weights_at_k",
    "trend_prediction_accuracy",
)
"""The names of all metrics in GetSolutionMetrics. Which of them a solution version has depends on
the recipe and the configuration of its solution:
https://docs.aws.amazon.com/personalize/latest/dg/working-with-training-metrics.html"""
_METRICS_WITHOUT_API_NAME = re.compile(
    r"(?:hit|recall)(?:_at_[a-z0-9_]+)?|precision|auc|area_under_the_curve"
    r"|item_(?:popularity|freshness|similarity)"
)
"""Metrics of user segments, of next best actions and of semantically similar items.

AWS does not document their names in GetSolutionMetrics, so every likely name is accepted. If a
solution version does not have the metric, the gate reports it.
"""

_S3_LOCATION = re.compile(r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]/(?:[^*?{}]|\{date\})+")
"""A location in S3. Personalize supports no wildcards."""
_EMAIL = re.compile(r'(?!.*[<>()\[\],;:"\\])[^@\s]+@[^@\s.]+(\.[^@\s.]+)+')
"""Roughly an email address, without a name like in `Ann <ann@example.com>`. Only the confirmation
shows whether the address exists."""


class Problem(NamedTuple):
    """What is wrong with a setting, or a warning about it."""

    key: str
    """The key of the setting in the stack's config, for example `solutions[0].solutionArn`."""
    message: str
    """What is wrong, and what to do."""
    value: object = None
    """The value of the setting, or None if the message is shown without it."""

    def __str__(self) -> str:
        """Return the key, the value and the message in one line."""
        return f"{self.key}: {'' if self.value is None else f'{self.value!r} '}{self.message}"


def problem_text(problems: Sequence[object], where: str) -> str:
    """Return an error message with one problem per line. `where` says what has the problems."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n  ".join([f"{count} in {where}:", *map(str, problems)])


def without_rules(type_: Any) -> Any:  # noqa: ANN401
    """Return the type of a field without the rules that `Annotated` adds."""
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
        if self.is_above:
            return f"above {self.least:,} and at most {self.most:,}"
        return f"from {self.least:,} to {self.most:,}"


def above_zero(most: float, hint: str) -> Between:
    """Return the rule that a number is above 0 and at most `most`."""
    return Between(0, most, hint, is_above=True)


class Elements(NamedTuple):
    """The rule that a list or mapping has `least` to `most` elements. `hint` says what to do."""

    least: int
    most: int
    hint: str

    def __call__(self, elements: Sized) -> str | None:
        """Return an error message if there are too few or too many elements, else None."""
        count = len(elements)
        return None if self.least <= count <= self.most else f"has {count} elements; {self.hint}"

    def __str__(self) -> str:
        """Return the limit in words, which docs/configuration.md shows too."""
        return f"at most {self.most}"


class Location(NamedTuple):
    """The rule that a text is a location in S3, and that it ends with one of `ends`."""

    kind: str
    ends: tuple[str, ...]
    example: str

    def __call__(self, text: str) -> str | None:
        """Return an error message if the text is no such location, else None."""
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
    """Check the object in S3 that is written when an export is complete."""
    if _S3_LOCATION.fullmatch(text) and not text.endswith("/"):
        return None
    return (
        "is not an object in S3; name the object that is written last, for example "
        "'s3://bucket/{date}.SUCCESS'"
    )


def metric_error(name: str) -> str | None:
    """Return an error message if no solution version has a metric of this name, else None."""
    if name in METRIC_NAMES or _METRICS_WITHOUT_API_NAME.fullmatch(name):
        return None

    # Reports write NDCG@10, and so may a person.
    long_name = name.lower().replace("ndcg", NDCG).replace("mrr", MRR).replace("@", "_at_")
    for nearest in get_close_matches(long_name, METRIC_NAMES, 1):
        return f"is not a metric of Personalize; did you mean {nearest}?"
    return f"is not a metric of Personalize; expected one of {', '.join(METRIC_NAMES)}"


def id_error(text: str) -> str | None:
    """Check the id of a user or an item."""
    if 1 <= len(text) <= MAX_ID_CHARACTERS:
        return None
    return f"has {len(text)} characters; expected an id of 1 to {MAX_ID_CHARACTERS}"


def parameters_error(values: Mapping[str, str]) -> str | None:
    """Check the parameters of a filter or of a context, with the limits of filters for both."""
    for name, value in values.items():
        if not _PARAMETER.fullmatch(name) or not 1 <= len(value) <= MAX_VALUE_CHARACTERS:
            return (
                f"has a wrong parameter {name!r}; expected a name of 1 to 50 letters, digits and _ "
                f"with a value of 1 to {MAX_VALUE_CHARACTERS} characters"
            )
    return None if len(values) <= MAX_VALUES else f"has {len(values)}; keep at most {MAX_VALUES}"


def filter_values_error(values: Mapping[str, str]) -> str | None:
    """Check the parameters of a filter, whose texts have to be in double quotes.

    Whether a parameter takes a number as well depends on the filter. Planning checks that.
    """
    if error := parameters_error(values):
        return error

    for name, value in values.items():
        if not _FILTER_VALUE.fullmatch(value):
            return (
                f"has {value!r} for {name}; put each text into double quotes, and commas between "
                'several, for example \'"Drama","Comedy"\''
            )
    return None


def email_error(text: str) -> str | None:
    """Check an email address."""
    if _EMAIL.fullmatch(text):
        return None
    return "is not an email address; expected for example 'team@example.com'"
