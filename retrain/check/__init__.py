"""Checks an account, and everything that is deployed there."""
