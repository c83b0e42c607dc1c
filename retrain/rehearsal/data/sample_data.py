"""A film service that does not exist: catalogue, viewers, and what they watched day by day."""

import csv
import io
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

FIRST_DAY = datetime(2026, 8, 1, tzinfo=UTC)
DAYS = 60  # of the first export
NEWER_DAYS = 74  # of an export two weeks later
VIEWERS = 500

# How likely a viewer watches the next part, and else a film of a favourite genre.
WATCHES_SEQUEL = 0.6
STAYS_WITH_GENRES = 0.9

Columns = Mapping[str, str | list[str]]

# The fields of each type of dataset with their Avro types, and those that are categories.
FIELDS: Mapping[str, Columns] = {
    "INTERACTIONS": {
        "USER_ID": "string",
        "ITEM_ID": "string",
        "EVENT_TYPE": "string",
        "TIMESTAMP": "long",
    },
    "USERS": {"USER_ID": "string", "AGE_GROUP": "string", "PLAN": ["string", "null"]},
    "ITEMS": {
        "ITEM_ID": "string",
        "TITLE": "string",
        "GENRE": "string",
        "CREATION_TIMESTAMP": "long",
    },
    "ACTIONS": {"ACTION_ID": "string", "ACTION_TYPE": "string", "VALUE": "int"},
    "ACTION_INTERACTIONS": {
        "USER_ID": "string",
        "ACTION_ID": "string",
        "EVENT_TYPE": "string",
        "TIMESTAMP": "long",
    },
}
CATEGORICAL = ("AGE_GROUP", "PLAN", "GENRE", "ACTION_TYPE")

# A genre is two times ten series of three parts: adjectives and nouns of its own.
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


@dataclass(frozen=True)
class Film:
    """A part of a series; whoever has seen it is likely to watch the next part."""

    id: str
    title: str
    genre: str
    sequel: str | None


@dataclass
class Viewer:
    """Someone with two favourite genres, and what they have watched so far."""

    id: str
    genres: Sequence[str]
    age_group: str
    plan: str | None
    seen: list[str] = field(default_factory=list)


def schema(dataset_type: str) -> str:
    """The Avro schema of a type of dataset, as CreateSchema takes it."""
    fields = [
        {"name": name, "type": kind, **({"categorical": True} if name in CATEGORICAL else {})}
        for name, kind in FIELDS[dataset_type].items()
    ]
    record = {
        "type": "record",
        "name": dataset_type.title().replace("_", ""),
        "namespace": "com.amazonaws.personalize.schema",
        "fields": fields,
        "version": "1.0",
    }
    return json.dumps(record)


def sample_data(days: int = DAYS, seed: int = 1) -> dict[str, bytes]:
    """CSV files by type of dataset, as exported after so many days; the same ones every time.

    More days add to what is there: every row of a shorter export is in the longer one.
    """
    films = _films()
    viewers = _viewers(random.Random(f"viewers {seed}"))  # noqa: S311 - sample data
    rows: dict[str, Iterable[Sequence[object]]] = {
        "ITEMS": [
            (film.id, film.title, film.genre, _seconds(i - len(films)))
            for i, film in enumerate(films.values())
        ],
        "USERS": [(v.id, v.age_group, v.plan) for v in viewers],
        "INTERACTIONS": _watched(films, viewers, days, seed),
        "ACTIONS": ACTIONS,
        "ACTION_INTERACTIONS": _acted(viewers, days, seed),
    }
    return {kind: to_csv(FIELDS[kind], rows[kind]) for kind in FIELDS}


def truncated(export: bytes, share: float) -> bytes:
    """A broken export: only this share of its rows, from the beginning."""
    header, *rows = export.splitlines(keepends=True)
    return b"".join([header, *rows[: int(len(rows) * share)]])


def shuffled(export: bytes, column: str = "ITEM_ID", seed: int = 1) -> bytes:
    """An export without meaning: one column's values dealt out anew among all rows."""
    rows = list(csv.DictReader(io.StringIO(export.decode())))
    values = [row[column] for row in rows]
    random.Random(seed).shuffle(values)  # noqa: S311 - sample data
    dealt = [{**row, column: value} for row, value in zip(rows, values, strict=True)]
    return to_csv(rows[0], [tuple(row.values()) for row in dealt])


def to_csv(header: Iterable[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file as Personalize imports it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _films() -> dict[str, Film]:
    films: dict[str, Film] = {}
    for genre, (adjectives, nouns) in GENRES.items():
        series = [f"The {a} {n}" for a in adjectives.split() for n in nouns.split()]
        for name in series:
            ids = [f"film-{len(films) + part + 1:03}" for part in range(len(PARTS))]
            for film_id, part, sequel in zip(ids, PARTS, [*ids[1:], None], strict=True):
                films[film_id] = Film(film_id, name + part, genre, sequel)
    return films


def _viewers(rng: random.Random) -> list[Viewer]:
    return [
        Viewer(
            id=f"user-{number:03}",
            genres=rng.sample(list(GENRES), 2),
            age_group=rng.choice(("18-29", "30-44", "45-59", "60+")),
            plan=rng.choice(("basic", "premium", None)),
        )
        for number in range(1, VIEWERS + 1)
    ]


def _watched(
    films: Mapping[str, Film], viewers: Sequence[Viewer], days: int, seed: int
) -> Iterator[tuple[str, str, str, int]]:
    """What everybody watches, day by day; nobody watches a film twice."""
    by_genre = {g: [f.id for f in films.values() if f.genre == g] for g in GENRES}
    for day in range(days):
        rng = random.Random(f"watched {seed} {day}")  # noqa: S311 - sample data
        for viewer in viewers:
            for hour in sorted(rng.sample(range(24), rng.choice((0, 0, 0, 1, 1)))):
                film = _next_film(films, by_genre, viewer, rng)
                if film not in viewer.seen:
                    viewer.seen.append(film)
                    yield (
                        viewer.id,
                        film,
                        "watch",
                        _seconds(day) + hour * 3600 + rng.randrange(3600),
                    )


def _next_film(
    films: Mapping[str, Film],
    by_genre: Mapping[str, Sequence[str]],
    viewer: Viewer,
    rng: random.Random,
) -> str:
    sequel = films[viewer.seen[-1]].sequel if viewer.seen else None
    if sequel is not None and rng.random() < WATCHES_SEQUEL:
        return sequel
    genre = rng.choice(viewer.genres if rng.random() < STAYS_WITH_GENRES else list(GENRES))
    choice = [film for film in by_genre[genre] if film not in viewer.seen] or by_genre[genre]
    return choice[int(len(choice) * rng.random() ** 1.5)]  # the first ones are more popular


def _acted(viewers: Sequence[Viewer], days: int, seed: int) -> Iterator[tuple[str, str, str, int]]:
    """Which of the offered actions viewers take; premium viewers take those that sell."""
    for day in range(days):
        rng = random.Random(f"acted {seed} {day}")  # noqa: S311 - sample data
        for viewer in rng.sample(viewers, 40):
            action, kind, _ = rng.choice(ACTIONS)
            wanted = (kind == "sales") == (viewer.plan == "premium")
            event = "Taken" if rng.random() < (0.8 if wanted else 0.2) else "Not Taken"
            yield viewer.id, action, event, _seconds(day) + rng.randrange(86400)


def _seconds(day: int) -> int:
    return int((FIRST_DAY + timedelta(days=day)).timestamp())
