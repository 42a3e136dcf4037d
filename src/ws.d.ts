/** The parts of the `ws` package that are used: the client by src/chain, the server by the local world. */
declare module "ws" {
  import type { EventEmitter } from "node:events";
  import type { Server } from "node:http";

  export class WebSocket extends EventEmitter {
    static readonly OPEN: number;
    readonly readyState: number;
    constructor(
      url: string,
      options?: { maxPayload?: number; handshakeTimeout?: number; perMessageDeflate?: boolean; followRedirects?: boolean },
    );
    send(data: string): void;
    ping(): void;
    terminate(): void;
  }

  export class WebSocketServer extends EventEmitter {
    readonly clients: Set<WebSocket>;
    constructor(options: { server: Server; maxPayload?: number });
    on(event: "connection", listener: (socket: WebSocket) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    close(): void;
  }
}
