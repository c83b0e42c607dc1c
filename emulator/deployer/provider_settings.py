"""Reads the settings of the AWS provider, and finds those that the emulator does not support."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from emulator.deployer.errors import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN_SETTINGS = {
    *("region", "allowedAccountIds", "defaultTags"),
    # These are only needed for a real account.
    *("profile", "skipCredentialsValidation", "skipMetadataApiCheck", "skipRegionValidation"),
    "skipRequestingAccountId",
    # The engine finds the plugin by these properties.
    *("version", "pluginDownloadURL"),
}
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


def find_endpoint(environment: Mapping[str, str]) -> str:
    """Read the emulator's endpoint from the environment.

    Raises DeploymentError if it is not set or not on this machine.
    """
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    if urlsplit(endpoint).hostname not in LOOPBACK_HOSTS:
        raise DeploymentError(
            "this pulumi-resource-aws is a stand-in that works with an emulator on this machine "
            f"only, and AWS_ENDPOINT_URL is {endpoint or 'not set'}; start an emulator with "
            "'retrain emulate' and export what it prints, or take emulator/deployer/plugin off "
            "the PATH and install the real provider with 'pulumi plugin install resource aws'"
        )
    return endpoint


def check_settings(settings: Mapping[str, object], account: str) -> None:
    """Raise DeploymentError for unsupported settings, and if they do not allow the account.

    Names that begin with two underscores are internal to Pulumi. The real provider has the first
    words about the account: hashicorp/aws-sdk-go-base, internal/config/config.go,
    VerifyAccountIDAllowed.
    """
    unknown = sorted(settings.keys() - KNOWN_SETTINGS)
    names = [f"aws:{name}" for name in unknown if not name.startswith("__")]
    if names:
        raise DeploymentError(f"{', '.join(names)}: not supported by the emulator's provider")

    # The CLI passes a list or a mapping as JSON.
    allowed_accounts = re.findall(r"\d+", str(settings.get("allowedAccountIds", account)))
    if account not in allowed_accounts:
        raise DeploymentError(
            f"AWS account ID not allowed: {account};"
            f" aws:allowedAccountIds has {', '.join(allowed_accounts)}"
        )


def read_default_tags(settings: Mapping[str, object]) -> dict[str, str]:
    """Read the tags of every resource. Raises DeploymentError if they are not a mapping."""
    text = str(settings.get("defaultTags", '{"tags": {}}'))
    try:
        tags = json.loads(text)["tags"].items()
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        example = '{"tags": {"team": "data"}}'
        raise DeploymentError(f"aws:defaultTags: {text!r}; expected {example}") from error

    return {key: _write_tag(tag) for key, tag in tags}


def _write_tag(tag: object) -> str:
    """Write the value of a tag as text: YAML has numbers and truth values too."""
    if isinstance(tag, str):
        return tag
    return json.dumps(tag)
