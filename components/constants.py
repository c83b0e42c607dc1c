"""Re-exports the names and limits that the component shares with the Lambda functions.

They're defined in `functions/`, because functions are deployed without Pulumi and this package.
"""

try:
    # An installed package contains both folders.
    from ..functions.constants import *  # type: ignore[import-not-found]  # noqa: F403
except ImportError:
    # In a checkout, both folders are top-level packages.
    from functions.constants import *  # noqa: F403
