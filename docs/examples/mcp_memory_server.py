"""A memory system behind MCP on stdio: two tools are enough.

    membench run --system mcp --set command="python mcp_memory_server.py" \
        --task locomo --split sample

It ranks texts by the words they share with the query. Needs the package `mcp`.
"""

import re

from mcp.server.mcpserver import MCPServer

server = MCPServer("memory")
stored: dict[str, list[str]] = {}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


@server.tool()
def add_memory(text: str, user: str = "") -> str:
    """Store a text."""
    stored.setdefault(user, []).append(text)
    return "stored"


@server.tool()
def search_memory(query: str, limit: int = 100, user: str = "") -> list[str]:
    """The texts that share most words with the query."""
    asked = words(query)
    ranked = sorted(stored.get(user, []), key=lambda text: -len(asked & words(text)))
    return ranked[:limit]


if __name__ == "__main__":
    server.run()
