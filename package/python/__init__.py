"""Pulumi component that retrains an Amazon Personalize dataset group on a schedule."""

from .components import *  # noqa: F403  # the wheel has this file beside components/
from .components import __all__ as __all__
