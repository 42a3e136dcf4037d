import { expect } from "chai";
import type { Database } from "../../src/database/open.js";
import type { Order, Senders } from "../../src/transfers/senders.js";
import { IERC20__factory } from "../../types/contracts/index.js";
import { journalDatabase } from "../helpers/journal.js";
import { A, ACCOUNT, scriptedSaga, type ScriptedSite } from "../helpers/scripted-saga.js";

const isRevocation = ({ call }: Order): boolean =>
  call.data.startsWith(IERC20__factory.createInterface().getFunction("approve").selector) &&
  BigInt(`0x${call.data.slice(74)}`) === 0n;

describe("what failed steps let others take", function () {
  this.timeout(60_000);
  let db: Database;
  let site: ScriptedSite;
  let at: { chainId: number; token: string; spender: string };
  const owner = { saga: "actions", account: ACCOUNT, workflow: "saga/actions" };

  before(async () => {
    db = await journalDatabase();
    site = await scriptedSaga(db, "actions");
    [site.world.routers, site.world.allowances] = [true, new Map()];
    at = { chainId: A, token: site.opportunity.buy.tokenIn, spender: `0x${"b4".repeat(20)}` };
  });
  after(async () => await db.close());

  it("is not taken back while another trade is between its approval and its call", async () => {
    const { actions } = site.env;
    const senders = actions.senders as { -readonly [K in keyof Senders]: Senders[K] };
    const made: string[] = [];
    const live = senders.execute;
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    const approved = new Promise<void>((resolve) => {
      senders.execute = async (order, deadlineMs) => {
        const end = await live(order, deadlineMs);
        made.push(isRevocation(order) ? "taken back" : order.call.to === at.token ? "approved" : "swapped");
        if (made.at(-1) === "approved") {
          resolve();
          await gate;
        }
        return end;
      };
    });
    const wish = { leg: "buy", chainId: A, tokenIn: at.token, tokenOut: site.opportunity.buy.tokenOut, amountIn: 10n ** 9n };
    const swapping = actions.swap(owner, { ...wish, floor: 0n, preferred: null, exceptPools: [] });
    await approved;
    const revoking = actions.revoke({ ...owner, saga: "another" }, "revoke.0", at);
    go();
    expect([(await swapping).status, await revoking]).to.deep.equal(["done", true]);
    expect(made).to.deep.equal(["approved", "swapped", "taken back"]);
    senders.execute = live;
  });

  it("is told where it cannot be taken back", async () => {
    const { actions } = site.env;
    const told: string[] = [];
    Object.assign(actions.senders, { onFault: (error: Error) => told.push(error.message) });
    site.world.allowances!.set(`${A} ${at.token.toLowerCase()}`, 5n);
    const revert = site.world.execute.bind(site.world);
    site.world.execute = (order) =>
      isRevocation(order) ? { status: "failed", detail: "reverted in 0xab", sent: true } : revert(order);
    expect(await actions.revoke(owner, "revoke.1", at)).to.equal(true);
    expect(told.join()).to.match(/may still take 0x[0-9a-f]+.*: reverted in 0xab/i);
  });
});
