"""`--accept-submissions`: one POST route on the board's port.

A bundle is counted while it streams into quarantine, verified there by the same validator, and
only then put into the store. Off unless a file of tokens is given; the file holds their hashes.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from membench.domain.errors import DataError, MembenchError
from membench.domain.labels import JsonObject
from membench.leaderboard.bundles.layout import LIMITS, NAME
from membench.leaderboard.store.store import Store, bundle_sha256
from membench.leaderboard.validation import RULES, Rejected, Verification
from membench.leaderboard.validation.apart import verify_apart

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

PATH = "/api/v1/submissions"
PER_HOUR = 20
"""Bundles that one submitter may post in an hour."""

UPLOADS = 8
"""Bundles that are received at once; further ones are asked to come back."""

HOUR_S = 3600.0


@dataclass(frozen=True)
class UploadPace:
    """How slow an upload may be.

    Attributes:
        total_s: Seconds for a whole bundle.
        grace_s: Seconds before the rate is looked at.
        bytes_per_s: Least rate from then on.
    """

    total_s: float = 120.0
    grace_s: float = 10.0
    bytes_per_s: float = 16_384.0


PACE = UploadPace()


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, status: int, problem: str, remedy: str = "") -> None:
        """An HTTP status and its message."""
        super().__init__(problem)
        self.status, self.problem, self.remedy = status, problem, remedy


def token_hash(token: str) -> str:
    """What the file of tokens holds of one."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh token."""
    return secrets.token_urlsafe(32)


def read_tokens(path: Path) -> dict[str, str]:
    """Hash -> submitter, of lines `<sha256 of the token> <submitter>`.

    Raises:
        DataError: A line is not of that form.
    """
    import re

    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        digest, _, submitter = line.partition(" ")
        if not re.fullmatch(r"[0-9a-f]{64}", digest) or not re.fullmatch(NAME, submitter.strip()):
            raise DataError(
                path, f"line {number}", "is not `<sha256 of the token> <submitter>`",
                "`membench board token SUBMITTER` prints a token and its line.",
            )  # fmt: skip
        found[digest] = submitter.strip()
    return found


@dataclass
class AccessControl:
    """Who may submit, and how often.

    Attributes:
        tokens: Hash -> submitter.
        per_hour: Bundles in an hour.
        clock: Seconds, for tests.
    """

    tokens: dict[str, str]
    per_hour: int = PER_HOUR
    clock: Callable[[], float] = time.monotonic
    _posted: dict[str, deque[float]] = field(default_factory=dict)

    def submitter(self, authorization: str) -> str:
        """The submitter of a request.

        Raises:
            Refusal: 401.
        """
        scheme, _, token = authorization.partition(" ")
        mine = token_hash(token.strip())
        found = ""
        for digest, submitter in self.tokens.items():
            if hmac.compare_digest(digest, mine):
                found = submitter
        if scheme.lower() != "bearer" or not found:
            raise Refusal(401, "no valid token", "Send `Authorization: Bearer TOKEN`.")
        return found

    def admit(self, submitter: str) -> None:
        """Count a post.

        Raises:
            Refusal: 429.
        """
        now = self.clock()
        recent = self._posted.setdefault(submitter, deque())
        while recent and recent[0] <= now - HOUR_S:
            recent.popleft()
        if len(recent) >= self.per_hour:
            raise Refusal(429, f"more than {self.per_hour} bundles in an hour", "Wait.")
        recent.append(now)


@dataclass
class SubmissionHandler:
    """Receives some bundles at once and takes them in one at a time.

    Attributes:
        store: Where accepted ones go.
        gate: Who may post.
        data: The board's benchmark data.
        pace: How slow an upload may be.
    """

    store: Store
    gate: AccessControl
    data: Path | None = None
    pace: UploadPace = PACE

    def __post_init__(self) -> None:
        """One bundle is verified at a time; an upload holds no lock."""
        self._turn = asyncio.Lock()
        self._receiving = 0

    async def submit(self, request: Request) -> JSONResponse:
        """Answer a POST."""
        from starlette.responses import JSONResponse

        try:
            submitter = self.gate.submitter(request.headers.get("authorization", ""))
            self.gate.admit(submitter)
            status, reply = await self._take(request, submitter)
        except Refusal as refused:
            body = {"problem": refused.problem, "remedy": refused.remedy}
            return JSONResponse(body, status_code=refused.status)
        return JSONResponse(reply, status_code=status)

    async def _take(self, request: Request, submitter: str) -> tuple[int, JsonObject]:
        self.store.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".quarantine-", dir=self.store.root) as folder:
            path = Path(folder) / "bundle.zip"
            await self._receive(request, path)
            async with self._turn:
                return await asyncio.to_thread(self._judge, path, submitter)

    async def _receive(self, request: Request, path: Path) -> None:
        if self._receiving >= UPLOADS:
            raise Refusal(503, f"{UPLOADS} bundles are being received", "Try again in a minute.")
        self._receiving += 1
        try:
            await receive(request, path, pace=self.pace)
        finally:
            self._receiving -= 1

    def _judge(self, path: Path, submitter: str) -> tuple[int, JsonObject]:
        try:
            verification = verify_apart(path, self.data)
            known = self._known(verification)
            if known is not None:
                return 200, known
            entry = self.store.add(path, verification, submitter)
        except Rejected as rejected:
            conflict = rejected.findings[0].rule.startswith("identity.")
            raise Refusal(409 if conflict else 422, rejected.problem, rejected.remedy) from None
        except MembenchError as error:
            raise Refusal(422, str(error)) from None
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            problem = f"the bundle cannot be taken in: {type(error).__name__}"
            raise Refusal(422, problem, RULES["check.ended"].remedy) from None
        return 201, reply(entry.task, entry.run_id, verification, "accepted")

    def _known(self, verification: Verification) -> JsonObject | None:
        """The answer to a bundle that is there already: posting twice does nothing twice."""
        contents = verification.accept()
        entry = self.store.find(contents.manifest["run_id"])
        if entry is None or bundle_sha256(entry.path) != contents.sha256:
            return None
        return reply(entry.task, entry.run_id, verification, "known")


def reply(task: str, run_id: str, verification: Verification, state: str) -> JsonObject:
    """The reply to the submitter."""
    return {
        "state": state,
        "task": task,
        "run_id": run_id,
        "bundle_sha256": verification.accept().sha256,
        "rescored": verification.rescored,
        "flags": list(verification.flags),
    }


async def receive(
    request: Request,
    path: Path,
    limit: int = LIMITS.wire_bytes,
    pace: UploadPace = PACE,
) -> None:
    """Write a request's body to a file, counting.

    Raises:
        Refusal: 413 when it is larger than allowed, 415 when it is no zip, 408 when it is slower.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/zip":
        raise Refusal(415, "not application/zip", "Use `membench submit RUN --server URL`.")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise Refusal(413, f"more than {limit:,} bytes", "Submit one run per bundle.")
    slow = Refusal(408, f"not sent within {pace.total_s:g} s", "Try again, or use --pr DIR.")
    try:
        async with asyncio.timeout(pace.total_s):
            await write_body(request, path, limit, pace)
    except TimeoutError:
        raise slow from None


async def write_body(request: Request, path: Path, limit: int, pace: UploadPace) -> None:
    """Write a request's body to a file, looking at size and rate with every part."""
    count, started = 0, time.monotonic()
    with path.open("wb") as file:
        async for chunk in request.stream():
            count += len(chunk)
            if count > limit:
                raise Refusal(413, f"more than {limit:,} bytes", "Submit one run per bundle.")
            spent = time.monotonic() - started
            if spent > pace.grace_s and count < pace.bytes_per_s * spent:
                least = f"slower than {pace.bytes_per_s:,.0f} bytes a second"
                raise Refusal(408, least, "Try again, or use --pr DIR.")
            file.write(chunk)


def submission_routes(results: Path, tokens: Path, data: Path | None) -> Sequence[Route]:
    """The route, for `st.App(routes=...)`.

    Raises:
        DataError: The file of tokens is malformed.
    """
    from starlette.routing import Route

    handler = SubmissionHandler(Store(results), AccessControl(read_tokens(tokens)), data)
    return [Route(PATH, handler.submit, methods=["POST"])]
