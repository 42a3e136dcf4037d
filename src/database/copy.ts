import type { Writable } from "node:stream";
import type net from "node:net";
import { once } from "node:events";
import type pg from "pg";
import { escapeIdentifier } from "pg";

/** The part of a connection of `pg` that COPY needs; the library hands it to queries that submit themselves. */
interface Connection {
  stream: net.Socket;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/** What `pg` calls on a query that submits itself. */
interface Handlers {
  onIn?: (connection: Connection) => void;
  onData?: (chunk: Buffer, connection: Connection) => void;
}

/** Runs one COPY statement. The client must have no query_timeout: COPY takes as long as there are rows. */
function copy(client: pg.Client, text: string, handlers: Handlers): Promise<number> {
  return new Promise((resolve, reject) => {
    let rows = 0;
    let failed: Error | null = null;
    const query = {
      submit: (connection: Connection) => connection.query(text),
      handleCopyInResponse: (connection: Connection) => handlers.onIn?.(connection),
      handleCopyData: ({ chunk }: { chunk: Buffer }, connection: Connection) => handlers.onData?.(chunk, connection),
      handleCommandComplete: ({ text: tag }: { text: string }) => (rows = Number(/^COPY (\d+)/.exec(tag)?.[1] ?? 0)),
      handleError: (error: Error) => {
        failed = error;
        reject(error);
      },
      handleReadyForQuery: () => (failed ? undefined : resolve(rows)),
      handleRowDescription: () => undefined,
      handleDataRow: () => undefined,
      handlePortalSuspended: () => undefined,
      handleEmptyQuery: () => undefined,
    };
    client.query(query as unknown as pg.Submittable);
  });
}

/** `COPY ... TO STDOUT` into a stream, no faster than it takes. Returns the number of rows. */
export async function copyOut(client: pg.Client, text: string, into: Writable): Promise<number> {
  return copy(client, text, {
    onData(chunk, { stream }) {
      // the library reads the next bytes into the same memory
      if (into.write(Buffer.from(chunk))) return;
      stream.pause();
      into.once("drain", () => stream.resume());
    },
  });
}

/** `COPY ... FROM STDIN` from chunks. Returns the number of rows. A source that throws makes the statement fail. */
export async function copyIn(client: pg.Client, text: string, source: AsyncIterable<Buffer>): Promise<number> {
  let fault: unknown;
  const send = async (connection: Connection): Promise<void> => {
    try {
      for await (const chunk of source) {
        connection.sendCopyFromChunk(chunk);
        if (connection.stream.writableNeedDrain) await once(connection.stream, "drain");
      }
      connection.endCopyFrom();
    } catch (error) {
      fault = error;
      connection.sendCopyFail("the source of the rows failed");
    }
  };
  try {
    return await copy(client, text, { onIn: (connection) => void send(connection) });
  } catch (error) {
    throw fault ?? error;
  }
}

/** A name as it stands in SQL. */
export const quoted = (name: string): string => escapeIdentifier(name);
