"""Reads the AWS provider's settings and rejects those that the emulator doesn't support."""

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from emulator.deployer.errors import DeploymentError

KNOWN_SETTINGS = {
    "region",
    "allowedAccountIds",
    "defaultTags",
    # These only have an effect with a real account, so they're ignored here.
    "profile",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
    # These are for the engine, which uses them to find the plugin.
    "version",
    "pluginDownloadURL",
}
LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


def find_endpoint(environment: Mapping[str, str]) -> str:
    """Return the emulator's endpoint from the environment variable AWS_ENDPOINT_URL.

    Raises:
        DeploymentError: the variable isn't set or points to another machine.
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
    """Raise DeploymentError if a setting isn't supported or `allowedAccountIds` lacks the account.

    The latter error starts like the real provider's, see VerifyAccountIDAllowed in
    hashicorp/aws-sdk-go-base, internal/config/config.go.
    """
    unknown_settings = sorted(settings.keys() - KNOWN_SETTINGS)
    # Names that start with two underscores are internal to Pulumi.
    unsupported_names = [f"aws:{name}" for name in unknown_settings if not name.startswith("__")]
    if unsupported_names:
        raise DeploymentError(
            f"{', '.join(unsupported_names)}: not supported by the emulator's provider"
        )

    # Pulumi's CLI passes a list as a JSON string, so search the string for account numbers.
    allowed_accounts = re.findall(r"\d+", str(settings.get("allowedAccountIds", account)))
    if account not in allowed_accounts:
        raise DeploymentError(
            f"AWS account ID not allowed: {account};"
            f" aws:allowedAccountIds has {', '.join(allowed_accounts)}"
        )


def read_default_tags(settings: Mapping[str, object]) -> dict[str, str]:
    """Parse the provider's default tags, which all resources get.

    Raises:
        DeploymentError: the setting isn't a JSON object with a mapping called `tags`.
    """
    setting = str(settings.get("defaultTags", '{"tags": {}}'))
    try:
        tags = json.loads(setting)["tags"].items()
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        example = '{"tags": {"team": "data"}}'
        raise DeploymentError(f"aws:defaultTags: {setting!r}; expected {example}") from error

    return {key: _format_tag_value(value) for key, value in tags}


def _format_tag_value(value: object) -> str:
    """Convert a tag value to a string because it may be a number or a boolean in YAML."""
    if isinstance(value, str):
        return value
    return json.dumps(value)
