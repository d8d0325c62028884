"""The board as a Streamlit app: thin pages over `views`, one process, loopback by default."""
