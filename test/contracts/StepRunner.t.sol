// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {StepExecutor} from "../../contracts/StepExecutor.sol";
import {PlanRunner} from "../../contracts/PlanRunner.sol";
import {IArbExecutor} from "../../contracts/interfaces/IArbExecutor.sol";
import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {VaultMock} from "../mocks/StepPools.sol";
import {TestToken} from "../mocks/Tokens.sol";
import {TestBase} from "./TestBase.sol";

interface VmSteps {
    function chainId(uint256 id) external;
    function deal(address account, uint256 balance) external;
    function etch(address account, bytes calldata code) external;
}

/// @notice WETH9 in short, so that steps can wrap and unwrap.
contract MiniWeth is TestToken {
    constructor() TestToken("WETH") {}

    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        (bool sent, ) = msg.sender.call{value: amount}("");
        require(sent, "MiniWeth: OUT");
    }
}

/// @notice Plays every pool, vault, lender and manager at once, as its seed says: gives tokens or takes what it is allowed,
/// calls back in any form with the right or altered plan, and answers anything.
contract HostileAll {
    address[] private tokens;
    bytes private plan;
    uint256 private seed;

    constructor(address[] memory tokens_) {
        tokens = tokens_;
    }

    receive() external payable {}

    function set(bytes calldata plan_, uint256 seed_) external {
        (plan, seed) = (plan_, seed_);
    }

    fallback() external payable {
        uint256 dice = uint256(keccak256(abi.encode(seed, gasleft(), msg.sig)));
        _play(dice);
        assembly ("memory-safe") {
            mstore(0, shr(and(dice, 255), dice))
            mstore(32, dice)
            return(0, 64)
        }
    }

    function _play(uint256 dice) private {
        // a view function gets its answer: what it may not do fails
        if (msg.sig == 0x70a08231 || msg.sig == 0xdd62ed3e || msg.sig == 0x0902f1ac || msg.sig == 0xf135baaa) return;
        if (msg.sig == 0xf140a35a || msg.sig == 0xa8d5fd65 || msg.sig == 0x00fdd58e) return;
        TestToken token = TestToken(tokens[(dice >> 8) % tokens.length]);
        if ((dice >> 16) % 3 == 0) try token.mint(msg.sender, (dice >> 24) % 10 ether) {} catch {}
        if ((dice >> 40) % 3 == 0) _take(tokens[(dice >> 48) % tokens.length]);
        if ((dice >> 56) % 4 == 0) return;
        for (uint256 i = 0; i < 1 + ((dice >> 64) % 2); ++i) _callBack(uint256(keccak256(abi.encode(dice, i))));
        if ((dice >> 72) % 2 == 0) _take(address(token));
        if ((dice >> 80) % 8 == 0) {
            (bool sent, ) = msg.sender.call{value: address(this).balance / 2}("");
            sent;
        }
    }

    function _take(address token) private {
        uint256 allowed = IERC20(token).allowance(msg.sender, address(this));
        if (allowed > 0) try IERC20(token).transferFrom(msg.sender, address(this), allowed) {} catch {}
    }

    function _callBack(uint256 dice) private {
        bytes memory data = plan;
        if (dice % 8 == 0 && data.length > 0) data[(dice >> 8) % data.length] ^= 0x01;
        uint256 claim = (dice >> 32) % 2 == 0 ? (dice >> 40) % 100 ether : uint256(keccak256(abi.encode(dice)));
        address who = (dice >> 48) % 8 == 0 ? address(this) : msg.sender;
        // the form that fits what was called, most of the time
        uint256 form = (dice >> 56) % 8 == 0 ? (dice >> 64) % 9 : _formOf(msg.sig);
        bytes memory call;
        if (form == 0)
            call = abi.encodeWithSignature(
                "a(int256,int256,bytes)",
                claim,
                -1,
                (dice >> 72) % 2 == 0 ? bytes("") : data
            );
        if (form == 1) call = abi.encodeWithSignature("b(address,uint256,uint256,bytes)", who, claim, 0, data);
        if (form == 2)
            call = abi.encodeWithSignature(
                "c(address,uint256,uint256,address,bytes)",
                tokens[0],
                claim,
                claim % 1000,
                who,
                data
            );
        if (form == 3) {
            uint256[] memory one = new uint256[](1);
            address[] memory list = new address[](1);
            (one[0], list[0]) = (claim % 1000, tokens[0]);
            call = abi.encodeWithSignature("d(address[],uint256[],uint256[],bytes)", list, one, one, data);
        }
        if (form == 4) call = abi.encodeWithSignature("e(uint256,bytes)", claim, data);
        if (form == 5)
            call = abi.encodeWithSignature(
                "f(address,address,uint256,uint256,bytes)",
                who,
                tokens[0],
                claim,
                claim % 1000,
                data
            );
        if (form == 6) call = abi.encodeWithSignature("g(uint256,uint256,bytes)", claim % 1000, claim % 999, data);
        if (form == 7) call = abi.encodeWithSignature("h(bytes)", data);
        if (form == 8) call = data;
        (bool success, bytes memory result) = msg.sender.call(call);
        if (!success && dice % 16 == 1) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }

    function _formOf(bytes4 selector) private pure returns (uint256) {
        if (selector == 0x022c0d9f) return 1;
        if (selector == 0x42b0b77c) return 2;
        if (selector == 0x5c38449e) return 3;
        if (selector == 0xe0232b42) return 4;
        if (selector == 0x5cffe9de) return 5;
        if (selector == 0x490e6cbc) return 6;
        if (selector == 0x48c89491) return uint256(uint32(selector)) % 2 == 1 ? 7 : 8;
        return 0;
    }
}

/// @notice Whatever plan of steps an operator writes, and whatever others do, nothing that the executor held is less after.
contract StepRunnerFuzz is TestBase {
    VmSteps private constant cheats = VmSteps(address(vm));
    address private constant WETH = 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2;
    uint256 private constant START = 1000 ether;

    StepExecutor private executor;
    HostileAll[3] private hostiles;
    address private share;
    /// @dev What the executor holds: tokens, the share of a vault, WETH.
    address[] private held;
    uint256 private random;
    uint256 private landedPlans;

    function setUp() public {
        cheats.chainId(1);
        cheats.etch(WETH, address(new MiniWeth()).code);
        address[] memory operators = new address[](1);
        operators[0] = address(this);
        executor = new StepExecutor(address(0xdad), operators);
        TestToken asset = new TestToken("A");
        VaultMock vault = new VaultMock(asset);
        share = address(vault);
        asset.mint(address(this), START);
        asset.approve(share, START);
        vault.deposit(START, address(executor));
        held.push(address(asset));
        held.push(address(new TestToken("B")));
        held.push(address(new TestToken("C")));
        held.push(WETH);
        for (uint256 i = 0; i < held.length; ++i) TestToken(held[i]).mint(address(executor), START);
        for (uint256 i = 0; i < hostiles.length; ++i) hostiles[i] = new HostileAll(held);
        held.push(share);
        cheats.deal(address(executor), START);
        cheats.deal(WETH, START * 10);
    }

    /// forge-config: default.fuzz.runs = 3000
    function testFuzz_noPlanOfStepsLowersWhatIsHeld(uint256 seed) public {
        random = seed;
        bytes memory plan = _plan();
        for (uint256 i = 0; i < hostiles.length; ++i) hostiles[i].set(plan, _draw(type(uint256).max));
        (bool landed, ) = address(executor).call(plan);
        if (landed) ++landedPlans;
        _check(landed);
    }

    /// @dev Any bytes that start like a plan of steps.
    /// forge-config: default.fuzz.runs = 1000
    function testFuzz_noBytesLowerWhatIsHeld(uint8 flags, bytes memory rest, bool wrapped) public {
        bytes memory plan = bytes.concat(bytes1(0xb0 | (flags & 15)), rest);
        (bool landed, ) = wrapped
            ? address(executor).call(abi.encodeCall(IArbExecutor.execute, (plan)))
            : address(executor).call(plan);
        _check(landed);
    }

    /// @dev So that the fuzzer is known to get anywhere: of some plans that it draws, a part lands.
    function test_someRandomPlansLand() public {
        for (uint256 i = 0; i < 200; ++i) testFuzz_noPlanOfStepsLowersWhatIsHeld(uint256(keccak256(abi.encode(i))));
        assertGe(landedPlans, 10, "almost no plan lands");
    }

    function _check(bool landed) private {
        landed;
        for (uint256 i = 0; i < held.length; ++i) {
            assertGe(IERC20(held[i]).balanceOf(address(executor)), START, "token");
            assertEq(IERC20(held[i]).allowance(address(executor), share), 0, "allowance of the vault");
            for (uint256 j = 0; j < hostiles.length; ++j) {
                assertEq(IERC20(held[i]).allowance(address(executor), address(hostiles[j])), 0, "allowance");
            }
        }
        assertGe(address(executor).balance, START, "ETH");
        // idle again: a stray callback is taken for a stranger's plan
        vm.prank(address(hostiles[0]));
        (bool served, bytes memory refusal) = address(executor).call(
            abi.encodeWithSignature("b(int256,int256,bytes)", 1, 0, "")
        );
        assertTrue(!served && selectorOf(refusal) == PlanRunner.NotOperator.selector, "not idle");
    }

    function _draw(uint256 range) private returns (uint256) {
        random = uint256(keccak256(abi.encode(random)));
        return range == type(uint256).max ? random : random % range;
    }

    /// @dev A table of three to seven of ETH, what is held, and a fake token; then one to four steps.
    function _plan() private returns (bytes memory plan) {
        uint256 count = 3 + _draw(5);
        bool v4 = _draw(3) == 0;
        plan = abi.encodePacked(
            uint8(v4 ? 0xb1 : 0xb0),
            uint8((_draw(count) << 4) | count),
            uint128(_draw(4) == 0 ? _draw(1000) : 0)
        );
        if (v4) plan = abi.encodePacked(plan, address(hostiles[0]));
        uint256 shift = _draw(7);
        for (uint256 i = 0; i < count; ++i) {
            uint256 which = (i + shift) % 7;
            if (which == 0) plan = abi.encodePacked(plan, uint8(0), address(0));
            else if (which == 6)
                plan = abi.encodePacked(plan, uint8(v4 && _draw(2) == 0 ? 2 : 1), address(hostiles[1]));
            else plan = abi.encodePacked(plan, uint8(1), held[which - 1]);
        }
        plan = bytes.concat(plan, _steps(count, 2));
    }

    function _steps(uint256 assets, uint256 depth) private returns (bytes memory list) {
        uint256 count = 1 + _draw(depth == 2 ? 4 : 3);
        for (uint256 i = 0; i < count; ++i) list = bytes.concat(list, _step(assets, depth));
    }

    function _step(uint256 assets, uint256 depth) private returns (bytes memory) {
        uint256 kind = 1 + _draw(depth == 0 ? 13 : 22);
        uint256 options = _draw(3) == 0 ? _draw(4) : 0;
        if (_draw(4) == 0 && kind < 14) options |= 16 << _draw(4);
        if (kind == 1 && _draw(2) == 0) options |= 0x80;
        bytes memory extra;
        if (kind == 1)
            extra = abi.encodePacked(uint24(_draw(4) == 0 ? 0xffffff : _draw(1_000_000)), uint128(_draw(10 ether)));
        if (kind == 2) extra = abi.encodePacked(uint128(_draw(10 ether)));
        if (kind == 3) extra = abi.encodePacked(uint8(0), uint8(1), uint8(_draw(5)));
        if (kind == 4) extra = abi.encodePacked(_draw(type(uint256).max), uint128(_draw(10 ether)));
        if (kind == 9) extra = abi.encodePacked(uint24(500), uint24(10), address(hostiles[1]), uint256(7));
        if (kind > 13) {
            extra = kind == 21 ? bytes("") : abi.encodePacked(uint128(_draw(2) == 0 ? _draw(1000) : _draw(10 ether)));
            if (kind == 14) extra = abi.encodePacked(extra, uint24(_draw(2) == 0 ? 0 : 3000));
            extra = bytes.concat(extra, _steps(assets, depth - 1));
        }
        return
            abi.encodePacked(
                uint8(kind),
                uint8(options),
                uint8((_draw(assets) << 4) | _draw(assets)),
                uint16(extra.length),
                _target(kind),
                uint128(_draw(3) == 0 ? _draw(2000 ether) : _draw(10 ether)),
                extra
            );
    }

    function _target(uint256 kind) private returns (address) {
        if ((kind == 5 || kind == 6) && _draw(2) == 0) return share;
        uint256 dice = _draw(12);
        if (dice == 0) return held[_draw(held.length)];
        if (dice == 1) return address(executor);
        return address(hostiles[dice % 3]);
    }
}
