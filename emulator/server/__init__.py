"""The server of the emulator: one port that passes each request to a service."""
