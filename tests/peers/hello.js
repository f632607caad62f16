// Peer `js`, case `hello`: the least a public function owes its caller, without a library.
const HEADERS = {
  "content-type": "application/json",
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "x-request-id, retry-after",
};

export default {
  fetch(request) {
    const id = request.headers.get("x-request-id") ?? crypto.randomUUID();
    return new Response('{"ok":true}', { headers: { ...HEADERS, "x-request-id": id } });
  },
};
