//! The messages of OTLP as far as they are read: JSON name, protobuf number, kind.
//!
//! Source: opentelemetry-proto 1.x. Of metrics and logs only what it takes to count them.

use super::json::{Kind, Message};

use Kind::{Base64, Bool, Double, Fixed64, Hex, Integer, Many, One, Text};

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

pub static METRICS: Message = Message(&[("resourceMetrics", 1, Many(&RESOURCE_METRICS))]);
static RESOURCE_METRICS: Message = Message(&[("scopeMetrics", 2, Many(&SCOPE_METRICS))]);
static SCOPE_METRICS: Message = Message(&[("metrics", 2, Many(&METRIC))]);
static METRIC: Message = Message(&[
    ("gauge", 5, One(&POINTS)),
    ("sum", 7, One(&POINTS)),
    ("histogram", 9, One(&POINTS)),
    ("exponentialHistogram", 10, One(&POINTS)),
    ("summary", 11, One(&POINTS)),
]);
static POINTS: Message = Message(&[("dataPoints", 1, Many(&ITEM))]);

pub static LOGS: Message = Message(&[("resourceLogs", 1, Many(&RESOURCE_LOGS))]);
static RESOURCE_LOGS: Message = Message(&[("scopeLogs", 2, Many(&SCOPE_LOGS))]);
static SCOPE_LOGS: Message = Message(&[("logRecords", 2, Many(&ITEM))]);
static ITEM: Message = Message(&[]);
