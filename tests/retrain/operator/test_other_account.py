"""Proves that credentials of another account end `plan` and `adopt` with one line."""

import pytest

from retrain import cli

GROUP = "arn:aws:personalize:eu-west-1:123456789012:dataset-group/movies"
OTHER = "arn:aws:iam::210987654321:user/ops"


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        (("plan",), "the pipeline of Pulumi.dev.yaml"),
        (("adopt", "--dataset-group-arn", GROUP, "--stack", "new"), GROUP),
    ],
)
def test_credentials_of_another_account_are_named_before_anything_is_read(
    respond, monkeypatch, capsys, arguments, subject
):
    monkeypatch.setenv("PATH", "")
    respond("sts", "get_caller_identity", {"Arn": OTHER})
    assert cli.main(arguments) == 2
    assert capsys.readouterr() == (
        "",
        (
            f"{subject} is in account 123456789012, but the credentials are of {OTHER}; choose "
            "others with --profile\n"
        ),
    )
