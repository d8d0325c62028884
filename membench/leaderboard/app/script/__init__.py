"""What Streamlit runs: in a folder without `pages/`, which it would take for its own."""
