/** The few parts of the `ws` package that the local world's server uses. */
declare module "ws" {
  import type { EventEmitter } from "node:events";
  import type { Server } from "node:http";

  export class WebSocket extends EventEmitter {
    static readonly OPEN: number;
    readonly readyState: number;
    send(data: string): void;
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
