"""Step Functions without HTTP and IAM: a language, its interpreter, and the API."""
