"""One file per command (or family of subcommands): parse, call one function, print."""
