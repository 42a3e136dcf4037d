import { expect } from "chai";
import { Semaphore, semaphores, Turns } from "../../src/transfers/turns.js";

const soon = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

describe("turns and slots: work of many trades that must not be done at once", () => {
  it("slots: so many at once and no more, in the order of their coming; what fails frees its own", async () => {
    const semaphore = new Semaphore(2);
    const begun: number[] = [];
    let now = 0;
    let most = 0;
    const ends = await Promise.allSettled(
      Array.from({ length: 7 }, async (_, i) =>
        semaphore.take(async () => {
          begun.push(i);
          most = Math.max(most, ++now);
          await soon();
          now--;
          if (i % 3 === 0) throw new Error(String(i));
          return i;
        }),
      ),
    );
    expect(most).to.equal(2);
    expect(begun).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    expect(ends.map((e) => e.status === "fulfilled")).to.deep.equal([false, true, true, false, true, true, false]);
    expect(await semaphore.take(async () => await Promise.resolve("free"))).to.equal("free");
    const of = semaphores(1);
    expect(of("a")).to.equal(of("a"));
    expect(of("a")).to.not.equal(of("b"));
  });

  it("turns: one after another by key, whatever the one before it gave", async () => {
    const turns = new Turns();
    const done: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      await soon();
      done.push(name);
      if (name === "a1") throw new Error(name);
    };
    await Promise.allSettled([turns.take("a", work("a1")), turns.take("a", work("a2")), turns.take("b", work("b1"))]);
    expect(done.filter((name) => name.startsWith("a"))).to.deep.equal(["a1", "a2"]);
    expect(done).to.include("b1");
  });
});
