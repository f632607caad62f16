// Peer `js`: wallet-operations as a careful developer writes it by hand, with jose and fetch.
// Every token is verified on every request, as jose is commonly used; keys are imported once.
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const KEY = /^[\x21-\x7e]{8,255}$/;
const OPERATIONS = new Set(["preview", "deposit", "withdraw", "transfer"]);
const LARGEST_BODY = 256 * 1024;
const DEADLINE_MS = 10_000;

class Refusal extends Error {
  constructor(status, code, message, details = null, hint = null) {
    super(message);
    Object.assign(this, { status, code, details, hint });
  }
}

let keys;
function keysOf(env) {
  keys ??= {
    secret: new TextEncoder().encode(env.JWT_SECRET),
    jwks: createLocalJWKSet(JSON.parse(env.JWT_JWKS)),
  };
  return keys;
}

export default {
  async fetch(request, env) {
    const asked = request.headers.get("x-request-id");
    const id = asked && UUID.test(asked) ? asked : crypto.randomUUID();
    if (request.method === "OPTIONS") return preflight(request);
    try {
      if (request.method !== "POST") throw new Refusal(405, "METHOD_NOT_ALLOWED", "use POST");
      const token = await signedIn(request, env);
      const ask = validated(await jsonOf(request), request.headers.get("idempotency-key"));
      return await answer(ask, token, env, id);
    } catch (error) {
      return refused(error, id);
    }
  },
};

async function signedIn(request, env) {
  const [scheme, token, rest] = (request.headers.get("authorization") ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token || rest) throw unauthenticated();
  try {
    const { secret, jwks } = keysOf(env);
    const claims = { issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE, clockTolerance: 30, requiredClaims: ["exp"] };
    const { payload } =
      decodeProtectedHeader(token).alg === "HS256"
        ? await jwtVerify(token, secret, { ...claims, algorithms: ["HS256"] })
        : await jwtVerify(token, jwks, { ...claims, algorithms: ["ES256"] });
    if (payload.role !== "authenticated" || !UUID.test(payload.sub ?? "")) throw unauthenticated();
  } catch {
    throw unauthenticated();
  }
  return token;
}

function unauthenticated() {
  return new Refusal(401, "UNAUTHENTICATED", "a valid access token is required");
}

async function jsonOf(request) {
  if (Number(request.headers.get("content-length")) > LARGEST_BODY) throw tooLarge();
  const text = await request.text();
  if (text.length > LARGEST_BODY) throw tooLarge();
  try {
    const ask = text === "" ? {} : JSON.parse(text);
    if (typeof ask === "object" && ask !== null && !Array.isArray(ask)) return ask;
  } catch {
    // Falls through to the refusal below: unreadable and not an object are the same fault.
  }
  throw new Refusal(400, "BAD_JSON", "the body must be a JSON object");
}

function tooLarge() {
  return new Refusal(413, "PAYLOAD_TOO_LARGE", "the body is too large");
}

function validated(body, headerKey) {
  const faults = [];
  const check = (holds, field, message) => holds || faults.push({ field, message });
  const text = (value, longest) => value === undefined || (typeof value === "string" && value.length <= longest);
  const operation = body.operation ?? body.action;
  const key = body.idempotency_key ?? headerKey ?? undefined;
  check(OPERATIONS.has(operation), "operation", "must be preview, deposit, withdraw or transfer");
  check(Number.isSafeInteger(body.amount) && body.amount > 0, "amount", "must be a positive integer");
  check(text(body.currency, 3), "currency", "must be a currency code");
  check(text(body.recipient_id, 64), "recipient_id", "must be a text");
  check(text(body.description, 200), "description", "must be a text of at most 200 characters");
  check(key === undefined || KEY.test(key), "idempotency_key", "must be 8 to 255 visible characters");
  if (headerKey && body.idempotency_key && headerKey !== body.idempotency_key) {
    check(false, "idempotency_key", "differs from the header");
  }
  if (faults.length) throw new Refusal(400, "VALIDATION_ERROR", "the request is not valid", faults);
  const { amount, currency, recipient_id, description, confirm_duplicate, method } = body;
  return { operation, amount, currency, recipient_id, description, confirm_duplicate, method, idempotency_key: key };
}

async function answer(ask, token, env, id) {
  const upstream = await fetch(`${env.POSTGREST_URL}/rpc/wallet_operations`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      apikey: env.ANON_KEY,
      "content-type": "application/json",
      "x-request-id": id,
    },
    body: JSON.stringify({ ask }),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  if (!upstream.ok) throw await declared(upstream);
  const headers = common(id);
  if (upstream.headers.get("idempotent-replayed")) headers["idempotent-replayed"] = "true";
  return new Response(upstream.body, { status: upstream.status, headers });
}

// A refusal of the database has our own code; what PostgREST and Postgres say themselves stays inside.
async function declared(upstream) {
  const { code, message, details, hint } = await upstream.json().catch(() => ({}));
  if (upstream.status === 401) return unauthenticated();
  if (upstream.status >= 500 || !/^[A-Z][A-Z_]{3,}$/.test(code ?? "")) return new Error(message ?? "no JSON");
  return new Refusal(upstream.status, code, message, details, hint);
}

function refused(error, id) {
  const known = error instanceof Refusal;
  const { status, code, message, details, hint } = known
    ? error
    : { status: 500, code: "INTERNAL", message: "internal error", details: null, hint: null };
  const body = { success: false, error: message, code, message, details, hint, request_id: id };
  return Response.json(body, { status, headers: common(id) });
}

function common(id) {
  return {
    "content-type": "application/json",
    "cache-control": "private, no-store",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-request-id, retry-after",
    "x-request-id": id,
  };
}

function preflight(request) {
  const asked = request.headers.get("access-control-request-headers") ?? "authorization, apikey, content-type";
  const headers = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST, OPTIONS",
    "access-control-allow-headers": asked,
    "access-control-max-age": "7200",
    vary: "Origin, Access-Control-Request-Headers",
  };
  return new Response(null, { status: 204, headers });
}
