// The hot path's JavaScript: what would be thirty crossings from WebAssembly, each with a string to encode or decode, is four.
// No rule lives here. Parts of one string are separated by NUL, which no header, URL or JSON text can hold.

// What every request is asked about itself; an absent header is empty, a present one starts with an equals sign.
const ASKED = [
  'authorization', 'x-request-id', 'idempotency-key', 'content-type', 'content-length', 'origin', 'cf-connecting-ip',
  'user-agent', 'traceparent',
];

export function whole(request) {
  let said = request.method + '\0' + request.url;
  for (const name of ASKED) {
    const value = request.headers.get(name);
    said += value === null ? '\0' : '\0=' + value;
  }
  return said;
}

// A text of the environment; empty when it is not set.
export function setting(env, name) {
  const value = env[name];
  return typeof value === 'string' ? value : '';
}

const encoder = new TextEncoder();

// The same, written where it is read: how long it is, or 0 when there is not so much room.
export function head(request, room) {
  const said = whole(request);
  const { read, written } = encoder.encodeInto(said, room);
  return read === said.length ? written : 0;
}

// The instance's way back; see `task.rs`. Whoever waits keeps the one under which he began: his number means nothing to the next.
let back;
const answers = new Map();

export function connect(way) {
  back = way;
}

export function promised(task) {
  return new Promise((answer) => answers.set(task, answer));
}

export function answered(task, response) {
  const answer = answers.get(task);
  answers.delete(task);
  answer(response);
}

export function forgotten(task) {
  answers.delete(task);
}

export function soon(task) {
  const way = back;
  queueMicrotask(() => way(task));
}

// A promise of somebody else's: its value, or what it was refused with.
export function settle(wait, promise) {
  const way = back;
  promise.then((value) => way(wait, 1, value), (error) => way(wait, 0, error));
}

// Begins something and brings it back: 0 for a failure, else what `tell` says of the value. What is thrown at once is a failure
// like any other, and never an exception inside WebAssembly.
function bring(wait, tell, begin) {
  const way = back;
  const lost = () => way(wait, 0);
  try {
    begin().then((value) => way(wait, tell(value), value), lost);
  } catch {
    queueMicrotask(lost);
  }
}

// The status, twice, and one more when this is the stored answer of an earlier request.
const told = (response) => response.status * 2 + (response.headers.has('idempotent-replayed') ? 1 : 0);

// What every question to the database says, made once; who asks, and under which id, is said anew by each.
const asking = new Headers({ 'content-type': 'application/json' });

// The same, and 1 for what took too long. By a timer of the request's own, which goes with it, and not by an `AbortSignal`: an
// answer that carries one is pumped by the instance and not by the runtime alone, which makes a transfer a tenth dearer. So what is
// passed on unread is bounded up to its head. What comes later is wanted by nobody.
function inTime(wait, timeoutMs, tell, begin) {
  const way = back;
  let waits = true;
  const end = (outcome, value) => {
    if (!waits) return value?.body?.cancel();
    waits = false;
    return way(wait, outcome, value);
  };
  setTimeout(() => end(1), timeoutMs);
  try {
    begin().then((value) => end(tell(value), value), () => end(0));
  } catch {
    queueMicrotask(() => end(0));
  }
}

export function post(wait, parts, timeoutMs) {
  const [url, authorization, id, body, traceparent] = parts.split('\0');
  inTime(wait, timeoutMs, told, () => {
    asking.set('authorization', authorization);
    asking.set('x-request-id', id);
    const headers = traceparent ? traced(traceparent) : asking;
    return fetch(url, { method: 'POST', headers, body, redirect: 'manual' });
  });
}

export function text(wait, response, timeoutMs) {
  inTime(wait, timeoutMs, () => 2, () => response.text());
}

function traced(traceparent) {
  const headers = new Headers(asking);
  headers.set('traceparent', traceparent);
  return headers;
}

// A body's length, and two more; its bytes are fetched by `fill`.
const length = (buffer) => buffer.byteLength + 2;

export function body(wait, request) {
  bring(wait, length, () => request.arrayBuffer());
}

export function fill(bytes, buffer) {
  bytes.set(new Uint8Array(buffer));
}

// 2: may come in; 3: called too often.
const admitted = (said) => (!said ? 0 : said.success ? 2 : 3);

export function minute(wait, limiter, key) {
  bring(wait, admitted, () => limiter.limit({ key }));
}

// One worker asks another, and says whether there is one.
export function hop(wait, env, name, request) {
  const worker = env[name];
  if (typeof worker !== 'object' || worker === null) return false;
  bring(wait, () => 2, () => worker.fetch(request));
  return true;
}

// What many answers have in common is made once: a copy of it costs less than its names and values do. The first is empty.
const bases = [new Headers()];
const places = new Map();

export function base(joined) {
  if (!places.has(joined)) places.set(joined, bases.push(put(new Headers(), joined.split('\0'))) - 1);
  return places.get(joined);
}

function put(headers, parts) {
  for (let at = 1; at + 1 < parts.length; at += 2) headers.set(parts[at], parts[at + 1]);
  return headers;
}

// An answer is a copy of a model. Its headers are those of its base and of its own, under the same names each time, so that every
// value that is not the base's is the newest; and nobody asks for the headers of an answer, which would make an object for each.
const models = new Map();

function model(status, base, parts) {
  let key = status + '\0' + base;
  for (let at = 1; at + 1 < parts.length; at += 2) key += '\0' + parts[at];
  let known = models.get(key);
  if (!known) {
    const response = new Response(null, { status, headers: bases[base] });
    known = { response, headers: response.headers };
    models.set(key, known);
  }
  return known;
}

// Body: text, a response whose body nobody has read, or null. Headers: those of a base, and names and values of its own.
export function answer(body, status, base, own) {
  const parts = own.split('\0');
  const { response, headers } = model(status, base, parts);
  put(headers, parts);
  return new Response(body instanceof Response ? body.body : body, response);
}

// The cache of the data centre; a bare workerd has none, and then nothing is kept and nothing is found.
const ADDRESS = 'https://cache.invalid/';

export async function kept(key) {
  try {
    const hit = await caches.default.match(ADDRESS + encodeURIComponent(key));
    return hit ? await hit.text() : null;
  } catch {
    return null;
  }
}

export async function keep(key, text, seconds) {
  try {
    const address = ADDRESS + encodeURIComponent(key);
    if (text === undefined) await caches.default.delete(address);
    else await caches.default.put(address, new Response(text, { headers: { 'cache-control': `max-age=${seconds}` } }));
  } catch {
    // Not kept: the next one makes it again.
  }
}

export function headerNames(request) {
  return [...request.headers.keys()].join('\0');
}

function assign(headers, joined) {
  const parts = joined.split('\0');
  for (let at = 1; at + 1 < parts.length; at += 2) {
    // Every other one replaces the upstream's; what varies, varies for both of us.
    if (parts[at] === 'vary') headers.append('vary', parts[at + 1]);
    else headers.set(parts[at], parts[at + 1]);
  }
}

// A request sent on: the headers named in `kept` as they came, then ours. Without a time limit it may be a stream or a socket.
export async function relay(request, url, kept, ours, body, timeoutMs) {
  const headers = new Headers();
  for (const name of kept.split('\0')) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  assign(headers, ours);
  const init = { method: request.method, headers, body, redirect: 'manual' };
  if (timeoutMs > 0) Object.assign(init, { cache: 'no-store', signal: AbortSignal.timeout(timeoutMs) });
  return fetch(url, init);
}

// What the upstream grants to pages of other origins is not ours to grant.
const GRANTS = ['access-control-allow-origin', 'access-control-allow-credentials', 'access-control-allow-methods',
  'access-control-allow-headers', 'access-control-expose-headers'];

export function readdressed(response, text, ours) {
  if (response.webSocket) return response;
  const answer = new Response(text ?? response.body, response);
  for (const name of GRANTS) answer.headers.delete(name);
  if (text !== null) for (const name of ['content-length', 'content-encoding']) answer.headers.delete(name);
  assign(answer.headers, ours);
  return answer;
}

// One Durable Object: asked with GET for its text, told a text with POST, or with null only whether it answers at all.
export async function object(namespace, name, body) {
  const told = typeof body === 'string' ? { method: 'POST', body } : { method: 'GET' };
  const stub = namespace.get(namespace.idFromName(name));
  const answer = await stub.fetch('https://object.invalid/', { ...told, signal: AbortSignal.timeout(2000) });
  if (body !== null && !answer.ok) throw new Error(`${answer.status}`);
  return answer.text();
}
