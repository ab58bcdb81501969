//! The messages of OTLP as far as they are read: JSON name, protobuf number, kind.
//!
//! Source: opentelemetry-proto 1.x.

use super::json::{Kind, Message};

use Kind::{
    Base64, Bool, Double, Each, Fixed32, Fixed64, Hex, Integer, Many, One, SignedFixed64, Text, ZigZag,
};

pub static TRACES: Message = Message(&[("resourceSpans", 1, Many(&RESOURCE_SPANS))]);
static RESOURCE_SPANS: Message =
    Message(&[("resource", 1, One(&RESOURCE)), ("scopeSpans", 2, Many(&SCOPE_SPANS))]);
static RESOURCE: Message = Message(&[("attributes", 1, Many(&KEY_VALUE))]);
static SCOPE_SPANS: Message = Message(&[("scope", 1, One(&SCOPE)), ("spans", 2, Many(&SPAN))]);
static SCOPE: Message = Message(&[("name", 1, Text), ("version", 2, Text)]);

pub static SPAN: Message = Message(&[
    ("traceId", 1, Hex),
    ("spanId", 2, Hex),
    ("traceState", 3, Text),
    ("parentSpanId", 4, Hex),
    ("name", 5, Text),
    ("kind", 6, Integer),
    ("startTimeUnixNano", 7, Fixed64),
    ("endTimeUnixNano", 8, Fixed64),
    ("attributes", 9, Many(&KEY_VALUE)),
    ("events", 11, Many(&EVENT)),
    ("links", 13, Many(&LINK)),
    ("status", 15, One(&STATUS)),
]);
static EVENT: Message =
    Message(&[("timeUnixNano", 1, Fixed64), ("name", 2, Text), ("attributes", 3, Many(&KEY_VALUE))]);
static LINK: Message = Message(&[
    ("traceId", 1, Hex),
    ("spanId", 2, Hex),
    ("traceState", 3, Text),
    ("attributes", 4, Many(&KEY_VALUE)),
]);
static STATUS: Message = Message(&[("message", 2, Text), ("code", 3, Integer)]);

static KEY_VALUE: Message = Message(&[("key", 1, Text), ("value", 2, One(&ANY_VALUE))]);
static ANY_VALUE: Message = Message(&[
    ("stringValue", 1, Text),
    ("boolValue", 2, Bool),
    ("intValue", 3, Integer),
    ("doubleValue", 4, Double),
    ("arrayValue", 5, One(&ARRAY_VALUE)),
    ("kvlistValue", 6, One(&KEY_VALUE_LIST)),
    ("bytesValue", 7, Base64),
]);
static ARRAY_VALUE: Message = Message(&[("values", 1, Many(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message(&[("values", 1, Many(&KEY_VALUE))]);

/// Scopes of metrics and logs; of those of spans the table has name and version only.
static WHOLE_SCOPE: Message = Message(&[
    ("name", 1, Text),
    ("version", 2, Text),
    ("attributes", 3, Many(&KEY_VALUE)),
    ("droppedAttributesCount", 4, Integer),
]);

pub static METRICS: Message = Message(&[("resourceMetrics", 1, Many(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = Message(&[
    ("resource", 1, One(&RESOURCE)),
    ("scopeMetrics", 2, Many(&SCOPE_METRICS)),
    ("schemaUrl", 3, Text),
]);
static SCOPE_METRICS: Message =
    Message(&[("scope", 1, One(&WHOLE_SCOPE)), ("metrics", 2, Many(&METRIC)), ("schemaUrl", 3, Text)]);
static METRIC: Message = Message(&[
    ("name", 1, Text),
    ("description", 2, Text),
    ("unit", 3, Text),
    ("gauge", 5, One(&NUMBERS)),
    ("sum", 7, One(&NUMBERS)),
    ("histogram", 9, One(&HISTOGRAM)),
    ("exponentialHistogram", 10, One(&EXPONENTIAL)),
    ("summary", 11, One(&SUMMARY)),
]);
static NUMBERS: Message = Message(&[
    ("dataPoints", 1, Many(&NUMBER_POINT)),
    ("aggregationTemporality", 2, Integer),
    ("isMonotonic", 3, Bool),
]);
static HISTOGRAM: Message =
    Message(&[("dataPoints", 1, Many(&HISTOGRAM_POINT)), ("aggregationTemporality", 2, Integer)]);
static EXPONENTIAL: Message =
    Message(&[("dataPoints", 1, Many(&EXPONENTIAL_POINT)), ("aggregationTemporality", 2, Integer)]);
static SUMMARY: Message = Message(&[("dataPoints", 1, Many(&SUMMARY_POINT))]);

static NUMBER_POINT: Message = Message(&[
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("asDouble", 4, Double),
    ("exemplars", 5, Many(&EXEMPLAR)),
    ("asInt", 6, SignedFixed64),
    ("attributes", 7, Many(&KEY_VALUE)),
    ("flags", 8, Integer),
]);
static HISTOGRAM_POINT: Message = Message(&[
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("bucketCounts", 6, Each(&Fixed64)),
    ("explicitBounds", 7, Each(&Double)),
    ("exemplars", 8, Many(&EXEMPLAR)),
    ("attributes", 9, Many(&KEY_VALUE)),
    ("flags", 10, Integer),
    ("min", 11, Double),
    ("max", 12, Double),
]);
static EXPONENTIAL_POINT: Message = Message(&[
    ("attributes", 1, Many(&KEY_VALUE)),
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("scale", 6, ZigZag),
    ("zeroCount", 7, Fixed64),
    ("positive", 8, One(&BUCKETS)),
    ("negative", 9, One(&BUCKETS)),
    ("flags", 10, Integer),
    ("exemplars", 11, Many(&EXEMPLAR)),
    ("min", 12, Double),
    ("max", 13, Double),
]);
static BUCKETS: Message = Message(&[("offset", 1, ZigZag), ("bucketCounts", 2, Each(&Integer))]);
static SUMMARY_POINT: Message = Message(&[
    ("startTimeUnixNano", 2, Fixed64),
    ("timeUnixNano", 3, Fixed64),
    ("count", 4, Fixed64),
    ("sum", 5, Double),
    ("quantileValues", 6, Many(&QUANTILE)),
    ("attributes", 7, Many(&KEY_VALUE)),
    ("flags", 8, Integer),
]);
static QUANTILE: Message = Message(&[("quantile", 1, Double), ("value", 2, Double)]);
static EXEMPLAR: Message = Message(&[
    ("timeUnixNano", 2, Fixed64),
    ("asDouble", 3, Double),
    ("spanId", 4, Hex),
    ("traceId", 5, Hex),
    ("asInt", 6, SignedFixed64),
    ("filteredAttributes", 7, Many(&KEY_VALUE)),
]);

pub static LOGS: Message = Message(&[("resourceLogs", 1, Many(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message =
    Message(&[("resource", 1, One(&RESOURCE)), ("scopeLogs", 2, Many(&SCOPE_LOGS)), ("schemaUrl", 3, Text)]);
static SCOPE_LOGS: Message =
    Message(&[("scope", 1, One(&WHOLE_SCOPE)), ("logRecords", 2, Many(&RECORD)), ("schemaUrl", 3, Text)]);
static RECORD: Message = Message(&[
    ("timeUnixNano", 1, Fixed64),
    ("severityNumber", 2, Integer),
    ("severityText", 3, Text),
    ("body", 5, One(&ANY_VALUE)),
    ("attributes", 6, Many(&KEY_VALUE)),
    ("flags", 8, Fixed32),
    ("traceId", 9, Hex),
    ("spanId", 10, Hex),
    ("observedTimeUnixNano", 11, Fixed64),
    ("eventName", 12, Text),
]);
