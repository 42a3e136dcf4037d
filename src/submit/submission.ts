import type { Route, RouteAnswer, RouteTerms, SignedBytes } from "./route.js";

/** What one route said, or where something landed: a row of the ledger of relays. */
export type RelayRecord =
  | {
      kind: "answer";
      action: "send" | "cancel" | "simulate";
      routeId: string;
      hash: string;
      nonce: number;
      targetBlock: bigint | null;
      replacementUuid: string | null;
      /** Milliseconds since 1970. */
      at: number;
      tookMs: number;
      answer: RouteAnswer;
    }
  | { kind: "landed"; hash: string; nonce: number; blockNumber: bigint; success: boolean; at: number };

export type Recorder = (record: RelayRecord) => void | Promise<void>;

/** Signed bytes on their way by several routes at once. */
export interface Submission {
  /** The first acceptance, or, when there is none, all answers taken together. */
  decided: Promise<RouteAnswer>;
  /** Every answer by route, each of them recorded. Rejects with what the recorder threw. */
  settled: Promise<Map<string, RouteAnswer>>;
}

/** How much later than its deadline a route may answer before it is given up on: its own timer should come first. */
const GRACE_MS = 250;

/** Any accepted -> accepted; all refused -> refused, with the first reason; else unknown. */
export function combineAnswers(answers: RouteAnswer[]): RouteAnswer {
  const accepted = answers.find((answer) => answer.status === "accepted");
  if (accepted) return accepted;
  const unknown = answers.find((answer) => answer.status === "unknown");
  return unknown ?? answers[0] ?? { status: "refused", kind: "unsupported-method", detail: "there is no route" };
}

/** Sends the same bytes by every route at once; none waits for another. */
export function submit(routes: Route[], signed: SignedBytes, terms: RouteTerms, record: Recorder): Submission {
  return start(routes, "send", signed, terms, record, (route) => route.send(signed, terms));
}

/** Asks every route to forget the bytes. Whatever they answer, the hash stays watched. */
export function cancel(routes: Route[], signed: SignedBytes, terms: RouteTerms, record: Recorder): Submission {
  const able = routes.filter((route) => route.cancel !== undefined);
  return start(able, "cancel", signed, terms, record, (route) => route.cancel!(signed, terms));
}

function start(
  routes: Route[],
  action: "send" | "cancel",
  signed: SignedBytes,
  terms: RouteTerms,
  record: Recorder,
  call: (route: Route) => Promise<RouteAnswer>,
): Submission {
  const asked = routes.map(async (route) => {
    const at = Date.now();
    const began = performance.now();
    const answer = await withDeadline(() => call(route), terms.deadlineMs + GRACE_MS);
    return { routeId: route.id, answer, at, tookMs: Math.round(performance.now() - began) };
  });
  const recorded = asked.map(async (answered) => {
    const { routeId, answer, at, tookMs } = await answered;
    const { targetBlock = null, replacementUuid = null } = terms;
    const { hash, nonce } = signed;
    await record({ kind: "answer", action, routeId, hash, nonce, targetBlock, replacementUuid, at, tookMs, answer });
    return [routeId, answer] as const;
  });
  const settled = Promise.all(recorded).then((rows) => new Map(rows));
  const decided = decide(asked.map(async (answered) => (await answered).answer));
  // both are handed to the caller, who may await them later than they reject
  for (const promise of [settled, decided]) promise.catch(() => undefined);
  return { decided, settled };
}

async function decide(answers: Promise<RouteAnswer>[]): Promise<RouteAnswer> {
  const all = Promise.all(answers).then(combineAnswers);
  const firstAccepted = new Promise<RouteAnswer>((resolve, reject) => {
    for (const answer of answers)
      answer.then((a) => {
        if (a.status === "accepted") resolve(a);
      }, reject);
  });
  return await Promise.race([firstAccepted, all]);
}

async function withDeadline(call: () => Promise<RouteAnswer>, ms: number): Promise<RouteAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<RouteAnswer>((resolve) => {
    timer = setTimeout(() => resolve({ status: "unknown", detail: `no answer in ${ms} ms` }), ms);
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    clearTimeout(timer);
  }
}
