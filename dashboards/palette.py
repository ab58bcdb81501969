"""The colours of charts, one set for a light page and one for a dark one; text on them keeps a contrast of 4.5:1."""

from dataclasses import dataclass

from dashboards.health import Health


@dataclass(frozen=True)
class Palette:
    """Colours as CSS hex codes. `surface` is the page behind the chart."""

    text: str
    muted: str
    surface: str
    line: str
    grid: str
    accent: str
    lines: dict[str, str]
    series: tuple[str, ...]
    state: dict[Health, str]
    fill: dict[Health, str]


LIGHT = Palette(
    text="#1c2433",
    muted="#5a6678",
    surface="#ffffff",
    line="#9aa7ba",
    grid="#e6eaf0",
    accent="#4f46e5",
    lines={
        "p50": "#4f46e5",
        "mean": "#4f46e5",
        "p95": "#0d9488",
        "p99": "#c2570c",
        "calls": "#4f46e5",
        "errors": "#d92d3a",
    },
    series=("#4f46e5", "#0d9488", "#c2570c", "#be185d", "#0369a1", "#6d7a12", "#7e3bb5", "#5a6678"),
    state={
        Health.HEALTHY: "#12a071",
        Health.DEGRADED: "#e08a00",
        Health.FAILING: "#d92d3a",
        Health.IDLE: "#a3aebd",
    },
    fill={
        Health.HEALTHY: "#e3f6ee",
        Health.DEGRADED: "#fff1d6",
        Health.FAILING: "#fde3e5",
        Health.IDLE: "#f0f2f5",
    },
)
DARK = Palette(
    text="#e8ecf3",
    muted="#9aa7ba",
    surface="#10151f",
    line="#5d6b80",
    grid="#263042",
    accent="#8b8cf8",
    lines={
        "p50": "#8b8cf8",
        "mean": "#8b8cf8",
        "p95": "#2dd4bf",
        "p99": "#fb923c",
        "calls": "#8b8cf8",
        "errors": "#f87171",
    },
    series=("#8b8cf8", "#2dd4bf", "#fb923c", "#f472b6", "#38bdf8", "#c0cc50", "#c58af9", "#9aa7ba"),
    state={
        Health.HEALTHY: "#34d399",
        Health.DEGRADED: "#fbbf24",
        Health.FAILING: "#f87171",
        Health.IDLE: "#66748a",
    },
    fill={
        Health.HEALTHY: "#123528",
        Health.DEGRADED: "#3d2e0b",
        Health.FAILING: "#43191d",
        Health.IDLE: "#1d2635",
    },
)


# Streamlit's own names for the colours of its Markdown.
NAMED = {Health.FAILING: "red", Health.DEGRADED: "orange", Health.HEALTHY: "green", Health.IDLE: "gray"}


def palette(theme: str | None) -> Palette:
    """The colours for Streamlit's theme type, 'dark' or 'light'."""
    return DARK if theme == "dark" else LIGHT
