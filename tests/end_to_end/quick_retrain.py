"""Runs `retrain` with short pauses between its polls: a job of the emulator takes a second."""

import retrain.__main__
from retrain.act import rollback
from retrain.look import watch

if __name__ == "__main__":
    rollback.POLL_SECONDS = 0.3
    watch.POLL_SECONDS = 0.3
    retrain.__main__.main()
