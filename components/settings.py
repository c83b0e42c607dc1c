"""Turns a stack's config into the pipeline's arguments, and reports all problems at once."""

import json
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from .args import RetrainingPipelineArgs
from .naming import MAX_NAME_CHARACTERS
from .rules.several_settings import CheckedArgs, check_args, check_role_tags
from .rules.single_settings import Problem, format_problems

NAME_PREFIX = "retraining-"
"""How all resource names begin."""
MAX_STACK_NAME_CHARACTERS = MAX_NAME_CHARACTERS - len(NAME_PREFIX)
"""The longest name of a stack, which is part of the names of its resources."""


class SettingsError(pulumi.RunError):
    """The config is invalid. It's a RunError, which the CLI shows without a stack trace."""


def build_pipeline_name(stack: str) -> str:
    """Build the name of the pipeline that a stack deploys."""
    return f"{NAME_PREFIX}{stack}"


def load() -> RetrainingPipelineArgs:
    """Load the arguments from the config of the stack that is being deployed.

    Raises SettingsError if the config is invalid.
    """
    config = CONFIG.get()
    return parse_stack_config(
        pulumi.get_project(),
        pulumi.get_stack(),
        config,
        secrets=[key for key in config if is_config_secret(key)],
    )


def parse_stack_config(
    project: str,
    stack: str,
    config: Mapping[str, str],
    *,
    secrets: Collection[str] = (),
) -> RetrainingPipelineArgs:
    """Turn a stack's whole config into the pipeline's arguments.

    The keys of `config` look like `namespace:key`. `secrets` are the keys of encrypted values.

    Raises:
        SettingsError: The config is invalid. The message lists all problems at once, so that nobody
            has to fix one to see the next.
    """
    prefix = f"{project}:"
    settings = {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }
    checked = check_args(settings, secrets=[key.removeprefix(prefix) for key in secrets])

    problems = [problem._replace(key=f"{prefix}{problem.key}") for problem in checked.problems]
    problems += [
        *_check_stack_name(stack),
        *_check_region(stack, config, checked),
        *_check_default_tags(config, checked),
        *_check_namespaces(project, config),
    ]
    if problems:
        problems.sort(key=lambda problem: problem.key)
        raise SettingsError(format_problems(problems, f"the configuration of stack {stack}"))
    return checked.args


def _check_stack_name(stack: str) -> Iterator[Problem]:
    if len(stack) > MAX_STACK_NAME_CHARACTERS:
        yield Problem(
            "stack",
            f"has {len(stack)} characters; expected at most {MAX_STACK_NAME_CHARACTERS}, because "
            "the names of roles and functions contain it; choose a shorter name with "
            f"pulumi stack rename <name> -s {stack}",
            stack,
        )


def _check_region(stack: str, config: Mapping[str, str], checked: CheckedArgs) -> Iterator[Problem]:
    """Require a region in the config that matches the ARNs.

    Without it, the region would depend on the shell that runs Pulumi.
    """
    region = config.get("aws:region")
    expected_region = " or ".join(sorted(checked.regions)) or "<the region of the ARNs>"
    command = f"run pulumi config set aws:region {expected_region} -s {stack}"

    if not region:
        yield Problem("aws:region", f"missing; expected the region of the ARNs; {command}")
    elif checked.regions and region not in checked.regions:
        yield Problem("aws:region", f"is not the region of the ARNs; {command}", region)


def _check_default_tags(config: Mapping[str, str], checked: CheckedArgs) -> Iterator[Problem]:
    """Check the tags that the AWS provider adds to each role, on top of the pipeline's tags."""
    # If the arguments couldn't be read, the pipeline's tags are unknown, too.
    pipeline_tags = getattr(checked.args, "tags", {})
    yield from check_role_tags("aws:defaultTags", _read_default_tags(config), pipeline_tags)


def _read_default_tags(config: Mapping[str, str]) -> dict[str, str]:
    """Read the tags that the config lets the AWS provider add to each resource.

    Malformed JSON counts as no tags, because the provider validates this setting itself.
    """
    try:
        tags = json.loads(config["aws:defaultTags"])["tags"]
        return {key: str(value) for key, value in tags.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _check_namespaces(project: str, config: Mapping[str, str]) -> Iterator[Problem]:
    """Report misspelled namespaces, whose settings Pulumi would silently ignore."""
    for key in config:
        namespace, _, name = key.partition(":")
        if namespace in (project, "aws", "pulumi"):
            # These are valid, even if they resemble the project's name.
            continue
        if get_close_matches(namespace.lower(), [project.lower()]):
            yield Problem(key, f"unknown; did you mean {project}:{name}?")
