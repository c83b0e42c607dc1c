"""What every emulated service needs: its errors, botocore's model of it, and JSON over HTTP."""
