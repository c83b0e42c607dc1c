"""Short names for long ARNs, and what to do with names that are too long for their place."""


def short_name(arn: str) -> str:
    """Give what tells a resource from others of its kind.

    Of a solution version that is `movies/1a2b3c4d`, of a campaign `movies`, and of an import job
    its dataset's type: these jobs are named `<prefix>-<run>-<type>-<attempt>`.
    """
    resource = arn.rpartition(":")[2]
    kind, _, name = resource.partition("/")
    return name.split("-")[-2] if kind == "dataset-import-job" else name or resource


def shortened(text: str, width: int) -> str:
    """Give at most `width` characters, with what is missing taken out of the middle."""
    if len(text) <= width:
        return text
    tail = width // 2
    return f"{text[: width - tail - 1]}…{text[len(text) - tail :]}"
