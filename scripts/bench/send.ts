import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { Contract, encodeBytes32String, getCreateAddress, JsonRpcProvider, Wallet } from "ethers";
import { Tally__factory } from "../../types/contracts/index.js";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import { networkById } from "../../src/config/networks.js";
import { openJournalOf } from "../../src/journal/open.js";
import type { Journal } from "../../src/journal/journal.js";
import { encodePlan } from "../../src/plan/codec.js";
import type { Plan } from "../../src/plan/plan.js";
import type { Call } from "../../src/plan/transaction-builder.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { TransactionExecutor } from "../../src/submit/transaction-executor.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";
import { measureSigning, type SendRow } from "./sign.js";

const ROUNDS = 60;
const WARM_UP = 15;
const COMMITS = 1_000;
const GAS = 200_000n;
const TERMS = { gasLimit: GAS, maxFeePerGas: 50_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n };
const FEES = { maxFeePerGas: 50_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n, nextBaseFee: 1_000_000_000n };

const WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2";
const TOKEN = "0x0000000091a2b3C4855e6f7891A2b3c4855e6F79";
const HOP = { kind: "v2", feePips: 3000 } as const;

/** Two V2 hops. The pools' addresses do not matter to what is measured, but those of each round are met for the first time. */
function planOf(round: number): Plan {
  const poolOf = (i: number): string => getCreateAddress({ from: TOKEN, nonce: 2 * round + i });
  const [amountIn, between, amountOut] = [10n ** 18n, 2_000n * 10n ** 18n, 102n * 10n ** 16n];
  return {
    chainId: 1,
    amounts: "fixed",
    funding: { source: "flash-swap", lender: null, maxFee: 0n },
    profitToken: WETH,
    hops: [
      { ...HOP, pool: poolOf(0), tokenIn: WETH, tokenOut: TOKEN, amountIn, amountOut: between },
      { ...HOP, pool: poolOf(1), tokenIn: TOKEN, tokenOut: WETH, amountIn: between, amountOut },
    ],
    maxAmountIn: 2n ** 95n,
    minProfit: 10n ** 16n,
    deadline: null,
    blocks: null,
  };
}

interface Node {
  url: string;
  wsUrl: string;
  keys: string[];
  tally: string;
}

/** A journal's commit against the least that PostgreSQL can do with a flush; milliseconds. */
export interface CommitRow {
  case: string;
  p50: number;
  p99: number;
  unit: "ms";
}

/** What one part of the way takes, milliseconds: half of the rounds took at most `p50`. */
export interface PartRow {
  part: string;
  p25: number;
  p50: number;
  p75: number;
  unit: "ms";
}

export interface SendReport {
  name: "send";
  rows: SendRow[];
  /** Where the time without a journal goes. */
  parts: PartRow[];
  /** How many programs wanted a core, on average of the last minute: more than there are cores, and every figure holds waiting. */
  machine: { cores: number; loadBefore: number; loadAfter: number }[];
  /** `journal.prepare`: nonce, intent, bytes and owner's check in one statement and one flush. */
  commits: CommitRow[];
}

/**
 * From a plan to the node's answer, all in one run: ours and ethers' own contract call take turns on one node, which is a process of its
 * own; then signatures, and the journal's commits.
 */
export async function measureSending(progress: (what: string) => void): Promise<SendReport> {
  const loadBefore = rounded(os.loadavg()[0]!);
  const folder = mkdtempSync(path.join(os.tmpdir(), "arb-bench-send-"));
  const { child, node } = await startNode(progress);
  const opened = await openJournalOf({ folder });
  const chain = await connectChain(networkById(1)!, [node.wsUrl], { local: true });
  try {
    progress("plan to node's answer");
    const sends = await measureTurns(node, chain, opened.journal);
    progress("signatures");
    const signatures = await measureSigning();
    progress("journal commits");
    const commits = await measureCommits(opened.journal, chain);
    const machine = [{ cores: os.availableParallelism(), loadBefore, loadAfter: rounded(os.loadavg()[0]!) }];
    const rows = [...sends.rows, ...signatures, ...commits.rows];
    return { name: "send", rows, parts: sends.parts, machine, commits: commits.commits };
  } finally {
    chain.close();
    await opened.close();
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startNode(progress: (what: string) => void): Promise<{ child: ChildProcess; node: Node }> {
  progress("starting a node");
  const args = ["--import", "tsx", path.join(import.meta.dirname, "send-node.ts")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (line.done === true) throw new Error("the node of the benchmark did not start");
  return { child, node: JSON.parse(line.value) as Node };
}

/** Milliseconds of each way to send one call of the contract, by name. */
async function measureTurns(node: Node, chain: Chain, journal: Journal): Promise<{ rows: SendRow[]; parts: PartRow[] }> {
  const ours = new WalletManager(new Secret(node.keys[3]!));
  const bare = new WalletManager(new Secret(node.keys[4]!));
  const provider = new JsonRpcProvider(node.url);
  const known = new JsonRpcProvider(node.url, 1, { staticNetwork: true, batchMaxCount: 1 });
  const [theirs, expert] = [new Wallet(node.keys[5]!, provider), new Wallet(node.keys[6]!, known)];
  const contract = Tally__factory.connect(node.tally, theirs);
  const route = chainRoute(chain);
  let answered = 0;
  const timed = {
    ...route,
    send: async (...given: Parameters<typeof route.send>) => {
      const answer = await route.send(...given);
      answered = performance.now();
      if (answer.status !== "accepted") throw new Error(`the node did not take it: ${answer.detail}`);
      return answer;
    },
  };
  const executor = new TransactionExecutor(chain, ours, [timed], { journal });
  await executor.start();
  // as a session has it
  executor.keepWatching(chain.network.blockTimeMs, (error) => {
    throw error;
  });
  const plain = new WalletManager(new Secret(node.keys[7]!));
  const ask = await openBare(node.wsUrl);
  const abi = Tally__factory.createInterface();
  const selector = abi.getFunction("done").selector;
  /** The plan's bytes stand behind the call, as what a real one weighs. */
  const callOf = (id: string, plan: Plan): Call => ({
    to: node.tally,
    data: `${selector}${id.slice(2)}${encodePlan(plan).slice(2)}`,
    value: 0n,
  });
  const { pool } = journal.db;
  await pool.query("create table bench_turn (id bigint primary key, raw text not null)");
  const times = {
    journaled: [] as number[],
    whole: [] as number[],
    bare: [] as number[],
    encode: [] as number[],
    sign: [] as number[],
    answer: [] as number[],
    floor: [] as number[],
    ethers: [] as number[],
    expert: [] as number[],
    socket: [] as number[],
    flush: [] as number[],
  };
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const id = encodeBytes32String(`round ${round}`);
    const journaledPlan = planOf(3 * round);
    let from = performance.now();
    await executor.send(`bench-${round}`, callOf(id, journaledPlan), GAS, FEES);
    times.whole.push(performance.now() - from);
    times.journaled.push(answered - from);

    const withoutJournal = async (): Promise<string> => {
      const plan = planOf(3 * round + 1);
      from = performance.now();
      const call = callOf(id, plan);
      const encoded = performance.now();
      const { raw, hash } = bare.sign({ chainId: 1, nonce: round, ...call, ...TERMS });
      const signed = performance.now();
      await timed.send({ raw, hash, from: bare.address, nonce: round }, { deadlineMs: 5_000 });
      times.bare.push(answered - from);
      times.encode.push(encoded - from);
      times.sign.push(signed - encoded);
      times.answer.push(answered - signed);
      return raw;
    };
    // the same work for the node, of which nothing is ours but a text that was made before
    const atLeast = async (): Promise<void> => {
      const ready = plain.sign({ chainId: 1, nonce: round, ...callOf(id, planOf(3 * round + 2)), ...TERMS });
      const text = `{"jsonrpc":"2.0","id":${round},"method":"eth_sendRawTransaction","params":["${ready.raw}"]}`;
      from = performance.now();
      const said = await ask(text);
      times.floor.push(performance.now() - from);
      if (!said.includes(ready.hash)) throw new Error(`the node did not take it: ${said}`);
    };
    // who comes second finds the node warmer
    if (round % 2 === 0) await atLeast();
    const raw = await withoutJournal();
    if (round % 2 === 1) await atLeast();

    from = performance.now();
    await chain.provider.send("eth_chainId", []);
    times.socket.push(performance.now() - from);

    from = performance.now();
    await pool.query("insert into bench_turn values ($1, $2)", [round, raw]);
    times.flush.push(performance.now() - from);

    // within 250 ms ethers would give the nonce of its last answer once more
    await sleep(260);
    from = performance.now();
    await contract.done(id);
    times.ethers.push(performance.now() - from);

    from = performance.now();
    const populated = {
      ...(await new Contract(node.tally, abi).getFunction("done").populateTransaction(id)),
      type: 2,
      chainId: 1,
      nonce: round,
      ...TERMS,
    };
    await known.send("eth_sendRawTransaction", [await expert.signTransaction(populated)]);
    times.expert.push(performance.now() - from);
  }
  await executor.close();
  provider.destroy();
  known.destroy();
  ours.close();
  bare.close();
  plain.close();
  ask.close();
  const ms = (name: keyof typeof times): number => median(times[name].slice(WARM_UP));
  const part = (what: string, name: keyof typeof times): PartRow => {
    const [p25, p50, p75] = [0.25, 0.5, 0.75].map((share) => rounded(at(times[name].slice(WARM_UP), share), 3)) as [
      number,
      number,
      number,
    ];
    return { part: what, p25, p50, p75, unit: "ms" };
  };
  const row = (what: string, mine: keyof typeof times, peer: keyof typeof times, peerName: string): SendRow => ({
    case: what,
    ours: rounded(ms(mine)),
    peer: rounded(ms(peer)),
    peerName,
    ratio: rounded(ms(peer) / ms(mine)),
    unit: "ms",
  });
  const usual = "ethers contract.done(), as it comes";
  const all = "ethers, every field given, eth_sendRawTransaction";
  const rows = [
    row("plan, journaled, node's answer", "journaled", "ethers", usual),
    row("plan, journaled, node's answer, answer noted", "whole", "ethers", usual),
    row("plan, node's answer, no journal", "bare", "ethers", usual),
    row("plan, journaled, node's answer", "journaled", "expert", all),
    row("plan, node's answer, no journal", "bare", "expert", all),
    row("floor: signed before, a bare WebSocket, the same node", "floor", "ethers", usual),
    row("plan, node's answer, no journal, against that floor", "bare", "floor", "signed before, a bare WebSocket"),
    row("of it: a request that the node need not think about", "socket", "ethers", usual),
    row("of it: PostgreSQL writes and flushes one row", "flush", "ethers", usual),
  ];
  const parts = [
    part("plan, node's answer, no journal", "bare"),
    part("of it: the plan's checks and bytes", "encode"),
    part("of it: the signature and the transaction's bytes", "sign"),
    part("of it: from there to the node's answer", "answer"),
    part("the floor: signed before, a bare WebSocket", "floor"),
    part("ethers contract.done(), as it comes", "ethers"),
  ];
  return { rows, parts };
}

/** One request at a time over a socket without anything of ours: text in, text out. */
async function openBare(url: string): Promise<((text: string) => Promise<string>) & { close(): void }> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const ask = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.once("message", (data: Buffer) => {
        socket.removeListener("error", reject);
        resolve(data.toString());
      });
      socket.once("error", reject);
      socket.send(text);
    });
  return Object.assign(ask, { close: () => socket.terminate() });
}

async function measureCommits(journal: Journal, chain: Chain): Promise<{ rows: SendRow[]; commits: CommitRow[] }> {
  const wallet = new WalletManager(new Secret(Wallet.createRandom().privateKey));
  const account = await journal.claim(1, wallet.address, async () => ({ latest: 0, pending: 0 }));
  const { pool } = journal.db;
  await pool.query("create table if not exists bench_row (id bigint primary key, raw text not null)");
  const data = encodePlan(planOf(0));
  const to = chain.network.multicall3.address;
  const ours: number[] = [];
  const floor: number[] = [];
  let raw = "";
  for (let i = 0; i < COMMITS; i++) {
    // signed before: what is measured is the commit
    const ready = { ...TERMS, ...wallet.sign({ chainId: 1, nonce: i, to, data, value: 0n, ...TERMS }) };
    raw = ready.raw;
    let from = performance.now();
    await journal.prepare(account, `commit-${i}`, () => ready);
    ours.push(performance.now() - from);
    from = performance.now();
    await pool.query({ name: "bench-row", text: "insert into bench_row values ($1, $2)", values: [i, raw] });
    floor.push(performance.now() - from);
  }
  wallet.close();
  const [mine, least] = [ours.slice(100), floor.slice(100)];
  const commits: CommitRow[] = [
    { case: "journal.prepare", p50: rounded(at(mine, 0.5)), p99: rounded(at(mine, 0.99)), unit: "ms" },
    { case: "insert of one row", p50: rounded(at(least, 0.5)), p99: rounded(at(least, 0.99)), unit: "ms" },
  ];
  const row = (share: number): SendRow => ({
    case: `journal commit, p${share * 100}`,
    ours: rounded(at(mine, share)),
    peer: rounded(at(least, share)),
    peerName: "insert of one row with the same bytes",
    ratio: rounded(at(least, share) / at(mine, share)),
    unit: "ms",
  });
  return { rows: [row(0.5), row(0.99)], commits };
}

const at = (list: number[], share: number): number => list.toSorted((a, b) => a - b)[Math.floor(list.length * share)]!;
const median = (list: number[]): number => at(list, 0.5);
const rounded = (n: number, digits = 2): number => Number(n.toFixed(digits));
