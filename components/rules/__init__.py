"""Pure functions that check the settings."""
