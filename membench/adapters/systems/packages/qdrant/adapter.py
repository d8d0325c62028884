"""Qdrant in its local mode: turns in a collection on disk, found by exact search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from membench.adapters.environment.worker.models import Vector
from membench.adapters.environment.worker.turn_store import Found, Row, TurnStore
from membench.domain.labels import JsonView
from membench.domain.system import SystemContext

NAME = "memories"


class System(TurnStore):
    """One local client with one collection per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import qdrant_client

        super().__init__(context)
        self._new_client = qdrant_client.QdrantClient
        self._models = qdrant_client.models
        self._client: Any = None

    def open(self, width: int) -> None:
        """An empty collection compared by cosine."""
        self._client = self._new_client(path=str(self.context.workdir / "qdrant"))
        vectors = self._models.VectorParams(size=width, distance=self._models.Distance.COSINE)
        self._client.create_collection(NAME, vectors_config=vectors)

    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        """Store rows as points with their text as payload."""
        points = [
            self._models.PointStruct(
                id=row.number,
                vector=vector,
                payload={"text": row.text, "source": row.source, "time": row.time},
            )
            for row, vector in zip(rows, vectors, strict=True)
        ]
        self._client.upsert(NAME, points)

    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        """The nearest rows."""
        found = self._client.query_points(NAME, query=vector, limit=k).points
        return [(_row(point.id, point.payload), float(point.score)) for point in found]

    def rows(self) -> list[Row]:
        """Every row."""
        points, _ = self._client.scroll(NAME, limit=max(1, self._stored))
        return [_row(point.id, point.payload) for point in points]

    def close(self) -> None:
        """Release the folder."""
        super().close()
        if self._client is not None:
            self._client.close()


def _row(number: int, payload: JsonView) -> Row:
    return Row(number, payload["text"], payload["source"], payload["time"])
