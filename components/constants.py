"""The names and limits that stand in the functions' code, because the functions need them as well.

The functions can't read them from here: they're deployed without the component, which needs Pulumi.
"""

try:
    # An installed package contains both folders.
    from ..functions.constants import *  # type: ignore[import-not-found]  # noqa: F403
except ImportError:
    # In a checkout, both folders are top-level packages.
    from functions.constants import *  # noqa: F403
