"""Proves that the component works as an installed library and as a plugin.

These tests need neither the Pulumi CLI nor a network. tests/engine/test_package.py has the real
engine.
"""

import pytest

from tests.package.plugin import ROOT, running
from tests.package.wheel import build, create_environment, install


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """Return the wheel that pip builds from the checkout."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def python(wheel, tmp_path_factory):
    """Return the Python of an environment in which the wheel is installed."""
    python = create_environment(tmp_path_factory.mktemp("environment"))
    install(wheel, python)
    return python


@pytest.fixture(scope="session")
def plugin():
    """Run the plugin of this checkout."""
    with running(ROOT) as running_plugin:
        yield running_plugin
