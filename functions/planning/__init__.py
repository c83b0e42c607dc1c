"""Decides what a run imports and trains: reads the service once, and applies the guards."""
