"""What runs in AWS Lambda: the standard library, boto3 and itself."""
