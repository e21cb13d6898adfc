/**
 * Everything behind the address: nginx with deploy/nginx.conf, in which exact strings are replaced (ports, files, and one
 * path of the application), the built `holdfast serve` with deploy/holdfast.json, and the application's own server.
 */

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BackEnd } from './back-end.testing.ts';
import { issueCertificates, type Certificates } from './certificate.testing.ts';
import { Issuer } from './issuer.testing.ts';
import { Daemon, freePorts } from './program.testing.ts';

/** The server's name in deploy/nginx.conf. */
export const HOST = 'chat.example.com';
/** Another name that leads to the same nginx: a page of it is foreign. */
export const FOREIGN_HOST = 'elsewhere.example.net';
/** Whose pages may connect, by deploy/holdfast.json; with the port of this run. */
export const APP_HOST = 'app.example.com';

const ATTEMPTS_MAX = 5;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export class Site {
  readonly folder: string;
  readonly certificates: Certificates;
  readonly apiKey: string;
  readonly issuer: Issuer;
  readonly backEnd: BackEnd;
  readonly server: Daemon;
  readonly port: number;
  readonly #nginx: Daemon;
  readonly #agent: Agent;

  static async start(): Promise<Site> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-behind-nginx-'));
    // The workers of nginx are somebody else, if it was started by root.
    await chmod(folder, 0o755);
    const certificates = issueCertificates(folder, [HOST, FOREIGN_HOST, APP_HOST, 'localhost']);
    const issuer = new Issuer('https://chat.example.com');
    const apiKey = issuer.remember(randomBytes(32).toString('base64url'));
    const backEnd = new BackEnd(issuer);
    await backEnd.listen();
    await bundlePage(join(folder, 'static'));
    for (let attempt = 1; ; attempt++) {
      const ports = await freePorts();
      const server = startServer({ folder, issuer, apiKey, backEnd, port: ports[1] });
      const [, serverPort] = await server.prints(/"url":"http:\/\/localhost:(\d+)"/);
      const nginx = await startNginx({ folder, certificates, ports, serverPort: Number(serverPort), backEndPort: backEnd.port });
      if (nginx.isRunning) return new Site({ folder, certificates, issuer, apiKey, backEnd, server, nginx, port: ports[1] });
      await server.end();
      if (attempt === ATTEMPTS_MAX) throw new Error(`nginx did not begin:\n${nginx.output}`);
    }
  }

  constructor(parts: Omit<Parts, 'ports'> & { readonly server: Daemon; readonly nginx: Daemon; readonly port: number }) {
    this.folder = parts.folder;
    this.certificates = parts.certificates;
    this.issuer = parts.issuer;
    this.apiKey = parts.apiKey;
    this.backEnd = parts.backEnd;
    this.server = parts.server;
    this.port = parts.port;
    this.#nginx = parts.nginx;
    this.#agent = new Agent({ keepAlive: true });
  }

  /** The address of a page, or of REST. */
  url(host: string = HOST): string {
    return `https://${host}:${this.port}`;
  }

  /** Asks the REST API as a back end, through nginx. */
  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<Answer> {
    const ca = await readFile(this.certificates.ca);
    const headers = { host: `${HOST}:${this.port}`, authorization: `Bearer ${this.apiKey}`, 'content-type': 'application/json' };
    const options = { host: '127.0.0.1', port: this.port, servername: HOST, ca, agent: this.#agent, method, path, headers };
    return new Promise((resolve, reject) => {
      const asked = request(options, (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode!, body: answer === '' ? '' : JSON.parse(answer) }), reject);
      });
      asked.once('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Everything that was written down: by nginx, and by the server. */
  async logs(): Promise<Readonly<Record<'access' | 'error' | 'server', string>>> {
    const [access, error] = await Promise.all([
      readFile(join(this.folder, 'access.log'), 'utf8'),
      readFile(join(this.folder, 'error.log'), 'utf8'),
    ]);
    return { access, error: error + this.#nginx.output, server: this.server.output };
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    await this.#nginx.end();
    await this.server.end();
    await this.backEnd.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Parts {
  readonly folder: string;
  readonly certificates: Certificates;
  readonly issuer: Issuer;
  readonly apiKey: string;
  readonly backEnd: BackEnd;
}

/** As an application does it: the published form of `@holdfast/client`, for browsers. */
async function bundlePage(folder: string): Promise<void> {
  const entry = fileURLToPath(new URL('page.ts', import.meta.url));
  await build({ entryPoints: [entry], bundle: true, minify: true, platform: 'browser', format: 'iife', outfile: join(folder, 'page.js') });
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Behind nginx</title><script src="/page.js"></script>\n');
}

/** On any free port; `port` is that of nginx, which the origins must name. */
function startServer({ folder, issuer, apiKey, backEnd, port }: Omit<Parts, 'certificates'> & { readonly port: number }): Daemon {
  const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const settings = ['--config', at('../../deploy/holdfast.json'), '--port', '0', '--operations-port', '0'];
  const places = ['--data', join(folder, 'data'), '--static', join(folder, 'static'), '--log-level', 'debug'];
  return new Daemon(process.execPath, [at('../../packages/cli/bin/holdfast.js'), 'serve', ...settings, ...places], {
    NODE_ENV: 'production',
    HOLDFAST_ORIGINS: `https://${APP_HOST}:${port}`,
    HOLDFAST_AUTH_JWT_SECRET: issuer.secret,
    HOLDFAST_AUTH_API_KEY: apiKey,
    // The clocks of issuer and server are one, so that a token of five seconds is over after five.
    HOLDFAST_AUTH_JWT_CLOCK_TOLERANCE: '0s',
    HOLDFAST_WEBHOOKS_URL: `http://127.0.0.1:${backEnd.port}/hook`,
    HOLDFAST_WEBHOOKS_EVENTS: 'subscribe',
    HOLDFAST_WEBHOOKS_SECRET: backEnd.webhookSecret,
  });
}

interface NginxParts {
  readonly folder: string;
  readonly certificates: Certificates;
  /** For http and for https. */
  readonly ports: readonly [number, number];
  readonly serverPort: number;
  readonly backEndPort: number;
}

/** Returns when it takes connections, or has ended since somebody else has a port by now. */
async function startNginx(parts: NginxParts): Promise<Daemon> {
  const { folder, ports } = parts;
  const template = await readFile(new URL('../../deploy/nginx.conf', import.meta.url), 'utf8');
  await writeFile(join(folder, 'nginx.conf'), configurationFrom(template, parts));
  await mkdir(join(folder, 'temporary'), { recursive: true });
  const files = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')];
  const nginx = new Daemon('nginx', [...files, '-g', 'daemon off;']);
  while (nginx.isRunning && !(await takesConnections(ports[1]))) await new Promise((resolve) => setTimeout(resolve, 20));
  return nginx;
}

function configurationFrom(template: string, { folder, certificates, ports, serverPort, backEndPort }: NginxParts): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `    ${kind}_temp_path ${folder}/temporary/${kind};\n`,
  );
  const replacements = [
    ['/run/nginx.pid', join(folder, 'nginx.pid')],
    ['/var/log/nginx/error.log', join(folder, 'error.log')],
    ['/var/log/nginx/access.log', join(folder, 'access.log')],
    ['http {\n', `http {\n${temporary.join('')}`],
    ['server 127.0.0.1:8080;', `server 127.0.0.1:${serverPort};`],
    ['        listen 80;\n        listen [::]:80;\n', `        listen 127.0.0.1:${ports[0]};\n`],
    ['        listen 443 ssl;\n        listen [::]:443 ssl;\n', `        listen 127.0.0.1:${ports[1]} ssl;\n`],
    ['/etc/ssl/holdfast/fullchain.pem', certificates.cert],
    ['/etc/ssl/holdfast/privkey.pem', certificates.key],
    [
      '        location / {\n',
      `        location /token/ {\n            proxy_pass http://127.0.0.1:${backEndPort};\n        }\n\n        location / {\n`,
    ],
  ] as const;
  let text = template;
  for (const [given, taken] of replacements) {
    if (text.split(given).length !== 2) throw new Error(`deploy/nginx.conf should have this once: ${given}`);
    text = text.replace(given, () => taken);
  }
  return text;
}

function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}
