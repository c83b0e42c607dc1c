"""Step Functions without HTTP and IAM: the States Language, its interpreter, and the API."""
