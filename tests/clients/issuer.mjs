// Another issuer: makes a key of each kind, and signs what it is told to with each of them. Prints public keys and tokens.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const { claims } = JSON.parse(process.env.CAURIS_ISSUER);
const made = {};
for (const [kid, alg] of [['es-one', 'ES256'], ['es-two', 'ES256'], ['rs-one', 'RS256']]) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig', key_ops: ['verify'] };
  const token = await new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT' }).sign(privateKey);
  made[kid] = { jwk, token };
}
console.log(JSON.stringify(made));
