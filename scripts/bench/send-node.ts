/** The node of `npm run bench -- send`, in a process of its own: a local Ethereum with a block every second. Says where it is, in JSON. */
import { ContractFactory, JsonRpcProvider, Wallet } from "ethers";
import { Tally__factory } from "../../types/contracts/index.js";
import { startLocalChain } from "../../src/sim/chain.js";

const local = await startLocalChain(1);
const provider = new JsonRpcProvider(local.url, 1, { staticNetwork: true });
const contract = await new ContractFactory(
  Tally__factory.abi,
  Tally__factory.bytecode,
  new Wallet(local.keys[2]!, provider),
).deploy();
await contract.waitForDeployment();
await local.setMining({ auto: false, intervalMs: 1_000 });
const { url, wsUrl, keys } = local;
process.stdout.write(`${JSON.stringify({ url, wsUrl, keys, tally: await contract.getAddress() })}\n`);
provider.destroy();
