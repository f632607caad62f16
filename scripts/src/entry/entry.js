// What the platform calls, in front of what worker-build writes. Its entry is a class behind a proxy: for each request the
// platform makes an object of the class and two more proxies, and reads everything through them. A plain object needs none.

import Worker from './index.js';
export * from './index.js'; // The classes of objects, which the platform must make.

const state = globalThis.__worker_init_state;

// As in worker-build's `shim.js`: an instance that has died is replaced before the next request, which is what constructing does.
const handler = (work) => (event, env, ctx) => {
  if (state.criticalError) new Worker(ctx, env);
  try {
    return work.call({ env, ctx }, event);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) {
      console.error('Critical', error);
      state.criticalError = true;
    }
    throw error;
  }
};

const entry = {};
for (const name of ['fetch', 'scheduled']) {
  const work = Worker.prototype[name];
  if (work) entry[name] = handler(work);
}
export default entry;
