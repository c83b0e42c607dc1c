"""What all emulated services share: error types, botocore's service models, and JSON over HTTP."""
