// Sends a trace of three spans through one of OpenTelemetry's exporters: node send.js (grpc|http|proto) URL SERVICE
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");

const [, , kind, url, service] = process.argv;
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${kind}`);
const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": service }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url, compression: "gzip" }))],
});
const tracer = provider.getTracer("shop", "1.2.3");
const root = tracer.startSpan("GET /cart", { kind: SpanKind.SERVER, attributes: { "http.route": "/cart", items: 3 } });
const inside = trace.setSpan(ROOT_CONTEXT, root);
const call = tracer.startSpan("SELECT", { kind: SpanKind.CLIENT, attributes: { tags: ["a", "b"] } }, inside);
call.setStatus({ code: SpanStatusCode.ERROR, message: "no such table" });
call.addEvent("exception", { "exception.type": "Error" });
call.end();
tracer.startSpan("render", { links: [{ context: call.spanContext() }] }, inside).end();
root.end();
provider.shutdown().then(() => console.log(root.spanContext().traceId));
