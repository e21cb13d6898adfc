/** Who signs tokens: JSON Web Tokens (RFC 7519) by hand, right ones and wrong ones. Remembers each, to look for it in logs. */

import { createHmac, randomBytes } from 'node:crypto';

export interface Claims {
  readonly aud?: string;
  /** Seconds from now until it ends. */
  readonly lifetime?: number;
}

const ALGORITHMS = { HS256: 'sha256', HS512: 'sha512' } as const;

export class Issuer {
  readonly secret: string = randomBytes(32).toString('base64url');
  readonly audience: string;
  /** Everything that no log may have. */
  readonly issued: string[] = [];

  constructor(audience: string) {
    this.audience = audience;
  }

  /** A token that may do everything in `chat/*`, of a minute unless said otherwise. */
  sign(subject: string, { aud = this.audience, lifetime = 60 }: Claims = {}, alg: keyof typeof ALGORITHMS | 'none' = 'HS256'): string {
    const now = Date.now() / 1_000;
    const claims = { sub: subject, aud, iat: now + Math.min(lifetime, 0), exp: now + lifetime, jti: randomBytes(8).toString('hex') };
    const text = [
      { alg, typ: 'JWT' },
      { ...claims, holdfast: { 'chat/*': ['*'] } },
    ]
      .map(encode)
      .join('.');
    const signature = alg === 'none' ? '' : createHmac(ALGORITHMS[alg], this.secret).update(text).digest('base64url');
    return this.remember(`${text}.${signature}`);
  }

  remember(credential: string): string {
    this.issued.push(credential);
    return credential;
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
