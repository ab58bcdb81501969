"""Metrics requests for tests, and what they must look like as rows of `otel_metrics_*`, worked out the obvious way."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
    Summary,
    SummaryDataPoint,
)

from tests.world import otlp_oracle as oracle
from tests.world import otlp_requests as world
from tests.world.otlp_logs import identity, resources, scopes

SHARED = (
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "toUnixTimestamp64Nano(StartTimeUnix)",
    "toUnixTimestamp64Nano(TimeUnix)",
    "Flags",
)
TIME = SHARED.index("toUnixTimestamp64Nano(TimeUnix)")
EXEMPLARS = (
    "Exemplars.FilteredAttributes",
    "arrayMap(at -> toUnixTimestamp64Nano(at), Exemplars.TimeUnix)",
    "arrayMap(value -> reinterpretAsUInt64(value), Exemplars.Value)",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
)


def _bits(*names: str) -> tuple[str, ...]:
    return tuple(f"reinterpretAsUInt64({name})" for name in names)


def _each_bits(name: str) -> str:
    return f"arrayMap(value -> reinterpretAsUInt64(value), {name})"


# Doubles are compared by their bits, which neither rounds nor trips over NaN.
COLUMNS: dict[str, tuple[str, ...]] = {
    "otel_metrics_gauge": (*SHARED, *_bits("Value"), *EXEMPLARS),
    "otel_metrics_sum": (*SHARED, *_bits("Value"), *EXEMPLARS, "AggregationTemporality", "IsMonotonic"),
    "otel_metrics_histogram": (
        *SHARED,
        "Count",
        *_bits("Sum", "Min", "Max"),
        "BucketCounts",
        _each_bits("ExplicitBounds"),
        *EXEMPLARS,
        "AggregationTemporality",
    ),
    "otel_metrics_exponential_histogram": (
        *SHARED,
        "Count",
        *_bits("Sum", "Min", "Max"),
        "Scale",
        "ZeroCount",
        "PositiveOffset",
        "PositiveBucketCounts",
        "NegativeOffset",
        "NegativeBucketCounts",
        *EXEMPLARS,
        "AggregationTemporality",
    ),
    "otel_metrics_summary": (
        *SHARED,
        "Count",
        *_bits("Sum"),
        _each_bits("ValueAtQuantiles.Quantile"),
        _each_bits("ValueAtQuantiles.Value"),
    ),
}


def rows(request: ExportMetricsServiceRequest) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all points that the tables can hold, in order, by table."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for group in request.resource_metrics:
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                data = getattr(metric, kind)
                table = f"otel_metrics_{kind}"
                kept = [point for point in data.data_points if is_storable(point)]
                made = [(*_shared(point, metric, scoped, group), *_own(kind, point, data)) for point in kept]
                if made:
                    found.setdefault(table, []).extend(made)
    return found


def is_storable(point: Any) -> bool:
    exemplars: Sequence[Exemplar] = getattr(point, "exemplars", ())
    return (
        0 < point.time_unix_nano <= oracle.LATEST_NS
        and point.start_time_unix_nano <= oracle.LATEST_NS
        and all(exemplar.time_unix_nano <= oracle.LATEST_NS for exemplar in exemplars)
    )


def _shared(point: Any, metric: Metric, scoped: ScopeMetrics, group: ResourceMetrics) -> tuple[Any, ...]:
    resource = oracle.attributes(group.resource.attributes)
    return (
        resource,
        group.schema_url,
        scoped.scope.name,
        scoped.scope.version,
        oracle.attributes(scoped.scope.attributes),
        scoped.scope.dropped_attributes_count,
        scoped.schema_url,
        resource.get("service.name", ""),
        metric.name,
        metric.description,
        metric.unit,
        oracle.attributes(point.attributes),
        point.start_time_unix_nano,
        point.time_unix_nano,
        point.flags,
    )


def _own(kind: str, point: Any, data: Any) -> tuple[Any, ...]:
    match kind:
        case "gauge":
            return (_number(point), *_exemplars(point))
        case "sum":
            return (_number(point), *_exemplars(point), data.aggregation_temporality, data.is_monotonic)
        case "histogram":
            totals = (point.count, bits(point.sum), bits(point.min), bits(point.max))
            buckets = (list(point.bucket_counts), [bits(bound) for bound in point.explicit_bounds])
            return (*totals, *buckets, *_exemplars(point), data.aggregation_temporality)
        case "exponential_histogram":
            totals = (point.count, bits(point.sum), bits(point.min), bits(point.max))
            positive = (point.positive.offset, list(point.positive.bucket_counts))
            negative = (point.negative.offset, list(point.negative.bucket_counts))
            buckets = (point.scale, point.zero_count, *positive, *negative)
            return (*totals, *buckets, *_exemplars(point), data.aggregation_temporality)
    quantiles = [bits(value.quantile) for value in point.quantile_values]
    return (point.count, bits(point.sum), quantiles, [bits(value.value) for value in point.quantile_values])


def _exemplars(point: Any) -> tuple[Any, ...]:
    return (
        [oracle.attributes(exemplar.filtered_attributes) for exemplar in point.exemplars],
        [exemplar.time_unix_nano for exemplar in point.exemplars],
        [_number(exemplar) for exemplar in point.exemplars],
        [identity(exemplar.span_id, 8) for exemplar in point.exemplars],
        [identity(exemplar.trace_id, 16) for exemplar in point.exemplars],
    )


def _number(point: Any) -> int:
    return bits(float(point.as_int) if point.WhichOneof("value") == "as_int" else point.as_double)


def bits(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


_doubles = st.floats(allow_nan=False)
_counts = st.integers(0, 2**64 - 1)
_small = st.integers(-(2**31), 2**31 - 1)
_point_times = world.times | st.sampled_from([0, 2**64 - 1])
_flags = st.integers(0, 2**32 - 1)
_numbers = st.one_of(
    st.fixed_dictionaries({"as_double": _doubles}),
    st.fixed_dictionaries({"as_int": st.integers(-(2**63), 2**63 - 1)}),
    st.just({}),
)
_exemplar_lists = st.lists(
    st.builds(
        lambda number, **fields: Exemplar(**number, **fields),
        _numbers,
        filtered_attributes=world.attribute_lists,
        time_unix_nano=world.times,
        span_id=world.ids(8) | st.binary(max_size=9),
        trace_id=world.ids(16) | st.just(bytes(16)),
    ),
    max_size=2,
)
_every_point = {
    "attributes": world.attribute_lists,
    "start_time_unix_nano": world.times | st.just(0),
    "time_unix_nano": _point_times,
    "flags": _flags,
}
_distribution = {"count": _counts, "sum": _doubles, "min": _doubles, "max": _doubles, "exemplars": _exemplar_lists}
_number_points = st.lists(
    st.builds(
        lambda number, **fields: NumberDataPoint(**number, **fields),
        _numbers,
        exemplars=_exemplar_lists,
        **_every_point,
    ),
    max_size=3,
)
_histogram_points = st.builds(
    HistogramDataPoint,
    bucket_counts=st.lists(_counts, max_size=4),
    explicit_bounds=st.lists(_doubles, max_size=4),
    **_every_point,
    **_distribution,
)
_buckets = st.builds(ExponentialHistogramDataPoint.Buckets, offset=_small, bucket_counts=st.lists(_counts, max_size=4))
_exponential_points = st.builds(
    ExponentialHistogramDataPoint,
    scale=_small,
    zero_count=_counts,
    positive=_buckets,
    negative=_buckets,
    **_every_point,
    **_distribution,
)
_quantiles = st.builds(SummaryDataPoint.ValueAtQuantile, quantile=_doubles, value=_doubles)
_summary_points = st.builds(
    SummaryDataPoint, count=_counts, sum=_doubles, quantile_values=st.lists(_quantiles, max_size=3), **_every_point
)
_temporalities = st.integers(0, 2)
_data = st.one_of(
    st.builds(lambda points: {"gauge": Gauge(data_points=points)}, _number_points),
    st.builds(
        lambda points, temporality, monotonic: {
            "sum": Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)
        },
        _number_points,
        _temporalities,
        st.booleans(),
    ),
    st.builds(
        lambda points, temporality: {"histogram": Histogram(data_points=points, aggregation_temporality=temporality)},
        st.lists(_histogram_points, max_size=3),
        _temporalities,
    ),
    st.builds(
        lambda points, temporality: {
            "exponential_histogram": ExponentialHistogram(data_points=points, aggregation_temporality=temporality)
        },
        st.lists(_exponential_points, max_size=3),
        _temporalities,
    ),
    st.builds(lambda points: {"summary": Summary(data_points=points)}, st.lists(_summary_points, max_size=3)),
    st.just({}),
)
_metrics = st.builds(
    lambda data, **fields: Metric(**data, **fields),
    _data,
    name=world.texts,
    description=world.texts,
    unit=world.texts,
)
_scoped = st.builds(ScopeMetrics, scope=scopes, metrics=st.lists(_metrics, max_size=3), schema_url=world.texts)
_grouped = st.builds(
    ResourceMetrics, resource=resources, scope_metrics=st.lists(_scoped, max_size=2), schema_url=world.texts
)
requests = st.builds(ExportMetricsServiceRequest, resource_metrics=st.lists(_grouped, max_size=2))
