export * from "./inventory.js";
export * from "./rebalance.js";
