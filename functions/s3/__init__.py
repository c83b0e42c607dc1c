"""Reads exports and other files in S3."""
