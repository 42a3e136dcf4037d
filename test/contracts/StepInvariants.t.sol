// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {StepExecutor} from "../../contracts/StepExecutor.sol";
import {VaultMock} from "../mocks/StepPools.sol";
import {TestToken} from "../mocks/Tokens.sol";
import {InvariantHandler} from "./InvariantHandler.sol";
import {HostileAll, StepPlans} from "./StepPlans.sol";
import {TestBase} from "./TestBase.sol";

/// @dev The fuzzer knows contracts of the test's own file only.
contract StepHandler is InvariantHandler, StepPlans {
    TestToken private immutable extra;
    /// @dev Of the token and the vault's shares that only plans of steps pay.
    uint256[2] private extraFloors;
    uint256 public stepsLanded;
    uint256 public hostileStepsLanded;

    constructor() {
        extra = new TestToken("E");
        VaultMock vault = new VaultMock(TestToken(address(extra)));
        share = address(vault);
        extra.mint(address(this), 1000 ether);
        extra.approve(share, 1000 ether);
        vault.deposit(1000 ether, address(executor));
        extra.mint(address(executor), 1000 ether);
        held = [address(tokens[1]), address(tokens[2]), address(extra), WETH];
        for (uint256 i = 0; i < 3; ++i) hostiles[i] = new HostileAll(held);
        held.push(share);
        extraFloors = [uint256(1000 ether), 1000 ether];
    }

    function _deploy(address owner, address[] memory operators) internal override returns (address) {
        return address(new StepExecutor(owner, operators));
    }

    function _runner() internal view override returns (address) {
        return address(executor);
    }

    /// @notice A plan of steps that gains what was computed: two or three pools, with a lender or without, with guards or without.
    function stepTrade(uint256 seed, uint256 amount, uint16 excess) external audited {
        amount = bound(amount, 1e9, 5 ether);
        // steps take their pools' tokens for sorted: a pair and a V3 pool that are, in the order that gains more
        (uint256 pair, uint256 line) = WETH < address(tokens[1]) ? (0, 2) : (1, 3);
        bool out = WETH < address(tokens[1]);
        uint256 got = _quote(pair, out, amount);
        uint256 gain = _quote(line, !out, got);
        bytes memory steps;
        uint256 other = _quote(line, out, amount);
        if (gain < _quote(pair, !out, other)) {
            gain = _quote(pair, !out, other);
            steps = bytes.concat(
                _stepOf(2, 0, 0x01, pools[line], amount, ""),
                _stepOf(1, 2, 0x10, pools[pair], 0, abi.encodePacked(uint24(3000)))
            );
        } else {
            steps = bytes.concat(
                _stepOf(
                    1,
                    (seed >> 8) % 2 == 0 ? 0x80 : 0,
                    0x01,
                    pools[pair],
                    amount,
                    abi.encodePacked(uint24(3000), uint128(got))
                ),
                _stepOf(2, 1, 0x10, pools[line], 0, "")
            );
        }
        gain = gain > amount ? gain - amount : 0;
        uint256 fee;
        if ((seed >> 10) % 2 == 0) {
            fee = amount / 2000;
            steps = _stepOf(16, 0, 0x00, address(pull), amount, abi.encodePacked(uint128(fee), steps));
        }
        gain = gain > fee ? gain - fee : 0;
        (bytes memory guards, uint256 tip) = _guardsOf(seed, gain);
        uint256 needed = (seed >> 40) % 2 == 0 ? 0 : (gain > tip ? gain - tip : 0) + (excess % 2);
        bytes memory table = abi.encodePacked(uint8(1), WETH, uint8(1), tokens[1]);
        bytes memory plan = abi.encodePacked(uint8(guards.length > 0 ? 0xb4 : 0xb0), uint8(2), uint128(needed), guards);
        uint256 owners = tokens[0].balanceOf(expectedOwner);
        uint256 floor = floors[0];
        if (!_runAny(bytes.concat(plan, table, steps))) return;
        ++stepsLanded;
        owners = tokens[0].balanceOf(expectedOwner) - owners;
        if (tokens[0].balanceOf(address(executor)) + owners < floor + needed)
            _break("steps landed below the least profit");
        if (owners > 0 && tokens[0].balanceOf(address(executor)) != 1) _break("a sweep that is not one");
    }

    /// @notice Whatever plan of steps an operator writes, against whatever pools, vaults, lenders and managers do.
    function hostileSteps(uint256 seed) external audited {
        random = seed;
        bytes memory plan = _plan();
        for (uint256 i = 0; i < 3; ++i) hostiles[i].set(plan, _draw(type(uint256).max));
        TestToken[2] memory list = [extra, TestToken(share)];
        uint256[2] memory before = [extra.balanceOf(expectedOwner), TestToken(share).balanceOf(expectedOwner)];
        if (_runAny(plan)) ++hostileStepsLanded;
        for (uint256 i = 0; i < 2; ++i) {
            uint256 swept = list[i].balanceOf(expectedOwner) - before[i];
            uint256 left = list[i].balanceOf(address(executor));
            if (left + swept < extraFloors[i] || left == 0) _break("a balance fell by steps");
            extraFloors[i] = left;
        }
    }

    function _stepOf(
        uint256 kind,
        uint256 options,
        uint256 assets,
        address target,
        uint256 amount,
        bytes memory rest
    ) private pure returns (bytes memory) {
        return
            abi.encodePacked(
                uint8(kind),
                uint8(options),
                uint8(assets),
                uint16(rest.length),
                target,
                uint128(amount),
                rest
            );
    }

    function allowsNobody() public view override returns (bool) {
        for (uint256 i = 0; i < held.length; ++i) {
            uint256 sum = TestToken(held[i]).allowance(address(executor), share);
            for (uint256 j = 0; j < 3; ++j) {
                sum += TestToken(held[i]).allowance(address(executor), address(hostiles[j]));
            }
            if (sum != 0) return false;
        }
        return super.allowsNobody();
    }
}

/// @notice The promises of Invariants.t.sol, kept by a StepExecutor that plans of steps are sent to as well.
contract StepExecutorInvariants is TestBase {
    StepHandler private handler;

    function setUp() public {
        handler = new StepHandler();
    }

    /// @dev Read by the fuzzer: it calls these contracts only.
    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_everyPromiseIsKeptWithSteps() public view {
        assertTrue(bytes(handler.broken()).length == 0, handler.broken());
        assertTrue(handler.allowsNobody(), "an allowance stayed");
    }

    /// @dev The invariant would hold if nothing ever happened.
    function test_theStepHandlerGetsThingsDone() public {
        for (uint256 i = 1; i <= 400; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 10 == 0) handler.setHook(0, uint8(i / 10));
            handler.stepTrade(seed, seed >> 7, 0);
            handler.hostileSteps(seed);
            handler.v4Cycle(seed, seed >> 7, 0);
            handler.movePrice(seed >> 9, seed);
        }
        assertGe(handler.stepsLanded(), 40, "plans of steps that landed");
        assertGe(handler.hostileStepsLanded(), 10, "hostile plans of steps that landed");
        assertGe(handler.v4Landed(), 10, "V4 cycles that landed");
        invariant_everyPromiseIsKeptWithSteps();
    }
}
