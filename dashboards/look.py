"""The few style rules that Streamlit's theme has no setting for."""

STYLE = """<style>
.stMainBlockContainer { padding-top: 4.2rem; padding-bottom: 2rem; max-width: 1680px; }
.st-key-sql textarea { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.86rem; line-height: 1.5; }
.st-key-key p { font-size: 0.82rem; }
.swatch { display: inline-block; width: 0.72em; height: 0.72em; border-radius: 50%; margin-right: 0.35em;
  vertical-align: -0.04em; border: 2px solid; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; font-size: 0.8rem; opacity: 0.9; }
.fact-label { font-size: 0.76rem; letter-spacing: 0.04em; text-transform: uppercase; opacity: 0.7; }
.fact-value { font-size: 1.35rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.fact-note { font-size: 0.85rem; opacity: 0.8; }
</style>"""
