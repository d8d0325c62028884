"""Signed badges: who serves a board elsewhere can show whose verifier made them.

The verifier's keeper signs, with Ed25519, the list of every badge file and of the decisions beside
them by hash (`results/badges/SIGNATURE`). Whoever knows the public key can tell whether a copy of a
store says what the verifier said. A signature says nothing of bundles that have no badge: they are
shown as unchecked, as everywhere.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from membench.domain.errors import UsageError, UserError
from membench.domain.whole_file import written_whole
from membench.leaderboard.store.store import ADJUDICATIONS, BADGES
from membench.records.canonical import canonical_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "SIGNATURE"
SCHEME = "ed25519:"


@dataclass(frozen=True)
class SignedList:
    """What a signature is about.

    Attributes:
        signed_utc: When it was signed.
        files: File below `results/` -> SHA-256 of its bytes.
    """

    signed_utc: str
    files: dict[str, str]

    def to_bytes(self) -> bytes:
        """The one byte form that is signed."""
        return canonical_json(asdict(self))


def make_key(path: Path) -> str:
    """Write a new private key that only this user can read.

    Returns:
        The public key, `ed25519:` and base64.

    Raises:
        UsageError: The file is there already.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already", "Name a new file for a new key.") from None
    with os.fdopen(file, "wb") as opened:
        opened.write(pem)
    return public_text(key)


def sign(results: Path, key_file: Path) -> str:
    """Sign the badges and decisions of a store.

    Returns:
        The public key to check them with.

    Raises:
        UsageError: The file holds no Ed25519 key without a password.
    """
    key = read_key(key_file)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    signed = SignedList(stamp, files_of(results))
    (results / BADGES).mkdir(parents=True, exist_ok=True)
    line = {
        "list": asdict(signed),
        "public_key": public_text(key),
        "signature": base64.b64encode(key.sign(signed.to_bytes())).decode(),
    }
    text = orjson.dumps(line, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    with written_whole(results / BADGES / SIGNATURE) as file:
        file.write(text)
    return public_text(key)


def check_signature(results: Path, trusted: str) -> SignedList:
    """Make sure that a store's badges are those that the holder of a key signed.

    Args:
        results: The store.
        trusted: The public key, from whoever keeps the verifier, not from the store itself.

    Returns:
        What was signed.

    Raises:
        UserError: There is no signature, it is another key's, or a file differs from the list.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    path = results / BADGES / SIGNATURE
    key = Ed25519PublicKey.from_public_bytes(public_bytes(trusted))
    try:
        line = orjson.loads(path.read_bytes())
        signed = SignedList(line["list"]["signed_utc"], dict(line["list"]["files"]))
        key.verify(base64.b64decode(line["signature"], validate=True), signed.to_bytes())
    except FileNotFoundError:
        raise UserError(f"{results} holds no signed badges", untrusted(trusted)) from None
    except (InvalidSignature, ValueError, KeyError, TypeError):
        raise UserError(f"{path} was not signed with {trusted}", untrusted(trusted)) from None
    here = files_of(results)
    odd = sorted(name for name in here | signed.files if here.get(name) != signed.files.get(name))
    if odd:
        what = f"{results / odd[0]} is not what was signed on {signed.signed_utc}"
        raise UserError(f"{what} ({len(odd)} such files)", untrusted(trusted))
    return signed


def untrusted(trusted: str) -> str:
    """What to do with badges that cannot be trusted."""
    again = "membench board index --fresh"
    return f"Get results/ anew from whoever keeps {trusted}, or verify it yourself: {again}"


def files_of(results: Path) -> dict[str, str]:
    """Every file that says what a verifier or an adjudication decided, with its hash."""
    files = [*sorted((results / BADGES).glob("*.json")), results / ADJUDICATIONS]
    return {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file()
    }


def read_key(path: Path) -> Ed25519PrivateKey:
    """A private key from its file."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    remedy = "Make one: membench board key FILE"
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror})", remedy) from None
    except (ValueError, TypeError):
        raise UsageError(f"{path} holds no private key without a password", remedy) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} holds a key of another kind than Ed25519", remedy)
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """A public key as it is published."""
    return SCHEME + base64.b64encode(key.public_key().public_bytes_raw()).decode()


def public_bytes(text: str) -> bytes:
    """The 32 bytes of a public key.

    Raises:
        UsageError: It is none.
    """
    try:
        raw = base64.b64decode(text.removeprefix(SCHEME), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 32 or not text.startswith(SCHEME):
        raise UsageError(f"'{text}' is no public key", f"It has the form {SCHEME}BASE64.")
    return raw
