"""Reads what Amazon Personalize shows as the facts for the rules, and builds the requests."""
