import { Client } from "pg";

/** The parts of pg's client that answer a server's demand for authentication. */
interface Authentication {
  saslSession: unknown;
  connection: { emit(event: "error", error: Error): void; stream: { destroy(): void } };
  _handleAuthSASLFinal(message: unknown): void;
  _handleReadyForQuery(message: unknown): void;
}

const Base = Client as unknown as new (config?: unknown) => Client & Authentication;

/**
 * A client for the server that belongs to the program. On loopback any user of the machine may listen where that server was, and pg
 * would give a server its password in clear text on demand, or take one that asks for none. This one goes on only after SCRAM, in which
 * both sides prove that they know the password and neither tells it.
 */
export class ScramClient extends Base {
  #proved = false;

  _handleAuthCleartextPassword(): void {
    this.#refuse("asks for it in clear text");
  }

  _handleAuthMD5Password(): void {
    this.#refuse("asks for it by MD5");
  }

  override _handleAuthSASLFinal(message: unknown): void {
    super._handleAuthSASLFinal(message); // oxlint-disable-line no-underscore-dangle -- pg's own name
    // pg leaves the session where the server's proof was wrong
    this.#proved = this.saslSession === null;
  }

  override _handleReadyForQuery(message: unknown): void {
    // oxlint-disable-next-line no-underscore-dangle -- pg's own name
    if (this.#proved) super._handleReadyForQuery(message);
    else this.#refuse("does not prove that it knows it");
  }

  #refuse(what: string): void {
    this.connection.emit("error", new Error(`SCRAM: the server has no right to the password: it ${what}`));
    this.connection.stream.destroy();
  }
}
