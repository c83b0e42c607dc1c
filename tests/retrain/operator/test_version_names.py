"""Proves that a version is found by its ARN, its short name and its id, and what is said if not."""

from datetime import UTC, datetime, timedelta

import pytest

from retrain.account.errors import OperatorError
from retrain.look import version_names
from tests.retrain.builders import HOME, SECOND_SOLUTION, SOLUTION

BEGAN_AT = datetime(2026, 11, 29, 4, tzinfo=UTC)
IDS = {SOLUTION: ["1a2b", "2a2b", "3a2b", "4a2b"], SECOND_SOLUTION: ["5a2b", "6a2b", "3a2b"]}
BOTH = [SOLUTION, SECOND_SOLUTION]


@pytest.fixture
def find(monkeypatch):
    """Return a function that finds a version. A version with a higher id is newer."""

    def list_versions(_client, solution_arn):
        return [
            {
                "solutionVersionArn": f"{solution_arn}/{version}",
                "creationDateTime": BEGAN_AT + timedelta(hours=int(version[0])),
            }
            for version in IDS.get(solution_arn, [])
        ]

    monkeypatch.setattr(version_names, "list_versions", list_versions)
    return lambda name, solutions=BOTH: version_names.find_version(None, solutions, name)


@pytest.mark.parametrize("name", [f"{SOLUTION}/1a2b", "movies/1a2b", "1a2b"])
def test_a_version_is_found_by_each_of_its_names(find, name):
    assert find(name) == f"{SOLUTION}/1a2b"


def test_an_id_of_several_solutions_needs_the_name_of_the_solution(find):
    with pytest.raises(OperatorError) as caught:
        find("3a2b")
    assert str(caught.value) == (
        "'3a2b' is the id of several versions; name one of movies/3a2b, series/3a2b"
    )
    assert find("series/3a2b") == f"{SECOND_SOLUTION}/3a2b"
    assert find("3a2b", [SOLUTION]) == f"{SOLUTION}/3a2b", "only one of these solutions has it"


@pytest.mark.parametrize("name", ["9a2b", "films/1a2b", "movies", SOLUTION, "movies/$LATEST", ""])
def test_an_unknown_name_lists_the_newest_versions_of_all_solutions(find, name):
    with pytest.raises(OperatorError) as caught:
        find(name)
    assert str(caught.value) == (
        f"{name!r} is not a version of movies and series; the newest versions are series/6a2b, "
        "series/5a2b, movies/4a2b, movies/3a2b, series/3a2b"
    )


def test_a_solution_without_versions_is_named(find):
    with pytest.raises(OperatorError) as caught:
        find("1a2b", [f"{HOME}:solution/songs"])
    assert str(caught.value) == "'1a2b' is not a version of songs; there is no version yet"
