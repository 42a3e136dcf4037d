// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ArbExecutor} from "../../contracts/ArbExecutor.sol";
import {IArbExecutor} from "../../contracts/interfaces/IArbExecutor.sol";
import {PlanRunner} from "../../contracts/PlanRunner.sol";
import {TestToken} from "../mocks/Tokens.sol";
import {TestBase} from "./TestBase.sol";

/// @notice A pool and lender that does whatever its seed says: pays out or not, calls back in any form, with true or false
/// claims, with the right bytes or others, once, twice or never.
contract HostilePool {
    TestToken private immutable profit;
    TestToken private immutable other;
    uint256 private seed;

    constructor(TestToken profit_, TestToken other_) {
        profit = profit_;
        other = other_;
    }

    function setSeed(uint256 seed_) external {
        seed = seed_;
    }

    function getReserves() external view returns (uint112, uint112, uint32) {
        return (uint112(seed), uint112(seed >> 112), 0);
    }

    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external {
        _play(to, data, 0, out0 | out1);
    }

    function swap(address to, bool, int256 amount, uint160, bytes calldata data) external {
        _play(to, data, 1, uint256(amount));
    }

    function flashLoanSimple(address to, address, uint256 amount, bytes calldata data, uint16) external {
        _play(to, data, 2, amount);
    }

    function flashLoan(address to, address[] calldata, uint256[] calldata amounts, bytes calldata data) external {
        _play(to, data, 3, amounts[0]);
    }

    function _play(address to, bytes memory data, uint256 kind, uint256 amount) private {
        uint256 dice = uint256(keccak256(abi.encode(seed, gasleft(), data.length)));
        uint256 generous = dice % 4;
        if (generous == 1) profit.mint(to, 1 ether);
        if (generous == 2) profit.mint(msg.sender, amount % 2 ** 96);
        if (generous == 3) other.mint(to, amount % 2 ** 96);
        if ((dice >> 8) % 8 == 0) return;
        if ((dice >> 16) % 8 == 0) kind = (dice >> 24) % 4;
        if ((dice >> 32) % 8 == 0 && data.length > 0) data[(dice >> 40) % data.length] ^= 0x01;
        uint256 claim = (dice >> 48) % 2 == 0 ? amount % 2 ** 96 : uint256(keccak256(abi.encode(dice)));
        _callBack(kind, claim, data, (dice >> 56) % 4 == 0);
        if ((dice >> 64) % 4 == 0) _callBack(kind, claim, data, false);
        if (kind == 2) {
            uint256 allowed = profit.allowance(msg.sender, address(this));
            if ((dice >> 72) % 4 != 0) profit.transferFrom(msg.sender, address(this), allowed);
        }
    }

    function _callBack(uint256 kind, uint256 claim, bytes memory data, bool swapped) private {
        bytes memory call;
        if (kind == 0) call = abi.encodeWithSignature("a(address,uint256,uint256,bytes)", msg.sender, claim, 0, data);
        if (kind == 1) {
            (int256 a, int256 b) = swapped
                ? (-int256(claim >> 1), int256(claim >> 1))
                : (int256(claim), -int256(claim >> 2));
            call = abi.encodeWithSignature("b(int256,int256,bytes)", a, b, data);
        }
        if (kind == 2) {
            call = abi.encodeWithSignature(
                "c(address,uint256,uint256,address,bytes)",
                address(profit),
                claim,
                claim % 1000,
                swapped ? address(this) : msg.sender,
                data
            );
        }
        if (kind == 3) {
            uint256[] memory one = new uint256[](1);
            uint256[] memory fees = new uint256[](1);
            address[] memory tokens = new address[](1);
            (one[0], fees[0], tokens[0]) = (claim, claim % 1000, address(profit));
            call = abi.encodeWithSignature("d(address[],uint256[],uint256[],bytes)", tokens, one, fees, data);
        }
        (bool success, bytes memory result) = msg.sender.call(call);
        // most fake pools go on when their callback fails
        if (!success && claim % 4 == 0) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }
}

/// @notice Whatever an operator sends, and whatever pools do, the executor does not lose what it had.
contract ArbExecutorFuzz is TestBase {
    uint256 private constant START = 1000 ether;

    ArbExecutor private executor;
    TestToken private profit;
    TestToken private other;
    HostilePool[6] private pools;

    function setUp() public {
        address[] memory operators = new address[](1);
        operators[0] = address(this);
        executor = new ArbExecutor(address(0xdad), operators);
        profit = new TestToken("PROFIT");
        other = new TestToken("OTHER");
        profit.mint(address(executor), START);
        other.mint(address(executor), START);
        for (uint256 i = 0; i < pools.length; ++i) pools[i] = new HostilePool(profit, other);
    }

    struct Draw {
        uint8 hops;
        uint8 pivot;
        bool anyPivot;
        uint8 funding;
        bool adaptive;
        uint8 kinds;
        uint8 directions;
        uint96 amountIn;
        uint96[6] amounts;
        uint96 loan;
        uint32 maxFee;
        uint16 minProfit;
        uint256 seed;
    }

    /// forge-config: default.fuzz.runs = 2048
    function testFuzz_noPlanLowersTheBalance(Draw memory d) public {
        bytes memory plan = _plan(d);
        for (uint256 i = 0; i < pools.length; ++i) pools[i].setSeed(uint256(keccak256(abi.encode(d.seed, i))));
        (bool landed, bytes memory result) = address(executor).call(plan);
        _checkAfter(landed, result, d.minProfit);
    }

    /// @dev Any bytes that start like a plan.
    /// forge-config: default.fuzz.runs = 1024
    function testFuzz_noBytesLowerTheBalance(uint8 flags, bytes memory rest, bool wrapped) public {
        bytes memory plan = bytes.concat(bytes1(0xa0 | (flags & 7)), rest);
        (bool landed, bytes memory result) = wrapped
            ? address(executor).call(abi.encodeCall(IArbExecutor.execute, (plan)))
            : address(executor).call(plan);
        _checkAfter(landed, result, 0);
    }

    /// @dev Nobody else gets anything done, with any bytes.
    function testFuzz_strangersAreRefused(address stranger, bytes memory data) public {
        vm.assume(stranger != address(this) && stranger != address(0xdad));
        vm.assume(!_isView(selectorOf(data)));
        vm.prank(stranger);
        (bool success, ) = address(executor).call(data);
        assertTrue(!success, "a stranger was served");
    }

    function _checkAfter(bool landed, bytes memory result, uint256 minProfit) private {
        assertTrue(selectorOf(result) != 0x4e487b71, "a panic of Solidity");
        assertGe(profit.balanceOf(address(executor)), START + (landed ? minProfit : 0), "profit token");
        assertGe(other.balanceOf(address(executor)), START, "other token");
        if (!landed) assertEq(profit.balanceOf(address(executor)), START, "a failed plan changed something");
        for (uint256 i = 0; i < pools.length; ++i) {
            assertEq(profit.allowance(address(executor), address(pools[i])), 0, "allowance");
        }
        // idle again: a stray callback is taken for a stranger's plan
        vm.prank(address(pools[0]));
        (bool served, bytes memory refusal) = address(executor).call(
            abi.encodeWithSignature("b(int256,int256,bytes)", 1, 0, "")
        );
        assertTrue(!served && selectorOf(refusal) == PlanRunner.NotOperator.selector, "not idle");
    }

    function _plan(Draw memory d) private view returns (bytes memory plan) {
        uint256 hops = bound(d.hops, 2, 6);
        uint256 kinds = d.kinds & ((1 << hops) - 1);
        uint256 pivot = hops - 1;
        if (kinds != 0) while ((kinds >> pivot) & 1 == 0) --pivot;
        // now and then a head that contradicts itself
        if (d.anyPivot && d.pivot % 4 == 0) pivot = (d.pivot >> 2) & 7;
        plan = abi.encodePacked(
            uint8(0xa2 | (d.adaptive ? 1 : 0)),
            uint8(((d.funding & 3) << 6) | (hops << 3) | pivot),
            uint8(kinds),
            d.directions,
            d.amountIn
        );
        for (uint256 i = 0; i < hops; ++i) {
            plan = abi.encodePacked(
                plan,
                address(pools[(d.seed >> (8 * i)) % 6]),
                d.adaptive ? d.amounts[i] % 1e6 : d.amounts[i]
            );
        }
        plan = abi.encodePacked(plan, address(profit));
        if (d.funding & 3 >= 2) {
            plan = abi.encodePacked(plan, address(pools[(d.seed >> 128) % 6]), d.loan, uint96(d.maxFee));
        }
        plan = abi.encodePacked(plan, uint96(d.minProfit));
    }

    function _isView(bytes4 selector) private pure returns (bool) {
        return
            selector == IArbExecutor.owner.selector ||
            selector == IArbExecutor.pendingOwner.selector ||
            selector == IArbExecutor.operators.selector;
    }
}
