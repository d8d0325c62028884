"""LanceDB: turns in a table on disk, found by vectors, or by vectors and words fused by rank."""

from __future__ import annotations

from collections.abc import Sequence

from membench.adapters.environment.worker.models import Vector
from membench.adapters.environment.worker.turn_store import Found, Row, TurnStore
from membench.domain.labels import JsonView
from membench.domain.system import SystemContext

NAME = "memories"
COLUMNS = ("number", "text", "source", "time")
SCORES = {"vector": "_distance", "hybrid": "_relevance_score"}
"""Kind of search -> the column that it ranks by."""


class System(TurnStore):
    """One table per case, without a vector index: the search is exact."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import lancedb
        import lancedb.index
        import lancedb.rerankers
        import pyarrow

        super().__init__(context)
        self._connect = lancedb.connect
        self._arrow = pyarrow
        self._words = lancedb.index.FTS()
        self._fusion = lancedb.rerankers.RRFReranker()
        self._kind = str(context.parameters["search"])

    def open(self, width: int) -> None:
        """An empty table, with a word index where words are searched."""
        arrow = self._arrow
        columns = [("number", arrow.int64()), *((name, arrow.string()) for name in COLUMNS[1:])]
        columns.append(("vector", arrow.list_(arrow.float32(), width)))
        database = self._connect(str(self.context.workdir / "lancedb"))
        self._table = database.create_table(NAME, schema=arrow.schema(columns))
        if self._kind == "hybrid":
            self._table.create_index("text", config=self._words)

    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        """Append rows and bring the word index up to them."""
        self._table.add(
            [
                {**{name: getattr(row, name) for name in COLUMNS}, "vector": vector}
                for row, vector in zip(rows, vectors, strict=True)
            ]
        )
        if self._kind == "hybrid":
            self._table.optimize()

    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        """The nearest rows, or the fusion of them with those that share words."""
        if self._kind == "hybrid":
            both = self._table.search(query_type="hybrid").vector(vector).text(text)
            found = both.distance_type("cosine").rerank(self._fusion).limit(k).to_list()
        else:
            found = self._table.search(vector).distance_type("cosine").limit(k).to_list()
        sign = -1.0 if self._kind == "vector" else 1.0
        return [(_row(entry), sign * float(entry[SCORES[self._kind]])) for entry in found]

    def rows(self) -> list[Row]:
        """Every row."""
        return [_row(entry) for entry in self._table.to_arrow().to_pylist()]


def _row(entry: JsonView) -> Row:
    return Row(*(entry[name] for name in COLUMNS))
