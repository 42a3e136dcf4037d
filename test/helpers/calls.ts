import { dataLength, Interface } from "ethers";
import type { World } from "./pools.js";

/** A frame of the call tracer. */
interface Frame {
  type: string;
  from: string;
  to?: string;
  input: string;
  value?: string;
  calls?: Frame[];
}

/** Everything that an executor ever calls. */
const KNOWN = new Interface([
  "function balanceOf(address) view returns (uint256)",
  "function balanceOf(address,uint256) view returns (uint256)",
  "function allowance(address,address) view returns (uint256)",
  "function transfer(address,uint256)",
  "function approve(address,uint256)",
  "function deposit() payable",
  "function withdraw(uint256)",
  "function getReserves() view",
  "function slot0() view",
  "function getAmountOut(uint256,address) view",
  "function share() view",
  "function exttload(bytes32) view",
  "function swap(uint256,uint256,address,bytes)",
  "function swap(address,bool,int256,uint160,bytes)",
  "function swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)",
  "function swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256) payable",
  "function swap((uint8,address,address,address,uint256,uint256,bytes))",
  "function flash(address,uint256,uint256,bytes)",
  "function flashLoanSimple(address,address,uint256,bytes,uint16)",
  "function flashLoan(address,address[],uint256[],bytes)",
  "function flashLoan(address,uint256,bytes)",
  "function flashLoan(address,address,uint256,bytes)",
  "function unlock(bytes)",
  "function take(address,address,uint256)",
  "function sync(address)",
  "function settle() payable",
  "function settle(address,uint256)",
  "function sendTo(address,address,uint256)",
  "function mint(address,uint256,uint256)",
  "function burn(address,uint256,uint256)",
  "function exchange(int128,int128,uint256,uint256)",
  "function exchange(uint256,uint256,uint256,uint256)",
  "function exchange_underlying(int128,int128,uint256,uint256)",
  "function exchange_underlying(uint256,uint256,uint256,uint256)",
  "function exchange(uint256,uint256,uint256,uint256,bool) payable",
  "function deposit(uint256,address)",
  "function redeem(uint256,address,address)",
]);

/** Name, arguments and value of each call that an executor made in a transaction. Throws like `callsOf`. */
export async function argumentsOf(world: World, hash: string, executor = world.executorAddress) {
  return made(await traced(world, hash), executor.toLowerCase());
}

/**
 * The calls that an executor made in a transaction, as "STATICCALL balanceOf" and the like. Throws if one is not written as its ABI
 * says, to the byte: pools of today forgive a byte too many or a dirty one, a proxy or a stricter decoder need not.
 */
export async function callsOf(world: World, hash: string, executor = world.executorAddress): Promise<string[]> {
  return (await argumentsOf(world, hash, executor)).map(({ type, name }) => `${type} ${name}`);
}

async function traced(world: World, hash: string): Promise<Frame> {
  return (await world.provider.request({
    method: "debug_traceTransaction",
    params: [hash, { tracer: "callTracer" }],
  })) as Frame;
}

interface Made {
  type: string;
  name: string;
  args: unknown[];
  value: bigint;
}

function made(frame: Frame, executor: string): Made[] {
  const inside = (frame.calls ?? []).flatMap((call) => made(call, executor));
  if (frame.from.toLowerCase() !== executor || frame.input === "0x") return inside;
  const call = KNOWN.parseTransaction({ data: frame.input });
  if (call === null) throw new Error(`${executor} calls something unknown: ${frame.input}`);
  const written = KNOWN.encodeFunctionData(call.fragment, call.args);
  // behind the last bytes anything may stand, as long as it fills their word
  const last = call.fragment.inputs.at(-1)?.type === "bytes" ? dataLength(call.args.at(-1) as string) % 32 : 0;
  const cut = (data: string) => (last === 0 ? data : data.slice(0, 2 * last - 64));
  if (written.length !== frame.input.length || cut(written) !== cut(frame.input))
    throw new Error(`${call.name} is not written as its ABI says: ${frame.input}, not ${written}`);
  if ((call.fragment.stateMutability === "view") !== (frame.type === "STATICCALL")) {
    throw new Error(`${call.name} as ${frame.type}`);
  }
  // a number in Aave's event only
  if (call.name === "flashLoanSimple" && call.args[4] !== 0n) throw new Error("a referral code");
  return [{ type: frame.type, name: call.name, args: call.args.toArray(), value: BigInt(frame.value ?? 0) }, ...inside];
}
