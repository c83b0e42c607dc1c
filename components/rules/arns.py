"""Parses ARNs, and checks each ARN of a pipeline and all of them together."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .values import Problem

MAX_ARN_CHARACTERS = 256
"""The most characters of a Personalize ARN and of the import role's ARN in the API's model."""

_PARTITION = r"aws(?:-[a-z]+)*"
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-[0-9]+"
REGION_PATTERN = re.compile(_REGION)
"""The pattern of the name of a region, for example `eu-west-1`."""
_ACCOUNT = r"[0-9]{12}"
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}"
_PATH = r"(?:[!-~]+/)?[a-zA-Z0-9_+=,.@\-]+"
_ARN_PATTERN = re.compile(rf"arn:({_PARTITION}):([a-z0-9\-]+):({_REGION}|):({_ACCOUNT}|aws|):(\S+)")

_RESOURCE_TYPES = {
    "personalize": [
        *("campaign", "dataset", "dataset-export-job", "dataset-group", "dataset-import-job"),
        *("event-tracker", "filter", "recipe", "recommender", "schema", "solution"),
    ],
    "iam": ["group", "instance-profile", "policy", "role", "user"],
    "kms": ["alias", "key"],
}
"""Service to the types of its resources, as the ARNs spell them. Messages name these types."""
_SHARED_PARTS = {
    "personalize": ["partition", "region", "account"],
    "iam": ["partition", "account"],
    "kms": ["partition", "region"],
    "sns": ["partition", "region"],
}
"""Service to the parts that all ARNs of a pipeline have in common. A key or topic may be in another
account, and the ARNs of IAM have no region."""
_AWS_MANAGED = ("account", "aws")
"""The part and its value that may differ: the account of the policies that AWS manages."""


@dataclass(frozen=True)
class Home:
    """The partition, region and account of a pipeline's resources."""

    partition: str
    region: str
    account: str


class Arn(NamedTuple):
    """The parts of an ARN. The ARNs of IAM have no region."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        """Return the ARN as AWS writes it."""
        return ":".join(("arn", *self))

    @property
    def home(self) -> Home:
        """Partition, region and account."""
        return Home(self.partition, self.region, self.account)

    @property
    def name(self) -> str:
        """The name of the resource. For a dataset, the name of its group."""
        return self.resource.split("/")[1]


class Kind(NamedTuple):
    """A kind of ARN that a setting expects, for example the ARN of a solution."""

    noun: str
    """The type of the resource in the words of a message, for example `dataset group`."""
    pattern: re.Pattern[str]
    """The pattern of the whole ARN."""
    example: str


class ArnSetting(NamedTuple):
    """A setting that holds an ARN."""

    key: str
    text: str
    kind: Kind
    message_if_empty: str
    """The beginning of the message if the text is empty. An example follows it."""


class ParsedSetting(NamedTuple):
    """A setting and its ARN."""

    setting: ArnSetting
    arn: Arn


def _arn_kind(noun: str, service: str, home: str, resource: str, example: str) -> Kind:
    """Return a kind of ARN. `home` (region and account) and `resource` are patterns."""
    pattern = re.compile(rf"arn:{_PARTITION}:{service}:{home}:{resource}")
    return Kind(noun, pattern, example)


def _personalize_kind(noun: str, resource: str, example: str) -> Kind:
    """Return a kind of ARN of Personalize. `example` is the last part of an ARN."""
    example_arn = f"arn:aws:personalize:eu-west-1:123456789012:{example}"
    return _arn_kind(noun, "personalize", f"{_REGION}:{_ACCOUNT}", resource, example_arn)


DATASET_GROUP = _personalize_kind("dataset group", f"dataset-group/{_NAME}", "dataset-group/movies")
SOLUTION = _personalize_kind("solution", f"solution/{_NAME}", "solution/movies")
CAMPAIGN = _personalize_kind("campaign", f"campaign/{_NAME}", "campaign/movies")
ROLE = _arn_kind(
    "role",
    "iam",
    f":{_ACCOUNT}",
    f"role/{_PATH}",
    "arn:aws:iam::123456789012:role/personalize-import",
)
POLICY = _arn_kind(
    "policy",
    "iam",
    f":(?:{_ACCOUNT}|aws)",
    f"policy/{_PATH}",
    "arn:aws:iam::123456789012:policy/boundary",
)
KEY = _arn_kind(
    "key",
    "kms",
    f"{_REGION}:{_ACCOUNT}",
    r"key/[a-zA-Z0-9\-]+",
    "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)
TOPIC = _arn_kind(
    "topic",
    "sns",
    f"{_REGION}:{_ACCOUNT}",
    r"[a-zA-Z0-9_\-]{1,256}",
    "arn:aws:sns:eu-west-1:123456789012:personalize-reports",
)


def dataset_kind(key: str) -> Kind:
    """Return the kind of the ARN of a dataset.

    `key` is the key in the config, for example `actionInteractions` for the dataset of type
    ACTION_INTERACTIONS.
    https://docs.aws.amazon.com/personalize/latest/dg/API_CreateDataset.html lists the types.
    """
    dataset_type = re.sub("([A-Z])", r"_\1", key).upper()
    return _personalize_kind(
        f"{dataset_type} dataset",
        f"dataset/{_NAME}/{dataset_type}",
        f"dataset/movies/{dataset_type}",
    )


def parse_arn(text: str) -> Arn | None:
    """Return the parts of an ARN, or None if the text does not have the shape of an ARN."""
    parts = _ARN_PATTERN.fullmatch(text)
    return Arn(*parts.groups()) if parts else None


def arn_error(text: str, kind: Kind) -> str | None:
    """Return an error message if `text` is not an ARN of this kind, else None."""
    if len(text) > MAX_ARN_CHARACTERS:
        return f"is {len(text)} characters long; use an ARN of at most {MAX_ARN_CHARACTERS}"
    if kind.pattern.fullmatch(text):
        return None
    arn = parse_arn(text)
    if arn is None:
        noun = with_article(kind.noun)
        return f"is not an ARN; expected the ARN of {noun}, for example '{kind.example}'"
    noun = _resource_noun(arn)
    if noun == kind.noun:
        return f"is not a valid ARN of {with_article(noun)}; expected for example '{kind.example}'"
    return f"is {with_article(noun)}; {_fix_hint(arn, noun, kind)}"


def problems(settings: Iterable[ArnSetting], *, region: str | None = None) -> Iterator[Problem]:
    """Yield the problems of all ARNs of a pipeline. `region` is the region of the stack.

    All ARNs must have one home (partition, region and account), and all datasets must be in one
    dataset group. If they differ, the most common home and the most common group are taken as the
    right ones. ARNs in the region of the stack come first, so that a few wrong ARNs do not make the
    others wrong. No dataset, solution or campaign may be named twice.
    """
    parsed: list[ParsedSetting] = []
    for setting in settings:
        if not setting.text:
            message = f"{setting.message_if_empty}, for example '{setting.kind.example}'"
            yield Problem(setting.key, message)
        elif error := arn_error(setting.text, setting.kind):
            yield Problem(setting.key, error, setting.text)
        else:
            arn = parse_arn(setting.text)
            assert arn is not None, "the ARN fits the pattern of its kind"
            parsed.append(ParsedSetting(setting, arn))
    in_personalize = [entry for entry in parsed if entry.arn.service == "personalize"]
    if in_personalize:
        in_region = [entry for entry in in_personalize if entry.arn.region == region]
        typical = _first_with_most_common(in_region or in_personalize, lambda arn: arn.home)
        yield from _home_problems(parsed, typical, region)
    datasets = [entry for entry in in_personalize if entry.arn.resource.startswith("dataset/")]
    if datasets:
        typical = _first_with_most_common(datasets, lambda arn: arn.name)
        yield from _group_problems(datasets, typical)
    yield from _repeated_arn_problems(entry.setting for entry in in_personalize)


def _first_with_most_common(
    parsed: Sequence[ParsedSetting], feature: Callable[[Arn], Hashable]
) -> ParsedSetting:
    """Return the first setting whose ARN has the most common value of `feature`."""
    ((most_common, _),) = Counter(feature(entry.arn) for entry in parsed).most_common(1)
    return next(entry for entry in parsed if feature(entry.arn) == most_common)


def _home_problems(
    parsed: Iterable[ParsedSetting], typical: ParsedSetting, region: str | None
) -> Iterator[Problem]:
    """Yield a problem for each part of an ARN that differs from the same part of the typical ARN.

    Yield another problem if no ARN is in the region of the stack.
    """
    key, home = typical.setting.key, typical.arn.home
    if region not in (None, home.region):
        message = (
            f"is in region {home.region}, but the stack's aws:region is {region}; correct the ARN, "
            f"or set aws:region to {home.region} in the stack's file"
        )
        yield Problem(key, message, typical.setting.text)
    for setting, arn in parsed:
        for part in _SHARED_PARTS[arn.service]:
            actual, expected = getattr(arn, part), getattr(home, part)
            if actual == expected or (part, actual) == _AWS_MANAGED:
                continue
            message = (
                f"is in {part} {actual}, but {key} is in {part} {expected}; correct one of the "
                f"ARNs, because all of them need the same {part}"
            )
            if (part, expected) == ("region", region):
                aws_region = f"the stack's aws:region is {region}"
                message = f"is in region {actual}, but {aws_region}; correct the ARN"
            yield Problem(setting.key, message, setting.text)


def _group_problems(datasets: Iterable[ParsedSetting], typical: ParsedSetting) -> Iterator[Problem]:
    """Yield a problem for each dataset that is not in the group of the typical dataset."""
    for setting, arn in datasets:
        if arn.name != typical.arn.name:
            message = (
                f"is in dataset group {arn.name}, but {typical.setting.key} is in "
                f"dataset group {typical.arn.name}; correct the ARN, or give {arn.name} a stack of "
                "its own"
            )
            yield Problem(setting.key, message, setting.text)


def _repeated_arn_problems(settings: Iterable[ArnSetting]) -> Iterator[Problem]:
    """Yield a problem for each setting whose ARN another setting before it has."""
    first_keys: dict[str, str] = {}
    for setting in settings:
        first_key = first_keys.setdefault(setting.text, setting.key)
        if first_key != setting.key:
            message = f"is also the value of {first_key}; correct or remove one of the two settings"
            yield Problem(setting.key, message, setting.text)


def _resource_noun(arn: Arn) -> str:
    """Return the type of an ARN's resource, for example `solution version` or `USERS dataset`."""
    resource_type, *rest = re.split("[/:]", arn.resource)
    match arn.service, resource_type, rest:
        case "personalize", "solution", [_, _]:
            return "solution version"
        case "personalize", "dataset", [_, dataset_type]:
            return f"{dataset_type} dataset"
        case "kms", "alias", _:
            return "key alias"
        case "sns", _, _:
            return "subscription" if rest else "topic"
    if resource_type in _RESOURCE_TYPES.get(arn.service, []):
        return resource_type.replace("-", " ")
    return f"resource of {arn.service}"


def _fix_hint(arn: Arn, noun: str, kind: Kind) -> str:
    """Return which ARN of the expected kind to write instead of an ARN of another kind.

    `noun` is the type of the ARN's resource. The ARN is an example if it cannot be derived.
    """
    derived: Arn | None = None
    if kind is SOLUTION and noun == "solution version":
        derived = arn._replace(resource=f"solution/{arn.name}")
    elif kind.noun.endswith(" dataset") and noun.endswith(("dataset group", " dataset")):
        dataset_type = kind.noun.removesuffix(" dataset")
        derived = arn._replace(resource=f"dataset/{arn.name}/{dataset_type}")
    if derived and kind.pattern.fullmatch(str(derived)):
        return f"name the {kind.noun}, '{derived}'"
    if kind is KEY and noun == "key alias":
        return f"name its key, which `aws kms describe-key --key-id {arn.resource}` shows"
    return f"expected {with_article(kind.noun)}, for example '{kind.example}'"


def with_article(noun: str) -> str:
    """Return the noun with `a` or `an`."""
    # A noun with a U begins with a consonant, like `user`.
    return f"an {noun}" if noun[0] in "aeioAEIO" else f"a {noun}"
