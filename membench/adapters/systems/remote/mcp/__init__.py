"""Any system behind an MCP server."""
