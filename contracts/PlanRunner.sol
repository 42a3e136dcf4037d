// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Raw} from "./Raw.sol";

/// @title PlanRunner
/// @notice Interprets plans. Their layout and the order of the calls are described at ArbExecutor.
/// @dev Everything is uint256 and unchecked: values come from the plan (at most 96 bits), from reserves (112 bits) or from a
/// callback's arguments, and whatever they are, the rules at the end of `_execute` decide whether the plan lands.
///
/// The transient word says who may call:
///   0                                                nothing runs
///   RUNNING                                          a plan runs and nobody may call
///   caller (160 bits) | hash (88 bits) | step (8)    a plan runs, and this contract may call back with these bytes
/// It is written right before a call that must be answered by a callback, replaced by the callback before anything else is
/// called, and set to RUNNING again when the call returns.
abstract contract PlanRunner {
    error PlanRunning();
    /// @notice A callback from an unexpected contract, at an unexpected time, or with other bytes than it was given.
    error UnexpectedCallback();
    /// @notice The bytes are not a plan, or not as long as their head says.
    error MalformedPlan();
    error Expired();
    error OutsideBlockWindow();
    /// @notice The first pool is owed more than the plan allows.
    error PaymentAboveCap(uint256 payment, uint256 cap);
    error LenderFeeAboveCap(uint256 fee, uint256 cap);
    /// @notice A lender did not take the money that it was approved.
    error AllowanceLeft();
    /// @notice `got` is how much the balance of the profit token rose (or fell).
    error ProfitTooLow(int256 got, uint256 needed);

    uint256 internal constant IDLE = 0;
    uint256 internal constant RUNNING = 1;

    // the upper five bits of the first byte: A and an unused flag
    uint256 private constant FORMAT = 0xa0 >> 3;
    uint256 private constant ADAPTIVE = 1;
    uint256 private constant TOKEN_GIVEN = 2;
    uint256 private constant GUARDS_GIVEN = 4;

    uint256 private constant OWN_BALANCE = 1;
    uint256 private constant AAVE_V3 = 2;

    // The step: bits 0-2 the hop that calls back, then what kind of callback it is if not a V3 pool's
    uint256 private constant FROM_V2 = 8;
    uint256 private constant FROM_AAVE = 16;
    uint256 private constant FROM_BALANCER = 32;

    uint256 private constant MASK_40 = (1 << 40) - 1;
    uint256 private constant MASK_88 = (1 << 88) - 1;
    uint256 private constant MASK_96 = (1 << 96) - 1;
    uint256 private constant HOPS = 16;
    uint256 private constant MILLION = 1e6;

    uint256 internal transient _state;
    uint256 private immutable WRAPPED_NATIVE = _wrappedNative();

    /// @dev Runs the plan in calldata at `plan` and enforces its rules. The caller has checked that nothing runs and that an
    /// operator asks.
    function _execute(uint256 plan, uint256 size) internal {
        unchecked {
            uint256 head = Raw.read(plan);
            (uint256 token, uint256 body) = _tokenAndBody(plan, head);
            uint256 funding = _funding(head);
            uint256 bounds = plan + body;
            if (funding >= AAVE_V3) bounds += 44;
            uint256 guarded = head & (GUARDS_GIVEN << 248);
            if (((head >> 251) ^ FORMAT) | ((bounds + (guarded == 0 ? 12 : 27)) ^ (plan + size)) != 0) {
                Raw.fail(MalformedPlan.selector);
            }
            uint256 minProfit = Raw.read(bounds);
            if (guarded != 0) _checkGuards(minProfit);
            minProfit >>= 160;

            uint256 before = Raw.balanceOf(token);
            if (funding < AAVE_V3) _startPools(plan, head, body, token);
            else _borrow(plan, body, token, funding);
            // what follows are static calls, in which no state can change
            _state = IDLE;
            if (funding == AAVE_V3) {
                if (Raw.allowance(token, Raw.read(plan + body) >> 96) != 0) Raw.fail(AllowanceLeft.selector);
            }
            uint256 afterwards = Raw.balanceOf(token);
            uint256 got = afterwards - before;
            // two comparisons, so that no balance can make the sum before + minProfit overflow
            if (afterwards < before || got < minProfit) Raw.fail(ProfitTooLow.selector, got, minProfit);
        }
    }

    /// @dev Serves a callback while a plan runs; `commitment` is the transient word.
    function _callback(uint256 commitment) internal {
        unchecked {
            if (uint256(uint160(msg.sender)) != commitment >> 96) Raw.fail(UnexpectedCallback.selector);
            if (commitment & (FROM_AAVE | FROM_BALANCER) != 0) _onLoan(commitment);
            else _onSwap(commitment);
        }
    }

    // ----------------------------------------------------------------------------------------------------- the lender

    /// @dev Calls the lender with body and lender's terms as callback data.
    function _borrow(uint256 plan, uint256 body, uint256 token, uint256 funding) private {
        unchecked {
            uint256 size = body + 44;
            uint256 terms = Raw.read(plan + body);
            uint256 step = funding == AAVE_V3 ? FROM_AAVE : FROM_BALANCER;
            _state = _commitment(terms >> 96, Raw.loadBody(plan, size), step);
            if (funding == AAVE_V3) Raw.flashLoanAave(terms >> 96, token, terms & MASK_96, plan, size);
            else Raw.flashLoanBalancer(terms >> 96, token, terms & MASK_96, plan, size);
        }
    }

    /// @dev The lender has lent: run the pools, then repay the loan and at most the agreed fee.
    function _onLoan(uint256 commitment) private {
        unchecked {
            bool aave = commitment & FROM_AAVE != 0;
            // executeOperation(asset, amount, premium, initiator, params): params at 0xc4.
            // receiveFlashLoan([token], [amount], [fee], userData): fee at 0x124, userData at 0x164.
            uint256 plan = aave ? 0xc4 : 0x164;
            uint256 fee = Raw.read(aave ? 0x44 : 0x124);
            _checkBytes(commitment, plan, Raw.read(plan - 0x20));
            // anyone can make Aave call anyone: only a loan that this contract asked for counts
            if (aave && Raw.read(0x64) != uint256(uint160(address(this)))) Raw.fail(UnexpectedCallback.selector);
            _state = RUNNING;

            uint256 head = Raw.read(plan);
            (uint256 token, uint256 body) = _tokenAndBody(plan, head);
            uint256 cap = Raw.read(plan + body + 32) >> 160;
            if (fee > cap) Raw.fail(LenderFeeAboveCap.selector, fee, cap);
            _startPools(plan, head, body, token);
            _state = RUNNING;

            uint256 owed = (Raw.read(plan + body) & MASK_96) + fee;
            if (aave) {
                Raw.approve(token, uint160(msg.sender), owed);
                Raw.returnTrue();
            }
            Raw.transfer(token, uint160(msg.sender), owed);
        }
    }

    // ------------------------------------------------------------------------------------------------------ the pools

    /// @dev Makes the first call to a pool. Leaves the transient word to the caller to reset.
    function _startPools(uint256 plan, uint256 head, uint256 body, uint256 token) private {
        unchecked {
            uint256 pivot = _pivot(head);
            if (_isV3(head, pivot) != 0) {
                uint256 hop = _hop(plan, pivot);
                _state = _commitment(hop >> 96, Raw.loadBody(plan, body), pivot);
                // the output goes straight to the next pair if there is one, else to this contract
                uint256 next = pivot + 1;
                uint256 to = next < _hops(head) ? _hop(plan, next) >> 96 : uint160(address(this));
                Raw.swapV3(hop >> 96, _zeroForOne(head, pivot), hop & MASK_96, to, body);
            } else if (_funding(head) == 0) {
                _startFlashSwap(plan, head, body, pivot);
            } else {
                // the money is here: pay first, then all pairs in order
                _state = RUNNING;
                uint256 hops = _hops(head);
                if (_isAdaptive(head)) _quoteForward(plan, head, 0, hops, _amountIn(head));
                Raw.transfer(token, _hop(plan, 0) >> 96, _amountIn(head));
                _swapPairs(plan, head, 0, hops, uint160(address(this)));
            }
        }
    }

    /// @dev All hops are V2 and fund themselves: the last pair lends its output. An adaptive body is turned into a fixed one
    /// in memory, so that its callback has nothing to compute.
    function _startFlashSwap(uint256 plan, uint256 head, uint256 body, uint256 pivot) private {
        unchecked {
            uint256 hash = Raw.loadBody(plan, body);
            uint256 hop = _hop(plan, pivot);
            uint256 amountOut = hop & MASK_96;
            if (_isAdaptive(head)) {
                amountOut = _quoteForward(plan, head, 0, pivot + 1, _amountIn(head)) & MASK_96;
                hash = Raw.fixAmounts(head ^ (ADAPTIVE << 248), pivot + 1, body);
            }
            _state = _commitment(hop >> 96, hash, FROM_V2 | pivot);
            Raw.flashV2(hop >> 96, _zeroForOne(head, pivot), amountOut, body);
        }
    }

    /// @dev A pool has sent its output and wants its input.
    function _onSwap(uint256 commitment) private {
        unchecked {
            uint256 i = commitment & 7;
            // uniswapV3SwapCallback(amount0, amount1, data): data at 0x84.
            // uniswapV2Call(sender, amount0, amount1, data): data at 0xa4.
            uint256 plan = 0x84 + ((commitment & FROM_V2) << 2);
            uint256 body = Raw.read(plan - 0x20);
            _checkBytes(commitment, plan, body);
            uint256 head = Raw.read(plan);
            if (commitment & FROM_V2 != 0) {
                // the last pair of a cycle of V2 hops
                _state = RUNNING;
                _payFirst(plan, head, _hop(plan, 0) >> 96, _amountIn(head));
                _swapPairs(plan, head, 0, i, uint160(msg.sender));
                return;
            }

            // of the two amounts, the positive one is owed to the pool, the negative one was paid out
            uint256 owed = Raw.read(0x04);
            uint256 arrived = Raw.read(0x24);
            if (int256(owed) < 1) (owed, arrived) = (arrived, owed);
            if (i == _pivot(head)) _finishForward(plan, head, i + 1, 0 - arrived);
            _supply(commitment, plan, head, body, i, owed);
        }
    }

    /// @dev Runs the V2 hops behind the pivot; their input lies in the first of them.
    function _finishForward(uint256 plan, uint256 head, uint256 from, uint256 arrived) private {
        uint256 hops = _hops(head);
        if (from < hops) {
            _state = RUNNING;
            if (_isAdaptive(head)) _quoteForward(plan, head, from, hops, arrived);
            _swapPairs(plan, head, from, hops, uint160(address(this)));
        }
    }

    /// @dev Gets the calling pool, V3 hop `i`, what it is owed.
    function _supply(uint256 commitment, uint256 plan, uint256 head, uint256 body, uint256 i, uint256 owed) private {
        unchecked {
            uint256 caller_ = uint160(msg.sender);
            uint256 k = i;
            while (k != 0) {
                --k;
                if (_isV3(head, k) == 0) continue;
                // V3 hop k delivers exactly what is owed, to the pool itself or to the pairs between
                uint256 next = k + 1;
                uint256 to = caller_;
                uint256 hop = _hop(plan, k);
                if (next != i) {
                    to = _hop(plan, next) >> 96;
                    owed = _isAdaptive(head) ? _quoteBackward(plan, head, next, i, owed) : hop & MASK_96;
                }
                _state = (hop & ~MASK_96) | (commitment & (MASK_88 << 8)) | k;
                Raw.swapV3(hop >> 96, _zeroForOne(head, k), 0 - owed, to, body);
                _state = RUNNING;
                _swapPairs(plan, head, next, i, caller_);
                return;
            }
            _state = RUNNING;
            if (i == 0) {
                _payFirst(plan, head, caller_, owed);
            } else {
                _payFirst(
                    plan,
                    head,
                    _hop(plan, 0) >> 96,
                    _isAdaptive(head) ? _quoteBackward(plan, head, 0, i, owed) : _amountIn(head)
                );
                _swapPairs(plan, head, 0, i, caller_);
            }
        }
    }

    /// @dev The one payment of a plan to a pool.
    function _payFirst(uint256 plan, uint256 head, uint256 pool, uint256 payment) private {
        uint256 cap = _amountIn(head);
        if (payment > cap) Raw.fail(PaymentAboveCap.selector, payment, cap);
        (uint256 token, ) = _tokenAndBody(plan, head);
        Raw.transfer(token, pool, payment);
    }

    /// @dev Swaps V2 hops `from` to `end` (not included) forward; each sends its output to the next one, the last to `to`.
    function _swapPairs(uint256 plan, uint256 head, uint256 from, uint256 end, uint256 to) private {
        unchecked {
            if (from == end) return;
            bool adaptive = _isAdaptive(head);
            uint256 hop = _hop(plan, from);
            while (true) {
                uint256 amountOut = adaptive ? Raw.quoted(from) : hop & MASK_96;
                uint256 zeroForOne = _zeroForOne(head, from);
                ++from;
                if (from == end) {
                    Raw.swapV2(hop >> 96, zeroForOne, amountOut, to);
                    return;
                }
                uint256 next = _hop(plan, from);
                Raw.swapV2(hop >> 96, zeroForOne, amountOut, next >> 96);
                hop = next;
            }
        }
    }

    // -------------------------------------------------------------------------------------------- amounts from reserves

    /// @dev Outputs of V2 hops `from` to `end` (not included) for an input; the last one is returned, all go to OUTS.
    /// getAmountOut of UniswapV2Library with the pair's own fee: 3000 millionths give exactly its 997 / 1000.
    function _quoteForward(
        uint256 plan,
        uint256 head,
        uint256 from,
        uint256 end,
        uint256 amount
    ) private view returns (uint256) {
        unchecked {
            for (; from < end; ++from) {
                uint256 hop = _hop(plan, from);
                (uint256 reserveIn, uint256 reserveOut) = Raw.reserves(hop >> 96, _zeroForOne(head, from));
                uint256 kept = amount * (MILLION - (hop & MASK_96));
                amount = Raw.div(kept * reserveOut, reserveIn * MILLION + kept);
                Raw.setQuoted(from, amount);
            }
            return amount;
        }
    }

    /// @dev Input that V2 hops `from` to `end` (not included) need for an output; their outputs go to OUTS.
    /// getAmountIn of UniswapV2Library with the pair's own fee. An output beyond the reserve makes the pair itself revert.
    function _quoteBackward(
        uint256 plan,
        uint256 head,
        uint256 from,
        uint256 end,
        uint256 amount
    ) private view returns (uint256) {
        unchecked {
            while (end > from) {
                --end;
                uint256 hop = _hop(plan, end);
                Raw.setQuoted(end, amount);
                (uint256 reserveIn, uint256 reserveOut) = Raw.reserves(hop >> 96, _zeroForOne(head, end));
                amount = Raw.div(reserveIn * amount * MILLION, (reserveOut - amount) * (MILLION - (hop & MASK_96))) + 1;
            }
            return amount;
        }
    }

    // -------------------------------------------------------------------------------------------------- reading a plan

    function _tokenAndBody(uint256 plan, uint256 head) private view returns (uint256 token, uint256 body) {
        unchecked {
            body = HOPS + (_hops(head) << 5);
            token = WRAPPED_NATIVE;
            if (head & (TOKEN_GIVEN << 248) != 0) {
                token = Raw.read(plan + body) >> 96;
                body += 20;
            }
        }
    }

    function _hop(uint256 plan, uint256 j) private pure returns (uint256) {
        unchecked {
            return Raw.read(plan + HOPS + (j << 5));
        }
    }

    function _isAdaptive(uint256 head) private pure returns (bool) {
        return head & (ADAPTIVE << 248) != 0;
    }

    function _funding(uint256 head) private pure returns (uint256) {
        return (head >> 246) & 3;
    }

    function _hops(uint256 head) private pure returns (uint256) {
        return (head >> 243) & 7;
    }

    function _pivot(uint256 head) private pure returns (uint256) {
        return (head >> 240) & 7;
    }

    function _isV3(uint256 head, uint256 j) private pure returns (uint256) {
        return (head >> (232 + j)) & 1;
    }

    function _zeroForOne(uint256 head, uint256 j) private pure returns (uint256) {
        return (head >> (224 + j)) & 1;
    }

    function _amountIn(uint256 head) private pure returns (uint256) {
        return (head >> 128) & MASK_96;
    }

    // --------------------------------------------------------------------------------------------------------- checks

    function _commitment(uint256 caller_, uint256 hash, uint256 step) private pure returns (uint256) {
        return (caller_ << 96) | ((hash & MASK_88) << 8) | step;
    }

    /// @dev Loads the callback's bytes to BODY and compares them with the committed hash.
    function _checkBytes(uint256 commitment, uint256 offset, uint256 size) private pure {
        if ((Raw.loadBody(offset, size) ^ (commitment >> 8)) & MASK_88 != 0) Raw.fail(UnexpectedCallback.selector);
    }

    function _checkGuards(uint256 bounds) private view {
        unchecked {
            uint256 deadline = (bounds >> 120) & MASK_40;
            uint256 fromBlock = (bounds >> 80) & MASK_40;
            uint256 toBlock = (bounds >> 40) & MASK_40;
            if (deadline != 0 && block.timestamp > deadline) Raw.fail(Expired.selector);
            if (block.number < fromBlock || (toBlock != 0 && block.number > toBlock)) {
                Raw.fail(OutsideBlockWindow.selector);
            }
        }
    }

    /// @dev The wrapped native token of the chain, so that most plans need not name it. Zero elsewhere: there a plan without a
    /// token fails with TokenCallFailed. Sources: the chains' own documentation, as in src/config.
    function _wrappedNative() private view returns (uint256) {
        uint256 id = block.chainid;
        if (id == 1) return uint160(0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2);
        if (id == 42161) return uint160(0x82aF49447D8a07e3bd95BD0d56f35241523fBab1);
        if (id == 10 || id == 8453 || id == 11155420 || id == 84532) {
            return uint160(0x4200000000000000000000000000000000000006);
        }
        if (id == 11155111) return uint160(0xfFf9976782d46CC05630D1f6eBAb18b2324d6B14);
        if (id == 421614) return uint160(0x980B62Da83eFf3D4576C647993b0c1D7faf17c73);
        return 0;
    }
}
