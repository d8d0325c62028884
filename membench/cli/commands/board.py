"""Commands of the leaderboard: `submit`, `verify`, `leaderboard`, `report`, `board`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from membench.cli.options import Data
from membench.domain.errors import UsageError

board_app = typer.Typer(
    help="Keep a board: index, badges, tokens.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Results = Annotated[Path, typer.Option(help="Folder of accepted bundles.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("submit")(submit)
    app.command("verify")(verify)
    app.command("leaderboard")(leaderboard)
    app.command("report")(report)
    app.add_typer(board_app, name="board")


def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    to: Annotated[Path | None, typer.Option(help="Put the bundle in DIR/<task>/<run id>.")] = None,
    pr: Annotated[Path | None, typer.Option(help="Prepare a pull request in this folder.")] = None,
    server: Annotated[str, typer.Option(help="Post it to a board ($MEMBENCH_TOKEN).")] = "",
    data: Data = None,
) -> None:
    """Make a bundle of a run and hand it in.

    It is verified first, as the board would.
    """
    from membench.leaderboard.submission import submission

    if sum(map(bool, (to, pr, server))) != 1:
        raise UsageError(
            "submit needs exactly one of --to, --pr and --server",
            "membench submit RUN --to results",
        )
    if to is not None:
        done = submission.submit_to(run, to, data)
    elif pr is not None:
        done = submission.submit_pr(run, pr, data)
    else:
        done = submission.submit_server(run, server, data)
    say_verified(done.verification.rescored, done.verification.flags)
    typer.echo(f"bundle {done.sha256}")
    typer.echo(f"at {done.where}")
    if done.reply:
        typer.echo(
            f"{done.reply.get('state')}: {done.reply.get('task')}/{done.reply.get('run_id')}"
        )


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A folder or a zip.")],
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="JSON alone on stdout.")] = False,
) -> None:
    """Check a bundle as the board does.

    It is re-scored, and every figure is recomputed. Data is needed where scores rest on gold.
    """
    from membench.leaderboard.validation import Rejected
    from membench.leaderboard.validation import verify as validate

    if not bundle.exists():
        raise UsageError(f"there is no bundle at {bundle}", "Name a folder or a zip file.")
    result = validate(bundle, data)
    if json:
        from membench.cli.output.listing import print_json
        from membench.leaderboard.validation import as_json

        print_json(as_json(result))
        raise typer.Exit(0 if result.accepted else 2)
    if not result.accepted:
        raise Rejected(result.findings)
    say_verified(result.rescored, result.flags)
    for standing in ("re-scored", "judged", "claimed"):
        names = [name for name, how in result.standing.items() if how == standing]
        if names:
            typer.echo(f"{standing}: {', '.join(names)}")


def say_verified(rescored: bool, flags: tuple[str, ...]) -> None:
    """What the validator came to, for a person."""
    from membench.leaderboard.validation.rules import FLAGS

    typer.echo("accepted, re-scored" if rescored else "accepted, not re-scored")
    for flag in flags:
        typer.echo(f"remark: {FLAGS[flag]}")


def leaderboard(
    results: Results = Path("results"),
    data: Data = None,
    export: Annotated[Path | None, typer.Option(help="Write a static site and leave.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8501,
    accept_submissions: Annotated[
        Path | None, typer.Option(metavar="TOKENS", help="Accept bundles; file of hashed tokens.")
    ] = None,
) -> None:
    """Show the board, or export it.

    In a browser, or with --export as a static site that needs no server.
    """
    if not results.is_dir() and accept_submissions is None:
        raise UsageError(
            f"there is no folder {results}", "Name one with --results, or make a bundle first."
        )
    if export is not None:
        from membench.leaderboard.site.export import export as write_site
        from membench.leaderboard.store.store import Store

        count = write_site(Store(results), export)
        typer.echo(f"wrote {export / 'index.html'} and {count} runs")
        return
    from membench.leaderboard.app.serve import Serving, serve

    serve(Serving(results, data, host, port, accept_submissions))


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory.")],
    html: Annotated[Path, typer.Option(help="File to write.")],
) -> None:
    """Write one run as one HTML file."""
    from membench.leaderboard.site.report import write_report

    write_report(run, html)
    typer.echo(f"wrote {html}")


@board_app.command("index")
def index(
    results: Results = Path("results"),
    data: Data = None,
    verified: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Verify bundles that have no badge.")
    ] = True,
) -> None:
    """Verify new bundles and renew the index."""
    from membench.leaderboard.store.index import refresh
    from membench.leaderboard.store.store import Store

    store = Store(results)
    refused = 0
    for entry, result in store.verify_all(data) if verified else ():
        state = "accepted" if result.accepted else f"refused: {result.findings[0]}"
        refused += not result.accepted
        typer.echo(f"{entry.task}/{entry.run_id}: {state}")
    made = refresh(store)
    for run_id, problem in made.problems.items():
        typer.echo(f"{run_id}: left out: {problem}", err=True)
    typer.echo(f"{len(made.runs)} rows")
    raise typer.Exit(1 if refused or made.problems else 0)


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
        str, typer.Argument(metavar="BADGE", help="self-reported, re-scored or reproduced.")
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
