import { expect } from "chai";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Contract, keccak256, Wallet } from "ethers";
import { artifacts, network as hardhat } from "hardhat";
import { type Chain, chainFromProvider } from "../../src/chain/connect.js";
import type { RpcPool } from "../../src/chain/pool.js";
import { networkById, NETWORKS } from "../../src/config/networks.js";
import { Secret } from "../../src/config/secrets.js";
import {
  type Artifact,
  CREATE2_PROXY_CODE,
  deployExecutor,
  type DeployRequest,
  planDeployment,
  SALT,
} from "../../src/deploy/deploy.js";
import { readDeployment } from "../../src/deploy/record.js";
import type { ArbError } from "../../src/errors.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";

const wallet = new WalletManager(new Secret("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
const owner = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const operators = [wallet.address, "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"];
const PROXY = "0x4e59b44847b379578588920cA78FbF26c0B4956C";

describe("deployExecutor", () => {
  let artifact: Artifact;
  let folder: string;
  before(async () => {
    artifact = await artifacts.readArtifact("DeployTarget");
  });
  beforeEach(() => (folder = mkdtempSync(path.join(os.tmpdir(), "deploy-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  interface World {
    chain: Chain;
    conn: any;
    setCode(address: string, code: string): Promise<void>;
    request(change?: Partial<DeployRequest>): DeployRequest;
  }

  async function world(chainId: number, proxyCode = CREATE2_PROXY_CODE): Promise<World> {
    const network = networkById(chainId)!;
    const chainType = network.stack === "op" ? "op" : network.stack === "l1" ? "l1" : "generic";
    const conn: any = await hardhat.create({ network: "default", chainType, override: { chainId } as any });
    const chain = await chainFromProvider(network, conn.ethers.provider, { local: true });
    const setCode = async (address: string, code: string): Promise<void> =>
      conn.provider.request({ method: "hardhat_setCode", params: [address, code] });
    await setCode(PROXY, proxyCode);
    return {
      chain,
      conn,
      setCode,
      request: (change = {}) => ({
        chain,
        wallet,
        artifact,
        arguments: { owner, operators },
        folder,
        fees: { priorityFee: 1n, patienceBlocks: 3, maxFeePerGas: null },
        deadlineMs: 2_000,
        pollMs: 5,
        now: () => new Date(0),
        ...change,
      }),
    };
  }

  async function refusal(run: Promise<unknown>): Promise<ArbError> {
    try {
      await run;
    } catch (error) {
      return error as ArbError;
    }
    throw new Error("was accepted");
  }

  it("gives one address on all eight networks, with each network's own immutables, and records it", async () => {
    const addresses = new Set<string>();
    for (const { chainId, name } of NETWORKS) {
      const { chain, conn, request } = await world(chainId);
      const { deployment, sent } = await deployExecutor(request());
      expect(sent).to.equal(true);
      addresses.add(deployment.address);
      const receipt = (await chain.provider.getTransactionReceipt(deployment.tx!))!;
      const code = await chain.provider.getCode(deployment.address);
      expect(readDeployment(folder, name)).to.deep.equal({
        address: planDeployment(artifact, { owner, operators }, PROXY).address,
        chainId,
        block: receipt.blockNumber,
        tx: receipt.hash,
        arguments: { owner, operators },
        salt: SALT,
        initCodeHash: planDeployment(artifact, { owner, operators }, PROXY).initCodeHash,
        codeHash: keccak256(code),
        deployedAt: "1970-01-01T00:00:00.000Z",
        previous: [],
      });
      const target = new Contract(deployment.address, artifact.abi, chain.provider) as any;
      expect([await target.owner(), await target.operator(), await target.chain()]).to.deep.equal([
        owner,
        operators[0],
        BigInt(chainId),
      ]);
      await conn.close();
    }
    expect(addresses.size).to.equal(1);
    expect(readdirSync(folder).length, "no temporary file is left").to.equal(8);
  });

  it("takes its nonce from two endpoints where two are configured, and sends nothing while they do not agree", async () => {
    const { chain, conn, request } = await world(1);
    type Counts = { latest: number; pending: number };
    const between = (...counts: Counts[]): Chain => {
      const list = counts.map(({ latest, pending }, i) => ({
        name: `node ${i + 1}`,
        send: async (_: string, [, tag]: readonly unknown[]) => `0x${(tag === "latest" ? latest : pending).toString(16)}`,
      }));
      return { ...chain, pool: { witnesses: () => ({ needed: 2, list }) } as unknown as RpcPool };
    };
    const nonce = await chain.provider.getTransactionCount(wallet.address);
    const same = { latest: nonce, pending: nonce };
    const lags = await refusal(deployExecutor(request({ chain: between(same, { latest: nonce + 1, pending: nonce + 1 }) })));
    expect(lags.code).to.equal("network");
    expect(lags.message).to.include(`node 1 counts ${nonce}, node 2 counts ${nonce + 1}`);
    const alone = await refusal(deployExecutor(request({ chain: between(same) })));
    expect(alone.message, "only one of them answers").to.include("do not agree");
    const waits = await refusal(deployExecutor(request({ chain: between(same, { latest: nonce, pending: nonce + 1 }) })));
    expect(waits).to.include({ code: "refused", message: "the wallet has 1 pending transactions" });
    expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(nonce);
    expect(await deployExecutor(request({ chain: between(same, same) }))).to.include({ sent: true });
    await conn.close();
  });

  it("sends nothing the second time, and finds the contract again when its record is lost", async () => {
    const { chain, conn, request } = await world(1);
    const first = await deployExecutor(request());
    const nonce = await chain.provider.getTransactionCount(wallet.address);
    const second = await deployExecutor(request());
    expect(second).to.deep.equal({ deployment: first.deployment, sent: false });
    rmSync(path.join(folder, "ethereum.json"));
    const found = await deployExecutor(request());
    expect(found.deployment).to.deep.equal({ ...first.deployment, block: null, tx: null, deployedAt: null });
    expect(await chain.provider.getTransactionCount(wallet.address)).to.equal(nonce);
    await conn.close();
  });

  it("refuses a changed contract or other operators unless replacing, and remembers what it replaced", async () => {
    const { conn, request } = await world(10);
    const old = await deployExecutor(request());
    const changed = request({ arguments: { owner, operators: [operators[1]!] } });
    const error = await refusal(deployExecutor(changed));
    expect(error).to.include({ code: "refused" });
    expect(error.message).to.include(old.deployment.address);
    const next = await deployExecutor({ ...changed, replace: true });
    expect(next.deployment.address).not.to.equal(old.deployment.address);
    expect(next.deployment.previous).to.deep.equal([old.deployment.address]);
    expect((await deployExecutor(changed)).deployment.previous).to.deep.equal([old.deployment.address]);
    await conn.close();
  });

  it("refuses foreign code at the address and records nothing", async () => {
    const { conn, request, setCode } = await world(8453);
    await setCode(planDeployment(artifact, { owner, operators }, PROXY).address, "0x6001");
    expect((await refusal(deployExecutor(request()))).message).to.match(/is not the executor's/);
    expect(existsSync(path.join(folder, "base.json"))).to.equal(false);
    await conn.close();
  });

  it("does not call an address foreign that a lagging node shows empty after the deployment", async () => {
    const w = await world(1);
    const { address } = planDeployment(artifact, { owner, operators }, PROXY);
    const lagging = new Proxy(w.chain.provider, {
      get: (target, key) => {
        if (key === "getCode") return async (a: string) => (a === address ? "0x" : target.getCode(a));
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const error = await refusal(deployExecutor(w.request({ chain: { ...w.chain, provider: lagging } })));
    expect(error).to.include({ code: "network" });
    expect((await deployExecutor(w.request())).sent, "found by the next run").to.equal(false);
  });

  it("refuses a missing and a foreign proxy, and says what to do", async () => {
    const { conn, request, setCode } = await world(42161, "0x");
    const missing = await refusal(deployExecutor(request()));
    expect(missing.message).to.match(/no CREATE2 proxy/);
    expect(missing.hint).to.match(/keyless transaction/);
    await setCode(PROXY, "0x6001");
    expect((await refusal(deployExecutor(request()))).message).to.match(/other code than the CREATE2 proxy/);
    await conn.close();
  });

  it("refuses a wallet without funds and says how much to send where", async () => {
    const { conn, request } = await world(1);
    const poor = new WalletManager(new Secret(Wallet.createRandom().privateKey));
    const error = await refusal(deployExecutor(request({ wallet: poor })));
    expect(error).to.include({ code: "refused" });
    expect(error.message).to.match(/has 0 ETH on Ethereum, the deployment needs up to 0\.\d+ ETH/);
    expect(error.hint).to.include(poor.address);
    await conn.close();
  });

  it("refuses another chain than the network's", async () => {
    const { chain, conn, request } = await world(1);
    const wrong = { ...chain, network: networkById(8453)! };
    expect(await refusal(deployExecutor(request({ chain: wrong })))).to.include({ code: "config" });
    await conn.close();
  });

  it("treats a missing receipt as unknown, and finishes when it is run again", async () => {
    const { chain, conn, request } = await world(1);
    await conn.provider.request({ method: "evm_setAutomine", params: [false] });
    const error = await refusal(deployExecutor(request({ deadlineMs: 20 })));
    expect(error).to.include({ code: "timeout" });
    expect(await refusal(deployExecutor(request()))).to.include({ code: "refused" }); // still pending
    await conn.provider.request({ method: "hardhat_mine", params: [] });
    const { deployment, sent } = await deployExecutor(request());
    expect(sent).to.equal(false);
    expect(await chain.provider.getCode(deployment.address)).not.to.equal("0x");
    await conn.close();
  });

  it("waits for the receipt when the node errs after it took the transaction", async () => {
    const { chain, conn, request } = await world(1);
    const losesAnswer = async (raw: string): Promise<never> => {
      await chain.provider.broadcastTransaction(raw);
      throw new Error("socket hang up");
    };
    const flaky = new Proxy(chain.provider, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (key === "broadcastTransaction") return losesAnswer;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    expect((await deployExecutor(request({ chain: { ...chain, provider: flaky } }))).sent).to.equal(true);
    await conn.close();
  });

  it("refuses impossible arguments and a damaged record", async () => {
    const plan = (o: string, ops: string[]) => (): unknown => planDeployment(artifact, { owner: o, operators: ops }, PROXY);
    expect(plan(owner.toLowerCase(), operators)).to.throw(/EIP-55/);
    expect(plan("0x0000000000000000000000000000000000000000", operators)).to.throw(/zero address/);
    expect(plan(owner, [])).to.throw(/one to four/);
    expect(plan(owner, [operators[0]!, operators[0]!])).to.throw(/twice/);
    expect(plan(owner, [owner])).to.throw(/owner cannot be an operator/);
    writeFileSync(path.join(folder, "base.json"), '{"address":');
    expect(() => readDeployment(folder, "base")).to.throw(/damaged/);
    expect(readFileSync(path.join(folder, "base.json"), "utf8")).to.equal('{"address":');
  });
});
