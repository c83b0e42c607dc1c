"""Start the plugin; the Pulumi engine runs this folder with the address that it listens on."""

import logging
import sys
from pathlib import Path

import pulumi.provider

sys.path.insert(0, str(Path(__file__).parents[1]))

from package.provider import RetrainingProvider

# The answer to the engine says what failed. asyncio and gRPC would also print a traceback for each
# Output that depends on it: 20 MB for a wrong region.
logging.getLogger().addHandler(logging.NullHandler())

pulumi.provider.main(RetrainingProvider(), sys.argv[1:])
