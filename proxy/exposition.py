"""Numbers -> the text that Prometheus scrapes (exposition format 0.0.4).

In: families of samples, one call each. Out: one page of text.
Standard library only: what prometheus-client imports on the way would be a third of a sidecar's memory (docs/adr/005).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LABEL_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Page:
    """One scrape, written family by family."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def gauge(self, name: str, help_text: str, value: float) -> None:
        """One number that goes up and down."""
        self._head(name, help_text, "gauge")
        self._sample(name, {}, value)

    def gauges(self, name: str, help_text: str, label: str, values: Mapping[str, float]) -> None:
        """One number for each value of a label."""
        self._head(name, help_text, "gauge")
        for key, value in values.items():
            self._sample(name, {label: key}, value)

    def counter(self, name: str, help_text: str, value: float) -> None:
        """One number that only grows; the sample is called `name`_total."""
        self._head(f"{name}_total", help_text, "counter")
        self._sample(f"{name}_total", {}, value)

    def counters(self, name: str, help_text: str, label: str, values: Mapping[str, float]) -> None:
        """One growing number for each value of a label."""
        self._head(f"{name}_total", help_text, "counter")
        for key, value in values.items():
            self._sample(f"{name}_total", {label: key}, value)

    def counters_by(self, name: str, help_text: str, series: Iterable[tuple[Mapping[str, str], float]]) -> None:
        """One growing number for each set of labels."""
        self._head(f"{name}_total", help_text, "counter")
        for labels, value in series:
            self._sample(f"{name}_total", labels, value)

    def gauges_by(self, name: str, help_text: str, series: Iterable[tuple[Mapping[str, str], float]]) -> None:
        """One number for each set of labels."""
        self._head(name, help_text, "gauge")
        for labels, value in series:
            self._sample(name, labels, value)

    def histogram(self, name: str, help_text: str, bounds_s: Sequence[float], series: Iterable[Series]) -> None:
        """Durations in seconds; each series has one count for each bound and one for what lies above all."""
        self._head(name, help_text, "histogram")
        bounds = [*(repr(float(bound)) for bound in bounds_s), "+Inf"]
        for labels, counts, total_s in series:
            running = 0
            for bound, count in zip(bounds, counts, strict=True):
                running += count
                self._sample(f"{name}_bucket", {**labels, "le": bound}, running)
            self._sample(f"{name}_count", labels, running)
            self._sample(f"{name}_sum", labels, total_s)

    def text(self) -> str:
        """The page so far."""
        return "".join(self._lines)

    def _head(self, name: str, help_text: str, kind: str) -> None:
        self._lines.append(f"# HELP {name} {help_text.translate(_HELP_ESCAPES)}\n# TYPE {name} {kind}\n")

    def _sample(self, name: str, labels: Mapping[str, str], value: float) -> None:
        inside = ",".join(f'{key}="{text.translate(_LABEL_ESCAPES)}"' for key, text in sorted(labels.items()))
        self._lines.append(f"{name}{{{inside}}} {float(value)!r}\n" if inside else f"{name} {float(value)!r}\n")


Series = tuple[Mapping[str, str], Sequence[int], float]
"""Labels, counts of each bucket, sum in seconds."""
