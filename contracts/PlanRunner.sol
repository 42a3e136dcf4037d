// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title PlanRunner
/// @notice Interprets plans. Their layout and the order of the calls are described at ArbExecutor.
/// @dev One block of assembly, because what a plan costs decides which trades exist: about 900 gas less per trade than the
/// same steps as Solidity functions. Values come from the plan (at most 96 bits), from reserves (112 bits) or from the arguments
/// of a callback. Nothing depends on the latter being honest: whatever they are, payments are capped, and the rule at the end of
/// `start` decides whether the plan lands.
///
/// The transient word says who may call:
///   0                                                nothing runs
///   1                                                a plan runs and nobody may call
///   caller (160 bits) | hash (88 bits) | step (8)    a plan runs, and this contract may call back with these bytes
/// It is written right before a call that is answered by a callback, set to 1 by the callback before anything else is called
/// (or to the next such word), and set to 1 when the call returns. It becomes 0 at the plan's end, before static calls only.
/// The step: bits 0-2 the hop that calls back, bits 3-6 the word of the arguments that its data start at, which tells the
/// callbacks apart:
///   32   4   uniswapV3SwapCallback(amount0, amount1, data)
///   40   5   uniswapV2Call(sender, amount0, amount1, data)
///   48   6   executeOperation(asset, amount, premium, initiator, params)
///   88  11   receiveFlashLoan([token], [amount], [fee], userData)
/// Bit 4 alone tells a lender from a pool, bit 3 alone V2 from V3 and Balancer from Aave.
///
/// Memory: 0x00-0xdf heads of calls; 0xe0 the body, kept through a frame; from 0x200 one word per hop, computed V2 outputs.
abstract contract PlanRunner {
    error NotOperator();
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
    /// @notice A token answered false, or nothing where an answer is needed.
    error TokenCallFailed();
    /// @notice `got` is how much the balance of the profit token rose (or fell).
    error ProfitTooLow(int256 got, uint256 needed);

    uint256 internal transient _state;
    uint256 internal immutable WRAPPED_NATIVE = _wrappedNative();

    /// @dev Runs a plan if `state` is 0, else serves a callback of the plan that runs. Does not return.
    /// @param state The transient word.
    /// @param input Where the plan lies in calldata (only if `state` is 0), and its length.
    function _interpret(uint256 state, uint256 input, uint256 inputSize) internal {
        uint256 wrapped = WRAPPED_NATIVE;
        assembly {
            // ------------------------------------------------------------------------------------------- failures

            function fail(selector) {
                mstore(0x00, shl(224, selector))
                revert(0x00, 0x04)
            }

            function failWith(selector, a, b) {
                mstore(0x00, shl(224, selector))
                mstore(0x04, a)
                mstore(0x24, b)
                revert(0x00, 0x44)
            }

            function bubble() {
                returndatacopy(0x00, 0x00, returndatasize())
                revert(0x00, returndatasize())
            }

            /// No answer, or one word that is not true: our own error. Anything else is the token's own.
            function tokenFailed() {
                if and(returndatasize(), not(0x20)) {
                    bubble()
                }
                fail(0x3f409f9a) // TokenCallFailed()
            }

            // --------------------------------------------------------------------------------------------- tokens
            // `and` evaluates its second argument first: the call, then what it answered.

            function balanceOf(token) -> amount {
                mstore(0x00, 0x70a08231) // balanceOf(address)
                mstore(0x20, address())
                // an address without code answers with nothing, not with a word
                if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x1c, 0x24, 0x00, 0x20))) {
                    tokenFailed()
                }
                amount := mload(0x00)
            }

            /// transfer or approve. Success is true, or no answer at all (USDT and others return nothing): `token` has code,
            /// as it told a balance before.
            function move(selector, token, to, amount) {
                mstore(0x00, selector)
                mstore(0x20, to)
                mstore(0x40, amount)
                if iszero(
                    and(or(eq(mload(0x00), 1), iszero(returndatasize())), call(gas(), token, 0, 0x1c, 0x44, 0x00, 0x20))
                ) {
                    tokenFailed()
                }
            }

            // ---------------------------------------------------------------------------------------------- pools

            /// UniswapV3Pool.swap without a price limit, with the body in memory as callback data. amount > 0: exact input;
            /// as a negative int256: exact output.
            function swapV3(pool, zeroForOne, amount, to, size) {
                mstore(0x00, 0x128acb08) // swap(address,bool,int256,uint160,bytes)
                mstore(0x20, to)
                mstore(0x40, zeroForOne)
                mstore(0x60, amount)
                // downwards MIN_SQRT_RATIO + 1, upwards MAX_SQRT_RATIO - 1: TickMath of v3-core
                mstore(
                    0x80,
                    xor(
                        4295128740,
                        mul(iszero(zeroForOne), xor(4295128740, 1461446703485210103287273052203988822378723970341))
                    )
                )
                mstore(0xa0, 0xa0)
                mstore(0xc0, size)
                if iszero(call(gas(), pool, 0, 0x1c, add(0xc4, and(add(size, 31), not(31))), 0x00, 0x00)) {
                    bubble()
                }
            }

            /// Swaps V2 hops `from` to `end` (not included, above `from`) forward. The first has its input already; each sends
            /// its output to the next one, the last to `to`.
            function swapPairs(plan, head, from, end, to) {
                let place := add(add(plan, 16), shl(5, from))
                mstore(0x00, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
                mstore(0x80, 0x80)
                mstore(0xa0, 0)
                for {} 1 {} {
                    let hop := calldataload(place)
                    let amount := and(hop, 0xffffffffffffffffffffffff)
                    if and(head, shl(248, 1)) {
                        amount := mload(add(0x200, shl(5, from)))
                    }
                    // 32 if the output is token1, else 0: amount0Out lies at 0x20, amount1Out at 0x40
                    let side := and(shr(add(219, from), head), 32)
                    mstore(sub(0x40, side), 0)
                    mstore(add(0x20, side), amount)
                    from := add(from, 1)
                    if eq(from, end) {
                        mstore(0x60, to)
                        if iszero(call(gas(), shr(96, hop), 0, 0x1c, 0xa4, 0x00, 0x00)) {
                            bubble()
                        }
                        leave
                    }
                    place := add(place, 0x20)
                    mstore(0x60, shr(96, calldataload(place)))
                    if iszero(call(gas(), shr(96, hop), 0, 0x1c, 0xa4, 0x00, 0x00)) {
                        bubble()
                    }
                }
            }

            /// Reserves of V2 hop j, with the part of an input that its fee leaves, in millionths.
            function pairOf(plan, head, j) -> reserveIn, reserveOut, kept {
                let hop := calldataload(add(add(plan, 16), shl(5, j)))
                mstore(0x00, 0x0902f1ac) // getReserves()
                if iszero(staticcall(gas(), shr(96, hop), 0x1c, 0x04, 0x00, 0x40)) {
                    bubble()
                }
                let side := shl(5, and(shr(add(224, j), head), 1))
                reserveIn := mload(sub(0x20, side))
                reserveOut := mload(side)
                kept := sub(1000000, and(hop, 0xffffffffffffffffffffffff))
            }

            /// Outputs of V2 hops `from` to `end` (not included) for an input, into memory; returns the last one.
            /// getAmountOut of UniswapV2Library with the pair's own fee: 3000 millionths give its 997 / 1000 exactly.
            function quoteForward(plan, head, from, end, amountIn) -> amount {
                amount := amountIn
                for {} lt(from, end) {
                    from := add(from, 1)
                } {
                    let reserveIn, reserveOut, kept := pairOf(plan, head, from)
                    kept := mul(amount, kept)
                    amount := div(mul(kept, reserveOut), add(mul(reserveIn, 1000000), kept))
                    mstore(add(0x200, shl(5, from)), amount)
                }
            }

            /// Outputs of V2 hops `from` to `end` (not included) for a last output, into memory; returns the first input.
            /// getAmountIn of UniswapV2Library. An output beyond the reserve is refused by the pair itself.
            function quoteBackward(plan, head, from, end, amountOut) -> amount {
                amount := amountOut
                for {} lt(from, end) {} {
                    end := sub(end, 1)
                    mstore(add(0x200, shl(5, end)), amount)
                    let reserveIn, reserveOut, kept := pairOf(plan, head, end)
                    amount := add(div(mul(mul(reserveIn, amount), 1000000), mul(sub(reserveOut, amount), kept)), 1)
                }
            }

            // --------------------------------------------------------------------------------------- the first call

            /// Starts the pools of a plan. The transient word is the caller's to reset.
            function startPools(plan, head, size, token) {
                let pivot := and(shr(240, head), 7)
                let hop := calldataload(add(add(plan, 16), shl(5, pivot)))
                calldatacopy(0xe0, plan, size)

                if and(shr(add(232, pivot), head), 1) {
                    tstore(
                        0,
                        or(
                            and(hop, not(0xffffffffffffffffffffffff)),
                            or(and(keccak256(0xe0, size), 0xffffffffffffffffffffff00), or(32, pivot))
                        )
                    )
                    // its output goes straight to the next pair, if there is one
                    let to := address()
                    if lt(add(pivot, 1), and(shr(243, head), 7)) {
                        to := shr(96, calldataload(add(add(plan, 48), shl(5, pivot))))
                    }
                    swapV3(
                        shr(96, hop),
                        and(shr(add(224, pivot), head), 1),
                        and(hop, 0xffffffffffffffffffffffff),
                        to,
                        size
                    )
                    leave
                }

                if and(head, shl(246, 3)) {
                    // all V2, and the money is here: pay, then swap forward
                    tstore(0, 1)
                    let amountIn := and(shr(128, head), 0xffffffffffffffffffffffff)
                    let hops := add(pivot, 1)
                    if and(head, shl(248, 1)) {
                        pop(quoteForward(plan, head, 0, hops, amountIn))
                    }
                    move(0xa9059cbb, token, shr(96, calldataload(add(plan, 16))), amountIn) // transfer(address,uint256)
                    swapPairs(plan, head, 0, hops, address())
                    leave
                }

                // all V2 and nobody's money: the last pair lends its output
                let amountOut := and(hop, 0xffffffffffffffffffffffff)
                if and(head, shl(248, 1)) {
                    // the body that comes back is a fixed one, with the outputs in place of the fees, cut to the 12 bytes that
                    // they have there: if that cuts anything it is too little, never another pool
                    let amountIn := and(shr(128, head), 0xffffffffffffffffffffffff)
                    pop(quoteForward(plan, head, 0, add(pivot, 1), amountIn))
                    mstore(0xe0, xor(calldataload(plan), shl(248, 1)))
                    for {
                        let j := 0
                    } iszero(gt(j, pivot)) {
                        j := add(j, 1)
                    } {
                        let place := add(0xf0, shl(5, j))
                        amountOut := and(mload(add(0x200, shl(5, j))), 0xffffffffffffffffffffffff)
                        mstore(place, or(and(mload(place), not(0xffffffffffffffffffffffff)), amountOut))
                    }
                }
                tstore(
                    0,
                    or(
                        and(hop, not(0xffffffffffffffffffffffff)),
                        or(and(keccak256(0xe0, size), 0xffffffffffffffffffffff00), or(40, pivot))
                    )
                )
                // one word higher than elsewhere, so that the data lies at 0xe0
                let side := and(shr(add(219, pivot), head), 32)
                mstore(0x20, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
                mstore(sub(0x60, side), 0)
                mstore(add(0x40, side), amountOut)
                mstore(0x80, address())
                mstore(0xa0, 0x80)
                mstore(0xc0, size)
                if iszero(call(gas(), shr(96, hop), 0, 0x3c, add(0xa4, and(add(size, 31), not(31))), 0x00, 0x00)) {
                    bubble()
                }
            }

            /// Borrows from the plan's lender, whose callback data are the body and the lender's terms.
            function borrow(plan, head, size, token) {
                let terms := calldataload(add(plan, size))
                let dataSize := add(size, 44)
                calldatacopy(0x140, plan, dataSize)
                let isAave := eq(and(shr(246, head), 3), 2)
                tstore(
                    0,
                    or(
                        and(terms, not(0xffffffffffffffffffffffff)),
                        or(
                            and(keccak256(0x140, dataSize), 0xffffffffffffffffffffff00),
                            add(48, mul(40, iszero(isAave)))
                        )
                    )
                )
                let start := 0x1c
                let callSize := add(0x124, and(add(dataSize, 31), not(31)))
                mstore(0x120, dataSize)
                switch isAave
                case 1 {
                    // flashLoanSimple(address receiver, address asset, uint256 amount, bytes params, uint16 referralCode)
                    start := 0x7c
                    callSize := sub(callSize, 0x60)
                    mstore(0x60, 0x42b0b77c)
                    mstore(0x80, address())
                    mstore(0xa0, token)
                    mstore(0xc0, and(terms, 0xffffffffffffffffffffffff))
                    mstore(0xe0, 0xa0)
                    mstore(0x100, 0)
                }
                default {
                    // flashLoan(address recipient, address[] tokens, uint256[] amounts, bytes userData)
                    mstore(0x00, 0x5c38449e)
                    mstore(0x20, address())
                    mstore(0x40, 0x80)
                    mstore(0x60, 0xc0)
                    mstore(0x80, 0x100)
                    mstore(0xa0, 1)
                    mstore(0xc0, token)
                    mstore(0xe0, 1)
                    mstore(0x100, and(terms, 0xffffffffffffffffffffffff))
                }
                if iszero(call(gas(), shr(96, terms), 0, start, callSize, 0x00, 0x00)) {
                    bubble()
                }
            }

            function checkGuards(guards) {
                let deadline := and(shr(120, guards), 0xffffffffff)
                let toBlock := and(shr(40, guards), 0xffffffffff)
                // x - 1 makes zero, which means any, the greatest number
                if gt(sub(timestamp(), 1), sub(deadline, 1)) {
                    fail(0x203d82d8) // Expired()
                }
                if or(lt(number(), and(shr(80, guards), 0xffffffffff)), gt(sub(number(), 1), sub(toBlock, 1))) {
                    fail(0x22265e54) // OutsideBlockWindow()
                }
            }

            // ---------------------------------------------------------------------------------------- a plan's frame

            if iszero(state) {
                let head := calldataload(input)
                // 16 + 32 * hops
                let size := add(16, and(shr(238, head), 0xe0))
                if and(head, shl(249, 1)) {
                    wrapped := shr(96, calldataload(add(input, size)))
                    size := add(size, 20)
                }
                let token := wrapped
                let bounds := add(input, size)
                let end := add(bounds, 12)
                // a lender, or a deadline and block window
                if and(head, or(shl(247, 1), shl(250, 1))) {
                    if and(head, shl(247, 1)) {
                        bounds := add(bounds, 44)
                        end := add(end, 44)
                    }
                    if and(head, shl(250, 1)) {
                        end := add(end, 15)
                        checkGuards(calldataload(bounds))
                    }
                }
                // the first five bits are those of 0xa0; the length is what the head says
                if or(xor(shr(251, head), 0x14), xor(end, add(input, inputSize))) {
                    fail(0x2abe262c) // MalformedPlan()
                }

                let before := balanceOf(token)
                switch and(head, shl(247, 1))
                case 0 {
                    startPools(input, head, size, token)
                }
                default {
                    borrow(input, head, size, token)
                }
                // nothing but static calls from here on
                tstore(0, 0)
                if eq(and(shr(246, head), 3), 2) {
                    mstore(0x00, 0xdd62ed3e) // allowance(address,address)
                    mstore(0x20, address())
                    mstore(0x40, shr(96, calldataload(add(input, size))))
                    if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x1c, 0x44, 0x00, 0x20))) {
                        tokenFailed()
                    }
                    if mload(0x00) {
                        fail(0x43e05022) // AllowanceLeft()
                    }
                }
                let afterwards := balanceOf(token)
                let got := sub(afterwards, before)
                let needed := shr(160, calldataload(bounds))
                // two comparisons: a sum could overflow
                if or(lt(afterwards, before), lt(got, needed)) {
                    failWith(0x73b889af, got, needed) // ProfitTooLow(int256,uint256)
                }
                stop()
            }

            // ------------------------------------------------------------------------------------- a callback's frame

            if xor(caller(), shr(96, state)) {
                fail(0xdab1e993) // UnexpectedCallback()
            }
            let plan := add(4, and(shl(2, state), 0x1e0))
            // cut to what a plan can have, so that a false length costs no more gas than a true one
            let size := and(calldataload(sub(plan, 0x20)), 0x1ff)
            calldatacopy(0xe0, plan, size)
            if and(xor(keccak256(0xe0, size), state), 0xffffffffffffffffffffff00) {
                fail(0xdab1e993) // UnexpectedCallback()
            }
            let head := calldataload(plan)

            if and(head, shl(249, 1)) {
                wrapped := shr(96, calldataload(add(plan, add(16, and(shr(238, head), 0xe0)))))
            }
            let token := wrapped
            if and(state, 16) {
                // a lender has lent
                let isAave := iszero(and(state, 8))
                let fee := calldataload(0x124)
                if isAave {
                    fee := calldataload(0x44)
                    // Aave lets anyone name us as the receiver: only our own loans count
                    if xor(calldataload(0x64), address()) {
                        fail(0xdab1e993) // UnexpectedCallback()
                    }
                }
                // nothing is called before `startPools` replaces the transient word
                size := sub(size, 44)
                let cap := shr(160, calldataload(add(plan, add(size, 32))))
                if gt(fee, cap) {
                    failWith(0x5ff75fc1, fee, cap) // LenderFeeAboveCap(uint256,uint256)
                }
                startPools(plan, head, size, token)
                tstore(0, 1)
                let owed := add(and(calldataload(add(plan, size)), 0xffffffffffffffffffffffff), fee)
                if isAave {
                    // it takes its money itself, and wants true
                    move(0x095ea7b3, token, caller(), owed) // approve(address,uint256)
                    mstore(0x00, 1)
                    return(0x00, 0x20)
                }
                move(0xa9059cbb, token, caller(), owed) // transfer(address,uint256)
                stop()
            }

            let i := and(state, 7)
            let amountIn := and(shr(128, head), 0xffffffffffffffffffffffff)
            if and(state, 8) {
                // the last pair of a cycle of V2 hops has lent its output
                tstore(0, 1)
                move(0xa9059cbb, token, shr(96, calldataload(add(plan, 16))), amountIn) // transfer(address,uint256)
                swapPairs(plan, head, 0, i, caller())
                stop()
            }

            // a V3 pool: of the two amounts the positive one is owed to it, the negative one was paid out by it
            let owed := calldataload(0x04)
            let arrived := calldataload(0x24)
            if slt(owed, 1) {
                arrived := owed
                owed := calldataload(0x24)
            }

            // the pivot: run the V2 hops behind it, whose input lies in the first of them
            let next := add(i, 1)
            if and(eq(i, and(shr(240, head), 7)), lt(next, and(shr(243, head), 7))) {
                tstore(0, 1)
                let hops := and(shr(243, head), 7)
                if and(head, shl(248, 1)) {
                    pop(quoteForward(plan, head, next, hops, sub(0, arrived)))
                }
                swapPairs(plan, head, next, hops, address())
            }

            // the first pool: pay it
            if iszero(i) {
                if gt(owed, amountIn) {
                    failWith(0x1437c4e2, owed, amountIn) // PaymentAboveCap(uint256,uint256)
                }
                tstore(0, 1)
                move(0xa9059cbb, token, caller(), owed) // transfer(address,uint256)
                stop()
            }

            // the nearest V3 hop before delivers exactly what is owed: to this pool, or to the pairs between
            for {
                let k := i
            } k {} {
                next := k
                k := sub(k, 1)
                if and(shr(add(232, k), head), 1) {
                    let hop := calldataload(add(add(plan, 16), shl(5, k)))
                    let to := caller()
                    if xor(next, i) {
                        to := shr(96, calldataload(add(add(plan, 16), shl(5, next))))
                        switch and(head, shl(248, 1))
                        case 0 {
                            owed := and(hop, 0xffffffffffffffffffffffff)
                        }
                        default {
                            owed := quoteBackward(plan, head, next, i, owed)
                        }
                    }
                    // the same bytes may come back, from this pool
                    tstore(
                        0,
                        or(
                            and(hop, not(0xffffffffffffffffffffffff)),
                            or(and(state, 0xffffffffffffffffffffff00), or(32, k))
                        )
                    )
                    swapV3(shr(96, hop), and(shr(add(224, k), head), 1), sub(0, owed), to, size)
                    tstore(0, 1)
                    if xor(next, i) {
                        swapPairs(plan, head, next, i, caller())
                    }
                    stop()
                }
            }

            // only V2 hops before: pay the first pair, and let the last one pay this pool
            if and(head, shl(248, 1)) {
                let cap := amountIn
                amountIn := quoteBackward(plan, head, 0, i, owed)
                if gt(amountIn, cap) {
                    failWith(0x1437c4e2, amountIn, cap) // PaymentAboveCap(uint256,uint256)
                }
            }
            tstore(0, 1)
            move(0xa9059cbb, token, shr(96, calldataload(add(plan, 16))), amountIn) // transfer(address,uint256)
            swapPairs(plan, head, 0, i, caller())
            stop()
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
