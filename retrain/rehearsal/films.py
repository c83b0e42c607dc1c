"""The sample data: a film service that does not exist, with films, viewers and what they watch."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from retrain.rehearsal.data import Data, build_schema, to_csv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FIRST_DAY = datetime(2026, 8, 1, tzinfo=UTC)
DAYS = 60
"""Days that the older export covers."""
NEWER_DAYS = 74
"""Days that the newer export covers."""
VIEWERS = 500
FILMS_PER_DAY = (0, 0, 0, 1, 1)
"""The number of films that a viewer watches on a day is one of these numbers."""

WATCHES_SEQUEL = 0.6
"""The probability that a viewer watches the next part of a series."""
STAYS_WITH_GENRES = 0.9
"""The probability that any other film is of one of the viewer's favourite genres."""
POPULARITY = 1.5
"""An exponent above 1 makes the first films of a genre more popular than the last ones."""

INTERACTION = {"EVENT_TYPE": "string", "TIMESTAMP": "long"}
FIELDS: Mapping[str, Mapping[str, str | list[str]]] = {
    "INTERACTIONS": {"USER_ID": "string", "ITEM_ID": "string", **INTERACTION},
    "USERS": {"USER_ID": "string", "AGE_GROUP": "string", "PLAN": ["string", "null"]},
    "ITEMS": {
        "ITEM_ID": "string",
        "TITLE": "string",
        "GENRE": "string",
        "CREATION_TIMESTAMP": "long",
    },
    "ACTIONS": {"ACTION_ID": "string", "ACTION_TYPE": "string", "VALUE": "int"},
    "ACTION_INTERACTIONS": {"USER_ID": "string", "ACTION_ID": "string", **INTERACTION},
}
"""The columns of each dataset type with their Avro types."""
CATEGORICAL = ("AGE_GROUP", "PLAN", "GENRE", "ACTION_TYPE")

GENRES: Mapping[str, tuple[str, str]] = {
    "Adventure": ("Lost Golden", "Island River Caravan Summit Compass"),
    "Comedy": ("Wrong Second", "Wedding Holiday Neighbour Office Dinner"),
    "Crime": ("Cold Silent", "Witness Ledger Alibi Harbour Verdict"),
    "Documentary": ("Deep Slow", "Ocean Bread Glacier Bees Railway"),
    "Drama": ("Long Quiet", "Winter Letter Return House Summer"),
    "Fantasy": ("Hidden Last", "Dragon Crown Forest Spell Gate"),
    "Horror": ("Pale Hollow", "Cellar Mirror Guest Lullaby Well"),
    "Romance": ("First Late", "Train Dance Promise Autumn Encore"),
    "Science Fiction": ("Broken Distant", "Orbit Signal Colony Clone Horizon"),
    "Thriller": ("Double Final", "Passenger Hour Signature Floor Exit"),
}
"""The adjectives and nouns of each genre. Each pair of them is a series of three films."""
PARTS = ("", " II", " III")

ACTIONS = (
    ("rate-a-film", "engagement", 1),
    ("make-a-list", "engagement", 2),
    ("invite-a-friend", "growth", 5),
    ("try-premium", "sales", 20),
    ("go-annual", "sales", 40),
    ("answer-survey", "engagement", 3),
    ("install-app", "growth", 4),
    ("turn-on-alerts", "engagement", 2),
)


class Film(NamedTuple):
    """A film of a series. A viewer of one part is likely to watch the next part."""

    title: str
    genre: str
    sequel: str | None
    """The id of the next part. None for the last part."""


@dataclass
class Viewer:
    """A viewer with two favourite genres, and the ids of the films watched so far."""

    id: str
    genres: Sequence[str]
    age_group: str
    plan: str | None
    watched: list[str] = field(default_factory=list)


def film_service() -> Data:
    """Build the data of the film service. The newer export is two weeks younger."""
    schemas = {dataset_type: schema(dataset_type) for dataset_type in FIELDS}
    return Data(schemas, sample_data(DAYS), sample_data(NEWER_DAYS))


def schema(dataset_type: str) -> str:
    """Build the Avro schema of a dataset type in JSON, as CreateSchema expects it."""
    fields = []
    for name, avro_type in FIELDS[dataset_type].items():
        field: dict[str, object] = {"name": name, "type": avro_type}
        if name in CATEGORICAL:
            field["categorical"] = True
        fields.append(field)

    return build_schema(dataset_type, fields)


@cache
def sample_data(days: int = DAYS, seed: int = 1) -> Mapping[str, bytes]:
    """Build the CSV file of each dataset type, as exported after `days` days.

    The same arguments always give the same files. An export of more days contains every row of an
    export of fewer days.
    """
    films = _create_films()
    viewers = _create_viewers(seed)

    rows: dict[str, Iterable[Sequence[object]]] = {
        "ITEMS": [
            (film_id, film.title, film.genre, _timestamp(number - len(films)))
            for number, (film_id, film) in enumerate(films.items())
        ],
        "USERS": [(viewer.id, viewer.age_group, viewer.plan) for viewer in viewers],
        "INTERACTIONS": _watch_films(films, viewers, days, seed),
        "ACTIONS": ACTIONS,
        "ACTION_INTERACTIONS": _take_actions(viewers, days),
    }
    return {
        dataset_type: to_csv(columns, rows[dataset_type])
        for dataset_type, columns in FIELDS.items()
    }


def _create_films() -> dict[str, Film]:
    """Create the films of all genres, by id. The parts of a series follow one another."""
    films: dict[str, Film] = {}
    for genre, (adjectives, nouns) in GENRES.items():
        for adjective, noun, part in itertools.product(adjectives.split(), nouns.split(), PARTS):
            number = len(films) + 1
            sequel_id = None
            if part != PARTS[-1]:
                sequel_id = f"film-{number + 1:03}"

            title = f"The {adjective} {noun}{part}"
            films[f"film-{number:03}"] = Film(title, genre, sequel_id)
    return films


def _create_viewers(seed: int) -> list[Viewer]:
    """Create the viewers, who have not watched anything yet."""
    rng = random.Random(f"viewers {seed}")  # noqa: S311  # sample data

    return [
        Viewer(
            id=f"user-{number:03}",
            genres=rng.sample(list(GENRES), 2),
            age_group=rng.choice(("18-29", "30-44", "45-59", "60+")),
            # More viewers without a plan would make the column less than 70% complete.
            plan=rng.choice(("basic", "premium", "family" if number % 3 else None)),
        )
        for number in range(1, VIEWERS + 1)
    ]


def _take_actions(viewers: Sequence[Viewer], days: int) -> Iterator[tuple[str, str, str, int]]:
    """Yield the interactions with actions. Each viewer takes one every seventh day."""
    for day in range(days):
        for number, viewer in enumerate(viewers[day % 7 :: 7]):
            action_id = ACTIONS[number % len(ACTIONS)][0]
            yield viewer.id, action_id, "Taken", _timestamp(day) + number


def _watch_films(
    films: Mapping[str, Film], viewers: Sequence[Viewer], days: int, seed: int
) -> Iterator[tuple[str, str, str, int]]:
    """Yield the interactions of all viewers, day by day, and add the films to the viewers.

    No viewer watches a film twice.
    """
    ids_by_genre = _group_by_genre(films)

    for day in range(days):
        # Each day has its own generator, so that further days do not change the earlier ones.
        rng = random.Random(f"watched {seed} {day}")  # noqa: S311  # sample data
        for viewer in viewers:
            hours = rng.sample(range(24), rng.choice(FILMS_PER_DAY))
            for hour in sorted(hours):
                film_id = _choose_film(films, ids_by_genre, viewer, rng)
                if film_id not in viewer.watched:
                    viewer.watched.append(film_id)
                    second = hour * 3600 + rng.randrange(3600)
                    yield viewer.id, film_id, "watch", _timestamp(day) + second


def _group_by_genre(films: Mapping[str, Film]) -> Mapping[str, Sequence[str]]:
    """List the ids of the films of each genre."""
    ids_by_genre = defaultdict[str, list[str]](list)
    for film_id, film in films.items():
        ids_by_genre[film.genre].append(film_id)
    return ids_by_genre


def _choose_film(
    films: Mapping[str, Film],
    ids_by_genre: Mapping[str, Sequence[str]],
    viewer: Viewer,
    rng: random.Random,
) -> str:
    """Choose the sequel of the last film, or else a popular film of a genre.

    The film is one that the viewer has watched if there is no other film of the genre.
    """
    if viewer.watched:
        sequel = films[viewer.watched[-1]].sequel
        if sequel is not None and rng.random() < WATCHES_SEQUEL:
            return sequel

    genres = viewer.genres
    if rng.random() >= STAYS_WITH_GENRES:
        genres = list(GENRES)
    genre_ids = ids_by_genre[rng.choice(genres)]

    choices = [film_id for film_id in genre_ids if film_id not in viewer.watched]
    if not choices:
        choices = [*genre_ids]
    return choices[int(len(choices) * rng.random() ** POPULARITY)]


def _timestamp(day: int) -> int:
    """Return the beginning of a day in seconds since 1970. Day 0 is FIRST_DAY."""
    return int((FIRST_DAY + timedelta(days=day)).timestamp())
