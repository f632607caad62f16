// Counting a call with an object, which says how many are left. No rule here.

import { waitUntil } from 'cloudflare:workers';

const object = (objects, name) => objects.get(objects.idFromName(name));

// The object that does not answer is as good as none: its caller waits, and he has only so much time.
export async function enter(objects, name, path, timeoutMs) {
  const url = 'https://limiter' + path;
  const answer = await object(objects, name).fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!answer.ok) throw new Error('limiter ' + answer.status);
  return answer.text();
}

// After the answer; a lease that is not given back ends by itself.
export function leave(objects, name, path) {
  waitUntil(object(objects, name).fetch('https://limiter' + path).then((answer) => answer.text()).catch(() => {}));
}
