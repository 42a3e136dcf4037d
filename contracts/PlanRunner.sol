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
///   0                                  nothing runs
///   1                                  a plan runs and nobody may call
///   hash (248 bits) | step (8 bits)    a plan runs, and who those bytes name may call back with them
/// It is written right before a call that is answered by a callback, set to 1 by the callback before anything else is called
/// (or to the next such word), and set to 1 when the call returns. It becomes 0 at the plan's end, before static calls only.
/// The hash is that of the bytes that come back, cut as little as can be: whoever finds two bodies with one hash starts a plan
/// with one profit token and pays out another. Who may call is named by those bytes: the pool of the hop, or the lender.
/// The step: bits 0-2 the hop that calls back, bit 3 whether V2 hops behind the pivot are to be run, bits 5-7 where its data
/// start after the selector, which tells the callbacks apart:
///   0x80   uniswapV3SwapCallback(amount0, amount1, data)
///   0xa0   uniswapV2Call(sender, amount0, amount1, data)
///   0xc0   executeOperation(asset, amount, premium, initiator, params)
///   0x60   receiveFlashLoan([token], [amount], [fee], userData): at 0x160
///   0x40   unlockCallback(data): the data are the body of a V4 plan, the caller is the manager
///   0xe0   as 0x80, inside unlockCallback: the data are the input token and the pool
/// Without bit 6 it is a pool; then bit 5 tells V2 from V3.
///
/// Memory of a plan's frame: 0x00-0xdf heads of calls; 0xe0 the body; from 0x200 one word per hop, computed V2 outputs; 0x2e0
/// the gas left at the start, if it counts. The hottest calls are written out where they are made: each function that is
/// called from two places costs about 40 gas more.
abstract contract PlanRunner {
    error NotOperator();
    error PlanRunning();
    /// @notice ETH came along with a call that takes none.
    error EtherRefused();
    /// @notice A callback from an unexpected contract, at an unexpected time, or with other bytes than it was given.
    error UnexpectedCallback();
    /// @notice The bytes are not a plan, or not as long as their head says.
    error MalformedPlan();
    error Expired();
    error OutsideBlockWindow();
    /// @notice The parent of this block is not the one that the plan is for.
    error WrongParent();
    /// @notice The first pool is not, or no longer, where the plan wants it.
    error PoolMoved();
    /// @notice The plan counts its own gas, at a price of zero.
    error GasPriceMissing();
    /// @notice Tips are for chains whose block proposers take them: Ethereum and Sepolia.
    error TipNotHere();
    /// @notice A tip is paid out of a profit in the wrapped native token only.
    error TipNotNative();
    error TipAboveProfit(uint256 tip, uint256 profit);
    /// @notice The block's proposer did not accept the tip.
    error TipRefused();
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
    /// @dev The only address that assets can be taken out to.
    address internal _owner;
    uint256 internal immutable WRAPPED_NATIVE = _wrappedNative();

    /// @dev Runs the plan that came, or serves a callback of the plan that runs: then it does not return. It returns
    /// for what is neither of the two, and when somebody else than `operator` sent a plan.
    /// @param operator The only address that may start a plan, for now.
    function _interpret(address operator) internal {
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

            /// Swaps the V2 hops whose words lie from `place` to `end` (not included, above `place`) forward. The first has its
            /// input already; each sends its output to the next one, the last to `to`. Bit 5 of `directions` is that of the first.
            function swapFixed(place, end, directions, to) {
                mstore(0x00, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
                mstore(0x80, 0x80)
                mstore(0xa0, 0)
                for {} 1 {} {
                    let hop := calldataload(place)
                    // 32 if the output is token1, else 0: amount0Out lies at 0x20, amount1Out at 0x40
                    let side := and(directions, 32)
                    mstore(sub(0x40, side), 0)
                    mstore(add(0x20, side), and(hop, 0xffffffffffffffffffffffff))
                    place := add(place, 0x20)
                    if eq(place, end) {
                        mstore(0x60, to)
                        if iszero(call(gas(), shr(96, hop), 0, 0x1c, 0xa4, 0x00, 0x00)) {
                            bubble()
                        }
                        leave
                    }
                    directions := shr(1, directions)
                    mstore(0x60, shr(96, calldataload(place)))
                    if iszero(call(gas(), shr(96, hop), 0, 0x1c, 0xa4, 0x00, 0x00)) {
                        bubble()
                    }
                }
            }

            /// The same for hops `from` to `end` (not included), with the outputs that were computed.
            function swapComputed(plan, head, from, end, to) {
                mstore(0x00, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
                mstore(0x80, 0x80)
                mstore(0xa0, 0)
                for {} lt(from, end) {} {
                    let place := add(add(plan, 16), shl(5, from))
                    let side := and(shr(add(219, from), head), 32)
                    mstore(sub(0x40, side), 0)
                    mstore(add(0x20, side), mload(add(0x200, shl(5, from))))
                    from := add(from, 1)
                    let next := to
                    if lt(from, end) {
                        next := shr(96, calldataload(add(place, 0x20)))
                    }
                    mstore(0x60, next)
                    if iszero(call(gas(), shr(96, calldataload(place)), 0, 0x1c, 0xa4, 0x00, 0x00)) {
                        bubble()
                    }
                }
            }

            /// Swaps the pairs `from` to `end` (not included, above `from`), with given or computed outputs.
            function swapPairs(plan, head, from, end, to) {
                if and(head, shl(248, 1)) {
                    swapComputed(plan, head, from, end, to)
                    leave
                }
                let hops := add(plan, 16)
                swapFixed(add(hops, shl(5, from)), add(hops, shl(5, end)), shr(add(219, from), head), to)
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

            /// Borrows from the plan's lender, whose callback data are the body and the lender's terms.
            function borrow(plan, head, size, token) {
                let terms := calldataload(add(plan, size))
                let dataSize := add(size, 44)
                calldatacopy(0x140, plan, dataSize)
                let isAave := eq(and(shr(246, head), 3), 2)
                tstore(0, or(and(keccak256(0x140, dataSize), not(0xff)), shr(iszero(isAave), 0xc0)))
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

            // --------------------------------------------------------------------------------------------- guards

            /// Bytes that the guards of a plan take, with the byte that says which there are.
            function guardsSize(which) -> size {
                size := add(1, mul(15, and(which, 1)))
                if gt(which, 1) {
                    size := add(size, mul(12, and(shr(1, which), 1)))
                    size := add(size, mul(20, and(shr(2, which), 1)))
                    size := add(size, mul(13, and(shr(3, which), 1)))
                    size := add(size, mul(12, and(shr(4, which), 1)))
                    size := add(size, mul(26, and(shr(5, which), 1)))
                }
            }

            /// block.number and the parent's hash; on Arbitrum those of the L2, which only ArbSys knows: there the opcodes give
            /// the L1's number and a pseudo-random value (docs.arbitrum.io, "Block numbers and time").
            function blockNumber(failure) -> n {
                n := number()
                if or(eq(chainid(), 42161), eq(chainid(), 421614)) {
                    mstore(0x00, 0xa3b1b31d) // arbBlockNumber()
                    if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), 0x64, 0x1c, 0x04, 0x00, 0x20))) {
                        fail(failure)
                    }
                    n := mload(0x00)
                }
            }

            function parentHash() -> h {
                let n := sub(blockNumber(0x8a2c934f), 1) // WrongParent()
                h := blockhash(n)
                if or(eq(chainid(), 42161), eq(chainid(), 421614)) {
                    mstore(0x00, 0x2b407a82) // arbBlockHash(uint256)
                    mstore(0x20, n)
                    if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), 0x64, 0x1c, 0x24, 0x00, 0x20))) {
                        fail(0x8a2c934f) // WrongParent()
                    }
                    h := mload(0x00)
                }
            }

            /// What must hold before anything is called; `place` is that of the byte that says which guards there are.
            function checkGuards(place, plan, head) {
                let which := byte(0, calldataload(place))
                place := add(place, 1)
                if and(which, 8) {
                    mstore(0x2e0, gas())
                }
                if and(which, 1) {
                    let guards := calldataload(place)
                    // x - 1 makes zero, which means any, the greatest number
                    if gt(sub(timestamp(), 1), sub(shr(216, guards), 1)) {
                        fail(0x203d82d8) // Expired()
                    }
                    if and(guards, shl(136, 0xffffffffffffffffffff)) {
                        let n := blockNumber(0x22265e54) // OutsideBlockWindow()
                        if or(
                            lt(n, and(shr(176, guards), 0xffffffffff)),
                            gt(sub(n, 1), sub(and(shr(136, guards), 0xffffffffff), 1))
                        ) {
                            fail(0x22265e54) // OutsideBlockWindow()
                        }
                    }
                    place := add(place, 15)
                }
                if and(which, 2) {
                    if xor(shr(160, calldataload(place)), and(parentHash(), 0xffffffffffffffffffffffff)) {
                        fail(0x8a2c934f) // WrongParent()
                    }
                    place := add(place, 12)
                }
                if and(which, 4) {
                    let bound := shr(96, calldataload(place))
                    let zeroForOne := and(shr(224, head), 1)
                    let pool := shr(96, calldataload(add(plan, 16)))
                    let moved
                    switch and(shr(232, head), 1)
                    case 0 {
                        mstore(0x00, 0x0902f1ac) // getReserves()
                        moved := iszero(
                            and(gt(returndatasize(), 0x3f), staticcall(gas(), pool, 0x1c, 0x04, 0x00, 0x40))
                        )
                        moved := or(moved, lt(mload(shl(5, zeroForOne)), bound))
                    }
                    default {
                        mstore(0x00, 0x3850c7bd) // slot0()
                        moved := iszero(
                            and(gt(returndatasize(), 0x1f), staticcall(gas(), pool, 0x1c, 0x04, 0x00, 0x20))
                        )
                        let price := mload(0x00)
                        switch zeroForOne
                        case 0 {
                            moved := or(moved, gt(price, bound))
                        }
                        default {
                            moved := or(moved, lt(price, bound))
                        }
                    }
                    if moved {
                        fail(0x577d608e) // PoolMoved()
                    }
                    place := add(place, 20)
                }
                if and(which, 8) {
                    if iszero(shr(160, calldataload(place))) {
                        fail(0x5945b37a) // GasPriceMissing()
                    }
                }
            }

            /// Pays the block's proposer out of what this plan made in the wrapped native token, never more.
            function payTip(place, which, token, wrappedToken, before) {
                if iszero(or(eq(chainid(), 1), eq(chainid(), 11155111))) {
                    fail(0xddef45d4) // TipNotHere()
                }
                if xor(token, wrappedToken) {
                    fail(0xdb761c34) // TipNotNative()
                }
                let made := balanceOf(token)
                made := mul(sub(made, before), gt(made, before))
                let terms := calldataload(place)
                let tip := shr(160, terms)
                if and(which, 32) {
                    tip := div(mul(made, shr(240, terms)), 10000)
                    let least := and(shr(144, terms), 0xffffffffffffffffffffffff)
                    let most := and(shr(48, terms), 0xffffffffffffffffffffffff)
                    if lt(tip, least) {
                        tip := least
                    }
                    if gt(tip, most) {
                        tip := most
                    }
                }
                if gt(tip, made) {
                    failWith(0xb34e386b, tip, made) // TipAboveProfit(uint256,uint256)
                }
                mstore(0x00, 0x2e1a7d4d) // withdraw(uint256)
                mstore(0x20, tip)
                if iszero(call(gas(), token, 0, 0x1c, 0x24, 0x00, 0x00)) {
                    bubble()
                }
                // a proposer that is a contract gets enough gas to receive, and not ours to burn
                if iszero(call(100000, coinbase(), tip, 0x00, 0x00, 0x00, 0x00)) {
                    fail(0xec8dd633) // TipRefused()
                }
            }

            /// The end of a plan with a lender or guards: tip, sweep, and the rule that decides whether the plan lands.
            function conclude(plan, head, size, token, wrappedToken, before) {
                let bounds := add(plan, size)
                tstore(0, 1)
                if and(head, shl(247, 1)) {
                    if iszero(and(head, shl(246, 1))) {
                        mstore(0x00, 0xdd62ed3e) // allowance(address,address)
                        mstore(0x20, address())
                        mstore(0x40, shr(96, calldataload(bounds)))
                        if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x1c, 0x44, 0x00, 0x20))) {
                            tokenFailed()
                        }
                        if mload(0x00) {
                            fail(0x43e05022) // AllowanceLeft()
                        }
                    }
                    bounds := add(bounds, 44)
                }
                let needed := shr(160, calldataload(bounds))
                let which := 0
                if and(head, shl(250, 1)) {
                    which := byte(0, calldataload(add(bounds, 12)))
                    // to the price of gas, or what lies in its place
                    bounds := add(add(bounds, 12), guardsSize(and(which, 7)))
                }
                if and(which, 48) {
                    payTip(add(bounds, mul(13, and(shr(3, which), 1))), which, token, wrappedToken, before)
                }
                let afterwards := balanceOf(token)
                if and(which, 64) {
                    // one unit stays: a balance that starts at zero costs the next plan 17,100 gas more
                    if gt(afterwards, 1) {
                        move(0xa9059cbb, token, sload(_owner.slot), sub(afterwards, 1)) // transfer(address,uint256)
                    }
                }
                // nothing but this contract's own memory from here on
                tstore(0, 0)
                if and(which, 8) {
                    // 21000 and the calldata as if no byte were zero (EIP-2028), and what runs before and after the measure:
                    // most for the last operator of a StepExecutor, who calls `execute`
                    let used := add(add(sub(mload(0x2e0), gas()), 24500), shl(4, calldatasize()))
                    let price := calldataload(bounds)
                    needed := add(needed, shr(and(shr(152, price), 0xff), mul(mul(used, gasprice()), shr(160, price))))
                }
                let got := sub(afterwards, before)
                if or(lt(afterwards, before), lt(got, needed)) {
                    failWith(0x73b889af, got, needed) // ProfitTooLow(int256,uint256)
                }
                stop()
            }

            // ---------------------------------------------------------------------------------------- Uniswap V4

            /// The PoolManager of the chain. Source: @uniswap/sdk-core. Zero elsewhere: there the call has no answer.
            function poolManager() -> manager {
                switch chainid()
                case 1 {
                    manager := 0x000000000004444c5dc75cB358380D2e3dE08A90
                }
                case 8453 {
                    manager := 0x498581fF718922c3f8e6A244956aF099B2652b2b
                }
                case 42161 {
                    manager := 0x360E68faCcca8cA495c1B759Fd9EEe466db9FB32
                }
                case 10 {
                    manager := 0x9a13F98Cb987694C9F086b1F5eB990EeA8264Ec3
                }
                case 11155111 {
                    manager := 0xE03A1074c86CFeDd5C142C4F04F1a1536e203543
                }
                case 84532 {
                    manager := 0x05E73354cFDd6745C338b50BcFDfA3Aa6fA03408
                }
                case 421614 {
                    manager := 0xFB3e0C6F74eB1a21CC1Da29aeC80D2Dfe6C9a317
                }
            }

            /// Runs a cycle inside the manager's `unlock`. This contract pays nothing itself there: what is taken at the end is the
            /// profit, and the manager reverts unless every debt is settled.
            function runV4(plan, size) -> bounds {
                bounds := add(plan, size)
                mstore(0x00, 0x48c89491) // unlock(bytes)
                mstore(0x20, 0x20)
                mstore(0x40, size)
                calldatacopy(0x60, plan, size)
                tstore(0, or(and(keccak256(0x60, size), not(0xff)), 0x40))
                let callSize := add(0x44, and(add(size, 31), not(31)))
                // a chain without a manager answers with nothing
                if iszero(and(gt(returndatasize(), 0x5f), call(gas(), poolManager(), 0, 0x1c, callSize, 0x00, 0x60))) {
                    bubble()
                }
            }

            /// The end of a V4 plan without guards.
            function concludeV4(bounds) {
                tstore(0, 0)
                let got := mload(0x40)
                let needed := shr(160, calldataload(bounds))
                if slt(got, needed) {
                    failWith(0x73b889af, got, needed) // ProfitTooLow(int256,uint256)
                }
                stop()
            }

            /// take(address currency, address to, uint256 amount)
            function take(manager, currency, to, amount) {
                mstore(0x00, 0x0b0d9c09)
                mstore(0x20, currency)
                mstore(0x40, to)
                mstore(0x60, amount)
                if iszero(call(gas(), manager, 0, 0x1c, 0x64, 0x00, 0x00)) {
                    bubble()
                }
            }

            /// sync(address currency): what arrives from now on is paid by the next `settle`.
            function sync(manager, currency) {
                mstore(0x00, 0xa5841194)
                mstore(0x20, currency)
                if iszero(call(gas(), manager, 0, 0x1c, 0x24, 0x00, 0x00)) {
                    bubble()
                }
            }

            function settle(manager, value) -> paid {
                mstore(0x00, 0x11da60b4) // settle()
                if iszero(call(gas(), manager, value, 0x1c, 0x04, 0x00, 0x20)) {
                    bubble()
                }
                paid := mload(0x00)
            }

            /// One V4 swap of an exact input. Returns what the manager booked, which hooks may have changed.
            function swapV4(manager, tokenIn, tokenOut, amount, kind, at) -> paid, got, place {
                let zeroForOne := lt(tokenIn, tokenOut)
                let side := shl(5, zeroForOne)
                mstore(0x00, 0xf3cd914c) // swap((address,address,uint24,int24,address),(bool,int256,uint160),bytes)
                mstore(sub(0x40, side), tokenIn)
                mstore(add(0x20, side), tokenOut)
                mstore(0x60, shr(232, calldataload(at)))
                mstore(0x80, shr(232, calldataload(add(at, 3))))
                place := add(at, 6)
                mstore(0xa0, 0)
                if and(kind, 8) {
                    mstore(0xa0, shr(96, calldataload(place)))
                    place := add(place, 20)
                }
                mstore(0xc0, zeroForOne)
                mstore(0xe0, sub(0, amount))
                // the limits of V3's swap, as in swapV3
                mstore(
                    0x100,
                    xor(
                        4295128740,
                        mul(iszero(zeroForOne), xor(4295128740, 1461446703485210103287273052203988822378723970341))
                    )
                )
                mstore(0x120, 0x120)
                let dataSize := 0
                if and(kind, 16) {
                    dataSize := byte(0, calldataload(place))
                    calldatacopy(0x160, add(place, 1), dataSize)
                    place := add(place, add(1, dataSize))
                }
                mstore(0x140, dataSize)
                let callSize := add(0x144, and(add(dataSize, 31), not(31)))
                if iszero(call(gas(), manager, 0, 0x1c, callSize, 0x00, 0x20)) {
                    bubble()
                }
                // BalanceDelta: amount0 in the upper half, amount1 in the lower
                let delta := mload(0x00)
                got := sar(128, delta)
                paid := signextend(15, delta)
                if zeroForOne {
                    let amount0 := got
                    got := paid
                    paid := amount0
                }
                paid := sub(0, paid)
            }

            /// A V2 or V3 swap whose input the manager lends, and whose output goes to the manager. Returns what it got.
            function swapThrough(manager, tokenIn, tokenOut, amount, kind, at) -> got, place {
                let pool := shr(96, calldataload(at))
                let zeroForOne := lt(tokenIn, tokenOut)
                place := add(at, 20)
                switch and(kind, 3)
                case 0 {
                    take(manager, tokenIn, pool, amount)
                    sync(manager, tokenOut)
                    let side := shl(5, zeroForOne)
                    mstore(0x00, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
                    mstore(sub(0x40, side), 0)
                    mstore(add(0x20, side), shr(160, calldataload(place)))
                    mstore(0x60, manager)
                    mstore(0x80, 0x80)
                    mstore(0xa0, 0)
                    if iszero(call(gas(), pool, 0, 0x1c, 0xa4, 0x00, 0x00)) {
                        bubble()
                    }
                    place := add(place, 12)
                }
                default {
                    sync(manager, tokenOut)
                    mstore(0xe0, shl(96, tokenIn))
                    mstore(0xf4, shl(96, pool))
                    tstore(0, or(and(keccak256(0xe0, 40), not(0xff)), 0xe0))
                    swapV3(pool, zeroForOne, amount, manager, 40)
                    tstore(0, 1)
                }
                got := settle(manager, 0)
            }

            /// The manager's callback: swaps forward, unwraps or wraps where one end is native, and takes the profit.
            function unlocked(plan, size, wrappedToken) {
                tstore(0, 1)
                let head := calldataload(plan)
                let amount := and(shr(128, head), 0xffffffffffffffffffffffff)
                let tokenIn := mul(wrappedToken, iszero(and(head, shl(240, 1))))
                let end := add(plan, size)
                let spent := 0
                plan := add(plan, 16)
                for {} lt(plan, end) {} {
                    let kind := byte(0, calldataload(plan))
                    plan := add(plan, 1)
                    let tokenOut := mul(wrappedToken, iszero(and(head, shl(241, 1))))
                    if iszero(and(kind, 4)) {
                        tokenOut := shr(96, calldataload(plan))
                        plan := add(plan, 20)
                    }
                    switch and(kind, 0x1b)
                    case 2 {
                        // V4 without hooks and their data, as in swapV4
                        let zeroForOne := lt(tokenIn, tokenOut)
                        let side := shl(5, zeroForOne)
                        let key := calldataload(plan)
                        plan := add(plan, 6)
                        mstore(0x00, 0xf3cd914c)
                        mstore(sub(0x40, side), tokenIn)
                        mstore(add(0x20, side), tokenOut)
                        mstore(0x60, shr(232, key))
                        mstore(0x80, and(shr(208, key), 0xffffff))
                        mstore(0xa0, 0)
                        mstore(0xc0, zeroForOne)
                        mstore(0xe0, sub(0, amount))
                        mstore(
                            0x100,
                            xor(
                                4295128740,
                                mul(
                                    iszero(zeroForOne),
                                    xor(4295128740, 1461446703485210103287273052203988822378723970341)
                                )
                            )
                        )
                        mstore(0x120, 0x120)
                        mstore(0x140, 0)
                        if iszero(call(gas(), caller(), 0, 0x1c, 0x144, 0x00, 0x20)) {
                            bubble()
                        }
                        let delta := mload(0x00)
                        if iszero(spent) {
                            spent := sub(0, signextend(15, shr(shl(7, zeroForOne), delta)))
                        }
                        amount := signextend(15, shr(shl(7, iszero(zeroForOne)), delta))
                    }
                    default {
                        let paid := amount
                        switch and(kind, 2)
                        case 0 {
                            amount, plan := swapThrough(caller(), tokenIn, tokenOut, amount, kind, plan)
                        }
                        default {
                            paid, amount, plan := swapV4(caller(), tokenIn, tokenOut, amount, kind, plan)
                        }
                        if iszero(spent) {
                            spent := paid
                        }
                    }
                    tokenIn := tokenOut
                }
                let got := sub(amount, spent)
                if slt(got, 0) {
                    failWith(0x73b889af, got, 0) // ProfitTooLow(int256,uint256)
                }
                switch and(shr(240, head), 3)
                case 0 {
                    mstore(0x00, 0x0b0d9c09) // take(address,address,uint256)
                    mstore(0x20, wrappedToken)
                    mstore(0x40, address())
                    mstore(0x60, got)
                    if iszero(call(gas(), caller(), 0, 0x1c, 0x64, 0x00, 0x00)) {
                        bubble()
                    }
                }
                case 1 {
                    // owed in ETH, made in its wrapped form
                    take(caller(), wrappedToken, address(), amount)
                    mstore(0x00, 0x2e1a7d4d) // withdraw(uint256)
                    mstore(0x20, spent)
                    if iszero(call(gas(), wrappedToken, 0, 0x1c, 0x24, 0x00, 0x00)) {
                        bubble()
                    }
                    pop(settle(caller(), spent))
                }
                default {
                    // made in ETH: all of it if the wrapped form is owed, else what is left
                    let owesWrapped := iszero(and(head, shl(240, 1)))
                    let made := add(got, mul(spent, owesWrapped))
                    take(caller(), 0, address(), made)
                    mstore(0x00, 0xd0e30db0) // deposit()
                    if iszero(call(gas(), wrappedToken, made, 0x1c, 0x04, 0x00, 0x00)) {
                        bubble()
                    }
                    if owesWrapped {
                        sync(caller(), wrappedToken)
                        move(0xa9059cbb, wrappedToken, caller(), spent) // transfer(address,uint256)
                        pop(settle(caller(), 0))
                    }
                }
                mstore(0x00, 0x20)
                mstore(0x20, 0x20)
                mstore(0x40, got)
                return(0x00, 0x60)
            }

            /// Inside `unlock`: a V3 pool is paid by the manager.
            function payFromManager(state) {
                calldatacopy(0x00, 0x84, 40)
                let pool := shr(96, calldataload(0x98))
                if or(xor(caller(), pool), and(xor(keccak256(0x00, 40), state), not(0xff))) {
                    fail(0xdab1e993) // UnexpectedCallback()
                }
                tstore(0, 1)
                let owed := calldataload(0x04)
                if slt(owed, 1) {
                    owed := calldataload(0x24)
                }
                take(poolManager(), shr(96, calldataload(0x84)), pool, owed)
                stop()
            }

            // not a loop: `break` leaves to what is no plan and no callback
            for {} 1 {} {
                let state := tload(0)
                let token := wrapped
                let plan := 0
                let head
                let size
                let before
                switch state
                case 0 {
                    // --------------------------------------------------------------------------------- a plan's frame
                    head := calldataload(0)
                    let planSize := calldatasize()
                    if or(or(xor(caller(), operator), callvalue()), xor(shr(251, head), 0x14)) {
                        // a V4 plan without guards, the shortest way
                        if eq(shr(248, head), xor(0xa8, shl(8, xor(caller(), operator)))) {
                            size := byte(2, head)
                            if iszero(or(or(xor(add(size, 12), planSize), callvalue()), gt(byte(1, head), 3))) {
                                concludeV4(runV4(plan, size))
                            }
                            size := 0
                        }
                        // not that operator's bare plan
                        if or(
                            xor(caller(), operator),
                            iszero(or(eq(shr(224, head), 0x09c5eabe), eq(shr(252, head), 0x0a)))
                        ) {
                            break
                        }
                        if callvalue() {
                            fail(0xf5f2dda5) // EtherRefused()
                        }
                        if eq(shr(224, head), 0x09c5eabe) {
                            // execute(bytes)
                            plan := add(calldataload(0x04), 0x24)
                            planSize := calldataload(sub(plan, 0x20))
                            if or(
                                gt(calldataload(0x04), 0xffffffff),
                                or(gt(planSize, 0xffffffff), gt(add(plan, planSize), calldatasize()))
                            ) {
                                fail(0x2abe262c) // MalformedPlan()
                            }
                            head := calldataload(plan)
                            if xor(shr(252, head), 0x0a) {
                                // a plan of steps is StepExecutor's
                                if eq(shr(252, head), 0xb) {
                                    break
                                }
                                fail(0x2abe262c) // MalformedPlan()
                            }
                        }
                    }

                    // 16 + 32 * hops
                    size := add(16, and(shr(238, head), 0xe0))
                    // a token, a lender, guards: a plan without them has the length that its hops say
                    if or(and(head, shl(247, 0x1d)), xor(add(size, 12), planSize)) {
                        if and(head, shl(251, 1)) {
                            // V4: its own body, and neither computed amounts, nor a token, nor a lender
                            size := byte(2, head)
                            if and(head, shl(246, 0x0f)) {
                                fail(0x2abe262c) // MalformedPlan()
                            }
                        }
                        if and(head, shl(249, 1)) {
                            token := shr(96, calldataload(add(plan, size)))
                            size := add(size, 20)
                        }
                        let end := add(size, 12)
                        if and(head, shl(247, 1)) {
                            end := add(end, 44)
                        }
                        let place := add(plan, end)
                        if and(head, shl(250, 1)) {
                            end := add(end, guardsSize(byte(0, calldataload(place))))
                            // bit 7 says nothing, and a tip is either fixed or a share
                            let which := byte(0, calldataload(place))
                            end := or(end, sub(0, or(gt(which, 127), eq(and(which, 48), 48))))
                        }
                        if xor(end, planSize) {
                            fail(0x2abe262c) // MalformedPlan()
                        }
                        if and(head, shl(250, 1)) {
                            checkGuards(place, plan, head)
                        }
                        if and(head, shl(251, 1)) {
                            if iszero(and(head, shl(250, 1))) {
                                concludeV4(runV4(plan, size))
                            }
                            before := balanceOf(token)
                            pop(runV4(plan, size))
                            conclude(plan, head, size, token, token, before)
                        }
                        if and(head, shl(247, 1)) {
                            before := balanceOf(token)
                            borrow(plan, head, size, token)
                            conclude(plan, head, size, token, wrapped, before)
                        }
                    }

                    mstore(0x00, 0x70a08231) // balanceOf(address)
                    mstore(0x20, address())
                    if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x1c, 0x24, 0x00, 0x20))) {
                        tokenFailed()
                    }
                    before := mload(0x00)
                }
                default {
                    // ------------------------------------------------------------------------------ a callback's frame
                    plan := add(4, and(state, 0xe0))
                    // cut to what a plan can have, so that a false length costs no more gas than a true one
                    size := and(calldataload(sub(plan, 0x20)), 0x1ff)
                    calldatacopy(0x00, plan, size)
                    // the pool that may call back is named by the bytes that it must bring
                    let pool := shr(96, calldataload(add(add(plan, 16), shl(5, and(state, 7)))))
                    let mismatch := and(xor(keccak256(0x00, size), state), not(0xff))
                    if or(xor(caller(), pool), mismatch) {
                        let class := and(state, 0xe0)
                        if eq(class, 0x40) {
                            if iszero(or(mismatch, xor(caller(), poolManager()))) {
                                unlocked(plan, size, wrapped)
                            }
                        }
                        // ETH, unwrapped by us or taken from the manager
                        if and(iszero(calldatasize()), or(eq(caller(), wrapped), eq(caller(), poolManager()))) {
                            stop()
                        }
                        if eq(class, 0xe0) {
                            payFromManager(state)
                        }
                        // or a lender, which the terms behind the body name; Balancer's data lie farther back
                        if eq(class, 0x60) {
                            plan := 0x164
                            size := and(calldataload(0x144), 0x1ff)
                            calldatacopy(0x00, plan, size)
                            mismatch := and(xor(keccak256(0x00, size), state), not(0xff))
                        }
                        let lender := shr(96, calldataload(add(plan, sub(size, 44))))
                        if or(or(iszero(or(eq(class, 0xc0), eq(class, 0x60))), mismatch), xor(caller(), lender)) {
                            // as solc left it
                            mstore(0x40, 0x80)
                            mstore(0x60, 0)
                            break
                        }
                    }
                    head := calldataload(plan)

                    if iszero(and(state, 0x40)) {
                        // a pool
                        let i := and(state, 7)
                        let amount := and(shr(128, head), 0xffffffffffffffffffffffff)
                        if iszero(and(state, 0x20)) {
                            // of the V3 type. The pivot: run the V2 hops behind it, whose input lies in the first of them
                            if and(state, 8) {
                                tstore(0, 1)
                                switch and(head, shl(248, 1))
                                case 0 {
                                    swapFixed(
                                        add(add(plan, 48), shl(5, i)),
                                        add(add(plan, 16), and(shr(238, head), 0xe0)),
                                        shr(add(220, i), head),
                                        address()
                                    )
                                }
                                default {
                                    let hops := and(shr(243, head), 7)
                                    let paidOut := calldataload(add(0x04, and(shr(add(219, i), head), 32)))
                                    pop(quoteForward(plan, head, add(i, 1), hops, sub(0, paidOut)))
                                    swapComputed(plan, head, add(i, 1), hops, address())
                                }
                            }

                            // of the two amounts one is owed to it; the other, negative, was paid out by it
                            let owed := calldataload(sub(0x24, and(shr(add(219, i), head), 32)))
                            if iszero(i) {
                                // the first pool: pay it
                                if gt(owed, amount) {
                                    failWith(0x1437c4e2, owed, amount) // PaymentAboveCap(uint256,uint256)
                                }
                                if iszero(and(state, 8)) {
                                    tstore(0, 1)
                                }
                                if and(head, shl(249, 1)) {
                                    token := shr(96, calldataload(add(plan, sub(size, 20))))
                                }
                                mstore(0x00, 0xa9059cbb) // transfer(address,uint256)
                                mstore(0x20, caller())
                                mstore(0x40, owed)
                                if iszero(
                                    and(
                                        or(eq(mload(0x00), 1), iszero(returndatasize())),
                                        call(gas(), token, 0, 0x1c, 0x44, 0x00, 0x20)
                                    )
                                ) {
                                    tokenFailed()
                                }
                                stop()
                            }

                            if and(shr(232, head), sub(shl(i, 1), 1)) {
                                // the nearest V3 hop before delivers exactly what is owed: to this pool, or to the pairs between
                                let next := i
                                let k := sub(i, 1)
                                for {} iszero(and(shr(add(232, k), head), 1)) {} {
                                    next := k
                                    k := sub(k, 1)
                                }
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
                                tstore(0, or(and(state, not(0xff)), or(0x80, k)))
                                calldatacopy(0xe0, plan, size)
                                swapV3(shr(96, hop), and(shr(add(224, k), head), 1), sub(0, owed), to, size)
                                tstore(0, 1)
                                if xor(next, i) {
                                    swapPairs(plan, head, next, i, caller())
                                }
                                stop()
                            }

                            // only V2 hops before, with computed amounts
                            if and(head, shl(248, 1)) {
                                let payment := quoteBackward(plan, head, 0, i, owed)
                                if gt(payment, amount) {
                                    failWith(0x1437c4e2, payment, amount) // PaymentAboveCap(uint256,uint256)
                                }
                                tstore(0, 1)
                                if and(head, shl(249, 1)) {
                                    token := shr(96, calldataload(add(plan, sub(size, 20))))
                                }
                                move(0xa9059cbb, token, shr(96, calldataload(add(plan, 16))), payment) // transfer
                                swapComputed(plan, head, 0, i, caller())
                                stop()
                            }
                        }

                        // pay the first pair, and let the last one before this pool pay it
                        tstore(0, 1)
                        if and(head, shl(249, 1)) {
                            token := shr(96, calldataload(add(plan, sub(size, 20))))
                        }
                        mstore(0x00, 0xa9059cbb) // transfer(address,uint256)
                        mstore(0x20, shr(96, calldataload(add(plan, 16))))
                        mstore(0x40, amount)
                        if iszero(
                            and(
                                or(eq(mload(0x00), 1), iszero(returndatasize())),
                                call(gas(), token, 0, 0x1c, 0x44, 0x00, 0x20)
                            )
                        ) {
                            tokenFailed()
                        }
                        swapFixed(add(plan, 16), add(add(plan, 16), shl(5, i)), shr(219, head), caller())
                        stop()
                    }

                    // only words for lenders come here, whoever calls
                    if iszero(or(eq(and(state, 0xe0), 0xc0), eq(and(state, 0xe0), 0x60))) {
                        fail(0xdab1e993) // UnexpectedCallback()
                    }
                    // a lender has lent
                    size := sub(size, 44)
                    let fee := calldataload(0x124)
                    if and(state, 0x80) {
                        fee := calldataload(0x44)
                        // Aave lets anyone name us as the receiver: only our own loans count
                        if xor(calldataload(0x64), address()) {
                            fail(0xdab1e993) // UnexpectedCallback()
                        }
                    }
                    let cap := shr(160, calldataload(add(plan, add(size, 32))))
                    if gt(fee, cap) {
                        failWith(0x5ff75fc1, fee, cap) // LenderFeeAboveCap(uint256,uint256)
                    }
                    if and(head, shl(249, 1)) {
                        token := shr(96, calldataload(add(plan, sub(size, 20))))
                    }
                    // what will be owed; nothing is called before the transient word is replaced below
                    before := add(and(calldataload(add(plan, size)), 0xffffffffffffffffffffffff), fee)
                }
                // --------------------------------------------------------------------------------- the first call
                {
                    let pivot := and(shr(240, head), 7)
                    let hop := calldataload(add(add(plan, 16), shl(5, pivot)))
                    calldatacopy(0xe0, plan, size)
                    switch and(shr(add(232, pivot), head), 1)
                    case 0 {
                        switch and(head, shl(246, 3))
                        case 0 {
                            // all V2 and nobody's money: the last pair lends its output
                            let amountOut := and(hop, 0xffffffffffffffffffffffff)
                            if and(head, shl(248, 1)) {
                                // the body that comes back is a fixed one, with the outputs in place of the fees, cut to the
                                // 12 bytes that they have there: if that cuts anything it is too little, never another pool
                                pop(
                                    quoteForward(
                                        plan,
                                        head,
                                        0,
                                        add(pivot, 1),
                                        and(shr(128, head), 0xffffffffffffffffffffffff)
                                    )
                                )
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
                            tstore(0, or(and(keccak256(0xe0, size), not(0xff)), or(0xa0, pivot)))
                            // one word higher than elsewhere, so that the data lies at 0xe0
                            let side := and(shr(add(219, pivot), head), 32)
                            mstore(0x20, 0x022c0d9f) // swap(uint256,uint256,address,bytes)
                            mstore(sub(0x60, side), 0)
                            mstore(add(0x40, side), amountOut)
                            mstore(0x80, address())
                            mstore(0xa0, 0x80)
                            mstore(0xc0, size)
                            if iszero(
                                call(gas(), shr(96, hop), 0, 0x3c, add(0xa4, and(add(size, 31), not(31))), 0x00, 0x00)
                            ) {
                                bubble()
                            }
                        }
                        default {
                            // all V2, and the money is here: pay, then swap forward
                            tstore(0, 1)
                            let amountIn := and(shr(128, head), 0xffffffffffffffffffffffff)
                            let hops := add(pivot, 1)
                            if and(head, shl(248, 1)) {
                                pop(quoteForward(plan, head, 0, hops, amountIn))
                            }
                            move(0xa9059cbb, token, shr(96, calldataload(add(plan, 16))), amountIn) // transfer
                            swapPairs(plan, head, 0, hops, address())
                        }
                    }
                    default {
                        // its output goes straight to the next pair, if there is one
                        let to := address()
                        let step := or(0x80, pivot)
                        if lt(add(pivot, 1), and(shr(243, head), 7)) {
                            to := shr(96, calldataload(add(add(plan, 48), shl(5, pivot))))
                            step := or(step, 8)
                        }
                        tstore(0, or(and(keccak256(0xe0, size), not(0xff)), step))
                        let zeroForOne := and(shr(add(224, pivot), head), 1)
                        mstore(0x00, 0x128acb08) // swap(address,bool,int256,uint160,bytes), as in swapV3
                        mstore(0x20, to)
                        mstore(0x40, zeroForOne)
                        mstore(0x60, and(hop, 0xffffffffffffffffffffffff))
                        mstore(
                            0x80,
                            xor(
                                4295128740,
                                mul(
                                    iszero(zeroForOne),
                                    xor(4295128740, 1461446703485210103287273052203988822378723970341)
                                )
                            )
                        )
                        mstore(0xa0, 0xa0)
                        mstore(0xc0, size)
                        if iszero(
                            call(gas(), shr(96, hop), 0, 0x1c, add(0xc4, and(add(size, 31), not(31))), 0x00, 0x00)
                        ) {
                            bubble()
                        }
                    }
                }

                // ------------------------------------------------------------------------------------- the end
                if and(head, shl(247, 0xd)) {
                    if iszero(state) {
                        // a lender, or guards that do something at the end
                        if or(
                            and(head, shl(247, 1)),
                            and(head, shl(250, gt(byte(0, calldataload(add(plan, add(size, 12)))), 7)))
                        ) {
                            conclude(plan, head, size, token, wrapped, before)
                        }
                    }
                    if state {
                        tstore(0, 1)
                        if iszero(and(state, 0x80)) {
                            move(0xa9059cbb, token, caller(), before) // transfer(address,uint256)
                            stop()
                        }
                        // Aave takes its money itself, and wants true
                        move(0x095ea7b3, token, caller(), before) // approve(address,uint256)
                        mstore(0x00, 1)
                        return(0x00, 0x20)
                    }
                }
                // nothing but a static call from here on
                tstore(0, 0)
                mstore(0x00, 0x70a08231) // balanceOf(address)
                mstore(0x20, address())
                if iszero(and(gt(returndatasize(), 0x1f), staticcall(gas(), token, 0x1c, 0x24, 0x00, 0x20))) {
                    tokenFailed()
                }
                let afterwards := mload(0x00)
                let got := sub(afterwards, before)
                let needed := shr(160, calldataload(add(plan, size)))
                // two comparisons: a sum could overflow
                if or(lt(afterwards, before), lt(got, needed)) {
                    failWith(0x73b889af, got, needed) // ProfitTooLow(int256,uint256)
                }
                stop()
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
