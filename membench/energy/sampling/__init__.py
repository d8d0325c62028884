"""Reading the sources while a run goes on, here or on another machine."""
