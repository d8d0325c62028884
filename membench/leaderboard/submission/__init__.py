"""How a bundle reaches a board: a folder, a pull request or a server."""
