"""A small item-to-item model, trained for real, and judged on users that it has not seen."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from emulator.personalize.recipes import Recipe
from emulator.personalize.tables import Table, strings

Scores = NDArray[np.float64]
Indices = NDArray[np.intp]

NEIGHBOURS = 100  # items that an item is compared with
MEMORY = 0.9  # what an interaction weighs beside the one after it
HELD_OUT_USERS = 0.1  # guide, "Evaluating a solution version": a random 10% of users
HELD_OUT_INTERACTIONS = 0.1  # of each of them, the newest
RANKS = 25  # how far down the metrics look


@dataclass(frozen=True, eq=False)
class Model:
    """What a solution version knows.

    `histories` are the items of every user, the oldest first, as positions in `items`;
    `similarity` is None for models that know popularity alone.
    """

    items: Sequence[str]
    histories: Mapping[str, Indices]
    popularity: Scores
    similarity: csr_matrix | None
    metrics: dict[str, float] = field(default_factory=dict)

    def for_user(self, user_id: str) -> dict[str, float]:
        """Items that the user has not met, with scores that add up to 1, the best first.

        Users without a history get the popular items.
        """
        history = self.histories.get(user_id, np.empty(0, dtype=np.intp))
        scores = self.scores([history])[0]
        scores[history] = 0
        return self._ranked(scores)

    def for_item(self, item_id: str) -> dict[str, float]:
        """Items like this one, the best first; the popular ones for an unknown item."""
        if item_id not in self.items:
            return self._ranked(self.popularity)
        item = np.array([self.items.index(item_id)], dtype=np.intp)
        scores = self.scores([item])[0]
        scores[item] = 0
        return self._ranked(scores)

    def rank(self, user_id: str, item_ids: Sequence[str]) -> dict[str, float]:
        """The given items in the user's order; their scores add up to 1, unknown items have 0."""
        history = self.histories.get(user_id, np.empty(0, dtype=np.intp))
        known = dict(zip(self.items, self.scores([history])[0], strict=True))
        scores = {item: float(known.get(item, 0)) for item in item_ids}
        total = sum(scores.values()) or 1
        return {item: scores[item] / total for item in sorted(scores, key=lambda i: -scores[i])}

    def scores(self, histories: Sequence[Indices]) -> Scores:
        """What each history foretells: a row per history, a column per item.

        Popularity counts for little where there is similarity.
        """
        ties = self.popularity / self.popularity.sum()
        if self.similarity is None:
            return np.tile(ties, (len(histories), 1))
        lengths = [len(history) for history in histories]
        weights = [MEMORY ** np.arange(n - 1, -1, -1) for n in lengths]
        taste = csr_matrix(
            (
                np.concatenate(weights),
                np.concatenate(histories),
                np.concatenate([[0], np.cumsum(lengths)]),
            ),
            shape=(len(histories), len(self.items)),
        )
        scores: Scores = (taste @ self.similarity).toarray() + ties / 1000
        return scores

    def _ranked(self, scores: Scores) -> dict[str, float]:
        total = scores.sum()
        order = np.argsort(-scores, kind="stable")
        return {self.items[i]: float(scores[i] / total) for i in order if scores[i] > 0}


class Events(NamedTuple):
    """Who met what, the oldest first: positions in the sorted users and items."""

    users: list[str]
    items: list[str]
    user_of: Indices
    item_of: Indices


def train(data: Table, recipe: Recipe) -> Model:
    """Learn from interactions; the same data give the same model and metrics."""
    events = _events(data, recipe.target)
    histories = _histories(events)
    held_out = _held_out(histories)
    popularity = np.bincount(events.item_of, minlength=len(events.items)).astype(np.float64)
    similarity = _similarity(events, held_out) if recipe.method == "neighbours" else None
    model = Model(events.items, histories, popularity, similarity)
    model.metrics.update(evaluate(model, [histories[user] for user in held_out]))
    return model


def evaluate(model: Model, histories: Sequence[Indices]) -> dict[str, float]:
    """The metrics of GetSolutionMetrics, each a mean over users, between 0 and 1.

    A user's newest interactions are hidden; the model ranks all other items from the rest.
    """
    hidden = [math.ceil(len(h) * HELD_OUT_INTERACTIONS) for h in histories]
    known = [h[: len(h) - n] for h, n in zip(histories, hidden, strict=True)]
    scores = model.scores(known)
    for row, met in zip(scores, known, strict=True):
        row[met] = -1
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :RANKS]
    hits = np.array([np.isin(r, h[-n:]) for r, h, n in zip(ranked, histories, hidden, strict=True)])
    wanted = np.array([len(np.unique(h[-n:])) for h, n in zip(histories, hidden, strict=True)])
    first = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0)
    metrics = {
        "coverage": len(np.unique(ranked)) / len(model.items),
        "mean_reciprocal_rank_at_25": float(first.mean()),
    }
    for k in (5, 10, 25):
        metrics[f"normalized_discounted_cumulative_gain_at_{k}"] = _ndcg(hits, wanted, k)
        metrics[f"precision_at_{k}"] = float(hits[:, :k].sum(axis=1).mean() / k)
    return {name: round(value, 4) for name, value in metrics.items()}


def _events(data: Table, target: str) -> Events:
    when = np.array(data.column("TIMESTAMP"), dtype=np.int64)
    order = np.argsort(when, kind="stable")
    users, user_of = np.unique(np.array(strings(data.column("USER_ID"))), return_inverse=True)
    items, item_of = np.unique(np.array(strings(data.column(target))), return_inverse=True)
    return Events(users.tolist(), items.tolist(), user_of[order], item_of[order])


def _histories(events: Events) -> dict[str, Indices]:
    by_user = np.argsort(events.user_of, kind="stable")
    ends = np.cumsum(np.bincount(events.user_of, minlength=len(events.users)))[:-1]
    return dict(zip(events.users, np.split(events.item_of[by_user], ends), strict=True))


def _held_out(histories: Mapping[str, Indices]) -> list[str]:
    """A tenth of the users who have two interactions; which ones follows from their ids alone."""
    users = [user for user, history in histories.items() if len(history) > 1]
    users.sort(key=lambda user: hashlib.sha256(user.encode()).digest())
    return users[: math.ceil(len(users) * HELD_OUT_USERS)]


def _similarity(events: Events, held_out: Sequence[str]) -> csr_matrix:
    """Cosines between items, each the vector of who met it; held-out users do not count."""
    known = ~np.isin(np.array(events.users)[events.user_of], held_out)
    met = csr_matrix(
        (np.ones(known.sum()), (events.user_of[known], events.item_of[known])),
        shape=(len(events.users), len(events.items)),
    )
    lengths = np.sqrt(np.asarray(met.power(2).sum(axis=0)).ravel())
    lengths[lengths == 0] = 1
    neighbours = ItemItemRecommender(K=NEIGHBOURS, num_threads=1)
    neighbours.fit((met @ diags(1 / lengths)).tocsr(), show_progress=False)
    return neighbours.similarity


def _ndcg(hits: NDArray[np.bool_], wanted: Indices, k: int) -> float:
    hits = hits[:, :k]
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best = np.array([gains[:n].sum() for n in wanted])
    return float(((hits * gains).sum(axis=1) / best).mean())
