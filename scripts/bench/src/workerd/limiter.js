// What the platform's rate limiter is to a worker: `limit({ key })` says whether there is room for this call. A bare workerd
// has none, so this stands in for it, counting in memory as the platform does on each of its machines.
export default function limiter({ calls, seconds }) {
  let began = -Infinity;
  let counts = new Map();
  return {
    async limit({ key }) {
      const now = Date.now();
      if (now - began >= seconds * 1000) {
        began = now;
        counts = new Map();
      }
      const count = (counts.get(key) ?? 0) + 1;
      if (count > calls) return { success: false };
      counts.set(key, count);
      return { success: true };
    },
  };
}
