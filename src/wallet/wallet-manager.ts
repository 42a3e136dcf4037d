import { inspect } from "node:util";
import { getBytes, type TransactionRequest, type TypedDataDomain, TypedDataEncoder, type TypedDataField } from "ethers";
import { IERC20__factory, IMulticall3__factory } from "../../types/contracts/index.js";
import type { Chain } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import type { Token } from "../config/network.js";
import { networkById } from "../config/networks.js";
import { Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { ETHER, formatAmount, type Unit } from "../units.js";
import { DEFAULT_GAS_BUFFER_PPM, estimateGas } from "./gas.js";
import { KeySigner, keyBytes } from "./key-signer.js";
import { loadKeystore } from "./keystore.js";
import { type FullTransaction, isLocal, type SignedTransaction, type Signer } from "./signer.js";

export type { FullTransaction, SignedTransaction } from "./signer.js";

export interface Balance {
  unit: Unit;
  /** Token contract; null for the native coin. */
  address: string | null;
  /** Base units; null when the token did not answer, which is not the same as zero. */
  amount: bigint | null;
  /** In human units: "1.5 USDC"; "unknown" when the token did not answer. */
  text: string;
}

export interface Balances {
  network: string;
  blockNumber: number;
  native: Balance;
  tokens: Balance[];
}

/**
 * One account on all networks: what it owns, what its transactions need, and their signatures. Where the key is, is its signer's
 * matter; toString, JSON and inspect show the address.
 */
export class WalletManager {
  readonly address: string;
  readonly #signer: Signer;

  /** A key as text is for local worlds and tests; real ones come by `fromKeystore`, or stay in a remote signer. */
  constructor(signer: Signer | Secret) {
    this.#signer = signer instanceof Secret ? new KeySigner(keyBytes(signer.reveal()) ?? new Uint8Array()) : signer;
    this.address = this.#signer.address;
  }

  /** Opens a keystore v3 file. Raises ArbError "secrets". */
  static async fromKeystore(path: string, password: Secret): Promise<WalletManager> {
    return new WalletManager(await loadKeystore(path, password));
  }

  /** Whether `sign` works: false where the key is in a remote signer. */
  get local(): boolean {
    return isLocal(this.#signer);
  }

  /**
   * Native and token balances of an account (default: this wallet) at one block, in one call where Multicall3 is there.
   * Raises ArbError "network".
   */
  async balances(chain: Chain, options: { tokens?: Token[]; account?: string } = {}): Promise<Balances> {
    const account = options.account ?? this.address;
    const tokens = options.tokens ?? chain.network.tokens;
    try {
      const hasMulticall = (await chain.provider.getCode(chain.network.multicall3.address)) !== "0x";
      const read = hasMulticall ? readByMulticall : readOneByOne;
      const { blockNumber, native, amounts } = await read(chain, account, tokens);
      return {
        network: chain.network.name,
        blockNumber,
        native: balance({ ...ETHER, symbol: chain.network.nativeSymbol }, null, native),
        tokens: tokens.map((t, i) => balance({ symbol: t.symbol, decimals: t.decimals }, t.address, amounts[i] ?? null)),
      };
    } catch (error) {
      const { kind, message } = classifyNodeError(error);
      throw new ArbError("network", `balances cannot be read (${kind}: ${message})`, {
        where: `${chain.network.name} ${chain.endpoint}`,
      });
    }
  }

  /**
   * Gas limit for a transaction: the node's estimate plus a buffer, never beyond the network's cap for one transaction.
   * Raises ArbError "reverted" (it would fail), "refused" (the estimate alone is beyond the cap), "network".
   */
  async gasLimit(chain: Chain, tx: TransactionRequest, bufferPpm = DEFAULT_GAS_BUFFER_PPM): Promise<bigint> {
    return (await estimateGas(chain, { ...tx, from: tx.from ?? this.address }, bufferPpm)).limit;
  }

  /**
   * Signs exactly what is given, without asking anybody. Raises ArbError "internal" when a field is missing or contradicts
   * another: such a transaction would be refused or lose money; and where the key is in a remote signer: use `signTransaction`.
   */
  sign(tx: FullTransaction): SignedTransaction {
    refuseFaults(tx);
    if (!isLocal(this.#signer))
      throw new ArbError("internal", `${this.#signer.kind} cannot sign at once`, { where: this.address });
    return this.#signer.signNow(tx);
  }

  /**
   * Signs typed data (EIP-712), as bridges want it for a change of a transfer. Raises ArbError "secrets" where the key is in a remote
   * signer, which signs transactions only.
   */
  signTypedData(domain: TypedDataDomain, types: Record<string, TypedDataField[]>, value: Record<string, unknown>): string {
    if (!isLocal(this.#signer))
      throw new ArbError("secrets", `${this.#signer.kind} signs transactions only`, {
        where: this.address,
        hint: "the transfer goes on without the speed-up",
      });
    return this.#signer.signDigest(getBytes(TypedDataEncoder.hash(domain, types, value)));
  }

  /** The same for every kind of signer. Raises also "network" (a remote signer did not answer) and "secrets" (it answered wrongly). */
  async signTransaction(tx: FullTransaction): Promise<SignedTransaction> {
    refuseFaults(tx);
    return isLocal(this.#signer) ? this.#signer.signNow(tx) : await this.#signer.signTransaction(tx);
  }

  /** Overwrites the key, closes connections. Nothing can be signed afterwards. */
  close(): void {
    this.#signer.close();
  }

  toString(): string {
    return `WalletManager(${this.address})`;
  }

  toJSON(): { address: string } {
    return { address: this.address };
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function refuseFaults(tx: FullTransaction): void {
  const fault = faultOf(tx);
  if (fault !== null)
    throw new ArbError("internal", `refused to sign: ${fault}`, { where: `chain ${tx.chainId}, nonce ${tx.nonce}` });
}

/** Why a transaction must not be signed; null when nothing speaks against it. */
function faultOf(tx: FullTransaction): string | null {
  const cap = networkById(tx.chainId)?.transactionGasCap ?? null;
  if (!Number.isSafeInteger(tx.chainId) || tx.chainId < 1) return "chainId is no positive integer";
  if (!Number.isSafeInteger(tx.nonce) || tx.nonce < 0) return "nonce is no integer";
  if (tx.to === null && tx.data === "0x") return "it has neither receiver nor code";
  if (tx.gasLimit < 21_000n) return "gasLimit is below 21000";
  if (cap !== null && tx.gasLimit > BigInt(cap)) return `gasLimit ${tx.gasLimit} is beyond the network's cap of ${cap}`;
  if (tx.maxFeePerGas <= 0n || tx.maxPriorityFeePerGas < 0n || tx.value < 0n) return "a fee or the value is negative";
  if (tx.maxPriorityFeePerGas > tx.maxFeePerGas) return "the tip is higher than the fee cap";
  return null;
}

interface Read {
  blockNumber: number;
  native: bigint;
  amounts: (bigint | null)[];
}

async function readByMulticall(chain: Chain, account: string, tokens: Token[]): Promise<Read> {
  const target = chain.network.multicall3.address;
  const multicall = IMulticall3__factory.connect(target, chain.provider);
  const erc20 = IERC20__factory.createInterface();
  const callData = erc20.encodeFunctionData("balanceOf", [account]);
  const results = await multicall.aggregate3.staticCall([
    { target, allowFailure: false, callData: multicall.interface.encodeFunctionData("getBlockNumber") },
    { target, allowFailure: false, callData: multicall.interface.encodeFunctionData("getEthBalance", [account]) },
    ...tokens.map((t) => ({ target: t.address, allowFailure: true, callData })),
  ]);
  const words = results.map((r) => (r.success && r.returnData.length === 66 ? BigInt(r.returnData) : null));
  const [block, native, ...amounts] = words;
  if (block === null || block === undefined || native === null || native === undefined)
    throw new Error("Multicall3 gave no block or balance");
  return { blockNumber: Number(block), native, amounts };
}

async function readOneByOne(chain: Chain, account: string, tokens: Token[]): Promise<Read> {
  const blockTag = await chain.provider.getBlockNumber();
  const native = chain.provider.getBalance(account, blockTag);
  const data = IERC20__factory.createInterface().encodeFunctionData("balanceOf", [account]);
  const amounts = tokens.map(async (t) => {
    const word = await chain.provider.call({ to: t.address, data, blockTag }).catch((error: unknown) => {
      if (classifyNodeError(error).kind === "reverted") return "0x";
      throw error;
    });
    return word.length === 66 ? BigInt(word) : null;
  });
  return { blockNumber: blockTag, native: await native, amounts: await Promise.all(amounts) };
}

const balance = (unit: Unit, address: string | null, amount: bigint | null): Balance => ({
  unit,
  address,
  amount,
  text: amount === null ? "unknown" : formatAmount(amount, unit),
});
