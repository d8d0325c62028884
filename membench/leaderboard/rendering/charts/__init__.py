"""Charts as Plotly figures of views. Shapes and labels repeat what colours say."""
