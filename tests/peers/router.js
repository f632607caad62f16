// Peer `js`, case `hop`: `/functions/v1/<name>` to the worker bound as `FN_<NAME>`, the request handed on untouched.
const PREFIX = "/functions/v1/";
const HEADERS = {
  "content-type": "application/json",
  "cache-control": "private, no-store",
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "x-request-id, retry-after",
};

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    const name = pathname.startsWith(PREFIX) ? pathname.slice(PREFIX.length).split("/", 1)[0] : "";
    const target = /^[a-z][a-z0-9-]*$/.test(name) && env[`FN_${name.toUpperCase().replaceAll("-", "_")}`];
    return target ? target.fetch(request) : unknown(request);
  },
};

function unknown(request) {
  const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
  const message = "no such function";
  const body = { success: false, error: message, code: "NOT_FOUND", message, details: null, hint: null, request_id: id };
  return Response.json(body, { status: 404, headers: { ...HEADERS, "x-request-id": id } });
}
