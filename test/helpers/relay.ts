import { Transaction, Wallet } from "ethers";
import type { LocalChain } from "../../src/sim/chain.js";
import { Secret } from "../../src/config/secrets.js";
import { relayById } from "../../src/submit/relays/builders.js";
import { openBundleClient } from "../../src/submit/relays/bundle-client.js";
import { type RelaySigner, relaySigner } from "../../src/submit/relays/signer.js";
import type { SignedBytes } from "../../src/submit/route.js";

export const GWEI = 10n ** 9n;
/** Reverts with Error("no") where the first word of calldata is 0, else pays its value to the builder. */
export const PAYER = "0x00000000000000000000000000000000000000c0";
// MSTORE(0, selector), (4, 0x20), (0x24, 2), (0x44, "no"), REVERT(0, 0x64)
const REVERT_NO = "6308c379a060e01b5f5260206004526002602452616e6f60f01b60445260645ffd";

/** Puts the contract that tests send to at its address. */
export async function placePayer(chain: LocalChain): Promise<void> {
  // CALLDATALOAD(0), PUSH1 pay, JUMPI, <revert>, pay: JUMPDEST, CALL(gas, coinbase, callvalue, 0, 0, 0, 0)
  const pay = (5 + REVERT_NO.length / 2).toString(16).padStart(2, "0");
  const code = `0x5f3560${pay}57${REVERT_NO}5b5f5f5f5f34415af100`;
  await chain.rpc("hardhat_setCode", [PAYER, code]);
}

export const OK = `0x${"01".padStart(64, "0")}`;
export const FAILS = "0x";

/** Signs transactions to the payer by one of the chain's accounts, counting their nonces. */
export class Account {
  readonly wallet: Wallet;

  constructor(
    readonly chain: LocalChain,
    index: number,
  ) {
    this.wallet = new Wallet(chain.keys[index]!);
  }

  async nonce(): Promise<number> {
    return Number(await this.chain.rpc<string>("eth_getTransactionCount", [this.wallet.address, "latest"]));
  }

  async sign(over: { nonce?: number; value?: bigint; data?: string; tip?: bigint; to?: string } = {}): Promise<SignedBytes> {
    const nonce = over.nonce ?? (await this.nonce());
    const raw = await this.wallet.signTransaction({
      type: 2,
      chainId: this.chain.network.chainId,
      to: over.to ?? PAYER,
      data: over.data ?? OK,
      value: over.value ?? 0n,
      gasLimit: 100_000n,
      maxFeePerGas: 100n * GWEI,
      maxPriorityFeePerGas: over.tip ?? GWEI,
      nonce,
    });
    return { raw, hash: Transaction.from(raw).hash!, from: this.wallet.address, nonce };
  }
}

export const newSigner = (): RelaySigner => relaySigner(new Secret(Wallet.createRandom().privateKey));

/** A client of a local relay that speaks like one of the list. */
export const client = (url: string, like = "flashbots", signer: RelaySigner = newSigner()) =>
  openBundleClient(url, relayById(like)!, signer);

export const head = async (chain: LocalChain): Promise<bigint> => BigInt(await chain.rpc<string>("eth_blockNumber"));

/** "mined", "reverted", or null where there is no receipt. */
export async function landed(chain: LocalChain, hash: string): Promise<"mined" | "reverted" | null> {
  const receipt = await chain.rpc<{ status: string } | null>("eth_getTransactionReceipt", [hash]);
  return receipt === null ? null : receipt.status === "0x1" ? "mined" : "reverted";
}
