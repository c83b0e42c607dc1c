"""What the commands share: access to AWS and Pulumi, the target pipeline, errors and output."""
