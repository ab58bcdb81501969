"""The mark of the project, and the few style rules that Streamlit's theme has no setting for."""

_DRAWING = """
<path d="M9 9 L23 9 L16 23 Z" fill="none" stroke="#8b8cf8" stroke-width="2.4" stroke-linejoin="round"/>
<circle cx="9" cy="9" r="4.4" fill="#12a071"/><circle cx="23" cy="9" r="4.4" fill="#12a071"/>
<circle cx="16" cy="23" r="5.4" fill="#d92d3a"/>"""
MARK = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{_DRAWING}</svg>'
WORDMARK = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 134 32">{_DRAWING}'
    '<text x="36" y="22.5" font-family="Source Sans, Segoe UI, DejaVu Sans, sans-serif" font-size="20" '
    'font-weight="700" textLength="94" lengthAdjust="spacingAndGlyphs" fill="#6c6df2">whymesh</text></svg>'
)

STYLE = """<style>
.stMainBlockContainer { padding-top: 4.4rem; padding-bottom: 2rem; max-width: 1680px; }
.st-key-sql textarea {
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 0.86rem; line-height: 1.5; }
.stTable td:not(:last-child) p, .stTable th p { white-space: nowrap !important; }
.stTable td:last-child, .stTable td:last-child * { max-width: none !important; }
.swatch { display: inline-block; width: 0.72em; height: 0.72em; border-radius: 50%; margin-right: 0.35em;
  vertical-align: -0.04em; border: 2px solid; }
.swatch.roundRect { border-radius: 22%; }
.swatch.diamond { border-radius: 8%; transform: rotate(45deg) scale(0.84); }
/* What stands beside each other on a wide screen stands below each other on a narrow one. */
@media (max-width: 1000px) {
  .st-key-beside > [data-testid="stLayoutWrapper"] > .stHorizontalBlock > .stColumn { min-width: 100%; }
}
[data-testid="stStatusWidget"] { display: none; }
/* A page that renews itself every few seconds must not pale each time. */
[data-stale="true"] { opacity: 1 !important; transition: none !important; }
.stExpander summary { color: inherit !important; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; font-size: 0.8rem; opacity: 0.9; }
.fact-label { font-size: 0.76rem; letter-spacing: 0.04em; text-transform: uppercase; opacity: 0.7; }
.fact-value { font-size: 1.3rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }
.fact-note { font-size: 0.85rem; opacity: 0.8; }
</style>"""
