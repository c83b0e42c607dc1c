"""Parses ARNs, and checks those of a pipeline, each for itself and all of them together."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .fields import Problem

_PARTITION = r"aws(?:-[a-z]+)*"
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+"
_ACCOUNT = r"[0-9]{12}"
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}"
_PATH = r"(?:[!-~]+/)?[a-zA-Z0-9_+=,.@\-]+"
_ARN = re.compile(rf"arn:({_PARTITION}):([a-z0-9\-]+):({_REGION}|):({_ACCOUNT}|aws|):(.+)")
_VERSION = re.compile(rf"(?P<solution>arn:\S+:solution/{_NAME})/\S+")
"""The ARN of a solution version, which people often write into `solutionArn` by mistake."""

_SHARED_PARTS = {
    "cloudwatch": ["partition", "region", "account"],
    "personalize": ["partition", "region", "account"],
    "iam": ["partition", "account"],
    "kms": ["partition", "region"],
    "sns": ["partition", "region"],
}
"""Service -> the parts that all ARNs of a pipeline must have in common. Keys and topics may belong
to another account, and IAM's ARNs don't have a region."""
BASELINE = ".relativeTo"
"""The end of each key whose value names another solution of the pipeline, as the baseline."""
_AWS_MANAGED = "aws"
"""What AWS managed policies have in place of an account. Every account may use them."""


@dataclass(frozen=True)
class Environment:
    """The partition, region and account in which a pipeline's resources are."""

    partition: str
    region: str
    account: str


class Arn(NamedTuple):
    """A parsed ARN. IAM's ARNs have an empty region."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        """Put the ARN together again."""
        return ":".join(("arn", *self))

    @property
    def environment(self) -> Environment:
        """Where the resource is."""
        return Environment(self.partition, self.region, self.account)

    @property
    def name(self) -> str:
        """The resource's name. A dataset doesn't have one, so it's the name of its group."""
        return self.resource.split("/")[1]


class ArnSetting(NamedTuple):
    """A setting and its ARN."""

    key: str
    arn: Arn


class Kind(NamedTuple):
    """Requires the ARN of a certain kind of resource, for example of a solution."""

    noun: str
    """The kind of resource with its article, for example `a dataset group`."""
    pattern: re.Pattern[str]
    """Matches the whole ARN."""
    example: str

    def __call__(self, text: str) -> str | None:
        """Reject everything else, and recognize the most common mistake: a solution version."""
        if self.pattern.fullmatch(text):
            return None

        version = _VERSION.fullmatch(text)
        if version and self.pattern.fullmatch(version["solution"]):
            return f"is a solution version; name the solution, '{version['solution']}'"
        return f"is not the ARN of {self.noun}; expected for example '{self.example}'"


def _kind(noun: str, scope: str, resource: str, example: str) -> Kind:
    """Build a rule from the patterns of an ARN's scope (service, region, account) and its end."""
    return Kind(noun, re.compile(f"arn:{_PARTITION}:{scope}:{resource}"), f"arn:aws:{example}")


_PERSONALIZE = f"personalize:{_REGION}:{_ACCOUNT}"
_EXAMPLE = "personalize:eu-west-1:123456789012"
DATASET_GROUP = _kind(
    "a dataset group", _PERSONALIZE, f"dataset-group/{_NAME}", f"{_EXAMPLE}:dataset-group/movies"
)
DATASET = _kind(
    "a dataset",
    _PERSONALIZE,
    f"dataset/{_NAME}/(?:INTERACTIONS|ITEMS|USERS|ACTIONS|ACTION_INTERACTIONS)",
    f"{_EXAMPLE}:dataset/movies/INTERACTIONS",
)
"""The types of datasets are in
https://docs.aws.amazon.com/personalize/latest/dg/API_CreateDataset.html."""
SOLUTION = _kind("a solution", _PERSONALIZE, f"solution/{_NAME}", f"{_EXAMPLE}:solution/movies")
CAMPAIGN = _kind("a campaign", _PERSONALIZE, f"campaign/{_NAME}", f"{_EXAMPLE}:campaign/movies")
FILTER = _kind("a filter", _PERSONALIZE, f"filter/{_NAME}", f"{_EXAMPLE}:filter/unseen")
ROLE = _kind(
    "a role", f"iam::{_ACCOUNT}", f"role/{_PATH}", "iam::123456789012:role/personalize-import"
)
POLICY = _kind(
    "a policy", f"iam::(?:{_ACCOUNT}|aws)", f"policy/{_PATH}", "iam::123456789012:policy/boundary"
)
KEY = _kind(
    "a key",
    f"kms:{_REGION}:{_ACCOUNT}",
    r"key/[a-zA-Z0-9\-]+",
    "kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)
TOPIC = _kind(
    "a topic",
    f"sns:{_REGION}:{_ACCOUNT}",
    r"[a-zA-Z0-9_\-]{1,256}",
    "sns:eu-west-1:123456789012:personalize-reports",
)
ALARM = _kind(
    "a CloudWatch alarm",
    f"cloudwatch:{_REGION}:{_ACCOUNT}",
    r"alarm:[^\x00-\x1f\x7f]{1,255}",
    "cloudwatch:eu-west-1:123456789012:alarm:orders-too-low",
)
"""A name may contain spaces, slashes and colons:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def dataset_type(key: str) -> str:
    """Turn a config key like `actionInteractions` into the dataset type ACTION_INTERACTIONS."""
    return re.sub("([A-Z])", r"_\1", key).upper()


def parse_arn(text: str) -> Arn | None:
    """Take an ARN apart. None if the text doesn't have the shape of an ARN."""
    parts = _ARN.fullmatch(text)
    return Arn(*parts.groups()) if parts else None


def find_inconsistencies(settings: Sequence[ArnSetting]) -> Iterator[Problem]:
    """Check that all ARNs belong to one pipeline.

    They must be in the same partition, region and account, and the datasets in the same group. No
    dataset, solution or campaign may occur twice, except where a setting only refers to it.
    """
    for part in ("partition", "region", "account"):
        values = [
            (setting, getattr(setting.arn, part))
            for setting in settings
            if part in _SHARED_PARTS[setting.arn.service] and setting.arn.account != _AWS_MANAGED
        ]
        yield from _differences(part, values)

    # An ARN like dataset/movies/ITEMS contains the name of its group.
    datasets = [setting for setting in settings if setting.arn.resource.startswith("dataset/")]
    yield from _differences("dataset group", [(dataset, dataset.arn.name) for dataset in datasets])
    yield from _repetitions(settings)


def _repetitions(settings: Sequence[ArnSetting]) -> Iterator[Problem]:
    """Reject a resource that is configured twice, because two jobs would work on it at once."""
    first_keys: dict[Arn, str] = {}
    for key, arn in settings:
        # These only refer to a resource, so several settings may name the same.
        if key.endswith((BASELINE, ".filterArn")):
            continue

        first_key = first_keys.setdefault(arn, key)
        if first_key != key and arn.service == "personalize":
            yield Problem(
                key,
                f"is also the value of {first_key}; correct or remove one of the two settings",
                str(arn),
            )


def _differences(part: str, values: Sequence[tuple[ArnSetting, str]]) -> Iterator[Problem]:
    """Report each ARN that differs from most others in a part, for example in its region.

    The majority is probably right, so there's no use in reporting all of them.
    """
    for expected, _ in Counter(value for _, value in values).most_common(1):
        typical = next(setting for setting, value in values if value == expected)
        for (key, arn), value in values:
            if value != expected:
                yield Problem(
                    key,
                    f"is in {part} {value}, but {typical.key} is in {part} {expected}; correct one "
                    f"of the two, because all must be in the same {part}",
                    str(arn),
                )
