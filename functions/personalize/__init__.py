"""Reads the state of Amazon Personalize for the rules, and builds requests to it."""
