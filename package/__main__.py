"""Starts the plugin. The Pulumi engine runs this folder and passes the address of the engine."""

import logging
import sys
from pathlib import Path

import pulumi.provider

sys.path.insert(0, str(Path(__file__).parents[1]))

from package.provider import RetrainingProvider

# The engine shows the error of a pipeline to the user. Without this handler, asyncio and gRPC also
# print a traceback for each Output that depends on the error. A wrong region led to 20 MB of text.
logging.getLogger().addHandler(logging.NullHandler())

pulumi.provider.main(RetrainingProvider(), sys.argv[1:])
