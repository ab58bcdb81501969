"""The pages of the web UI, each a Streamlit script."""
