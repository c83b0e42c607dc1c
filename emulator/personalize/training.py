"""A small item-to-item model, trained on interactions and evaluated on held-out users."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from implicit.nearest_neighbours import ItemItemRecommender
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from emulator.personalize.recipes import Recipe
from emulator.personalize.tables import Table

Scores = NDArray[np.float64]
Histories = Mapping[str, Sequence[int]]
"""The items of each user, oldest first, as positions in a list of items."""

NEIGHBOURS = 100  # items that an item is compared with
DECAY = 0.9  # the weight of an interaction of a user relative to the user's next one
HELD_OUT_USERS = 0.1  # guide, "Evaluating a solution version": a random 10% of users
HELD_OUT_INTERACTIONS = 0.1  # of each held-out user, the newest
RANKS = 25  # the metrics use the first 25 items


@dataclass(frozen=True, eq=False)
class Model:
    """The model of a solution version.

    `popularity` is the number of interactions of each item. `similarity` has a row and a column
    for each item. It is None for a model that knows only popularity. The items that a method
    returns have scores that add up to 1, and the best one is first.
    """

    items: Sequence[str]
    histories: Histories
    popularity: Scores
    similarity: csr_matrix | None
    metrics: Mapping[str, float]

    def recommend_to_user(self, user_id: str) -> dict[str, float]:
        """Return the items that are new to a user. A user without a history gets popular items."""
        return self._new_items(self.histories.get(user_id, []))

    def similar_items(self, item_id: str) -> dict[str, float]:
        """Return the items that are similar to an item. For an unknown item they are popular."""
        return self._new_items([self.items.index(item_id)] if item_id in self.items else [])

    def users_of(self, item_ids: Collection[str]) -> dict[str, float]:
        """Return the users who like any of the items, by the sum of their scores, best first."""
        positions = [position for position, item in enumerate(self.items) if item in item_ids]
        users = list(self.histories)
        scores = self.scores([*self.histories.values()])[:, positions].sum(axis=1)
        order = np.argsort(-scores, kind="stable")
        return {users[row]: float(scores[row]) for row in order if scores[row] > 0}

    def rank(self, user_id: str, item_ids: Sequence[str]) -> dict[str, float]:
        """Return the given items for a user. An unknown item has the score 0."""
        scores = self.scores([self.histories.get(user_id, [])])[0]
        known = dict(zip(self.items, scores, strict=True))
        given = {item: float(known.get(item, 0)) for item in item_ids}
        total = sum(given.values()) or 1
        best_first = sorted(given, key=lambda item: -given[item])
        return {item: given[item] / total for item in best_first}

    def scores(self, histories: Sequence[Sequence[int]]) -> Scores:
        """Return a matrix of scores, with a row for each history and a column for each item.

        If the model has `similarity`, popularity only decides between items that are equally
        similar to the history.
        """
        popularity = self.popularity / self.popularity.sum()
        if self.similarity is None:
            return np.tile(popularity, (len(histories), 1))
        weights = [DECAY ** np.arange(len(history) - 1, -1, -1) for history in histories]
        weighted = _matrix(histories, np.concatenate(weights), len(self.items))
        scores: Scores = (weighted @ self.similarity).toarray() + popularity / 1000
        return scores

    def _new_items(self, history: Sequence[int]) -> dict[str, float]:
        """Return the positive scores of the items that are not in a history, best first."""
        scores = self.scores([history])[0]
        scores[list(history)] = 0
        total = scores.sum()
        order = np.argsort(-scores, kind="stable")
        return {
            self.items[position]: float(scores[position] / total)
            for position in order
            if scores[position] > 0
        }


def train(data: Table, recipe: Recipe) -> Model:
    """Return a model of the rows, with its metrics. Equal rows always give an equal model."""
    if recipe.method == "words":
        return _train_on_words(data, recipe.target)
    timestamps, users = data.column("TIMESTAMP"), data.column("USER_ID")
    item_ids = data.column(recipe.target)
    rows = sorted(zip(timestamps, users, item_ids, strict=True), key=lambda row: row[0])
    items = sorted(set(item_ids))
    positions = {item: position for position, item in enumerate(items)}
    histories: defaultdict[str, list[int]] = defaultdict(list)
    for _, user, item in rows:
        histories[user].append(positions[item])
    held_out = dict.fromkeys(_held_out_users(histories))
    known = [history for user, history in histories.items() if user not in held_out]
    similarity = _similarity(known, len(items)) if recipe.method == "neighbours" else None
    popularity = np.bincount(np.concatenate([*histories.values()]), minlength=len(items))
    model = Model(items, dict(histories), popularity.astype(np.float64), similarity, metrics={})
    return replace(model, metrics=evaluate(model, [histories[user] for user in held_out]))


def _train_on_words(data: Table, item_column: str) -> Model:
    """Return a model in which items are similar if they have words in common.

    The rows are items. Every word of their other columns counts as a user who had these items. The
    only metric is the coverage, because there are no interactions to hold out.
    """
    items = data.column(item_column)
    items_by_word: defaultdict[str, list[int]] = defaultdict(list)
    for name in data.columns:
        for position, value in enumerate(data.column(name) if name != item_column else []):
            for word in str(value or "").lower().replace("|", " ").split():
                items_by_word[word].append(position)
    similarity = _similarity([*items_by_word.values()], len(items))
    model = Model(items, {}, np.ones(len(items)), similarity, metrics={})
    ranked = _rank_unknown_items(model, [[position] for position in range(len(items))])
    return replace(model, metrics={"coverage": round(len(np.unique(ranked)) / len(items), 4)})


def evaluate(model: Model, histories: Sequence[Sequence[int]]) -> dict[str, float]:
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
    hidden_items = [len(set(items)) for items in hidden]
    reciprocal_ranks = np.where(hits.any(axis=1), 1 / (1 + hits.argmax(axis=1)), 0)
    metrics = {
        "coverage": len(np.unique(ranked)) / len(model.items),
        "mean_reciprocal_rank_at_25": float(reciprocal_ranks.mean()),
    }
    for k in (5, 10, 25):
        metrics[f"normalized_discounted_cumulative_gain_at_{k}"] = _ndcg(hits[:, :k], hidden_items)
        metrics[f"precision_at_{k}"] = float(hits[:, :k].sum(axis=1).mean() / k)
    return {name: round(value, 4) for name, value in metrics.items()}


def _rank_unknown_items(model: Model, histories: Sequence[Sequence[int]]) -> NDArray[np.intp]:
    """Return a row of items for each history: the best items that are not in it, best first."""
    scores = model.scores(histories)
    for row, history in zip(scores, histories, strict=True):
        row[list(history)] = -1  # less than every other score
    ranked: NDArray[np.intp] = np.argsort(-scores, axis=1, kind="stable")[:, :RANKS]
    return ranked


def _held_out_users(histories: Histories) -> list[str]:
    """Return a tenth of the users with at least two interactions.

    They are selected by a hash of their ids, so the other users make no difference to the order.
    """
    users = [user for user, history in histories.items() if len(history) > 1]
    users.sort(key=lambda user: hashlib.sha256(user.encode()).digest())
    return users[: math.ceil(len(users) * HELD_OUT_USERS)]


def _similarity(histories: Sequence[Sequence[int]], item_count: int) -> csr_matrix:
    """Return the cosine similarity of each item to its nearest neighbours.

    The vector of an item has an entry for each user, which is the number of interactions.
    """
    counts = _matrix(histories, np.ones(sum(map(len, histories))), item_count)
    counts.sum_duplicates()
    lengths = np.sqrt(np.asarray(counts.power(2).sum(axis=0)).ravel())
    lengths[lengths == 0] = 1  # an item that only held-out users have
    recommender = ItemItemRecommender(K=NEIGHBOURS, num_threads=1)
    recommender.fit((counts @ diags(1 / lengths)).tocsr(), show_progress=False)
    return recommender.similarity


def _matrix(histories: Sequence[Sequence[int]], weights: Scores, item_count: int) -> csr_matrix:
    """Return a matrix with a row for each history, with the weight of each of its interactions."""
    positions = np.array([position for history in histories for position in history], dtype=np.intp)
    row_starts = np.cumsum([0, *map(len, histories)])
    return csr_matrix((weights, positions, row_starts), shape=(len(histories), item_count))


def _ndcg(hits: NDArray[np.bool_], hidden_items: Sequence[int]) -> float:
    """Return the normalized discounted cumulative gain, a mean over users.

    `hits` has a row for each user and a column for each rank. `hidden_items` is the number of
    items that each user could hit.
    """
    gains = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    best_sums = np.array([gains[:count].sum() for count in hidden_items])
    return float(((hits * gains).sum(axis=1) / best_sums).mean())
