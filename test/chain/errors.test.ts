import { expect } from "chai";
import { makeError } from "ethers";
import { classifyNodeError, endpointName, type NodeErrorKind, withoutUrls } from "../../src/chain/errors.js";

describe("classifyNodeError", () => {
  const said: [string, NodeErrorKind][] = [
    ["nonce too low: next nonce 5, tx nonce 4", "nonce-too-low"],
    ["Nonce too low. Expected nonce to be 3 but got 2.", "nonce-too-low"],
    ["nonce too high", "nonce-too-high"],
    ["insufficient funds for gas * price + value: balance 0, tx cost 21000", "insufficient-funds"],
    [
      "Sender doesn't have enough funds to send tx. The max upfront cost is: 5 and the sender's balance is: 0.",
      "insufficient-funds",
    ],
    ["replacement transaction underpriced", "replacement-underpriced"],
    ["transaction underpriced: tip needed 1, tip permitted 0", "underpriced"],
    ["max fee per gas less than block base fee: address 0x.., maxFeePerGas: 1, baseFee: 7", "fee-below-base-fee"],
    ["Transaction maxFeePerGas (1) is too low for the next block, which has a baseFeePerGas of 7", "fee-below-base-fee"],
    ["already known", "already-known"],
    ["Known transaction: ab12", "already-known"],
    ["intrinsic gas too low: gas 20000, minimum needed 21000", "intrinsic-gas-too-low"],
    ["exceeds block gas limit", "gas-limit-exceeded"],
    ["execution reverted: NotProfitable", "reverted"],
    ["the method eth_sendBundle does not exist/is not available", "unsupported-method"],
    ["429 Too Many Requests", "rate-limited"],
    ["request timeout", "timeout"],
    ["connect ECONNREFUSED 127.0.0.1:8545", "unreachable"],
    ["the sequencer had a bad day", "unknown"],
  ];
  for (const [message, kind] of said)
    it(`"${message.slice(0, 50)}" is ${kind}`, () => {
      expect(classifyNodeError(new Error(message)).kind).to.equal(kind);
      // as ethers wraps it
      const wrapped = makeError("could not coalesce error", "UNKNOWN_ERROR", { error: { code: -32000, message } } as any);
      expect(classifyNodeError(wrapped).kind).to.equal(kind);
    });

  it("keeps the revert data however deep it lies", () => {
    const data = "0x08c379a0" + "00".repeat(64);
    expect(classifyNodeError({ error: { code: 3, message: "execution reverted", data } }).revertData).to.equal(data);
    expect(classifyNodeError({ info: { error: { message: "oops", data: { data } } } })).to.deep.include({
      kind: "reverted",
      revertData: data,
    });
    expect(classifyNodeError(new Error("execution reverted")).revertData).to.equal(null);
  });

  it("never shows the path of an endpoint, where access keys are", () => {
    const url = "https://rpc.example.org:8443/v2/SECRETKEY?apikey=SECRETKEY";
    expect(withoutUrls(`failed at ${url}, sorry`)).to.equal("failed at rpc.example.org:8443 sorry");
    const error = makeError("server response 500", "SERVER_ERROR", {
      request: { url } as any,
      response: undefined as any,
      info: { requestUrl: url } as any,
    });
    expect(JSON.stringify(classifyNodeError(error))).not.to.include("SECRETKEY");
    expect(endpointName("not a url SECRETKEY")).not.to.include("SECRETKEY");
  });
});
