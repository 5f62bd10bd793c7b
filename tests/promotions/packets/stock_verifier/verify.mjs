// Reads {keyId, pem, bundles} from stdin; writes for each Sigstore bundle null, or the code of why it does not hold.
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bundleFromJSON } from '@sigstore/bundle';
import { Verifier, toSignedEntity } from '@sigstore/verify';

const { keyId, pem, bundles } = JSON.parse(readFileSync(0, 'utf8'));
const publicKey = (hint) => {
  if (hint !== keyId) throw new Error('unknown key');
  return { publicKey: createPublicKey(pem), validFor: () => true };
};
const verifier = new Verifier(
  { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [], publicKey },
  { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 },
);
const found = bundles.map((bundle) => {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(bundle)));
    return null;
  } catch (error) {
    return error.code ?? error.message;
  }
});
console.log(JSON.stringify(found));
