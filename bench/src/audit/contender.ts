/** What the audit needs of a server, of what publishes through it, and of a client. */

export const CONTENDER_NAMES = ['holdfast', 'holdfast-memory', 'socket.io', 'socket.io-recovery', 'partysocket'] as const;

export type ContenderName = (typeof CONTENDER_NAMES)[number];

/** The server, a process of its own. */
export interface AuditServer {
  /** The same after every start. 0 before the first. */
  readonly port: number;
  /** Whether it listens. */
  readonly isUp: boolean;
  /** Rejects when it ends without having been told to. */
  readonly failed: Promise<never>;
  start(): Promise<void>;
  /** `kill -9`. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves when it has ended. */
  stop(): Promise<unknown>;
}

/** Whatever sends the broadcasts. */
export interface Publisher {
  publish(number: number): void;
  /** Whether the outcome of everything published is known. */
  readonly isSettled: boolean;
  /** Ends it, and says what became of each. The server is up. */
  finish(): Promise<PublisherAccount>;
}

export interface PublisherAccount {
  /** When each number was known to be published, instants; without an entry where that was never known. */
  readonly publishedAtMs: ReadonlyMap<number, number>;
  /** Those numbers that were acknowledged and are not in the log once, at the acknowledged place; `undefined` where there is no log. */
  readonly acknowledgedLost: readonly number[] | undefined;
}

export interface Contender {
  readonly name: ContenderName;
  readonly title: string;
  /** The npm packages whose versions are told; none for what is of this repository. */
  readonly packages: readonly string[];
  /** Not started yet. `folder` is empty and its own. */
  serve(folder: string): AuditServer;
  /** After the server has started. `port` is that of a link, which is cut like those of the clients. */
  publisher(server: AuditServer, port: number): Publisher;
}

/** A client that runs. */
export interface Follower {
  close(): Promise<void>;
}
