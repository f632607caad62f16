// auth-session by supabase-js alone: what a frontend does with it from the first visit on, and what an operator does.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { answersBrowsers, eventually, refused, stack, succeeds, test } from './cauris.mjs';

const PASSWORD = 'motdepasse1';
const address = () => `${randomUUID()}@people.test`;

/** A client with a memory of its own, as a browser has it; a page that is opened again has the memory of the one before. */
function browser(options = {}, kept = new Map()) {
  const storage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  };
  const auth = { storage, autoRefreshToken: false, detectSessionInUrl: false, ...options };
  return createClient(stack.url, stack.publishableKey, { auth });
}

const operator = () => createClient(stack.url, stack.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });

async function good(call) {
  const { data, error } = await call;
  assert.equal(error, null, error && `${error.name} ${error.code}: ${error.message}`);
  return data;
}

async function bad(call, status, code) {
  const { error } = await call;
  assert.ok(error, `expected ${status} ${code}`);
  assert.deepEqual([error.status, error.code], [status, code], error.message);
  return error;
}

async function account(supabase, email = address()) {
  const data = await good(supabase.auth.signUp({ email, password: PASSWORD, options: { data: { first_name: 'Awa' } } }));
  return { email, ...data };
}

/** The newest link that was mailed to an address. */
async function link(email) {
  const ask = async () => (await fetch(`${stack.mailUrl}/api/v1/messages?to=${encodeURIComponent(email)}`)).json();
  const text = JSON.stringify(await eventually(ask, (messages) => JSON.stringify(messages).includes('/verify?'), 'a mail'));
  return new URL(text.match(/https?:[^"\s]*?\/auth\/v1\/verify\?[^"\s\\]*/)[0]);
}

/** Follows a mailed link as a browser does, and says which page it leads to. */
async function follow(mailed) {
  const answer = await fetch(`${stack.url}${mailed.pathname}${mailed.search}`, { redirect: 'manual' });
  assert.equal(answer.status, 303);
  return new URL(answer.headers.get('location'));
}

test('auth-session: a token can be verified by anybody who has the address of the keys', async () => {
  const { session, user } = await account(browser());
  const keys = createRemoteJWKSet(new URL(`${stack.url}/auth/v1/.well-known/jwks.json`));
  const { payload } = await jwtVerify(session.access_token, keys, { issuer: stack.issuer, audience: 'authenticated' });
  assert.deepEqual([payload.sub, payload.role, payload.email], [user.id, 'authenticated', user.email]);
  assert.equal(payload.exp - payload.iat, 3600);
});

test('auth-session: the client reads the claims itself, without asking for the user', async () => {
  const supabase = browser();
  const { user } = await account(supabase);
  const { claims, header } = await good(supabase.auth.getClaims());
  assert.deepEqual([claims.sub, claims.user_metadata.first_name, header.alg], [user.id, 'Awa', 'ES256']);
});

test('auth-session: a page that is opened again finds its session, and refreshes it when it is old', async () => {
  const kept = new Map();
  const { session } = await account(browser({}, kept));
  assert.equal((await good(browser({}, kept).auth.getSession())).session.access_token, session.access_token);
  const [name] = kept.keys();
  kept.set(name, JSON.stringify({ ...JSON.parse(kept.get(name)), expires_at: 1 }));
  const renewed = (await good(browser({}, kept).auth.getSession())).session;
  assert.notEqual(renewed.refresh_token, session.refresh_token);
  assert.ok(renewed.expires_at > Date.now() / 1000);
});

test('auth-session: the client hears what happens to its session', async () => {
  const supabase = browser();
  const heard = [];
  const { data } = supabase.auth.onAuthStateChange((event) => void heard.push(event));
  const { email } = await account(supabase);
  await good(supabase.auth.refreshSession());
  await good(supabase.auth.updateUser({ data: { first_name: 'Binta' } }));
  await supabase.auth.signOut();
  await good(supabase.auth.signInWithPassword({ email, password: PASSWORD }));
  data.subscription.unsubscribe();
  const wanted = ['SIGNED_IN', 'TOKEN_REFRESHED', 'USER_UPDATED', 'SIGNED_OUT', 'SIGNED_IN'];
  assert.deepEqual(heard.filter((event) => event !== 'INITIAL_SESSION'), wanted);
});

test('auth-session: errors are the classes that a frontend tests for', async () => {
  const supabase = browser();
  const weak = await bad(supabase.auth.signUp({ email: address(), password: 'short' }), 422, 'weak_password');
  assert.deepEqual([weak.name, weak.reasons], ['AuthWeakPasswordError', ['length', 'characters']]);
  const { email, session } = await account(supabase);
  await bad(browser().auth.signUp({ email, password: PASSWORD }), 422, 'user_already_exists');
  await bad(supabase.auth.updateUser({ password: PASSWORD }), 422, 'same_password');
  await bad(browser().auth.refreshSession({ refresh_token: 'nonsense' }), 400, 'refresh_token_not_found');
  await bad(browser().auth.signInWithOtp({ phone: '+224620000000' }), 422, 'phone_provider_disabled');
  await bad(supabase.auth.mfa.enroll({ factorType: 'totp' }), 422, 'mfa_totp_enroll_not_enabled');
  await bad(supabase.auth.signInWithIdToken({ provider: 'google', token: 'x' }), 422, 'provider_disabled');
  await good(operator().auth.admin.signOut(session.access_token, 'global'));
  const { error } = await supabase.auth.getUser();
  assert.equal(error.name, 'AuthSessionMissingError');
});

test('auth-session: somebody anonymous keeps what he has when he signs up', async () => {
  const supabase = browser();
  const { user } = await good(supabase.auth.signInAnonymously({ options: { data: { cart: 3 } } }));
  const email = address();
  const changed = await good(supabase.auth.updateUser({ email, password: PASSWORD }));
  assert.deepEqual([changed.user.id, changed.user.is_anonymous, changed.user.user_metadata.cart], [user.id, false, 3]);
  assert.equal((await good(browser().auth.signInWithPassword({ email, password: PASSWORD }))).user.id, user.id);
});

test('auth-session: a forgotten password is replaced through the mailed link', async () => {
  const { email } = await account(browser());
  await good(browser().auth.resetPasswordForEmail(email, { redirectTo: 'http://127.0.0.1:3000/reset' }));
  const page = await follow(await link(email));
  assert.equal(page.pathname, '/reset');
  const given = new URLSearchParams(page.hash.slice(1));
  const supabase = browser();
  await good(supabase.auth.setSession({ access_token: given.get('access_token'), refresh_token: given.get('refresh_token') }));
  await good(supabase.auth.updateUser({ password: 'motdepasse2' }));
  await bad(browser().auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
  await good(browser().auth.signInWithPassword({ email, password: 'motdepasse2' }));
});

test('auth-session: with PKCE the link gives a code, and only the browser that asked can use it', async () => {
  const supabase = browser({ flowType: 'pkce' });
  const email = address();
  await good(supabase.auth.signInWithOtp({ email, options: { emailRedirectTo: 'http://127.0.0.1:3000/in' } }));
  const page = await follow(await link(email));
  const code = page.searchParams.get('code');
  assert.ok(code && !page.href.includes('access_token'), page.href);
  await bad(browser({ flowType: 'pkce' }).auth.exchangeCodeForSession(code), 400, 'pkce_code_verifier_not_found');
  assert.equal((await good(supabase.auth.exchangeCodeForSession(code))).user.email, email);
  assert.equal((await good(supabase.auth.getUser())).user.email, email);
});

test('auth-session: a token out of a mailed link may be verified by the app itself', async () => {
  const email = address();
  await good(browser().auth.signInWithOtp({ email }));
  const token_hash = (await link(email)).searchParams.get('token');
  const supabase = browser();
  assert.equal((await good(supabase.auth.verifyOtp({ type: 'email', token_hash }))).user.email, email);
  await bad(browser().auth.verifyOtp({ type: 'email', token_hash }), 403, 'otp_expired');
});

test('auth-session: an operator makes, finds, changes and deletes accounts', async () => {
  const { admin } = operator().auth;
  const email = address();
  const { user } = await good(admin.createUser({ email, password: PASSWORD, email_confirm: true, app_metadata: { tier: 1 } }));
  assert.deepEqual([user.email, user.app_metadata.tier], [email, 1]);
  assert.equal((await good(admin.getUserById(user.id))).user.id, user.id);
  await good(admin.updateUserById(user.id, { user_metadata: { first_name: 'Awa' } }));
  const entered = await good(browser().auth.signInWithPassword({ email, password: PASSWORD }));
  assert.equal(entered.user.user_metadata.first_name, 'Awa');
  const page = await good(admin.listUsers({ page: 1, perPage: 1 }));
  assert.equal(page.users.length, 1);
  assert.ok(page.total > 1 && page.nextPage === 2, JSON.stringify({ ...page, users: undefined }));
  await good(admin.deleteUser(user.id));
  await bad(admin.getUserById(user.id), 404, 'user_not_found');
  await bad(browser().auth.signInWithPassword({ email, password: PASSWORD }), 400, 'invalid_credentials');
  await bad(browser().auth.admin.listUsers(), 403, 'not_admin');
});

test('auth-tokens: its shapes, by its own name', async () => {
  const call = (name, body) => browser().functions.invoke(name, { body });
  const body = { email: address(), password: PASSWORD, display_name: 'Awa' };
  const { user } = await succeeds(call('auth-tokens/register', body), 201);
  assert.deepEqual([user.email, user.display_name], [body.email, 'Awa']);
  await refused(call('auth-tokens', { action: 'register', ...body }), 409, 'EMAIL_EXISTS');
  const { refresh_token } = await succeeds(call('auth-tokens', { action: 'login', ...body }));
  const renewed = await succeeds(call('auth-tokens/refresh', { refresh_token }));
  assert.deepEqual(Object.keys(renewed).sort(), ['access_token', 'refresh_token']);
  assert.deepEqual(await succeeds(call('auth-tokens/logout', renewed)), { success: true });
  await refused(call('auth-tokens/refresh', renewed), 401, 'INVALID_CREDENTIALS');
});

answersBrowsers('auth-tokens');
