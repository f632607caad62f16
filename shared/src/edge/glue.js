// The hot path's JavaScript: what would be thirty crossings from WebAssembly, each with a string to encode or decode, is four.
// No rule lives here. Parts of one string are separated by NUL, which no header, URL or JSON text can hold.

// What every request is asked about itself; an absent header is empty, a present one starts with an equals sign.
const ASKED = [
  'authorization', 'x-request-id', 'idempotency-key', 'content-type', 'content-length', 'origin', 'cf-connecting-ip',
  'user-agent', 'traceparent',
];

export function head(request) {
  let said = request.method + '\0' + request.url;
  for (const name of ASKED) {
    const value = request.headers.get(name);
    said += value === null ? '\0' : '\0=' + value;
  }
  return said;
}

// Async, so that even a bad URL is a rejected promise and never an exception inside WebAssembly.
export async function post(parts, timeoutMs) {
  const [url, authorization, id, body, traceparent] = parts.split('\0');
  const headers = { authorization, 'content-type': 'application/json', 'x-request-id': id };
  if (traceparent) headers.traceparent = traceparent;
  return fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
}

// The status, twice, and one more when this is the stored answer of an earlier request.
export function outcome(response) {
  return response.status * 2 + (response.headers.has('idempotent-replayed') ? 1 : 0);
}

// Body: text, a stream that nobody has read, or null. Head: the status, then names and values.
export function answer(body, head) {
  const parts = head.split('\0');
  const headers = {};
  for (let at = 1; at + 1 < parts.length; at += 2) headers[parts[at]] = parts[at + 1];
  return new Response(body, { status: Number(parts[0]), headers });
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
