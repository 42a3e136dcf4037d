// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ArbExecutor} from "../../contracts/ArbExecutor.sol";
import {InvariantHandler} from "./InvariantHandler.sol";
import {TestBase} from "./TestBase.sol";

/// @dev The fuzzer knows contracts of the test's own file only.
contract Handler is InvariantHandler {
    function _deploy(address owner, address[] memory operators) internal override returns (address) {
        return address(new ArbExecutor(owner, operators));
    }
}

/// @notice Over any sequence of plans and attacks: no balance of the executor falls but by the owner's rescue, no allowance stays,
/// nothing of a call is left for the next one, and roles change by their rules only. The number of calls is set by
/// INVARIANT_CALLS, see hardhat.config.ts.
contract ArbExecutorInvariants is TestBase {
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
    function invariant_everyPromiseIsKept() public view {
        assertTrue(bytes(handler.broken()).length == 0, handler.broken());
        assertTrue(handler.allowsNobody(), "an allowance stayed");
    }

    /// @dev The invariant would hold if nothing ever happened: plans of each funding land, hooks try, hostile plans land.
    function test_theHandlerGetsThingsDone() public {
        for (uint256 i = 1; i <= 600; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 10 == 0) handler.setHook(0, uint8(i / 10));
            handler.trade(seed, seed >> 7, 0);
            handler.v4Cycle(seed, seed >> 7, 0);
            uint96[3] memory amounts = [uint96(seed), uint96(seed >> 96), uint96(seed >> 160)];
            handler.hostilePlan(seed, uint96(seed >> 3), amounts, 0);
            handler.movePrice(seed >> 9, seed);
        }
        for (uint256 i = 0; i < 4; ++i) assertGe(handler.landed(i), 20, "plans that landed");
        assertGe(handler.guardedLanded(), 20, "plans with guards that landed");
        assertGe(handler.v4Landed(), 20, "V4 cycles that landed");
        assertGe(handler.hostileLanded(), 10, "hostile plans that landed");
        assertGe(handler.operatorHook().attempts(), 100, "attempts of the operator's hook");
        assertGe(handler.ownerHook().attempts(), 100, "attempts of the owner's hook");
        invariant_everyPromiseIsKept();
    }
}
