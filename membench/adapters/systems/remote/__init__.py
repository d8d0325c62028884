"""Systems that run as a server: HTTP and MCP."""
