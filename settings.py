"""The former home of `components/settings.py`."""

from components.settings import (
    LONGEST_STACK_NAME,
    PROJECT,
    SettingsError,
    load,
    parse_stack,
    pipeline_name,
)

__all__ = [
    "LONGEST_STACK_NAME",
    "PROJECT",
    "SettingsError",
    "load",
    "parse_stack",
    "pipeline_name",
]
