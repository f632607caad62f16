//! What every function of the document shares: headers, credentials, the shape of a refusal.

use serde_json::{Value, json};

pub fn headers() -> Value {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    json!({
        "x-request-id": {
            "description": "Names this request in our logs; the `request_id` of a refusal. A UUID that the client sent is kept.",
            "schema": { "type": "string", "format": "uuid" },
        },
        "Retry-After": { "description": "Seconds to wait before the same request.", "schema": { "type": "integer", "minimum": 0 } },
        "RateLimit-Policy": text("The quotas that count here: `\"payment\";q=20;w=60` is 20 in 60 seconds."),
        "RateLimit": text("What is left of them, where it is known: `\"payment\";r=19;t=60`."),
        "Idempotent-Replayed": {
            "description": "`true`: the stored answer of the first request with this key; nothing has moved again.",
            "schema": { "type": "string", "const": "true" },
        },
    })
}

pub fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header",
        "description": "Chosen by the client, per intention: the same request again gets the first answer. The same key with another \
            request is 422 `IDEMPOTENCY_MISMATCH`. Instead of `idempotency_key` in the body.",
        "schema": { "type": "string", "minLength": 8, "maxLength": 255, "pattern": "^[!-~]+$" },
    })
}

pub fn security_schemes() -> Value {
    json!({
        "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The access token of a signed-in person: `(await supabase.auth.getSession()).data.session.access_token`.",
        },
        "apikey": {
            "type": "apiKey", "in": "header", "name": "apikey",
            "description": "The project's anon or publishable key, as supabase-js sends it.",
        },
        "internalKey": {
            "type": "apiKey", "in": "header", "name": "X-Internal-API-Key",
            "description": "For our own backends and operators; never in a browser.",
        },
    })
}

pub fn refusal() -> Value {
    json!({
        "type": "object",
        "description": "How every function says no. Decide by `code`; `message` is for people, and may change.",
        "properties": {
            "success": { "type": "boolean", "const": false },
            "code": { "type": "string", "pattern": "^[A-Z][A-Z0-9_]+$" },
            "message": { "type": "string" },
            "error": { "type": "string", "description": "The message again, for old clients." },
            "details": {
                "description": "`VALIDATION_ERROR`: `[{field, message}]`. `RATE_LIMITED`: `{retry_after}`, seconds. Others say theirs in docs/; else null.",
            },
            "hint": { "type": ["string", "null"], "description": "What to do instead." },
            "request_id": { "type": "string", "format": "uuid" },
        },
        "required": ["success", "code", "message", "error", "details", "hint", "request_id"],
    })
}
