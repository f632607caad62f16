// Peer `bun`: the app of hono.ts, unchanged, under Bun.
import { app, type Settings } from "./hono.ts";

declare const Bun: {
  env: Record<string, string>;
  serve(options: { hostname: string; port: number; fetch(request: Request): Response | Promise<Response> }): unknown;
};

const env = Bun.env as Settings;

Bun.serve({ hostname: "127.0.0.1", port: Number(Bun.env.PORT), fetch: (request) => app.fetch(request, env) });
