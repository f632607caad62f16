// Peer `js`, case `hello`: the least a public function owes its caller, without a library.
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
  fetch(request) {
    const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
    return new Response('{"ok":true}', { headers: { ...HEADERS, "x-request-id": id } });
  },
};
