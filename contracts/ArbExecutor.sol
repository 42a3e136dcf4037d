// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "./interfaces/IERC20.sol";
import {StepRunner} from "./StepRunner.sol";

/// @title ArbExecutor
/// @notice Executes arbitrage plans atomically: a plan lands with at least its least profit, or nothing happens.
///
/// Guarantees, each with tests in test/contracts:
///  1. Only an operator starts a plan. Only the owner takes assets out, and only to itself.
///  2. After a plan the balance of its profit token is at least what it was before, plus the plan's least profit.
///  3. A plan pays the profit token only: once into its first pool, at most the plan's cap, and back to its lender, at
///     most the loan and the plan's fee cap. No other token and no ETH leaves during a plan.
///  4. No allowance outlives a plan.
///  5. Outside a plan no callback is served. Inside one, only the contract that was called may call back, only once, only
///     while it is being called, and only with the bytes that it was given.
///  6. No plan, rescue or change of owner can start while a plan runs, whoever calls.
///  7. No delegatecall, no upgrade, no tx.origin, no call whose target and data are both free.
///
/// Roles. The operators (one to four) are immutable, so that a plan reads no storage; new operators mean a new deployment.
/// The owner changes in two steps and is never an operator: a stolen operator key costs gas, not assets.
/// ETH is not needed and not accepted; what was forced in can be rescued.
///
/// # Layout of a plan
/// Integers are big-endian; offsets are in bytes.
/// ```
///  0        1   0xA0 | flags: 1 adaptive amounts, 2 profit token given, 4 deadline and block window given
///  1        1   funding << 6 | hops << 3 | pivot. funding: 0 flash swap, 1 own balance, 2 Aave V3, 3 Balancer V2
///  2        1   bit j: hop j is of the V3 type
///  3        1   bit j: hop j swaps token0 for token1
///  4       12   amount in: what the first pool is paid or, where that follows from the pools, the most it may be paid
/// 16     32*n   one word per hop: pool (20), amount (12)
///  +       20   profit token, if flag 2; else the chain's wrapped native token
/// ------------- up to here: the body, which pools get as callback data
///  +       20   lender            | these
///  +       12   loan              | if funding
///  +       12   most lender's fee | >= 2
/// ------------- up to here: what a lender gets as callback data
///  +       12   least profit
///  +        5   last block timestamp, 0 = any | these
///  +        5   first block number            | if
///  +        5   last block number, 0 = any    | flag 4
/// ```
/// The *pivot* is the last V3 hop, or the last hop if all are V2. A hop's amount is: at a V3 pivot the exact input; at
/// another V3 hop the exact output if a V2 hop follows it, else 0 (it delivers what its successor is owed); at a V2 hop the
/// output if amounts are fixed, the fee in millionths if they are adaptive.
/// "Amount in" is paid exactly if all hops are V2, or if amounts are fixed and the first hop is V2; else it is a cap.
/// A plan may have 2 to 6 hops. No selector of this contract starts with the hexadecimal digit A.
///
/// # Order of the calls
/// Without a lender's or own money the pools fund the cycle ("reverse nesting"): the pivot is called first and pays out
/// before it is paid. In its callback the V2 hops behind it run forward; then its own input is obtained by calling the
/// nearest V3 hop before it for exactly what is owed, and so on back to the first pool, which is paid in the profit token.
/// V2 hops between get their input sent straight from their predecessor. With a lender or own balance, a cycle of V2 hops is
/// paid first and run forward; one with V3 hops runs as above, inside the loan.
contract ArbExecutor is StepRunner {
    error NotOwner();
    error InvalidOwner();
    error InvalidOperators();
    error NativeTransferFailed();

    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    /// @param token The token, or zero for ETH.
    event Rescued(address indexed token, address indexed to, uint256 amount);

    /// @notice The only address that assets can be taken out to.
    address public owner;
    /// @notice Address that may accept ownership; zero if none is offered.
    address public pendingOwner;

    // Slots without an operator repeat the first one: no slot is ever the zero address.
    address private immutable OPERATOR_1;
    address private immutable OPERATOR_2;
    address private immutable OPERATOR_3;
    address private immutable OPERATOR_4;

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        if (_state != 0) revert PlanRunning();
        _;
    }

    /// @param owner_ Who may rescue assets and hand over ownership; not zero and not an operator.
    /// @param operators_ One to four different addresses, none zero, which may execute plans.
    constructor(address owner_, address[] memory operators_) {
        uint256 count = operators_.length;
        if (owner_ == address(0)) revert InvalidOwner();
        if (count == 0 || count > 4) revert InvalidOperators();
        for (uint256 i = 0; i < count; ++i) {
            if (operators_[i] == address(0) || operators_[i] == owner_) revert InvalidOperators();
            for (uint256 j = 0; j < i; ++j) if (operators_[i] == operators_[j]) revert InvalidOperators();
        }
        OPERATOR_1 = operators_[0];
        OPERATOR_2 = operators_[count > 1 ? 1 : 0];
        OPERATOR_3 = operators_[count > 2 ? 2 : 0];
        OPERATOR_4 = operators_[count > 3 ? 3 : 0];
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    /// @notice The hot path: an operator sends the bare bytes of a plan. While a plan runs, the callbacks of its pools and
    /// lenders arrive here, whatever their selector.
    fallback() external {
        uint256 state = _state;
        if (state == 0) {
            if (!_isOperator(msg.sender)) revert NotOperator();
            if (_isSteps(0)) _executeSteps(0, msg.data.length);
        } else if (state & STEPS_RUN != 0) {
            _stepCallback(state);
        }
        _interpret(state, 0, msg.data.length);
    }

    /// @notice Executes a plan; the same as sending its bare bytes, for tools that need an ABI.
    /// @dev Reverts with NotOperator, PlanRunning, MalformedPlan, Expired, OutsideBlockWindow, PaymentAboveCap,
    /// LenderFeeAboveCap, AllowanceLeft, TokenCallFailed, UnexpectedCallback or ProfitTooLow, or with what a pool, a token
    /// or a lender reverted with.
    /// @param plan The plan in the layout above; src/plan/codec.ts writes it.
    function execute(bytes calldata plan) external {
        if (_state != 0) revert PlanRunning();
        if (!_isOperator(msg.sender)) revert NotOperator();
        uint256 start;
        assembly ("memory-safe") {
            start := plan.offset
        }
        if (_isSteps(start)) _executeSteps(start, plan.length);
        _interpret(0, start, plan.length);
    }

    /// @notice Takes a token out, to the owner. Leaving one unit behind keeps the next plan about 17,000 gas cheaper.
    /// @dev Reverts with NotOwner, PlanRunning or TokenCallFailed.
    /// @param token An ERC-20; it may return nothing.
    /// @param amount In base units; the greatest uint256 takes everything.
    function rescue(address token, uint256 amount) external onlyOwner {
        address to = owner;
        if (amount == type(uint256).max) amount = IERC20(token).balanceOf(address(this));
        emit Rescued(token, to, amount);
        (bool success, bytes memory answer) = token.call(abi.encodeCall(IERC20.transfer, (to, amount)));
        // true, or no answer from something that has code
        if (!success || (answer.length == 0 ? token.code.length == 0 : !abi.decode(answer, (bool)))) {
            revert TokenCallFailed();
        }
    }

    /// @notice Takes out ETH that was forced in, to the owner.
    /// @dev Reverts with NotOwner, PlanRunning or NativeTransferFailed.
    /// @param amount In wei; the greatest uint256 takes everything.
    function rescueNative(uint256 amount) external onlyOwner {
        address to = owner;
        if (amount == type(uint256).max) amount = address(this).balance;
        emit Rescued(address(0), to, amount);
        (bool success, ) = to.call{value: amount}("");
        if (!success) revert NativeTransferFailed();
    }

    /// @notice Offers ownership to an address, which must accept it. A later offer replaces it; zero withdraws it.
    /// @dev Reverts with NotOwner, PlanRunning, or InvalidOwner if the address is an operator.
    function transferOwnership(address newOwner) external onlyOwner {
        if (_isOperator(newOwner)) revert InvalidOwner();
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(msg.sender, newOwner);
    }

    /// @notice Accepts ownership that was offered to the caller.
    /// @dev Reverts with NotOwner or PlanRunning.
    function acceptOwnership() external {
        if (msg.sender != pendingOwner) revert NotOwner();
        if (_state != 0) revert PlanRunning();
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        delete pendingOwner;
    }

    /// @notice The operators, in the order of the constructor's argument.
    function operators() external view returns (address[] memory list) {
        address[4] memory slots = [OPERATOR_1, OPERATOR_2, OPERATOR_3, OPERATOR_4];
        uint256 count = 1;
        while (count < 4 && slots[count] != slots[0]) ++count;
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) list[i] = slots[i];
    }

    function _isOperator(address account) private view returns (bool yes) {
        (address a, address b, address c, address d) = (OPERATOR_1, OPERATOR_2, OPERATOR_3, OPERATOR_4);
        // without branches: cheaper than || for four comparisons
        assembly ("memory-safe") {
            yes := or(or(eq(account, a), eq(account, b)), or(eq(account, c), eq(account, d)))
        }
    }
}
