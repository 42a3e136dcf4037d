/**
 * Recorded cases: files that hold one real transaction with every account, code and storage slot that it touched, the value
 * of each right before it.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { toBeHex } from "ethers";
import { z } from "zod";
import { ArbError } from "../errors.js";

export const CASE_FORMAT = "recorded-tx-case/1";

/** A recording that would unpack to more than this is no case: the largest known ones are about 1 MB. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

const data = z.string().regex(/^0x([0-9a-f]{2})*$/i, "is no hex data");
const address = z
  .string()
  .regex(/^0x[0-9a-f]{40}$/i, "is no address")
  .transform((a) => a.toLowerCase());
const hash = z.string().regex(/^0x[0-9a-f]{64}$/i, "is no 32-byte hash");
/** Numbers stand as 0x quantities, decimal strings or small JSON numbers. */
const quantity = z
  .union([
    z.string().regex(/^(0x[0-9a-f]+|[0-9]+)$/i, "is no quantity"),
    z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  ])
  .transform((v) => BigInt(v));
const signed = z
  .string()
  .regex(/^-?[0-9]+$/, "is no decimal integer")
  .transform((v) => BigInt(v));
/** 32-byte words, keyed by their slot; both are written with or without leading zeros. */
const storage = z
  .record(quantityKey(), quantity)
  .transform((slots) => new Map(Object.entries(slots).map(([slot, value]) => [toBeHex(slot, 32), toBeHex(value, 32)])));

function quantityKey() {
  return z.string().regex(/^0x[0-9a-f]{1,64}$/i, "is no storage slot");
}

const account = z.object({
  balance: quantity.default(0n),
  nonce: quantity.default(0n),
  codeHash: hash.optional(),
  code: data.optional(),
  storage: storage.default(() => new Map<string, string>()),
});

const header = z.object({
  number: quantity,
  timestamp: quantity,
  parentHash: hash,
  miner: address,
  gasLimit: quantity,
  mixHash: hash.nullish(),
  difficulty: quantity.nullish(),
  baseFeePerGas: quantity.nullish(),
  withdrawalsRoot: hash.nullish(),
  excessBlobGas: quantity.nullish(),
  parentBeaconBlockRoot: hash.nullish(),
  requestsHash: hash.nullish(),
});

const hop = z.object({
  kind: z.string(),
  venue: z.string().optional(),
  pool: address,
  /** V3: millionths, where the recording knows it. */
  fee: z.number().int().nonnegative().nullish(),
  tokenIn: z.string().transform((t) => t.toLowerCase()),
  amountIn: quantity,
  tokenOut: z.string().transform((t) => t.toLowerCase()),
  amountOut: quantity,
});

const receipt = z.object({
  status: quantity,
  gasUsed: quantity,
  logs: z.array(z.object({ address, topics: z.array(hash), data })),
});

const recordedCase = z.object({
  format: z.literal(CASE_FORMAT),
  id: z.string().min(1),
  chainId: z.number().int().positive(),
  hardfork: z.string().min(1),
  block: header,
  /** Hashes of ancestors by block number. */
  blockHashes: z.record(z.string(), hash).default({}),
  /** The original transaction as JSON-RPC gives it, with its signature. */
  tx: z.looseObject({ from: address }),
  /** State of everything that the transaction touches, right before it. */
  pre: z.record(address, account).transform((accounts) => new Map(Object.entries(accounts))),
  receipt,
  /** What its logs tell of its swaps; missing where nobody looked. */
  arbitrage: z
    .object({
      /** In the order of the logs, which need not be the order of the path. */
      hops: z.array(hop),
      /** What the pools lost in total, by token, base units. */
      poolsNet: z.record(address, signed),
    })
    .nullish(),
});

/** One recorded transaction. Addresses are lower case; amounts and quantities are bigint; slots and values are 32-byte words. */
export type RecordedCase = z.infer<typeof recordedCase>;
export type RecordedAccount = z.infer<typeof account>;
export type RecordedHop = z.infer<typeof hop>;

/**
 * Reads and checks a case file, gzipped or plain. Throws ArbError "usage" where the file is missing, cut short, of another
 * format, or not what its format promises.
 */
export async function readCase(file: string): Promise<RecordedCase> {
  const where = path.basename(file);
  const json = parseJson(await unpack(await readBytes(file), where), where);
  const format = typeof json === "object" && json !== null && "format" in json ? json.format : undefined;
  if (format !== CASE_FORMAT) {
    const found = typeof format === "string" ? `has the format ${JSON.stringify(format.slice(0, 40))}` : "names no format";
    throw new ArbError("usage", `the file is no recorded case: it ${found}`, {
      where,
      hint: `give a file of format ${CASE_FORMAT}`,
    });
  }
  const parsed = recordedCase.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const at = issue?.path.join(".") ?? "";
    throw new ArbError("usage", `the recorded case is malformed: ${at} ${issue?.message ?? "does not fit"}`, {
      where: `${where}: ${at}`,
    });
  }
  for (const [of, { code, codeHash }] of parsed.data.pre) {
    if (codeHash !== undefined && code === undefined) {
      throw new ArbError("usage", `the recorded case is malformed: the code of ${of} is missing`, {
        where: `${where}: pre.${of}`,
      });
    }
  }
  return parsed.data;
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = code === "ENOENT" ? "the file does not exist" : `the file cannot be read (${code ?? String(error)})`;
    throw new ArbError("usage", message, { where: file, hint: "give the path of a recorded case (.json.gz)", cause: error });
  }
}

async function unpack(bytes: Buffer, where: string): Promise<string> {
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!gzipped) return bytes.toString("utf8");
  try {
    return (await promisify(gunzip)(bytes, { maxOutputLength: MAX_UNPACKED_BYTES })).toString("utf8");
  } catch (error) {
    throw new ArbError("usage", "the file cannot be unpacked: it is cut short or damaged", {
      where,
      hint: "copy the recording again",
      cause: error,
    });
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ArbError("usage", "the file is no JSON: it is cut short, damaged or of another kind", {
      where,
      hint: "give a recorded case (.json.gz)",
      cause: error,
    });
  }
}

/** The value of a slot, null where it was never recorded. `slot` in any hex form. */
export function recordedSlot(recording: RecordedCase, account: string, slot: string): string | null {
  const entry = recording.pre.get(account.toLowerCase());
  // what a recorded account without code "stores" is known: nothing
  if (entry && entry.code === undefined) return toBeHex(0, 32);
  return entry?.storage.get(toBeHex(slot, 32)) ?? null;
}
