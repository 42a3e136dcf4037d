/** How a relay or sequencer misbehaves. "acts": the request has its effect, whatever is answered. */
export type RelayFault =
  /** Drops the connection, does nothing. */
  | { kind: "down" }
  /** Acts, and answers late. */
  | { kind: "slow"; ms: number }
  /** Acts, and never answers. */
  | { kind: "hang" }
  /** Does nothing but answer with this status. */
  | { kind: "status"; status: number; body?: string }
  /** Acts, then drops the connection. */
  | { kind: "lose-answer" }
  /** Answers as if it had acted. Of a cancel: it came too late. */
  | { kind: "accept-and-drop" }
  /** Acts, and answers that it refused. */
  | { kind: "refuse-and-keep"; message?: string }
  /** Acts, and answers with something else than was asked. */
  | { kind: "other-answer"; result: unknown };

interface Entry {
  fault: RelayFault;
  method: string | null;
  left: number;
}

/** Faults to come, each for the next `times` requests of its method. */
export interface FaultScript {
  add(fault: RelayFault, options?: { method?: string; times?: number }): void;
  /** The fault of this request, used up by it; null = behave. */
  next(method: string): RelayFault | null;
  clear(): void;
}

export function faultScript(): FaultScript {
  let entries: Entry[] = [];
  return {
    add: (fault, { method, times = 1 } = {}) => entries.push({ fault, method: method ?? null, left: times }),
    next: (method) => {
      const entry = entries.find((e) => e.method === null || e.method === method);
      if (!entry) return null;
      entry.left -= 1;
      entries = entries.filter((e) => e.left > 0);
      return entry.fault;
    },
    clear: () => {
      entries = [];
    },
  };
}
