"""Parses a pipeline's ARNs, and checks them one by one and against each other."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mode
from typing import NamedTuple

from .single_settings import Problem

_PARTITION = r"aws(?:-[a-z]+)*"
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+"
_ACCOUNT = r"[0-9]{12}"
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}"
_PATH = r"(?:[!-~]+/)?[a-zA-Z0-9_+=,.@\-]+"
_ANY_ARN = re.compile(rf"arn:({_PARTITION}):([a-z0-9\-]+):({_REGION}|):({_ACCOUNT}|aws|):(.+)")
_VERSION_ARN = re.compile(rf"(?P<solution>arn:\S+:solution/{_NAME})/\S+")
"""The ARN of a solution version, which is often used as `solutionArn` by mistake."""

_SHARED_PARTS = {
    "cloudwatch": ["partition", "region", "account"],
    "personalize": ["partition", "region", "account"],
    "iam": ["partition", "account"],
    "kms": ["partition", "region"],
    "sns": ["partition", "region"],
}
"""Service -> the parts of its ARNs that must be the same throughout a pipeline. Keys and topics may
belong to another account, and IAM's ARNs don't have a region."""
BASELINE_KEY_ENDING = ".relativeTo"
"""How the key of a setting ends whose value is the ARN of another solution, the baseline."""
_AWS_MANAGED_ACCOUNT = "aws"
"""The account in the ARN of an AWS managed policy. Every account may use these policies."""


@dataclass(frozen=True)
class Environment:
    """The partition, region and account of a pipeline's resources."""

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
        """Join the parts into an ARN."""
        return ":".join(("arn", *self))

    @property
    def environment(self) -> Environment:
        """Where the resource is."""
        return Environment(self.partition, self.region, self.account)

    @property
    def name(self) -> str:
        """The resource's name, or for a dataset, which has none, its dataset group's name."""
        return self.resource.split("/")[1]


class ArnSetting(NamedTuple):
    """A setting whose value is an ARN."""

    key: str
    arn: Arn


class ArnRule(NamedTuple):
    """Requires the ARN of one kind of resource, for example a solution's."""

    kind: str
    """What a message calls the resource, with an article, for example `a dataset group`."""
    pattern: re.Pattern[str]
    """Matches the whole ARN."""
    example: str

    def __call__(self, arn: str) -> str | None:
        """Return what is wrong with an ARN, or None if it belongs to this kind of resource.

        People often copy the ARN of a solution version, so then the message names the solution.
        """
        if self.pattern.fullmatch(arn):
            return None

        version = _VERSION_ARN.fullmatch(arn)
        if version and self.pattern.fullmatch(version["solution"]):
            return f"is a solution version; name the solution, '{version['solution']}'"
        return f"is not the ARN of {self.kind}; expected for example '{self.example}'"


def _build_arn_rule(kind: str, scope: str, resource: str, example: str) -> ArnRule:
    """Build a rule for the ARNs of one kind of resource.

    Args:
        kind: what messages call the resource, for example `a campaign`.
        scope: a pattern for the service, region and account.
        resource: a pattern for the last part of the ARN.
        example: an ARN without `arn:aws:`.
    """
    pattern = re.compile(f"arn:{_PARTITION}:{scope}:{resource}")
    return ArnRule(kind, pattern, example=f"arn:aws:{example}")


_PERSONALIZE = f"personalize:{_REGION}:{_ACCOUNT}"
_EXAMPLE = "personalize:eu-west-1:123456789012"
DATASET_GROUP = _build_arn_rule(
    "a dataset group", _PERSONALIZE, f"dataset-group/{_NAME}", f"{_EXAMPLE}:dataset-group/movies"
)
DATASET = _build_arn_rule(
    "a dataset",
    _PERSONALIZE,
    f"dataset/{_NAME}/(?:INTERACTIONS|ITEMS|USERS|ACTIONS|ACTION_INTERACTIONS)",
    f"{_EXAMPLE}:dataset/movies/INTERACTIONS",
)
"""AWS documents the types of datasets:
https://docs.aws.amazon.com/personalize/latest/dg/API_CreateDataset.html"""
SOLUTION = _build_arn_rule(
    "a solution", _PERSONALIZE, f"solution/{_NAME}", f"{_EXAMPLE}:solution/movies"
)
CAMPAIGN = _build_arn_rule(
    "a campaign", _PERSONALIZE, f"campaign/{_NAME}", f"{_EXAMPLE}:campaign/movies"
)
FILTER = _build_arn_rule("a filter", _PERSONALIZE, f"filter/{_NAME}", f"{_EXAMPLE}:filter/unseen")
ROLE = _build_arn_rule(
    "a role", f"iam::{_ACCOUNT}", f"role/{_PATH}", "iam::123456789012:role/personalize-import"
)
POLICY = _build_arn_rule(
    "a policy", f"iam::(?:{_ACCOUNT}|aws)", f"policy/{_PATH}", "iam::123456789012:policy/boundary"
)
KMS_KEY = _build_arn_rule(
    "a key",
    f"kms:{_REGION}:{_ACCOUNT}",
    r"key/[a-zA-Z0-9\-]+",
    "kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)
TOPIC = _build_arn_rule(
    "a topic",
    f"sns:{_REGION}:{_ACCOUNT}",
    r"[a-zA-Z0-9_\-]{1,256}",
    "sns:eu-west-1:123456789012:personalize-reports",
)
ALARM = _build_arn_rule(
    "a CloudWatch alarm",
    f"cloudwatch:{_REGION}:{_ACCOUNT}",
    r"alarm:[^\x00-\x1f\x7f]{1,255}",
    "cloudwatch:eu-west-1:123456789012:alarm:orders-too-low",
)
"""Alarm names may contain spaces, slashes and colons:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""


def to_dataset_type(key: str) -> str:
    """Turn a config key like `actionInteractions` into the dataset type ACTION_INTERACTIONS."""
    return re.sub("([A-Z])", r"_\1", key).upper()


def parse_arn(text: str) -> Arn | None:
    """Split an ARN into its parts. Return None if the text isn't an ARN."""
    parts = _ANY_ARN.fullmatch(text)
    return Arn(*parts.groups()) if parts else None


def find_inconsistencies(settings: Sequence[ArnSetting]) -> Iterator[Problem]:
    """Report ARNs that don't fit into one pipeline.

    They must share a partition, region and account, and the datasets must share a dataset group. No
    dataset, solution or campaign may be configured twice.
    """
    for part in ("partition", "region", "account"):
        values = []
        for setting in settings:
            is_aws_managed = setting.arn.account == _AWS_MANAGED_ACCOUNT
            if part in _SHARED_PARTS[setting.arn.service] and not is_aws_managed:
                values.append((setting, getattr(setting.arn, part)))
        yield from _find_differences(part, values)

    # An ARN like dataset/movies/ITEMS contains the name of the dataset group.
    dataset_groups = [
        (setting, setting.arn.name)
        for setting in settings
        if setting.arn.resource.startswith("dataset/")
    ]
    yield from _find_differences("dataset group", dataset_groups)
    yield from _find_duplicates(settings)


def _find_duplicates(settings: Sequence[ArnSetting]) -> Iterator[Problem]:
    """Report a resource that is configured twice, because two jobs would work on it at once."""
    key_by_arn: dict[Arn, str] = {}
    for key, arn in settings:
        # These settings only refer to a resource, so several of them may name the same one.
        is_reference = key.endswith((BASELINE_KEY_ENDING, ".filterArn"))
        if is_reference or arn.service != "personalize":
            continue

        if arn not in key_by_arn:
            key_by_arn[arn] = key
        else:
            yield Problem(
                key,
                f"is also the value of {key_by_arn[arn]}; correct or remove one of the two "
                "settings",
                str(arn),
            )


def _find_differences(part: str, values: Sequence[tuple[ArnSetting, str]]) -> Iterator[Problem]:
    """Report each ARN that differs from the majority in one part, for example the region.

    The majority is probably right, so only the outliers are reported.
    """
    if not values:
        return

    expected = mode(value for _, value in values)
    expected_key = next(setting.key for setting, value in values if value == expected)
    for (key, arn), value in values:
        if value != expected:
            yield Problem(
                key,
                f"is in {part} {value}, but {expected_key} is in {part} {expected}; "
                f"correct one of the two, because all must be in the same {part}",
                str(arn),
            )
