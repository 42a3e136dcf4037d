import { AbiCoder, dataSlice, getAddress, Interface, toBeHex, toQuantity, ZeroAddress, ZeroHash } from "ethers";
import { LocalBridgedToken__factory, LocalDisputeGame__factory } from "../../../types/contracts/index.js";
import { outputRoot } from "../../bridges/op-standard-abi.js";
import { findToken } from "../../config/networks.js";
import { OP_PREDEPLOYS, opStandardFacts } from "../../config/op-standard.js";
import { ArbError } from "../../errors.js";
import { artifact, EXTRACTS, ownArtifact } from "../artifacts.js";
import { deploy, invoke, place, type Site } from "../site.js";

const bedrock = (name: string) => artifact(`${EXTRACTS.opStack}/${name}.sol/${name}.json`);

/** Delays of the portals of OP Mainnet, seconds. */
export const PROOF_MATURITY = 7 * 24 * 3600;
export const GAME_FINALITY = 3.5 * 24 * 3600;
const GAME_TYPE = 0;
const ESTIMATION = "0x0000000000000000000000000000000000000001";
const ETHER = "0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE";
const RESOURCES = [20_000_000, 10, 8, 10n ** 9n, 1_000_000, 2n ** 128n - 1n];
const deposited = new Interface([
  "event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData)",
]);

/** The layer 2's sequencer, which takes deposits over, and the proposer of claims about its state. Nothing happens by itself. */
export interface LocalOpStandard {
  /** Executes the deposits of the last steps on the layer 2, all but those that are held back. Gives their transactions. */
  step(): Promise<string[]>;
  /** Keeps the next deposits for a later step. */
  hold(times?: number): void;
  /** Claims the state of the layer 2's newest block, or something false. Gives the game's address. */
  propose(claim?: "true" | "false"): Promise<string>;
  /** Ends a game. */
  resolve(game: string, outcome: "stands" | "falls"): Promise<void>;
  pause(paused: boolean): Promise<void>;
}

/**
 * The OP Stack's own contracts between two chains: bridge and portal at their real addresses on Ethereum, the predeploys on the layer 2.
 * The bridged tokens and the dispute games are stand-ins.
 */
export async function startLocalOpStandard(l1: Site, l2: Site): Promise<LocalOpStandard> {
  const facts = opStandardFacts(l2.network.chainId);
  if (!facts || l1.network.chainId !== facts.l1ChainId)
    throw new ArbError("usage", "no standard bridge between these chains", { where: `${l1.network.name}, ${l2.network.name}` });
  const [at, portal] = [facts.l1Bridge.address, facts.portal.address];
  const superchain = await deployFresh(l1, "SuperchainConfig");
  await invoke(l1, superchain, bedrock("SuperchainConfig"), "initialize", [l1.owner, false]);
  const config = await deployFresh(l1, "SystemConfig");
  const addresses = [ZeroAddress, ZeroAddress, at, ZeroAddress, portal, ZeroAddress, ETHER];
  const settings = [l1.owner, 1368, 810949, ZeroHash, 60_000_000, l1.owner, RESOURCES, l1.owner, addresses];
  await invoke(l1, config, bedrock("SystemConfig"), "initialize", settings);
  const factory = await deployFresh(l1, "DisputeGameFactory");
  await invoke(l1, factory, bedrock("DisputeGameFactory"), "initialize", [l1.owner]);
  const game = await deploy(l1, ownArtifact(LocalDisputeGame__factory));
  await invoke(l1, factory, bedrock("DisputeGameFactory"), "setImplementation", [GAME_TYPE, game]);
  const messenger = await deployFresh(l1, "L1CrossDomainMessenger");
  await placeFresh(l1, portal, "OptimismPortal2", [PROOF_MATURITY, GAME_FINALITY]);
  await invoke(l1, portal, bedrock("OptimismPortal2"), "initialize", [factory, config, superchain, GAME_TYPE]);
  await invoke(l1, messenger, bedrock("L1CrossDomainMessenger"), "initialize", [superchain, portal, config]);
  await placeFresh(l1, at, "L1StandardBridge");
  await invoke(l1, at, bedrock("L1StandardBridge"), "initialize", [messenger, superchain, config]);

  await placeFresh(l2, OP_PREDEPLOYS.messenger, "L2CrossDomainMessenger");
  await invoke(l2, OP_PREDEPLOYS.messenger, bedrock("L2CrossDomainMessenger"), "initialize", [messenger]);
  await placeFresh(l2, OP_PREDEPLOYS.bridge, "L2StandardBridge");
  await invoke(l2, OP_PREDEPLOYS.bridge, bedrock("L2StandardBridge"), "initialize", [at]);
  await placeFresh(l2, OP_PREDEPLOYS.messagePasser, "L2ToL1MessagePasser");
  for (const symbol of facts.tokens) {
    const [token, remote] = [findToken(l2.network, symbol), findToken(l1.network, symbol)];
    if (!token || !remote || token.address === l2.network.wrappedNative) continue;
    const bridged = ownArtifact(LocalBridgedToken__factory);
    const args = [`Local ${symbol}`, symbol, token.decimals, l2.owner, remote.address, OP_PREDEPLOYS.bridge];
    await place(l2, token.address, bridged, args);
  }

  // eth_call from there tells whether a relay fails, and a local node asks for the gas money first
  for (const site of [l1, l2]) await site.rpc("hardhat_setBalance", [ESTIMATION, toQuantity(10n ** 18n)]);
  let next = Number(await l1.rpc<string>("eth_blockNumber")) + 1;
  let held = 0;
  let open: { from: string; to: string; opaque: string }[] = [];
  const seen = new Set<string>();
  return {
    hold: (times = 1) => void (held += times),
    step: async () => {
      const head = Number(await l1.rpc<string>("eth_blockNumber"));
      if (head + 1 < next) next = Math.max(0, head - 64); // the chain was set back
      const topics = [deposited.getEvent("TransactionDeposited")!.topicHash];
      const filter = { address: portal, topics, fromBlock: toQuantity(next), toBlock: toQuantity(head) };
      const logs = await l1.rpc<{ topics: string[]; data: string; transactionHash: string; logIndex: string }[]>("eth_getLogs", [
        filter,
      ]);
      next = head + 1;
      for (const log of logs) {
        const name = `${log.transactionHash} ${log.logIndex}`;
        if (seen.has(name)) continue;
        seen.add(name);
        const { from, to, opaqueData } = deposited.parseLog(log)!.args as unknown as {
          from: string;
          to: string;
          opaqueData: string;
        };
        open.push({ from, to, opaque: opaqueData });
      }
      const kept = open.slice(0, held);
      const taken = open.slice(held);
      held = 0;
      open = kept;
      const hashes: string[] = [];
      for (const each of taken) hashes.push(await execute(l2, each));
      return hashes;
    },
    propose: async (claim = "true") => {
      await l2.rpc("hardhat_mine", ["0x1"]); // no two claims of the same state
      const block = await l2.rpc<{ number: string; hash: string; stateRoot: string }>("eth_getBlockByNumber", ["latest", false]);
      const { storageHash } = await l2.rpc<{ storageHash: string }>("eth_getProof", [
        OP_PREDEPLOYS.messagePasser,
        [],
        block.number,
      ]);
      const root = claim === "true" ? outputRoot(block.stateRoot, storageHash, block.hash) : toBeHex(1n, 32);
      const extra = AbiCoder.defaultAbiCoder().encode(["uint256"], [block.number]);
      const abi = bedrock("DisputeGameFactory");
      const made = await invoke(l1, factory, abi, "create", [GAME_TYPE, root, extra]);
      const topic = abi.abi.getEvent("DisputeGameCreated")!.topicHash;
      await l1.rpc("evm_increaseTime", [toQuantity(l1.network.blockTimeMs / 1000)]); // proofs are younger than their games
      return getAddress(dataSlice(made.logs.find((log) => log.topics[0] === topic)!.topics[1]!, 12));
    },
    resolve: async (of, outcome) => {
      await invoke(l1, of, ownArtifact(LocalDisputeGame__factory), "resolveAs", [outcome === "stands" ? 2 : 1]);
    },
    pause: async (paused) => {
      await invoke(l1, superchain, bedrock("SuperchainConfig"), paused ? "pause" : "unpause", paused ? ["local"] : []);
    },
  };
}

/** A deposited transaction: mint, value, gas limit, is-creation, data (specification, Deposits). A contract's address comes aliased. */
async function execute(l2: Site, { from, to, opaque }: { from: string; to: string; opaque: string }): Promise<string> {
  const mint = BigInt(dataSlice(opaque, 0, 32));
  const balance = BigInt(await l2.rpc<string>("eth_getBalance", [from, "latest"]));
  const gasMoney = 10n ** 18n;
  await l2.rpc("hardhat_setBalance", [from, toQuantity(balance + mint + gasMoney)]);
  await l2.rpc("hardhat_impersonateAccount", [from]);
  const tx = {
    from,
    to,
    value: toQuantity(BigInt(dataSlice(opaque, 32, 64))),
    gas: toQuantity(BigInt(dataSlice(opaque, 64, 72))),
    data: dataSlice(opaque, 73),
    maxFeePerGas: toQuantity(10n ** 11n),
    maxPriorityFeePerGas: "0x0",
  };
  const hash = await l2.rpc<string>("eth_sendTransaction", [tx]);
  await l2.rpc("hardhat_stopImpersonatingAccount", [from]);
  return hash;
}

/** As its proxy sees it: what the constructor initialised to lock the implementation is open again. */
async function unlock(site: Site, address: string): Promise<void> {
  await site.rpc("hardhat_setStorageAt", [address, "0x0", ZeroHash]);
}

async function deployFresh(site: Site, name: string): Promise<string> {
  const address = await deploy(site, bedrock(name));
  await unlock(site, address);
  return address;
}

async function placeFresh(site: Site, address: string, name: string, args: readonly unknown[] = []): Promise<void> {
  await place(site, address, bedrock(name), args);
  await unlock(site, address);
}
