"""`membench board`: index, badges, tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data, Results
from membench.domain.counted import counted

board_app = typer.Typer(
    help="Keep a board: index, badges, tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.add_typer(board_app, name="board", rich_help_panel=panel)


@board_app.command("index")
def index(
    results: Results = Path("results"),
    data: Data = None,
    verified: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Verify bundles that have no badge.")
    ] = True,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh/--kept",
            help="Verify every bundle, whatever badge lies there; the default where $CI is set.",
        ),
    ] = "CI" in os.environ,
) -> None:
    """Verify new bundles and renew the index."""
    from membench.cli.extras import need

    need("pandas", "pyarrow")
    from membench.leaderboard.store.index import refresh
    from membench.leaderboard.store.store import Store

    store = Store(results)
    refused = 0
    for entry, result in store.verify_all(data, fresh=fresh) if verified else ():
        state = "accepted" if result.accepted else f"refused: {result.findings[0]}"
        refused += not result.accepted
        typer.echo(f"{entry.task}/{entry.run_id}: {state}")
    made = refresh(store)
    for run_id, problem in made.problems.items():
        typer.echo(f"{run_id}: left out: {problem}", err=True)
    typer.echo(counted(len(made.runs), "row"))
    raise typer.Exit(1 if refused or made.problems else 0)


@board_app.command("check-request")
def check_request(
    base: Annotated[str, typer.Option(metavar="REF", help="The branch it is to be merged into.")],
    results: Results = Path("results"),
    data: Data = None,
) -> None:
    """Check a pull request: one new bundle, no rule broken.

    Run it in a checkout of the request.
    """
    from membench.leaderboard.submission.pull_request import check_request as check

    checked = check(results, base, data)
    typer.echo(f"{checked.place}: accepted")
    from membench.leaderboard.validation.rules import FLAGS

    for flag in checked.verification.flags:
        typer.echo(f"remark: {FLAGS[flag]}")


@board_app.command("withdraw")
def withdraw(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="Run id.")],
    who: Annotated[str, typer.Option(help="Who decides.")],
    why: Annotated[str, typer.Option(help="The reason, in words.")],
    results: Results = Path("results"),
    remove: Annotated[bool, typer.Option("--remove", help="Remove the bundle, too.")] = False,
) -> None:
    """Take a row out of every ranking.

    Its tombstone stays, with who decided and why.
    """
    from membench.leaderboard.store.store import Store

    Store(results).withdraw(run_id, who, why, remove=remove)
    typer.echo(f"withdrew {run_id}")


@board_app.command("grant")
def grant(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="Run id.")],
    badge: Annotated[
        str,
        typer.Argument(metavar="BADGE", help="reproduced, or one the verifier gives."),
    ],
    who: Annotated[str, typer.Option(help="Who decides.")],
    why: Annotated[str, typer.Option(help="The reason, in words.")],
    link: Annotated[
        list[str] | None, typer.Option(metavar="RUN_ID", help="Run id it rests on.")
    ] = None,
    results: Results = Path("results"),
) -> None:
    """Set a score badge by decision."""
    from membench.leaderboard.store.store import Store

    Store(results).grant(run_id, badge, who, why, tuple(link or ()))
    typer.echo(f"{run_id}: {badge}")


@board_app.command("key")
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes.")],
) -> None:
    """Make a key to sign badges with.

    The public key goes to stdout: publish it beside the board.
    """
    from membench.leaderboard.store.signing import make_key

    typer.echo(make_key(file))


@board_app.command("sign")
def sign(
    key: Annotated[Path, typer.Argument(metavar="FILE", help="Private key of `board key`.")],
    results: Results = Path("results"),
) -> None:
    """Sign the badges and decisions of a board."""
    from membench.leaderboard.store.signing import sign as sign_badges

    typer.echo(f"signed {results / 'badges'}; check it with: --trust {sign_badges(results, key)}")


@board_app.command("check")
def check(
    trust: Annotated[str, typer.Option(metavar="KEY", help="Public key of `board key`.")],
    results: Results = Path("results"),
) -> None:
    """Check the signature of badges and decisions."""
    from membench.leaderboard.store.signing import check_signature

    signed = check_signature(results, trust)
    typer.echo(f"{len(signed.files)} files as signed on {signed.signed_utc}")


@board_app.command("token")
def token(
    submitter: Annotated[str, typer.Argument(metavar="NAME", help="Who may post bundles with it.")],
) -> None:
    """Make a token to post bundles with.

    Its line for the file of tokens goes to stdout, the token itself to stderr.
    """
    from membench.leaderboard.submission.server import new_token, token_hash

    fresh = new_token()
    typer.echo(f"{token_hash(fresh)} {submitter}")
    typer.echo(f"token for {submitter}, shown once: {fresh}", err=True)
