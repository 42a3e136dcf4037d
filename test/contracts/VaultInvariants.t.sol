// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {TestBase} from "./TestBase.sol";
import {VaultHandler} from "./VaultHandler.sol";

/// @dev The fuzzer knows contracts of the test's own file only.
contract Handler is VaultHandler {}

/// @notice Over any sequence of an operator's calls, of time and of prices: what the vault and its twin are worth by the oracle falls by no
/// more than the bounds of markets and routes allow for what was used, and no more is used in a day than twice the limit.
contract ArbVaultInvariants is TestBase {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    /// @dev Read by the fuzzer: it calls these contracts only.
    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_aThiefTakesNoMoreThanTheBounds() public view {
        assertTrue(bytes(handler.broken()).length == 0, handler.broken());
        assertGe(handler.allowed(), handler.lost(), "lost above allowed");
    }

    /// @dev The invariant would hold if nothing ever happened: swaps and transfers land, some at a loss, and hooks try.
    function test_theThiefGetsThingsDone() public {
        for (uint256 i = 1; i <= 400; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 10 == 0) handler.setHook(seed);
            handler.swap(seed, seed >> 7);
            handler.send(seed >> 3, seed >> 9, seed >> 11);
            handler.trespass(seed >> 5, i % 2 == 0);
            if (i % 5 == 0) handler.movePool(seed);
            if (i % 3 == 0) handler.wait_(seed >> 13);
            if (i % 40 == 0) handler.configure(seed);
        }
        assertGe(handler.swaps(), 50, "swaps that landed");
        assertGe(handler.transfers(), 50, "transfers that landed");
        assertGe(handler.refused(), 50, "calls that were refused");
        assertGe(handler.intruder().attempts(), 100, "attempts of the hook");
        assertGe(handler.lost(), 1, "value lost");
        invariant_aThiefTakesNoMoreThanTheBounds();
    }
}
