"""Checks the name of a stack, its region and the namespaces of its config."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from ..naming import MAX_NAME_CHARACTERS, MAX_ROLE_NAME_CHARACTERS, RANDOM_SUFFIX_CHARACTERS
from . import arns
from .fields import Problem

NAME_PREFIX = "retraining-"
"""The beginning of the name of a stack's pipeline, and so of the names of all its resources."""
LONGEST_STACK_NAME = MAX_NAME_CHARACTERS - len(NAME_PREFIX)
"""The most characters of a stack's name."""
RESERVED_NAMESPACES = ("aws", "pulumi")
"""The namespaces of the AWS provider and of Pulumi. They are right even if they are similar to the
name of the project."""


def pipeline_name(stack: str) -> str:
    """Return the name of the pipeline that a stack deploys."""
    return f"{NAME_PREFIX}{stack}"


def problems(
    project: str, stack: str, config: Mapping[str, str], regions: Collection[str]
) -> Iterator[Problem]:
    """Yield each problem of the name of a stack, its region and its namespaces.

    `config` is the whole config, with keys like `aws:region`. `regions` are the regions of the ARNs
    in the settings.
    """
    if len(stack) > LONGEST_STACK_NAME:
        message = (
            f"has {len(stack)} characters; at most {LONGEST_STACK_NAME}, because the names of "
            f"roles and functions have at most {MAX_ROLE_NAME_CHARACTERS}: {NAME_PREFIX}<stack>, "
            f"the name of a step, and {RANDOM_SUFFIX_CHARACTERS} that Pulumi adds; choose a "
            f"shorter name with pulumi stack rename <name> -s {stack}"
        )
        yield Problem("stack", message, stack)
    stack_region = config.get("aws:region")
    if not stack_region:
        region = next(iter(regions)) if len(regions) == 1 else "<the region of the ARNs>"
        message = (
            "missing; without it the region depends on the shell that runs Pulumi; "
            f"run pulumi config set aws:region {region} -s {stack}"
        )
        yield Problem("aws:region", message)
    elif not arns.REGION_PATTERN.fullmatch(stack_region):
        message = "is not a region; expected for example 'eu-west-1'"
        yield Problem("aws:region", message, stack_region)
    for key in config:
        namespace, _, name = key.partition(":")
        if namespace not in (project, *RESERVED_NAMESPACES) and _is_similar(namespace, project):
            yield Problem(key, f"unknown; did you mean {project}:{name}?")


def _is_similar(namespace: str, project: str) -> bool:
    return bool(get_close_matches(namespace.lower(), [project.lower()]))
