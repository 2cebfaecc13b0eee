// Sends one fixed story with the JavaScript client that argv names, told once in story.json.
// node send.mjs '{"client": "trace-http", "url": "http://127.0.0.1:4318", "compression": "gzip"}'
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const require = createRequire(new URL('../../.cache/node/', import.meta.url));
const story = JSON.parse(readFileSync(new URL('story.json', import.meta.url)));
const asked = JSON.parse(process.argv[2]);
const nano = (ns) => [Math.floor(Number(BigInt(ns) / 1000000000n)), Number(BigInt(ns) % 1000000000n)];

function exporter(name, kind) {
  const { [`OTLP${kind}Exporter`]: Exporter } = require(`@opentelemetry/exporter-${name}`);
  const path = kind === 'Trace' ? 'traces' : 'logs';
  return new Exporter({ url: `${asked.url}/v1/${path}`, compression: asked.compression ?? 'none', headers: asked.headers ?? {} });
}

async function traces(name) {
  const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
  const { resourceFromAttributes } = require('@opentelemetry/resources');
  const { trace, ROOT_CONTEXT, SpanKind } = require('@opentelemetry/api');
  const ids = story.spans.map((span) => span.span_id);
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(story.resource),
    idGenerator: { generateTraceId: () => story.trace_id, generateSpanId: () => ids.shift() },
    spanProcessors: [new BatchSpanProcessor(exporter(name, 'Trace'))],
  });
  const tracer = provider.getTracer(story.scope.name, story.scope.version);
  let parent = ROOT_CONTEXT;
  for (const told of story.spans) {
    const links = told.links.map((link) => ({
      context: { traceId: link.trace_id, spanId: link.span_id, traceFlags: 1 },
      attributes: link.attributes,
    }));
    const kind = SpanKind[told.kind.toUpperCase()];
    const span = tracer.startSpan(told.name, { kind, startTime: nano(told.start), attributes: told.attributes, links }, parent);
    for (const note of told.annotations) span.addEvent(note.name, note.attributes, nano(note.at));
    if (told.status !== 'unset') span.setStatus({ code: { ok: 1, error: 2 }[told.status], message: told.status_message });
    span.end(nano(told.end));
    parent = trace.setSpan(ROOT_CONTEXT, span);
  }
  await provider.shutdown();
}

async function logs(name) {
  const { LoggerProvider, BatchLogRecordProcessor } = require('@opentelemetry/sdk-logs');
  const { resourceFromAttributes } = require('@opentelemetry/resources');
  const made = exporter(name, 'Log');
  const provider = new LoggerProvider({
    resource: resourceFromAttributes(story.resource),
    processors: [new BatchLogRecordProcessor({ exporter: made })],
  });
  const logger = provider.getLogger(story.scope.name, story.scope.version);
  for (const told of story.records) {
    logger.emit({
      timestamp: nano(told.at),
      observedTimestamp: nano(told.observed),
      severityNumber: told.severity_number,
      severityText: told.severity,
      body: told.body,
      attributes: told.attributes,
    });
  }
  await provider.shutdown();
}

async function events(mode) {
  const { CloudEvent, HTTP, emitterFor, httpTransport, Mode } = require('cloudevents');
  const made = story.events.map((told) => new CloudEvent(told));
  const url = `${asked.url}/v1/events`;
  if (mode === 'batch') {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents-batch+json' },
      body: JSON.stringify(made),
    });
    if (answer.status !== 202) throw new Error(`${answer.status} ${await answer.text()}`);
    return;
  }
  const emit = emitterFor(httpTransport(url), { binding: HTTP, mode: mode === 'binary' ? Mode.BINARY : Mode.STRUCTURED });
  for (const event of made) await emit(event);
}

const [what, name] = asked.client.split(':');
await { traces, logs, events }[what](name);
