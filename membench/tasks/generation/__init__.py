"""What tasks share that make their data themselves: draws, templates, and how a phrase is found."""
