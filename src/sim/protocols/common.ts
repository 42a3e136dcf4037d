import { Interface, toQuantity } from "ethers";
import { ArbError } from "../../errors.js";
import { EXTRACTS, packageText } from "../artifacts.js";
import { place, type Site } from "../site.js";

/**
 * The keyless transaction that creates the CREATE2 proxy on every network: its signature is made up, so nobody has the
 * sender's key. Source: Arachnid/deterministic-deployment-proxy.
 */
const CREATE2_PROXY = {
  sender: "0x3fAB184622Dc19b6109349B94811493BF2a45362",
  cost: 10n ** 16n, // 100,000 gas at 100 gwei
  transaction:
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffff" +
    "ffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba0222222222222222222222222222222" +
    "2222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222",
};

/** The CREATE2 proxy, by its real transaction. */
export async function placeCreate2Proxy(site: Site): Promise<void> {
  await site.rpc("hardhat_setBalance", [CREATE2_PROXY.sender, toQuantity(CREATE2_PROXY.cost)]);
  await site.rpc("eth_sendRawTransaction", [CREATE2_PROXY.transaction]);
  const at = site.network.create2Proxy.address;
  const code = await site.rpc<string>("eth_getCode", [at, "latest"]);
  if (code === "0x") throw new ArbError("internal", `the CREATE2 proxy did not appear at ${at}`);
}

/** Multicall3, from viem's copy of its creation code. */
export async function placeMulticall3(site: Site): Promise<void> {
  const code = find(`${EXTRACTS.viem}/contracts.js`, /multicall3Bytecode = '(0x[0-9a-f]+)'/);
  await place(site, site.network.multicall3.address, { abi: new Interface([]), bytecode: code, linkReferences: {} });
}

/** Permit2, whose published runtime code works on every chain: it recomputes its domain separator where the chain id differs. */
export async function placePermit2(site: Site): Promise<void> {
  const code = find(`${EXTRACTS.permit2}/DeployPermit2.sol`, /hex"([0-9a-f]+)"/);
  await site.rpc("hardhat_setCode", [site.network.permit2.address, `0x${code}`]);
  await site.rpc("hardhat_setNonce", [site.network.permit2.address, "0x1"]);
}

function find(file: string, pattern: RegExp): string {
  const code = pattern.exec(packageText(file))?.[1];
  if (code === undefined) throw new ArbError("internal", `no bytecode in ${file}`);
  return code;
}
