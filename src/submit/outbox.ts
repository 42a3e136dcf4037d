import type { Chain } from "../chain/connect.js";
import type { Journal } from "../journal/journal.js";
import { NOT_TAKEN } from "../journal/rules.js";
import type { Exposure, JournaledAttempt } from "../journal/types.js";
import type { Route, RouteAnswer, RouteTerms } from "./route.js";
import { combineAnswers, type RelayRecord, submit } from "./submission.js";

/** Sends bytes of the journal by the routes of a network, and has the journal note what each of them answered. */
export interface Outbox {
  readonly routes: readonly Route[];
  /** Whether bytes go to relays block by block, and to nobody who would show them. */
  readonly inPrivate: boolean;
  /** How far an attempt may be seen that is to land until `lastBlock`, behind `follows` alone; journaled before it is sent. */
  exposure(lastBlock: bigint | null, follows?: string): Exposure;
  /** The routes that may have these bytes: what is private until a block must not come to anybody who keeps or shows it. */
  routesFor(attempt: Exposure): Route[];
  /** Sends once. "unknown" where a route may have it; "refused" where none has. */
  send(attempt: JournaledAttempt, terms?: Partial<RouteTerms>): Promise<RouteAnswer>;
  /** Notes an answer. Gives it as it counts: a refusal of bytes that the node has is none. */
  note(record: RelayRecord): Promise<RouteAnswer | null>;
  /** When every answer that is known is noted, or could not be. */
  written(): Promise<void>;
  /** The same. Raises once what could not be noted. */
  noted(): Promise<void>;
  /** When all routes have answered. */
  idle(): Promise<void>;
}

const isBounded = (route: Route): boolean => route.visibility === "private" && (route.holds ?? "open") !== "open";

export function openOutbox(journal: Journal, chain: Chain, routes: readonly Route[], sendMs: number): Outbox {
  const visibility = routes.some((route) => route.visibility === "public") ? "public" : "private";
  const bounded = routes.length > 0 && routes.every(isBounded);
  const late = new Set<Promise<unknown>>();
  let noting: Promise<unknown> = Promise.resolve();
  let unnoted: unknown = null;
  const routesFor = (attempt: Exposure): Route[] => {
    if (attempt.follows !== undefined) return routes.filter((route) => isBounded(route) && route.holds === "target");
    return attempt.visibility === "private" && attempt.lastBlock !== null ? routes.filter(isBounded) : [...routes];
  };

  /** A node that does not answer has not said that it does not have it. */
  const isUnknown = async (hash: string): Promise<boolean> =>
    await chain.provider.getTransaction(hash).then(
      (found) => found === null,
      () => false,
    );
  /** A gateway that repeats a request answers with the refusal of what its first try took. */
  const asItCounts = async (hash: string, said: RouteAnswer): Promise<RouteAnswer> => {
    if (said.status !== "refused") return said;
    if (NOT_TAKEN.has(said.kind) && (await isUnknown(hash))) return said;
    return { status: "unknown", detail: `${said.kind}: ${said.detail}` };
  };
  const note = async (record: RelayRecord): Promise<RouteAnswer | null> => {
    if (record.kind !== "answer") return null;
    const { action, hash, routeId, targetBlock, tookMs } = record;
    if (action === "send") await journal.step("sent");
    const answer = action === "send" ? await asItCounts(hash, record.answer) : record.answer;
    const noted = journal.noteSend(hash, routeId, answer, { action, targetBlock, tookMs });
    // what a cancel or a simulation was answered decides nothing that the journal must know first
    if (action !== "send") {
      noting = Promise.all([noting, noted.catch((error: unknown) => void (unnoted ??= error))]);
      return null;
    }
    // the bytes are out: that the answer cannot be noted makes nothing undone. Until it is, the journal takes them for sent, which they are
    if (answer.status === "refused") await noted;
    else noting = Promise.all([noting, noted.catch((error: unknown) => void (unnoted ??= error))]);
    return answer;
  };

  const send: Outbox["send"] = async (attempt, terms = {}) => {
    const { raw, hash, account: from, nonce, lastBlock } = attempt;
    const used = routesFor(attempt);
    if (attempt.follows !== undefined && terms.after === undefined)
      return { status: "unknown", detail: `it is sent right behind ${attempt.follows} only` };
    if (used.some((route) => route.visibility === "public") && attempt.visibility === "private") await journal.expose(hash);
    const full: RouteTerms = { deadlineMs: sendMs, ...(lastBlock === null ? {} : { lastBlock }), ...terms };
    if (full.targetBlock === undefined && used.some((route) => route.holds === "target")) {
      full.targetBlock = BigInt(await chain.provider.getBlockNumber()) + 1n;
      if (lastBlock !== null && full.targetBlock > lastBlock) return { status: "unknown", detail: "its last block has passed" };
    }
    await journal.step("before-send");
    const counted: RouteAnswer[] = [];
    const { decided, settled } = submit(used, { raw, hash, from, nonce }, full, async (record) => {
      const answer = await note(record);
      if (answer !== null) counted.push(answer);
    });
    const first = await decided;
    if (first.status === "accepted" && used.length > 1) {
      const failed = (error: unknown): void => void (unnoted ??= error);
      const rest = settled.catch(failed).finally(() => late.delete(rest));
      late.add(rest);
      return first;
    }
    await settled;
    return combineAnswers(counted);
  };

  return {
    routes,
    inPrivate: visibility === "private" && routes.some(isBounded),
    exposure: (lastBlock, follows) =>
      follows === undefined
        ? { visibility, lastBlock: bounded ? lastBlock : null }
        : { visibility: "private", lastBlock, follows },
    routesFor,
    send,
    note,
    written: async () => void (await noting),
    noted: async () => {
      await noting;
      const error = unnoted;
      unnoted = null;
      if (error !== null) throw error as Error;
    },
    idle: async () => {
      await Promise.all(late);
      await noting;
    },
  };
}
