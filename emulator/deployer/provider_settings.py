"""Reads the settings of the AWS provider, and finds those that the emulator does not support."""

from __future__ import annotations

import json
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import urlsplit

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

IGNORED_SETTINGS = {
    "profile",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
}
"""Settings that are only needed for a real account."""
ENGINE_PROPERTIES = {"version", "pluginDownloadURL"}
"""Properties of every provider. The engine finds the plugin by them."""
SUPPORTED_SETTINGS = {"region", "allowedAccountIds", "defaultTags"}
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}
NO_EMULATOR = (
    "this pulumi-resource-aws is a stand-in that works with the emulator only, and "
    "AWS_ENDPOINT_URL {is_wrong}; start an emulator with 'retrain emulate' and export what it "
    "prints, or take emulator/deployer/plugin off the PATH and install the real provider with "
    "'pulumi plugin install resource aws'"
)


class ProviderSettings(NamedTuple):
    """The settings of a provider that the emulator supports."""

    region: str | None = None
    allowed_accounts: list[str] | None = None
    """None if every account is allowed."""
    default_tags: Mapping[str, str] = MappingProxyType({})


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
    known = SUPPORTED_SETTINGS | IGNORED_SETTINGS | ENGINE_PROPERTIES
    return sorted(name for name in settings if name not in known and not name.startswith("__"))


def provider_settings(settings: Mapping[str, object]) -> ProviderSettings:
    """Return the supported settings. Raises DeploymentError for a value of the wrong type."""
    accounts = _list_or_mapping(settings, "allowedAccountIds")
    if not (accounts is None or isinstance(accounts, list)):
        raise _type_error(settings, "allowedAccountIds", ["123456789012"])
    tags = _list_or_mapping(settings, "defaultTags") or {"tags": {}}
    if not (isinstance(tags, dict) and tags.keys() == {"tags"} and isinstance(tags["tags"], dict)):
        raise _type_error(settings, "defaultTags", {"tags": {"team": "data"}})
    return ProviderSettings(
        cast("str | None", settings.get("region")),
        None if accounts is None else [str(account) for account in accounts],
        {
            key: tag if isinstance(tag, str) else json.dumps(tag)
            for key, tag in tags["tags"].items()
        },
    )


def account_error(settings: ProviderSettings, account: str) -> str | None:
    """Return an error message if the account is not allowed, else None.

    The words before the semicolon are those of the real provider: hashicorp/aws-sdk-go-base,
    internal/config/config.go, VerifyAccountIDAllowed.
    """
    allowed = settings.allowed_accounts
    if allowed is None or account in allowed:
        return None
    return f"AWS account ID not allowed: {account}; aws:allowedAccountIds has {', '.join(allowed)}"


def _list_or_mapping(settings: Mapping[str, object], name: str) -> object:
    """Return a setting that should be a list or a mapping, or None if it is not set.

    The CLI passes a list or a mapping as JSON. A value of another type is returned unchanged.
    """
    value = settings.get(name)
    if isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _type_error(settings: Mapping[str, object], name: str, example: object) -> DeploymentError:
    """Return the error for a setting that has not the type of the example."""
    return DeploymentError(f"aws:{name}: {settings[name]!r}; expected {json.dumps(example)}")
