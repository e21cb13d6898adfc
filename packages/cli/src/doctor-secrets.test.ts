import { describe, expect, test } from 'vitest';
import { Secrets } from './doctor-secrets.ts';

function secretsOf(...values: string[]): Secrets {
  const secrets = new Secrets();
  for (const value of values) secrets.add(value);
  return secrets;
}

describe('secrets', () => {
  test('are hidden in every spelling', () => {
    const secrets = secretsOf('to ken/ä');
    const base64 = Buffer.from('to ken/ä').toString('base64');
    expect(secrets.hide(`to ken/ä, ${encodeURIComponent('to ken/ä')}, ${base64}`)).toBe('***, ***, ***');
  });

  test('are hidden whole, also where one begins with another', () => {
    expect(secretsOf('abcd', 'abcdefgh').hide('abcdefgh abcd')).toBe('*** ***');
  });

  test('that are short are hidden where they stand alone, in what came from elsewhere', () => {
    const secrets = secretsOf('1', 'a.b');
    expect(secrets.hide('127.0.0.1')).toBe('127.0.0.1');
    expect(secrets.quote('room 1 of 12, a.b and aXb')).toBe('room *** of 12, *** and aXb');
  });

  test('of an address are its query values, its name and its password', () => {
    const secrets = new Secrets();
    const url = new URL('wss://ann:p%40ssword@host/path?ticket=geheim%21&room=kitchen&bare#x');
    secrets.addUrl(url);
    expect(secrets.url(url)).toBe('wss://***@host/path?ticket=***&room=***&***');
    expect(secrets.quote('geheim! geheim%21 kitchen bare ann p@ssword p%40ssword')).toBe('*** *** *** *** *** *** ***');
  });

  test('that are empty hide nothing', () => {
    expect(secretsOf('').hide('abc')).toBe('abc');
  });
});

describe('quoting', () => {
  test('leaves out markup, control characters and what is too long', () => {
    const secrets = new Secrets();
    expect(secrets.quote('<html><style>b{}</style><h1>No\n\u001B]0;owned\u0007 way</h1>')).toBe('No ]0;owned way');
    expect(secrets.quote('x'.repeat(200), 10)).toBe('xxxxxxxxxx...');
    expect(secrets.quote('a < b and c > d')).toBe('a < b and c > d');
  });
});
