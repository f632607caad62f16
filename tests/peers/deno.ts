// Peer `deno`: the app of hono.ts, unchanged, under Deno. This runtime stands for Supabase's own, which is built on it.
import { app, type Settings } from "./hono.ts";

declare const Deno: {
  env: { toObject(): Record<string, string> };
  serve(options: object, handler: (request: Request) => Response | Promise<Response>): unknown;
};

const settings = Deno.env.toObject();
const env = settings as Settings;

Deno.serve({ hostname: "127.0.0.1", port: Number(settings.PORT), onListen() {} }, (request) => app.fetch(request, env));
