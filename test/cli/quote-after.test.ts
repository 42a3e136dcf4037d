import { expect } from "chai";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { formatToken } from "../../src/config/format-token.js";
import { toJson } from "../../src/opportunity/schema.js";
import { type LocalChain, startLocalChain } from "../../src/sim/chain.js";
import { arb, jsonLines, type Run, temporaryFolder } from "../helpers/arb.js";
import { openVictim, opportunityBehind, type Victim } from "../helpers/pending.js";

describe("arb quote: behind a pending transaction", function () {
  this.timeout(60_000);
  const { folder: cwd, remove } = temporaryFolder();
  let local: LocalChain;
  let chain: Chain;
  let victim: Victim;
  let opportunity: object;

  before(async () => {
    local = await startLocalChain(1, { blockOrder: "fifo" });
    chain = await connectChain(local.network, [local.url], { local: true });
    victim = await openVictim(local);
    opportunity = toJson(await opportunityBehind({ local, chain }, victim), local.network);
    await local.setMining({ auto: false });
    write("arb.config.jsonc", { networks: { ethereum: { rpc: [local.url] } }, timeouts: { rpc: "30 s" } });
  });
  after(async () => {
    chain?.close();
    await local?.close();
    remove();
  });

  const write = (file: string, json: object): void => writeFileSync(path.join(cwd, file), JSON.stringify(json), { mode: 0o600 });
  /** Quotes of the same trade behind each of these, in one run. */
  const quote = async (afters: Record<string, unknown>, ...flags: string[]): Promise<Run> => {
    const list = Object.entries(afters).map(([id, after]) => ({ ...opportunity, id, ...(after === null ? {} : { after }) }));
    write("trades.json", list);
    const run = await arb(["quote", "trades.json", "--deployments", "deployments", ...flags], { cwd });
    expect([run.code, run.stderr]).to.deep.equal([0, ""]);
    return run;
  };

  it("gives what the pools will give once it has landed; without it, or where nobody has it, there is nothing", async () => {
    const { raw, hash } = await victim.swap();
    const [alone, unknown, behind] = jsonLines(await quote({ alone: null, unknown: hash, behind: { raw } }, "--json"));
    expect(alone).to.include({ status: "rejected" });
    expect(unknown).to.include({ status: "rejected", reason: "after-not-found" });
    expect(behind).to.include({ status: "quoted", opportunityId: "behind" });

    await local.rpc("eth_sendRawTransaction", [raw]);
    const profit = formatToken(local.network, local.network.wrappedNative, BigInt(behind!["profit"] as string));
    expect((await quote({ "by-hash": hash })).stdout).to.include(`by-hash: ${profit} profit before gas on Ethereum`);

    await local.rpc("evm_mine");
    const [landed] = jsonLines(await quote({ landed: null }, "--json"));
    for (const field of ["amountIn", "amountOut", "profit"]) expect(behind![field], field).to.equal(landed![field]);
  });
});
