import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How the HTTP side of the service misbehaves, for the next requests whatever they ask. */
export type HttpFault =
  /** Drops the connection. */
  | { kind: "down" }
  /** Never answers. */
  | { kind: "hang" }
  /** Answers with this status; `retryAfter` in seconds. */
  | { kind: "status"; status: number; retryAfter?: number }
  /** Answers 200 with a page of a gateway. */
  | { kind: "html" }
  /** Answers 200 with this in place of the answer. */
  | { kind: "other"; json: unknown };

export interface Answer {
  status: number;
  json: unknown;
}

export interface AttestationServer {
  url: string;
  /** Requests so far, those with faults included. */
  requests(): string[];
  fail(fault: HttpFault, times?: number): void;
  close(): Promise<void>;
}

const PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>";

/** HTTP on loopback in front of `answer`; errors of it become status 500. */
export async function serveAttestations(
  answer: (method: string, url: URL) => Promise<Answer>,
  port = 0,
): Promise<AttestationServer> {
  const faults: HttpFault[] = [];
  const seen: string[] = [];
  const write = (response: ServerResponse, status: number, json: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
  };
  const server = createServer((request, response) => {
    const method = request.method ?? "GET";
    seen.push(`${method} ${request.url ?? ""}`);
    const fault = faults.shift();
    if (fault?.kind === "hang") return;
    if (fault?.kind === "down") return void request.socket.destroy();
    if (fault?.kind === "html") return void response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
    if (fault?.kind === "other") return write(response, 200, fault.json);
    if (fault?.kind === "status") {
      const wait = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) };
      return void response.writeHead(fault.status, { "content-type": "text/html", ...wait }).end(PAGE);
    }
    answer(method, new URL(request.url ?? "/", "http://127.0.0.1")).then(
      ({ status, json }) => write(response, status, json),
      (error: unknown) => write(response, 500, { error: String(error) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => [...seen],
    fail: (fault, times = 1) => {
      for (let i = 0; i < times; i++) faults.push(fault);
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
