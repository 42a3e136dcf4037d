import { inspect } from "node:util";
import { computeAddress, SigningKey, Transaction, type TransactionRequest } from "ethers";
import { IERC20__factory, IMulticall3__factory } from "../../types/contracts/index.js";
import type { Chain } from "../chain/connect.js";
import { classifyNodeError } from "../chain/errors.js";
import type { Token } from "../config/network.js";
import { networkById } from "../config/networks.js";
import type { Secret } from "../config/secrets.js";
import { ArbError } from "../errors.js";
import { ETHER, formatAmount, type Unit } from "../units.js";
import { loadKeystore } from "./keystore.js";

/** An EIP-1559 transaction with nothing left to be filled in. Amounts in wei and gas. */
export interface FullTransaction {
  chainId: number;
  nonce: number;
  /** null creates a contract. */
  to: string | null;
  data: string;
  value: bigint;
  gasLimit: bigint;
  maxFeePerGas: bigint;
  maxPriorityFeePerGas: bigint;
}

export interface SignedTransaction {
  /** Bytes to broadcast. */
  raw: string;
  hash: string;
}

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

/** Share that is added to gas estimates, in parts per million. */
export const DEFAULT_GAS_BUFFER_PPM = 200_000;

/**
 * One key for all networks: what it owns, what its transactions need, and their signatures. The key is in a private field and
 * leaves it only into the signature; toString, JSON and inspect show the address.
 */
export class WalletManager {
  readonly address: string;
  readonly #key: SigningKey;

  /** For keys of local worlds and tests; real ones come by `fromKeystore`. */
  constructor(key: Secret) {
    try {
      this.#key = new SigningKey(key.reveal());
    } catch {
      // the library's message would hold the key
      throw new ArbError("secrets", "the wallet's key is no valid private key");
    }
    this.address = computeAddress(this.#key.publicKey);
  }

  /** Opens a keystore v3 file. Raises ArbError "secrets". */
  static async fromKeystore(path: string, password: Secret): Promise<WalletManager> {
    return new WalletManager((await loadKeystore(path, password)).key);
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
    return (await this.estimateGas(chain, tx, bufferPpm)).limit;
  }

  /** As `gasLimit`, with the node's own estimate beside it: what the transaction is expected to use. */
  async estimateGas(
    chain: Chain,
    tx: TransactionRequest,
    bufferPpm = DEFAULT_GAS_BUFFER_PPM,
  ): Promise<{ estimate: bigint; limit: bigint }> {
    let estimate: bigint;
    try {
      estimate = await chain.provider.estimateGas({ ...tx, from: tx.from ?? this.address });
    } catch (error) {
      const { kind, message, revertData } = classifyNodeError(error);
      if (kind === "gas-limit-exceeded") throw beyondCap(chain, message);
      throw new ArbError(kind === "reverted" ? "reverted" : "network", `gas cannot be estimated (${kind}: ${message})`, {
        where: `${chain.network.name}${revertData === null ? "" : `, revert data ${revertData}`}`,
      });
    }
    const cap = chain.network.transactionGasCap;
    if (cap !== null && estimate > BigInt(cap)) throw beyondCap(chain, `it needs ${estimate}`);
    const buffered = estimate + (estimate * BigInt(bufferPpm) + 999_999n) / 1_000_000n;
    return { estimate, limit: cap !== null && buffered > BigInt(cap) ? BigInt(cap) : buffered };
  }

  /**
   * Signs exactly what is given, without asking anybody. Raises ArbError "internal" when a field is missing or contradicts
   * another: such a transaction would be refused or lose money.
   */
  sign(tx: FullTransaction): SignedTransaction {
    const fault = faultOf(tx);
    if (fault !== null)
      throw new ArbError("internal", `refused to sign: ${fault}`, { where: `chain ${tx.chainId}, nonce ${tx.nonce}` });
    const { chainId, nonce, to, data, value, gasLimit, maxFeePerGas, maxPriorityFeePerGas } = tx;
    const full = Transaction.from({
      type: 2,
      chainId,
      nonce,
      to,
      data,
      value,
      gasLimit,
      maxFeePerGas,
      maxPriorityFeePerGas,
      accessList: [],
    });
    full.signature = this.#key.sign(full.unsignedHash);
    return { raw: full.serialized, hash: full.hash ?? "" };
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

function beyondCap(chain: Chain, detail: string): ArbError {
  const cap = chain.network.transactionGasCap;
  return new ArbError(
    "refused",
    `the transaction needs more gas than ${chain.network.title} allows for one (${cap ?? "its block limit"}): ${detail}`,
    {
      where: chain.network.name,
      hint: "take fewer hops",
    },
  );
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
