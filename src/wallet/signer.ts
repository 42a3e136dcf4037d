/** What signs for one account, wherever its key is. One implementation per file. */

export interface AccessListEntry {
  address: string;
  storageKeys: string[];
}

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
  /** EIP-2930; absent is an empty list. */
  accessList?: AccessListEntry[];
}

export interface SignedTransaction {
  /** Bytes to broadcast. */
  raw: string;
  hash: string;
}

export interface Signer {
  /** Where the key is, for messages: "key" or the host of a remote signer. */
  readonly kind: string;
  /** EIP-55. */
  readonly address: string;
  /**
   * The signature of exactly these fields. Raises ArbError "internal" (fields that cannot be written), "secrets" (the signer is
   * closed, or answered with something else), "network" (a remote signer that did not answer in time).
   */
  signTransaction(tx: FullTransaction): Promise<SignedTransaction>;
  /** Forgets the key. Nothing can be signed afterwards. */
  close(): void;
}

/** A signer that has the key in this process and so needs to wait for nobody. */
export interface LocalSigner extends Signer {
  signNow(tx: FullTransaction): SignedTransaction;
  /** r, s and v (27 or 28) over 32 bytes that the program itself has made (EIP-712). Never of bytes that came from outside. */
  signDigest(digest: Uint8Array): string;
}

export const isLocal = (signer: Signer): signer is LocalSigner => "signNow" in signer;
