"""Reads the settings of the AWS provider, and finds those that the emulator does not support."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

SUPPORTED_SETTINGS = {"region", "allowedAccountIds", "defaultTags"}
IGNORED_SETTINGS = {
    *("profile", "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation"),
    "skipRequestingAccountId",
    # The engine finds the plugin by these properties.
    *("version", "pluginDownloadURL"),
}
"""Settings that are only needed for a real account or plugin."""
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
NO_EMULATOR = (
    "this pulumi-resource-aws is a stand-in that works with the emulator only, and "
    "AWS_ENDPOINT_URL {is_wrong}; start an emulator with 'retrain emulate' and export what it "
    "prints, or take emulator/deployer/plugin off the PATH and install the real provider with "
    "'pulumi plugin install resource aws'"
)

Value = TypeVar("Value")


def emulator_endpoint(environment: Mapping[str, str]) -> str:
    """Return the emulator's endpoint from the environment.

    Raises DeploymentError if it is not set or not on this machine.
    """
    endpoint = environment.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise DeploymentError(NO_EMULATOR.format(is_wrong="is not set"))
    if urlsplit(endpoint).hostname not in LOOPBACK_HOSTS:
        raise DeploymentError(NO_EMULATOR.format(is_wrong=f"is {endpoint!r}, not this machine"))
    return endpoint


def unsupported_settings(settings: Mapping[str, object]) -> list[str]:
    """Return the sorted names of the settings that the emulator does not support.

    Names that begin with two underscores are internal to Pulumi.
    """
    known = SUPPORTED_SETTINGS | IGNORED_SETTINGS
    return sorted(name for name in settings if name not in known and not name.startswith("__"))


def check_account(settings: Mapping[str, object], account: str) -> None:
    """Raise DeploymentError if the settings do not allow the account.

    The words before the semicolon are those of the real provider: hashicorp/aws-sdk-go-base,
    internal/config/config.go, VerifyAccountIDAllowed.
    """
    accounts = _parsed(settings, "allowedAccountIds", ["123456789012"])
    allowed = [str(allowed_account) for allowed_account in accounts or [account]]
    if account not in allowed:
        reason = f"aws:allowedAccountIds has {', '.join(allowed)}"
        raise DeploymentError(f"AWS account ID not allowed: {account}; {reason}")


def default_tags(settings: Mapping[str, object]) -> dict[str, str]:
    """Return the tags of every resource. Raises DeploymentError if they are not a mapping."""
    tags = _parsed(settings, "defaultTags", {"tags": {"team": "data"}}) or {"tags": {}}
    return {
        key: tag if isinstance(tag, str) else json.dumps(tag) for key, tag in tags["tags"].items()
    }


def _parsed(settings: Mapping[str, object], name: str, example: Value) -> Value | None:
    """Return a setting, which the CLI passes as JSON, or None if it is not set.

    Raises DeploymentError if it has not the type of the example.
    """
    if name not in settings:
        return None
    try:
        value = json.loads(str(settings[name]))
    except ValueError:
        value = None
    has_its_type = isinstance(value, type(example))
    if has_its_type and isinstance(value, dict):
        has_its_type = isinstance(value.get("tags"), dict)
    if not has_its_type:
        expected = json.dumps(example)
        raise DeploymentError(f"aws:{name}: {settings[name]!r}; expected {expected}")
    return cast("Value", value)
