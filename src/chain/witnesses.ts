/** What is concluded from a network's endpoints, each asked for itself: two must say it where two are configured. */
import { toQuantity } from "ethers";
import { ArbError } from "../errors.js";
import type { Chain } from "./connect.js";
import { classifyNodeError } from "./errors.js";
import { headOf } from "./heads.js";

/** One endpoint. */
export interface Witness {
  readonly name: string;
  /** Raises as a provider does. */
  send(method: string, params: readonly unknown[]): Promise<unknown>;
  /** Notes in its health that it contradicted another one. */
  disagreed?(): void;
}

export interface Witnesses {
  readonly list: readonly Witness[];
  /** How many must say the same: two where two are configured, also while one of them cannot be asked. */
  readonly needed: number;
}

/** The endpoints behind a chain; its provider alone where it has no pool. */
export function witnessesOf(chain: Pick<Chain, "endpoint" | "provider" | "pool">): Witnesses {
  if (chain.pool) return chain.pool.witnesses();
  const { endpoint: name, provider } = chain;
  return { list: [{ name, send: async (method, params) => await provider.send(method, [...params]) }], needed: 1 };
}

/** A head that as many endpoints have reached as are needed. */
export interface AgreedHead {
  number: number;
  hash: string;
  /** Newest block that as many of them call final; null where they have no such tag, -1 where it calls none so yet. */
  finalized: number | null;
}

type Answered<T> = { witness: Witness; value: T };

/** What each answers, and the words of those that do not. Raises the first error where none answers. */
async function askAll<T>(
  { list }: Witnesses,
  ask: (witness: Witness) => Promise<T>,
): Promise<{ answers: Answered<T>[]; silent: string }> {
  const settled = await Promise.allSettled(list.map(ask));
  const answers = settled.flatMap((s, i) => (s.status === "fulfilled" ? [{ witness: list[i]!, value: s.value }] : []));
  const failed = settled.flatMap((s, i) =>
    s.status === "rejected" ? [{ name: list[i]!.name, error: s.reason as unknown }] : [],
  );
  if (answers.length === 0) throw failed[0]?.error ?? new ArbError("network", "no endpoint can be asked");
  const silent = failed.map(({ name, error }) => `${name} does not answer (${classifyNodeError(error).kind})`).join("; ");
  return { answers, silent };
}

/** The greatest number that `needed` of them reach; null where there are fewer. */
function reachedBy(numbers: readonly number[], needed: number): number | null {
  return numbers.toSorted((a, b) => b - a)[needed - 1] ?? null;
}

/**
 * The newest block that as many endpoints have as are needed. Null: too few of them answer. Raises the node's error where none does.
 */
export async function agreedHead(witnesses: Witnesses): Promise<AgreedHead | null> {
  const { needed } = witnesses;
  const { answers } = await askAll(witnesses, async (witness) => {
    const [latest, finalized] = await Promise.all([
      witness.send("eth_getBlockByNumber", ["latest", false]),
      finalBlockOf(witness),
    ]);
    const head = headOf(latest);
    if (head === null) throw new Error("malformed answer: the node gave no head block");
    return { number: head.number, hash: head.hash, finalized };
  });
  const number = reachedBy(
    answers.map(({ value }) => value.number),
    needed,
  );
  if (number === null) return null;
  const { hash } = answers.find(({ value }) => value.number === number)!.value;
  const finals = answers.map(({ value }) => value.finalized ?? Infinity);
  const finalized = reachedBy(finals, needed) ?? -1;
  return { number, hash, finalized: finalized === Infinity ? null : finalized };
}

/** As `agreedHead`; raises ArbError "network" where too few answer. */
export async function requireHead(chain: Pick<Chain, "endpoint" | "provider" | "pool" | "network">): Promise<AgreedHead> {
  const head = await agreedHead(witnessesOf(chain));
  if (head !== null) return head;
  throw new ArbError("network", `only one endpoint of ${chain.network.title} tells its newest block`, {
    where: `networks.${chain.network.name}.rpc`,
    hint: "nothing is concluded from one endpoint where two are configured; it is asked again",
  });
}

/**
 * The node's final block: null where it does not know the tag, so that depth alone decides; -1 where it knows it and has none yet. An
 * error that says neither is one of the node, which then says nothing.
 */
async function finalBlockOf(witness: Witness): Promise<number | null> {
  try {
    const block = (await witness.send("eth_getBlockByNumber", ["finalized", false])) as { number?: unknown } | null;
    if (block === null || block === undefined) return -1;
    if (typeof block.number !== "string" || !/^0x[0-9a-f]{1,13}$/i.test(block.number))
      throw new Error("malformed answer: the node gave no final block");
    return Number(block.number);
  } catch (error) {
    const { kind } = classifyNodeError(error);
    if (kind === "unsupported-method" || kind === "bad-request") return null;
    if (kind === "block-not-found") return -1;
    throw error;
  }
}

/** How many nonces of an account are used. */
export interface AgreedCount {
  /** As many as are needed say that so many are used; null: too few answer. */
  sure: number | null;
  /** The most that any of them says. */
  most: number;
  /** Who says what, where they do not say the same or do not all answer; else null. */
  doubt: string | null;
}

/** Counts an account's transactions on every endpoint. Raises the node's error where none answers. */
export async function agreedCount(witnesses: Witnesses, account: string, tag: "latest" | "pending"): Promise<AgreedCount> {
  const { answers, silent } = await askAll(witnesses, async (witness) => {
    const count = await witness.send("eth_getTransactionCount", [account, tag]);
    if (typeof count !== "string" || !/^0x[0-9a-f]{1,13}$/i.test(count)) throw new Error("malformed answer: no count");
    return Number(count);
  });
  const counts = answers.map(({ value }) => value);
  const most = Math.max(...counts);
  const differ = counts.some((count) => count !== most) || answers.length < witnesses.needed;
  const words = answers.map(({ witness, value }) => `${witness.name} counts ${value}`).join(", ");
  return {
    sure: reachedBy(counts, witnesses.needed),
    most,
    doubt: differ ? `${words}${silent === "" ? "" : `; ${silent}`}` : null,
  };
}

/** Whether a block is the one at its height: as many as are needed say so, or that another one is. */
export type Canonical = { is: "kept" } | { is: "replaced" } | { is: "unknown"; why: string };

/** Raises the node's error where none answers. */
export async function isCanonical(witnesses: Witnesses, blockNumber: number, blockHash: string): Promise<Canonical> {
  const { answers, silent } = await askAll(witnesses, async (witness) => {
    const block = await witness.send("eth_getBlockByNumber", [toQuantity(blockNumber), false]);
    return (block as { hash?: string } | null)?.hash?.toLowerCase() ?? null;
  });
  const { needed } = witnesses;
  const same = answers.filter(({ value }) => value === blockHash.toLowerCase());
  const other = answers.filter(({ value }) => value !== null && value !== blockHash.toLowerCase());
  if (same.length >= needed) return { is: "kept" };
  if (other.length >= needed && same.length === 0) return { is: "replaced" };
  if (same.length > 0 && other.length > 0) for (const { witness } of [...same, ...other]) witness.disagreed?.();
  const words = answers.map(({ witness, value }) => `${witness.name} has ${value === null ? "none" : value.slice(0, 10)}`);
  return { is: "unknown", why: `block ${blockNumber}: ${[...words, silent].filter((w) => w !== "").join(", ")}` };
}

/**
 * What an account counts when it is taken: `latest` only as far as is sure. Raises the node's error where none answers.
 */
export async function countsOf(
  chain: Pick<Chain, "provider" | "pool">,
  account: string,
): Promise<{ latest: number; pending: number; doubt: string | null }> {
  if (!chain.pool) {
    const count = async (tag: "latest" | "pending") => await chain.provider.getTransactionCount(account, tag);
    return { latest: await count("latest"), pending: await count("pending"), doubt: null };
  }
  const witnesses = chain.pool.witnesses();
  const [latest, pending] = await Promise.all([
    agreedCount(witnesses, account, "latest"),
    agreedCount(witnesses, account, "pending"),
  ]);
  // what one endpoint alone counts as used stops nothing; what one alone has on its way may be there
  const sure = latest.sure ?? 0;
  return { latest: sure, pending: Math.max(sure, pending.most), doubt: latest.doubt };
}

/** How many nonces of an account are surely used; 0 where too few endpoints answer. */
export async function usedCount(chain: Pick<Chain, "provider" | "pool">, account: string): Promise<number> {
  if (!chain.pool) return await chain.provider.getTransactionCount(account, "latest");
  return (await agreedCount(chain.pool.witnesses(), account, "latest")).sure ?? 0;
}
