"""Charts and HTML, for the app, the static site and the command line."""
