// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IArbExecutor} from "./interfaces/IArbExecutor.sol";
import {IERC20} from "./interfaces/IERC20.sol";
import {PlanRunner} from "./PlanRunner.sol";

/// @title ArbExecutor
/// @notice Executes arbitrage plans atomically: a plan lands with at least its least profit, or nothing happens.
///
/// Guarantees, each with tests in test/contracts:
///  1. Only an operator starts a plan. Assets are taken out only to the owner: by itself, by an operator's sweep, or by a plan
///     that sweeps its profit.
///  2. After a plan the balance of its profit token is at least what it was before, plus the plan's least profit.
///  3. A plan pays the profit token only: once into its first pool, at most the plan's cap, back to its lender, at most the
///     loan and the plan's fee cap, and to the block's proposer, at most what the plan made in the wrapped native token,
///     before the check of guarantee 2. No other token leaves during a plan, and no ETH but that tip.
///  4. No allowance outlives a plan.
///  5. Outside a plan no callback is served. Inside one, only the contract that was called may call back, only once, only
///     while it is being called, and only with the bytes that it was given.
///  6. No plan, rescue or change of owner can start while a plan runs, whoever calls.
///  7. No delegatecall, no upgrade, no tx.origin, no call whose target and data are both free.
///
/// Roles. The operators (one to four) are immutable, so that a plan reads no storage; new operators mean a new deployment.
/// The owner changes in two steps and is never an operator: a stolen operator key costs gas, not assets. A sweep reads the
/// owner from storage, for 2,100 gas, so that it always goes to the present one.
/// ETH is not needed, and accepted only from the wrapped native token and V4's manager during a plan; what was forced in can be rescued.
///
/// # Layout of a plan
/// Integers are big-endian; offsets are in bytes.
/// ```
///  0        1   0xA0 | flags: 1 adaptive amounts, 2 profit token given, 4 guards given
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
///  +        1   which guards follow, if flag 4
/// ```
/// The guards, in this order, each if its bit of that byte is set; what they add in gas is in docs/contract.md:
/// ```
///  1   15   last block timestamp (5), 0 = any; first (5) and last (5) block number, 0 = any. On Arbitrum the L2's numbers
///  2   12   the last 12 bytes of the parent block's hash
///  4   20   where the first pool must be: a pair's least reserve of the output; a V3 pool's least (if the hop sells token0)
///           or greatest sqrtPriceX96
///  8   13   price of gas: mantissa (12), scale (1). The least profit rises by gas * tx.gasprice * mantissa >> scale, with the
///           gas as measured, its calldata as if no byte were zero, without refunds and access list. Zero is refused
/// 16   12   tip to the block's proposer, in wei. Needs a profit in the wrapped native token, Ethereum or Sepolia
/// 32   26   tip as a share of the profit: hundredths of a percent (2), at least (12), at most (12)
/// 64    0   sweep: the whole balance of the profit token goes to the owner, all but one unit
/// ```
/// The *pivot* is the last V3 hop, or the last hop if all are V2. A hop's amount is: at a V3 pivot the exact input; at
/// another V3 hop the exact output if a V2 hop follows it, else 0 (it delivers what its successor is owed); at a V2 hop the
/// output if amounts are fixed, the fee in millionths if they are adaptive.
/// "Amount in" is paid exactly if all hops are V2, or if amounts are fixed and the first hop is V2; else it is a cap.
/// A plan may have 2 to 6 hops. No selector of this contract starts with the hexadecimal digit A.
///
/// # Layout of a plan with Uniswap V4 hops
/// ```
///  0        1   0xA8 | flag: 4 guards given (not the first pool)
///  1        1   1 starts with ETH, 2 ends with ETH instead of the wrapped native token
///  2        1   length of the body; then a byte of zero
///  4       12   amount in, paid exactly
/// 16            the hops: kind (1): 0 V2, 1 V3, 2 V4 | 4 last | 8 hooks given | 16 data for the hooks given; token of the
///               output (20) but of the last hop, zero for ETH; then V2: pool (20), output (12); V3: pool (20); V4: fee (3),
///               tick spacing (3), hooks (20), length of data (1) and data
/// ------------- up to here: the body
///  +       12   least profit, in the wrapped native token; then the guards as above
/// ```
/// It runs inside the PoolManager's `unlock`: V4 hops are netted, V2 and V3 pools are paid by the manager and pay into it, and
/// what is taken at the end is the profit. This contract pays nothing but what it has just taken, to wrap or unwrap it, so
/// the profit that the manager books decides; with guards the balance decides as in every other plan.
///
/// # Order of the calls
/// Without a lender's or own money the pools fund the cycle ("reverse nesting"): the pivot is called first and pays out
/// before it is paid. In its callback the V2 hops behind it run forward; then its own input is obtained by calling the
/// nearest V3 hop before it for exactly what is owed, and so on back to the first pool, which is paid in the profit token.
/// V2 hops between get their input sent straight from their predecessor. With a lender or own balance, a cycle of V2 hops is
/// paid first and run forward; one with V3 hops runs as above, inside the loan.
contract ArbExecutor is PlanRunner {
    error NotOwner();
    error InvalidOwner();
    error InvalidOperators();
    error NativeTransferFailed();

    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    /// @param token The token, or zero for ETH.
    event Rescued(address indexed token, address indexed to, uint256 amount);

    address private _pendingOwner;

    // Slots without an operator repeat the first one: no slot is ever the zero address.
    address private immutable OPERATOR_1;
    address private immutable OPERATOR_2;
    address private immutable OPERATOR_3;
    address private immutable OPERATOR_4;

    modifier onlyOwner() {
        if (msg.sender != _owner) revert NotOwner();
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
        _owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    /// @notice The only entry. An operator sends the bare bytes of a plan; while a plan runs, the callbacks of its pools and
    /// lenders arrive here, whatever their selector. What is neither is a function of IArbExecutor.
    fallback() external payable {
        address operator = OPERATOR_1;
        while (true) {
            _interpret(operator);
            if (_servesMore() || _serve()) break;
            operator = _otherOperator(operator);
        }
    }

    /// @dev Serves a callback of another format of plans, where a contract on top has one.
    function _servesMore() internal virtual returns (bool) {
        return false;
    }

    /// @dev Runs a plan of another format, where a contract on top has one; then it does not return.
    function _startMore() internal virtual {}

    /// @dev Runs a plan of another format of any operator. Else the operator who calls, if it is not the one that was tried.
    /// Reverts for anybody else.
    function _otherOperator(address tried) private returns (address) {
        if (_state != 0) revert UnexpectedCallback();
        if (!_isOperator(msg.sender)) revert NotOperator();
        _startMore();
        if (msg.sender == tried) revert MalformedPlan();
        return msg.sender;
    }

    // ------------------------------------------------------------------------------------- functions of IArbExecutor

    /// @dev The dispatcher of the functions of IArbExecutor but `execute`. Says whether it was one of them.
    function _serve() private returns (bool) {
        bytes4 selector = bytes4(msg.data);
        bytes calldata arguments = msg.data[msg.data.length < 4 ? 0 : 4:];
        if (selector == IArbExecutor.owner.selector) _answer(abi.encode(_owner));
        else if (selector == IArbExecutor.pendingOwner.selector) _answer(abi.encode(_pendingOwner));
        else if (selector == IArbExecutor.operators.selector) _answer(abi.encode(_operators()));
        else if (selector == IArbExecutor.acceptOwnership.selector) _acceptOwnership();
        else if (selector == IArbExecutor.sweep.selector) _sweep(abi.decode(arguments, (address)));
        else if (selector == IArbExecutor.transferOwnership.selector)
            _transferOwnership(abi.decode(arguments, (address)));
        else if (selector == IArbExecutor.rescueNative.selector) _rescueNative(abi.decode(arguments, (uint256)));
        else if (selector == IArbExecutor.rescue.selector) {
            (address token, uint256 amount) = abi.decode(arguments, (address, uint256));
            _rescue(token, amount);
        } else {
            if (selector == IArbExecutor.execute.selector && _state != 0) revert PlanRunning();
            return false;
        }
        if (msg.value != 0) revert EtherRefused();
        return true;
    }

    /// @dev Returns ABI-encoded values to the caller of the contract.
    function _answer(bytes memory values) private pure {
        assembly ("memory-safe") {
            return(add(values, 32), mload(values))
        }
    }

    function _rescue(address token, uint256 amount) private onlyOwner {
        if (amount == type(uint256).max) amount = IERC20(token).balanceOf(address(this));
        _takeOut(token, amount);
    }

    function _sweep(address token) private {
        if (msg.sender != _owner && !_isOperator(msg.sender)) revert NotOwner();
        if (_state != 0) revert PlanRunning();
        uint256 balance = IERC20(token).balanceOf(address(this));
        if (balance > 1) _takeOut(token, balance - 1);
    }

    function _takeOut(address token, uint256 amount) private {
        address to = _owner;
        emit Rescued(token, to, amount);
        // a token that calls back finds a plan running
        _state = 1;
        (bool success, bytes memory answer) = token.call(abi.encodeCall(IERC20.transfer, (to, amount)));
        // true, or no answer from something that has code
        if (!success || (answer.length == 0 ? token.code.length == 0 : !abi.decode(answer, (bool)))) {
            revert TokenCallFailed();
        }
        _state = 0;
    }

    function _rescueNative(uint256 amount) private onlyOwner {
        address to = _owner;
        if (amount == type(uint256).max) amount = address(this).balance;
        emit Rescued(address(0), to, amount);
        (bool success, ) = to.call{value: amount}("");
        if (!success) revert NativeTransferFailed();
    }

    function _transferOwnership(address newOwner) private onlyOwner {
        if (_isOperator(newOwner)) revert InvalidOwner();
        _pendingOwner = newOwner;
        emit OwnershipTransferStarted(msg.sender, newOwner);
    }

    function _acceptOwnership() private {
        if (msg.sender != _pendingOwner) revert NotOwner();
        if (_state != 0) revert PlanRunning();
        emit OwnershipTransferred(_owner, msg.sender);
        _owner = msg.sender;
        delete _pendingOwner;
    }

    function _operators() private view returns (address[] memory list) {
        address[4] memory slots = [OPERATOR_1, OPERATOR_2, OPERATOR_3, OPERATOR_4];
        uint256 count = 1;
        while (count < 4 && slots[count] != slots[0]) ++count;
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) list[i] = slots[i];
    }

    function _isOperator(address account) private view returns (bool) {
        return account == OPERATOR_1 || account == OPERATOR_2 || account == OPERATOR_3 || account == OPERATOR_4;
    }
}
