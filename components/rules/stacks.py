"""Checks the name of a stack, its region and the namespaces of its config. Pure."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from ..naming import AUTO_NAMING, LONGEST_NAME, LONGEST_ROLE_NAME
from .values import Problem

PREFIX = "retraining-"
"""The beginning of the name of a stack's pipeline, and so of the names of all its resources."""
LONGEST_STACK_NAME = LONGEST_NAME - len(PREFIX)
"""The most characters of a stack's name."""
RESERVED = ("aws", "pulumi")
"""The namespaces of the AWS provider and of Pulumi, even if the project has a similar name."""


def pipeline_name(stack: str) -> str:
    """Return the name of the pipeline that a stack deploys."""
    return f"{PREFIX}{stack}"


def problems(
    project: str, stack: str, config: Mapping[str, str], regions: Collection[str]
) -> Iterator[Problem]:
    """Yield each problem of a stack and its whole config, which has keys like `aws:region`.

    `regions` are the regions of the ARNs in the settings.
    """
    if len(stack) > LONGEST_STACK_NAME:
        message = (
            f"has {len(stack)} characters; at most {LONGEST_STACK_NAME}, because the names of "
            f"roles and functions have at most {LONGEST_ROLE_NAME}: {PREFIX}<stack>, the name of "
            f"a step, and {AUTO_NAMING} that Pulumi adds; choose a shorter name with pulumi stack "
            "rename"
        )
        yield Problem("stack", stack, message)
    if not config.get("aws:region"):
        (region,) = regions if len(regions) == 1 else ("<the region of the ARNs>",)
        message = (
            "missing; without it the region depends on the shell that runs Pulumi; "
            f"run pulumi config set aws:region {region}"
        )
        yield Problem("aws:region", None, message)
    for key in config:
        namespace, _, name = key.partition(":")
        if namespace not in (project, *RESERVED) and _is_similar(namespace, project):
            yield Problem(key, None, f"unknown; did you mean {project}:{name}?")


def _is_similar(namespace: str, project: str) -> bool:
    return bool(get_close_matches(namespace.lower(), [project.lower()]))
