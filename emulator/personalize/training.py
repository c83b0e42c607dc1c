"""A small item-to-item model, trained on interactions and evaluated on held-out users."""

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
DECAY = 0.9  # the weight of an interaction relative to the next one
HELD_OUT_USERS = 0.1  # guide, "Evaluating a solution version": a random 10% of users
HELD_OUT_INTERACTIONS = 0.1  # of each held-out user, the newest
RANKS = 25  # the metrics use the first 25 items


@dataclass(frozen=True, eq=False)
class Model:
    """The model of a solution version.

    `histories` are the items of every user, oldest first, as positions in `items`. `similarity`
    is None for models that know popularity only.
    """

    items: Sequence[str]
    histories: Mapping[str, Indices]
    popularity: Scores
    similarity: csr_matrix | None
    metrics: dict[str, float] = field(default_factory=dict)

    def for_user(self, user_id: str) -> dict[str, float]:
        """Return the items that are new to the user, best first. The scores add up to 1.

        Users without a history get the popular items.
        """
        history = self.histories.get(user_id, np.empty(0, dtype=np.intp))
        scores = self.scores([history])[0]
        scores[history] = 0
        return self._ranked(scores)

    def for_item(self, item_id: str) -> dict[str, float]:
        """Return items like this one, best first, or the popular items for an unknown item."""
        if item_id not in self.items:
            return self._ranked(self.popularity)
        item = np.array([self.items.index(item_id)], dtype=np.intp)
        scores = self.scores([item])[0]
        scores[item] = 0
        return self._ranked(scores)

    def rank(self, user_id: str, item_ids: Sequence[str]) -> dict[str, float]:
        """Return the items, best first for the user. Scores add up to 1. Unknown items have 0."""
        history = self.histories.get(user_id, np.empty(0, dtype=np.intp))
        known = dict(zip(self.items, self.scores([history])[0], strict=True))
        scores = {item: float(known.get(item, 0)) for item in item_ids}
        total = sum(scores.values()) or 1
        best_first = sorted(scores, key=lambda item: -scores[item])
        return {item: scores[item] / total for item in best_first}

    def scores(self, histories: Sequence[Indices]) -> Scores:
        """Return a matrix of scores, with a row for each history and a column for each item.

        If the model has similarity, popularity only decides between equal scores.
        """
        popularity = self.popularity / self.popularity.sum()
        if self.similarity is None:
            return np.tile(popularity, (len(histories), 1))
        lengths = [len(history) for history in histories]
        weights = [DECAY ** np.arange(length - 1, -1, -1) for length in lengths]
        weighted_histories = csr_matrix(
            (
                np.concatenate(weights),
                np.concatenate(histories),
                np.concatenate([[0], np.cumsum(lengths)]),
            ),
            shape=(len(histories), len(self.items)),
        )
        similar = (weighted_histories @ self.similarity).toarray()
        scores: Scores = similar + popularity / 1000
        return scores

    def _ranked(self, scores: Scores) -> dict[str, float]:
        total = scores.sum()
        order = np.argsort(-scores, kind="stable")
        return {
            self.items[position]: float(scores[position] / total)
            for position in order
            if scores[position] > 0
        }


class Events(NamedTuple):
    """The interactions, oldest first, as positions in the sorted users and items."""

    users: list[str]
    items: list[str]
    user_of: Indices
    item_of: Indices


def train(data: Table, recipe: Recipe) -> Model:
    """Return a model of the interactions. The same data always give the same model and metrics."""
    events = _events(data, recipe.target)
    histories = _histories(events)
    held_out = _held_out_users(histories)
    popularity = np.bincount(events.item_of, minlength=len(events.items)).astype(np.float64)
    similarity = _similarity(events, held_out) if recipe.method == "neighbours" else None
    model = Model(events.items, histories, popularity, similarity)
    model.metrics.update(evaluate(model, [histories[user] for user in held_out]))
    return model


def evaluate(model: Model, histories: Sequence[Indices]) -> dict[str, float]:
    """Return the metrics of GetSolutionMetrics, each a mean over users between 0 and 1.

    The newest interactions of each user are hidden from the model. It ranks all items that are
    not in the rest of the history.
    """
    hidden_counts = [math.ceil(len(history) * HELD_OUT_INTERACTIONS) for history in histories]
    known = []
    hidden = []
    for history, count in zip(histories, hidden_counts, strict=True):
        known.append(history[:-count])
        hidden.append(history[-count:])
    scores = model.scores(known)
    for row, known_items in zip(scores, known, strict=True):
        row[known_items] = -1
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :RANKS]
    hits = np.array([np.isin(row, items) for row, items in zip(ranked, hidden, strict=True)])
    hidden_items = np.array([len(np.unique(items)) for items in hidden])
    reciprocal_ranks = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0)
    metrics = {
        "coverage": len(np.unique(ranked)) / len(model.items),
        "mean_reciprocal_rank_at_25": float(reciprocal_ranks.mean()),
    }
    for k in (5, 10, 25):
        metrics[f"normalized_discounted_cumulative_gain_at_{k}"] = _ndcg(hits, hidden_items, k)
        metrics[f"precision_at_{k}"] = float(hits[:, :k].sum(axis=1).mean() / k)
    return {name: round(value, 4) for name, value in metrics.items()}


def _events(data: Table, target: str) -> Events:
    timestamps = np.array(data.column("TIMESTAMP"), dtype=np.int64)
    order = np.argsort(timestamps, kind="stable")
    users, user_of = np.unique(np.array(strings(data.column("USER_ID"))), return_inverse=True)
    items, item_of = np.unique(np.array(strings(data.column(target))), return_inverse=True)
    return Events(users.tolist(), items.tolist(), user_of[order], item_of[order])


def _histories(events: Events) -> dict[str, Indices]:
    by_user = np.argsort(events.user_of, kind="stable")
    ends = np.cumsum(np.bincount(events.user_of, minlength=len(events.users)))[:-1]
    return dict(zip(events.users, np.split(events.item_of[by_user], ends), strict=True))


def _held_out_users(histories: Mapping[str, Indices]) -> list[str]:
    """Return a tenth of the users with at least two interactions. Only their ids decide which."""
    users = [user for user, history in histories.items() if len(history) > 1]
    users.sort(key=lambda user: hashlib.sha256(user.encode()).digest())
    return users[: math.ceil(len(users) * HELD_OUT_USERS)]


def _similarity(events: Events, held_out: Sequence[str]) -> csr_matrix:
    """Return the cosines between items. The vector of an item has an entry for each user.

    Held-out users do not count.
    """
    known = ~np.isin(np.array(events.users)[events.user_of], held_out)
    interactions = csr_matrix(
        (np.ones(known.sum()), (events.user_of[known], events.item_of[known])),
        shape=(len(events.users), len(events.items)),
    )
    lengths = np.sqrt(np.asarray(interactions.power(2).sum(axis=0)).ravel())
    lengths[lengths == 0] = 1
    neighbours = ItemItemRecommender(K=NEIGHBOURS, num_threads=1)
    neighbours.fit((interactions @ diags(1 / lengths)).tocsr(), show_progress=False)
    return neighbours.similarity


def _ndcg(hits: NDArray[np.bool_], hidden_items: Indices, k: int) -> float:
    """Return the normalized discounted cumulative gain of the first k ranks."""
    hits = hits[:, :k]
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best = np.array([gains[:count].sum() for count in hidden_items])
    return float(((hits * gains).sum(axis=1) / best).mean())
