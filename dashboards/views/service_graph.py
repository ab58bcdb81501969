"""Service graph: who calls whom, how much, how well; one service or call beside it in detail."""

from datetime import UTC, datetime

import streamlit as st

from dashboards import ask, graph_chart, graph_picks, layout, reads, topology
from dashboards.graph_chart import EdgeLabel
from dashboards.graph_legend import legend
from dashboards.graph_overview import overview
from dashboards.graph_panel import show_edge, show_service
from dashboards.graph_picks import ALL, Choice
from dashboards.palette import palette
from dashboards.topology import Suspects, Topology
from dashboards.trace_view import open_trace, opened_trace, show_trace
from dashboards.verbatim import plain
from dashboards.window import Window

REFRESH_SECONDS = 5
REMEMBERED_MINUTES = 60  # a service keeps its place for that long after its last call
RANGES = {"1 min": 1, "5 min": 5, "15 min": 15, "1 h": 60}
RANGE = "5 min"
CHART_HEIGHT = 540


def controls() -> tuple[int, EdgeLabel, bool, bool]:
    """Draws the row above the graph; everything in it is kept in the address of the page."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        last = st.segmented_control(
            "The last", list(RANGES), default=RANGE, required=True, key="last", bind="query-params"
        )
        label = st.segmented_control(
            "On the edges",
            [item.value for item in EdgeLabel],
            default=EdgeLabel.RATE.value,
            required=True,
            key="edges",
            bind="query-params",
        )
        trouble = st.toggle("Only trouble", key="trouble", bind="query-params", help="Hide what is healthy.")
        live = st.toggle(
            "Live",
            value=True,
            key="live",
            bind="query-params",
            help="Read again every 5 seconds. Off: the drawing can be zoomed and moved.",
        )
    return RANGES[last or RANGE], EdgeLabel(label or EdgeLabel.RATE), trouble, live


def read_topology(window: Window, now: datetime) -> Topology:
    """The graph of a window; edges of the last hour stay in it, idle, so that nothing jumps."""
    remembered = Window.last(max(REMEMBERED_MINUTES, int(window.seconds // 60)), now)
    services = reads.services(ask.rows, window)
    suspects = Suspects.of(reads.incidents(ask.rows))
    first = min((row["first"] for row in services), default=window.start)
    gathered = (window.end - max(window.start, first)).total_seconds()
    return topology.build(
        reads.edges(ask.rows, window),
        services,
        reads.known_edges(ask.rows, remembered),
        suspects,
        gathered,
        reads.captured(ask.rows, window),
    )


def take_click() -> None:
    """A click on the drawing becomes the entry of the list."""
    state = st.session_state
    picked = graph_picks.chosen(state.graph.selection.selected, state.shown)
    choice = graph_picks.after_click(picked, state.get("clicked"), state.get("pick", ALL))
    state.clicked = choice
    state.pick = choice.entry if choice else ALL


def draw(minutes: int, label: EdgeLabel, trouble: bool, live: bool) -> None:
    """Reads and draws once; runs again by itself while the page is live."""
    with ask.answered():
        now = datetime.now(UTC)
        window = Window.last(minutes, now)
        graph = read_topology(window, now)
        if not graph.nodes:
            empty()
            return
        suspicion()
        with st.container(key="beside"):
            left, right = st.columns([0.66, 0.34], gap="medium")
        with right:
            entries = graph_picks.entries(graph)
            pick = st.selectbox("Show", [ALL, *entries], key="pick", bind="query-params")
            choice = entries.get(pick or ALL)
        with left:
            draw_graph(graph, label, trouble, choice, roam=not live)
            draw_trace()
        with right:
            detail(graph, choice, window)


def draw_graph(graph: Topology, label: EdgeLabel, trouble: bool, choice: Choice | None, *, roam: bool) -> None:
    """The drawing and what its colours mean."""
    colours = palette(st.context.theme.type)
    places = layout.arrange((node.name for node in graph.nodes), ((e.source, e.target) for e in graph.edges))
    shown = graph_picks.drawn(graph, trouble)
    st.session_state.shown = shown
    with st.container(border=True):
        if shown.nodes:
            st.echarts_chart(
                graph_chart.option(graph, places, shown, label, choice, colours, roam=roam),
                height=CHART_HEIGHT,
                key="graph",
                on_select=take_click,
                renderer="svg",
                alt=graph_chart.sentence(graph),
            )
        else:
            st.success("No trouble: every service and call is below the limits.", icon=":material/check_circle:")
        st.html(legend(graph, colours))


def draw_trace() -> None:
    """The trace that was opened from the panel, under the graph."""
    trace = opened_trace()
    if trace:
        with st.container(border=True):
            show_trace(trace, palette(st.context.theme.type), key="waterfall")
            st.button("Close", icon=":material/close:", type="tertiary", on_click=open_trace, args=(None,))


def detail(graph: Topology, choice: Choice | None, window: Window) -> None:
    """The panel beside the graph."""
    colours = palette(st.context.theme.type)
    if choice is None:
        overview(graph, window)
    elif choice.target is None:
        show_service(graph, choice.service, window, colours)
    else:
        show_edge(graph, choice.service, choice.target, window, colours)


def suspicion() -> None:
    """A line for each open incident, leading to its proof."""
    for row in reads.incidents(ask.rows):
        if row["state"] == "open":
            with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"open-{row['id']}"):
                st.badge("open incident", icon=":material/crisis_alert:", color="red")
                st.markdown(f"**{plain(row['title'])}**", width="stretch")
                st.page_link(
                    "views/incident_list.py",
                    label="Why?",
                    icon=":material/arrow_forward:",
                    query_params={"id": row["id"]},
                )


def empty() -> None:
    """What to do when no request was recorded."""
    st.info("**No traffic was recorded in the last hour.** The store answers, and holds nothing to draw.")
    st.markdown(
        "- No mesh yet: `whymesh demo` starts a shop of eight services with traffic and faults to inject.\n"
        "- A mesh is running: send a request through one of its sidecars, "
        "`curl --proxy http://<sidecar outbound> http://<service>/`; it shows here a second later.\n"
        "- Requests flow and nothing shows: `whymesh_proxy_spans_dropped_total` on a sidecar's `/metrics` counts what "
        "could not be delivered, and the collector's log says why."
    )


picked_minutes, picked_label, only_trouble, is_live = controls()
st.fragment(draw, run_every=REFRESH_SECONDS if is_live else None)(picked_minutes, picked_label, only_trouble, is_live)
