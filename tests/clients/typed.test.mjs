// clients/ts and docs/openapi.json: what a frontend's compiler says, and what the typed client does on the real stack.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createClient } from '@supabase/supabase-js';
import { CaurisError, createCauris } from '../../clients/ts/index.js';
import { as, balance, scene, test } from './cauris.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** What the compiler says about a project: `file:line code`, sorted. */
async function compile(project) {
  const tsc = path('../../node_modules/typescript/bin/tsc');
  const run = promisify(execFile)(process.execPath, [tsc, '-p', path(project), '--pretty', 'false']);
  const { stdout } = await run.catch((failed) => failed);
  const errors = [...stdout.matchAll(/^(?:.*\/)?([^/(]+)\((\d+),\d+\): error (TS\d+)/gm)];
  return { errors: errors.map(([, file, line, code]) => `${file}:${line} ${code}`).sort(), stdout };
}

test('typed client: a frontend that uses it as it is meant compiles, and every misuse is refused by name', async () => {
  const marked = (await readFile(path('typed/wrong.ts'), 'utf8')).split('\n');
  const expected = marked.flatMap((line, at) => {
    const code = line.match(/\/\/ (TS\d+)$/);
    return code ? [`wrong.ts:${at + 1} ${code[1]}`] : [];
  });
  assert.ok(expected.length >= 15, 'wrong.ts marks its mistakes');
  const { errors, stdout } = await compile('typed');
  assert.deepEqual(errors, expected.sort(), stdout);
});

test('openapi: the document is valid OpenAPI 3.1, by a validator that is not ours', async () => {
  const { Validator } = await import('@seriousme/openapi-schema-validator');
  const document = JSON.parse(await readFile(path('../../docs/openapi.json'), 'utf8'));
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(validator.version, '3.1');
});

const mine = (person) => createCauris(as(person));

test('typed client: a transfer is answered with its data, and a key sent twice moves money once', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const ask = { operation: 'transfer', amount: 1_000, recipient_id: rival.id };
  const send = () => mine(rider).walletOperations(ask, { idempotencyKey: 'typed-rent-november' });
  const { data, error, response } = await send();
  assert.equal(error, null);
  assert.deepEqual([data.new_balance, response.status], [before - 1_010, 200]);
  const again = await send();
  assert.equal(again.response.headers.get('idempotent-replayed'), 'true');
  assert.deepEqual([again.data, await balance(rider)], [data, before - 1_010]);
});

test('typed client: a refusal is an error with its code, its status and the id of its request', async () => {
  const { rider } = scene();
  const { data, error, response } = await mine(rider).walletOperations({ operation: 'transfer', amount: 1_000, recipient_id: rider.id });
  assert.equal(data, null);
  assert.ok(error instanceof CaurisError && error instanceof Error);
  assert.deepEqual([error.code, error.status, error.requestId], ['SELF_TRANSFER', 409, response.headers.get('x-request-id')]);
  assert.ok(error.message.length > 0 && error.cause);
  const invalid = await mine(rider).walletOperations({ operation: 'transfer', amount: 1.5, recipient_id: rider.id });
  assert.deepEqual([invalid.error.code, invalid.error.details[0].field], ['VALIDATION_ERROR', 'amount']);
});

test('typed client: a method without a body, and one that asks anybody', async () => {
  const { data } = await mine(null).health();
  assert.deepEqual([data.success, data.status], [true, 'ok']);
  const { error } = await mine(null).taxiQuoteFare({ distanceKm: 1, durationMin: 1 });
  assert.deepEqual([error.code, error.status], ['UNAUTHENTICATED', 401]);
});

test('typed client: no answer is said so, and not taken for a refusal', async () => {
  const nowhere = createCauris(createClient('http://127.0.0.1:9', 'anon', { auth: { persistSession: false } }));
  const { data, error, response } = await nowhere.health();
  assert.deepEqual([data, error.code, error.status, response], [null, 'NO_ANSWER', 0, null]);
  const gone = await mine(null).health({}, { signal: AbortSignal.abort() });
  assert.equal(gone.error.code, 'NO_ANSWER');
});
