/**
 * The codecs of strings and bytes that ECMAScript has not, written out. In a browser's bundle `codecs-native.ts` stands in for
 * this module: the condition `browser` of `#codecs` in package.json says so.
 */

export { decodeBase64, encodeBase64 } from './base64.ts';
export { decodeUtf8, encodeUtf8 } from './utf8.ts';
