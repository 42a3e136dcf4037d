import { hexlify, randomBytes } from "ethers";
import { type Chain, connectChain } from "../../src/chain/connect.js";
import { Secret } from "../../src/config/secrets.js";
import type { Journal } from "../../src/journal/journal.js";
import type { Ownership } from "../../src/journal/owner.js";
import type { Exposure, Intent, JournaledAttempt, Signed } from "../../src/journal/types.js";
import type { Watched } from "../../src/journal/watch.js";
import type { LocalChain } from "../../src/sim/chain.js";
import { chainRoute } from "../../src/submit/relays/node.js";
import { WalletManager } from "../../src/wallet/wallet-manager.js";

export const FEES = { maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n };
export const PRIVATE = (lastBlock: bigint): Exposure => ({ visibility: "private", lastBlock });

/** A transfer of 1 wei to nobody in particular. */
export const signer =
  (wallet: WalletManager, change: Partial<Signed & { value: bigint; to: string }> = {}) =>
  (nonce: number): Signed => {
    const terms = { ...FEES, gasLimit: 21_000n };
    const { to = `0x${"77".repeat(20)}`, value = 1n, ...fees } = change;
    const tx = { chainId: 1, nonce, to, data: "0x", value, ...terms, ...fees };
    return { ...terms, ...fees, ...wallet.sign(tx) };
  };

export const newWallet = (): WalletManager => new WalletManager(new Secret(hexlify(randomBytes(32))));
export const ZERO = async () => ({ latest: 0, pending: 0 });

/** A funded account on a local chain whose blocks come by hand, claimed by a journal. */
export interface Site {
  local: LocalChain;
  chain: Chain;
  wallet: WalletManager;
  account: Ownership;
  watched: Watched;
  prepare(id: string | Intent, exposure?: Exposure, change?: Parameters<typeof signer>[1]): Promise<JournaledAttempt>;
  send(attempt: JournaledAttempt): Promise<void>;
  mine(): Promise<void>;
}

export async function openSite(local: LocalChain, journal: Journal): Promise<Site> {
  const chain = await connectChain(local.network, [local.url], { local: true });
  const wallet = newWallet();
  await local.rpc("hardhat_setBalance", [wallet.address, "0xde0b6b3a7640000"]);
  const account = await journal.claim(1, wallet.address, ZERO);
  const route = chainRoute(chain);
  const send = async (attempt: JournaledAttempt) => {
    const { raw, hash, account: from, nonce } = attempt;
    await journal.noteSend(hash, route.id, await route.send({ raw, hash, from, nonce }, { deadlineMs: 5_000 }));
  };
  const network = { ...local.network, finality: { blocks: 8, source: "test" } };
  return {
    local,
    chain,
    wallet,
    account,
    send,
    watched: { journal, ownership: account, network, provider: chain.provider, resend: send },
    prepare: async (id, exposure, change) => await journal.prepare(account, id, signer(wallet, change), exposure),
    mine: async () => void (await local.rpc("evm_mine")),
  };
}
