// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IArbExecutor} from "./interfaces/IArbExecutor.sol";
import {StepGuards} from "./StepGuards.sol";
import {StepV4} from "./StepV4.sol";

/// @title StepRunner
/// @notice Interprets plans of steps: everything that plans of V2 and V3 hops alone (PlanRunner) cannot do.
///
/// Guarantees, each with tests in test/contracts/steps-*.test.ts:
///  1. Nothing leaves that is not in the plan's asset table, and each asset of the table is at the end at least what it was
///     before the first call; the profit asset is more by the least profit. ERC-20, ETH and ERC-6909 claims alike.
///  2. Whatever pools, tokens, lenders and hooks do, 1 decides: no step trusts an answer or an argument with more than that.
///  3. No allowance outlives the step that gave it.
///  4. Only the contract that was called may call back, once, while it is being called; lenders only with the plan's own bytes.
///  5. ETH is accepted only while such a plan runs.
///  6. A tip is at most what the plan made in the wrapped native token, and is paid before 1 is checked; a sweep of the profit asset
///     goes to the owner, after its balance was read, and before the other assets are.
///
/// # Layout of a plan of steps
/// Integers are big-endian; offsets are in bytes. src/plan/steps.ts writes it.
/// ```
///  0    1   0xB0 | flags: 1 V4 manager given, 4 guards given
///  1    1   index of the profit asset << 4 | number of assets
///  2   16   least profit
///  +    1   which guards follow | if flag 4; their bytes are ArbExecutor's, and they
///  +        the guards          | are all of those but that of the first pool
///  +   20   Uniswap V4's PoolManager, if flag 1
///  + 21*n   assets: kind (1), address (20). Kinds: 0 ETH (address 0), 1 ERC-20, 2 ERC-6909 claim on that currency
///  +        steps, until the end
/// ```
/// A step:
/// ```
///  0    1   kind
///  1    1   options: bits 0-3 where the amount comes from, 0x10 output to the next step's pool, 0x20 exact output,
///           0x40 measure the output, 0x80 V2 with a given output
///  2    1   index of the asset in << 4 | index of the asset out
///  3    2   size of the rest, in bytes from 41 on
///  5   20   target: pool, vault or lender
/// 25   16   amount
/// 41        what the kind has of its own; then, for loans, the steps that run inside
/// ```
/// Amounts: 0 fixed, 1 the output of the step before, 2 all of its asset above what there was before the plan, 3 a share of that
/// in hundredths of a percent, 4 (V2) what the step before sent there.
/// Kinds 1-8 and 23: StepSwaps, 9-13: StepV4. Loans: the asset in is what is repaid, and first come 16 bytes of the most that may be
/// paid back (14, 15) or of the lender's highest fee (others):
/// ```
/// 14  V2 flash swap: amount of the asset out, for the asset in; then the fee in millionths (3), 0 = pay exactly the most
/// 15  V3 swap whose callback runs the steps before it pays
/// 16  Aave V3      17  Balancer V2   18  Morpho Blue   19  ERC-3156
/// 20  V3 flash, of token1 if option 0x20            21  Uniswap V4 unlock
/// 22  Balancer V3 unlock: lends and takes back; its vault's swaps (23) run inside
/// ```
/// # What a lender carries
/// The whole plan goes through the lender, and its hash must be the one that was kept: so the steps inside run in the lender's
/// callback with the same table. A transient word says who may call: caller (160 bits), place of the step (64), kind of callback
/// (8), 0x80. It is 0x80 alone from when the callback starts, and again when the call returns; 0 when no steps run. PlanRunner's
/// own word says meanwhile that a plan runs and nobody may call.
abstract contract StepRunner is StepV4, StepGuards {
    uint256 private constant FLASH_V2 = 14;
    uint256 private constant FLASH_V3_SWAP = 15;
    uint256 private constant FLASH_AAVE = 16;
    uint256 private constant FLASH_BALANCER_V2 = 17;
    uint256 private constant FLASH_MORPHO = 18;
    uint256 private constant FLASH_ERC3156 = 19;
    uint256 private constant FLASH_V3 = 20;
    uint256 private constant UNLOCK_V4 = 21;
    uint256 private constant UNLOCK_BALANCER_V3 = 22;

    /// @dev Callback of a V3 pool that is only paid; others carry the plan and are named by their step's kind.
    uint256 private constant PAY = 1;
    uint256 private constant STEP_HEAD = 41;

    /// @dev Hash of the plan that lenders carry.
    uint256 private transient _planHash;

    // ------------------------------------------------------------------------------------------------------- the entry

    /// @dev Whether what came belongs to the steps that run: their callback, which does not return, or ETH, which WETH, Uniswap V4
    /// and Curve send.
    function _servesSteps() internal returns (bool) {
        uint256 word = _steps;
        if (word == 0) return false;
        if (msg.data.length == 0) return true;
        if (msg.sender == address(uint160(word >> 96))) _stepCallback(word);
        return false;
    }

    /// @dev Runs the plan of steps that an operator sent bare or by `execute`, while nothing runs: then it does not return.
    function _startSteps() internal {
        uint256 base;
        uint256 size = msg.data.length;
        if (bytes4(msg.data) == IArbExecutor.execute.selector) {
            unchecked {
                if (_word(4) > type(uint32).max) revert MalformedPlan();
                base = _word(4) + 0x24;
                size = _word(base - 0x20);
                if (size > type(uint32).max || base + size > msg.data.length) revert MalformedPlan();
            }
        }
        if (_word(base) >> 252 != 0xb) return;
        if (msg.value != 0) revert EtherRefused();
        Frame memory f = _frame(base, size);
        uint256 head = _word(base);
        uint256 profitIndex = (head >> 244) & 15;
        if (profitIndex >= f.assets) revert MalformedPlan();
        if (f.guards != 0) {
            f.gasAtStart = gasleft();
            _checkGuards(f);
        }
        // nobody may call, by either format's rules
        _state = 1;
        _steps = STEPS_RUN;
        _snapshot(f);
        _runSteps(f, f.steps, f.end);
        _conclude(f, profitIndex, (head >> 112) & type(uint128).max);
        _steps = 0;
        _state = 0;
        assembly ("memory-safe") {
            stop()
        }
    }

    function _frame(uint256 base, uint256 size) private pure returns (Frame memory f) {
        unchecked {
            uint256 head = _word(base);
            uint256 table = base + 18;
            if (head & (10 << 248) != 0) revert MalformedPlan();
            if (head & (4 << 248) != 0) {
                f.guards = table;
                table += _guardsSize(_word(table) >> 248);
            }
            if (head & (1 << 248) != 0) {
                f.manager = address(uint160(_word(table) >> 96));
                table += 20;
            }
            f.base = base;
            f.table = table;
            f.assets = (head >> 240) & 15;
            f.steps = table + 21 * f.assets;
            f.end = base + size;
            if (f.steps > f.end) revert MalformedPlan();
        }
    }

    /// @dev Runs the steps from one place of calldata to another, which must be where a step ends. Unchecked: places are below
    /// 2^32, and sizes below 2^16.
    function _runSteps(Frame memory f, uint256 place, uint256 end) private {
        unchecked {
            uint256 last;
            Step memory s;
            while (place < end) {
                uint256 head = _word(place);
                s.kind = head >> 248;
                s.options = (head >> 240) & 0xff;
                s.indexIn = (head >> 236) & 15;
                s.assetIn = _asset(f, s.indexIn);
                uint256 indexOut = (head >> 232) & 15;
                s.assetOut = _asset(f, indexOut);
                s.extraSize = (head >> 216) & 0xffff;
                s.target = address(uint160(head >> 56));
                s.amount = _word(place + 25) >> 128;
                s.extra = place + STEP_HEAD;
                uint256 next = s.extra + s.extraSize;
                if (next > end) revert MalformedPlan();
                s.to = address(this);
                if (s.options & 0x10 != 0) {
                    if (next + STEP_HEAD > end) revert MalformedPlan();
                    s.to = address(uint160(_word(next) >> 56));
                }
                bool measured = s.options & 0x40 != 0;
                uint256 before = measured ? _balance(f, s.assetOut) : 0;

                if (s.kind < V4_SWAP || s.kind == BALANCER_V3_SWAP) last = _swap(f, s, last);
                else if (s.kind < FLASH_V2) last = _stepV4(f, s, last);
                else last = _borrow(f, s, place);

                if (measured) {
                    uint256 afterwards = _balance(f, s.assetOut);
                    last = afterwards > before ? afterwards - before : 0;
                }
                place = next;
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------------- loans

    /// @dev Calls a lender with the plan as its data. What comes back is served by `_stepCallback`.
    function _borrow(Frame memory f, Step memory s, uint256 place) private returns (uint256) {
        bytes memory plan = new bytes(f.end - f.base);
        uint256 base = f.base;
        assembly ("memory-safe") {
            calldatacopy(add(plan, 32), base, mload(plan))
        }
        _planHash = uint256(keccak256(plan));
        if (s.options & 15 != 0) revert MalformedPlan();
        uint256 amount = s.amount;
        uint256 kind = s.kind;
        address lender = s.target;
        s.to = address(this);
        place -= base;
        if (kind == FLASH_V3_SWAP) return _swapV3(s, amount, plan, kind, place);

        bytes memory data;
        if (kind == FLASH_V2) {
            data = _pairSwap(_token(s.assetIn) < _token(s.assetOut), amount, address(this), plan);
        } else if (kind == UNLOCK_V4 || kind == UNLOCK_BALANCER_V3) {
            if (kind == UNLOCK_V4) lender = f.manager;
            data = _append(_encode(1, 0x48c89491, 0x20, 0, 0, 0), plan);
        } else {
            uint256 token = _uint(_token(s.assetIn));
            if (kind == FLASH_AAVE) {
                // flashLoanSimple(address,address,uint256,bytes,uint16)
                data = _append(
                    _append(_append(_encode(3, 0x42b0b77c, _self(), token, amount, 0), 0xa0), uint256(0)),
                    plan
                );
            } else if (kind == FLASH_BALANCER_V2) {
                // flashLoan(address,address[],uint256[],bytes)
                data = _encode(4, 0x5c38449e, _self(), 0x80, 0xc0, 0x100);
                data = _append(_append(_append(_append(_append(data, 1), token), 1), amount), plan);
            } else if (kind == FLASH_MORPHO) {
                data = _append(_encode(3, 0xe0232b42, token, amount, 0x60, 0), plan);
            } else if (kind == FLASH_ERC3156) {
                data = _append(_encode(4, 0x5cffe9de, _self(), token, amount, 0x80), plan);
            } else if (kind == FLASH_V3) {
                bool one = s.options & EXACT_OUT != 0;
                data = _append(_encode(4, 0x490e6cbc, _self(), one ? 0 : amount, one ? amount : 0, 0x80), plan);
            } else {
                revert MalformedPlan();
            }
        }
        _expect(lender, kind, place);
        _call(lender, 0, data);
        _steps = STEPS_RUN;
        // those that take their money themselves
        if (kind == FLASH_AAVE || kind == FLASH_MORPHO || kind == FLASH_ERC3156) _disallow(s.assetIn, lender);
        return amount;
    }

    /// @dev Serves the callback that the transient word allows. Does not return.
    function _stepCallback(uint256 word) private {
        // used once
        _steps = STEPS_RUN;
        uint256 kind = (word >> 8) & 0xff;
        if (kind == PAY) {
            // no data was given, so none may come back
            if (_word(100) != 0) revert UnexpectedCallback();
            _pay((ERC20 << 160) | uint160(_payToken), msg.sender, _owed(_payCap));
            assembly ("memory-safe") {
                stop()
            }
        }
        Frame memory f = _carried(kind);
        Step memory s;
        uint256 place = f.base + ((word >> 16) & type(uint64).max);
        uint256 head = _word(place);
        s.extraSize = (head >> 216) & 0xffff;
        s.extra = place + STEP_HEAD;
        s.assetIn = _asset(f, (head >> 236) & 15);
        s.amount = _word(place + 25) >> 128;
        uint256 end = s.extra + s.extraSize;
        if (kind == UNLOCK_V4) {
            _runSteps(f, s.extra, end);
            // unlockCallback returns bytes: none
            assembly ("memory-safe") {
                mstore(0, 0x20)
                mstore(0x20, 0)
                return(0, 0x40)
            }
        }
        uint256 cap = _field(s, 0, 16);
        if (kind == FLASH_V2) {
            uint256 fee = _field(s, 16, 3);
            _runSteps(f, s.extra + 19, end);
            uint256 owed = cap;
            if (fee != 0) {
                uint256 assetOut = _asset(f, (head >> 232) & 15);
                bool zeroForOne = _token(s.assetIn) < _token(assetOut);
                owed = _inputOf(msg.sender, zeroForOne, s.amount, fee);
                if (owed > cap) revert PaymentAboveCap(owed, cap);
            }
            _pay(s.assetIn, msg.sender, owed);
        } else if (kind == FLASH_V3_SWAP) {
            uint256 owed = _owed(cap);
            _runSteps(f, s.extra + 16, end);
            _pay(s.assetIn, msg.sender, owed);
        } else {
            _repay(f, s, kind, cap, end);
        }
        assembly ("memory-safe") {
            stop()
        }
    }

    /// @dev Runs the steps inside a loan and gives it back with its fee, or allows the lender to take it.
    function _repay(Frame memory f, Step memory s, uint256 kind, uint256 cap, uint256 end) private {
        uint256 fee;
        // the word of the arguments that holds the fee
        if (kind == FLASH_AAVE) fee = _word(0x44);
        else if (kind == FLASH_ERC3156) fee = _word(0x64);
        else if (kind == FLASH_BALANCER_V2) fee = _word(0x124);
        else if (kind == FLASH_V3) fee = _word(((_word(s.extra - STEP_HEAD) >> 240) & EXACT_OUT) + 4);
        if (fee > cap) revert LenderFeeAboveCap(fee, cap);
        // anyone may name us as the receiver: only our own loans count
        uint256 initiator = uint160(address(this));
        if (kind == FLASH_AAVE) initiator = _word(0x64);
        if (kind == FLASH_ERC3156) initiator = _word(0x04);
        if (initiator != uint160(address(this))) revert UnexpectedCallback();

        if (kind == UNLOCK_BALANCER_V3) {
            _sendTo(msg.sender, s.assetIn, address(this), s.amount);
        }
        _runSteps(f, s.extra + 16, end);
        uint256 owed;
        // both are below 2^128
        unchecked {
            owed = s.amount + fee;
        }
        if (kind == FLASH_AAVE || kind == FLASH_MORPHO || kind == FLASH_ERC3156) {
            _allow(s.assetIn, msg.sender, owed);
            // true, or what ERC-3156 wants
            uint256 answer = kind == FLASH_ERC3156 ? uint256(keccak256("ERC3156FlashBorrower.onFlashLoan")) : 1;
            assembly ("memory-safe") {
                mstore(0, answer)
                return(0, 0x20)
            }
        }
        if (kind == UNLOCK_BALANCER_V3) _settleWith(msg.sender, s.assetIn, owed);
        else _pay(s.assetIn, msg.sender, owed);
    }

    /// @dev What a V3 pool is owed: of its two amounts the positive one.
    function _owed(uint256 cap) private pure returns (uint256 owed) {
        owed = _word(4);
        if (int256(owed) < 1) owed = _word(36);
        if (int256(owed) < 0) owed = 0;
        if (owed > cap) revert PaymentAboveCap(owed, cap);
    }

    /// @dev The plan in a callback's arguments, which must be the one that was sent out.
    function _carried(uint256 kind) private view returns (Frame memory) {
        // which word of the arguments is its length, a byte per kind from the lowest on
        uint256 words = (0x0103_0502_0a05_0304 >> (8 * (kind - FLASH_V2))) & 0xff;
        uint256 base;
        uint256 size = msg.data.length;
        if (kind != UNLOCK_BALANCER_V3) {
            base = 0x24 + 32 * words;
            size = _word(base - 32) & 0xffff;
        }
        bytes memory plan = new bytes(size);
        assembly ("memory-safe") {
            calldatacopy(add(plan, 32), base, size)
        }
        if (uint256(keccak256(plan)) != _planHash) revert UnexpectedCallback();
        return _frame(base, size);
    }
}
