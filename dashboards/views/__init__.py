"""The pages of the web UI, each a Streamlit script. Of a folder named `pages` Streamlit makes a menu of its own."""
