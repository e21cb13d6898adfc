/** The files that `holdfast serve` gives out over HTTP, or a page of text. It knows nothing of sockets. */

import { existsSync, statSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join, resolve } from 'node:path';
import sirv from 'sirv';
import { CommandFailure } from './failure.ts';

export interface SiteOptions {
  /** A folder with an `index.html`, which also answers every path that has no file: a single page. */
  readonly directory: string | undefined;
  /** The page where there is no folder. */
  readonly page: () => string;
}

/** Throws where the folder has no `index.html`. */
export function createSite({ directory, page }: SiteOptions): RequestListener {
  const files = directory === undefined ? undefined : serveFiles(directory);
  return (request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0];
    response.setHeader('x-content-type-options', 'nosniff');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD', 'content-type': 'text/plain' }).end('Only GET and HEAD are answered here.\n');
    } else if (files !== undefined) {
      files(request, response, () => notFound(response));
    } else if (path === '/') {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(page());
    } else notFound(response);
  };
}

function notFound(response: Parameters<RequestListener>[1]): void {
  response.writeHead(404, { 'content-type': 'text/plain' }).end('There is nothing here.\n');
}

function serveFiles(directory: string): ReturnType<typeof sirv> {
  const folder = resolve(directory);
  const index = join(folder, 'index.html');
  if (!existsSync(index) || !statSync(index).isFile())
    throw new CommandFailure(`there is no index.html in ${folder}`, 'Name the folder of a built site with --static.');
  // The page is asked for anew each time, so that a new build is seen; what it names has its content's hash in its name.
  return sirv(folder, {
    single: true,
    etag: true,
    setHeaders: (response, path) =>
      response.setHeader('cache-control', path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache'),
  });
}
