"""Starts the plugin. The Pulumi engine runs this folder and passes the address of the engine."""

import logging
import sys
from pathlib import Path

import pulumi.provider

sys.path.insert(0, str(Path(__file__).parents[1]))

from package.provider import RetrainingProvider

# The response to the engine contains the error. Without this handler, asyncio and gRPC also print a
# traceback for each Output that depends on the error: 20 MB were seen for a wrong region.
logging.getLogger().addHandler(logging.NullHandler())

pulumi.provider.main(RetrainingProvider(), sys.argv[1:])
