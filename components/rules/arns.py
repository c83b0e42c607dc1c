"""ARNs: their parts, the kinds that a pipeline is told, and what is wrong with one. Pure."""

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .values import Problem

MAX_LENGTH = 256
"""Of a Personalize ARN and of the import role's, by the API's model."""

_PARTITION = r"aws(?:-[a-z]+)*"
_REGION = r"[a-z]{2,}(?:-[a-z]+)+-\d+"
_ACCOUNT = r"[0-9]{12}"
_NAME = r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}"
_PATH = r"(?:[!-~]+/)?[a-zA-Z0-9_+=,.@\-]+"
_SHAPE = re.compile(rf"arn:({_PARTITION}):([a-z0-9\-]+):({_REGION}|):({_ACCOUNT}|aws|):(\S+)")

_RESOURCES = {
    "personalize": [
        *("campaign", "dataset", "dataset-export-job", "dataset-group", "dataset-import-job"),
        *("event-tracker", "filter", "recipe", "recommender", "schema", "solution"),
    ],
    "iam": ["group", "instance-profile", "policy", "role", "user"],
    "kms": ["alias", "key"],
}
"""The first word of the resources that are told apart in messages."""
_SHARED = {
    "personalize": ["partition", "region", "account"],
    "iam": ["partition", "account"],
    "kms": ["partition", "region"],
}
"""What the ARNs of a pipeline have in common; a key may be another account's."""
_OF_AWS_ITSELF = ("account", "aws")
"""Policies that AWS manages."""


class Home(NamedTuple):
    """Where a resource lives: what all ARNs of one pipeline share."""

    partition: str
    region: str
    account: str


class Arn(NamedTuple):
    """The parts of an ARN; IAM's have no region."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        """Give the ARN as AWS writes it."""
        return ":".join(("arn", *self))

    @property
    def home(self) -> Home:
        """Partition, region and account."""
        return Home(self.partition, self.region, self.account)

    @property
    def name(self) -> str:
        """The resource's own name: of a dataset or a dataset group, the group's."""
        return self.resource.split("/")[1]


class Kind(NamedTuple):
    """A kind of ARN that a setting asks for."""

    noun: str
    pattern: re.Pattern[str]
    """The whole ARN's."""
    example: str


class Named(NamedTuple):
    """An ARN that a setting holds: the setting's key, the text, and what it should be."""

    key: str
    text: str
    kind: Kind
    wanted: str
    """What to say when the text is empty; an example follows."""


def _kind(noun: str, service: str, where: str, resource: str, example: str) -> Kind:
    pattern = re.compile(rf"arn:{_PARTITION}:{service}:{where}:{resource}")
    return Kind(noun, pattern, example)


def _personalize(noun: str, resource: str, example: str) -> Kind:
    example = f"arn:aws:personalize:eu-west-1:123456789012:{example}"
    return _kind(noun, "personalize", f"{_REGION}:{_ACCOUNT}", resource, example)


SOLUTION = _personalize("solution", f"solution/{_NAME}", "solution/movies")
CAMPAIGN = _personalize("campaign", f"campaign/{_NAME}", "campaign/movies")
ROLE = _kind(
    "role",
    "iam",
    f":{_ACCOUNT}",
    f"role/{_PATH}",
    "arn:aws:iam::123456789012:role/personalize-import",
)
POLICY = _kind(
    "policy",
    "iam",
    f":(?:{_ACCOUNT}|aws)",
    f"policy/{_PATH}",
    "arn:aws:iam::123456789012:policy/boundary",
)
KEY = _kind(
    "key",
    "kms",
    f"{_REGION}:{_ACCOUNT}",
    r"key/[a-zA-Z0-9\-]+",
    "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)


def dataset(key: str) -> Kind:
    """Give the kind of a dataset by its key: of `actionInteractions`, the ACTION_INTERACTIONS one.

    https://docs.aws.amazon.com/personalize/latest/dg/API_CreateDataset.html names the types.
    """
    dataset_type = re.sub("([A-Z])", r"_\1", key).upper()
    return _personalize(
        f"{dataset_type} dataset",
        f"dataset/{_NAME}/{dataset_type}",
        f"dataset/movies/{dataset_type}",
    )


def parse(text: str) -> Arn | None:
    """Take an ARN apart; None if it does not have an ARN's shape."""
    parts = _SHAPE.fullmatch(text)
    return Arn(*parts.groups()) if parts else None


def problem(text: str, kind: Kind) -> str | None:
    """Say what keeps `text` from being an ARN of this kind, and the way out; None: nothing."""
    if len(text) > MAX_LENGTH:
        return f"is {len(text)} characters long; an ARN here has at most {MAX_LENGTH}"
    if kind.pattern.fullmatch(text):
        return None
    arn = parse(text)
    if arn is None:
        return f"is not an ARN; expected the ARN of {_a(kind.noun)}, for example '{kind.example}'"
    if (given := _noun(arn)) == kind.noun:
        return f"is no valid ARN of {_a(given)}; expected one like '{kind.example}'"
    return f"is {_a(given)}; {_way_out(arn, given, kind)}"


def problems(named: Iterable[Named], *, region: str | None = None) -> Iterator[Problem]:
    """Judge all ARNs of a pipeline, each by itself and all together; `region` is the stack's.

    Together: one partition, region and account, one dataset group, no solution or campaign twice.
    Place and group that most of Personalize's ARNs have are taken for the meant ones.
    """
    known: list[tuple[Named, Arn]] = []
    for each in named:
        if not each.text:
            yield Problem(each.key, None, f"{each.wanted}, for example '{each.kind.example}'")
        elif message := problem(each.text, each.kind):
            yield Problem(each.key, each.text, message)
        else:
            arn = parse(each.text)
            assert arn is not None, "an ARN that its kind's pattern fits"
            known.append((each, arn))
    personalize = [(each, arn) for each, arn in known if arn.service == "personalize"]
    if personalize:
        yield from _misplaced(known, _usual(personalize, lambda arn: arn.home), region)
    datasets = [(each, arn) for each, arn in personalize if arn.resource.startswith("dataset/")]
    if datasets:
        yield from _of_other_groups(datasets, _usual(datasets, lambda arn: arn.name))
    yield from _repeated(personalize)


def _usual(
    known: Sequence[tuple[Named, Arn]], feature: Callable[[Arn], Hashable]
) -> tuple[Named, Arn]:
    """Give the first one with the feature that most have."""
    ((most, _),) = Counter(feature(arn) for _, arn in known).most_common(1)
    return next((each, arn) for each, arn in known if feature(arn) == most)


def _misplaced(
    known: Iterable[tuple[Named, Arn]], usual: tuple[Named, Arn], region: str | None
) -> Iterator[Problem]:
    anchor, home = usual
    if region not in (None, home.region):
        message = f"is in region {home.region}, but the stack's aws:region is {region}; change one"
        yield Problem(anchor.key, anchor.text, message)
    for each, arn in known:
        for word in _SHARED[arn.service]:
            given, expected = getattr(arn, word), getattr(home, word)
            if given != expected and (word, given) != _OF_AWS_ITSELF:
                message = f"is in {word} {given}, but {anchor.key} is in {expected}; all share one"
                yield Problem(each.key, each.text, message)


def _of_other_groups(
    datasets: Iterable[tuple[Named, Arn]], usual: tuple[Named, Arn]
) -> Iterator[Problem]:
    anchor, meant = usual
    for each, arn in datasets:
        if arn.name != meant.name:
            message = (
                f"is of dataset group {arn.name}, but {anchor.key} is of {meant.name}; "
                "one stack retrains one dataset group"
            )
            yield Problem(each.key, each.text, message)


def _repeated(known: Iterable[tuple[Named, Arn]]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for each, _ in known:
        if each.text in seen:
            message = f"is named twice; {seen[each.text]} is the same"
            yield Problem(each.key, each.text, message)
        seen.setdefault(each.text, each.key)


def _noun(arn: Arn) -> str:
    """Give what an ARN names, as `solution version` or `USERS dataset`."""
    first, *rest = re.split("[/:]", arn.resource)
    match arn.service, first, rest:
        case "personalize", "solution", [_, _]:
            return "solution version"
        case "personalize", "dataset", [_, dataset_type]:
            return f"{dataset_type} dataset"
        case "kms", "alias", _:
            return "key alias"
    if first in _RESOURCES.get(arn.service, []):
        return first.replace("-", " ")
    return f"resource of {arn.service}"


def _way_out(arn: Arn, given: str, kind: Kind) -> str:
    """Name the ARN of the right kind that this one points at, where it does; else an example."""
    right: Arn | None = None
    if kind is SOLUTION and given == "solution version":
        right = arn._replace(resource=f"solution/{arn.name}")
    elif kind.noun.endswith(" dataset") and given.endswith(("dataset group", " dataset")):
        dataset_type = kind.noun.removesuffix(" dataset")
        right = arn._replace(resource=f"dataset/{arn.name}/{dataset_type}")
    if right and kind.pattern.fullmatch(str(right)):
        return f"name the {kind.noun}, '{right}'"
    if kind is KEY and given == "key alias":
        return f"name its key, which `aws kms describe-key --key-id {arn.resource}` shows"
    return f"expected {_a(kind.noun)}, for example '{kind.example}'"


def _a(noun: str) -> str:
    """Put the article before a noun; those with a U begin like `user`."""
    return f"an {noun}" if noun[0] in "aeioAEIO" else f"a {noun}"
