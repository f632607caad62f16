// Peer `proxy`: the floor. Hands the request on and the answer back; checks nothing, shapes nothing.
export default {
  fetch(request, env) {
    return fetch(`${env.POSTGREST_URL}/rpc/wallet_operations`, request);
  },
};
