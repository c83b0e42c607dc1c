"""The configuration of the AWS provider: what it means here, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple, cast

from emulator.deployer.wire import contains_unknown

MEANINGLESS_HERE = {
    "profile",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
    "version",
    "pluginDownloadURL",
}
"""Settings that only say how to find a real account, or the plugin."""
UNDERSTOOD = {"region", "allowedAccountIds", "defaultTags"}


class ProviderSettings(NamedTuple):
    """What a provider is configured with."""

    region: str | None
    allowed_accounts: list[str] | None
    """None if every account is allowed."""
    default_tags: Mapping[str, object]


def unsupported(settings: Mapping[str, object]) -> list[str]:
    """Return the names of the settings that are not understood here."""
    known = MEANINGLESS_HERE | UNDERSTOOD
    return sorted(name for name in settings if name not in known and not name.startswith("__"))


def provider_settings(settings: Mapping[str, object]) -> ProviderSettings:
    """Read the settings. The CLI passes one that is not text as JSON."""
    read = {name: _read(value) for name, value in settings.items()}
    tags = cast("Mapping[str, Mapping[str, object]]", read.get("defaultTags", {}))
    accounts = cast("list[object] | None", read.get("allowedAccountIds"))
    return ProviderSettings(
        cast("str | None", read.get("region")),
        None if accounts is None else [str(account) for account in accounts],
        tags.get("tags", {}),
    )


def account_problem(settings: ProviderSettings, account: str) -> str | None:
    """Return the provider's words for an account that is not allowed, or None."""
    allowed = settings.allowed_accounts
    if allowed is None or account in allowed:
        return None
    return f"AWS account ID not allowed: {account}"


def _read(value: object) -> object:
    if isinstance(value, str) and value.startswith(("{", "[")) and not contains_unknown(value):
        return json.loads(value)
    return value
