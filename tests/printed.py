"""Messages as tests compare them: the text, and behind it the command."""

from functions.common.messages import as_message


def printed(reason):
    """Return a message as one text, without the options that a printer would add."""
    message = as_message(reason)
    if "command" not in message:
        return message["text"]
    return f"{message['text']}: `{message['command']}`"


def all_printed(reasons):
    """Return several messages as texts."""
    return [printed(reason) for reason in reasons]
