// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {StepExecutor} from "../../contracts/StepExecutor.sol";
import {PlanRunner} from "../../contracts/PlanRunner.sol";
import {IArbExecutor} from "../../contracts/interfaces/IArbExecutor.sol";
import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {VaultMock} from "../mocks/StepPools.sol";
import {TestToken} from "../mocks/Tokens.sol";
import {HostileAll, StepPlans} from "./StepPlans.sol";
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

/// @notice Whatever plan of steps an operator writes, and whatever others do, nothing that the executor held is less after.
contract StepRunnerFuzz is TestBase, StepPlans {
    VmSteps private constant cheats = VmSteps(address(vm));
    address private constant WETH = 0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2;
    uint256 private constant START = 1000 ether;

    StepExecutor private executor;
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
        for (uint256 i = 0; i < 400; ++i) testFuzz_noPlanOfStepsLowersWhatIsHeld(uint256(keccak256(abi.encode(i))));
        assertGe(landedPlans, 10, "almost no plan lands");
    }

    function _check(bool landed) private {
        landed;
        for (uint256 i = 0; i < held.length; ++i) {
            // what was swept is the owner's
            uint256 left = IERC20(held[i]).balanceOf(address(executor));
            uint256 swept = IERC20(held[i]).balanceOf(address(0xdad));
            assertGe(left + swept, START, "token");
            assertGe(left, 1, "the unit that a sweep leaves");
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

    function _runner() internal view override returns (address) {
        return address(executor);
    }
}
