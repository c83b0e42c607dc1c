"""The sample data: a film service that does not exist, with films, viewers and what they watch."""

from __future__ import annotations

import itertools
import random
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
    """Return the data of the film service. The newer export is two weeks younger."""
    schemas = {dataset_type: schema(dataset_type) for dataset_type in FIELDS}
    return Data(schemas, sample_data(DAYS), sample_data(NEWER_DAYS))


def schema(dataset_type: str) -> str:
    """Return the Avro schema of a dataset type in JSON, as CreateSchema expects it."""
    fields = [
        {"name": name, "type": avro_type, **({"categorical": True} if name in CATEGORICAL else {})}
        for name, avro_type in FIELDS[dataset_type].items()
    ]
    return build_schema(dataset_type, fields)


@cache
def sample_data(days: int = DAYS, seed: int = 1) -> Mapping[str, bytes]:
    """Return the CSV file of each dataset type, as exported after `days` days.

    The same arguments always return the same files. An export of more days contains every row of
    an export of fewer days.
    """
    films = _films()
    rng = random.Random(f"viewers {seed}")  # noqa: S311  # sample data
    viewers = [
        Viewer(
            id=f"user-{number:03}",
            genres=rng.sample(list(GENRES), 2),
            age_group=rng.choice(("18-29", "30-44", "45-59", "60+")),
            # More viewers without a plan would make the column less than 70% complete.
            plan=rng.choice(("basic", "premium", "family" if number % 3 else None)),
        )
        for number in range(1, VIEWERS + 1)
    ]
    rows: dict[str, Iterable[Sequence[object]]] = {
        "ITEMS": [
            (film_id, film.title, film.genre, _timestamp(number - len(films)))
            for number, (film_id, film) in enumerate(films.items())
        ],
        "USERS": [(viewer.id, viewer.age_group, viewer.plan) for viewer in viewers],
        "INTERACTIONS": _interactions(films, viewers, days, seed),
        "ACTIONS": ACTIONS,
        "ACTION_INTERACTIONS": [
            (viewer.id, ACTIONS[number % len(ACTIONS)][0], "Taken", _timestamp(day) + number)
            for day in range(days)
            for number, viewer in enumerate(viewers[day % 7 :: 7])
        ],
    }
    return {
        dataset_type: to_csv(FIELDS[dataset_type], rows[dataset_type]) for dataset_type in FIELDS
    }


def _films() -> dict[str, Film]:
    """Return the films of all genres by id. The parts of a series follow one another."""
    films: dict[str, Film] = {}
    for genre, (adjectives, nouns) in GENRES.items():
        for adjective, noun, part in itertools.product(adjectives.split(), nouns.split(), PARTS):
            number = len(films) + 1
            sequel = None if part == PARTS[-1] else f"film-{number + 1:03}"
            films[f"film-{number:03}"] = Film(f"The {adjective} {noun}{part}", genre, sequel)
    return films


def _interactions(
    films: Mapping[str, Film], viewers: Sequence[Viewer], days: int, seed: int
) -> Iterator[tuple[str, str, str, int]]:
    """Yield the interactions of all viewers, day by day, and add the films to the viewers.

    No viewer watches a film twice.
    """
    ids_by_genre = {
        genre: [film_id for film_id, film in films.items() if film.genre == genre]
        for genre in GENRES
    }
    for day in range(days):
        rng = random.Random(f"watched {seed} {day}")  # noqa: S311  # sample data
        for viewer in viewers:
            for hour in sorted(rng.sample(range(24), rng.choice(FILMS_PER_DAY))):
                film_id = _next_film_id(films, ids_by_genre, viewer, rng)
                if film_id not in viewer.watched:
                    viewer.watched.append(film_id)
                    second = hour * 3600 + rng.randrange(3600)
                    yield viewer.id, film_id, "watch", _timestamp(day) + second


def _next_film_id(
    films: Mapping[str, Film],
    ids_by_genre: Mapping[str, Sequence[str]],
    viewer: Viewer,
    rng: random.Random,
) -> str:
    """Return the sequel of the last film, or else a popular film of a genre.

    The film is one that the viewer has watched if there is no other film of the genre.
    """
    sequel = films[viewer.watched[-1]].sequel if viewer.watched else None
    if sequel is not None and rng.random() < WATCHES_SEQUEL:
        return sequel
    genre = rng.choice(viewer.genres if rng.random() < STAYS_WITH_GENRES else list(GENRES))
    new_film_ids = [film_id for film_id in ids_by_genre[genre] if film_id not in viewer.watched]
    choices = new_film_ids or ids_by_genre[genre]
    return choices[int(len(choices) * rng.random() ** POPULARITY)]


def _timestamp(day: int) -> int:
    """Return the beginning of a day in seconds since 1970. Day 0 is FIRST_DAY."""
    return int((FIRST_DAY + timedelta(days=day)).timestamp())
