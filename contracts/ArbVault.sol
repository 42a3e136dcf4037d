// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IAcrossSpokePool} from "./interfaces/IAcrossSpokePool.sol";
import {IERC20} from "./interfaces/IERC20.sol";
import {IStargatePool} from "./interfaces/IStargatePool.sol";
import {ITokenMessengerV2} from "./interfaces/ITokenMessengerV2.sol";
import {IUniswapV2Pair} from "./interfaces/IUniswapV2Pair.sol";
import {IUniswapV3Pool} from "./interfaces/IUniswapV3Pool.sol";
import {IWETH9} from "./interfaces/IWETH9.sol";
import {VaultPrices} from "./VaultPrices.sol";

/// @title ArbVault
/// @notice Holds the inventory of cross-chain arbitrage on one chain. It has the same address on every chain (its twins).
///
/// Guarantees, each with tests in test/contracts:
///  1. Assets leave for the owner's address, by the owner; for a market's pool, by an operator's swap; or for an allowed
///     bridge, by an operator, and then only with the twin at this same address as recipient and as the one who is refunded.
///  2. A swap gives at least what the market's oracle says, less the market's greatest loss; a bridge is asked for at least
///     what it is given, less the route's greatest fee. Neither can be set above 5 %.
///  3. Every market and every route has a limit per day, in the token that leaves. It refills evenly, so that twice the
///     limit is the most that can leave within any 24 hours.
///  4. So a stolen operator key can cause, per day and in the long run, at most the sum over markets and routes of limit times
///     greatest loss; docs/security.md has the table. It cannot take anything out.
///  5. No allowance outlives a call. No callback is served but that of the pool which is being called, for the amount it was
///     offered. No delegatecall, no upgrade, no call whose target and data are both free.
///
/// The owner sets markets, routes and operators, and alone withdraws, only to its own address. An operator can also stop the
/// vault; only the owner starts it again.
contract ArbVault {
    enum PoolKind {
        None,
        V2,
        V3
    }

    enum BridgeKind {
        None,
        Across,
        Cctp,
        Stargate
    }

    /// @notice A pool in which one token may be sold for another.
    /// @param feePips Fee of a V2-type pool in millionths; a V3-type pool knows its own.
    /// @param maxLossBps Least output below the oracle's, hundredths of a percent.
    /// @param dailyLimit Most that may be sold, base units of `tokenIn` per day.
    struct Market {
        PoolKind kind;
        address pool;
        uint24 feePips;
        address tokenIn;
        address tokenOut;
        uint16 maxLossBps;
        uint128 dailyLimit;
        VaultPrices.Source price;
    }

    /// @notice A bridge that may carry a token to the twin on another chain. Both tokens have the same decimals.
    /// @param destination Chain id (Across), domain (CCTP) or endpoint id (Stargate).
    /// @param maxFeeBps Greatest fee, hundredths of a percent of the amount.
    /// @param dailyLimit Most that may be sent, base units of `tokenIn` per day.
    /// @param maxFillSeconds Longest time that Across' relayers may be given; after it a refund is due.
    struct Route {
        BridgeKind kind;
        address bridge;
        address tokenIn;
        bytes32 tokenOut;
        uint256 destination;
        uint16 maxFeeBps;
        uint128 dailyLimit;
        uint32 maxFillSeconds;
    }

    /// @notice What an operator chooses for one transfer.
    /// @param id Of our own, never used twice; Across' deposit id follows from it.
    /// @param amountOut Least that must arrive; for Across exactly that.
    /// @param quoteTimestamp Across: time of the quote. @param fillDeadline Across: until when it may be filled.
    /// @param fast CCTP: without waiting for the source chain's finality.
    struct Transfer {
        uint256 id;
        uint256 amountIn;
        uint256 amountOut;
        uint32 quoteTimestamp;
        uint32 fillDeadline;
        bool fast;
    }

    struct Usage {
        uint128 used;
        uint64 at;
    }

    error NotOwner();
    error NotOperator();
    error InvalidOwner();
    error InvalidOperator();
    error InvalidMarket();
    error InvalidRoute();
    error Stopped();
    error Busy();
    error UnknownMarket(bytes32 id);
    error UnknownRoute(bytes32 id);
    error MarketsDoNotMeet(bytes32 id);
    error BelowOracle(bytes32 market, uint256 amountOut, uint256 least);
    error BelowLeastOut(uint256 amountOut, uint256 least);
    error FeeTooHigh(uint256 amountOut, uint256 least);
    error AboveDailyLimit(bytes32 id, uint256 left);
    error TransferUsed(uint256 id);
    error FillDeadlineTooLate();
    error UnexpectedCallback(address caller);
    error TokenCallFailed(address token);
    error NotWrapped(address token);
    error NativeTransferFailed();
    error UnexpectedValue();

    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
    event OperatorSet(address indexed operator, bool allowed);
    event MarketSet(bytes32 indexed id, Market market);
    event RouteSet(bytes32 indexed id, Route route);
    event Running(bool running);
    event Swapped(bytes32 indexed market, uint256 amountIn, uint256 amountOut);
    /// @param amountIn What left, measured: Stargate leaves what its shared decimals cannot tell.
    event Sent(bytes32 indexed route, uint256 indexed id, uint256 amountIn, uint256 amountOut);
    /// @param token The token, or zero for ETH.
    event Withdrawn(address indexed token, uint256 amount);

    uint256 private constant BPS = 10_000;
    /// @notice No market's loss and no route's fee can be set higher, hundredths of a percent.
    uint16 public constant MOST_LOSS_BPS = 500;
    uint160 private constant LEAST_SQRT_PRICE = 4_295_128_739;
    uint160 private constant MOST_SQRT_PRICE = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342;
    /// @dev CCTP's finality thresholds.
    uint32 private constant FAST = 1000;
    uint32 private constant FINALIZED = 2000;

    address public owner;
    address public pendingOwner;
    bool public stopped;
    mapping(address => bool) public isOperator;
    mapping(bytes32 => Market) private _markets;
    mapping(bytes32 => Route) private _routes;
    mapping(bytes32 => Usage) private _usage;
    /// @notice Whether a transfer's id is taken: a second Across deposit with the same data could never be filled.
    mapping(uint256 => bool) public isUsed;

    bool private transient _busy;
    address private transient _payer;
    address private transient _payToken;
    uint256 private transient _payMost;

    modifier onlyOwner() {
        if (msg.sender != owner) revert NotOwner();
        _;
    }

    modifier onlyOperator() {
        if (!isOperator[msg.sender]) revert NotOperator();
        if (stopped) revert Stopped();
        _;
    }

    /// @dev On everything that moves assets or rights: a pool, bridge or token that is called cannot enter again by anybody's hand.
    modifier alone() {
        if (_busy) revert Busy();
        _busy = true;
        _;
        _busy = false;
    }

    /// @param owner_ Who may withdraw and configure; not zero and not an operator.
    /// @param operators_ Who may swap and bridge within the limits.
    constructor(address owner_, address[] memory operators_) {
        if (owner_ == address(0)) revert InvalidOwner();
        owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
        for (uint256 i = 0; i < operators_.length; ++i) _setOperator(operators_[i], true);
    }

    /// @notice Takes ETH: unwrapped tokens, and transfers of bridges that deliver it.
    receive() external payable {}

    /// @notice Sells `amountIn` along a chain of markets.
    /// @dev Reverts with NotOperator, Stopped, UnknownMarket, MarketsDoNotMeet, AboveDailyLimit, BelowOracle, BelowLeastOut, an
    /// error of VaultPrices, or with what a pool or token reverted with.
    /// @param ids Markets, each of which sells what the one before it bought.
    /// @param amountIn Base units of the first market's token.
    /// @param leastOut Base units of the last market's bought token.
    /// @return amountOut What arrived, measured.
    function swap(
        bytes32[] calldata ids,
        uint256 amountIn,
        uint256 leastOut
    ) external onlyOperator alone returns (uint256 amountOut) {
        if (ids.length == 0) revert InvalidMarket();
        address token;
        amountOut = amountIn;
        for (uint256 i = 0; i < ids.length; ++i) {
            Market memory m = _markets[ids[i]];
            if (m.kind == PoolKind.None) revert UnknownMarket(ids[i]);
            if (i != 0 && m.tokenIn != token) revert MarketsDoNotMeet(ids[i]);
            token = m.tokenOut;
            amountOut = _sell(ids[i], m, amountOut);
        }
        if (amountOut < leastOut) revert BelowLeastOut(amountOut, leastOut);
    }

    /// @notice Sends tokens to the twin on another chain. The value of the call pays the bridge's message, if it costs one; what
    /// the bridge does not need it returns to the caller.
    /// @dev Reverts with NotOperator, Stopped, UnknownRoute, UnexpectedValue, TransferUsed, FeeTooHigh, AboveDailyLimit, FillDeadlineTooLate, or with
    /// what the bridge or the token reverted with.
    function bridge(bytes32 id, Transfer calldata transfer) external payable onlyOperator alone {
        Route memory r = _routes[id];
        if (r.kind == BridgeKind.None) revert UnknownRoute(id);
        if (msg.value != 0 && r.kind != BridgeKind.Stargate) revert UnexpectedValue();
        if (isUsed[transfer.id]) revert TransferUsed(transfer.id);
        isUsed[transfer.id] = true;
        uint256 least = transfer.amountIn - (transfer.amountIn * r.maxFeeBps) / BPS;
        if (transfer.amountOut < least) revert FeeTooHigh(transfer.amountOut, least);
        _use(id, r.dailyLimit, transfer.amountIn);
        uint256 before = IERC20(r.tokenIn).balanceOf(address(this));
        _approve(r.tokenIn, r.bridge, transfer.amountIn);
        if (r.kind == BridgeKind.Across) _sendAcross(r, transfer);
        else if (r.kind == BridgeKind.Cctp) _sendCctp(r, transfer);
        else _sendStargate(r, transfer);
        if (IERC20(r.tokenIn).allowance(address(this), r.bridge) != 0) _approve(r.tokenIn, r.bridge, 0);
        emit Sent(id, transfer.id, before - IERC20(r.tokenIn).balanceOf(address(this)), transfer.amountOut);
    }

    /// @notice Claims a refund of Across that it could not transfer, to this vault. For operators and the owner, also while stopped.
    function claimAcrossRefund(bytes32 id) external alone {
        if (msg.sender != owner && !isOperator[msg.sender]) revert NotOperator();
        Route memory r = _routes[id];
        if (r.kind != BridgeKind.Across) revert UnknownRoute(id);
        IAcrossSpokePool(r.bridge).claimRelayerRefund(_padded(r.tokenIn), _padded(address(this)));
    }

    /// @notice Wraps all ETH that the vault holds, one to one.
    /// @param weth The sold or bridged token of a market or route that `id` names: no other contract is called.
    function wrap(address weth, bytes32 id) external onlyOperator alone {
        if (_markets[id].tokenIn != weth && _routes[id].tokenIn != weth) revert InvalidMarket();
        uint256 amount = address(this).balance;
        uint256 before = IERC20(weth).balanceOf(address(this));
        IWETH9(weth).deposit{value: amount}();
        // a staking token has the same function, and sells itself at a price of its own
        if (IERC20(weth).balanceOf(address(this)) - before != amount) revert NotWrapped(weth);
    }

    /// @notice Stops swaps and bridges until the owner resumes. For operators and the owner.
    function stop() external {
        if (msg.sender != owner && !isOperator[msg.sender]) revert NotOperator();
        stopped = true;
        emit Running(false);
    }

    /// @notice Ends a stop.
    function resume() external onlyOwner {
        stopped = false;
        emit Running(true);
    }

    /// @notice Callback of pools of the Uniswap V3 type.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _pay(amount0 > 0 ? amount0 : amount1);
    }

    /// @notice Callback of PancakeSwap V3's pools.
    function pancakeV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        _pay(amount0 > 0 ? amount0 : amount1);
    }

    /// @notice Takes tokens out, to the owner.
    /// @param amount Base units; the greatest uint256 takes everything.
    function withdraw(address token, uint256 amount) external onlyOwner alone {
        if (amount == type(uint256).max) amount = IERC20(token).balanceOf(address(this));
        _call(token, abi.encodeCall(IERC20.transfer, (owner, amount)));
        emit Withdrawn(token, amount);
    }

    /// @notice Takes ETH out, to the owner.
    /// @param amount Wei; the greatest uint256 takes everything.
    function withdrawNative(uint256 amount) external onlyOwner alone {
        if (amount == type(uint256).max) amount = address(this).balance;
        (bool done, ) = owner.call{value: amount}("");
        if (!done) revert NativeTransferFailed();
        emit Withdrawn(address(0), amount);
    }

    /// @notice Allows a market or changes it; a `kind` of None forbids it. What was sold today still counts, whatever the new limit.
    /// @return id By which operators name it.
    function setMarket(Market calldata market) external onlyOwner alone returns (bytes32 id) {
        id = marketId(market.pool, market.tokenIn);
        if (market.kind != PoolKind.None) {
            if (market.maxLossBps > MOST_LOSS_BPS || market.tokenIn == market.tokenOut) revert InvalidMarket();
            if (market.kind == PoolKind.V2 && (market.feePips == 0 || market.feePips >= 1_000_000))
                revert InvalidMarket();
            (address token0, address token1) = (
                IUniswapV2Pair(market.pool).token0(),
                IUniswapV2Pair(market.pool).token1()
            );
            bool matches =
                (token0 == market.tokenIn && token1 == market.tokenOut) ||
                    (token0 == market.tokenOut && token1 == market.tokenIn);
            if (!matches) revert InvalidMarket();
            VaultPrices.check(market.price, market.tokenIn, market.tokenOut);
        }
        _settle(id, _markets[id].dailyLimit);
        if (market.kind == PoolKind.None) delete _markets[id];
        else _markets[id] = market;
        emit MarketSet(id, market);
    }

    /// @notice Allows a route or changes it; a `kind` of None forbids it. What was sent today still counts, whatever the new limit.
    /// @return id By which operators name it.
    function setRoute(Route calldata route) external onlyOwner alone returns (bytes32 id) {
        id = routeId(route.bridge, route.tokenIn, route.destination);
        if (route.kind != BridgeKind.None) {
            if (route.maxFeeBps > MOST_LOSS_BPS) revert InvalidRoute();
            if (route.bridge.code.length == 0 || route.tokenIn.code.length == 0) revert InvalidRoute();
            if (route.kind == BridgeKind.Across) {
                if (route.tokenOut == 0 || route.maxFillSeconds == 0) revert InvalidRoute();
                // a longer address is of a chain where no twin can be
                if (uint256(route.tokenOut) > type(uint160).max) revert InvalidRoute();
            } else if (route.destination > type(uint32).max) revert InvalidRoute();
            if (route.kind == BridgeKind.Stargate && IStargatePool(route.bridge).token() != route.tokenIn)
                revert InvalidRoute();
        }
        _settle(id, _routes[id].dailyLimit);
        if (route.kind == BridgeKind.None) delete _routes[id];
        else _routes[id] = route;
        emit RouteSet(id, route);
    }

    /// @notice Allows an operator, or takes the right away.
    function setOperator(address operator, bool allowed) external onlyOwner alone {
        _setOperator(operator, allowed);
    }

    /// @notice Offers ownership to an address, which must accept it. A later offer replaces it; zero withdraws it.
    function transferOwnership(address newOwner) external onlyOwner alone {
        if (isOperator[newOwner]) revert InvalidOwner();
        pendingOwner = newOwner;
        emit OwnershipTransferStarted(owner, newOwner);
    }

    /// @notice Accepts ownership that was offered to the caller.
    function acceptOwnership() external alone {
        if (msg.sender != pendingOwner) revert NotOwner();
        // it may have become an operator since the offer
        if (isOperator[msg.sender]) revert InvalidOwner();
        emit OwnershipTransferred(owner, msg.sender);
        owner = msg.sender;
        pendingOwner = address(0);
    }

    /// @notice A market by its id; `kind` None where there is none.
    function market(bytes32 id) external view returns (Market memory) {
        return _markets[id];
    }

    /// @notice A route by its id; `kind` None where there is none.
    function route(bytes32 id) external view returns (Route memory) {
        return _routes[id];
    }

    /// @notice What may still be sold in a market or sent by a route now, base units.
    function available(bytes32 id) external view returns (uint256) {
        uint256 limit = _markets[id].kind == PoolKind.None ? _routes[id].dailyLimit : _markets[id].dailyLimit;
        uint256 used = _used(id, limit);
        return used < limit ? limit - used : 0;
    }

    function marketId(address pool, address tokenIn) public pure returns (bytes32) {
        return keccak256(abi.encode("market", pool, tokenIn));
    }

    function routeId(address bridge_, address tokenIn, uint256 destination) public pure returns (bytes32) {
        return keccak256(abi.encode("route", bridge_, tokenIn, destination));
    }

    function _setOperator(address operator, bool allowed) private {
        if (operator == address(0) || operator == owner) revert InvalidOperator();
        isOperator[operator] = allowed;
        emit OperatorSet(operator, allowed);
    }

    /// @dev What arrives is measured, and held against the oracle for what was offered: a token that takes a fee counts as a loss.
    function _sell(bytes32 id, Market memory m, uint256 amountIn) private returns (uint256 amountOut) {
        uint256 worth = VaultPrices.quote(m.price, m.tokenIn, m.tokenOut, amountIn);
        uint256 least = worth - (worth * m.maxLossBps) / BPS;
        _use(id, m.dailyLimit, amountIn);
        uint256 before = IERC20(m.tokenOut).balanceOf(address(this));
        bool zeroForOne = IUniswapV2Pair(m.pool).token0() == m.tokenIn;
        if (m.kind == PoolKind.V3) {
            (_payer, _payToken, _payMost) = (m.pool, m.tokenIn, amountIn);
            uint160 limit = zeroForOne ? LEAST_SQRT_PRICE + 1 : MOST_SQRT_PRICE - 1;
            IUniswapV3Pool(m.pool).swap(address(this), zeroForOne, int256(amountIn), limit, "");
            _payer = address(0);
        } else {
            uint256 out = _payPair(m, zeroForOne, amountIn);
            IUniswapV2Pair(m.pool).swap(zeroForOne ? 0 : out, zeroForOne ? out : 0, address(this), "");
        }
        amountOut = IERC20(m.tokenOut).balanceOf(address(this)) - before;
        if (amountOut < least) revert BelowOracle(id, amountOut, least);
        emit Swapped(id, amountIn, amountOut);
    }

    function _payPair(Market memory m, bool zeroForOne, uint256 amountIn) private returns (uint256) {
        (uint256 reserve0, uint256 reserve1, ) = IUniswapV2Pair(m.pool).getReserves();
        (uint256 reserveIn, uint256 reserveOut) = zeroForOne ? (reserve0, reserve1) : (reserve1, reserve0);
        _call(m.tokenIn, abi.encodeCall(IERC20.transfer, (m.pool, amountIn)));
        // what the pair got: less than was sent where the token takes a fee
        uint256 paid = (IERC20(m.tokenIn).balanceOf(m.pool) - reserveIn) * (1_000_000 - m.feePips);
        return (paid * reserveOut) / (reserveIn * 1_000_000 + paid);
    }

    /// @dev Serves the pool that is being called, once.
    function _pay(int256 amount) private {
        if (msg.sender != _payer) revert UnexpectedCallback(msg.sender);
        _payer = address(0);
        if (amount <= 0 || uint256(amount) > _payMost) revert UnexpectedCallback(msg.sender);
        _call(_payToken, abi.encodeCall(IERC20.transfer, (msg.sender, uint256(amount))));
    }

    function _sendAcross(Route memory r, Transfer calldata t) private {
        if (t.fillDeadline > block.timestamp + r.maxFillSeconds) revert FillDeadlineTooLate();
        bytes32 self = _padded(address(this));
        IAcrossSpokePool(r.bridge).unsafeDeposit(
            self,
            self,
            _padded(r.tokenIn),
            r.tokenOut,
            t.amountIn,
            t.amountOut,
            r.destination,
            0,
            t.id,
            t.quoteTimestamp,
            t.fillDeadline,
            0,
            ""
        );
    }

    function _sendCctp(Route memory r, Transfer calldata t) private {
        ITokenMessengerV2(r.bridge).depositForBurn(
            t.amountIn,
            uint32(r.destination),
            _padded(address(this)),
            r.tokenIn,
            0,
            t.amountIn - t.amountOut,
            t.fast ? FAST : FINALIZED
        );
    }

    function _sendStargate(Route memory r, Transfer calldata t) private {
        // solhint-disable-next-line check-send-result
        IStargatePool(r.bridge).send{value: msg.value}(
            IStargatePool.SendParam(uint32(r.destination), _padded(address(this)), t.amountIn, t.amountOut, "", "", ""),
            IStargatePool.MessagingFee(msg.value, 0),
            msg.sender
        );
    }

    function _use(bytes32 id, uint256 limit, uint256 amount) private {
        uint256 used = _used(id, limit);
        if (used + amount > limit) revert AboveDailyLimit(id, used < limit ? limit - used : 0);
        _usage[id] = Usage(uint128(used + amount), uint64(block.timestamp));
    }

    /// @dev Before a limit changes: up to now the old one refilled.
    function _settle(bytes32 id, uint256 limit) private {
        _usage[id] = Usage(uint128(_used(id, limit)), uint64(block.timestamp));
    }

    /// @dev What was used, less what has been refilled since.
    function _used(bytes32 id, uint256 limit) private view returns (uint256) {
        Usage memory usage = _usage[id];
        uint256 refilled = (limit * (block.timestamp - usage.at)) / 1 days;
        return refilled < usage.used ? usage.used - refilled : 0;
    }

    function _approve(address token, address spender, uint256 amount) private {
        _call(token, abi.encodeCall(IERC20.approve, (spender, amount)));
    }

    /// @dev Calls a token that returns true or nothing.
    function _call(address token, bytes memory data) private {
        (bool done, bytes memory answer) = token.call(data);
        if (!done || (answer.length == 0 ? token.code.length == 0 : !abi.decode(answer, (bool))))
            revert TokenCallFailed(token);
    }

    function _padded(address account) private pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }
}
