"""The Pulumi plugin that serves the component to programs in other languages."""
