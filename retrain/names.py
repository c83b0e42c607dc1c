"""Short names for ARNs."""


def short_name(arn: str) -> str:
    """Shorten an ARN to the part that identifies a resource among others of its kind.

    For a solution version this is `movies/1a2b3c4d`, and for a campaign `movies`. For an import
    job it is the dataset type, because the job is named `<prefix>-<run>-<type>`.
    """
    resource = arn.rpartition(":")[2]
    kind, _, name = resource.partition("/")
    if kind == "dataset-import-job":
        return name.rpartition("-")[2]
    return name or resource


def is_named(version_arn: str, name: str) -> bool:
    """Tell whether a name is the ARN of a version, its short name, or its id alone."""
    version_id = version_arn.rpartition("/")[2]
    return name in (version_arn, short_name(version_arn), version_id)
