"""The web UI: four pages over the store. Run with `whymesh ui` or `streamlit run dashboards/app.py`."""

import streamlit as st

from dashboards.look import MARK, STYLE, WORDMARK

st.set_page_config(page_title="whymesh", page_icon=MARK, layout="wide")
st.html(STYLE)
st.logo(WORDMARK, size="large")
st.navigation(
    [
        st.Page("views/service_graph.py", title="Service graph", icon=":material/hub:", default=True),
        st.Page("views/incident_list.py", title="Incidents", icon=":material/crisis_alert:", url_path="incidents"),
        st.Page("views/security_overview.py", title="Security", icon=":material/shield_lock:", url_path="security"),
        st.Page("views/sql_console.py", title="SQL", icon=":material/database:", url_path="sql"),
    ],
    position="top",
).run()
