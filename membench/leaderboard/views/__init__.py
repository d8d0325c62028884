"""What the pages show, as plain values: pure functions of the index, apart from any framework.

The Streamlit pages, the static export and the tests all call these.
"""
