"""FINDING -> EYES: the Streamlit app."""
