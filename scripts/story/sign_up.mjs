// Signs somebody up as an app does: with the published client, unchanged, and the publishable key. Prints the session.
import { createClient } from '@supabase/supabase-js';

const { CAURIS_URL, CAURIS_KEY, CAURIS_PERSON } = process.env;
const { email, password, data } = JSON.parse(CAURIS_PERSON);
const client = createClient(CAURIS_URL, CAURIS_KEY, { auth: { persistSession: false, autoRefreshToken: false } });

const signedUp = await client.auth.signUp({ email, password, options: { data } });
if (signedUp.error) throw signedUp.error;
// Signed out and in again, because a session that cannot be had twice is no account.
const signedOut = await client.auth.signOut();
if (signedOut.error) throw signedOut.error;
const signedIn = await client.auth.signInWithPassword({ email, password });
if (signedIn.error) throw signedIn.error;
const { user, session } = signedIn.data;
console.log(JSON.stringify({ id: user.id, access_token: session.access_token }));
