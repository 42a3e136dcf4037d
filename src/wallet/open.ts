import path from "node:path";
import type { Config, WalletConfig } from "../config/load.js";
import { readSecret, type Secret } from "../config/secrets.js";
import { loadKeystore } from "./keystore.js";
import { RemoteSigner } from "./remote-signer.js";
import { WalletManager } from "./wallet-manager.js";

/**
 * Opens an account: decrypts its keystore, or asks its remote signer whether it has it. Raises ArbError "secrets", "config" (the
 * signer has another account), "network" (it does not answer).
 */
export async function openWallet(wallet: WalletConfig, mode: Config["mode"]): Promise<WalletManager> {
  const at = wallet.name === "wallet" ? "wallet" : `wallets.${wallet.name}`;
  const read = async (reference: string, field: string, prompt: string): Promise<Secret> =>
    await readSecret(reference, { allowEnv: mode === "dry-run", prompt, where: `${at}.${field}` });
  if (wallet.kind === "keystore") {
    const password = await read(wallet.password, "password", `Password of ${path.basename(wallet.keystore)}`);
    return new WalletManager(await loadKeystore(wallet.keystore, password));
  }
  const { url, address, token, tls, authority, timeoutMs } = wallet;
  const signer = new RemoteSigner({
    url,
    address,
    timeoutMs,
    token: token === null ? null : await read(token, "token", "Token of the remote signer"),
    tls: {
      ...(tls === null ? {} : { certificate: await read(tls.certificate, "clientCertificate", "Certificate") }),
      ...(tls === null ? {} : { key: await read(tls.key, "clientKey", "Key of the certificate") }),
      ...(authority === null ? {} : { authority: await read(authority, "authority", "Certificate of the authority") }),
    },
  });
  try {
    await signer.check();
  } catch (error) {
    signer.close();
    throw error;
  }
  return new WalletManager(signer);
}

/** Opens every account that an enabled network uses, one after another: each may ask for its password. */
export async function openWallets(config: Pick<Config, "wallets" | "networks" | "mode">): Promise<Map<string, WalletManager>> {
  const used = new Set(config.networks.flatMap(({ wallets }) => wallets));
  const opened = new Map<string, WalletManager>();
  try {
    for (const [name, wallet] of config.wallets) if (used.has(name)) opened.set(name, await openWallet(wallet, config.mode));
  } catch (error) {
    for (const wallet of opened.values()) wallet.close();
    throw error;
  }
  return opened;
}
