"""The command `doctor`, which checks a pipeline and the AWS account that it needs."""
