"""A small item-to-item model, trained on interactions and evaluated on held-out users."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from emulator.personalize.recipes import Recipe
from emulator.personalize.tables import Table

Scores = NDArray[np.float64]
Indices = NDArray[np.intp]

NEIGHBOURS = 100  # items that an item is compared with
DECAY = 0.9  # the weight of an interaction of a user relative to the user's next one
HELD_OUT_USERS = 0.1  # guide, "Evaluating a solution version": a random 10% of users
HELD_OUT_INTERACTIONS = 0.1  # of each held-out user, the newest
RANKS = 25  # the metrics use the first 25 items


@dataclass(frozen=True, eq=False)
class Model:
    """The model of a solution version.

    `histories` has the items of each user, oldest first, as positions in `items`. `popularity` is
    the number of interactions of each item. `similarity` has a row and a column for each item. It
    is None for a model that knows only popularity.
    """

    items: Sequence[str]
    histories: Mapping[str, Indices]
    popularity: Scores
    similarity: csr_matrix | None
    metrics: dict[str, float] = field(default_factory=dict)

    def recommend_to_user(self, user_id: str) -> dict[str, float]:
        """Return the score of each item that is new to the user, best first.

        The scores add up to 1. A user without a history gets the popular items.
        """
        history = self.histories.get(user_id, np.empty(0, dtype=np.intp))
        scores = self.scores([history])[0]
        scores[history] = 0
        return self._ranked(scores)

    def similar_items(self, item_id: str) -> dict[str, float]:
        """Return the score of each item that is similar to an item, best first.

        The scores add up to 1. For an unknown item they are the scores of the popular items.
        """
        if item_id not in self.items:
            return self._ranked(self.popularity)
        item = np.array([self.items.index(item_id)], dtype=np.intp)
        scores = self.scores([item])[0]
        scores[item] = 0
        return self._ranked(scores)

    def rank(self, user_id: str, item_ids: Sequence[str]) -> dict[str, float]:
        """Return the scores of the given items for the user, best first.

        The scores add up to 1. An unknown item has the score 0.
        """
        history = self.histories.get(user_id, np.empty(0, dtype=np.intp))
        known = dict(zip(self.items, self.scores([history])[0], strict=True))
        scores = {item: float(known.get(item, 0)) for item in item_ids}
        total = sum(scores.values()) or 1
        best_first = sorted(scores, key=lambda item: -scores[item])
        return {item: scores[item] / total for item in best_first}

    def scores(self, histories: Sequence[Indices]) -> Scores:
        """Return a matrix of scores, with a row for each history and a column for each item.

        If the model has `similarity`, popularity only decides between items that are equally
        similar to the history.
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
        similarity_scores = (weighted_histories @ self.similarity).toarray()
        scores: Scores = similarity_scores + popularity / 1000
        return scores

    def _ranked(self, scores: Scores) -> dict[str, float]:
        """Return the positive scores by item, best first, divided by their sum."""
        total = scores.sum()
        order = np.argsort(-scores, kind="stable")
        return {
            self.items[position]: float(scores[position] / total)
            for position in order
            if scores[position] > 0
        }


class Interactions(NamedTuple):
    """The interactions of a dataset, oldest first.

    `users` and `items` are sorted, and each of them appears once. `user_positions` and
    `item_positions` have an entry for each interaction, which is a position in `users` or `items`.
    """

    users: list[str]
    items: list[str]
    user_positions: Indices
    item_positions: Indices


def train(data: Table, recipe: Recipe) -> Model:
    """Return a model of the rows, with its metrics. Equal rows always give an equal model."""
    if recipe.method == "words":
        return _train_on_words(data, recipe.target)
    interactions = _interactions(data, recipe.target)
    items = interactions.items
    histories = _histories(interactions)
    held_out = _held_out_users(histories)
    counts = np.bincount(interactions.item_positions, minlength=len(items))
    similarity = _similarity(interactions, held_out) if recipe.method == "neighbours" else None
    model = Model(items, histories, counts.astype(np.float64), similarity)
    metrics = evaluate(model, [histories[user] for user in held_out])
    return replace(model, metrics=metrics)


def _train_on_words(data: Table, item_column: str) -> Model:
    """Return a model in which items are similar if they have words in common.

    The rows are items. Every word of their other columns counts as a user who had these items. The
    only metric is the coverage, because there are no interactions to hold out.
    """
    items = data.column(item_column)
    pairs = [
        (word, position)
        for name in data.columns
        if name != item_column
        for position, value in enumerate(data.column(name))
        for word in str(value or "").lower().replace("|", " ").split()
    ]
    words, word_positions = np.unique([word for word, _ in pairs], return_inverse=True)
    item_positions = np.array([position for _, position in pairs], dtype=np.intp)
    texts = Interactions(words.tolist(), items, word_positions, item_positions)
    model = Model(items, {}, np.ones(len(items)), _similarity(texts, held_out=[]))
    ranked = _rank_unknown_items(model, [np.array([item]) for item in range(len(items))])
    return replace(model, metrics={"coverage": round(len(np.unique(ranked)) / len(items), 4)})


def evaluate(model: Model, histories: Sequence[Indices]) -> dict[str, float]:
    """Return the metrics of GetSolutionMetrics, each a mean over users between 0 and 1.

    Each history belongs to a user who was held out of the training. The newest interactions of the
    user are hidden, and the model ranks all items that are not in the rest of the history. A hit
    is a hidden item among the first ranks.
    """
    known = []
    hidden = []
    for history in histories:
        hidden_count = math.ceil(len(history) * HELD_OUT_INTERACTIONS)
        known.append(history[:-hidden_count])
        hidden.append(history[-hidden_count:])
    ranked = _rank_unknown_items(model, known)
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


def _rank_unknown_items(model: Model, histories: Sequence[Indices]) -> Indices:
    """Return a row of items for each history: the best items that are not in it, best first."""
    scores = model.scores(histories)
    for row, history in zip(scores, histories, strict=True):
        row[history] = -1  # less than every other score
    ranked: Indices = np.argsort(-scores, axis=1, kind="stable")[:, :RANKS]
    return ranked


def _interactions(data: Table, item_column: str) -> Interactions:
    """Return the rows as interactions. The items are the values of `item_column`."""
    timestamps = np.array(data.column("TIMESTAMP"), dtype=np.int64)
    order = np.argsort(timestamps, kind="stable")
    user_ids = np.array(data.column("USER_ID"))
    item_ids = np.array(data.column(item_column))
    users, user_positions = np.unique(user_ids, return_inverse=True)
    items, item_positions = np.unique(item_ids, return_inverse=True)
    return Interactions(
        users.tolist(), items.tolist(), user_positions[order], item_positions[order]
    )


def _histories(interactions: Interactions) -> dict[str, Indices]:
    """Return the items of each user, oldest first, as positions in `interactions.items`."""
    users, positions = interactions.users, interactions.user_positions
    by_user = np.argsort(positions, kind="stable")
    ends = np.cumsum(np.bincount(positions, minlength=len(users)))[:-1]
    return dict(zip(users, np.split(interactions.item_positions[by_user], ends), strict=True))


def _held_out_users(histories: Mapping[str, Indices]) -> list[str]:
    """Return a tenth of the users with at least two interactions.

    They are selected by a hash of their ids, so the other users make no difference to the order.
    """
    users = [user for user, history in histories.items() if len(history) > 1]
    users.sort(key=lambda user: hashlib.sha256(user.encode()).digest())
    return users[: math.ceil(len(users) * HELD_OUT_USERS)]


def _similarity(interactions: Interactions, held_out: Sequence[str]) -> csr_matrix:
    """Return the cosine similarity of each item to its nearest neighbours.

    The vector of an item has an entry for each user. The users in `held_out` do not count.
    """
    users = np.array(interactions.users)[interactions.user_positions]
    is_known = ~np.isin(users, held_out)
    rows, columns = interactions.user_positions[is_known], interactions.item_positions[is_known]
    counts = csr_matrix(
        (np.ones(is_known.sum()), (rows, columns)),
        shape=(len(interactions.users), len(interactions.items)),
    )
    lengths = np.sqrt(np.asarray(counts.power(2).sum(axis=0)).ravel())
    lengths[lengths == 0] = 1  # an item that only held-out users have
    recommender = ItemItemRecommender(K=NEIGHBOURS, num_threads=1)
    recommender.fit((counts @ diags(1 / lengths)).tocsr(), show_progress=False)
    return recommender.similarity


def _ndcg(hits: NDArray[np.bool_], hidden_items: Indices, k: int) -> float:
    """Return the normalized discounted cumulative gain of the first k ranks, a mean over users.

    `hits` has a row for each user and a column for each rank. `hidden_items` is the number of
    items that each user could hit.
    """
    hits = hits[:, :k]
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best_sums = np.array([gains[:count].sum() for count in hidden_items])
    return float(((hits * gains).sum(axis=1) / best_sums).mean())
