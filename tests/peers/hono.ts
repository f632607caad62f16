// Peers `hono`, `deno` and `bun`: the same functions in the usual TypeScript stack, Hono with jose and postgrest-js.
// Written with the libraries' own middleware, the way their documentation shows.
import { PostgrestClient } from "@supabase/postgrest-js";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { validator } from "hono/validator";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";

export type Settings = {
  POSTGREST_URL: string;
  ANON_KEY: string;
  JWT_SECRET: string;
  JWT_JWKS: string;
  JWT_ISSUER: string;
  JWT_AUDIENCE: string;
};
type House = { Bindings: Settings; Variables: { token: string } };
type Status = 400 | 401 | 403 | 404 | 409 | 413 | 422 | 500;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const KEY = /^[\x21-\x7e]{8,255}$/;
const OPERATIONS = ["preview", "deposit", "withdraw", "transfer"];

class Refusal extends HTTPException {
  constructor(status: Status, readonly code: string, message: string, readonly details: unknown = null, readonly hint: unknown = null) {
    super(status, { message });
  }
}

let keys: { secret: Uint8Array; jwks: ReturnType<typeof createLocalJWKSet> } | undefined;

const signedIn = createMiddleware<House>(async (c, next) => {
  const token = /^bearer (\S+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
  try {
    if (!token) throw new Error("no token");
    keys ??= { secret: new TextEncoder().encode(c.env.JWT_SECRET), jwks: createLocalJWKSet(JSON.parse(c.env.JWT_JWKS)) };
    const claims = { issuer: c.env.JWT_ISSUER, audience: c.env.JWT_AUDIENCE, clockTolerance: 30, requiredClaims: ["exp"] };
    const { payload } =
      decodeProtectedHeader(token).alg === "HS256"
        ? await jwtVerify(token, keys.secret, { ...claims, algorithms: ["HS256"] })
        : await jwtVerify(token, keys.jwks, { ...claims, algorithms: ["ES256"] });
    if (payload.role !== "authenticated" || !UUID.test(payload.sub ?? "")) throw new Error("not a user");
  } catch {
    throw new Refusal(401, "UNAUTHENTICATED", "a valid access token is required");
  }
  c.set("token", token);
  await next();
});

// deno-lint-ignore no-explicit-any
function validated(body: any, headerKey: string | undefined) {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Refusal(400, "BAD_JSON", "the body must be a JSON object");
  }
  const details: { field: string; message: string }[] = [];
  const check = (holds: boolean, field: string, message: string) => holds || details.push({ field, message });
  const text = (value: unknown, longest: number) =>
    value === undefined || (typeof value === "string" && value.length <= longest);
  const { amount, currency, recipient_id, description, confirm_duplicate, method } = body;
  const operation = body.operation ?? body.action;
  const idempotency_key = body.idempotency_key ?? headerKey;
  check(OPERATIONS.includes(operation), "operation", "must be preview, deposit, withdraw or transfer");
  check(Number.isSafeInteger(amount) && amount > 0, "amount", "must be a positive integer");
  check(text(currency, 3), "currency", "must be a currency code");
  check(text(recipient_id, 64), "recipient_id", "must be a text");
  check(text(description, 200), "description", "must be a text of at most 200 characters");
  check(idempotency_key === undefined || KEY.test(idempotency_key), "idempotency_key", "must be 8 to 255 visible characters");
  if (details.length) throw new Refusal(400, "VALIDATION_ERROR", "the request is not valid", details);
  return { operation, amount, currency, recipient_id, description, confirm_duplicate, method, idempotency_key };
}

export const app = new Hono<House>().basePath("/functions/v1");

app.use(requestId());
app.use(
  secureHeaders({
    strictTransportSecurity: "max-age=63072000; includeSubDomains",
    referrerPolicy: "no-referrer",
    contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    // These its documentation has on; ours does without.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xFrameOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  }),
);
app.use(async (c, next) => {
  await next();
  c.header("cache-control", "private, no-store");
});
app.use(cors({ origin: "*", exposeHeaders: ["x-request-id", "retry-after"], maxAge: 7200 }));

app.onError((error, c) => {
  const known = error instanceof Refusal;
  const status = known ? error.status : error instanceof HTTPException && error.status === 400 ? 400 : 500;
  const code = known ? error.code : status === 400 ? "BAD_JSON" : "INTERNAL";
  const message = status === 500 ? "internal error" : error.message;
  const details = known ? error.details : null;
  const hint = known ? error.hint : null;
  return c.json({ success: false, error: message, code, message, details, hint, request_id: c.get("requestId") }, status);
});

app.get("/hello", (c) => c.json({ ok: true }));
app.post("/hello", (c) => c.json({ ok: true }));

app.post(
  "/wallet-operations",
  bodyLimit({
    maxSize: 256 * 1024,
    onError: () => {
      throw new Refusal(413, "PAYLOAD_TOO_LARGE", "the body is too large");
    },
  }),
  signedIn,
  validator("json", (body, c) => validated(body, c.req.header("idempotency-key"))),
  async (c) => {
    let replayed: string | null = null;
    const db = new PostgrestClient(c.env.POSTGREST_URL, {
      headers: { authorization: `Bearer ${c.get("token")}`, apikey: c.env.ANON_KEY, "x-request-id": c.get("requestId") },
      // postgrest-js hands on no response headers, and this one is part of the contract.
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        replayed = answer.headers.get("idempotent-replayed");
        return answer;
      },
    });
    const { data, error, status } = await db.rpc("wallet_operations", { ask: c.req.valid("json") });
    if (error) {
      if (status === 401) throw new Refusal(401, "UNAUTHENTICATED", "a valid access token is required");
      if (status >= 500 || !/^[A-Z][A-Z_]{3,}$/.test(error.code ?? "")) throw new Error(error.message);
      throw new Refusal(status as Status, error.code, error.message, error.details, error.hint);
    }
    if (replayed) c.header("idempotent-replayed", "true");
    return c.json(data, status as 200);
  },
);

export default app;
